"""Entries and exports say which witnesses signed; an export without its quorum is refused."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from seefen.client import Client
from seefen.client.audit.filters import Filter, this_month
from seefen.client.bundling import Exported, Files
from seefen.client.cli.views import audits, inquiries
from seefen.client.statements import head as statement_head
from seefen.client.witnessing import Witness, watch
from seefen.protocol.ledger.note import COSIGNATURE, VerifierKey
from seefen.protocol.suite import PlainKey
from tests.client.cli.test_views import printed
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, alert
from tests.support.exports import by_shell, in_python, unpack, unzip

VOUCH = "OPEN   root and witnesses vouch for themselves"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[Site, list[Witness]]]:
    folder = tmp_path_factory.mktemp("witnessed")
    folders = [folder / f"witness-{number}" for number in range(3)]
    publics = tuple(Witness.create(one) for one in folders)
    publics = (publics[0], publics[1][:32], publics[2])
    async with site(folder, SKOPJE, BELGRADE, witnesses=publics, quorum=2) as place:
        witnesses = [Witness.open(one, place.network.root) for one in folders]
        yield place, witnesses
        for one in witnesses:
            one.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def exported(place: tuple[Site, list[Witness]]) -> tuple[Client, Exported]:
    """Two alerts that two of three witnesses have seen, and one that none has."""
    at, (one, two, _) = place
    skopje = await at.client(SKOPJE)
    await cosign(skopje, one, two)
    await skopje.channels.open(CHANNEL, [BELGRADE])
    for _ in (1, 2):
        await skopje.alerts.send(alert(), CHANNEL)
    await cosign(skopje, one, two)
    await skopje.alerts.send(alert(), CHANNEL)
    return skopje, await skopje.audit.export()


@pytest.fixture(scope="module")
def good(exported: tuple[Client, Exported]) -> Files:
    return unzip(exported[1])


async def cosign(client: Client, *witnesses: Witness) -> None:
    for one in witnesses:
        assert await watch(client._engine.connection, one) == []


@pytest.mark.asyncio(loop_scope="module")
async def test_each_row_says_how_many_witnesses_signed_and_what_none_has_seen(
    exported: tuple[Client, Exported],
) -> None:
    skopje, _ = exported
    rows = (await skopje.audit.page(Filter(op="all"))).rows
    seen, newer = rows[0], rows[-1]
    assert (seen.cosigned, seen.witnesses, seen.needed) == (2, 3, 2)
    assert f"proved in {seen.witnessed}, cosigned by 2 of 3" in audits.proof(seen).plain
    assert (newer.witnessed, newer.cosigned) == (0, 0)
    assert newer.index >= seen.witnessed
    assert "no quorum has seen it yet" in audits.proof(newer).plain
    view = await skopje.audit.show(seen.index)
    assert len(view.by) == 2
    assert view.by[0][0] in printed(inquiries.entry(view))


@pytest.mark.asyncio(loop_scope="module")
async def test_verdict_and_statement_say_up_to_where_who_cosigned(
    exported: tuple[Client, Exported],
) -> None:
    skopje, _ = exported
    verdict = await skopje.audit.verdict()
    seen = verdict.cosigned
    assert (seen.by, seen.of, seen.needed) == (2, 3, 2)
    assert 0 < seen.size < seen.head == verdict.head
    said = f"cosigned up to {seen.size} by 2 of 3 witnesses"
    assert said in printed(audits.verdict(verdict))
    made = await skopje.audit.report(this_month(skopje._engine.now()))
    (witnesses,) = [text for name, text in statement_head(made) if name == "witnesses"]
    assert witnesses.startswith(said)
    assert witnesses.endswith("by nobody yet")
    assert any(text.endswith("by nobody yet") for text in made.unchecked)


def test_an_export_is_proved_under_what_the_quorum_saw_and_leaves_out_what_is_newer(
    exported: tuple[Client, Exported], good: Files, tmp_path: Path
) -> None:
    _, made = exported
    assert made.findings == ()
    assert (made.cosigned, made.later) == ((2, 3, 2), 1)
    indices = [json.loads(one)["index"] for one in good["entries.jsonl"].splitlines()]
    assert max(indices) < made.size
    folder = unpack(good, tmp_path / "export")
    assert list(folder.glob("consistency/*")), "the pages came under a newer head than the quorum's"
    code, said = in_python(folder)
    assert code == 0, said
    assert "cosigned by 2 of 3 witnesses, 2 needed" in said
    assert "1 ML-DSA-44 lines are not checked" in said
    assert VOUCH in said
    code, by_sh = by_shell(folder)
    assert (code, "2 witnesses cosigned (Ed25519), 2 needed" in by_sh) == (0, True), by_sh
    assert VOUCH in by_sh
    names = [line.split()[2].split("+")[0] for line in good["policy"].decode().splitlines()[1:4]]
    for by in (said, by_sh):
        assert [f"cosigned by {name}\n" in by for name in names] == [True, True, False]
        assert f"NET    {made.net}: does your node know it" in by


def test_attack_a_network_that_the_holder_of_the_log_key_made_up_is_refused(
    exported: tuple[Client, Exported], good: Files, tmp_path: Path
) -> None:
    """Same log key, same origin, a root and witnesses of one's own: only the network differs."""
    client, made = exported
    assert made.net == client.net
    folder = unpack(good, tmp_path / "export")
    code, said = in_python(folder, "--log-key", made.log_key, "--net", made.net)
    assert (code, VOUCH in said) == (0, False), said
    assert f"NET    {made.net}: the one you named" in said
    ours = hashlib.sha256(b"the network that the reader knows").hexdigest()
    code, said = in_python(folder, "--log-key", made.log_key, "--net", ours)
    assert (code, "GOOD" in said) == (1, False), said
    assert f"WRONG  this is of the network {made.net}, not of the one you know" in said


