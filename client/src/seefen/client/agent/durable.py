"""Files of a mirror: each is there whole or not at all, whenever the power fails."""

from collections.abc import Iterator
from pathlib import Path

from seefen.client.keyfile import put_file, sync_folder


class Batch:
    """Writes files; they are safe once :meth:`sync` has returned, and not before."""

    def __init__(self) -> None:
        self._folders: set[Path] = set()

    def write(self, path: Path, data: bytes) -> None:
        """Put ``data`` at ``path`` in one step; the same bytes again change nothing."""
        if _holds(path, data):
            return
        self._make(path.parent)
        put_file(path, data)
        self._folders.add(path.parent)

    def sync(self) -> None:
        """Make all names that were written outlive a power cut."""
        # Innermost first: what a name leads to is there before the name.
        for folder in sorted(self._folders, key=lambda one: len(one.parts), reverse=True):
            sync_folder(folder)
        self._folders.clear()

    def _make(self, folder: Path) -> None:
        if folder.is_dir():
            return
        self._make(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        self._folders.update((folder, folder.parent))


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def forget_narrower(path: Path) -> Iterator[Path]:
    """Delete what a wider partial tile at ``path`` stands for; yield what was deleted."""
    folder = path.parent if path.parent.name.endswith(".p") else path.with_name(f"{path.name}.p")
    if not folder.is_dir():
        return
    for old in sorted(folder.iterdir()):
        if old != path:
            old.unlink(missing_ok=True)
            yield old
    if path.parent != folder:
        folder.rmdir()
