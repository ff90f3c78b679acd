"""Words of the program that a page must not speak: what people read and hear of it, but for commands and keys of the configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from daemon.vendors.kareo.limiter import INTERVALS
from daemon.vendors.ports import errors
from events.codes import WaitCode
from events.schema import TYPES
from events.slots import SlotKind
from events.writes import AnyWrite, System

SPOKEN = """() => {
  const found = [], seen = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
  while (seen.nextNode()) {
    const one = seen.currentNode;
    if (one.nodeType === Node.ELEMENT_NODE) {
      for (const name of ['aria-label', 'title', 'placeholder', 'alt', 'data-label'])
        if (one.getAttribute(name)) found.push(one.getAttribute(name));
    } else if (!one.parentElement.closest('code, script, style, noscript') && one.textContent.trim()) {
      found.push(one.textContent.trim().replace(/\\s+/g, ' '));
    }
  }
  return found;
}"""
"""All text of a page, seen or read aloud. `code` is where commands, and keys and values of the configuration, stand."""

SYSTEMS = "|".join(one.value for one in System)
TYPE_NAMES = {*TYPES, *(one.__name__ for one in AnyWrite.__args__), *INTERVALS, *vars(errors)}
CODES = {one.value for one in WaitCode if "-" in one.value} - {"bill-error"}
PROGRAM: dict[str, re.Pattern[str]] = {
    "a name of the code": re.compile(r"(?<![\w@.])[A-Za-z]+(?:_[A-Za-z0-9]+)+(?![\w@])"),
    "an id as the command line takes it, or a source": re.compile(rf"(?<![\w@.])(?:{SYSTEMS})(?:[.:]\w|->)"),
    "a slot": re.compile(rf"(?<![\w:])(?:{'|'.join(one.value for one in SlotKind)}):[\w-]"),
    "a type": re.compile(rf"\b(?:{'|'.join(sorted(one for one in TYPE_NAMES if re.search('[a-z][A-Z]', one)))})\b"),
    "a code": re.compile(rf"(?<![\w-])(?:{'|'.join(sorted(CODES))})(?![\w-])"),
    "a value of the language": re.compile(r"\b(?:None|True|False|null|undefined|NaN)\b"),
    "a term of the program": re.compile(
        r"\b(?:epoch|slot|intent|projection|fold|upcaster|watermark|enum|uuid)s?\b", re.IGNORECASE
    ),
    "an arrow": re.compile(r"->|=>"),
    "an ISO time": re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d)?|[+-]\d\d:00\b"),
    "an event's number": re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"),
    "a wrong plural": re.compile(
        r"(?<![\d,.#])\b1 (?:items|patients|writes|charts|cases|lines|policies|events|candidates|pairs|notes)\b"
    ),
}


def of_the_program(texts: list[str]) -> Iterator[tuple[str, str]]:
    """What of these texts is a word of the program: what it is, and the text."""
    for text in texts:
        for what, looks in PROGRAM.items():
            if found := looks.search(text):
                yield f"{what}: {found[0]}", text[:160]


async def program_words(page: Any) -> list[tuple[str, str]]:
    """The words of the program that a page speaks."""
    return list(of_the_program(await page.evaluate(SPOKEN)))
