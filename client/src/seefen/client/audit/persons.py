"""A request of a person (Directive (EU) 2016/680, Article 14): what is kept, and who saw it.

Two people, two signatures. A keyholder, whose vault can be searched, looks for the person: that
is a search with the purpose ``data-subject``, entered like any other, and gives references and
no content. An auditor, who may not read content, opens the account of that very entry, and
answers from the log who saw these messages. Neither can do the part of the other.

The references go from one to the other in a file, the *pack*. Its hash stands in the account of
the search (``docs/spec/access.md``, section 6): what was changed on the way is refused.
"""

from collections.abc import Iterator
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from seefen.client.audit.facts import Facts
from seefen.client.audit.looking import Looking, once
from seefen.client.audit.rowing import row_of_entry
from seefen.client.audit.store import Condition
from seefen.client.engine import Engine
from seefen.client.findings import AuditRow, PersonAnswer, PersonSeen, PersonSought
from seefen.client.folding import fold_all
from seefen.client.searching import LEAST, Words, query_of, renew, words_of
from seefen.client.views import Row, ref_of, rows
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.messages import Message, Person
from seefen.protocol.suite import sha256

PURPOSE: Final = "data-subject"
PACK_LIMIT: Final = 4 << 20  # bytes
NAME_LIMIT: Final = 300  # characters: name and hash stand together in the account
BOUND: Final = " | references "
Hex: TypeAlias = Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]


class Found(Struct, frozen=True, kw_only=True):
    """A message that names the person: by reference, with how many others it names."""

    ref: Annotated[str, Meta(max_length=80)]
    object: Hex
    type: Annotated[str, Meta(max_length=40)]
    sender: Annotated[str, Meta(max_length=40)]
    others: Annotated[int, Meta(ge=0)]


