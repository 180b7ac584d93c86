"""The shape of a bundle: what can be refused before anything is looked up."""

from typing import Final

from seefen.protocol.bundle import Bundle, Content
from seefen.protocol.directory import Directory
from seefen.protocol.envelope import Opened
from seefen.protocol.errors import MalformedError, RefusedError, UntrustedError
from seefen.protocol.objects import check_body
from seefen.protocol.statements import ACTIVITY_KINDS, AUTHORITY_KINDS, Case, CaseKey, Node, Object
from seefen.protocol.suite import sha256
from seefen.server.entries import TAG

BY_ROOT: Final = ("node", "root", "suspend")


def check_kinds(bundle: Bundle) -> None:
    """Check that all statements are of kinds a bundle can hold, with tags where they belong."""
    for signed in bundle.statements:
        if signed.kind not in AUTHORITY_KINDS and signed.kind not in ACTIVITY_KINDS:
            raise MalformedError(f"a bundle cannot hold a {signed.kind}", rule="unknown-kind")
        lengths = (0,) if signed.kind in AUTHORITY_KINDS else (0, TAG)
        if len(signed.tag) not in lengths:
            raise MalformedError("a tag has 16 bytes, and only in a case", rule="tag")


def match_contents(bundle: Bundle, opened: tuple[Opened, ...]) -> dict[bytes, Content]:
    """Return the contents by object, when they are exactly those of the objects."""
    objects = {o.statement.object: o.statement for o in opened if isinstance(o.statement, Object)}
    contents = {content.object: content for content in bundle.contents}
    if contents.keys() != objects.keys() or len(contents) != len(bundle.contents):
        raise MalformedError("the contents are not those of the objects", rule="contents")
    for object_, statement in objects.items():
        if not statement.file:
            check_body(statement, contents[object_].body)
        elif contents[object_].body:
            raise MalformedError("the body of a file is uploaded on its own", rule="contents")
    return contents


def check_shape(opened: tuple[Opened, ...]) -> None:
    """Check that nothing stands twice, and that a change of members brings its key."""
    hashes = {o.hash for o in opened}
    if len(hashes) != len(opened):
        raise MalformedError("a statement stands twice in the bundle", rule="bundle-shape")
    for place, changed in enumerate(opened):
        case = changed.statement
        if isinstance(case, Case) and case.version > 1:
            later = [o.statement for o in opened[place + 1 :]]
            if not any(
                isinstance(key, CaseKey)
                and (key.case, key.case_version) == (case.case, case.version)
                for key in later
            ):
                # Else a member who left could read on (D4).
                raise MalformedError("a change of members needs its new key", rule="bundle-shape")


def check_from_nobody(opened: tuple[Opened, ...], directory: Directory, *, founding: bool) -> None:
    """Check a bundle that no device sends: only the root's own word counts then."""
    first = opened[0]
    if founding:
        if first.kind != "root" or directory.size:
            raise RefusedError("this network is founded already", rule="founded")
        return
    others = {o.kind for o in opened[1:]}
    if first.kind not in BY_ROOT or others - {"device", "mailbox"}:
        raise UntrustedError("this needs a login", rule="login")
    if first.kind == "node":
        nodes = {getattr(o.statement, "node", None) for o in opened}
        if not isinstance(first.statement, Node) or first.statement.version != 1 or len(nodes) > 1:
            raise UntrustedError("this admits more than one new node", rule="login")
    elif others:
        raise UntrustedError("this needs a login", rule="login")
    elif first.kind == "suspend" and not first.signers <= _root_keys(directory):
        raise UntrustedError("the root has not signed this", rule="login")


def _root_keys(directory: Directory) -> set[bytes]:
    return {sha256(key) for key in directory.root.keys}
