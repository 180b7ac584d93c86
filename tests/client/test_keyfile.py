"""The key file: what opens it, what does not, and that every "not" is the same answer."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seefen.client import keyfile
from seefen.client.keyfile import DeviceKeys, KeyFile, read_key_file, replace_file, write_key_file
from seefen.protocol.encoding import decode, encode
from seefen.protocol.errors import RefusedError
from seefen.protocol.suite import KemKey, P, derive, passphrase_key, seal, unseal
from tests.support.specs import spec
from tests.support.vectors import own

PASSPHRASE = "amber sokol reka sedum most"
CHEAP = 8192  # KiB: the least a key file may name
GOOD = own("keyfile/good.json")


@pytest.fixture(scope="module")
def keys() -> DeviceKeys:
    return DeviceKeys.generate()


@pytest.fixture(scope="module")
def written(keys: DeviceKeys, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("keys") / "device.key"
    write_key_file(path, keys, PASSPHRASE, memory_kib=CHEAP)
    return path.read_bytes()


@pytest.fixture
def path(written: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "device.key"
    path.write_bytes(written)
    return path


def test_the_passphrase_gives_the_same_keys_back(path: Path, keys: DeviceKeys) -> None:
    read = read_key_file(path, PASSPHRASE)

    assert (read.device, read.vault) == (keys.device, keys.vault)
    assert read.sign.secret == keys.sign.secret
    assert read.auth.secret == keys.auth.secret
    assert read.kem.secret == keys.kem.secret


def test_the_same_letters_typed_elsewhere_open_it(tmp_path: Path, keys: DeviceKeys) -> None:
    path = tmp_path / "device.key"
    write_key_file(path, keys, "Gevgelija \u00e9 7", memory_kib=CHEAP)

    assert read_key_file(path, "Gevgelija e\u0301 7").device == keys.device


def test_two_devices_share_no_key() -> None:
    one, other = DeviceKeys.generate(), DeviceKeys.generate()

    assert one.device != other.device
    assert one.vault != other.vault
    assert len({one.sign.secret[:32], one.auth.secret, one.kem.secret, one.vault}) == 4


def test_a_wrong_passphrase_and_damage_are_one_answer(path: Path, written: bytes) -> None:
    answers = {_refusal(path, "amber sokol reka sedum mosT")}
    for damaged in (b"", written[:-1], written + b"\0", b"\x80", bytes(len(written))):
        path.write_bytes(damaged)
        answers.add(_refusal(path, PASSPHRASE))

    assert len(answers) == 1
    assert answers.pop()[0] == "passphrase"


@given(place=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
def test_no_flipped_bit_gives_another_answer(written: bytes, place: int, bit: int) -> None:
    # Attack 37. The numbers of Argon2id stand in the open: a flip there must be stopped
    # before it asks the machine for gigabytes.
    place %= len(written)
    damaged = bytearray(written)
    damaged[place] ^= 1 << bit
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "read_bytes", _reads(bytes(damaged)))

        assert _refusal(Path("device.key"), PASSPHRASE)[0] == "passphrase"


@pytest.mark.parametrize(
    ("field", "value"),
    [("memory_kib", 8191), ("memory_kib", 1 << 21), ("passes", 0), ("passes", 17), ("lanes", 65)],
)
def test_costs_out_of_bounds_are_refused_before_they_are_paid(
    path: Path, written: bytes, field: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyfile, "passphrase_key", _no_work)
    fields = {name: getattr(decode(written, KeyFile), name) for name in KeyFile.__struct_fields__}
    path.write_bytes(encode([{**fields, field: value}[name] for name in fields]))

    assert _refusal(path, PASSPHRASE)[0] == "passphrase"


def test_the_seal_of_one_device_is_not_taken_for_another(path: Path, written: bytes) -> None:
    file = decode(written, KeyFile)
    path.write_bytes(encode([1, bytes(16), file.salt, CHEAP, file.passes, file.lanes, file.sealed]))

    assert _refusal(path, PASSPHRASE)[0] == "passphrase"


def test_a_file_opens_under_one_passphrase_only(written: bytes) -> None:
    # Attack 38: whoever can write the file cannot make one that tests many guesses at
    # once, because the seal commits to its key.
    file = decode(written, KeyFile)
    sealed = file.sealed
    context = P + b"keyfile\0" + file.device
    opening = _key(file, PASSPHRASE)
    assert unseal(opening, context, sealed)
    assert seal(_key(file, "another"), context, b"")[:32] != sealed[:32]


def test_no_file_is_its_own_answer(tmp_path: Path) -> None:
    with pytest.raises(RefusedError) as caught:
        read_key_file(tmp_path / "device.key", PASSPHRASE)

    assert caught.value.rule == "no-device"
    assert str(tmp_path) in str(caught.value)


def test_nothing_secret_stands_in_the_open(written: bytes, keys: DeviceKeys) -> None:
    for secret in (keys.sign.secret[:32], keys.auth.secret, keys.kem.secret, keys.vault):
        assert secret not in written
    assert PASSPHRASE.encode() not in written


def test_the_default_costs_are_those_of_the_specification() -> None:
    assert (keyfile.MEMORY_KIB, keyfile.PASSES, keyfile.LANES) == (262_144, 3, 4)


def test_a_write_that_fails_leaves_the_old_file(path: Path, written: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", _no_disk)
        with pytest.raises(OSError, match="no space"):
            replace_file(path, b"half a file")

    assert path.read_bytes() == written


def test_only_its_owner_may_read_it(path: Path) -> None:
    replace_file(path, b"new")

    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o077 == 0
    assert [p.name for p in path.parent.iterdir()] == ["device.key"]


def test_the_worked_example_of_the_specification(tmp_path: Path) -> None:
    path = tmp_path / "device.key"
    path.write_bytes(bytes.fromhex(GOOD["file"]))
    read = read_key_file(path, GOOD["passphrase"])

    assert read.device.hex() == GOOD["device"]
    assert read.sign.secret.hex() == GOOD["sign"]
    assert read.auth.secret.hex() == GOOD["auth"]
    assert read.kem.public == KemKey.from_secret(bytes.fromhex(GOOD["kem"])).public
    assert read.vault.hex() == GOOD["vault"]
    assert GOOD["file"] in spec("keyfile.md")
    assert GOOD["key"] in spec("keyfile.md")
    file = decode(path.read_bytes(), KeyFile)
    assert _key(file, GOOD["passphrase"]).hex() == GOOD["key"]


def _key(file: KeyFile, passphrase: str) -> bytes:
    stretched = passphrase_key(
        passphrase, file.salt, memory_kib=file.memory_kib, passes=file.passes, lanes=file.lanes
    )
    return derive(stretched, "keyfile")


def _refusal(path: Path, passphrase: str) -> tuple[str, str]:
    with pytest.raises(RefusedError) as caught:
        read_key_file(path, passphrase)
    return caught.value.rule, str(caught.value)


def _reads(data: bytes) -> Callable[[Path], bytes]:
    def read_bytes(_: Path) -> bytes:
        return data

    return read_bytes


def _no_work(*_: object, **__: object) -> bytes:
    raise AssertionError("the passphrase was stretched")


def _no_disk(_: int) -> None:
    raise OSError("no space left on device")
