"""A key file in the hands of somebody else: he may change it, and may not learn by it."""

import random
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from seefen.client import keyfile
from seefen.client.keyfile import DeviceKeys, KeyFile, write_key_file
from seefen.protocol.encoding import decode, encode
from seefen.protocol.errors import RefusedError
from seefen.protocol.suite import passphrase_key, random_bytes, seal
from tests.protocol.salamander import two_keys_one_ciphertext

FIRST, SECOND = "copper lantern violet nine orchard", "amber sokol reka sedum most"
CHEAP = 8192  # KiB: the least a key file may name
MUTATIONS = 10_000


@pytest.fixture(autouse=True)
def _stretched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # The true Argon2id, paid once for each passphrase, salt and cost: 10,000 tries in seconds.
    monkeypatch.setattr(keyfile, "passphrase_key", cache(passphrase_key))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "device.key"
    write_key_file(path, DeviceKeys.generate(), FIRST, memory_kib=CHEAP)
    return path


def answer(path: Path, passphrase: str) -> tuple[str, str]:
    """Return rule and words of the refusal; ("", "") when the file opens."""
    try:
        keyfile.read_sealed(path, passphrase)
    except RefusedError as err:
        return err.rule, str(err)
    return "", ""


def test_attack_37_ten_thousand_changes_get_one_answer(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = random_bytes(8).hex()
    print(f"seed {seed}")  # noqa: T201 - a random test says how to repeat it
    chance = random.Random(seed)
    good = path.read_bytes()
    file = decode(good, KeyFile)
    # Salt and costs decide what Argon2id is asked: those are changed in test_keyfile.py.
    after = good.index(file.sealed) - len(encode(file.sealed)) + len(file.sealed)
    free = [n for n in range(len(good)) if not 18 <= n < after]
    answers: Counter[tuple[str, str]] = Counter()
    answers[answer(path, SECOND)] += 1
    data = bytearray()

    def in_memory(_: Path) -> bytes:
        return bytes(data)

    monkeypatch.setattr(Path, "read_bytes", in_memory)  # a disk is slower than we are
    for _ in range(MUTATIONS):
        data[:] = good
        for _ in range(chance.randint(1, 3)):
            data[chance.choice(free)] ^= 1 << chance.randrange(8)
        match chance.randrange(8):
            case 0:
                del data[chance.randrange(len(good)) :]
            case 1:
                data += chance.randbytes(chance.randint(1, 40))
            case _:
                pass
        if bytes(data) == good:
            continue
        answers[answer(path, FIRST)] += 1
    assert len(answers) == 1, answers
    assert next(iter(answers))[0] == "passphrase"
    data[:] = good
    assert answer(path, FIRST) == ("", "")


def test_attack_38_a_file_for_two_passphrases_opens_under_one_at_most(path: Path) -> None:
    """Whoever may write the file would test many guesses at once (partitioning oracle)."""
    file = decode(path.read_bytes(), KeyFile)
    keys = [
        keyfile._key(passphrase, file.salt, file.memory_kib, file.passes, file.lanes)
        for passphrase in (FIRST, SECOND)
    ]
    nonce = bytes(12)
    body = two_keys_one_ciphertext(keys[0], keys[1], nonce, blocks=12)
    for key in keys:  # the control: sealed by AES-GCM alone, one file would open under both
        assert AESGCM(key).decrypt(nonce, body, None)
    context = keyfile._context(file.device)
    honest = [seal(key, context, bytes(192)) for key in keys]
    forged = [sealed[:head] + body for sealed in honest for head in (24, 32, 56)]
    forged += [honest[0][:head] + honest[1][head:] for head in (24, 32, 56)]
    for sealed in (*honest, *forged):
        fields = (1, file.device, file.salt, file.memory_kib, file.passes, file.lanes, sealed)
        path.write_bytes(encode(list(fields)))
        opened = 0
        for passphrase in (FIRST, SECOND):
            opened += answer(path, passphrase)[0] != "passphrase"
        assert opened == (1 if sealed in honest else 0)