def lines(made: Files) -> list[str]:
    return made["checkpoint"].decode().splitlines(keepends=True)


def put(made: Files, changed: list[str]) -> None:
    made["checkpoint"] = "".join(changed).encode()


def of_witness(made: Files, number: int) -> list[str]:
    """Return the lines of a witness of the policy."""
    name = made["policy"].decode().splitlines()[number].split()[2].split("+")[0]
    return [one for one in lines(made) if name in one]


def missing(made: Files) -> None:
    mine = of_witness(made, 1)
    put(made, [one for one in lines(made) if one not in mine])


def forged(made: Files) -> None:
    """Somebody else's signature under the name and key id of a witness."""
    (plain,) = (one for one in of_witness(made, 2) if len(one) < 300)
    dash, name, blob = plain.split(" ")
    data = base64.b64decode(blob)
    text = "".join(lines(made)[:3])
    at = int.from_bytes(data[4:12], "big")
    signature = PlainKey.generate().sign(f"cosignature/v1\ntime {at}\n{text}".encode())
    new = base64.b64encode(data[:12] + signature).decode()
    put(made, [f"{dash} {name} {new}\n" if one == plain else one for one in lines(made)])


def later(made: Files) -> None:
    """The time that a witness signed is another."""
    (plain,) = (one for one in of_witness(made, 2) if len(one) < 300)
    dash, name, blob = plain.split(" ")
    data = bytearray(base64.b64decode(blob))
    data[11] ^= 1
    new = base64.b64encode(data).decode()
    put(made, [f"{dash} {name} {new}\n" if one == plain else one for one in lines(made)])


def doubled(made: Files) -> None:
    """One witness is gone, and the line of the other stands twice."""
    missing(made)
    (plain,) = (one for one in of_witness(made, 2) if len(one) < 300)
    put(made, [*lines(made), plain])


def lowered(made: Files) -> None:
    """The exporter says that no witness is needed."""
    missing(made)
    policy = made["policy"].decode().splitlines(keepends=True)
    made["policy"] = "".join([*policy[:-2], "quorum none\n"]).encode()


def own_witness(made: Files) -> None:
    """A witness of the exporter's own stands in the policy in place of one of the root's."""
    missing(made)
    key = PlainKey.generate()
    policy = made["policy"].decode().splitlines(keepends=True)
    name = "own.example"
    policy[1] = f"witness w1 {VerifierKey(name, COSIGNATURE, key.public).encode()}\n"
    made["policy"] = "".join(policy).encode()
    at, text = 1, "".join(lines(made)[:3])
    signature = key.sign(f"cosignature/v1\ntime {at}\n{text}".encode())
    id_ = VerifierKey(name, COSIGNATURE, key.public).id
    blob = base64.b64encode(id_ + at.to_bytes(8, "big") + signature).decode()
    put(made, [*lines(made), f"— {name} {blob}\n"])


def renamed(made: Files) -> None:
    """A witness of the root's stands in the policy under the name of another."""
    missing(made)
    policy = made["policy"].decode().splitlines(keepends=True)
    key = base64.b64decode(policy[1].split("+", 2)[2])[1:]
    policy[1] = f"witness w1 {VerifierKey('own.example', COSIGNATURE, key).encode()}\n"
    made["policy"] = "".join(policy).encode()


def other_root(made: Files) -> None:
    """A root statement with another quorum, signed by nobody."""
    root = bytearray.fromhex(made["roots"].decode())
    root[60] ^= 1
    made["roots"] = f"{root.hex()}\n".encode()


def other_growth(made: Files) -> None:
    (name,) = (one for one in made if one.startswith("consistency/"))
    made[name] = made[name][4:8] + made[name][:4] + made[name][8:]


DAMAGES: dict[str, tuple[Callable[[Files], None], str, str]] = {
    "missing": (missing, "1 witnesses cosigned the checkpoint, and 2 are needed", "1 witnesses"),
    "forged": (forged, "on the checkpoint is wrong", "on the checkpoint is wrong"),
    "another time": (later, "on the checkpoint is wrong", "on the checkpoint is wrong"),
    "doubled": (doubled, "carries 2 signatures", "on the checkpoint is wrong"),
    "quorum lowered": (lowered, "not the one of the root statement", "exporter signed"),
    "witness of one's own": (own_witness, "not the one of the root statement", "exporter signed"),
    "witness renamed": (renamed, "not the one of the root statement", "exporter signed"),
    "root exchanged": (other_root, "root", "exporter signed"),
    "growth exchanged": (other_growth, "only grow", "another log than the checkpoint"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_fault_54_an_export_without_its_quorum_is_refused_with_the_reason(
    good: Files, tmp_path: Path, name: str
) -> None:
    damage, python, shell = DAMAGES[name]
    made = dict(good)
    damage(made)
    listed = {n: d for n, d in made.items() if not n.startswith("MANIFEST")}
    made["MANIFEST.sha256"] = "".join(
        f"{hashlib.sha256(listed[n]).hexdigest()}  {n}\n" for n in sorted(listed)
    ).encode()
    folder = unpack(made, tmp_path / "damaged")
    code, said = in_python(folder)
    assert (code, python in said, "GOOD" in said) == (1, True, False), said
    code, said = by_shell(folder)
    assert (code, shell in said, "GOOD" in said) == (1, True, False), said
