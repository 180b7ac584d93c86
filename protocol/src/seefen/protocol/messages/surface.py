"""Surface: what an X3P file says of itself, so that a list shows it and nobody opens the file."""

from typing import Annotated

from msgspec import Meta

from seefen.protocol.messages.form import Day, Line, Piece, coded

Points = Annotated[int, Meta(ge=0, le=10**12)]
Picometres = Annotated[int, Meta(ge=0, le=10**15)]


class Surface(Piece, kw_only=True, frozen=True):
    """A measured surface (X3P, ISO 25178-72) as it was found when it was attached.

    Attributes:
        columns, rows, layers: How many points there are; a profile or cloud has one row.
        step_x_pm, step_y_pm: Between two points, in picometres, 0 where it is not regular.
        instrument: Manufacturer, model and number, as the file says.
        sums: Whether the MD5 sums in it are those of its parts.
    """

    kind: Annotated[str, coded("surface_kind")] = ""
    columns: Points = 0
    rows: Points = 0
    layers: Points = 0
    step_x_pm: Picometres = 0
    step_y_pm: Picometres = 0
    instrument: Line = ""
    measured_at: Day = ""
    sums: Annotated[str, coded("surface_sums")] = ""
