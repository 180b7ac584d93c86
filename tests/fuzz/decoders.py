"""Every decoder of what others wrote, with valid examples and what it may raise.

Hypothesis (``tests/fuzz/test_decoders.py``) and atheris (``make fuzz``) run the same table.
A decoder returns the bytes of what it understood, encoded again: other bytes than it was
given mean that two readings exist. None: it has no encoder of its own.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from seefen.client import drafts, invites, journal, keyfile, sender
from seefen.client.cli import answers, forms
from seefen.client.cli.arguments import UsageError
from seefen.protocol import (
    bundle,
    encoding,
    envelope,
    frames,
    login,
    naming,
    receipt,
    search,
    statements,
)
from seefen.protocol.errors import MalformedError, RefusedError, SeefenError, UntrustedError
from seefen.protocol.ledger import mirror, note, record, tiles, tree, witness
from seefen.protocol.messages import catalogue, cover
from seefen.protocol.statements import KINDS, Part
from seefen.protocol.suite import PlainKey
from seefen.server import config
from tests.fuzz.examples import example
from tests.support.casework import access, assign, message, open_case
from tests.support.network import Network
from tests.support.vectors import own

LIMIT: Final = 1 << 16  # bytes of an input
_MALFORMED: Final = (MalformedError,)


@dataclass(frozen=True, slots=True)
class Decoder:
    """A decoder under test.

    Attributes:
        name: A word, also of its folder in the corpus.
        covers: The function it runs, as ``module.function``.
        run: Decodes, and returns what it encodes to (None: it has no encoder).
        seeds: Valid inputs.
        refuses: The only errors that may leave it.
    """

    name: str
    covers: str
    run: Callable[[bytes], bytes | None]
    seeds: tuple[bytes, ...]
    refuses: tuple[type[Exception], ...] = _MALFORMED

    def check(self, data: bytes) -> bool:
        """Decode; tell whether it was accepted.

        Raises:
            AssertionError: It was accepted, and encodes to other bytes.
        """
        try:
            again = self.run(data)
        except self.refuses:
            return False
        assert again is None or again == data, f"{self.name} reads {data!r} as {again!r}"
        return True


def _text(read: Callable[[str], object]) -> Callable[[bytes], bytes | None]:
    """Return a decoder of bytes from one of text, which comes as UTF-8 or not at all."""

    def run(data: bytes) -> bytes | None:
        try:
            text = data.decode()
        except UnicodeDecodeError as err:
            raise MalformedError("no text") from err
        again = read(text)
        return again.encode() if isinstance(again, str) else None

    return run


def _nothing(read: Callable[[Any], object]) -> Callable[[bytes], bytes | None]:
    def run(data: bytes) -> bytes | None:
        read(data)
        return None

    return run


def _parts() -> Iterator[Decoder]:
    """Yield a decoder for each array that travels or is kept: frames, receipts, drafts."""
    modules = (bundle, drafts, envelope, frames, journal, keyfile, naming, receipt, search, sender)
    for module in modules:
        own_parts = [p for p in _subclasses(Part) if p.__module__ == module.__name__]
        for type_ in own_parts:

            def run(data: bytes, type_: type[Part] = type_) -> bytes:
                return encoding.encode(encoding.decode(data, type_, limit=LIMIT))

            seed = encoding.encode(example(type_))
            name = type_.__name__
            yield Decoder(f"part-{name}", f"{module.__name__}.{name}", run, (seed,))


def _subclasses(type_: type[Part]) -> list[type[Part]]:
    found = type_.__subclasses__()
    return [*found, *(inner for one in found for inner in _subclasses(one))]


def _statements() -> Iterator[Decoder]:
    cases = {case["kind"]: case["fields"] for case in own("statements/kinds.json")["cases"]}
    for kind in KINDS:
        seed = encoding.encode(_unhexed(cases[kind]))

        def run(data: bytes, kind: str = kind) -> bytes:
            return encoding.encode(statements.decode_statement(data, kind))

        covers = "seefen.protocol.statements.decode_statement"
        yield Decoder(f"statement-{kind}", covers, run, (seed,))


def _unhexed(value: Any) -> Any:
    if type(value) is list:
        return [_unhexed(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, str) and value.startswith("0x"):
        return bytes.fromhex(value[2:])
    return value


def _network() -> tuple[list[bytes], list[tuple[str, bytes]]]:
    """Return bundles and envelopes as two nodes write them."""
    network = Network.founded("skopje-border", "belgrade-ffp")
    by = network.of("skopje-border")
    case, opening = open_case(network, by, "belgrade-ffp")
    network.take(opening)
    written = message(network, by, case)
    network.take(written)
    bundles = [network.found(), opening, written, assign(network, by, case, by)]
    bundles += [network.admit("tirana-lab"), network.revoke(by)]
    signed = [(s.kind, s.envelope) for b in bundles for s in b.statements]
    signed.append(("access", access(network, by, case, written.contents[0].object).envelope))
    return [bundle.encode_bundle(b) for b in bundles], signed


def _envelopes(signed: list[tuple[str, bytes]]) -> Iterator[Decoder]:
    for kind in dict.fromkeys(kind for kind, _ in signed):
        seeds = tuple(data for found, data in signed if found == kind)[:2]

        def run(data: bytes, kind: str = kind) -> bytes:
            opened = envelope.open_envelope(data, kind)
            return encoding.encode(envelope.Envelope(opened.payload, opened.signatures))

        covers = "seefen.protocol.envelope.open_envelope"
        yield Decoder(f"envelope-{kind}", covers, run, seeds)


def _logins() -> Iterator[Decoder]:
    key = PlainKey.generate()
    word = login.make_assertion(key, "00" * 16, "https://a", "n", login.jkt(key.public), 1)
    refuses = (MalformedError, UntrustedError)

    def assertion(text: str) -> None:
        login.check_assertion(text, lambda _: key.public, "https://a", ["n"], 1)

    def proof(text: str) -> None:
        login.check_proof(text, "GET", "https://a/b", ["n"])

    made = login.make_proof(key, "GET", "https://a/b", "n", 1).encode()
    name = "seefen.protocol.login.check_"
    yield Decoder("assertion", f"{name}assertion", _text(assertion), (word.encode(),), refuses)
    yield Decoder("proof", f"{name}proof", _text(proof), (made,), refuses)


def _ledger() -> Iterator[Decoder]:
    name = "seefen.protocol.ledger."
    given = own("ledger/example.json")["given"]
    notes = own("ledger/note.json")
    origin, text = notes[0]["origin"], notes[0]["note"]
    public = PlainKey.from_secret(bytes.fromhex(notes[0]["secret"])).public
    body = note.parse_note(text).text
    entry = record.Record(7, bytes(16), bytes(32), bytes(32)).encode()
    grown = tree.CompactRange()
    for leaf in range(5):
        grown.append(bytes([leaf]) * 32)
    vkey = note.VerifierKey(origin, note.LOG, public).encode()
    refuses = (MalformedError, UntrustedError)

    def opened(text: str) -> None:
        note.open_checkpoint(text, origin, public)

    def core(data: bytes) -> None:
        record.decode_core(data)

    def tile(data: bytes) -> bytes:
        return tiles.Tile.decode(data, width=3).encode()

    yield Decoder("record", f"{name}record.Record.decode", _again(record.Record), (entry,))
    yield Decoder("core", f"{name}record.decode_core", _nothing(core), (given["core"].encode(),))
    yield Decoder("range", f"{name}tree.CompactRange.decode", _again(tree.CompactRange),
                  (grown.encode(), tree.CompactRange().encode()))  # fmt: skip
    yield Decoder("tile", f"{name}tiles.Tile.decode", tile, (bytes(96),))
    yield Decoder("tile-path", f"{name}tiles.parse_tile_path", _text(_tile_path),
                  (b"tile/0/000", b"tile/1/x001/234.p/17"))  # fmt: skip
    yield Decoder("bundle-path", f"{name}tiles.parse_bundle_path", _text(_bundle_path),
                  (b"tile/entries/000", b"tile/entries/x001/234.p/17"))  # fmt: skip
    yield Decoder("bundle-of-entries", f"{name}mirror.decode_entries",
                  _nothing(mirror.decode_entries), (b"\x00\x02ab\x00\x00",))  # fmt: skip
    kept = mirror.encode_kept([mirror.Kept(0, "ack", entry, b"{}", bytes(32), b"e", (), b"")])
    yield Decoder("openings", f"{name}mirror.decode_kept", _openings, (kept,))
    yield Decoder("note", f"{name}note.parse_note", _text(_note), (text.encode(),))
    yield Decoder("checkpoint", f"{name}note.decode_checkpoint", _text(_checkpoint),
                  (body.encode(),))  # fmt: skip
    yield Decoder("signed-checkpoint", f"{name}note.open_checkpoint", _text(opened),
                  (text.encode(),), refuses)  # fmt: skip
    asked = witness.encode_addition(witness.Addition(5, (bytes(32),), text))
    yield Decoder("add-checkpoint", f"{name}witness.parse_addition", _text(_addition),
                  (asked.encode(),))  # fmt: skip
    yield Decoder("verifier-key", f"{name}note.VerifierKey.decode", _text(_vkey), (vkey.encode(),))


def _again(type_: Any) -> Callable[[bytes], bytes]:
    return lambda data: type_.decode(data).encode()


def _tile_path(text: str) -> None:
    tiles.parse_tile_path(text)


def _bundle_path(text: str) -> None:
    tiles.parse_bundle_path(text)


def _openings(data: bytes) -> bytes:
    return mirror.encode_kept(mirror.decode_kept(data))


def _note(text: str) -> None:
    note.parse_note(text)


def _addition(text: str) -> str:
    return witness.encode_addition(witness.parse_addition(text))


def _checkpoint(text: str) -> str:
    return note.decode_checkpoint(text).text()


def _vkey(text: str) -> str:
    return note.VerifierKey.decode(text).encode()


def _messages() -> Iterator[Decoder]:
    name = "seefen.protocol.messages."
    bodies = tuple(bytes.fromhex(case["body"]) for case in own("messages/good.json"))
    covers = tuple(bytes.fromhex(case["cover"]) for case in own("messages/covers.json"))
    exported = tuple(catalogue.to_json(catalogue.decode_message(body)).encode() for body in bodies)

    def body(data: bytes) -> None:
        form = catalogue.decode_message(data)
        with suppress(RefusedError):  # a newer form is read, and not written by older programs
            assert catalogue.decode_message(catalogue.encode_message(form)) == form

    def shown(data: bytes) -> None:
        read = cover.decode_cover(data)
        assert cover.decode_cover(cover.encode_cover(read)) == read

    def export(text: str) -> None:
        catalogue.from_json(text)

    yield Decoder("message", f"{name}catalogue.decode_message", _nothing(body), bodies)
    yield Decoder("cover", f"{name}cover.decode_cover", _nothing(shown), covers)
    yield Decoder("export", f"{name}catalogue.from_json", _text(export), exported)


def _files() -> Iterator[Decoder]:
    invite = invites.Invite(
        v=1, network="seefen", net="0" * 64, broker="https://a:1", ca="-", pin="0" * 64,
        kind="device", node="a", id="0" * 32, secret="0" * 64, expires=0, roles=("field",),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "invite"
        invites.write_invite(path, invite)
        written = path.read_bytes()
    settings = b'name = "seefen"\nurl = "https://a:1"\nlisten = "127.0.0.1:1"\n'
    where = Path(tempfile.gettempdir())

    def settings_of(data: bytes) -> None:
        with tempfile.TemporaryDirectory(dir=where) as folder:
            (Path(folder) / config.FILE).write_bytes(data)
            config.read_config(Path(folder), {})

    def invite_of(data: bytes) -> None:
        with tempfile.NamedTemporaryFile(dir=where) as file:
            file.write(data)
            file.flush()
            invites.read_invite(Path(file.name))

    def answer(text: str) -> None:
        answers.load(text)

    yield Decoder("invite", "seefen.client.invites.read_invite", _nothing(invite_of),
                  (written,), (RefusedError,))  # fmt: skip
    yield Decoder("settings", "seefen.server.config.read_config", _nothing(settings_of),
                  (settings,), (config.SetupError,))  # fmt: skip
    yield Decoder("form", "seefen.client.cli.forms.fields_of", _nothing(forms.fields_of),
                  (b'{"type": "Note", "text": "a"}',), (UsageError,))  # fmt: skip
    yield Decoder(
        "answers",
        "seefen.client.cli.answers.load",
        _text(answer),
        (b'{"place": "Tabanovce"}',),
        (MalformedError, SeefenError, UsageError),
    )


def _encodings() -> Iterator[Decoder]:
    name = "seefen.protocol.encoding."
    worked = bytes.fromhex(own("encoding/good.json")["worked"])
    body = bytes.fromhex(own("messages/good.json")[0]["body"])
    kind = encoding.encode([1, bytes(32), "ack"])

    def mapped(data: bytes) -> bytes:
        return encoding.encode_map(encoding.decode_map(data))

    def peeked(data: bytes) -> None:
        encoding.peek_kind(data)

    def anything(data: bytes) -> bytes:
        return encoding.encode(encoding.decode(data, list[Any]))

    yield Decoder("array", f"{name}decode", anything, (worked,))
    yield Decoder("map", f"{name}decode_map", mapped, (body, b"\xa0"))
    yield Decoder("kind", f"{name}peek_kind", _nothing(peeked), (kind,))


def table() -> dict[str, Decoder]:
    """Return every decoder by its name."""
    bundles, signed = _network()

    def whole(data: bytes) -> bytes:
        return bundle.encode_bundle(bundle.decode_bundle(data))

    found = [
        *_parts(), *_statements(), *_envelopes(signed), *_logins(), *_ledger(), *_messages(),
        *_files(), *_encodings(),
        Decoder("bundle", "seefen.protocol.bundle.decode_bundle", whole, tuple(bundles)),
    ]  # fmt: skip
    return {decoder.name: decoder for decoder in found}
