"""An export verifies with none of our code; damaged ones are refused, each with its reason."""

import io
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from seefen.client import Client
from seefen.client.bundling import Exported, Files, pack, tlog_proof
from seefen.client.standalone import verify
from seefen.protocol.errors import RefusedError
from seefen.protocol.ledger.note import (
    COSIGNATURE,
    LOG,
    Checkpoint,
    VerifierKey,
    publish_checkpoint,
)
from seefen.protocol.ledger.tree import leaf_hash, root_of
from seefen.protocol.suite import PlainKey
from tests.client.homes import site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, alert, channel, until
from tests.support.exports import (
    Damage,
    by_python,
    by_shell,
    entry,
    in_python,
    read,
    sign_anew,
    unpack,
    unzip,
)

SMALL = "seefen-small"  # three entries: what is damaged is checked often
REASON = "=cmd|' /C calc'!A0 a call from Skopje"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def skopje(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    async with site(tmp_path_factory.mktemp("export"), SKOPJE, BELGRADE) as place:
        skopje, belgrade = await channel(place, BELGRADE), await place.client(BELGRADE)
        for _ in (1, 2):
            await skopje.alerts.send(alert(), CHANNEL)
        await until(lambda: len(belgrade.alerts.list()) == 2, belgrade)
        for n in (1, 2):
            await belgrade.alerts.show(f"{CHANNEL}#{n}", **WHY, reason=REASON)
        await until(lambda: skopje.alerts.reach(f"{CHANNEL}#2")[0].read_at, skopje, belgrade)
        skopje.search("Zastava", **WHY)
        await skopje.channels.open(SMALL, [BELGRADE])
        await skopje.alerts.send(alert(), SMALL)
        await skopje.sync()
        yield skopje


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def exported(skopje: Client) -> Exported:
    return await skopje.audit.export()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def small(skopje: Client) -> Files:
    return unzip(await skopje.audit.export(case=SMALL))


@pytest.fixture(scope="module")
def good(exported: Exported) -> Files:
    return unzip(exported)


# --- untouched ---------------------------------------------------------------------------


def test_both_programs_find_an_untouched_export_good(
    exported: Exported, good: Files, tmp_path: Path
) -> None:
    folder, archive = unpack(good, tmp_path / "export"), tmp_path / "export.zip"
    archive.write_bytes(exported.data)
    assert exported.findings == ()
    assert exported.entries > 6
    for code, said in (by_python(archive), by_python(folder), by_shell(folder)):
        assert (code, f"GOOD   {exported.entries} entries" in said) == (0, True), said
        assert exported.log_key in said
    for code, said in (
        by_python(folder, "--log-key", exported.log_key),
        by_shell(folder, exported.log_key),
    ):
        assert code == 0, said
    for wrong in ((".",), (str(folder),), (exported.log_key[:-1],), (exported.log_key, ".")):
        code, said = by_shell(folder, *wrong)  # a slip is no finding about the log
        assert (code, "usage: sh verify.sh [HEX]" in said, "WRONG" in said) == (2, True, False)
    with zipfile.ZipFile(archive) as packed:  # reasons are in it: for its owner alone
        assert {one.external_attr >> 16 for one in packed.infolist()} == {0o600}
    other = PlainKey.generate().public.hex()
    for code, said in (by_python(folder, "--log-key", other), by_shell(folder, other)):
        assert (code, "is not the one you know" in said) == (1, True)


def test_what_was_sealed_to_the_auditors_is_in_it(good: Files) -> None:
    entries = [json.loads(line) for line in good["entries.jsonl"].decode().splitlines()]
    reasons = [verify.reason(entry) for entry in entries if entry["kind"] == "access"]
    assert reasons == [REASON, REASON]
    assert any("Zastava" in verify.reason(one) for one in entries if one["kind"] == "search")


def test_fault_55_no_cell_of_the_table_is_a_formula(good: Files) -> None:
    table = good["entries.csv"].decode()
    assert f"'{REASON}" in table
    assert f'"{REASON}' not in table


def test_the_same_is_the_same_bytes(exported: Exported, good: Files) -> None:
    assert pack(good) == pack(dict(reversed(good.items()))) == exported.data
    with zipfile.ZipFile(io.BytesIO(exported.data)) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.namelist() == sorted(good)


# --- damaged -----------------------------------------------------------------------------


def change(name: str, old: bytes, new: bytes) -> Damage:
    def damage(made: Files) -> None:
        assert old in made[name]
        made[name] = made[name].replace(old, new, 1)

    return damage


def other_statement(made: Files) -> None:
    entry(0, "envelope", lambda _: read(made)[1]["envelope"])(made)


def flip(text: str) -> str:
    return ("1" if text[0] == "0" else "0") + text[1:]


def removed(made: Files) -> None:
    lines = made["entries.jsonl"].splitlines(keepends=True)
    made["entries.jsonl"] = b"".join(lines[:1] + lines[2:])


def removed_with_its_row(made: Files) -> None:
    removed(made)
    made["entries.csv"] = verify.as_csv(read(made))


def other_proof(made: Files) -> None:
    one, two = (f"proofs/{read(made)[n]['index']}.tlog-proof" for n in (0, 1))
    made[one] = made[two]


def renamed_proof(made: Files) -> None:
    first, second = (read(made)[n]["index"] for n in (0, 1))
    data = made[f"proofs/{second}.tlog-proof"].decode()
    data = data.replace(f"index {second}\n", f"index {first}\n", 1)
    made[f"proofs/{first}.tlog-proof"] = data.encode()


def signed_by_another(made: Files) -> None:
    """Put a log of one's own in its place: all of it right, but for the key."""
    key, origin = PlainKey.generate(), made["checkpoint"].decode().split("\n")[0]
    entries = read(made)
    leaves = [leaf_hash(bytes.fromhex(str(one["record"]))) for one in entries]
    note = publish_checkpoint(Checkpoint(origin, len(leaves), root_of(leaves)), key, 1)
    made["checkpoint"] = note.encode()


def drop(name: str) -> Damage:
    def damage(made: Files) -> None:
        del made[name]

    return damage


def put(name: str, data: bytes) -> Damage:
    def damage(made: Files) -> None:
        made[name] = data

    return damage


def zeroed_quorum(made: Files) -> None:
    made["policy"] = made["policy"].replace(b"quorum none", b"quorum nobody")


def want_witness(made: Files) -> None:
    witness = VerifierKey("w.example", COSIGNATURE, PlainKey.generate().public)
    lines = f"witness w1 {witness.encode()}\ngroup g 1 w1\nquorum g\n".encode()
    made["policy"] = made["policy"].replace(b"quorum none\n", lines)


UNSEEN = ""  # verify.sh does not look, and says that it does not
DAMAGES: dict[str, tuple[Damage, bool, str, str]] = {
    # name: what is done, whether a stranger then signs it all anew, what each program says
    "csv edited": (change("entries.csv", b"disclose", b"consult"), False,
                   "entries.csv is not the file that the manifest names", "entries.csv: FAILED"),
    "csv edited, manifest anew": (change("entries.csv", b"disclose", b"consult"), True,
                                  "the table does not say what the entries say", UNSEEN),
    "entry removed": (removed, True, "its entry is not: it was removed", "without an entry"),
    "entry and row removed": (removed_with_its_row, True, "it was removed", "without an entry"),
    "entry doubled": (lambda made: made.update({"entries.jsonl": made["entries.jsonl"] * 2}), True,
                      "in the order of the log, each once", "without an entry"),
    "proof of another": (other_proof, True, "is the proof of another entry", "of another entry"),
    "proof of another, renamed": (renamed_proof, True, "does not lead to the root",
                                  "does not lead to the root"),
    "proof missing": (lambda made: made.pop(f"proofs/{read(made)[0]['index']}.tlog-proof"), True,
                      "tlog-proof is missing", "its proof is missing"),
    "checkpoint of another log key": (signed_by_another, True, "carries 0 signatures",
                                      "the checkpoint is not signed by the log"),
    "checkpoint edited": (change("checkpoint", b"/activity\n", b"/activity\n1"), True,
                          "signature of", "the checkpoint is not signed by the log"),
    "core edited": (entry(0, "core", lambda core: core.replace('"v":1', '"v":2')), True,
                    "the text or its salt is not the one", "the text or its salt"),
    "salt edited": (entry(1, "salt", flip), True, "the text or its salt", "the text or its salt"),
    "record edited": (entry(1, "record", lambda old: old[:-1] + flip(old[-1])), True,
                      "does not lead to the root", "does not lead to the root"),
    "record of another version": (entry(1, "record", lambda old: "02" + old[2:]), True,
                                  "another length or version", "does not lead to the root"),
    "statement exchanged": (entry(0, "envelope", lambda old: old[:-8] + "AAAAAAA="), True,
                            "not the one that the text names", "not the one that the text names"),
    "kind exchanged": (entry(0, "kind", lambda _: "ack"), True, "about another act",
                       "about another act"),
    "manifest edited": (change("MANIFEST.sha256", b"a", b"b"), False,
                        "not the one that the exporter signed", "exporter signed"),
    "manifest missing": (drop("MANIFEST.sha256"), False, "MANIFEST.sha256 is missing",
                         "MANIFEST.sha256 is missing"),
    "file added": (put("proofs/999999.tlog-proof", b"x"), False, "is not in the manifest",
                   "files that the manifest does not name"),
    "program exchanged": (put("verify.py", b"print('GOOD')"), False,
                          "verify.py is not the file that the manifest names", "verify.py: FAILED"),
    "key of a device exchanged": (
        lambda made: made.update({"keys.json": swapped(made["keys.json"])}), True,
        "has not signed this statement", "has not signed this statement"),
    "log key exchanged": (
        lambda made: made.update(policy=other_policy(made["policy"])), True,
        "name different log keys", "name different log keys"),
    "policy without a quorum": (zeroed_quorum, True, "cannot be read",
                                "does not say how many"),
    "cosignatures missing": (want_witness, True, "0 witnesses cosigned",
                             "0 witnesses cosigned"),
    "line in another spelling": (change("entries.jsonl", b'{"core"', b'{ "core"'), True,
                                 "another spelling",
                                 "the text or its salt"),
    "statement of another": (other_statement, True,
                             "not the one that the text names", "not the one that the text names"),
}  # fmt: skip


def swapped(keys: bytes) -> bytes:
    """Put the key of one's own in the place of every device's, the exporter's too."""
    made = json.loads(keys)
    own = PlainKey.generate().public.hex()
    made["devices"] = {device: own + key[64:] for device, key in made["devices"].items()}
    return verify.as_text(made).encode()


def other_policy(policy: bytes) -> bytes:
    origin = policy.decode().split()[1].split("+")[0]
    other = VerifierKey(origin, LOG, PlainKey.generate().public)
    return f"log {other.encode()}\nquorum none\n".encode()


@pytest.mark.parametrize("name", DAMAGES)
def test_fault_54_a_damaged_export_is_refused_with_its_reason(
    small: Files, tmp_path: Path, name: str
) -> None:
    damage, anew, python, shell = DAMAGES[name]
    made = dict(small)
    damage(made)
    assert made != small
    if anew:
        sign_anew(made)
    folder = unpack(made, tmp_path / "damaged")
    code, said = in_python(folder)
    assert (code, python in said, "GOOD" in said) == (1, True, False), said
    code, said = by_shell(folder)
    if shell is UNSEEN:
        assert (code, "OPEN   not checked here: entries.csv" in said) == (0, True), said
    else:
        assert (code, shell in said, "GOOD" in said) == (1, True, False), said


def test_fault_54_another_reason_is_refused(good: Files, tmp_path: Path) -> None:
    made = dict(good)
    place = next(n for n, one in enumerate(read(made)) if one["kind"] == "access")
    entry(place, "detail", lambda old: {"salt": old["salt"], "data": b"my wife".hex()})(made)
    made["entries.csv"] = verify.as_csv(read(made))
    sign_anew(made)
    folder = unpack(made, tmp_path / "reason")
    for code, said in (in_python(folder), by_shell(folder)):
        assert (code, "the reason or its salt is not the one" in said) == (1, True), said


def test_fault_54_who_leaves_entries_out_and_signs_the_rest_is_named(
    small: Files, tmp_path: Path
) -> None:
    """Neither program can know what was left out: both say whose word it is."""
    made = dict(small)
    gone = read(made)[1]["index"]
    removed(made)
    del made[f"proofs/{gone}.tlog-proof"]
    made["entries.csv"] = verify.as_csv(read(made))
    sign_anew(made)
    folder = unpack(made, tmp_path / "cut")
    for code, said in (in_python(folder), by_shell(folder)):
        assert code == 0, said
        assert f"WHO    device {'ee' * 16} made this export, and may have left entries out" in said


def test_attack_what_an_export_is_called_is_no_command(small: Files, tmp_path: Path) -> None:
    """A name in the files that sed would run is a name that is refused."""
    made, ran = dict(small), tmp_path / "ran"
    keys = json.loads(made["keys.json"])
    name = f"/x/;1e touch {ran} #"
    keys["devices"][name], keys["exporter"] = PlainKey.generate().public.hex(), name
    made["keys.json"] = f"{verify.as_text(keys)}\n".encode()
    code, said = by_shell(unpack(made, tmp_path / "command"))
    assert (code, "the exporter is no device" in said) == (1, True), said
    assert not ran.exists()


def test_attack_a_small_archive_fills_no_memory(small: Files, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**small, "more": bytes(1 << 20)}.items():
            archive.writestr(name, data)
    code, said = in_python(tmp_path / "bomb.zip")
    assert (code, "the archive is compressed" in said) == (1, True), said


@pytest.mark.parametrize("core", [b"\xff\xfe", b"[]", b'{"at":1}', b"[" * 100_000])
@pytest.mark.asyncio(loop_scope="module")
async def test_attack_an_entry_that_cannot_be_read_stops_no_export(
    skopje: Client, monkeypatch: pytest.MonkeyPatch, core: bytes
) -> None:
    """A broker that spoils one entry would else keep all others from the auditor."""
    honest = skopje._engine.connection.request

    async def spoilt(verb: str, ask: Any, kind: Any) -> Any:
        answer = await honest(verb, ask, kind)
        if verb == "audit":
            first, *rest = answer.items
            first = replace(first, entry=replace(first.entry, core=core))
            answer = replace(answer, items=(first, *rest))
        return answer

    monkeypatch.setattr(skopje._engine.connection, "request", spoilt)
    made = await skopje.audit.export()
    assert made.entries > 6
    assert [finding.partition(":")[0] for finding in made.findings][:1] == ["entry 0"]


@pytest.mark.parametrize("cut", ["half", "end", "byte"])
def test_fault_54_a_broken_archive_is_refused(exported: Exported, tmp_path: Path, cut: str) -> None:
    data = bytearray(exported.data)
    if cut == "byte":
        data[len(data) // 2] ^= 1  # a file inside: its CRC is wrong
    archive = tmp_path / "export.zip"
    archive.write_bytes({"half": data[: len(data) // 2], "end": data[:-30], "byte": data}[cut])
    code, said = by_python(archive)
    assert (code, "no whole ZIP archive" in said) == (1, True), said


def test_a_proof_without_hashes_has_its_empty_line() -> None:
    assert tlog_proof(0, (), "a\n").decode() == "c2sp.org/tlog-proof@v1\nindex 0\n\na\n"


@pytest.mark.asyncio(loop_scope="module")
async def test_who_has_nothing_to_export_is_told(skopje: Client) -> None:
    one = await skopje.audit.export(case=CHANNEL)
    assert one.entries > 0
    with pytest.raises(RefusedError) as caught:
        await skopje.audit.export(case="SF-2026-SKP-09999")
    assert caught.value.rule == "no-entry"
