"""FileNote: what a file is. It is sealed with the file; no cover says the file's name."""

from typing import Annotated, ClassVar, Final

from msgspec import Meta

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.form import (
    Line,
    Message,
    OptionalHash,
    OptionalId,
    check_id,
    coded,
    refuse,
    required,
)
from seefen.protocol.messages.surface import Surface
from seefen.protocol.statements import Count, Hash

PREVIEW: Final = "preview"  # a photograph made small, sent ahead of it
_NAME_LIMIT: Final = 120  # bytes
# Under these a file is saved; whatever else it claims to be, it is saved as bytes.
_ENDINGS: Final = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "application/pdf": ".pdf",
    "application/x-x3p": ".x3p",
    "text/plain": ".txt",
    "text/csv": ".csv",
}


def check_file_name(name: str) -> None:
    """Check that a name is one, and no path: 1 to 120 bytes.

    Raises:
        RefusedError: rule ``missing`` or ``file-name``.
    """
    required("name", name.strip())
    # Only shown, never written to; but nobody should have to trust that (attack: zip slip).
    if any(sign in name for sign in "/\\\n") or name in (".", ".."):
        refuse("name", "give the name of the file without its folder", "file-name")
    if len(name.encode()) > _NAME_LIMIT:
        refuse(
            "name", f"has more than {_NAME_LIMIT} bytes: give the file a shorter name", "file-name"
        )


class FileNote(Message, kw_only=True, frozen=True):
    """The description of a file.

    Attributes:
        sha256: Of the file as it was before sealing.
        cleaned_of: Of the photograph before what it says about place and device was left out.
        preview_of: SHA-256 of the photograph that this picture is a preview of; it follows.
        surface: What a measured surface (X3P) says of itself, and whether its sums are right.
        of: The object it belongs to; ``item`` the number of the weapon in it.
    """

    TYPE: ClassVar[str] = "FileNote"

    name: Line
    size: Count
    sha256: Hash
    media_type: Annotated[str, Meta(pattern=r"\A[a-z0-9]+/[A-Za-z0-9.+-]+\Z", max_length=100)] = (
        "application/octet-stream"
    )
    role: Annotated[str, coded("file_role")] = ""
    of: OptionalId = b""
    item: Annotated[int, Meta(ge=0, le=100_000)] = 0
    caption: Line = ""
    cleaned_of: OptionalHash = b""
    preview_of: OptionalHash = b""
    surface: Surface | None = None

    def check(self) -> None:
        """Check that the name is one, and no path."""
        super().check()
        check_id("of", self.of)
        if len(self.cleaned_of) not in (0, 32):
            refuse("cleaned_of", "is a hash of 32 bytes, or nothing")
        if len(self.preview_of) != (32 if self.role == PREVIEW else 0):
            refuse("preview_of", "a preview, and nothing else, names the photograph it shows")
        check_file_name(self.name)

    def saved_as(self) -> str:
        """Return the name to save it under: made by us, with an ending from our list."""
        return self.sha256.hex()[:16] + _ENDINGS.get(self.media_type, ".bin")

    def what(self) -> tuple[Said, ...]:
        """Return what the file shows: its name stays in the body."""
        return (Said(table="file_role", code=self.role or "other"),)
