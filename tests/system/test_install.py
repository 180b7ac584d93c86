"""Installing from a folder of wheels: what does not have the hash in the list stays out."""

import asyncio
import base64
import hashlib
import sys
import zipfile
from pathlib import Path

NAME = "seefen_probe-1.0-py3-none-any.whl"


def wheel(folder: Path, code: str) -> Path:
    """Write a wheel that is in order in itself, whatever its code says."""
    files = {
        "seefen_probe.py": code,
        "seefen_probe-1.0.dist-info/METADATA": (
            "Metadata-Version: 2.1\nName: seefen-probe\nVersion: 1.0\n"
        ),
        "seefen_probe-1.0.dist-info/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
    }
    record = "seefen_probe-1.0.dist-info/RECORD"
    lines = [f"{name},sha256={_digest(text)},{len(text)}" for name, text in files.items()]
    path = folder / NAME
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, record: "\n".join((*lines, f"{record},,", ""))}.items():
            archive.writestr(name, text)
    return path


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


async def install(folder: Path, requirements: Path, target: Path) -> tuple[int, str]:
    """Install as the documentation says, from a folder and from nowhere else."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pip", "install", "--no-index", "--find-links", folder,
        "--require-hashes", "--no-deps", "--no-cache-dir", "--disable-pip-version-check",
        "--target", target, "--requirement", requirements,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said = (await process.communicate())[0].decode()
    assert process.returncode is not None
    return process.returncode, said


async def test_attack_66_an_altered_wheel_is_not_installed(tmp_path: Path) -> None:
    good = wheel(tmp_path, "VALUE = 1\n")
    lock = tmp_path / "requirements.lock"
    digest = hashlib.sha256(good.read_bytes()).hexdigest()
    lock.write_text(f"seefen-probe==1.0 --hash=sha256:{digest}\n")
    code, said = await install(tmp_path, lock, tmp_path / "good")
    assert code == 0, said
    assert (tmp_path / "good" / "seefen_probe.py").exists()
    wheel(tmp_path, "VALUE = 2  # somebody else's\n")  # same name, version and size of list
    code, said = await install(tmp_path, lock, tmp_path / "altered")
    assert code != 0
    assert "DO NOT MATCH THE HASHES" in said
    assert not (tmp_path / "altered" / "seefen_probe.py").exists()


def test_attack_66_every_requirement_is_pinned_by_hash() -> None:
    lock = (Path(__file__).parents[2] / "requirements.lock").read_text()
    entries = [e for e in lock.replace("\\\n", " ").splitlines() if e and e[0].isalnum()]
    assert len(entries) > 30
    assert [e for e in entries if "==" not in e or "--hash=sha256:" not in e] == []
