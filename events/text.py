"""Text that PostgreSQL can hold: neither U+0000 nor half of a surrogate pair, which JSON, XML and message formats can bring."""

from __future__ import annotations

import re

_CANNOT_BE_HELD = re.compile("[\x00\ud800-\udfff]")
REPLACEMENT = "\ufffd"
LONGEST_NAME = 200
"""Characters of a name that came from outside: longer ones do not fit into the indexes."""


def holdable(text: str) -> bool:
    """Whether a text column can hold it."""
    return (text.isascii() and "\x00" not in text) or _CANNOT_BE_HELD.search(text) is None


def held(text: str) -> str:
    """The text as a column can hold it: what it cannot hold is replaced, nothing is left out."""
    return text if holdable(text) else _CANNOT_BE_HELD.sub(REPLACEMENT, text)


def name(text: str) -> str:
    """What something is called that came from outside: on one line, as a column and its index can hold it."""
    return "".join(char if char.isprintable() else REPLACEMENT for char in held(text[:LONGEST_NAME]))
