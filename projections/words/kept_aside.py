"""What was set aside, in words for whoever finds it waiting: what it is, whose fault it is, and what to do.

The item's own text is part of stored documents, so it stays as it was written; these are the words that are shown instead.
"""

from __future__ import annotations

import re

from events.reasons import NOT_SHOWN, UNANSWERED
from events.slots import set_aside_in
from events.writes import System
from projections.terms.names import Names
from projections.words.subject import OUTCOMES, winners_named

FAULT = re.compile(r"cannot be folded \((\w+)\)")
"""How a reason says that chartwire itself failed, and at what."""

_WHY = re.compile(r"could not be used \((.*)\)$", re.DOTALL)
_NOT_HAD = re.compile(rf"({NOT_SHOWN}|{UNANSWERED}) at \S*$")
"""How a reason says that the system did not give the record at all."""


def reason_in_words(reason: str, path: str) -> str:
    """Why a record was set aside, as its event tells it: `reason`, and the place in the record."""
    fault = FAULT.search(reason)
    if fault is None:
        return f"{reason} at {path}" if path else reason
    return f"chartwire could not use it, which is a fault of chartwire ({fault[1]}); report it"


def waiting_in_words(slot: str, text: str, names: Names) -> str:
    """What is said of an item that waits with `text`; of one that is no record set aside it is its text."""
    kept = set_aside_in(slot)
    if kept is None or kept.system not in set(System):
        return winners_named(text, names)
    label = names.label(System(kept.system))
    if fault := FAULT.search(text):
        what = f"what came of a write to {label}" if kept.resource.startswith(OUTCOMES) else f"a change of {label}"
        return (
            f"{what} could not be used, and that is a fault of chartwire ({fault[1]}), not of {label} or of what somebody "
            "entered. It is kept whole. Report it to whoever looks after chartwire; after the update it is tried again from here"
        )
    why = _WHY.search(text)
    if why is not None and (had := _NOT_HAD.match(why[1])) is not None:
        return (
            f"{label} does not show one of its {kept.resource.replace('_', ' ')} ({kept.record}): it {had[1]}. All others are "
            f"read all the same, and this one is asked for again. Open it in {label}; where it does not open there, tell {label}"
        )
    return (
        f"{label} shows one of its {kept.resource.replace('_', ' ')} ({kept.record}) in a form that chartwire cannot read "
        f"({why[1] if why else text}). It is kept whole. Look at it in {label} and save it corrected; where nothing is wrong "
        "there, report it to whoever looks after chartwire"
    )
