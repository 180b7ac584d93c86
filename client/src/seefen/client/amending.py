"""What was sent: put right, replaced, taken back; and what came and was taken back, erased.

Only the node that said it can do the first three. Nothing is undone: the log keeps that it
was sent and read, and every recipient says what became of his copy.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import cast

from msgspec import to_builtins
from msgspec.structs import replace

from seefen.client import copies, fetched, versions
from seefen.client.correcting import corrections_of, put_right, require_taken_up
from seefen.client.drafts import Attached
from seefen.client.engine import Engine
from seefen.client.erasing import ERASED, forget, is_done
from seefen.client.labels import LANGUAGES, label
from seefen.client.messaging import Messaging, silent
from seefen.client.outbox import Progress
from seefen.client.requests import Find, Requests
from seefen.client.values import Sent
from seefen.client.views import (
    Row,
    recall_of,
    ref_of,
    require_newest,
    row_of,
    terms_of,
)
from seefen.protocol.case import CaseState
from seefen.protocol.errors import OutOfTurnError, RefusedError
from seefen.protocol.messages import (
    ActionDay,
    Correction,
    EmergencyOpened,
    ErasureConfirm,
    Message,
    Paper,
    Recall,
    SeizureAlert,
    saying,
)
from seefen.protocol.messages.shape import recoded, shape
from seefen.protocol.suite import new_id


class Amending:
    """Mends what was sent, and erases what was taken back."""

    def __init__(
        self, engine: Engine, messaging: Messaging, requests: Requests, find: Find
    ) -> None:
        self._engine = engine
        self._messaging = messaging
        self._requests = requests
        self._find = find

    async def replace(
        self,
        ref: str,
        message: Message,
        files: Attached = (),
        progress: Progress = silent,
        *,
        original: bool = False,
        matters_s: int | None = None,
    ) -> Sent:
        """Send a newer version of a message of one's own node; lists show the newest.

        Args:
            matters_s: Seconds from now for which it matters, 0: always; None: as long as the
                older one did, from now on. So a version of what has expired is asked anew.

        Raises:
            RefusedError: It is another's, of another form, or replaced or taken back already; rule
                ``stays``: a paper of the house, word of an emergency, or an action day; rule
                ``corrected``: it still says what a correction calls wrong.
        """
        state, row = self._own(ref)
        _require_mendable(ref, row)
        cover = row.opened_cover
        if cover is not None and cover.type == ActionDay.TYPE:
            # All tallies are about that object, and would be lost from view.
            raise RefusedError(f"{ref} has its tallies: recall it and open another", rule="stays")
        if cover is None or cover.type != message.TYPE:
            kind = "sealed for this device" if cover is None else f"a {cover.type}"
            raise RefusedError(f"{ref} is {kind}: a {message.TYPE} is none", rule="form")
        require_taken_up(self._engine, row, message)
        older = row.statement
        if matters_s is None:
            matters_s = max(0, older.expires - older.created_at)
        return await self._messaging.send(
            state,
            message,
            tuple(files),
            expires=self._messaging.moment(matters_s),
            reply_to=older.reply_to,
            supersedes=row.object,
            original=original,
            progress=progress,
        )

    async def confirm(self, ref: str, *, matters_s: int | None = None) -> Sent:
        """Send a preliminary alert again as a confirmed one, without typing it again.

        What was corrected in it is put right, where that was the whole of one field.

        Args:
            matters_s: As in :meth:`replace`.

        Raises:
            RefusedError: rule ``no-alert``, its words are not on this device, or ``corrected``.
        """
        _, row = self._own(ref)
        alert = row.message
        if not isinstance(alert, SeizureAlert):
            raise RefusedError(f"{ref} is no alert whose words are on this device", rule="no-alert")
        if alert.status != "preliminary":
            raise RefusedError(f"{ref} is {alert.status} already", rule="confirmed")
        alert = put_right(self._engine, row, alert)
        # A version of its own: with the same id its readers would drop it as a double.
        newer = replace(alert, message_id=new_id(), created_at=0, status="confirmed")
        said = saying(newer, *newer.__struct_fields__)
        return await self.replace(ref, said, matters_s=matters_s)

    async def correct(self, ref: str, wrong: str, now: str = "", was: str = "") -> Sent:
        """Tell every recipient what was wrong in a message and what is right.

        Without words all hear that it is wrong, and no more: also a member that came later and
        may not have what it was about.

        Raises:
            RefusedError: rule ``same``: it changes nothing; rule ``not-said``: no word of ``was``
                stands in the message, nor in what was said of it since.
        """
        state, row = self._own(ref)
        self._require_said(ref, row, was, now)
        message = Correction(
            of=row.object, wrong=wrong, was=was, now=now, exercise=row.is_exercise, **terms_of(row)
        )
        if (about := row.message) is not None:  # what is put right is as sure as the rest of it
            message = saying(
                replace(message, source_eval=about.source_eval, info_eval=about.info_eval),
                "source_eval", "info_eval",
            )  # fmt: skip
        return await self._messaging.send(state, message, reply_to=row.object)

    async def recall(self, ref: str, reason: str, text: str = "") -> Sent:
        """Take a message back: recipients open it no more, and owe a confirmation.

        With the newest version all earlier ones are taken back, and what corrected them.

        Raises:
            RefusedError: rule ``stays``: a paper of the house, or word of an emergency.
            OutOfTurnError: rule ``replaced``: it names the newest version; or ``recalled``.
        """
        state, row = self._own(ref)
        _require_mendable(ref, row)
        message = Recall(
            of=row.object,
            recall_reason=reason,
            text=text,
            exercise=row.is_exercise,
            **terms_of(row),
        )
        return await self._messaging.send(state, message, reply_to=row.object)

    async def erase(
        self, ref: str, erased: str = "erased", *, text: str = "", passed_to: str = ""
    ) -> Sent:
        """Erase what was taken back, here, in all its versions, and confirm it to its author.

        Kept ``restricted`` as evidence it stays, closed. The sealed bytes stay with the broker.

        Raises:
            RefusedError: rule ``not-recalled``, or the confirmation does not say enough; rule
                ``passed-on``: a copy that the own node passed on was not taken back; ``fetched``:
                its files lie on the disk.
            OutOfTurnError: rule ``erased``: that was confirmed, and nothing of it is here since.
        """
        state, number = self._find(ref)
        named = row_of(self._engine, state, number)
        recall = recall_of(self._engine, named)
        if recall is None or named.statement.node == self._engine.node:
            raise RefusedError(f"{ref} was not taken back by its author", rule="not-recalled")
        # Whichever version is named: the recall is of the newest, and the answer is to that.
        gone = versions.taken_back_with(self._engine, named)
        row = gone[0]
        if erased == ERASED.code and is_done(self._engine, recall, row):
            raise OutOfTurnError(f"{ref} was erased already, and that was said", rule="erased")
        message = ErasureConfirm(
            of=row.object,
            erased=erased,
            text=text,
            passed_to=passed_to,
            **terms_of(row),
        )
        if erased != "passed_on":
            self._require_taken_back(gone)
        if erased != "restricted":
            fetched.require_gone(self._engine, gone)
        # Before anything is gone: neither the form nor the request may refuse it afterwards.
        message.check()
        self._requests.require_move(recall, message)
        if erased != "restricted":
            forget(self._engine, row)
        return await self._requests.move(ref_of(self._engine, recall), message)

    def _require_taken_back(self, gone: Sequence[Row]) -> None:
        for row in gone:
            found = [ref_of(self._engine, copy) for copy in copies.of(self._engine, row)]
            if found:
                raise RefusedError(
                    f"your node passed {ref_of(self._engine, row)} on as {', '.join(found)}, where "
                    f"it is read as before: `seefen recall {found[0]} --why wrong_data` first",
                    rule="passed-on",
                )
        objects = {row.object for row in gone}
        closed = [one for one in copies.perhaps(self._engine) if one.source.object in objects]
        if closed:
            ref = ref_of(self._engine, closed[0].copy)
            raise RefusedError(
                f"a colleague passed {ref} on, which may be a copy of it and is closed on this "
                f"device: open it first, `seefen case show {ref}`",
                rule="passed-on",
            )

    def _require_said(self, ref: str, row: Row, was: str, now: str) -> None:
        if was and was.split() == now.split():
            raise RefusedError(f"{ref}: was and now say the same", rule="same")
        if row.message is None or not was.strip():
            return
        since = [one.now for one in corrections_of(self._engine, row)]
        said = " ".join((*_words(row.message), *since)).casefold()
        if not any(word in said for word in was.casefold().split()):
            raise RefusedError(
                f"{ref} says nothing of '{was}': give the words as they stand in it, or leave "
                "--was out",
                rule="not-said",
            )

    def _own(self, ref: str) -> tuple[CaseState, Row]:
        state, number = self._find(ref)
        row = row_of(self._engine, state, number)
        if row.statement.node != self._engine.node:
            raise RefusedError(
                f"{ref} is of {row.statement.node}: only its node can", rule="not-yours"
            )
        if recall_of(self._engine, row) is not None:
            raise OutOfTurnError(f"{ref} was taken back already", rule="recalled")
        require_newest(self._engine, row)
        return state, row


def _words(message: Message) -> Iterator[str]:
    """Yield what a message says, codes as they stand and in the words of each language."""
    fields, known = to_builtins(message, builtin_types=(bytes,)), shape(type(message))
    yield from _texts(fields)
    for lang in LANGUAGES:
        yield from _texts(recoded(known, fields, _labels_in(lang)))


def _labels_in(lang: str) -> Callable[[str, str, str], str]:
    return lambda _field, table, code: label(lang, table, code)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for one in cast("dict[object, object]", value).values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in cast("Sequence[object]", value):
            yield from _texts(one)
    elif not isinstance(value, bytes):
        yield str(value)


def _require_mendable(ref: str, row: Row) -> None:
    cover = row.opened_cover
    if cover is None:
        return
    if cover.type in {type_.TYPE for type_ in Paper.__subclasses__()}:
        raise RefusedError(f"{ref} binds until a newer one is laid down: lay that", rule="stays")
    if cover.type == EmergencyOpened.TYPE:
        # Whoever was seen to open a case does not undo that he was seen.
        raise RefusedError(f"{ref} tells of an emergency and stays: write a note", rule="stays")
