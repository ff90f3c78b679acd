"""How pages write what they show: times where the practice is, numbers, sentences; the filters of the templates."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime

from daemon.console.advice import said
from daemon.console.asked import Ask
from daemon.console.recorded import detail_in_words, recorded_in_words
from daemon.operator.readings import failure_in_words, operation_in_words, reading_in_words
from events.holds import scope_in
from events.writes import System
from projections.terms.names import Names
from projections.words.headings import heading_of
from projections.words.moment import clock_of_the_trade
from projections.words.subject import (
    field_in_words,
    origin_in_words,
    profile_in_words,
    rule_in_words,
    scope_in_words,
    slot_in_words,
    system_in_words,
)
from projections.words.written import as_written, day_as_written

_KEY = re.compile(r"\b([a-z]+(?:_[a-z]+)+)\b")
"""How a key of the configuration looks."""


def when(time: datetime, ask: Ask) -> str:
    """A time as people of the trade write it, where the practice is, with its zone."""
    return clock_of_the_trade(time, ask.zone)


def when_and_weekday(time: datetime, ask: Ask) -> str:
    """The same of what is looked up in a calendar: `Mon 3/2/2026 2:30 PM MST`."""
    return f"{time.astimezone(ask.zone):%a} {clock_of_the_trade(time, ask.zone)}"


def clock(local: datetime) -> str:
    """The time of day of a local time."""
    return f"{local.hour % 12 or 12}:{local.minute:02} {'AM' if local.hour < 12 else 'PM'}"


def ago(seconds: float) -> str:
    """How long something is ago, in its largest unit."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"


def thousands(number: int) -> str:
    """A number as people write it: 10,000."""
    return f"{number:,}"


def about(name: str, names: Names) -> str:
    """What a slot or a change names: a field or a system as people call it, a number as it is; nothing of what only the program calls so."""
    if ":" in name:
        return ""
    return system_in_words(name, names) if name in set(System) else field_in_words(name)


def sentence(text: str) -> str:
    """A reason that stands by itself."""
    return upper_first(text) + ("" if text.endswith((".", "!", "?")) or not text else ".")


def upper_first(text: str) -> str:
    """A text that begins a line."""
    return f"{text[:1].upper()}{text[1:]}"


def keys_apart(text: str) -> list[str]:
    """A rule's words in pieces: every second one is a key of the configuration."""
    return _KEY.split(text)


def held(slot: str, names: Names) -> str:
    """What a hold holds, as far as its slot says it."""
    scope = scope_in(slot)
    return slot_in_words(slot, names) if scope is None else scope_in_words(scope, names)


FILTERS: Mapping[str, Callable[..., object]] = {
    "when": when,
    "when_and_weekday": when_and_weekday,
    "day": day_as_written,
    "ago": ago,
    "thousands": thousands,
    "heading": heading_of,
    "upper_first": upper_first,
    "sentence": sentence,
    "as_written": as_written,
    "about": about,
    "held": held,
    "origin": origin_in_words,
    "rule": rule_in_words,
    "profile": profile_in_words,
    "keys_apart": keys_apart,
    "recorded": recorded_in_words,
    "detail": detail_in_words,
    "said": said,
    "reading": reading_in_words,
    "failure": failure_in_words,
    "operation": operation_in_words,
}
"""By the names that templates call them by."""
