"""Values of fields as people of the trade write them. It needs no rules: whatever shows a value begins sooner for that."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

NOTHING_THERE = "nothing"
"""What is said of a value that is empty."""


def day_as_written(day: date | None) -> str:
    """A day as people of the trade write it: 3/14/1961."""
    return f"{day.month}/{day.day}/{day.year}" if day is not None else ""


def as_written(value: str, field: str, providers: Mapping[str, str] | None = None) -> str:
    """The value of a field as people of the trade write it: 3/14/1961, (303) 555-0142, the name of a provider."""
    if field == "provider":
        return (providers or {}).get(value, value)
    if field.endswith("phone") and len(value) == 10 and value.isdecimal():
        return f"({value[:3]}) {value[3:6]}-{value[6:]}"
    if field == "birth_date":
        try:
            return day_as_written(date.fromisoformat(value))
        except ValueError:
            return value
    return value
