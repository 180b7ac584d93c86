"""Passing on: a message of one case into another, and the originator's leave for it."""

from datetime import UTC, datetime
from typing import Any, Final

from msgspec.structs import replace

from seefen.client import copies, originals, versions
from seefen.client.accepting import require_accepted
from seefen.client.casework import Casework
from seefen.client.correcting import corrections_of
from seefen.client.engine import Engine
from seefen.client.messaging import Messaging
from seefen.client.requests import Find, Requests
from seefen.client.stating import remembered
from seefen.client.values import Sent
from seefen.client.views import (
    Row,
    is_open,
    recall_of,
    ref_of,
    require_newest,
    row_of,
    rows,
    terms_of,
)
from seefen.protocol.errors import OutOfTurnError, RefusedError
from seefen.protocol.messages import (
    Forwarded,
    OnwardDecision,
    OnwardRequest,
    Proof,
    saying,
)
from seefen.protocol.objects import unwrap_content_key
from seefen.protocol.onward import FREE, grants, recipients

# The terms of the original travel on: they are its author's and not the sender's.
_TERMS: Final = (
    "exercise", "lang", "script", "urgency", "urgency_reason", "purpose", "basis", "offence", "tlp",
    "handling", "conditions", "source_eval", "info_eval",
)  # fmt: skip


_LONGEST: Final = 60_000  # bytes; a message has at most 65,536