class Pack(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the keyholder hands to the auditor: references alone. ``closed`` were not searched.

    ``entry`` is where the keyholder's search stands in the log.
    """

    format: Annotated[str, Meta(pattern=r"\Aseefen-person\Z")] = "seefen-person"
    v: Annotated[int, Meta(ge=1, le=1)] = 1
    node: Annotated[str, Meta(max_length=40)]
    officer: Annotated[str, Meta(max_length=12)]
    entry: Annotated[int, Meta(ge=0, lt=1 << 53)]
    searched: Annotated[int, Meta(ge=0)]
    closed: Annotated[int, Meta(ge=0)]
    found: Annotated[tuple[Found, ...], Meta(max_length=10_000)]

    @property
    def bound(self) -> str:
        """How the account of the search ends: with the hash of all but ``entry``, in hex."""
        fields = msgspec.to_builtins(self)
        del fields["entry"]  # given by the log, after the account was sealed
        return f"{BOUND}{sha256(msgspec.json.encode(fields, order='sorted')).hex()}"


def read_pack(data: bytes) -> Pack:
    """Return the pack in a file.

    Raises:
        RefusedError: rule ``form``: it is none.
    """
    try:
        if len(data) > PACK_LIMIT:
            raise ValueError("too long")
        return msgspec.json.decode(data, type=Pack)
    except ValueError as err:  # msgspec.ValidationError and UnicodeError are such
        raise RefusedError(
            "this is no file of 'seefen audit person NAME': let the keyholder make it again",
            rule="audit-file",
        ) from err


class Persons(Looking):
    """Both parts of an answer to a person."""

    async def person_found(self, name: str) -> Pack:
        """Look for a person in this vault, as a keyholder; return references, and no content.

        Raises:
            UntrustedError: rule ``role``: this device is no ``keyholder``.
            RefusedError: rule ``person-name``: too short or too long; ``unreachable``: it is not in
                the log yet; ``stale-mailbox``: no auditor could
                take it up.
        """
        engine = self._engine
        device = engine.directory.device(engine.keys.device)
        if "keyholder" not in device.roles:
            raise UntrustedError("a keyholder looks for the person, on his own device", rule="role")
        words = words_of(name)
        if not words:
            raise RefusedError(f"give a name of at least {LEAST} letters", rule="person-name")
        if len(name) > NAME_LIMIT:
            raise RefusedError(f"a name has at most {NAME_LIMIT} letters", rule="person-name")
        self.require_fresh("audit", "the search")  # the auditor finds in it what was found
        pack = self._pack(device.officer, tuple(_found(engine, words)))
        # Nothing of it is shown before it was written down, with the hash of what was found.
        self._journal.enter(PURPOSE, f"{name}{pack.bound}", lambda: pack, _found_in)
        entry = await self._journal.upload()
        if entry is None:
            raise RefusedError(
                "the search must stand in the log before the auditor can take it up: "
                "try again when the broker is back",
                rule="unreachable",
            )
        return replace(pack, entry=entry)

    def _pack(self, officer: str, found: tuple[Found, ...]) -> Pack:
        engine = self._engine
        counted = engine.vault.one(
            "SELECT count(body), count(*) - count(body) FROM object WHERE NOT file"
        )
        searched, closed = (0, 0) if counted is None else counted
        return Pack(
            node=engine.node, officer=officer, entry=0, searched=searched, closed=closed,
            found=found,
        )  # fmt: skip

    async def person_sought(self, pack: Pack) -> PersonSought:
        """Say whom a keyholder looked for, so that an auditor can say whether it is who asks.

        Raises:
            UntrustedError, RefusedError: as :meth:`person_seen`.
        """
        await self.catch_up()
        said = f"person: whom the search at entry {pack.entry} was for"
        return await self.entered(said, lambda: self._sought(pack), once)

    async def person_seen(self, pack: Pack) -> PersonAnswer:
        """Say who saw what a keyholder found, as an auditor who stands beside him.

        Raises:
            UntrustedError: rule ``two-persons``: the search is the auditor's own; ``other-search``:
                no search for a person that found just this stands at that entry.
            RefusedError: rule ``unknown-entry``; ``unknown-object``: this device does not know a
                message of the pack.
        """
        await self.catch_up()
        sought = self._sought(pack)
        known = [(one, self._known(one)) for one in pack.found]

        def look() -> PersonAnswer:
            seen = tuple(self._seen(one, row) for one, row in known)
            return PersonAnswer(
                sought=sought, seen=seen, head=self.head,
                cosigned=self._engine.witnessed.cosigned(),
            )  # fmt: skip

        said = f"person: search at entry {pack.entry} of {pack.officer}"
        return await self.entered(said, look, _seen)

    def _sought(self, pack: Pack) -> PersonSought:
        row, sought = self.search_of_another(
            pack.entry, "a keyholder searches and an auditor answers"
        )
        bound, asked = pack.bound, [one for one in sought if one.what == PURPOSE]
        said = [(one.results, one.query.endswith(bound)) for one in asked]
        # With the count alone, references could be exchanged: "nobody saw it", of what was seen.
        if row.node != self._engine.node or said != [(len(pack.found), True)]:
            raise UntrustedError(
                f"entry {pack.entry} is no search for a person that found what this file says: "
                "let the keyholder make it again",
                rule="other-search",
            )
        # The name is the account's, sealed and signed: the file has none that could be another.
        name = asked[0].query.removesuffix(bound)
        words = tuple(word for word in name.split() if words_of(word)) or (name,)
        return PersonSought(row, name, words, len(pack.found), pack.searched, pack.closed)

    def _known(self, one: Found) -> Row:
        known = rows(self._engine, "object = ?", bytes.fromhex(one.object))
        if not known:
            # To say "nobody read it" of what is not known here would be a false answer.
            raise RefusedError(
                f"your device does not know {one.ref} of this file: fetch what is new, and try "
                "again",
                rule="unknown-object",
            )
        return known[0]

    def _seen(self, one: Found, row: Row) -> PersonSeen:
        """Return who saw a message; its reference and sender are those this device knows."""
        engine = self._engine
        saw = tuple(self._rows(row))
        return PersonSeen(ref_of(engine, row), one.type, row.statement.node, one.others, saw)

    def _rows(self, row: Row) -> Iterator[AuditRow]:
        asked: tuple[Condition, ...] = (
            (("case_id", row.case.hex()),), (("act", "access"), ("act", "release")),
        )  # fmt: skip
        for facts in self.store.each(asked):
            if facts.object == row.object.hex() or _covers(facts, row):
                yield row_of_entry(self._engine, self.store, facts, self.head)


def _covers(facts: Facts, row: Row) -> bool:
    """Tell whether an access to a whole case may have shown a message: it was there by then."""
    return facts.act == "access" and not facts.object and facts.idx > row.index


def _found(engine: Engine, words: Words) -> Iterator[Found]:
    renew(engine)
    sql = "SELECT rowid FROM word WHERE folded MATCH ? ORDER BY rowid"
    for (index,) in engine.vault.run(sql, query_of(words)):
        for row in rows(engine, "idx = ?", index):
            message = row.message
            if message is None:
                continue
            yield Found(
                ref=ref_of(engine, row),
                object=row.object.hex(),
                type=message.TYPE,
                sender=row.statement.node,
                others=sum(not _is_named(person, words) for person in _persons(message)),
            )


def _persons(message: Message) -> Iterator[Person]:
    """Yield all persons of a message, wherever they stand in it."""
    waiting: list[object] = [message]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Person):
            yield one
        if isinstance(one, Struct):
            waiting += [getattr(one, name) for name in one.__struct_fields__]
        elif isinstance(one, tuple | list):
            waiting += one


def _is_named(person: Person, words: Words) -> bool:
    names = " ".join(str(msgspec.to_builtins(name)) for name in person.names)
    folded = fold_all(names)
    return all(any(way in folded for way in ways) for ways in words)


def _seen(answer: PersonAnswer) -> int:
    return len(answer.seen)


def _found_in(pack: Pack) -> int:
    return len(pack.found)
