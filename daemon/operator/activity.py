"""How much was carried over of late, and since when what waits has waited: by hour and by day of the practice. No body is opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from daemon.tables.queries import CONSOLE
from events.calendar import local_day, shifted
from events.connection import Connection
from events.ids import PracticeId

HOURS, DAYS = 24, 30
AN_HOUR, A_DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class Span:
    """An hour or a day from `start`: writes that were carried out in it, and items that have waited since then."""

    start: datetime
    written: int
    waiting: int


@dataclass(frozen=True)
class Activity:
    """The last 24 hours and the last 30 days, the oldest first; the last of each is not over yet.

    `older` are items that have waited for longer than that.
    """

    hours: tuple[Span, ...]
    days: tuple[Span, ...]
    older: int


async def activity_of(connection: Connection, practice: PracticeId, now: datetime, zone: ZoneInfo) -> Activity:
    """One query by the index of writes, one of what waits."""
    since = shifted(now, -A_DAY * (DAYS + 1))
    written = {row["hour"]: row["count"] for row in await connection.fetch(CONSOLE["written_by_hour"], practice, since)}
    waiting = {row["hour"]: row["count"] for row in await connection.fetch(CONSOLE["waiting_by_hour"], practice)}
    return activity(written, waiting, now, zone)


def activity(written: Mapping[datetime, int], waiting: Mapping[datetime, int], now: datetime, zone: ZoneInfo) -> Activity:
    """The same from counts by the hour that they begin at."""
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    hours = [shifted(this_hour, -AN_HOUR * back) for back in range(HOURS - 1, -1, -1)]
    today = local_day(now, zone)
    days = [shifted(today, -A_DAY * back) for back in range(DAYS - 1, -1, -1)]
    by_day = [_by_day(counts, zone) for counts in (written, waiting)]
    return Activity(
        hours=tuple(Span(one.astimezone(zone), written.get(one, 0), waiting.get(one, 0)) for one in hours),
        days=tuple(
            Span(datetime(day.year, day.month, day.day, tzinfo=zone), by_day[0][day], by_day[1][day]) for day in days
        ),
        older=sum(count for day, count in by_day[1].items() if day < days[0]),
    )


def _by_day(counts: Mapping[datetime, int], zone: ZoneInfo) -> Counter[date]:
    found: Counter[date] = Counter()
    for hour, count in counts.items():
        found[local_day(hour, zone)] += count
    return found
