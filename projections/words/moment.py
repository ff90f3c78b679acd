"""Moments as people type them (a sequence number, or a time of recording) and as they read them: with their zone, always."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from events.schema import Recorded
from projections.terms.names import LARGEST_ID

_TRADE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?: (\d{1,2}):(\d{2})(?: ?([AaPp])\.?[Mm]\.?)?)?", re.ASCII)

AsOf = int | datetime
"""A sequence number, or a time of recording."""


UTC = ZoneInfo("UTC")


def in_zone(time: datetime, zone: ZoneInfo) -> str:
    """A time as people read it, to the second: `2026-03-02 14:30:05 MST`."""
    return f"{time.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"


def in_zone_to_the_minute(time: datetime, zone: ZoneInfo) -> str:
    """As `in_zone`, for times that have no seconds: `2026-03-02 14:30 MST`."""
    return f"{time.astimezone(zone):%Y-%m-%d %H:%M %Z}"


def clock_of_the_trade(time: datetime, zone: ZoneInfo) -> str:
    """A time as people of the trade write it: `3/2/2026 2:30 PM MST`."""
    local = time.astimezone(zone)
    return f"{local.month}/{local.day}/{local.year} {local.hour % 12 or 12}:{local:%M %p %Z}"


class NotAMoment(ValueError):
    """Text that is neither a sequence number nor an ISO time."""


def parse_moment(text: str, zone: ZoneInfo) -> AsOf:
    """`1234` or `#1234`: that event; else a time of recording, in `zone` unless it says otherwise: ISO, or `3/2/2026 2:30 PM`.

    A date alone is its first moment. Raises NotAMoment.
    """
    number = text.removeprefix("#")
    if number.isascii() and number.isdigit() and len(number) < 20 and int(number) <= LARGEST_ID:
        return int(number)
    try:
        time = _of_the_trade(text) or datetime.fromisoformat(text)
    except ValueError:
        raise NotAMoment(f"{text} is neither a sequence number nor an ISO time such as 2026-03-02T14:30") from None
    return time if time.tzinfo is not None else time.replace(tzinfo=zone)


def _of_the_trade(text: str) -> datetime | None:
    """The time that is written as people of the trade do; None where it is written otherwise. Raises ValueError for no day or hour."""
    found = _TRADE.fullmatch(text.strip())
    if found is None:
        return None
    month, day, year, hour, minute = (int(one or 0) for one in found.groups()[:5])
    if found[6] is not None:
        if not 1 <= hour <= 12:
            raise ValueError(f"no hour {found[6]}")
        hour = hour % 12 + (12 if found[6].upper() == "P" else 0)
    return datetime(year, month, day, hour, minute)


def is_past(recorded: Recorded, moment: AsOf | None) -> bool:
    """Whether the event was recorded up to and including `moment`; everything was up to None."""
    if moment is None:
        return True
    return recorded.sequence <= moment if isinstance(moment, int) else recorded.recorded <= moment
