"""The agent: sees every new head, cosigns it, keeps all that it covers, says what is wrong.

It stands on the library alone. It cosigns at each round, also where nothing is new: a quiet log
stays fresh by that alone. And before it mirrors: a full disk must not take the quorum away.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from seefen.client.agent.alarms import CRITICAL, MISMATCH, NOTICE, WARNING, WITHHELD, Alarms
from seefen.client.agent.cosigning import Cosigner
from seefen.client.agent.mirror import LogMirror, MirrorError
from seefen.client.agent.openings import Openings
from seefen.client.agent.own_keys import OwnKeys
from seefen.client.client import Client
from seefen.client.connection import LoginError, UnreachableError
from seefen.client.evidence import keep_evidence
from seefen.client.mirroring import LOGS, Newest
from seefen.protocol.errors import RefusedError, SeefenError, UntrustedError
from seefen.protocol.ledger.tree import check_consistency

FOLDER: Final = "agent"  # in the home of the device
ROUND_SECONDS = 10.0  # no constant: a test and the demo have less time
LOOK_SECONDS: Final = 0.5  # in which it is seen that an officer opens a case in an emergency
RETRY: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 60.0)
STALE_SECONDS: Final = 600
NO_QUORUM: Final = "no-quorum"
MISSING: Final = "missing-opening"
LATE: Final = "manifest-late"
COMPARE_SECONDS: Final = 86_400  # as often as network auditors write manifests
CHUNK: Final = 1 << 16  # leaves that are held in memory at once


class Agent:
    """One agent on an open client."""

    def __init__(
        self,
        client: Client,
        folder: Path,
        *,
        witness: Path,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Put the parts together.

        Args:
            client: Of the agent's device.
            folder: For alarms and the mirror.
            witness: The folder of its witness; it is none where that is not there.
            clock: Unix seconds.
        """
        self.folder = folder
        self.alarms = Alarms(folder / "alarms.jsonl", lambda: int(clock()))
        self.own_keys = OwnKeys(folder, client.node)
        self.openings = Openings(folder / "mirror" / "entries")
        self.mirrors = {log: LogMirror(folder / "mirror" / log) for log in LOGS}
        self.cosigner = Cosigner(witness, client.logs, self.alarms)
        self._client = client
        self._clock = clock
        self._began = clock()
        self._newest_at = 0
        self._compared_at = 0.0
        self._tries = 0
        self._accused: set[str] = set()

    def load(self) -> None:
        """Take up the mirror; one that is not whole is put aside, and filled anew."""
        for log, mirror in self.mirrors.items():
            try:
                mirror.load(partial(self._client.logs.verify, log))
            except MirrorError as err:
                aside = mirror.folder.with_name(f"{log}.damaged-{int(self._clock())}")
                mirror.folder.rename(aside)
                text = f"the mirror was damaged and is filled anew ({err}); it is in {aside}"
                self.alarms.ring("mirror-damaged", WARNING, text, aside)
                self.mirrors[log] = LogMirror(mirror.folder)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; a broker that is away is asked again, less and less often."""
        self.load()
        try:
            while not stop.is_set():
                await self._rest(stop, await self._try_round())
        finally:
            self.cosigner.close()

    async def round(self) -> None:
        """See what is new, cosign it, keep it, and look whether all is well.

        Raises:
            SeefenError: What :meth:`run` makes an alarm of.
            OSError: The mirror cannot be written.
        """
        logs = self._client.logs
        await logs.sync()
        await self.cosigner.turn()
        for log in LOGS:
            newest = logs.newest(log)
            if newest is not None:
                self._newest_at = max(self._newest_at, newest.at)
                await self._mirror(newest)
        self._watch_own_keys()
        await self._open()
        for sentence in self._client.logs.withheld():
            self.alarms.ring(WITHHELD, CRITICAL, sentence)
        await self._publish()
        await self._keep_up()
        await self._compare()  # last: what comes here may be long, or not what was asked

    async def _try_round(self) -> float:
        try:
            await self.round()
        except UnreachableError as err:
            self._unreachable(err)
        except LoginError as err:
            self.alarms.ring("shut-out", CRITICAL, f"the broker does not let this agent in: {err}")
        except SeefenError as err:
            self._accuse(err)
        except OSError as err:
            text = f"the mirror cannot be written ({err.strerror}): make room on {self.folder}"
            self.alarms.ring("mirror-disk", CRITICAL, text)
        else:
            self._tries = 0
            for kind in ("broker-frozen", "shut-out", "mirror-disk", *self._accused):
                self.alarms.over(kind)
            self._accused.clear()
            self._look_at_time()
            return ROUND_SECONDS
        self._look_at_time()
        self._tries += 1
        return RETRY[min(self._tries, len(RETRY)) - 1]

    async def _rest(self, stop: asyncio.Event, pause: float) -> None:
        """Wait for the next round; what a keyholder is asked for meanwhile has no time to wait."""
        loop = asyncio.get_running_loop()
        end = loop.time() + pause
        while not stop.is_set() and (left := end - loop.time()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), min(left, LOOK_SECONDS))
            if self._client.duty.assigning.is_stirred:
                with suppress(SeefenError):  # the next round meets it again, and says it
                    await self._assign()

    async def _mirror(self, newest: Newest) -> None:
        mirror, head = self.mirrors[newest.log], newest.checkpoint
        while mirror.size < head.size:
            stop = min(head.size, mirror.size + CHUNK)
            leaves = await self._leaves(newest.log, mirror.size, stop)
            staged = await asyncio.to_thread(mirror.stage, leaves)
            if staged.size != stop:
                raise UntrustedError(
                    f"the {newest.log} log ends at {staged.size} entries, and {head.size} were "
                    "signed",
                    rule="withheld",
                )
            whole = stop == head.size
            proof = () if whole else await self._client.logs.prove(newest.log, stop, head.size)
            # Nothing is kept that is not a part of what was signed.
            check_consistency(staged.size, staged.root, head.size, head.root, proof)
            await asyncio.to_thread(mirror.keep, staged, newest.note if whole else "")

    async def _leaves(self, log: str, start: int, stop: int) -> list[bytes]:
        if log == "authority":
            return [leaf.envelope for leaf in self._client.logs.authority(start, stop)]
        return await self._client.logs.records(start, stop)

    def _watch_own_keys(self) -> None:
        newest = self._client.logs.newest("authority")
        if newest is None:
            return
        size, start = newest.checkpoint.size, self.own_keys.size
        if start < 0:
            self._say_what_is_known(size)
        for leaf in self._client.logs.authority(max(start, 0), size) if start >= 0 else ():
            found = self.own_keys.judge(leaf, int(self._clock()))
            if found is not None:
                name = f"authority-{leaf.index}.json"
                value = {
                    "log": "authority", "index": leaf.index, "kind": leaf.kind,
                    "envelope": leaf.envelope.hex(), "under": newest.note,
                }  # fmt: skip
                keep_evidence(self._client.logs.evidence, name, value)
                self.alarms.ring(*found, self._client.logs.evidence / name)
        self.own_keys.seen(size)

    def _say_what_is_known(self, size: int) -> None:
        devices = [d for d in self._client.devices.list() if not d.revoked]
        names = ", ".join(f"{d.device[:8]} ({d.officer or 'agent'})" for d in devices)
        text = (
            f"from entry {size} of the authority log on; in force at {self._client.node}: {names}"
        )
        self.alarms.ring("watching-keys", NOTICE, text)

    async def _open(self) -> None:
        """Keep what opens the entries of the own node, as far as its role may see them."""
        for source in ("fed", "audited"):
            while True:
                cursors = self.openings.cursors()
                before = getattr(cursors, source)
                found, upto = await getattr(self._client.logs, source)(before)
                if upto <= before:
                    break
                setattr(cursors, source, upto)
                await asyncio.to_thread(self.openings.keep, found, cursors)

    async def _publish(self) -> None:
        """Say once a day what each node must have been shown, where this device sees all."""
        audit = self._client.audit
        if not audit.manifests.is_due():
            return
        made = await audit.manifests.publish()
        closed = tuple(audit.manifests.problems())
        for sentence in closed:
            self.alarms.ring(MISSING, CRITICAL, sentence)
        if not closed:
            self.alarms.over(MISSING)
        nodes = len({one.of for one in made})
        upto = max((one.upto for one in made), default=0)
        text = f"manifests for {nodes} nodes were published, of all entries before {upto}"
        self.alarms.ring("manifests", NOTICE, text)

    async def _compare(self) -> None:
        """Say once a day, and at the start, what manifests name and was not shown here."""
        audit, now = self._client.audit, self._clock()
        # The broker shows an agent that is no auditor neither manifests nor entries.
        if not audit.is_auditor or 0 <= now - self._compared_at < COMPARE_SECONDS:
            return
        found = await audit.compare()
        for sentence, evidence in audit.unexplained():
            self.alarms.ring(MISMATCH, CRITICAL, sentence, evidence)
        overdue = [one.sentence for one in found.late if one.overdue]
        for sentence in overdue:  # who hides a manifest, too, is found by this alone
            self.alarms.ring(LATE, WARNING, sentence)
        if not overdue:
            self.alarms.over(LATE)
        self._compared_at = now

    async def _keep_up(self) -> None:
        """Do what falls to a device that is always there, as far as its role lets it."""
        try:
            kept = await self._client.upkeep.look()
            await self._assign()
        except RefusedError as err:
            self.alarms.ring("upkeep-failed", WARNING, f"keys stay as they are: {err}")
            return
        if not kept.failed:
            self.alarms.over("upkeep-failed")
        for name, failed in kept.failed:
            severity = CRITICAL if isinstance(failed, UntrustedError) else WARNING
            self.alarms.ring("upkeep-failed", severity, f"a key stays as it is: {name}: {failed}")
        for name in kept.renewed:
            self.alarms.ring("key-renewed", NOTICE, f"{name}: a device of your node was revoked")
        self.alarms.over("key-renewed")  # each is said, also the same once more

    async def _assign(self) -> None:
        for name, officer in await self._client.duty.assigning.look():
            self.alarms.ring("assigned", NOTICE, f"{name} to {officer}: by roster or emergency")
        self.alarms.over("assigned")

    def _unreachable(self, err: UnreachableError) -> None:
        if err.rule not in ("frozen", "high-water"):
            return  # the head grows old, and that is said when it is
        self.alarms.ring("broker-frozen", CRITICAL, f"{err}. {self._offer()}")

    def _accuse(self, err: SeefenError) -> None:
        rule = err.rule or "untrusted"
        found = sorted(self._client.logs.evidence.glob(f"*-{rule}-*.json"))
        text = f"{err}. {self._offer()}" if rule in ("rewind", "consistency") else str(err)
        self._accused.add(rule)
        self.alarms.ring(rule, CRITICAL, text, found[-1] if found else None)

    def _offer(self) -> str:
        sizes = ", ".join(f"{log} {mirror.size}" for log, mirror in self.mirrors.items())
        return (
            f"If its operator has put a backup back: the mirror here reaches {sizes}. Copy "
            f"{self.folder / 'mirror'} to the broker, then there: seefen-server recover --from COPY"
        )

    def _look_at_time(self) -> None:
        self._look_for_quorum()
        if self._clock() - self._newest_at <= STALE_SECONDS:
            self.alarms.over("stale-head")
            return
        if self._newest_at:
            at = _moment(self._newest_at)
            text = f"nothing newer was signed than at {at}: a revocation may be withheld"
        else:
            text = "no signed head could be had since the start"
        self.alarms.ring("stale-head", CRITICAL, text)

    def _look_for_quorum(self) -> None:
        logs = self._client.logs
        if logs.newest("authority") is None:
            return  # nothing was seen yet at all, and that is said when it lasts
        needed, at = logs.root.quorum, logs.witnessed_at
        # A new network's witnesses join one after another.
        if not needed or self._clock() - max(at, self._began) <= STALE_SECONDS:
            self.alarms.over(NO_QUORUM)
            return
        since = f"since {_moment(at)}" if at else "yet"
        text = f"no quorum of {needed} witnesses has seen the log {since}: see who is away"
        self.alarms.ring(NO_QUORUM, CRITICAL, text)


def _moment(at: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))
