"""Who is behind a pseudonym: two persons open it, each with a half, and both are entered.

A register is a file that the node's admin keeps. A keyholder opens his half of one name and hands
it over, sealed to the auditors and bound to the entry about it. An auditor takes it up, checks that
entry, opens the other half and reads the name. Nobody else's name opens with it.
"""

from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta, Struct

from seefen.client.audit.facts import AUDIT
from seefen.client.audit.looking import Looking, once
from seefen.client.findings import AuditRow, NameTold
from seefen.client.wording import stamp
from seefen.protocol.encoding import decode, encode
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.naming import (
    BOXES,
    NameEntry,
    SignedName,
    check_name,
    hand_over,
    join,
    name_in,
    open_half,
    seal_name,
    take_over,
)
from seefen.protocol.statements import Device, Mailbox
from seefen.protocol.suite import sha256

FILE_LIMIT: Final = 32 << 20  # bytes: a register of some thousand officers
Hex: TypeAlias = Annotated[str, Meta(pattern=r"\A(?:[0-9a-f]{2})+\Z")]


class Register(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file of a node: one signed entry for each pseudonym, as CBOR in hex."""

    format: Annotated[str, Meta(pattern=r"\Aseefen-names\Z")] = "seefen-names"
    v: Annotated[int, Meta(ge=1, le=1)] = 1
    node: Annotated[str, Meta(max_length=40)]
    names: Annotated[dict[str, Hex], Meta(max_length=10_000)] = {}


class Half(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a keyholder hands to an auditor: his half of one name, sealed to the auditors.

    ``entry`` is where the log says that he did.
    """

    format: Annotated[str, Meta(pattern=r"\Aseefen-half\Z")] = "seefen-half"
    v: Annotated[int, Meta(ge=1, le=1)] = 1
    node: Annotated[str, Meta(max_length=40)]
    officer: Annotated[str, Meta(max_length=12)]
    entry: Annotated[int, Meta(ge=0)]
    gen: Annotated[int, Meta(ge=1)]
    sealed: Hex


def read_register(data: bytes) -> Register:
    """Return the register in a file.

    Raises:
        RefusedError: rule ``audit-file``: it is none.
    """
    try:
        return msgspec.json.decode(data, type=Register)
    except ValueError as err:  # msgspec.ValidationError and UnicodeError are such
        raise RefusedError("this is no register of names", rule="audit-file") from err


def read_half(data: bytes) -> Half:
    """Return the half in a file.

    Raises:
        RefusedError: rule ``audit-file``: it is none.
    """
    try:
        return msgspec.json.decode(data, type=Half)
    except ValueError as err:
        raise RefusedError("this is no half of a name", rule="audit-file") from err


class Naming(Looking):
    """The register of names, for admins, keyholders and auditors."""

    def name_put(self, officer: str, name: str, register: Register | None) -> Register:
        """Return a register with a name under a pseudonym, as an admin who vouches for it.

        Raises:
            UntrustedError: rule ``role``: no admin; ``two-persons``: one person holds both halves.
            RefusedError: rule ``name-known``: one stands there, which nobody alone can look at;
                ``audit-file``; ``unknown-officer``; ``no-mailbox``; ``stale-mailbox``: what it
                would be sealed to is held by a device that is gone.
        """
        own = self._acting_as("admin")
        if register is not None and officer in register.names:
            raise RefusedError(
                f"a name stands under {officer} in this register already, and it stays",
                rule="name-known",
            )
        return self._written(own, officer, name, register or Register(node=self._engine.node))

    async def name_anew(
        self, officer: str, name: str, register: Register
    ) -> tuple[Register, int | None]:
        """Return a register with another name under a pseudonym, and the entry that says so.

        It is entered, for the auditors: whoever exchanged a name unseen could lay another person
        under what an officer did. The entry is None while it waits for the broker.

        Raises:
            UntrustedError, RefusedError: as :meth:`name_put`; rule ``unknown-officer``, too, where
                no name stands under it; ``lease``, ``a-clock`` or ``disk``: it cannot be entered.
        """
        own = self._acting_as("admin")
        if officer not in register.names:
            raise RefusedError(f"{officer} is not in this register", rule="unknown-officer")
        made = self._written(own, officer, name, register)
        self._journal.enter(AUDIT, f"{_asked(officer)}, written anew", lambda: made, once)
        return made, await self._journal.upload()

    def _written(self, own: Device, officer: str, name: str, register: Register) -> Register:
        engine = self._engine
        self._require_ours(register)
        if officer not in {one.officer for one in engine.directory.devices(engine.node)}:
            raise RefusedError(
                f"no device of your node is of {officer}",
                rule="unknown-officer",
            )
        self._require_two_persons()
        boxes = (self._fresh("audit"), self._fresh("case"))
        key, at = engine.keys.sign, engine.now()
        made = seal_name(name, officer, boxes, device=own.device, key=key, at=at)
        names = {**register.names, officer: encode(made).hex()}
        return Register(node=engine.node, names=dict(sorted(names.items())))

    async def name_half(self, officer: str, register: Register) -> Half:
        """Return one half of a name, as a keyholder, entered before it is given.

        Raises:
            UntrustedError: rule ``role``, ``two-persons``, or the entry is not an admin's.
            RefusedError: rule ``unknown-officer``; ``unreachable``: it is not in the log yet;
                ``stale-mailbox``, as in :meth:`name_put`.
        """
        engine, _ = self._engine, self._acting_as("keyholder")
        signed, entry = self._entry(officer, register)
        half = self._opened(entry, "case", entry.case_gen)
        box = self._fresh("audit")
        self._journal.enter(AUDIT, _asked(officer), lambda: half, once)
        index = await self._journal.upload()
        if index is None:
            raise RefusedError(
                "that you gave your half must stand in the log before an auditor can take it up: "
                "try again when the broker is back",
                rule="unreachable",
            )
        sealed = hand_over(half, _about(signed, index), box)
        return Half(
            node=engine.node, officer=officer, entry=index, gen=box.version, sealed=sealed.hex()
        )

    async def name_told(self, register: Register, half: Half) -> NameTold:
        """Return the name behind a pseudonym, as an auditor to whom a keyholder gave his half.

        Raises:
            UntrustedError: rule ``role``; ``two-persons``: the half is the auditor's own;
                ``other-search``: the log does not say that it was given; ``half``.
            RefusedError: rule ``unknown-officer``, ``unknown-entry``.
        """
        self._acting_as("auditor")
        await self.catch_up()
        signed, entry = self._entry(half.officer, register)
        given = self._given(half)
        box = self._mailbox("audit", half.gen)
        seed = self._seed(box)
        try:
            two = take_over(bytes.fromhex(half.sealed), _about(signed, half.entry), box, seed)
        except UntrustedError as err:
            raise UntrustedError(
                f"this half is not of the name that stands under {half.officer} in this register: "
                f"that was written {stamp(entry.made_at)}, the half was given {stamp(given.at)}. "
                "It was written anew, this is another copy of the register, or the file was bent",
                rule="half-given",
            ) from err
        name = join(self._opened(entry, "audit", entry.audit_gen), two)
        told = NameTold(half.officer, name, given, entry.made_at, self.head)
        return await self.entered(f"{_asked(half.officer)}, half of entry {half.entry}",
                                  lambda: told, once)  # fmt: skip

    def _acting_as(self, role: str) -> Device:
        engine = self._engine
        own = engine.directory.device(engine.keys.device)
        if role not in own.roles:
            article = "an" if role[0] in "ae" else "a"
            raise UntrustedError(f"{article} {role} does this, on his own device", rule="role")
        return own

    def _entry(self, officer: str, register: Register) -> tuple[SignedName, NameEntry]:
        self._require_ours(register)
        self._require_two_persons()
        text = register.names.get(officer)
        if text is None:
            raise RefusedError(f"{officer} is not in this register", rule="unknown-officer")
        signed = decode(bytes.fromhex(text), SignedName)
        entry, directory = name_in(signed), self._engine.directory
        writer = directory.device(entry.device)
        check_name(signed, directory.net, writer.sign)
        if (entry.officer, entry.node, writer.node) != (officer, register.node, register.node):
            raise UntrustedError("this name stands under another pseudonym or node", rule="half")
        if "admin" not in writer.roles or self.is_doubted(entry.device):
            raise UntrustedError(
                "whoever wrote this name is no admin, or his device was lost: let an admin write "
                "it anew",
                rule="role",
            )
        return signed, entry

    def _require_ours(self, register: Register) -> None:
        if register.node != self._engine.node:
            raise RefusedError("this is the register of another node", rule="audit-file")

    def _require_two_persons(self) -> None:
        """Refuse where one person holds both mailboxes: he would need nobody else."""
        directory, node = self._engine.directory, self._engine.node
        held = [{_person(one): one for one in directory.holders(node, box)} for box in BOXES]
        both = sorted(held[0].keys() & held[1].keys())
        if both:
            said = _too_much(held[0][both[0]], held[1][both[0]])
            raise UntrustedError(said, rule="two-persons")

    def _given(self, half: Half) -> AuditRow:
        """Return the entry of the keyholder, who must be somebody else, and about this name."""
        row, sought = self.search_of_another(
            half.entry, "a keyholder gives his half and an auditor takes it up"
        )
        if row.node != self._engine.node or [one.query for one in sought] != [_asked(half.officer)]:
            raise UntrustedError(
                f"entry {half.entry} does not say that a half of {half.officer} was given",
                rule="other-search",
            )
        return row

    def _opened(self, entry: NameEntry, box: str, gen: int) -> bytes:
        mailbox = self._mailbox(box, gen)
        return open_half(entry, mailbox, self._seed(mailbox))

    def _fresh(self, box: str) -> Mailbox:
        """Return the newest mailbox, if nobody holds it who was taken out since.

        A machine that held both halves is taken out so that names can be written: they must not
        be sealed to it, and who came after it could not open what is.
        """
        found = self._mailbox(box)
        self.require_fresh(box, "a name")
        return found

    def _mailbox(self, box: str, gen: int | None = None) -> Mailbox:
        engine = self._engine
        found = engine.directory.mailbox(engine.node, box, gen=gen)
        if found is None:
            whose = "auditor" if box == "audit" else "keyholder"
            raise RefusedError(f"your node has no {whose} who could open it", rule="no-mailbox")
        return found

    def _seed(self, mailbox: Mailbox) -> bytes:
        seed = self._engine.mailbox_seed(mailbox.node, mailbox.box, mailbox.version)
        if seed is None:
            raise UntrustedError("this device does not hold that mailbox", rule="role")
        return seed


def _person(one: Device) -> str:
    return one.officer or one.device.hex()


def _too_much(auditor: Device, keyholder: Device) -> str:
    """Say who could open names alone, by which devices, and what is to be done."""
    named = auditor.device.hex()[:8]
    if not auditor.officer:
        # It is a machine: nobody stands at it who could refuse to give his half.
        return (
            f"the agent, device {named}, is auditor and keyholder: whoever has its machine could "
            f"open names alone. 'seefen device revoke {named} --why replaced', then "
            "'seefen agent invite' with one of the two roles"
        )
    if auditor.device != keyholder.device:
        named += f" and {keyholder.device.hex()[:8]}"
    return (
        f"{auditor.officer} is auditor and keyholder (device {named}), and could open names alone: "
        "give the two roles to two persons. 'seefen officer add' invites the second, "
        "'seefen device revoke' ends a device that has a role too many"
    )


def _asked(officer: str) -> str:
    return f"name of {officer}"


def _about(signed: SignedName, entry: int) -> bytes:
    """Return what a half is bound to: one entry of the register, one of the log."""
    return encode([sha256(signed.payload), entry])
