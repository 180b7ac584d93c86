"""What is given away with an export: it needs nothing of ours, and its Ed25519 is right."""

import ast
import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from seefen.client.standalone import verify
from tests.support.vectors import official

STANDALONE = Path(verify.__file__).parent


def run(*argv: object) -> tuple[int, str]:
    """Run verify.py as somebody who has nothing of ours."""
    program = (sys.executable, "-I", "-S", str(STANDALONE / "verify.py"))
    done = subprocess.run(
        [*program, *map(str, argv)], capture_output=True, text=True, check=False, cwd="/"
    )
    return done.returncode, done.stdout + done.stderr


def test_what_is_given_away_needs_python_3_9_and_nothing_else() -> None:
    source = (STANDALONE / "verify.py").read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 9))
    named = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or "."]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert named <= sys.stdlib_module_names


def test_it_says_what_it_takes_when_it_is_asked_for_nothing(tmp_path: Path) -> None:
    for argv in ((), ("--help",)):
        code, said = run(*argv)
        assert (code, "python3 verify.py EXPORT.zip" in said) == (2, True)
    code, said = run(tmp_path / "nothing.zip")
    assert (code, "cannot be read" in said) == (1, True)
    (tmp_path / "text.zip").write_bytes(b"no archive")
    assert run(tmp_path / "text.zip")[0] == 1
    assert run(tmp_path)[0] == 1


def test_who_stops_reading_is_shown_no_traceback_and_takes_nothing_for_good(
    tmp_path: Path,
) -> None:
    program = (sys.executable, "-I", "-S", str(STANDALONE / "verify.py"))
    for argv in ("--help", str(tmp_path / "nothing.zip")):
        with subprocess.Popen(
            [*program, argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/"
        ) as reading:
            assert reading.stdout is not None
            reading.stdout.close()
            _, said = reading.communicate(timeout=60)
        assert (said, reading.returncode != 0) == ("", True)


def test_fault_48_verify_py_gives_the_official_proofs_the_verdict_they_ask_for() -> None:
    """Else an export could be proved by what is no proof."""
    for kind in ("inclusion", "consistency"):
        for file in sorted(official(f"merkle/testdata/{kind}").rglob("*.json")):
            case = json.loads(file.read_text())
            proof = [base64.b64decode(one) for one in case["proof"] or ()]
            try:
                if kind == "inclusion":
                    head = verify.Head("", case["treeSize"], base64.b64decode(case["root"]), 0)
                    leaf = base64.b64decode(case["leafHash"])
                    verify.check_inclusion(leaf, case["leafIdx"], head, proof)
                else:
                    heads = [
                        verify.Head("", case[f"size{n}"], base64.b64decode(case[f"root{n}"]), 0)
                        for n in (1, 2)
                    ]
                    verify.check_growth(heads[0], heads[1], proof)
            except verify.WrongError:
                # From the empty log nothing is to be proved here: no export has such a head.
                assert case["wantErr"] or case.get("size1") == 0, file
            else:
                assert not case["wantErr"], file


@pytest.mark.parametrize(
    ("number", "shift", "said"),
    [(1, -3600, "entry 1: it is dated before the one it follows"),
     (2, +3600, "entry 2: it is dated after the checkpoint")],
)  # fmt: skip
def test_fault_11_12_an_entry_with_a_false_date_is_named(
    number: int, shift: int, said: str
) -> None:
    """A broker that dates an entry back, or ahead, and commits to it as it commits to all."""
    export = verify.Export({}, None)
    times = [1_000_000 + n for n in range(3)]
    export.final = verify.Head("seefen.test/activity", 3, bytes(32), times[-1])

    def told() -> list[str]:
        export.findings = []
        export.entries = [
            {"index": n, "core": f'{{"at":{at * 1000}}}'} for n, at in enumerate(times)
        ]
        export._times()
        return export.findings

    assert told() == []
    times[number] += shift
    assert told() == [said]


def test_ed25519_is_that_of_rfc_8032() -> None:
    """Section 7.1, tests 1 to 3; refused: another bit, S too large, a key of small order."""
    for public, message, signature in RFC_8032:
        key, text, good_ = (bytes.fromhex(one) for one in (public, message, signature))
        assert verify.ed25519(key, text, good_)
        assert not verify.ed25519(key, text + b"x", good_)
        for place in (0, 31, 32, 63):
            bad = bytearray(good_)
            bad[place] ^= 1
            assert not verify.ed25519(key, text, bytes(bad))
        order = 2**252 + 27742317777372353535851937790883648493
        larger = int.from_bytes(good_[32:], "little") + order
        assert not verify.ed25519(key, text, good_[:32] + larger.to_bytes(32, "little"))
    identity = b"\1" + bytes(31)
    assert not verify.ed25519(identity, b"any", identity + bytes(32))


RFC_8032 = (
    ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
     "d25bf5f0595bbe24655141438e7a100b"),
    ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
     "387b2eaeb4302aeeb00d291612bb0c00"),
    ("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
     "4a7c15e9716ed28dc027beceea1ec40a"),
)  # fmt: skip


def test_what_is_named_and_not_looked_at_is_no_good_answer(tmp_path: Path) -> None:
    key = "00" * 32
    for name in ("one.zip", "two.zip", "one.json"):
        (tmp_path / name).write_bytes(b"{}")
    one, two, evidence = (tmp_path / name for name in ("one.zip", "two.zip", "one.json"))
    for argv in (
        (one, two), (one, evidence), (one, "--key", key), (one, "--log-key"),
        (one, "--log-key", key, "--log-key", key), ("--log-key", key),
        (one, "--net"), (one, "--net", key, "--net", key), (evidence, "--net", key),
    ):  # fmt: skip
        code, said = run(*argv)
        assert code == 2, (argv, said)
    for word in verify.WORDS:
        assert verify._read_words([f"{word}={key}", "a.zip"]) == ({word: key}, [Path("a.zip")])
        assert verify._read_words(["a.zip", word, key]) == ({word: key}, [Path("a.zip")])


@pytest.mark.parametrize("text", ['{"a":' + "[" * 100_000, "[1]", "", "{}"])
def test_attack_evidence_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.json"
    path.write_text(text)
    code, said = run(path)
    assert (code, said.startswith("WRONG  odd.json"), "Traceback" in said) == (1, True, False), said


def test_a_time_that_is_in_no_calendar_is_said_and_stops_nothing() -> None:
    assert verify.when(0) == "1970-01-01 00:00:00 UTC"
    assert "in no calendar" in verify.when(2**64 - 1)
    entry = {"index": 3, "core": '{"at":' + "1" + "0" * 40 + ',"to":[]}', "kind": "access"}
    assert verify.as_csv([entry]).decode().splitlines()[1].startswith('"3",""')
