"""Kareo's text forms: everything read is text, and dates come in several shapes."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from events.calendar import in_zone, shifted
from projections.terms.codecs import NO_DAYS, is_no_birth, known_day

MOMENT_FORMS = ("%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M %p", "%m/%d/%Y")
KEPT = 8_192
"""Texts whose reading is kept: every list shows again what the one before it showed, and `strptime` is slow."""

_NUMBER = re.compile(r"-?[0-9]{1,18}")


_NO_DAYS = frozenset(
    form
    for one in NO_DAYS
    for form in (one.isoformat(), f"{one.month}/{one.day}/{one.year:04}", f"{one:%m/%d}/{one.year:04}")
)


class BadValue(ValueError):
    """A text that is not what it should be; the message does not repeat it."""


@lru_cache(KEPT)
def moment(text: str, zone: ZoneInfo) -> datetime | None:
    """An instant in UTC from a list's wall time in `zone`, or from ISO text with a zone; None for no text and an empty date."""
    if not text or _is_no_day(text):
        return None
    for form in MOMENT_FORMS:
        try:
            return _in_utc(datetime.strptime(text, form), zone)
        except ValueError:
            continue
    try:
        return _in_utc(datetime.fromisoformat(text), zone)
    except ValueError:
        raise BadValue("not a date and time") from None


def _in_utc(found: datetime, zone: ZoneInfo) -> datetime | None:
    """None for a moment at the end of the calendar, where there is no UTC any more."""
    try:
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:
        return None


def _is_no_day(text: str) -> bool:
    """Whether the text begins with a date that .NET or SQL Server writes for an empty one."""
    return text.replace("T", " ").split(" ")[0] in _NO_DAYS


def birth_day(text: str) -> date | None:
    """A birth date; None for no text. An empty date of .NET or SQL Server is nobody's birth date, nor is an end of time."""
    found = day(text)
    if text and (found is None or is_no_birth(found)):
        raise BadValue("not a birth date")
    return found


def day(text: str) -> date | None:
    """A calendar date; None for no text, and for a date that only stands for an empty one."""
    return known_day(_any_day(text))


@lru_cache(KEPT)
def _any_day(text: str) -> date | None:
    if not text:
        return None
    for form in ("%m/%d/%Y", "%Y-%m-%d", *MOMENT_FORMS[:3]):
        try:
            return datetime.strptime(text, form).date()
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        raise BadValue("not a date") from None


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
