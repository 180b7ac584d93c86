"""The broker's face: bytes in, one call, bytes out. Nothing is decided here."""
