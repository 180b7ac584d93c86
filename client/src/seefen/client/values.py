"""What the library gives back: plain frozen values. Times are unix seconds."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol

from seefen.protocol.messages import Cover, Message, Surface
from seefen.protocol.onward import Original


@dataclass(frozen=True, slots=True)
class ObjectView:
    """An object as a list shows it, from its cover alone."""

    ref: str
    number: int
    case: str
    type: str
    subject: str
    urgency: str
    due_at: int | None
    handling: str
    sender: str
    officer: str
    created_at: int
    recorded_at: int
    file: bool
    name: str
    size: int  # in bytes: of a file that was opened here its own, else of what is sealed
    state: str
    answer: str
    answered_by: str
    reply_to: str
    superseded_by: str
    recalled_by: str
    corrected_by: str
    items: str
    evaluation: str
    tlp: str
    unwitnessed: bool
    fetched: bool
    cover_open: bool
    cover: Cover | None = None
    surface: Surface | None = None  # of a file that was opened here
    flash: str = ""  # of an alert: asked, or who confirmed it
    preview_of: str = ""  # of one that is a preview: SHA-256 of its photograph, in hex
    expires_at: int = 0  # until when an alert matters, as its author signed; 0: always
    expired: bool = False  # that time is over


@dataclass(frozen=True, slots=True)
class AssignedView:
    """An officer who was assigned to a case, and by whom."""

    officer: str
    by: str
    at: int


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case or channel; ``objects`` only where one case is shown.

    It is ``lapsed`` where this device had it, until its key was renewed without it.
    """

    form: str
    number: str
    title: str
    owner: str
    members: tuple[str, ...]
    generation: int
    left_out: tuple[tuple[str, str], ...]
    object_count: int
    opened_at: int
    unread: int
    readable: bool
    purpose: str
    basis: str
    objects: tuple[ObjectView, ...] = ()
    assigned: tuple[AssignedView, ...] = ()
    lapsed: bool = False


@dataclass(frozen=True, slots=True)
class CorrectionView:
    """What was wrong in a message, and what is right; both empty until it is opened here."""

    ref: str
    recorded_at: int
    was: str
    now: str


@dataclass(frozen=True, slots=True)
class ChannelView:
    """Another channel in which the same is handled, and in which message that was said."""

    channel: str
    number: str
    asked: str
    date: str
    said_in: str
    node: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A body that was opened: its entry stands in the log.

    ``known`` says where its marks stand in the own vault, and ``common`` which of them stand
    in so many places that it says nothing. ``channels`` are those that it names itself, and
    those that a note about it names which is open here as well. ``corrections`` are what its
    own node said later was wrong in it. ``original`` is what was passed on in it, proved to be
    its author's; ``accepted_at``, when its terms were accepted here. ``related`` are alerts of
    the same crossing within a week, from their covers. What was ``written_here`` has the entry
    of its sending: nobody else's reading goes without one of its own.
    """

    view: ObjectView
    message: Message
    entry_index: int
    files: tuple[ObjectView, ...]
    known: tuple["Hit", ...] = ()
    common: tuple[str, ...] = ()
    channels: tuple[ChannelView, ...] = ()
    corrections: tuple["CorrectionView", ...] = ()
    original: Original | None = None
    accepted_at: int | None = None
    related: tuple[ObjectView, ...] = ()
    written_here: bool = False


@dataclass(frozen=True, slots=True)
class Reach:
    """How far an object got at one node."""

    node: str
    recorded_at: int
    delivered_at: int | None
    read_at: int | None
    answer: str | None
    answered_by: str
    answered_at: int | None
    left_out: str | None
    phone: str = ""
    since: int | None = None
    exercise: bool = False


@dataclass(frozen=True, slots=True)
class OwnAlert:
    """An alert of the own node that a node has not answered, and how far it got at each."""

    ref: str
    reach: tuple[Reach, ...]
    exercise: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of something to send: recorded with a reference, or queued."""

    ref: str | None
    queued: bool
    problem: str | None
    size: int
    left_out: tuple[tuple[str, str], ...] = ()
    index: int | None = None
    recorded_at: int | None = None
    files: tuple["Sent", ...] = ()
    remark: str = ""  # what its sender should know of a file


