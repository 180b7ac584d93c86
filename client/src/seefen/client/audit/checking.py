"""One entry, checked: its text, its signature, its author. The broker's word counts for nothing."""

from dataclasses import dataclass
from typing import TypeAlias

from seefen.client.audit.erasing import erasure_of
from seefen.client.engine import Engine
from seefen.client.trust import Taken
from seefen.protocol.access import open_reason
from seefen.protocol.case import CaseState, Position
from seefen.protocol.envelope import Opened, check_signed_by, open_envelope
from seefen.protocol.errors import SeefenError, UntrustedError
from seefen.protocol.frames import AuditItem
from seefen.protocol.ledger.note import Checkpoint, SignedCheckpoint
from seefen.protocol.ledger.record import Core, decode_core
from seefen.protocol.ledger.tree import check_inclusion, leaf_hash
from seefen.protocol.manifest import check_manifest, require_view
from seefen.protocol.receipt import check_entry
from seefen.protocol.retention import READING_KINDS, check_erased
from seefen.protocol.search import Account, check_search, open_account
from seefen.protocol.statements import (
    Access,
    CaseKey,
    Denied,
    Erased,
    Manifest,
    Object,
    Release,
    Search,
    Viewed,
)


@dataclass(frozen=True, slots=True)
class Checked:
    """An entry with what was found wrong with it, if anything."""

    item: AuditItem
    core: Core | None
    opened: Opened | None
    problem: str


AllChecked: TypeAlias = list[Checked]


def check(
    engine: Engine, item: AuditItem, signed: SignedCheckpoint, *, bare: bool = False
) -> Checked:
    """Return an entry with what is wrong with it; never raises for what the broker sent.

    Args:
        bare: It is shown under a view: its core and its place can be checked, and no signature.
    """
    core: Core | None = None
    under = signed.checkpoint
    try:
        if not item.entry.core:
            _check_gone(engine, item, under)
            return Checked(item, None, None, "")
        core = decode_core(item.entry.core)
        if bare:
            _check_bare(item, under)
            return Checked(item, core, None, "")
        taken = engine.trust.take_entry(item.kind, item.entry, item.envelope, under)
        _check_statement(engine, taken, min(signed.time, engine.now()))
    except SeefenError as err:
        return Checked(item, core, None, f"entry {item.entry.index}: {err}")
    return Checked(item, taken.core, taken.opened, "")


def _check_bare(item: AuditItem, under: Checkpoint) -> None:
    """Check an entry without its statement: its core is the one committed to, at its place."""
    if check_entry(item.entry, under).act != item.kind or item.envelope:
        raise UntrustedError("it is shown as something else than it is", rule="other-statement")


def _check_gone(engine: Engine, item: AuditItem, under: Checkpoint) -> None:
    """Check an entry without its text: its place is proved, and its time was over."""
    entry = item.entry
    check_inclusion(leaf_hash(entry.record), entry.index, under.size, entry.proof, under.root)
    if item.kind not in READING_KINDS or erasure_of(engine.vault, entry.index) is None:
        raise UntrustedError("its text is gone, and nothing in the log allows it", rule="erased")


def _check_statement(engine: Engine, taken: Taken, latest: int) -> None:
    match taken.opened.statement:
        case Denied() as denied:
            _check_asked(engine, taken, denied)
        case Erased() as erased:
            check_erased(erased, taken.core, taken.index, latest)
        case Viewed() as viewed:
            _check_viewed(engine, taken, viewed)
        case Release() as release:
            _check_released(engine, taken, release)
        case _:
            _check_author(engine, taken)
            _check_recipients(engine, taken)


def _check_author(engine: Engine, taken: Taken) -> None:
    directory, size = engine.directory, taken.record.authority_size
    at = taken.core.at // 1000
    id_ = bytes.fromhex(taken.core.device)
    device = directory.require_active(id_, size=size, at=at)
    check_signed_by(taken.opened, device.sign)
    if taken.core.officer != device.officer:
        raise UntrustedError("the entry names another officer", rule="core")
    # What stands in no case no member has checked: its rules are for auditors to check.
    match taken.opened.statement:
        case Search():
            check_search(taken.opened, directory, Position(size, taken.index, at))
        case Manifest():
            check_manifest(taken.opened, directory, Position(size, taken.index, at))
        case _:
            pass


