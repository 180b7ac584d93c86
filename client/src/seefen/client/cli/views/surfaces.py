"""What an X3P surface says of itself; sums that do not fit stand on every view."""

from typing import Final

from rich.text import Text

from seefen.client import labels
from seefen.client.cli.paint import line, warn
from seefen.protocol.messages import Surface

_MICRO: Final = 10**6  # picometres


def described(surface: Surface, lang: str) -> Text:
    """Return what was measured, how finely, with what, when, and whether the sums are right."""
    points = " \u00d7 ".join(str(n) for n in (surface.columns, surface.rows) if n)
    steps = " \u00d7 ".join(_micrometres(n) for n in (surface.step_x_pm, surface.step_y_pm) if n)
    parts = (
        labels.label(lang, "surface_kind", surface.kind) if surface.kind else "",
        points,
        f"step {steps} \u00b5m" if steps else "",
        surface.instrument,
        surface.measured_at,
    )
    said = " \u00b7 ".join(filter(None, parts))
    sums = labels.label(lang, "surface_sums", surface.sums)
    painted = warn(sums) if is_wrong(surface) else line(sums)
    return line(f"{said} \u00b7 " if said else "", painted)


def short(surface: Surface | None, lang: str) -> str:
    """Return what must be known of it in a list: nothing while its sums are right."""
    wrong = surface is not None and is_wrong(surface)
    return labels.label(lang, "surface_sums", surface.sums) if surface and wrong else ""


def is_wrong(surface: Surface) -> bool:
    """Say whether a sum in it is not that of its part, or nothing could be read."""
    return surface.sums not in ("match", "none")


def _micrometres(pm: int) -> str:
    return f"{pm / _MICRO:.6f}".rstrip("0").rstrip(".")