class Forwarding:
    """Passes messages on, asks for leave and gives it."""

    def __init__(
        self,
        engine: Engine,
        casework: Casework,
        messaging: Messaging,
        requests: Requests,
        find: Find,
    ) -> None:
        self._engine = engine
        self._casework = casework
        self._messaging = messaging
        self._requests = requests
        self._find = find

    async def forward(self, ref: str, case: str, text: str = "", *, again: bool = False) -> Sent:
        """Put a message that is open here into another case, whole and provably by its author.

        Its files do not go with it, nor what its author corrected later: that is passed on after
        it, and stands beneath it. What is not H0 and of another node needs its permission for
        each node that would read it; those that are open here are found and go along.

        Raises:
            RefusedError: rule ``not-opened``, ``recalled``, ``onward-permission``, ``own-case``,
                ``decision-unread``: a newer one lies here closed, or ``too-long``: with its
                seals it does not fit into a message; rule ``done``: it went there before, and this
                is not meant to be ``again``.
        """
        state, row = self._casework.find(case), self._row(ref)
        if state.case == row.case:
            raise RefusedError(f"{ref} stands in {case} already", rule="own-case")
        original = self._original(ref, row)
        done = originals.copies_of(self._engine, originals.header(original).object, state.case)
        if done and not again:
            raise RefusedError(
                f"{ref} stands in {case} already, as {ref_of(self._engine, done[0])}", rule="done"
            )
        made = self._forwarded(original, text)
        readers = [node for node in state.members if node != self._engine.node]
        carried = row.message.permissions if isinstance(row.message, Forwarded) else ()
        made = replace(made, permissions=(*carried, *self._permissions(original, made, readers)))
        of = originals.header(original).reply_to
        before = originals.copies_of(self._engine, of, state.case) if of is not None else []
        return await self._messaging.send(
            state,
            saying(made, *made.__struct_fields__),
            reply_to=before[-1].object if before else None,
        )

    async def ask(self, ref: str, case: str, why: str, purpose: str = "", basis: str = "") -> Sent:
        """Ask the originator whether a message may go to the members of a case.

        Raises:
            RefusedError: rule ``free``: nobody needs to be asked; or it cannot be asked here.
        """
        state, row = self._casework.find(case), self._row(ref)
        original = self._original(ref, row)
        node = originals.header(original).node
        others = [m for m in state.members if m not in (self._engine.node, node)]
        if node == self._engine.node or not others:
            raise RefusedError(f"{ref} may go there: nobody is to be asked", rule="free")
        stated = remembered(self._engine, row.case)
        message = OnwardRequest(
            of=originals.header(original).object,
            to=(node,),
            recipient=", ".join(others),
            why=why,
            purpose=purpose or stated[0],
            basis=basis or stated[1],
            **terms_of(row),
        )
        asked = self._casework.find(ref.partition("#")[0])
        # Beside the message it is about, so that its author sees which one is meant.
        said = saying(message, "handling", "tlp")  # presets may still say what for
        return await self._messaging.send(asked, said, reply_to=row.object)

    def require_about(self, ref: str, case: str, serial: str = "") -> None:
        """Check that a question in a case may say what a message says: it forwards its weapon.

        Args:
            serial: Of the weapon: a correction that is open here and about another thing is none
                of it.

        Raises:
            RefusedError: rule ``onward-permission``: a member was not let have it; rule
                ``corrected``: what would be asked about is wrong; or as :meth:`forward`.
        """
        state, row = self._casework.find(case), self._row(ref)
        original = self._original(ref, row)
        object_, node = originals.header(original).object, originals.header(original).node
        wrong = [one.ref for same in rows(self._engine, "object = ?", object_)
                 for one in corrections_of(self._engine, same)
                 if not (one.now and one.was and serial and serial not in one.was)]  # fmt: skip
        if wrong:
            raise RefusedError(
                f"{ref} was corrected ({wrong[-1]}): open that, and ask with what is right, "
                "`seefen trace ask` without --about",
                rule="corrected",
            )
        others = [m for m in state.members if m not in (self._engine.node, node)]
        if state.case == row.case or node == self._engine.node or not others:
            return
        made = self._forwarded(original, "")
        carried = row.message.permissions if isinstance(row.message, Forwarded) else ()
        permissions = (*carried, *self._permissions(original, made, others))
        originals.require(self._engine, others, replace(made, permissions=permissions))

    async def permit(
        self, ref: str, *, until: str = "", conditions: str = "", refused: str = ""
    ) -> Sent:
        """Decide on a request to forward: this message, to those that were named.

        Args:
            until: The last day, like 2026-12-31.
            conditions: In words.
            refused: Why not; nothing grants it.

        Raises:
            RefusedError: rule ``not-a-request``, ``not-opened``, ``not-yours``, or ``past``.
            OutOfTurnError: It was answered; a recall of that decision takes it back.
        """
        today = datetime.fromtimestamp(self._engine.now(), UTC).date().isoformat()
        if until and until < today[: len(until)]:
            raise RefusedError(f"{until} is over: nothing would be permitted", rule="past")
        row = self._row(ref)
        asked = row.message
        if not isinstance(asked, OnwardRequest):
            rule = "not-opened" if asked is None else "not-a-request"
            raise RefusedError(f"{ref} is no request to forward that is open here", rule=rule)
        for one in rows(self._engine, "object = ?", asked.of):
            if one.statement.node != self._engine.node:
                why = f"{ref_of(self._engine, one)} is of {one.statement.node}: its node decides"
                raise RefusedError(why, rule="not-yours")
        decision = "refused" if refused else "conditions" if conditions else "permitted"
        message = OnwardDecision(
            of=asked.of,
            decision=decision,
            recipient=asked.recipient,
            until=until,
            conditions=conditions,
            text=refused,
            to=(row.statement.node,),
        )
        try:
            return await self._requests.move(ref, message)
        except OutOfTurnError as err:
            raise OutOfTurnError(
                f"{err}; `seefen recall` of a decision takes back what it let go", rule=err.rule
            ) from None

    def permitted(self, ref: str) -> tuple[str, ...]:
        """Return to which nodes a message may have gone with the own node's leave, by a recall."""
        named = rows(self._engine, "object = ?", self._row(ref).statement.reply_to)
        gone = (one.object for row in named for one in versions.with_earlier(self._engine, row))
        return copies.permitted(self._engine, frozenset(gone))

    # --- inside ---------------------------------------------------------------------

    def _row(self, ref: str) -> Row:
        state, number = self._find(ref)
        return row_of(self._engine, state, number)

    def _original(self, ref: str, row: Row) -> Proof:
        """Return what is to be passed on: of what was passed on already, the original again."""
        if row.statement.file:
            raise RefusedError(f"{ref} is a file: forward its message", rule="is-a-file")
        require_newest(self._engine, row)
        back = recall_of(self._engine, row)
        if back is not None:
            raise RefusedError(
                f"{ref} was taken back ({ref_of(self._engine, back)})", rule="recalled"
            )
        message = row.message
        if message is None or not is_open(self._engine, row):
            raise RefusedError(f"{ref} is not open here in this shift", rule="not-opened")
        if not isinstance(message, Forwarded):
            require_accepted(self._engine, row, message, None, accept=False)
            return _proof(self._engine, row)
        proven = originals.proven(self._engine, row, message)
        require_accepted(self._engine, row, proven.message, proven, accept=False)
        return message.original

    def _forwarded(self, original: Proof, text: str) -> Forwarded:
        bare = Forwarded(original=original, text=text)
        message = originals.inner(bare)
        terms: dict[str, Any] = {name: getattr(message, name) for name in _TERMS}
        return replace(bare, shows=message.what()[:12], **terms)

    def _permissions(
        self, original: Proof, made: Forwarded, readers: list[str]
    ) -> tuple[Proof, ...]:
        """Return the newest decision for each reader that needs one, if it grants it."""
        author = originals.header(original).node
        if author == self._engine.node or made.handling == FREE:
            return ()
        object_ = originals.header(original).object
        found: dict[bytes, Row] = {}
        for node in readers:
            newest = next((r for r in self._decisions(author) if _names(r, object_, node)), None)
            if node != author:
                self._require_read(author, object_, -1 if newest is None else newest.index)
            if newest is None:
                continue
            if not _lets(newest, object_, node, self._engine.now()):
                # Its newest word, though an older one may have come along.
                raise RefusedError(
                    f"{author} does not let this go to {node}, or no more", rule="onward-permission"
                )
            found[newest.object] = newest
        return tuple(_proof(self._engine, row) for row in found.values())

    def _require_read(self, author: str, object_: bytes, since: int) -> None:
        """Check that no newer decision lies here closed: what is not opened binds all the same.

        Raises:
            RefusedError: rule ``decision-unread``; names it.
        """
        closed = "node = ? AND idx > ? AND body IS NULL AND cover IS NOT NULL AND NOT file"
        for row in rows(self._engine, closed, author, since):
            cover = row.opened_cover
            if cover is None or cover.type != OnwardDecision.TYPE:
                continue
            if self._may_be_on(row, object_) and recall_of(self._engine, row) is None:
                raise RefusedError(
                    f"{author} has decided anew: open {ref_of(self._engine, row)} first",
                    rule="decision-unread",
                )

    def _may_be_on(self, decision: Row, object_: bytes) -> bool:
        """Tell whether a closed decision may be on an object, by the request that it answers."""
        asked = rows(self._engine, "object = ? AND case_id = ?", decision.statement.reply_to,
                     decision.case)  # fmt: skip
        for one in asked:
            if isinstance(one.message, OnwardRequest):
                return one.message.of == object_
            about = rows(self._engine, "object = ?", one.statement.reply_to)
            covers = [row.opened_cover for row in about if row.object != object_]
            # What is neither this message nor anything passed on is another one.
            return not covers or any(c is None or c.type == Forwarded.TYPE for c in covers)
        return True

    def _decisions(self, author: str) -> list[Row]:
        """Return the decisions of a node that are open here, the newest first."""
        opened = rows(self._engine, "node = ? AND body IS NOT NULL AND NOT file", author)
        return [
            row
            for row in reversed(opened)
            if (cover := row.opened_cover) is not None
            and cover.type == OnwardDecision.TYPE
            and recall_of(self._engine, row) is None
        ]


def _proof(engine: Engine, row: Row) -> Proof:
    obj = row.statement
    kept = engine.vault.one("SELECT sealed, wrapped FROM object WHERE object = ?", row.object)
    key = engine.case_key(obj.case, obj.gen)
    if kept is None or None in kept or key is None:
        raise RefusedError(f"{ref_of(engine, row)} is not whole on this device", rule="not-opened")
    if len(row.envelope) + len(kept[0]) > _LONGEST:
        raise RefusedError(
            f"{ref_of(engine, row)} is too long: with its seals it does not fit into a message",
            rule="too-long",
        )
    return Proof(envelope=row.envelope, body=kept[0], key=unwrap_content_key(obj, key, kept[1]))


def _names(row: Row, object_: bytes, node: str) -> bool:
    decision = row.message
    return (
        isinstance(decision, OnwardDecision)
        and decision.of == object_
        and node in recipients(decision)
    )


def _lets(row: Row, object_: bytes, node: str, at: int) -> bool:
    decision = row.message
    return isinstance(decision, OnwardDecision) and grants(decision, object_, node, at)
