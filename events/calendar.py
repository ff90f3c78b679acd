"""Days and moments at the edges of the calendar: what stands for none, and arithmetic that does not leave it.

1/1/0001 is .NET's empty date and 1/1/1900 is SQL Server's. The year 9999 is how systems write that there is no end.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

D = TypeVar("D", date, datetime)

OPEN_END = date(9999, 1, 1)
"""Days from here on mean that no end is known."""

_EMPTY = frozenset({date(1, 1, 1), date(1900, 1, 1)})


def is_known(day: date) -> bool:
    """Whether a day is one, and does not stand for none or for no end."""
    return day not in _EMPTY and day < OPEN_END


def known(day: date | None) -> date | None:
    """The day; None for what stands for none, or for no end."""
    return day if day is not None and is_known(day) else None


def shifted(moment: D, by: timedelta) -> D:
    """The day or moment so much later or earlier, or the last or first one that there is."""
    try:
        return moment + by
    except OverflowError:
        edge = datetime.max if by > timedelta() else datetime.min
        return edge.replace(tzinfo=moment.tzinfo) if isinstance(moment, datetime) else edge.date()


def in_zone(moment: datetime, zone: ZoneInfo) -> datetime:
    """The moment on the clocks of a zone; in UTC where those would show a day outside of the calendar."""
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment if moment.tzinfo is UTC else moment.replace(tzinfo=UTC)


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    """The calendar day of a moment in a zone."""
    return in_zone(moment, zone).date()
