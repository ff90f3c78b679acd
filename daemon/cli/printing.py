"""All that a command says passes through `say`: one line an argument, and nothing in it that a terminal obeys."""

from __future__ import annotations

import codecs
import os
import sys
from typing import TextIO

FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula."""

ESCAPED = "chartwire.escaped"


def visible(text: str) -> str:
    """`text` with everything that is not printable (control characters, line ends, marks of direction) written as `\\uXXXX`.

    JSON reads the same value from it: outside of its strings JSON has nothing to escape here.
    """
    return text if text.isprintable() else "".join(one if one.isprintable() else _escaped(one) for one in text)


def cell(text: str) -> str:
    """`text` for a spreadsheet: visible, and with an apostrophe before what it would take for a formula."""
    guarded = text.startswith(FORMULA) or text.lstrip().startswith(FORMULA)
    return f"'{visible(text)}" if guarded else visible(text)


def _escaped(one: str) -> str:
    code = ord(one)
    if code > 0xFFFF:  # as JSON writes it: a pair
        code -= 0x10000
        return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
    return f"\\u{code:04x}"


def _unencodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_escaped, error.object[error.start : error.end])), error.end


codecs.register_error(ESCAPED, _unencodable)


PLAIN, HEADING, WARNING, ERROR = "", "1", "33", "1;31"
"""How a line looks on a terminal that shows colours (SGR parameters)."""


def coloured(out: TextIO) -> bool:
    """Whether looks are shown there: a terminal, and nobody asked for none (no-color.org)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb" and out.isatty()


def say(*lines: object, to: TextIO | None = None, flush: bool = False, look: str = PLAIN) -> None:
    """Print each of `lines` as one line, to stdout unless `to` says otherwise, whatever the encoding there.

    `look` is for terminals only: what is piped or kept in a file is the plain text.
    """
    out = sys.stdout if to is None else to
    start, end = (f"\x1b[{look}m", "\x1b[0m") if look and coloured(out) else ("", "")
    text = "".join(f"{start}{visible(str(one))}{end}\n" for one in lines)
    encoding = out.encoding or "utf-8"
    out.write(text.encode(encoding, ESCAPED).decode(encoding))
    if flush:
        out.flush()


def warn(*lines: object) -> None:
    """Print to stderr."""
    say(*lines, to=sys.stderr)
