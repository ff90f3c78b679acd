"""Which events a moment takes in: a moment is typed as a sequence number, or as a time of recording."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from events.schema import Recorded

AsOf = int | datetime
"""A sequence number, or a time of recording."""


class NotAMoment(ValueError):
    """Text that is neither a sequence number nor an ISO time."""


def parse_moment(text: str, zone: ZoneInfo) -> AsOf:
    """`1234` or `#1234`: that event; else an ISO date or time of recording, in `zone` unless it says otherwise.

    A date alone is its first moment. Raises NotAMoment.
    """
    number = text.removeprefix("#")
    if number.isascii() and number.isdigit():
        return int(number)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise NotAMoment(f"{text} is neither a sequence number nor an ISO time such as 2026-03-02T14:30") from None
    return time if time.tzinfo is not None else time.replace(tzinfo=zone)


def is_past(recorded: Recorded, moment: AsOf | None) -> bool:
    """Whether the event was recorded up to and including `moment`; everything was up to None."""
    if moment is None:
        return True
    return recorded.sequence <= moment if isinstance(moment, int) else recorded.recorded <= moment
