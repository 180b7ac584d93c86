"""Text that a terminal would obey, as it may stand in an alert (attack 52)."""

HOSTILE = (
    "\x1b[2J\x1b[31mall clear",  # clears the screen
    "\x1b]0;title\x07",  # sets the window's title
    "\x9b31mred",  # the same in one C1 character
    "12 pistols\r340 rifles",  # writes over itself
    "EV-1907\u202e3140-97",  # turned round
    "ab\u200bcd",  # zero width
    "\u2066isolate\u2069",
    "line\nseefen: error: false",
    "[bold red]not ours[/bold red] :warning:",
    "para\u2029graph",
    "tag\U000e0041",
    "a\u0300\u0301\u0302\u0303\u0304\u0305",
    "nul\x00",
)
# What may stand in the output: letters, marks, digits, punctuation, space, our line breaks.
OBEYED = frozenset(
    [chr(n) for n in range(0x20) if n != 0x0A]
    + [chr(n) for n in range(0x7F, 0xA0)]
    + ["\u2028", "\u2029", "\u200b", "\u200e", "\u200f", "\U000e0041"]
    + [chr(n) for n in range(0x202A, 0x202F)]
    + [chr(n) for n in range(0x2066, 0x206A)]
)


def obeyed_in(text: str) -> set[str]:
    """Return the characters of a text that a terminal would obey."""
    return set(text) & OBEYED
