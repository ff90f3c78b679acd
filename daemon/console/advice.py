"""What is stored as advice for the command line, said for somebody at a page: by the button that does it.

Refusals and reasons are part of the history and stay as they were written; a page shows them by `said`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from projections.terms.names import Names
from projections.words.subject import fields_in_words, slot_in_words, spelled_out

Rewording = Callable[[re.Match[str], Names], str]

ADVICE: tuple[tuple[re.Pattern[str], str | Rewording], ...] = (
    (re.compile(r"then repeat with --force if they are one"), "then say that they are one person though they differ"),
    (re.compile(r"or resync it --as-new"), "or say on the patient's page that nobody there is this one: create"),
    (re.compile(r" \(keep-out --undo\)"), ""),
    (re.compile(r"a bill is sent again with resend"), "a bill is sent again by its own button"),
    (
        re.compile(r"name both to say that they are not the same person"),
        "that two charts are two persons is said under Links to review",
    ),
    (re.compile(r"holds no change; dismiss it"), "holds no change; accept it as it is"),
    (re.compile(r"nothing waits in (\S+)"), lambda found, names: f"{slot_in_words(found[1], names)} does not wait any more"),
    (
        re.compile(r"no refused write in ((?:\S+, )*[^\s;]+)"),
        lambda found, names: f"no refused write of {_slots(found[1], names)}",
    ),
    (re.compile(r"nothing is in quarantine as (\S+)"), lambda found, names: f"{slot_in_words(found[1], names)} is not set aside any more"),
    (
        re.compile(r"there is no conflict in (?!any field)((?:\S+, )*\S+) that"),
        lambda found, names: f"there is no conflict in {fields_in_words(found[1].split(', '))} that",
    ),
)  # fmt: skip
"""What the practice's owner advises, as it is stored, and what is said in its place."""


def said(text: str, names: Names) -> str:
    """A stored sentence with charts and sides as people call them, and its advice as the pages do it."""
    for looks, told in ADVICE:
        text = looks.sub(told if isinstance(told, str) else lambda found, told=told: told(found, names), text)
    return spelled_out(text, names)


def _slots(text: str, names: Names) -> str:
    return ", ".join(slot_in_words(one, names) for one in text.split(", "))
