"""The keychain: keys that were handed to this device, each checked against its commitment."""

from collections.abc import Callable

from msgspec import Struct

from seefen.client.keyfile import DeviceKeys
from seefen.client.learning import key_for_device, key_from_mailbox
from seefen.client.storing import object_of, unreplace
from seefen.client.trust import Trust
from seefen.client.vault import Vault
from seefen.protocol import keys as handed
from seefen.protocol.encoding import decode, encode
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import SeefenError, UntrustedError
from seefen.protocol.frames import AuthorityItem
from seefen.protocol.messages import Cover, decode_cover
from seefen.protocol.objects import open_cover
from seefen.protocol.statements import Assign, CaseKey, Mailbox, NodeWrap, Object
from seefen.protocol.suite import sha256


class OpenCover(Struct, frozen=True):
    """A cover that was opened: the bytes that are kept, and what they say."""

    data: bytes
    cover: Cover


class Keychain:
    """What this device can open: seeds of mailboxes and keys of cases."""

    def __init__(
        self, vault: Vault, keys: DeviceKeys, trust: Trust, alarm: Callable[[str], None]
    ) -> None:
        self._vault = vault
        self._keys = keys
        self._trust = trust
        self._alarm = alarm
        self._case_keys: dict[tuple[bytes, int], bytes] = {}

    @property
    def _node(self) -> str:
        return self._trust.directory.device(self._keys.device).node

    def mailbox_seed(self, node: str, box: str, gen: int) -> bytes | None:
        """Return the seed of a mailbox generation, walking back from newer ones."""
        row = self._vault.one(
            "SELECT seed FROM mailbox_seed WHERE node = ? AND box = ? AND gen = ?", node, box, gen
        )
        if row is not None:
            return bytes(row[0])
        newer = self._trust.directory.mailbox(node, box, gen=gen + 1)
        wanted = self._trust.directory.mailbox(node, box, gen=gen)
        if newer is None or wanted is None or not newer.link:
            return None
        seed = self.mailbox_seed(node, box, gen + 1)
        if seed is None:
            return None
        try:
            older = handed.previous_seed(seed, newer, wanted)
        except SeefenError as err:
            self._alarm(f"the {box} mailbox of {node} does not lead back: {err}")
            return None
        self.keep_seed(wanted, older)
        return older

    def keep_seed(self, mailbox: Mailbox, seed: bytes) -> None:
        """Keep the seed of a mailbox generation."""
        row = (mailbox.node, mailbox.box, mailbox.version, seed)
        self._vault.run("INSERT OR REPLACE INTO mailbox_seed VALUES (?, ?, ?, ?)", *row)

    def case_key(self, case: bytes, gen: int) -> bytes | None:
        """Return the key of a generation, if this device holds it."""
        if (case, gen) not in self._case_keys:
            sql = "SELECT key FROM case_key WHERE case_id = ? AND gen = ?"
            row = self._vault.one(sql, case, gen)
            if row is None:
                return None
            self._case_keys[case, gen] = bytes(row[0])
        return self._case_keys[case, gen]

    def forget_all(self) -> None:
        """Drop the keys in memory, after a transaction that was rolled back."""
        self._case_keys.clear()

    def keep_case_key(self, case: bytes, gen: int, key: bytes) -> None:
        """Keep the key of a generation and open what waited for it."""
        self._vault.run("INSERT OR REPLACE INTO case_key VALUES (?, ?, ?)", case, gen, key)
        self._case_keys.pop((case, gen), None)
        rows = self._vault.run(
            "SELECT envelope FROM object WHERE case_id = ? AND cover IS NULL", case
        )
        spoiled: list[Object] = []
        for (envelope,) in rows:
            obj = object_of(envelope)
            if (cover := self.open_cover(obj)) is not None:
                sql = "UPDATE object SET cover = ? WHERE object = ?"
                self._vault.run(sql, cover.data, obj.object)
            elif self.case_key(case, obj.gen) is not None:
                spoiled.append(obj)
        for obj in spoiled:
            unreplace(self._vault, obj)

    def learn_seed(self, item: AuthorityItem) -> Mailbox | None:
        """Learn the seed of a mailbox of the own node, if its wrap is for this device.

        Returns:
            The mailbox, if its wrap for this device is missing, and no newer one leads to it.
        """
        found = self._handed_here(item.envelope)
        if found is None:
            return None
        mailbox, mine = found
        wrapped = next((w for w in item.wraps if sha256(w) == mine), None)
        if wrapped is None:
            seed = self.mailbox_seed(mailbox.node, mailbox.box, mailbox.version)
            return mailbox if seed is None else None
        try:
            seed = handed.unwrap_mailbox_seed(wrapped, self._keys.kem, mailbox)
        except SeefenError as err:
            # One wrong wrap must not keep the rest of the log from this device.
            self._alarm(f"the {mailbox.box} mailbox of {self._node} does not open: {err}")
            return None
        self.keep_seed(mailbox, seed)
        self._learn_waiting_keys()
        return None

    def _handed_here(self, envelope: bytes) -> tuple[Mailbox, bytes] | None:
        """Return a mailbox of the own node and the hash of the wrap for this device, if any."""
        if self._keys.device not in envelope:
            return None  # as nearly all of a page: they are not opened once more
        mailbox = open_envelope(envelope, "mailbox").statement
        if not isinstance(mailbox, Mailbox):
            return None
        mine = next((w.hash for w in mailbox.wraps if w.device == self._keys.device), None)
        if mine is None:
            return None
        if self._trust.directory.mailbox(mailbox.node, mailbox.box, gen=mailbox.version) != mailbox:
            return None  # it broke a rule: else a broker could put its own seed in place of ours
        return (mailbox, mine) if mailbox.node == self._node else None

    def _learn_waiting_keys(self) -> None:
        # Who got a mailbox after the keys that were sent to it finds them here.
        for name, value in self._vault.run(
            "SELECT name, value FROM setting WHERE name GLOB 'wrap/*' ORDER BY name"
        ):
            case, gen = name.split("/")[1:]
            state = self._trust.require_state(bytes.fromhex(case))
            if int(gen) > len(state.generations):
                continue  # the key it came with is believed no more
            casekey = state.generations[int(gen) - 1].statement
            self._learn(casekey, casekey, decode(value, tuple[bytes, ...]))

    def learn(self, statement: CaseKey | Assign, wraps: tuple[bytes, ...]) -> bool:
        """Learn the key of a case that a statement of its chain hands over, if it is for us.

        Returns:
            False if the key is not here, and a wrap that was named for us did not come.
        """
        casekey, gen = statement, statement.gen
        if isinstance(casekey, Assign):
            casekey = self._trust.require_state(statement.case).generations[gen - 1].statement
        self._learn(statement, casekey, wraps)
        if self._is_here(casekey):
            return True
        named = {w.hash for w in statement.devices if w.device == self._keys.device}
        if isinstance(statement, CaseKey) and (ours := self._ours(statement)) is not None:
            named.add(ours.hash)  # whether or not this device can open it: it may later
        return named <= {sha256(wrap) for wrap in wraps}

    def _learn(
        self, statement: CaseKey | Assign, casekey: CaseKey, wraps: tuple[bytes, ...]
    ) -> None:
        if self._is_here(casekey):
            return
        state = self._trust.require_state(casekey.case)
        waiting = f"wrap/{casekey.case.hex()}/{casekey.gen:05d}"
        try:
            key = self._vault.get(f"made/{casekey.key_id.hex()}")
            if statement is casekey:
                key = key or self._key_from_mailbox(casekey, state.box, wraps)
            key = key or key_for_device(casekey, statement, self._keys, wraps)
            key = key or self._key_from_link(casekey)
        except UntrustedError as err:
            self._alarm(f"the key of {state.number} does not open: {err} [{err.rule}]")
            return
        if key is not None:
            self.keep_case_key(casekey.case, casekey.gen, key)
            self._vault.run("DELETE FROM setting WHERE name = ?", waiting)
        elif statement is casekey and self._ours(casekey) is not None:
            self._vault.put(waiting, encode(list(wraps)))

    def _is_here(self, casekey: CaseKey) -> bool:
        """Tell whether the key of this very generation is here; another under its number goes.

        That one was believed while this generation was hidden.
        """
        case, gen = casekey.case, casekey.gen
        key = self.case_key(case, gen)
        if key is None:
            return False
        try:
            handed.check_case_key(key, casekey)
        except UntrustedError:
            self._vault.run("DELETE FROM case_key WHERE case_id = ? AND gen = ?", case, gen)
            self.forget_all()
            return False
        return True

    def keep_only(self, case: bytes, gens: int) -> None:
        """Let go of the keys of a case behind its newest generation."""
        self._vault.run("DELETE FROM case_key WHERE case_id = ? AND gen > ?", case, gens)
        self.forget_all()

    def _ours(self, casekey: CaseKey) -> NodeWrap | None:
        return next((w for w in casekey.mailboxes if w.node == self._node), None)

    def _key_from_mailbox(
        self, casekey: CaseKey, box: str, wraps: tuple[bytes, ...]
    ) -> bytes | None:
        ours = self._ours(casekey)
        seed = None if ours is None else self.mailbox_seed(self._node, box, ours.gen)
        if ours is None or seed is None:
            return None
        return key_from_mailbox(casekey, ours, seed, wraps)

    def _key_from_link(self, casekey: CaseKey) -> bytes | None:
        before = self.case_key(casekey.case, casekey.gen - 1)
        if before is None or not casekey.link:
            return None
        return handed.next_key(before, casekey)

    def open_cover(self, obj: Object) -> OpenCover | None:
        """Open the cover of an object, if its key is here; its author's node is to be told."""
        key = self.case_key(obj.case, obj.gen)
        if key is None:
            return None
        try:
            data = open_cover(obj, key)
            cover = decode_cover(data)
        except SeefenError as err:
            self._alarm(f"the cover of a message from {obj.node} does not open: {err}")
            return None
        if obj.node != self._node:
            owed = f"owe/delivered/{obj.object.hex()}"
            self._vault.later("INSERT OR REPLACE INTO setting VALUES (?, ?)", owed, b"1")
        return OpenCover(data, cover)
