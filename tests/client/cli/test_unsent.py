"""A draft of an alert keeps all that was given with it, and can be thrown away."""

import json
from collections.abc import Generator
from pathlib import Path

import pytest

from seefen.client.cli import unsent
from seefen.client.cli.dialogue import Answers
from seefen.client.cli.unsent import Photo, Unsent
from seefen.client.drafts import Attach
from tests.client.cli.stage import PASSPHRASE, Stage, photograph, stage

pytestmark = pytest.mark.timeout(300)
SKOPJE, BELGRADE = "skopje-border", "belgrade-ffp"
TYPED = ["Tabanovce > Preševo, out", "12 pistols", "VW Passat SK-0000-ZZ", ""]
ENTER = [""] * 8  # seven questions, and what sends it
SEND = ("alert", "send")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    """Two nodes in a channel."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEEFEN_PASSPHRASE", PASSPHRASE)
        with stage(tmp_path_factory.mktemp("network")) as made:
            invites = {node: made.wait(made.broker.invite(node)) for node in (SKOPJE, BELGRADE)}
            made.join(invites, "--root-key", made.folder / "root" / "root-2.key")
            made.ok(SKOPJE, "channel", "open", "seefen-border", BELGRADE)
            yield made


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[Path, Path]:
    return photograph(tmp_path / "wheel.jpg"), photograph(tmp_path / "close.jpg")


def test_a_draft_keeps_photographs_and_what_else_was_given(
    network: Stage, pictures: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wheel, close = pictures
    monkeypatch.chdir(tmp_path)
    photos = ("--photo", wheel.name, "--photo", f"serial={close.name}")
    given = ("--channel", "seefen-border", "--until", "72h", "--original", "--exercise")
    assert "Draft kept" in network.ok(SKOPJE, *SEND, *photos, *given, typed=[*TYPED, "q"])
    monkeypatch.chdir("/")
    shown = network.ok(SKOPJE, *SEND, typed=["", *ENTER])
    assert "Tabanovce > Preševo, out; 12 pistols; 2 photographs" in shown
    assert "Enter skips" not in shown
    preview = shown[shown.index("EXERCISE") :]
    for part in (
        "seefen-border", "close.jpg, serial number close-up, leaves first", "wheel.jpg",
        "3 d from when it leaves", "leave as they are", "files 2/2",
    ):  # fmt: skip
        assert part in preview, part
    assert "EXERCISE" in network.ok(SKOPJE, "alert", "list")
    assert "Draft of" not in network.ok(SKOPJE, *SEND, typed=["q"])


def test_a_photograph_alone_is_a_draft_and_nothing_is_none(
    network: Stage, pictures: tuple[Path, Path]
) -> None:
    assert "Nothing was answered" in network.ok(SKOPJE, *SEND, typed=["q"])
    assert "Draft kept" in network.ok(SKOPJE, *SEND, "--photo", pictures[0], typed=["q"])
    assert "1 photograph" in network.ok(SKOPJE, *SEND, typed=["n", "q"])


def test_another_car_begins_anew(network: Stage, pictures: tuple[Path, Path]) -> None:
    old, new = pictures
    network.ok(SKOPJE, *SEND, "--photo", old, typed=[*TYPED, "q"])
    shown = network.ok(SKOPJE, *SEND, "--photo", new, typed=["perhaps", "q"])
    assert shown.count("Go on with it? [Y/n]") == 2
    assert "Draft kept" in shown
    typed = ["не", "Merdare", "1 rifle", "", "", "", "", "", ""]
    shown = network.ok(SKOPJE, *SEND, "--photo", new, typed=typed)
    assert "That draft is dropped" in shown
    assert "Enter skips a question" in shown
    assert "VW Passat SK-0000-ZZ" not in shown
    assert "wheel.jpg" not in shown
    assert "files 1/1" in shown
    assert "Draft of" not in network.ok(SKOPJE, *SEND, typed=["q"])


def test_a_photograph_that_is_gone_or_changed_is_asked_about(
    network: Stage, pictures: tuple[Path, Path]
) -> None:
    wheel, close = pictures
    network.ok(SKOPJE, *SEND, "--photo", wheel, "--photo", close, typed=[*TYPED, "q"])
    kept = close.read_bytes()
    close.unlink()
    shown = network.ok(SKOPJE, *SEND, typed=["", ""])
    assert f"{close} is no longer there. Go on without it? [y/N]" in shown
    assert "Draft kept" in shown
    close.write_bytes(kept)
    photograph(wheel)
    shown = network.ok(SKOPJE, *SEND, typed=["", "y", *ENTER])
    assert "wheel.jpg is not the picture it was" in shown
    assert "close.jpg is" not in shown
    assert "files 2/2" in shown


def test_the_whole_alert_from_a_draft_keeps_the_budget(network: Stage) -> None:
    load, serials = "9 pistols Ekol Special 99, 1 pistol Zastava M57", "EV-1, EV-2"
    first = ["Tabanovce, out", load, "VW Passat SK-0000-ZZ", "", serials, "Ekol: EV-1, EV-2"]
    assert "Draft kept" in network.ok(SKOPJE, *SEND, typed=[*first, "q"])
    again = ["", *["" for _ in first], "", "", ""]
    assert len(again) <= 12  # Go on, seven questions, which is on which, and what sends it
    assert "recorded" in network.ok(SKOPJE, *SEND, typed=again)


def test_flags_for_an_exercise_and_for_conditions(network: Stage) -> None:
    words = ("--where", "Batrovci, out", "--carrying", "1 rifle", "--vehicle", "white van")
    refused = network.run(SKOPJE, *SEND, *words, "--handling", "H3")
    assert refused.code == 2
    assert "--conditions" in refused.err
    assert "--accept" not in refused.err
    own = ("--handling", "H3", "--conditions", "Not before Monday.")
    shown = network.ok(SKOPJE, *SEND, *words, *own, "--exercise")
    assert "crossing: Batrovci / Bajakovo was taken for 'Batrovci'" in shown
    assert "no plate" in shown
    listed = json.loads(network.ok(SKOPJE, "alert", "list", "--json"))
    assert (listed[0]["handling"], listed[0]["cover"]["exercise"]) == ("H3", True)


def test_a_draft_of_an_earlier_version_has_no_photographs() -> None:
    assert unsent.decoded(None).is_empty
    older = unsent.decoded(b'{"where": "Merdare", "from a newer version": 1}')
    assert older == Unsent(Answers(where="Merdare"))
    photo = Photo(Attach(Path("/a/\udcff.jpg"), "serial_closeup"), "00")
    whole = Unsent(
        Answers(where="Merdare", at="2026-03-14T01:47:09+00:00"), (photo,), "seefen-border", 60
    )
    assert unsent.decoded(unsent.encoded(whole)) == whole
