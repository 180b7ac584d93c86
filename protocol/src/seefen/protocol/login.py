"""Login: a device proves its key once, and every later request that it holds the token.

An *assertion* is a JWT signed by the device's login key; the broker gives a token for it.
A *proof* (DPoP, RFC 9449) is a JWT signed by a key that the client draws at its start and
that the assertion names: a token read from a log or a wire is worth nothing without it.

The format is ``docs/spec/login.md``; its vectors are ``tests/vectors/login``. Whether a
``jti`` was seen before is the broker's memory, and so is whether the device is in force.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, NoReturn, TypeAlias, TypeVar

import jwt
import msgspec
from jwt.algorithms import OKPAlgorithm
from msgspec import UNSET, Meta, Struct, UnsetType

from seefen.protocol.errors import MalformedError, UntrustedError
from seefen.protocol.suite import P, PlainKey, check_plain, random_bytes

LIFETIME: Final = 60  # seconds
# A laptop at a border post comes back with a dead battery and yesterday's date. What makes
# an assertion fresh is the nonce; this only refuses one made for another week.
CLOCK_TOLERANCE: Final = 24 * 3600

_LONGEST: Final = 4096
_ALGORITHM: Final = "EdDSA"
_ASSERTION: Final = "seefen-auth+jwt"
_PROOF: Final = "dpop+jwt"
_PART: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
T = TypeVar("T")

_Hex16: TypeAlias = Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]
_Base64of16: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{22}\Z")]
_Base64of32: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{43}\Z")]
_Seconds: TypeAlias = Annotated[int, Meta(ge=0, le=2**53 - 1)]


@dataclass(frozen=True)
class Claims:
    """What a good assertion says: the device, its proof key's thumbprint, a unique id."""

    device: bytes
    jkt: str
    jti: str


@dataclass(frozen=True)
class Proof:
    """What a good proof says: the thumbprint of the key that made it, and a unique id."""

    jkt: str
    jti: str


class _Exact(Struct, forbid_unknown_fields=True):
    """Exactly these names: no ``jwk``, ``jku``, ``x5u`` or ``crit`` slips in."""


class _AssertionHeader(_Exact):
    typ: Literal["seefen-auth+jwt"]
    alg: Literal["EdDSA"]
    kid: _Hex16


class _Confirmation(_Exact):
    jkt: _Base64of32


class _AssertionClaims(_Exact):
    iss: _Hex16
    sub: _Hex16
    aud: str
    iat: _Seconds
    exp: _Seconds
    jti: _Base64of16
    nonce: str
    cnf: _Confirmation


class _Jwk(_Exact):
    crv: Literal["Ed25519"]
    kty: Literal["OKP"]
    x: _Base64of32


class _ProofHeader(_Exact):
    typ: Literal["dpop+jwt"]
    alg: Literal["EdDSA"]
    jwk: _Jwk


class _ProofClaims(_Exact):
    jti: _Base64of16
    htm: str
    htu: str
    iat: _Seconds
    nonce: str
    ath: _Base64of32 | UnsetType = UNSET


def jkt(public: bytes) -> str:
    """Return the thumbprint (RFC 7638) of an Ed25519 public key."""
    # The RFC's order of names and no spaces; the dictionary is already in that order.
    return _base64(hashlib.sha256(_compact(_jwk(public))).digest())


def make_nonce(secret: bytes, minute: int) -> str:
    """Return the broker's nonce of a minute since 1970: no table, the same in each process."""
    message = P + b"login-nonce\0" + minute.to_bytes(8, "big")
    return _base64(hmac.digest(secret, message, "sha256")[:16])


def nonces_at(secret: bytes, at: int) -> tuple[str, str]:
    """Return the nonces good at a Unix time: of this minute, to hand out, and the last."""
    minute = at // 60
    return make_nonce(secret, minute), make_nonce(secret, minute - 1)


def make_assertion(
    auth: PlainKey, device_hex: str, audience: str, nonce: str, jkt: str, at: int
) -> str:
    """Return an assertion for the broker whose configured address is ``audience``."""
    claims = {
        "iss": device_hex,
        "sub": device_hex,
        "aud": audience,
        "iat": at,
        "exp": at + LIFETIME,
        "jti": _base64(random_bytes(16)),
        "nonce": nonce,
        "cnf": {"jkt": jkt},
    }
    return _sign(auth, {"typ": _ASSERTION, "kid": device_hex}, claims)


