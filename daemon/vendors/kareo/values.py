"""Kareo's text forms: everything read is text, and dates come in several shapes (NOTES, section 6)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from events.calendar import in_zone, is_known, known, shifted

MOMENT_FORMS = ("%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M %p", "%m/%d/%Y")
FOLD_STEP = timedelta(minutes=30)
_NUMBER = re.compile(r"-?[0-9]{1,18}")


class BadValue(ValueError):
    """A text that is not what it should be; the message does not repeat it."""


def moment(text: str, zone: ZoneInfo) -> datetime | None:
    """An instant in UTC from a list's wall time in `zone`, or from ISO text with a zone; None for no text, and for no date."""
    if not text:
        return None
    found = _first(text, MOMENT_FORMS)
    if found is None:
        raise BadValue("not a date and time")
    if not is_known(found.date()):
        return None
    try:
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:
        return None


def day(text: str) -> date | None:
    """A calendar date; None for no text, for what stands for none, and for an open end (events/calendar.py)."""
    if not text:
        return None
    found = _first(text, ("%m/%d/%Y", "%Y-%m-%d", *MOMENT_FORMS[:3]))
    if found is None:
        raise BadValue("not a date")
    return known(found.date())


def _first(text: str, forms: Sequence[str]) -> datetime | None:
    """The text by the first of the forms that it has, or as ISO text; None for no date."""
    for form in forms:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def birth_day(text: str) -> date | None:
    """A calendar date that somebody can be born on; None for no text."""
    found = day(text)
    if text and found is None:
        raise BadValue("not a birth date")
    return found


def number(text: str) -> int | None:
    """An id; None for no text."""
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise BadValue("not a number")
    return int(text)


def filter_day(value: date) -> str:
    return f"{value.month}/{value.day}/{value.year}"


def filter_window(start: datetime, end: datetime, zone: ZoneInfo) -> tuple[str, str]:
    """Wall times of a window in the list's zone, widened to all of a repeated hour that either end touches."""
    first, last = in_zone(start, zone), in_zone(end, zone)
    if first.fold or _repeats(first):
        first = in_zone(shifted(start, -timedelta(hours=1)), zone) if first.fold else first
        first = first.replace(minute=0, second=0, fold=0)
    if _repeats(last):
        last = last.replace(minute=59, second=59, fold=1)
    return _wall(first), _wall(last)


def _repeats(moment_: datetime) -> bool:
    """Whether this wall time comes twice."""
    return moment_.replace(fold=0).utcoffset() != moment_.replace(fold=1).utcoffset()


def _wall(value: datetime) -> str:
    return (
        f"{value.month}/{value.day}/{value.year} {value.hour % 12 or 12}:{value:%M:%S} {'AM' if value.hour < 12 else 'PM'}"
    )
