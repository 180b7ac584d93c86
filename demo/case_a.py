"""The invented case of the demonstration: a border seizure, and the trace of one pistol.

Nobody and nothing in it exists. Names stand in Latin and Cyrillic, one serial number begins
with a Cyrillic letter that looks Latin, and a headstamp was read wrongly.
"""

from typing import Final

from msgspec.structs import replace

from seefen.protocol.messages import (
    Ammunition,
    Answer,
    Assertion,
    Event,
    Item,
    Leg,
    Marking,
    Name,
    Note,
    OtherChannel,
    Person,
    Position,
    Register,
    Search,
    SeizureAlert,
    TraceReply,
    TraceRequest,
    Vehicle,
)

TITLE: Final = "Pistols in a spare wheel, Tabanovce"
SEIZED_AT: Final = 1_773_452_820  # 2026-03-14T02:47:00+01:00
HOLDER: Final = "belgrade-ffp"

_PLATE: Final = "SK-0000-ZZ"
_EKOL: Final = ("EV-19070413", "EV-19070418", "EV-1907?4??")
_ZORAKI: Final = ("0115-014872", "0115-014880")
_M57: Final = "С-84417"  # noqa: RUF001 - the first letter is Cyrillic
HEADSTAMP: Final = "ппу 82"
MISREAD: Final = "nny 82"
_DRIVER: Final = ("Милош Трајанов", "Miloš Trajanov")
_TOLD: Final = "Возачот вели дека тркалото го купил на паркинг во Велес."  # noqa: RUF001
_FOUND: Final = "Двојно дно во резервното тркало, заварено. Прашај пред споделување."
_WRITTEN_OFF: Final = "Rashodovan 1992. na teritoriji druge republike, knjiga 14, list 207."

# What the broker must never hold, in any form: names, serial numbers, plates, headstamps,
# file names, free text, titles. The demonstration searches for every one of them.
CANARIES: Final[tuple[str, ...]] = (
    *_DRIVER,
    "Трајанов",
    "Trajanov",
    _PLATE,
    *_EKOL,
    *_ZORAKI,
    _M57,
    HEADSTAMP,
    "ппу",
    MISREAD,
    _TOLD,
    _FOUND,
    _WRITTEN_OFF,
    "Special 99",
    "Passat B6",
    "ЈНА",  # noqa: RUF001
    "ГП-117/26",
    TITLE,
    "spare-wheel.jpg",
    "serial.jpg",
    "proof-mark.jpg",
    "registry.pdf",
    "breech-face.x3p",
)


def alert(*, created_at: int = SEIZED_AT + 132) -> SeizureAlert:
    """Return the alert from the crossing: twelve pistols and 340 rounds."""
    return SeizureAlert(
        created_at=created_at,
        lang="mk",
        script="Cyrl",
        offence="trafficking",
        handling="H2",
        conditions="Прашај пред споделување",
        national_ref="ГП-117/26",
        occurred_at="2026-03-14T02:47:00+01:00",
        setting="bcp",
        bcp="tabanovce-presevo",
        direction="out",
        position=Position(lat_e5=4_222_500, lon_e5=2_171_000, radius_m=2_000),
        transport="car",
        vehicle=Vehicle(
            plate=_PLATE, state="MK", make="Volkswagen", model="Passat B6", colour="grey"
        ),
        concealment=("spare_wheel", "rear_panel"),
        detection="profiling",
        route=(
            Leg(place="Skopje", role="origin", fact=True),
            Leg(place="Niš", role="transit", fact=False, evaluation="B3"),
            Leg(place="Wien", role="destination", fact=False, evaluation="B3"),
        ),
        persons_count={"driver": 1, "passenger": 1},
        context=("trafficking",),
        items=(*_ekol_pistols(), *_zoraki_pistols(), pistol(n=7)),
        ammunition=(
            Ammunition(
                qty=340,
                calibre="7.62x25",
                headstamp_as_read=HEADSTAMP,
                headstamp_maker="Prvi partizan, Užice; first read as nny 82",
                year=1982,
            ),
        ),
        ask=("seen_serial", "trace"),
        other_channels=(
            OtherChannel(channel="iarms", asked="no"),
            OtherChannel(channel="siena", asked="no"),
        ),
        text=_FOUND,
    )


def alert_at_night() -> SeizureAlert:
    """Return the alert as it was sent first: in torchlight Cyrillic was read as Latin."""
    sent = alert()
    misread = replace(sent.ammunition[0], headstamp_as_read=MISREAD, headstamp_maker="")
    return replace(sent, ammunition=(misread,))


