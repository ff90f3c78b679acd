"""The texts that values are read as, and the filters' ways of writing them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from daemon.sandbox.kareo.wire import RefusedError

FIRST_YEAR, LAST_YEAR = 1753, 9998
"""What a SQL Server keeps, less a year to shift zones in."""

_FILTER_FORMS = (
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d",
)


def list_time(wall: datetime) -> str:
    """`M/D/YYYY h:mm:ss AM` of a wall time."""
    hour = wall.hour % 12 or 12
    return f"{list_date(wall)} {hour}:{wall.minute:02d}:{wall.second:02d} {'AM' if wall.hour < 12 else 'PM'}"


def list_date(day: date) -> str:
    """`M/D/YYYY`."""
    return f"{day.month}/{day.day}/{day.year}"


def midnight(day: date | None) -> str | None:
    """A calendar date in the form of the list times."""
    return None if day is None else f"{list_date(day)} 12:00:00 AM"


def phone(number: str) -> str | None:
    """`(706) 223-3445` for ten digits; anything else as it was entered."""
    digits = re.sub(r"\D", "", number)
    if len(digits) == 11 and digits.startswith("1"):
        digits = digits[1:]
    if len(digits) != 10:
        return number or None
    return f"({digits[:3]}) {digits[3:6]}-{digits[6:]}"


def money(amount: float) -> str:
    return f"{amount:.2f}"


def quantity(units: float) -> str:
    return f"{units:.12g}"


def flag(value: bool) -> str:
    """Booleans among string members."""
    return "True" if value else "False"


def wall_time(instant: datetime, zone: str) -> datetime:
    """Naive time on the clock of the zone: what the service stores and compares."""
    return instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def calendar_day(value: datetime, zone: str) -> date:
    """The day of an `xs:dateTime` that means a date: one with a zone is moved to the server's, and may shift."""
    _storable(value)
    return value.date() if value.tzinfo is None else wall_time(value, zone).date()


def instant(value: datetime, zone: str) -> datetime:
    """The instant of an `xs:dateTime` in UTC; without a zone it is on the server's clock."""
    _storable(value)
    return (value.replace(tzinfo=ZoneInfo(zone)) if value.tzinfo is None else value).astimezone(UTC).replace(microsecond=0)


def _storable(value: datetime) -> None:
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise RefusedError("The date is out of the range that can be stored.")


def filter_time(text: str) -> datetime:
    """A filter's date in US or ISO form as naive wall time. Raises `RefusedError` if it is neither."""
    cleaned = " ".join(text.split())
    for form in _FILTER_FORMS:
        try:
            return datetime.strptime(cleaned, form)
        except ValueError:
            continue
    raise RefusedError("String was not recognized as a valid DateTime.")


def squeeze(text: str) -> str:
    """For comparing names: one space between words, case folded."""
    return " ".join(text.split()).casefold()
