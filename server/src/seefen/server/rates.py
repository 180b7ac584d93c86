"""How often one may try: limits by address, and by device only after it proved itself.

An outsider who fails in the name of a device slows down his own address and nothing else,
so nobody can be locked out by somebody else's bad logins (attack 57).
"""

import ipaddress
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Final

from seefen.protocol.errors import RefusedError, SeefenError
from seefen.protocol.statements import AUTHORITY_KINDS
from seefen.server.config import Config
from seefen.server.errors import TooManyError

DAY: Final = 86_400  # seconds
RECORDS: Final = 5000  # of keys, by one node in a day; one of a thousand devices joins within one
AT_ONCE: Final = 16  # requests of one caller; our own client has four at most
_KEYS: Final = 10_000  # remembered at once; the oldest is forgotten first


class Window:
    """Counts events of the last seconds, by key."""

    def __init__(self, most: int, seconds: int) -> None:
        """Allow ``most`` events of one key in ``seconds``."""
        self.most = most
        self.seconds = seconds
        self._events: OrderedDict[object, deque[float]] = OrderedDict()

    def take(self, key: object, now: float) -> int:
        """Count an event, or return how many seconds too early it is (then not counted)."""
        events = self._of(key, now)
        if len(events) >= self.most:
            oldest = events[0] if events else now  # none at all may be allowed
            return max(1, int(oldest + self.seconds - now) + 1)
        events.append(now)
        return 0

    def left(self, key: object, now: float) -> int:
        """Return how many events of a key are allowed now."""
        return self.most - len(self._of(key, now))

    def give_back(self, key: object) -> None:
        """Take the last event of a key back."""
        events = self._events.get(key)
        if events:
            events.pop()

    def _of(self, key: object, now: float) -> deque[float]:
        events = self._events.setdefault(key, deque())
        self._events.move_to_end(key)
        while events and events[0] <= now - self.seconds:
            events.popleft()
        if len(self._events) > _KEYS:
            self._events.popitem(last=False)
        return events


class Records:
    """How many records of keys each node has written within a day.

    Every device of the network keeps them all and checks each signature, for ever: with one
    stolen admin's device, certificates by the hundred thousand would be everybody's burden.
    By node, since that admin makes himself as many devices as he likes, and each may bring them.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Know of none; ``clock`` gives seconds."""
        self._clock = clock
        self._written = Window(RECORDS, DAY)

    @contextmanager
    def of(self, node: str, kinds: Sequence[str]) -> Generator[None, None, None]:
        """Count records while they are written, and given back if they are not.

        Counted before, or all bundles that are on their way at once would find the same room.
        What is too many is refused; a device that is lost can be revoked all the same.

        Args:
            node: Of who brings it; empty: nobody is logged in.
            kinds: Of its statements.

        Raises:
            RefusedError: rule ``records``.
        """
        count = sum(kind in AUTHORITY_KINDS for kind in kinds) if node else 0
        now = self._clock()
        if count > self._written.left(node, now) and not set(kinds) <= {"revoke"}:
            raise RefusedError(
                f"your node has written {RECORDS} records of keys within a day", rule="records"
            )
        taken = sum(not self._written.take(node, now) for _ in range(count))
        try:
            yield
        except SeefenError as err:
            # Where the mark cannot be written they stand. Where the database is away they do not,
            # and an honest node brings the same ones again and again.
            for _ in range(0 if err.rule == "high-water" else taken):
                self._written.give_back(node)
            raise


class Turns:
    """How many requests of one caller are worked on at once.

    Each may bring four megabytes, or take eight, at a kilobyte a second: a device with a thousand
    of them would need more memory than the broker has.
    """

    def __init__(self, most: int = AT_ONCE) -> None:
        """Let each caller have ``most``."""
        self._most = most
        self._taken: Counter[str] = Counter()

    @contextmanager
    def of(self, caller: str) -> Generator[None, None, None]:
        """Take a turn of a device, or of whoever holds an invite.

        Raises:
            TooManyError: rule ``busy``.
        """
        if self._taken[caller] >= self._most:
            raise _too_many(f"{self._most} requests of yours are worked on", "busy", 1)
        self._taken[caller] += 1
        try:
            yield
        finally:
            self._taken[caller] -= 1
            if not self._taken[caller]:
                del self._taken[caller]


class Rates:
    """The limits of one broker process."""

    def __init__(self, config: Config, clock: Callable[[], float]) -> None:
        """Take the limits from ``config``; ``clock`` gives seconds."""
        self._clock = clock
        self._block_seconds = config.block_seconds
        self._logins = Window(config.logins_per_minute_per_address, 60)
        self._devices = Window(config.logins_per_hour_per_device, 3600)
        # The last of the bad proofs that are allowed starts the block.
        self._proofs = Window(config.bad_proofs_before_block - 1, config.block_seconds)
        self._blocked: OrderedDict[str, float] = OrderedDict()

    def require_open(self, address: str) -> None:
        """Refuse an address that is blocked, before any signature costs time.

        Raises:
            TooManyError: rule ``blocked``.
        """
        left = self._blocked.get(_network(address), 0.0) - self._clock()
        if left > 0:
            raise _too_many("too many bad logins came from your address", "blocked", int(left) + 1)

    def login(self, address: str) -> None:
        """Count a login from an address, until it has proved a device.

        Raises:
            TooManyError: rule ``rate``.
        """
        early = self._logins.take(_network(address), self._clock())
        if early:
            raise _too_many("too many logins from your address", "rate", early)

    def logged_in(self, address: str, device: bytes) -> None:
        """Count a login for the device that has proved to be it, and not for its address.

        Behind one address of a ministry a whole shift logs in at seven o'clock.

        Raises:
            TooManyError: rule ``rate``.
        """
        self._logins.give_back(_network(address))
        early = self._devices.take(device, self._clock())
        if early:
            raise _too_many("this device logs in too often", "rate", early)

    def bad_proof(self, address: str) -> bool:
        """Count a failed proof; returns whether the address is blocked from now on."""
        now, key = self._clock(), _network(address)
        if not self._proofs.take(key, now):
            return False
        self._blocked[key] = now + self._block_seconds
        self._blocked.move_to_end(key)
        if len(self._blocked) > _KEYS:
            self._blocked.popitem(last=False)
        return True


def _too_many(message: str, rule: str, seconds: int) -> TooManyError:
    return TooManyError(f"{message}: try again in {seconds} seconds", rule=rule, seconds=seconds)


def _network(address: str) -> str:
    # One customer commonly has a whole /64: to change the last half costs him nothing.
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is None:
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)
