"""Cartridge cases and bullets as a laboratory describes them. No names, ever."""

from typing import Annotated

from msgspec import Meta

from seefen.protocol.messages.form import AsRead, Line, Piece, coded, refuse, required
from seefen.protocol.statements import Hash

Pieces = Annotated[int, Meta(ge=1, le=10_000)]
OClock = Annotated[int, Meta(ge=0, le=12)]


class Trace(Piece, kw_only=True, frozen=True):
    """Ballistic items of one kind, with their class marks.

    Attributes:
        ejector, extractor: Position by the clock, 0 when not seen.
        land_width_um: Width of the lands in micrometres, 0 when not measured.
    """

    kind: Annotated[str, coded("trace_kind")]
    qty: Pieces = 1
    n: Annotated[int, Meta(ge=0, le=100_000)] = 0
    calibre: Annotated[str, coded("calibre")] = ""
    calibre_as_read: Line = ""
    material: Annotated[str, coded("material")] = ""
    headstamp_as_read: AsRead = ""
    firing_pin: Annotated[str, coded("firing_pin")] = ""
    breech_face: Annotated[str, coded("breech_face")] = ""
    ejector: OClock = 0
    extractor: OClock = 0
    lands: Annotated[int, Meta(ge=0, le=32)] = 0
    twist: Annotated[str, coded("twist")] = ""
    land_width_um: Annotated[int, Meta(ge=0, le=100_000)] = 0
    custody: Line = ""

    def check(self, field: str) -> None:
        """Check that it says what it is, and its calibre in one way or the other.

        Raises:
            RefusedError: The field and what to do about it.
        """
        required(f"{field}.kind", self.kind)
        if not (self.calibre or self.calibre_as_read):
            refuse(f"{field}.calibre", "is needed; choose unknown when it is not known", "missing")


class Image(Piece, kw_only=True, frozen=True):
    """An image that follows as a file, known by the hash of its bytes.

    Attributes:
        nm_per_px: Scale in nanometres for a pixel, 0 when there is a ruler in the image.
    """

    sha256: Hash
    of: Annotated[int, Meta(ge=0, le=100_000)] = 0
    lighting: Line = ""
    magnification: Line = ""
    nm_per_px: Annotated[int, Meta(ge=0, le=10**9)] = 0
    lossless: bool | None = None


Traces = Annotated[tuple[Trace, ...], Meta(max_length=64)]
Images = Annotated[tuple[Image, ...], Meta(max_length=256)]