def _ekol_pistols() -> tuple[Item, ...]:
    read = [(serial, "partly" if "?" in serial else "present") for serial in _EKOL]
    numbered = [_ekol(n, serial, state) for n, (serial, state) in enumerate(read, start=1)]
    return (*numbered, _ekol(4, "", "obliterated", qty=6))


def _ekol(n: int, serial: str, state: str, *, qty: int = 1) -> Item:
    return Item(
        n=n,
        qty=qty,
        kind="alarm_signal",
        category="pistol",
        make="Ekol",
        model="Special 99",
        confidence="sure",
        technical_state="converted_from_alarm",
        conversion=("blockage_drilled",),
        calibre="7.65br",
        calibre_original="9pak",
        serial_as_read=serial,
        serial_state=state,
    )


def _zoraki_pistols() -> tuple[Item, ...]:
    return tuple(
        Item(
            n=n,
            kind="alarm_signal",
            category="pistol",
            make="Zoraki",
            model="914",
            technical_state="converted_from_alarm",
            calibre_original="9pak",
            serial_as_read=serial,
            serial_state="present",
        )
        for n, serial in enumerate(_ZORAKI, start=5)
    )


def pistol(*, n: int = 0) -> Item:
    """Return the pistol with the Cyrillic letter in its number, the one that is traced."""
    return Item(
        n=n,
        category="pistol",
        make="Zastava",
        model="M57",
        confidence="sure",
        country="YU",
        calibre="7.62x25",
        serial_as_read=_M57,
        serial_state="present",
        technical_state="original",
        markings=(
            Marking(kind="property", text="ЈНА", place="slide"),  # noqa: RUF001
            Marking(kind="import", text="BG 14", place="frame"),
        ),
    )


def answer(of: bytes, *, created_at: int = SEIZED_AT + 190) -> Answer:
    """Return what the duty officer of the next node answers to the alert."""
    return Answer(created_at=created_at, of=of, answer="taken")


def trace_request(
    *, to: tuple[str, ...] = (HOLDER,), created_at: int = SEIZED_AT + 1_320
) -> TraceRequest:
    """Return the trace request for the one pistol that was not an alarm weapon."""
    return TraceRequest(
        created_at=created_at,
        lang="sr",
        handling="H1",
        offence="trafficking",
        source_eval="A",
        info_eval="1",
        national_ref="ГП-117/26",
        to=to,
        item=pistol(),
        illicit_nature="seized",
        legal_justification="Criminal investigation into trafficking in firearms",
        circumstances="Nađen sa jedanaest prerađenih alarmnih pištolja u rezervnom točku.",
        intended_use="both",
        question=("manufacture", "last_holder", "lost_stolen"),
        recovered_at="2026-03-14",
        recovered_in="Tabanovce",
        searched=(
            Search(channel="national_registry", date="2026-03-14"),
            Search(channel="iarms", date="2026-03-14"),
        ),
        persons=(driver(),),
    )


def driver() -> Person:
    """Return the driver: a suspect, named as his papers say."""
    cyrillic, latin = _DRIVER
    return Person(
        names=(
            Name(text=cyrillic, script="Cyrl"),
            Name(text=latin, scheme="macedonian"),
        ),
        category="suspect",
        role="driver",
        claim="fact",
        source="identity card shown at the crossing",
        born="1991",
        nationalities=("MK",),
        assertions=(Assertion(text=_TOLD, claim="assessment", evaluation="C3"),),
    )


def trace_reply(reply_to: bytes = b"", *, created_at: int = SEIZED_AT + 433_000) -> TraceReply:
    """Return the answer of the registers, five days later."""
    return TraceReply(
        created_at=created_at,
        lang="sr",
        handling="H1",
        reply_to=reply_to,
        outcome="traced_partial",
        registers=(
            Register(name="Military register of small arms", years="1960-1992", medium="paper"),
        ),
        chain=(
            Event(event="manufactured", date="1968", actor_type="manufacturer", actor="Zastava"),
            Event(event="issued", date="1969", actor_type="army", actor="JNA, unit 4417"),
            Event(
                event="written_off", date="1992", actor_type="army", document="book 14, page 207"
            ),
        ),
        diversion_point="post_conflict",
        confidence="moderate",
        text=_WRITTEN_OFF,
    )


def note(about: bytes, *, created_at: int = SEIZED_AT + 1_500) -> Note:
    """Return a note to the one node that is asked."""
    return Note(
        created_at=created_at,
        lang="mk",
        script="Cyrl",
        purpose="trace",
        basis="pcc-see",
        offence="trafficking",
        about=about,
        to=(HOLDER,),
        text=_TOLD,
    )
