"""The gate: what opens a body leaves the store closed, and opens after its entry stands.

The store hands out a wrapped content key as :class:`Protected`. It can be read only with
a :class:`Disclosure` that names the object and the device, and a disclosure can be made
only by the :class:`Gate` of the sequencer, for an entry that was committed. A handler that
forgets any of this has nothing it could send (attack 31).
"""

from collections.abc import Iterable
from typing import Final, NoReturn

_MINT: Final = object()


class GateError(Exception):
    """Protected data was asked for without the entry that must stand in the log first.

    This is a mistake in the broker, never of a device: it ends as an internal error.
    """


class Disclosure:
    """Says that an entry stands in the log, and which objects it opens to which devices."""

    __slots__ = ("devices", "index", "objects")

    def __init__(
        self, mint: object, index: int, objects: Iterable[bytes], devices: Iterable[bytes]
    ) -> None:
        """Refuse everybody but the gate."""
        if mint is not _MINT:
            raise GateError("only the gate makes disclosures")
        self.index = index
        self.objects = frozenset(objects)
        self.devices = frozenset(devices)


class Protected:
    """A wrapped content key that cannot be read yet."""

    __slots__ = ("__key", "object")

    def __init__(self, object_: bytes, key: bytes) -> None:
        """Close ``key``, the wrapped content key of an object."""
        self.object = object_
        self.__key = key

    def reveal(self, disclosure: Disclosure | None, *, device: bytes) -> bytes:
        """Return the wrapped content key for a device.

        Raises:
            GateError: The disclosure is none, or is for another object or device.
        """
        if type(disclosure) is not Disclosure:
            raise GateError("this is not a disclosure")
        if self.object not in disclosure.objects:
            raise GateError("the entry in the log does not name this object")
        if device not in disclosure.devices:
            raise GateError("the entry in the log does not name this device")
        return self.__key

    def __repr__(self) -> str:
        """Say nothing about the key: this may end in a log."""
        return "Protected()"

    def __reduce__(self) -> NoReturn:
        """Refuse to be copied into bytes."""
        raise GateError("protected data is not written down")


class Gate:
    """Makes disclosures. The sequencer has the only one."""

    __slots__ = ("_committed",)

    def __init__(self) -> None:
        """Open nothing: no entry is known to be committed."""
        self._committed = 0

    def committed(self, size: int) -> None:
        """Note that the activity log is committed up to ``size``."""
        self._committed = size

    def disclose(
        self, index: int, *, objects: Iterable[bytes], devices: Iterable[bytes]
    ) -> Disclosure:
        """Return the disclosure of an entry.

        Raises:
            GateError: The entry is not committed.
        """
        if not 0 <= index < self._committed:
            raise GateError("this entry does not stand in the log yet")
        return Disclosure(_MINT, index, objects, devices)
