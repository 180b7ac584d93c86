"""The page about the interface says what the code does."""

import re
from dataclasses import MISSING, fields

from seefen.protocol.encoding import decode, encode
from seefen.protocol.frames import Frame
from seefen.server.config import Config
from seefen.server.web import limits, sockets, verbs
from seefen.server.web.routes import ROUTES
from tests.support.specs import spec
from tests.support.vectors import ROOT

PAGE = (ROOT / "docs" / "spec" / "api.md").read_text(encoding="utf-8")


def test_the_example_of_a_frame() -> None:
    data = encode(Frame(3, "ping", b""))
    assert data.hex() in spec("api.md")
    assert decode(data, Frame).verb == "ping"


def test_every_verb_is_in_the_table_with_its_types() -> None:
    for name, verb in verbs.VERBS.items():
        takes = verb.takes.__name__ if verb.takes else "empty"
        line = re.search(rf"^\| `{name}` \| (.*)$", PAGE, re.MULTILINE)
        assert line is not None, name
        assert takes in line[1], name
        if verb.gives is not str:
            assert verb.gives.__name__ in line[1], name


def test_every_route_is_in_the_table() -> None:
    for route in ROUTES:
        path = re.sub(r":[^/]*(\{\d+\}|[a-z|]+|/\.\*)\}", "}", route.path)
        path = path.replace("{log}", "{authority,activity}").replace("{part}", "{n}")
        assert f"`{route.method} {path}" in PAGE, path


def test_every_setting_is_in_the_table_with_its_default() -> None:
    for field in fields(Config):
        if field.name in ("data", "database"):
            continue
        line = re.search(rf"^\| .*`{field.name}`.*$", PAGE, re.MULTILINE)
        assert line is not None, field.name
        given = field.default is MISSING or field.default == ""
        assert given or str(field.default) in line[0], field.name


def test_every_header_and_every_code_is_on_the_page() -> None:
    written = spec("api.md")
    for name, value in limits.HEADERS.items():
        assert f"{name}:{value}".replace(" ", "") in written, name
    for code in (sockets.MALFORMED, sockets.ENDED, sockets.REVOKED, sockets.SLOW):
        assert f"| {code} |" in PAGE
    for number in (limits.STATEMENTS, sockets.FRAME_LIMIT):
        assert f"{number:,}" in PAGE
