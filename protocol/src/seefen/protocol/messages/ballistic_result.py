"""BallisticResult: what a laboratory found, in its own words. A candidate is no hit."""

from typing import Annotated, ClassVar, Final

from msgspec import Meta

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.form import Day, Line, Message, Piece, Story, coded, refuse, required
from seefen.protocol.requests import Act

_STATED: Final = ("confirmed", "eliminated")


class LinkedIncident(Piece, kw_only=True, frozen=True):
    """An incident whose items these were compared with. It names no one."""

    ref: Annotated[Line, Meta(min_length=1)]
    incident: Annotated[str, coded("incident")] = ""
    date: Day = ""
    place: Line = ""


class BallisticResult(Message, kw_only=True, frozen=True):
    """The answer to a ballistic request, which ``reply_to`` names.

    Attributes:
        wording: The conclusion as the laboratory words it, kept verbatim.
        lr_from, lr_to: Powers of ten between which the likelihood ratio lies.
        examiner, verifier: Pseudonyms of the laboratory.
    """

    TYPE: ClassVar[str] = "BallisticResult"

    purpose: Annotated[str, coded("purpose")] = "laboratory"
    source_eval: Annotated[str, coded("source_eval")] = "A"
    info_eval: Annotated[str, coded("info_eval")] = "1"
    level: Annotated[str, coded("lab_level")]
    scale: Annotated[str, coded("lab_scale")] = ""
    scale_name: Line = ""
    wording: Story = ""
    lr_from: Annotated[int, Meta(ge=-12, le=12)] | None = None
    lr_to: Annotated[int, Meta(ge=-12, le=12)] | None = None
    method: Annotated[str, coded("system")] = ""
    searched: Line = ""
    candidates: Annotated[int, Meta(ge=0, le=10_000)] = 0
    examiner: Line = ""
    verifier: Line = ""
    blind: bool | None = None
    accredited: bool | None = None
    report_ref: Line = ""
    links: Annotated[tuple[LinkedIncident, ...], Meta(max_length=32)] = ()
    casts: Line = ""

    def check(self) -> None:
        """Check that a conclusion has its wording, and two examiners when it confirms."""
        super().check()
        required("level", self.level)
        if self.level in _STATED:
            required("wording", self.wording.strip())
            required("examiner", self.examiner.strip())
        if self.level == "confirmed" and not self.verifier.strip():
            refuse(
                "verifier",
                "a second examiner confirms: until then it is a candidate for review",
                "one-examiner",
            )
        if self.level == "searched_no_candidate":
            # "Nothing there" must say where it was looked for.
            required("searched", self.searched.strip())
        if self.level == "not_searched":
            required("wording", self.wording.strip())
        if self.lr_from is not None and self.lr_to is not None and self.lr_from > self.lr_to:
            refuse("lr_from", "is the lower end of the band: exchange the two")

    def what(self) -> tuple[Said, ...]:
        """Return the level, never more than the laboratory said."""
        return (Said(table="lab_level", code=self.level),)

    def act(self) -> Act:
        """Return the move in the life of the request; a candidate is news, not the answer."""
        return Act.INTERIM if self.level in ("candidate_for_review", "not_searched") else Act.ANSWER
