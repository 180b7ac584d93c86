"""The witness of an agent: it cosigns both logs at each round, where its key lies in the home.

``seefen witness`` has put the key there; the root statement says whether it counts. What it
refuses to sign is an alarm, and both heads are kept in its folder.
"""

from pathlib import Path
from typing import Final

from seefen.client.agent.alarms import CRITICAL, NOTICE, WARNING, Alarms
from seefen.client.connection import LoginError, UnreachableError
from seefen.client.mirroring import Logs
from seefen.client.witnessing import Uncosigned, Witness
from seefen.protocol.errors import SeefenError
from seefen.protocol.statements import Root

UNNAMED: Final = "witness-unnamed"
FAILED: Final = "witness-failed"
REFUSED: Final = "witness-refused"


class Cosigner:
    """The witness in one folder, or none where there is no folder."""

    def __init__(self, folder: Path, logs: Logs, alarms: Alarms) -> None:
        self.folder = folder
        self._logs = logs
        self._alarms = alarms
        self._witness: Witness | None = None
        self._root: Root | None = None

    async def turn(self) -> None:
        """Cosign what the broker shows to witnesses now; say what is wrong instead of raising.

        Raises:
            UnreachableError, LoginError: No broker, or not for this device.
        """
        try:
            witness = self._opened()
            refused = [] if witness is None else await self._logs.cosign(witness)
        except (UnreachableError, LoginError):
            raise
        except SeefenError as err:
            self._say(err)
            return
        if witness is not None:
            self._alarms.over(FAILED)
        if witness is not None and not refused:
            self._alarms.over(REFUSED)
        for one in refused:
            self._refuse(one)

    def close(self) -> None:
        """Close the witness's file of heads."""
        if self._witness is not None:
            self._witness.close()
        self._witness = self._root = None

    def _opened(self) -> Witness | None:
        """Return the witness under the newest root statement; another one may have left it out."""
        if not self.folder.exists():
            return None
        if self._root != self._logs.root:
            self.close()
            self._witness = Witness.open(self.folder, self._logs.root)
            self._root = self._logs.root
            self._alarms.over(UNNAMED)
        return self._witness

    def _say(self, err: SeefenError) -> None:
        if err.rule == "no-witness":
            text = f"{self.folder} is a witness that the root statement does not name: it is idle"
            self._alarms.ring(UNNAMED, NOTICE, text)
            return
        self._alarms.ring(FAILED, WARNING, f"nothing is cosigned: {err}")

    def _refuse(self, one: Uncosigned) -> None:
        self._alarms.ring(REFUSED, CRITICAL, f"{one.text} [{one.rule}]", one.evidence)
