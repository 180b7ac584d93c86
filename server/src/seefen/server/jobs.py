"""Jobs: what waits to be committed, and how each is judged.

A job is read once, without any state; :meth:`Job.judge` then tries it on a layer, as
often as the ground under it changes. It raises and the layer is thrown away, or the layer
holds everything the job does.
"""

import asyncio
from abc import ABC, abstractmethod

from msgspec import Struct

from seefen.protocol.bundle import Bundle, match_wraps
from seefen.protocol.directory import Directory
from seefen.protocol.envelope import Opened, open_envelope
from seefen.protocol.errors import MalformedError, RefusedError
from seefen.protocol.statements import (
    AUTHORITY_KINDS,
    Access,
    Ack,
    Activity,
    Case,
    Caseless,
    Manifest,
    Object,
)
from seefen.protocol.suite import sha256
from seefen.server.gate import Disclosure, Protected
from seefen.server.judging import check_scope, check_sender, record_statement
from seefen.server.rows import AuthorityRow, Heads, LeafRow
from seefen.server.shapes import check_from_nobody, check_kinds, check_shape, match_contents
from seefen.server.view import Layer, Needs


class Done(Struct, frozen=True):
    """What became of a job: where its statements stand, and what it opened."""

    authority: tuple[int, ...]
    activity: tuple[LeafRow, ...]
    heads: Heads
    keys: dict[bytes, Protected]
    disclosure: Disclosure | None


class Job(ABC):
    """What waits to be committed.

    ``wanted`` are the objects whose content keys it opens and ``readers`` the devices it
    opens them to, under the entry at ``opens_under`` (None: its own last one).
    """

    def __init__(
        self,
        needs: Needs,
        *,
        wanted: tuple[bytes, ...] = (),
        readers: tuple[bytes, ...] = (),
        opens_under: int | None = None,
    ) -> None:
        """Make a job that needs something loaded before it is judged."""
        self.needs = needs
        self.wanted = wanted
        self.readers = readers
        self.opens_under = opens_under
        self.done: asyncio.Future[Done] = asyncio.get_running_loop().create_future()

    @abstractmethod
    def judge(self, layer: Layer) -> None:
        """Try it on a layer of its own.

        Raises:
            SeefenError: A rule says no; the layer is worth nothing now.
        """


class BundleJob(Job):
    """A bundle from a device, or from whoever brings a statement of the root."""

    def __init__(self, device: bytes | None, bundle: Bundle, *, founding: bool = False) -> None:
        """Read a bundle; ``device`` None: nobody is logged in.

        Raises:
            MalformedError: It is not a bundle that could be committed.
        """
        check_kinds(bundle)
        self.opened = tuple(open_envelope(s.envelope, s.kind) for s in bundle.statements)
        super().__init__(_needs(self.opened))
        self.device = device
        self.bundle = bundle
        self._founding = founding
        self._wraps = match_wraps(bundle, tuple(o.statement for o in self.opened))
        self.contents = match_contents(bundle, self.opened)
        check_shape(self.opened)

    @property
    def files(self) -> dict[bytes, bytes]:
        """The files in it, by object: the root of the parts that must be there already."""
        statements = [o.statement for o in self.opened]
        return {s.object: s.body_root for s in statements if isinstance(s, Object) and s.file}

    def judge(self, layer: Layer) -> None:
        """Try it on a layer."""
        at = layer.at // 1000
        if self.device is not None:
            layer.directory.require_active(self.device, at=at)
        else:
            check_from_nobody(self.opened, layer.directory, founding=self._founding)
        own_directory = False
        for signed, opened in zip(self.bundle.statements, self.opened, strict=True):
            if opened.kind in AUTHORITY_KINDS:
                if not own_directory:
                    layer.directory = self._directory(layer, opened)
                    own_directory = True
                layer.directory.take(opened, at=at)
                index = layer.directory.size - 1
                row = AuthorityRow(index, opened.kind, opened.hash, opened.envelope)
                layer.changes.authority.append(row)
            else:
                record_statement(layer, opened, signed.tag, by=self.device, contents=self.contents)
        layer.changes.wraps |= self._wraps

    def _directory(self, layer: Layer, opened: Opened) -> Directory:
        if self._founding and layer.directory.size == 0:
            return Directory(sha256(opened.payload))
        return layer.directory.copy()


class AskJob(Job):
    """A new access: the entry and the content keys it asks for."""

    def __init__(
        self, device: bytes, opened: Opened, tag: bytes, objects: tuple[bytes, ...]
    ) -> None:
        """Ask for ``objects`` under the access in ``opened``."""
        wanted = tuple(dict.fromkeys(objects))
        own = _needs((opened,))
        needs = Needs(own.cases, own.devices, own.objects | frozenset(wanted))
        super().__init__(needs, wanted=wanted, readers=(device,))
        self.access = access_in(opened)
        self._opened = opened
        self._tag = tag

    def judge(self, layer: Layer) -> None:
        """Try it on a layer."""
        record_statement(layer, self._opened, self._tag, by=self.readers[0], contents={})
        for object_ in self.wanted:
            check_scope(layer, self.access, object_)


class AskAgainJob(Job):
    """An access that stands already: the status is checked again, the keys given again."""

    def __init__(
        self, device: bytes, index: int, access: Access, objects: tuple[bytes, ...]
    ) -> None:
        """Ask for ``objects`` under the access at ``index``."""
        wanted = tuple(dict.fromkeys(objects))
        needs = Needs(cases=frozenset((access.case,)), objects=frozenset(wanted))
        super().__init__(needs, wanted=wanted, readers=(device,), opens_under=index)
        self._access = access

    def judge(self, layer: Layer) -> None:
        """Try it on a layer."""
        layer.directory.require_active(self.readers[0], at=layer.at // 1000)
        check_sender(self._access, self.readers[0])
        if self._access.until <= layer.at // 1000:
            raise RefusedError("this access has ended: state the purpose again", rule="until")
        for object_ in self.wanted:
            check_scope(layer, self._access, object_)


class LookJob(Job):
    """Writes nothing: taken when another process may have written."""

    def __init__(self) -> None:
        """Make one."""
        super().__init__(Needs())

    def judge(self, layer: Layer) -> None:
        """Pass."""


def access_in(opened: Opened) -> Access:
    """Return the access in an envelope of that kind."""
    if not isinstance(opened.statement, Access):
        raise MalformedError("this is not an access", rule="wrong-kind")
    return opened.statement


def _needs(opened: tuple[Opened, ...]) -> Needs:
    statements = [o.statement for o in opened if isinstance(o.statement, Activity)]
    named = [s.object for s in statements if isinstance(s, Access | Ack)]
    manifests = [o.statement for o in opened if isinstance(o.statement, Manifest)]
    first = [s for s in statements if isinstance(s, Case) and s.version == 1]
    return Needs(
        frozenset(s.case for s in statements),
        frozenset(
            o.statement.device for o in opened if isinstance(o.statement, Activity | Caseless)
        ),
        frozenset(o for o in named if o is not None),
        frozenset((s.members[0].node, s.number) for s in first),
        frozenset((s.device, s.of) for s in manifests),
    )