def check_assertion(
    token: str,
    public_for: Callable[[bytes], bytes],
    audience: str,
    nonces: Collection[str],
    at: int,
) -> Claims:
    """Return what an assertion says, once the device's login key vouches for it.

    ``public_for`` gives the login key of a device id and raises for an unknown one. The
    key comes from there alone, never from the token.

    Raises:
        MalformedError: Not the one form an assertion has.
        UntrustedError: Signed by another key, for another broker, with a nonce that is not
            ours (rule "stale-nonce"), or of another day (rule "clock").
    """
    header, claims = _read(token, _AssertionHeader, _AssertionClaims)
    device = bytes.fromhex(header.kid)
    _verify(token, public_for(device))
    if not claims.iss == claims.sub == header.kid:
        raise _refused("the assertion speaks for another device than signed it")
    if claims.aud != audience:
        raise _refused("the assertion is for another broker")
    if not 0 < claims.exp - claims.iat <= LIFETIME:
        raise _refused(f"an assertion lives at most {LIFETIME} seconds")
    if abs(at - claims.iat) > CLOCK_TOLERANCE:
        raise UntrustedError("the clock of this machine is wrong by a day or more", rule="clock")
    _require_fresh(claims.nonce, nonces)
    return Claims(device, claims.cnf.jkt, claims.jti)


def make_proof(
    dpop: PlainKey, method: str, url: str, nonce: str, at: int, access_token: str | None = None
) -> str:
    """Return a proof for one request, and for the token if the request carries one."""
    claims: dict[str, Any] = {
        "jti": _base64(random_bytes(16)),
        "htm": method,
        "htu": url,
        "iat": at,
        "nonce": nonce,
    }
    if access_token is not None:
        claims["ath"] = _token_hash(access_token)
    return _sign(dpop, {"typ": _PROOF, "jwk": _jwk(dpop.public)}, claims)


def check_proof(
    token: str, method: str, url: str, nonces: Collection[str], access_token: str | None = None
) -> Proof:
    """Return whose proof this is; the caller compares ``jkt`` with the token's.

    ``url`` is built from the broker's configured address, not from the request's Host.
    The client's clock is not asked: the nonce is ours and two minutes old at most.

    Raises:
        MalformedError: Not the one form a proof has.
        UntrustedError: For another method, address or token, with a nonce that is not
            ours (rule "stale-nonce"), or not signed by the key it shows.
    """
    header, claims = _read(token, _ProofHeader, _ProofClaims)
    public = _from_base64(header.jwk.x)
    _verify(token, public)
    if claims.htm != method or claims.htu != url:
        raise _refused("the proof is for another request")
    if claims.ath != (UNSET if access_token is None else _token_hash(access_token)):
        raise _refused("the proof is for another token")
    _require_fresh(claims.nonce, nonces)
    return Proof(jkt(public), claims.jti)


def _sign(key: PlainKey, header: dict[str, Any], claims: dict[str, Any]) -> str:
    private = OKPAlgorithm.from_jwk({**_jwk(key.public), "d": _base64(key.secret)})
    return _JWS.encode(_compact(claims), private, _ALGORITHM, headers=header)  # type: ignore[arg-type]


def _verify(token: str, public: bytes) -> None:
    check_plain(public)  # PyJWT takes a key of small order, under which all tokens verify
    try:
        _JWS.decode(token, OKPAlgorithm.from_jwk(_jwk(public)), algorithms=[_ALGORITHM])  # type: ignore[arg-type]
    except jwt.PyJWTError as err:
        raise _refused("the signature is not of this key and this token") from err


_JWS: Final = jwt.PyJWS(algorithms=[_ALGORITHM])

H = TypeVar("H")
C = TypeVar("C")


def _read(token: str, header: type[H], claims: type[C]) -> tuple[H, C]:
    """Return header and claims, read strictly and not yet verified.

    PyJWT would take two claims of one name, a time as text and any ``typ``.
    """
    parts = token.split(".") if len(token) <= _LONGEST else []
    if len(parts) != 3:
        raise MalformedError("this is not a signed token")
    first, second, _ = (_from_base64(part) for part in parts)
    return _from_json(first, header), _from_json(second, claims)


def _from_json(data: bytes, type_: type[T]) -> T:
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_once,
            parse_float=_no_number,
            parse_constant=_no_number,
        )
        return msgspec.convert(value, type=type_, strict=True)
    except (ValueError, RecursionError) as err:
        raise MalformedError("this token does not say exactly what it must") from err


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a name stands twice")
    return fields


def _no_number(_: str) -> NoReturn:
    raise ValueError("only whole numbers")


def _require_fresh(nonce: str, nonces: Collection[str]) -> None:
    if nonce not in nonces:
        raise UntrustedError("this login took too long: try again", rule="stale-nonce")


def _refused(message: str) -> UntrustedError:
    return UntrustedError(message, rule="login")


def _jwk(public: bytes) -> dict[str, str]:
    return {"crv": "Ed25519", "kty": "OKP", "x": _base64(public)}


def _token_hash(access_token: str) -> str:
    # Any text has a hash: a header may hold bytes that are no UTF-8, and then nothing matches.
    return _base64(hashlib.sha256(access_token.encode("utf-8", "surrogatepass")).digest())


def _compact(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _from_base64(text: str) -> bytes:
    """Return the bytes of unpadded base64url; text has one reading, bytes one spelling."""
    if not _PART.fullmatch(text):
        raise MalformedError("this is not base64url")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as err:
        raise MalformedError("this is not base64url") from err
    if _base64(data) != text:
        raise MalformedError("this is another spelling of the same base64url")
    return data
