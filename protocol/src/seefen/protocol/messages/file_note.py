"""FileNote: what a file is. Name, size and hash stand in the sealed head of the file."""

from typing import Annotated, ClassVar

from msgspec import Meta

from seefen.protocol.messages.form import Coded, Message, ShortText, required

MEDIA = {
    "image/jpeg": "photograph", "image/png": "picture", "application/pdf": "document",
    "application/x-x3p": "surface", "text/plain": "text",
}  # fmt: skip


class FileNote(Message, kw_only=True, frozen=True):
    """The description of a file; ``of`` is the object it belongs to."""

    TYPE: ClassVar[str] = "FileNote"

    name: ShortText
    size: Annotated[int, Meta(ge=0)]
    sha256: Annotated[bytes, Meta(min_length=32, max_length=32)]
    media_type: Annotated[str, Meta(max_length=100)] = "application/octet-stream"
    role: Coded = ""
    of: bytes = b""

    def check(self) -> None:
        """Check that it has a name."""
        super().check()
        required("name", self.name)

    def subject(self) -> str:
        """Return the kind of file and its role; the name stays in the body."""
        kind = MEDIA.get(self.media_type, "file")
        return " · ".join(filter(None, (kind, self.role)))

    def counts(self) -> str:
        """Return one file."""
        return f"1 {MEDIA.get(self.media_type, 'file')}"
