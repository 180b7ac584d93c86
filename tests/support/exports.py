"""Exports of the audit for tests: unpacked, damaged, signed anew, and given to both programs."""

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Final, TypeAlias

from seefen.client.bundling import Exported, Files
from seefen.client.standalone import verify
from seefen.protocol.envelope import signing_message
from seefen.protocol.suite import PlainKey

STANDALONE: Final = Path(verify.__file__).parent

Damage: TypeAlias = Callable[[Files], object]


def unzip(made: Exported) -> Files:
    with zipfile.ZipFile(io.BytesIO(made.data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def unpack(made: Files, folder: Path) -> Path:
    for name, data in made.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def run(*argv: object) -> tuple[int, str]:
    """Run a program that knows nothing of this process: no path of ours, no environment."""
    done = subprocess.run(
        [str(word) for word in argv], capture_output=True, text=True, check=False, cwd="/",
        env={"PATH": os.environ["PATH"]}, timeout=300,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def by_python(where: Path, *more: str) -> tuple[int, str]:
    return run(sys.executable, "-I", "-S", STANDALONE / "verify.py", where, *more)


def in_python(where: Path, *more: str) -> tuple[int, str]:
    """The same, in this process: it starts sooner."""
    out = io.StringIO()
    with redirect_stdout(out):
        code = verify.main([str(where), *more])
    return code, out.getvalue()


def by_shell(folder: Path, *more: str) -> tuple[int, str]:
    return run("sh", folder / "verify.sh", *more)


def read(made: Files) -> list[dict[str, Any]]:
    return [json.loads(line) for line in made["entries.jsonl"].decode().splitlines()]


def entry(number: int, key: str, turn: Callable[[Any], object]) -> Damage:
    """Change a field of an entry, and write the line as it must be written."""

    def damage(made: Files) -> None:
        lines = made["entries.jsonl"].decode().splitlines()
        one = json.loads(lines[number])
        one[key] = turn(one[key])
        lines[number] = verify.as_text(one)
        made["entries.jsonl"] = "".join(f"{line}\n" for line in lines).encode()

    return damage


def sign_anew(made: Files) -> None:
    """Export it oneself: a manifest of what is there, signed by a device that nobody knows."""
    key, device = PlainKey.generate(), "ee" * 16
    keys = json.loads(made["keys.json"])
    keys["devices"][device], keys["exporter"] = key.public.hex(), device
    made["keys.json"] = f"{verify.as_text(keys)}\n".encode()
    listed = {n: d for n, d in made.items() if not n.startswith("MANIFEST")}
    made["MANIFEST.sha256"] = "".join(
        f"{hashlib.sha256(listed[n]).hexdigest()}  {n}\n" for n in sorted(listed)
    ).encode()
    message = signing_message("audit-export", bytes.fromhex(keys["net"]), made["MANIFEST.sha256"])
    made["MANIFEST.sig"] = f"{key.sign(message).hex()}\n".encode()