def _check_recipients(engine: Engine, taken: Taken) -> None:
    """Check to whom an entry says that something went: else the register could leave a node out.

    The officer signed for a generation of the key; who can read that, its case says.
    """
    match taken.opened.statement:
        case CaseKey() as key:
            readers = CaseState.covered_by(key, engine.directory)
        case Object() as sent:
            state = engine.trust.state(sent.case)
            keys = () if state is None else state.generations
            found = next((one.statement for one in keys if one.gen == sent.gen), None)
            if found is None:
                return  # a case that this device does not know, or not so far
            readers = CaseState.covered_by(found, engine.directory)
        case _:
            return
    if taken.core.to != tuple(sorted(readers)):
        raise UntrustedError("it names other nodes than those that can read it", rule="core")


def _check_released(engine: Engine, taken: Taken, release: Release) -> None:
    """Check a release, the broker's own word: it went to devices of that node, in force then."""
    size, at = taken.record.authority_size, taken.core.at // 1000
    for id_ in release.devices:
        if engine.directory.require_active(id_, size=size, at=at).node != release.node:
            raise UntrustedError("it was released to a device of another node", rule="core")


def _check_asked(engine: Engine, taken: Taken, denied: Denied) -> None:
    """Check a refusal: the device signed what was refused, or the broker alone says so.

    It need not be in force: that may be why it was refused.
    """
    device = engine.directory.device(denied.device, size=taken.record.authority_size)
    if (taken.core.officer, denied.node) != (device.officer, device.node):
        raise UntrustedError("the entry names another officer", rule="core")
    if denied.asked:
        # Else a broker could put attempts into the mouth of an officer (fault 16).
        check_signed_by(open_envelope(denied.asked, denied.what), device.sign)


def _check_viewed(engine: Engine, taken: Taken, viewed: Viewed) -> None:
    """Check a look at cores: the broker alone says so, of a device that had a view then."""
    size, at = taken.record.authority_size, taken.core.at // 1000
    require_view(engine.directory, viewed.device, viewed.of, size=size, at=at)
    device = engine.directory.device(viewed.device, size=size)
    if (taken.core.officer, viewed.node) != (device.officer, device.node):
        raise UntrustedError("the entry names another officer", rule="core")


def officers_of(engine: Engine, core: Core, statement: object) -> tuple[str, ...]:
    """Return the pseudonyms an entry is about: its author's, or those a release went to."""
    if core.officer:
        return (core.officer,)
    if not isinstance(statement, Release):
        return ()
    found = (engine.directory.device(device).officer for device in statement.devices)
    return tuple(dict.fromkeys(filter(None, found)))


def reason_of(engine: Engine, statement: object) -> tuple[str | None, str]:
    """Return the reason of an access, and what is wrong with it.

    (None, "") when it is sealed to others, or there is none to seal.
    """
    if not isinstance(statement, Access):
        return None, ""
    for sealed in statement.reasons:
        mailbox = engine.directory.mailbox(sealed.node, "audit", gen=sealed.gen)
        seed = engine.mailbox_seed(sealed.node, "audit", sealed.gen)
        if mailbox is not None and seed is not None:
            try:
                return open_reason(statement, mailbox, seed), ""
            except SeefenError as err:
                return None, str(err)
    return None, ""


def account_of(engine: Engine, search: Search) -> tuple[Account | None, str | None]:
    """Return what was looked for, and what is wrong with it; (None, None) when sealed to others."""
    problem: str | None = None
    for sealed in search.reasons:
        mailbox = engine.directory.mailbox(sealed.node, "audit", gen=sealed.gen)
        seed = engine.mailbox_seed(sealed.node, "audit", sealed.gen)
        if mailbox is not None and seed is not None:
            try:
                return open_account(search, mailbox, seed), None
            except SeefenError as err:
                problem = f"[{err}]"
    return None, problem
