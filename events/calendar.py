"""Days and moments at the edges of the calendar: arithmetic that does not leave it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

D = TypeVar("D", date, datetime)


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
