"""What is sent in the demo: the project's own samples, or files that were given."""

from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from demo.samples import write_samples
from demo.screen import StoryError, told
from seefen.client.photos import cleaned
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import Form, to_json

PHOTOGRAPHS = (".jpg", ".jpeg", ".png")
MOST = 12
LONGEST = 120  # bytes a file name may have in a message
SHORTEST = 8  # bytes of a name that is searched for: shorter ones stand in noise by chance
MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Material:
    """The files of the demo, as paths from its folder: photographs first."""

    folder: Path
    names: tuple[str, ...]

    @property
    def photographs(self) -> tuple[str, ...]:
        """Those that go with the alert, cleaned; one that is damaged cannot be."""
        return tuple(name for name in self.names if _is_photograph(name) and self.cleaned(name))

    def cleaned(self, name: str) -> bytes:
        """Return a photograph as it is sent; nothing for one that is damaged."""
        with suppress(RefusedError):
            return cleaned(self.path(name)) or self.path(name).read_bytes()
        return b""

    @property
    def patience(self) -> float:
        """Seconds that sending or fetching one of them may take."""
        return 120 + sum(self.path(name).stat().st_size for name in self.names) / MEBIBYTE

    @property
    def secrets(self) -> tuple[str, ...]:
        """File names that the broker must not know."""
        bare = (Path(name).name for name in self.names)
        return tuple(name for name in bare if len(name.encode()) >= SHORTEST)

    def path(self, name: str) -> Path:
        """Return where a file is."""
        return self.folder / name


def material(folder: Path, given: Path | None) -> Material:
    """Return the files to send.

    Args:
        folder: The demo's own.
        given: Folder of files to take instead of the samples.

    Raises:
        StoryError: The folder that was given has none.
    """
    if given is None:
        write_samples(folder / "samples")
        return Material(folder, _sorted(folder, "samples"))
    # A short name for it, so that commands can be read.
    (folder / "files").symlink_to(given.absolute(), target_is_directory=True)
    for path in sorted(given.iterdir()):
        if _is_evidence(path) and len(path.name.encode(errors="replace")) > LONGEST:
            told(f"Left out, its name is longer than {LONGEST} bytes: {path.name[:50]}...")
    names = _sorted(folder, "files")
    if not names:
        raise StoryError(f"there is no file in {given} that can be sent")
    if len(names) > MOST:
        told(f"Of the {len(names)} files in {given} the first {MOST} are sent.")
    return Material(folder, names[:MOST])


def write_form(path: Path, form: Form) -> str:
    """Write a message as the JSON form that the command line takes; return its name."""
    path.write_text(to_json(form), encoding="utf-8")
    return path.name


def hashes(folder: Path, names: tuple[str, ...] | None = None) -> list[bytes]:
    """Return the SHA-256 of files, sorted: all in a folder, or those that are named."""
    paths = folder.iterdir() if names is None else (folder / name for name in names)
    found = list[bytes]()
    for path in paths:
        digest = sha256()
        with path.open("rb") as file:
            while data := file.read(MEBIBYTE):
                digest.update(data)
        found.append(digest.digest())
    return sorted(found)


def _sorted(folder: Path, inner: str) -> tuple[str, ...]:
    paths = [path for path in (folder / inner).iterdir() if _is_sent(path)]
    return tuple(
        f"{inner}/{path.name}"
        for path in sorted(paths, key=lambda path: (not _is_photograph(path.name), path.name))
    )


def _is_evidence(path: Path) -> bool:
    # Notes about the files stay here, and so do a system's own files.
    return path.is_file() and not path.name.startswith(".") and path.suffix != ".md"


def _is_sent(path: Path) -> bool:
    # A name that is no text cannot be typed, and one with control characters is no name.
    name = path.name
    return _is_evidence(path) and name.isprintable() and len(name.encode()) <= LONGEST


def _is_photograph(name: str) -> bool:
    return name.lower().endswith(PHOTOGRAPHS)
