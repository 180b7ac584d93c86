"""An AES-GCM ciphertext that is genuine under two keys (Dodis and others, 2018).

The tag of AES-GCM is a polynomial in a secret of the key. With a block left free, two
such equations become one linear equation in that block, which has a solution.
"""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_REDUCE = 0xE1 << 120  # x^128 + x^7 + x^2 + x + 1, bits reversed as GCM has them


def two_keys_one_ciphertext(first: bytes, second: bytes, nonce: bytes, *, blocks: int) -> bytes:
    """Return ciphertext and tag that decrypt under both keys with the same nonce."""
    secrets = [_Secret(key, nonce) for key in (first, second)]
    length = (blocks * 128).to_bytes(16, "big")
    fixed = [bytes([n + 1]) * 16 for n in range(blocks - 1)]
    left = 0
    for secret in secrets:
        left ^= secret.hash([*fixed, bytes(16), length]) ^ secret.mask
    factor = _multiply(secrets[0].h, secrets[0].h) ^ _multiply(secrets[1].h, secrets[1].h)
    free = _multiply(left, _inverse(factor)).to_bytes(16, "big")
    tag = secrets[0].hash([*fixed, free, length]) ^ secrets[0].mask
    return b"".join(fixed) + free + tag.to_bytes(16, "big")


class _Secret:
    """What a key contributes to a tag: the point ``h`` and the ``mask``."""

    def __init__(self, key: bytes, nonce: bytes) -> None:
        block = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
        self.h = int.from_bytes(block.update(bytes(16)), "big")
        self.mask = int.from_bytes(block.update(nonce + b"\0\0\0\1"), "big")

    def hash(self, blocks: list[bytes]) -> int:
        """Return GHASH over the blocks."""
        state = 0
        for block in blocks:
            state = _multiply(state ^ int.from_bytes(block, "big"), self.h)
        return state


def _multiply(a: int, b: int) -> int:
    product = 0
    for bit in range(127, -1, -1):
        if b >> bit & 1:
            product ^= a
        a = a >> 1 ^ (_REDUCE if a & 1 else 0)
    return product


def _inverse(a: int) -> int:
    """Return a to the power 2^128 - 2."""
    result, power = 1 << 127, a
    for _ in range(127):
        power = _multiply(power, power)
        result = _multiply(result, power)
    return result
