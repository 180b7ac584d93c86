"""Tokens: a device proves its login key and gets one; each use proves that it holds it.

A token is 256 random bits that live ten minutes. Only its hash is stored, tied to the
device and to the key of its proofs, and the device's status is looked up at every use:
a revocation works at once, and a stolen table logs nobody in.

Nonces are made from a secret of this process, so a proof is good in this process alone
and the memory of proofs already seen needs no table.
"""

import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from seefen.protocol.directory import Directory
from seefen.protocol.errors import UntrustedError
from seefen.protocol.login import Claims, check_assertion, check_proof, nonces_at
from seefen.protocol.suite import PlainKey, random_bytes

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TokenRow:
    """What is known of a token: whose, by which proof key, until when."""

    device: bytes
    jkt: str
    expires: int


class TokenTable(Protocol):
    """Where the hashes of tokens are kept."""

    def add(self, token_hash: bytes, row: TokenRow, *, now: int) -> Awaitable[None]:
        """Store a token, and forget those that ended before ``now``."""
        ...

    def find(self, token_hash: bytes) -> Awaitable[TokenRow | None]:
        """Return a token by its hash."""
        ...


class SeenProofs:
    """The proofs used in the minutes in which their nonces are good."""

    def __init__(self) -> None:
        self._minutes: dict[int, set[str]] = {}

    def take(self, jti: str, now: int) -> None:
        """Remember a proof.

        Raises:
            UntrustedError: It was used before (attack 40).
        """
        minute = now // 60
        # A nonce is good for two minutes at most, so three cover every proof that counts.
        for old in [m for m in self._minutes if m < minute - 2]:
            del self._minutes[old]
        if any(jti in seen for seen in self._minutes.values()):
            raise UntrustedError("this proof was used before", rule="login")
        self._minutes.setdefault(minute, set()).add(jti)


class Tokens:
    """Gives tokens and checks them."""

    def __init__(
        self,
        table: TokenTable,
        *,
        url: str,
        seconds: int,
        directory: Callable[[], Directory],
        look: Callable[[], Awaitable[None]],
        clock: Callable[[], int],
    ) -> None:
        """Serve the broker whose configured address is ``url``; tokens live ``seconds``.

        ``look`` returns when ``directory`` has what other processes wrote until it was called.
        """
        self._table = table
        self._url = url
        self._seconds = seconds
        self._directory = directory
        self._look = look
        self._clock = clock
        self._secret = random_bytes(32)
        self._seen = SeenProofs()
        # Stands in for a device nobody knows, so that its login fails like any other.
        self._nobody = PlainKey.generate().public

    @property
    def seconds(self) -> int:
        """How long a token lives."""
        return self._seconds

    def nonce(self) -> str:
        """Return the nonce that assertions and proofs of this minute must carry."""
        return nonces_at(self._secret, self._clock())[0]

    async def check_login(self, assertion: str, proof: str, path: str) -> TokenRow:
        """Return the token row that an assertion and its proof earn; nothing is stored.

        Raises:
            MalformedError: One of the two is not the one form it has.
            UntrustedError: They do not prove a device in force. An unknown device and a
                bad signature are one answer; only who signed rightly hears more.
            UnreachableError: The database does not say whether there is such a device.
        """
        now = self._clock()
        nonces = nonces_at(self._secret, now)
        proved = check_proof(proof, "POST", self._url + path, nonces)
        claims = await self._claims(assertion, nonces, now)
        if claims.jkt != proved.jkt:
            raise UntrustedError("the proof is of another key than the login names", rule="login")
        self._seen.take(proved.jkt + proved.jti, now)
        self._seen.take(claims.device.hex() + claims.jti, now)
        await self._require_active(claims.device, now)
        return TokenRow(claims.device, claims.jkt, now + self._seconds)

    async def _claims(self, assertion: str, nonces: tuple[str, ...], now: int) -> Claims:
        try:
            return check_assertion(assertion, self._login_key, self._url, nonces, now)
        except UntrustedError as err:
            if err.rule != "login":
                raise
        # Another process may have let it in. Looked at for a device that is known, too: else the
        # time that the answer takes would tell a stranger which devices there are.
        await self._look()
        return check_assertion(assertion, self._login_key, self._url, nonces, now)

    async def _require_active(self, device: bytes, now: int) -> None:
        try:
            self._directory().require_active(device, at=now)
        except UntrustedError:
            await self._look()
            self._directory().require_active(device, at=now)

    async def issue(self, row: TokenRow) -> str:
        """Return a new token for what :meth:`check_login` has proved."""
        token = secrets.token_urlsafe(32)
        await self._table.add(_hash(token), row, now=self._clock())
        return token

    async def check(self, token: str, proof: str, method: str, path: str) -> TokenRow:
        """Return whose token this is, once the proof shows that the caller holds it.

        Raises:
            MalformedError: The proof is not the one form it has.
            UntrustedError: No such token, ended, used without its key, a proof seen
                before, or a device no longer in force.
        """
        now = self._clock()
        nonces = nonces_at(self._secret, now)
        proved = check_proof(proof, method, self._url + path, nonces, token)
        self._seen.take(proved.jkt + proved.jti, now)
        row = await self._table.find(_hash(token)) if _TOKEN.fullmatch(token) else None
        if row is None or row.jkt != proved.jkt:
            # Attack 39: a token alone, read from a log or a wire, is worth nothing.
            raise UntrustedError("this token is not yours", rule="login")
        if row.expires <= now:
            raise UntrustedError("this login has ended: log in again", rule="ended")
        await self._require_active(row.device, now)
        return row

    def _login_key(self, device: bytes) -> bytes:
        try:
            return self._directory().device(device).auth
        except UntrustedError:
            return self._nobody


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