@dataclass(frozen=True, slots=True)
class WatchView:
    """A watch over a channel, as it stands in the log."""

    channel: str
    until: int
    entry_index: int
    purpose: str
    basis: str


@dataclass(frozen=True, slots=True)
class DueView:
    """Something that is open at a node: ours to answer, or owed to us. ``used`` is per cent.

    ``assigned`` are the officers of the own node who have its case.
    """

    ref: str
    case: str
    what: str
    sender: str
    node: str
    waits_for_us: bool
    due_at: int | None
    used: int
    urgency: str
    ours: str
    officer: str
    subject: str
    handling: str
    assigned: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WordView:
    """What a node itself said last of a request, like ``refused``; ``said`` names the ground."""

    state: str
    officer: str
    at: int
    said: str


@dataclass(frozen=True, slots=True)
class LifeView:
    """How a request stands at one node, and who moved it last. ``used`` is per cent.

    ``word`` is what the node had said where its asker has closed or withdrawn the request.
    """

    node: str
    state: str
    running: bool
    delivered_at: int | None
    due_at: int | None
    used: int
    officer: str
    moved_at: int | None
    said: str
    word: WordView | None = None


@dataclass(frozen=True, slots=True)
class RequestView:
    """A request, with one life for each node that is asked."""

    ref: str
    case: str
    type: str
    subject: str
    urgency: str
    handling: str
    asker: str
    ours: bool
    asked_at: int
    due_s: int
    exercise: bool
    lives: tuple[LifeView, ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """A place in the own vault where a mark was found, and how exactly.

    ``corrected_by`` is what says that something in it was wrong, perhaps this mark;
    ``replaced_by`` its newest version, which this device has not opened; ``unread`` all that was
    said of it later and is not open here: it may say that the mark is wrong. What stands in an
    ``exercise`` is not real, however exact.
    """

    ref: str
    field: str
    text: str
    exactness: str
    sender: str
    created_at: int
    subject: str
    corrected_by: str = ""
    replaced_by: str = ""
    unread: tuple[str, ...] = ()
    exercise: bool = False


@dataclass(frozen=True, slots=True)
class Unopened:
    """What came and was never opened on this device: no search looks into it.

    ``alert`` and ``message`` are references of the newest ones, empty for none. ``closed`` are
    those to which this device holds no key. ``watched``: it is on watch.
    """

    alerts: int = 0
    messages: int = 0
    closed: int = 0
    alert: str = ""
    message: str = ""
    watched: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found in the own vault: covers, the newest first, and what it covered.

    ``cases`` are those in whose title all words stand, where this device may read it.

    ``searched`` are the bodies that were looked through, ``closed`` those that are not open.
    ``entry`` is where the log says that it was done; None while that waits.
    """

    words: tuple[str, ...]
    views: tuple[ObjectView, ...]
    more: bool
    searched: int
    closed: int
    entry: int | None = None
    unopened: Unopened = Unopened()
    cases: tuple[CaseView, ...] = ()

    @property
    def count(self) -> int:
        """How many are shown."""
        return len(self.views) + len(self.cases)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What the own vault says to a mark, and what was searched; ``entry`` as in :class:`Found`."""

    exact: tuple[Hit, ...]
    look_alike: tuple[Hit, ...]
    possible: tuple[Hit, ...]
    searched: int
    scripts: tuple[str, ...]
    key: str
    entry: int | None = None
    unopened: Unopened = Unopened()

    @property
    def count(self) -> int:
        """In how many places it stands, in one way or another."""
        return len(self.exact) + len(self.look_alike) + len(self.possible)


@dataclass(frozen=True, slots=True)
class DeviceView:
    """A device of the own node."""

    device: str
    officer: str
    node: str
    roles: tuple[str, ...]
    expires: int
    revoked: str
    revoked_at: int | None
    ours: bool
    last_seen: int | None = None


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node; ``in_force`` says why not, or None."""

    name: str
    title: str
    in_force: str | None
    devices: int


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync brought."""

    new: int
    alarms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened just now."""

    at: int
    what: str
    case: str
    ref: str
    text: str


class Read(Protocol):
    """Opens a message by its reference: what a whole client lends to its parts."""

    def __call__(
        self,
        ref: str,
        purpose: str | None = None,
        basis: str | None = None,
        reason: str = "",
        *,
        accept: bool = False,
    ) -> Awaitable[Opened]:
        """Open it."""
        ...
