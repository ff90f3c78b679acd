"""A day, a week or a month as people ask for it, in the practice's own days."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

from events.calendar import shifted

ONE_DAY = timedelta(days=1)
_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_WEEK = re.compile(r"(\d{4})-W(\d{2})", re.ASCII)


class NotAPeriod(ValueError):
    """Text that is no day, week or month; says what one looks like."""


@dataclass(frozen=True)
class Period:
    """From `first` to `last`, both included. `kind` is day, week (Monday to Sunday) or month; `text` is how it is typed."""

    kind: str
    first: date
    last: date

    @property
    def text(self) -> str:
        if self.kind == "month":
            return f"{self.first:%Y-%m}"
        if self.kind == "week":
            return f"{self.first.isocalendar().year}-W{self.first.isocalendar().week:02}"
        return self.first.isoformat()

    @property
    def before(self) -> Period:
        """The one before it."""
        return of_day(self.kind, shifted(self.first, -ONE_DAY))

    @property
    def after(self) -> Period:
        """The one after it."""
        return of_day(self.kind, shifted(self.last, ONE_DAY))

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


def of_day(kind: str, day: date) -> Period:
    """The day, or the week or month that has it."""
    if kind == "month":
        return Period(kind, day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1]))
    if kind == "week":
        first = shifted(day, -timedelta(days=day.weekday()))
        return Period(kind, first, shifted(first, timedelta(days=6)))
    return Period("day", day, day)


def parse_period(kind: str, text: str) -> Period:
    """A month `2026-11`, a week `2026-W48` or any day of it, a day `2026-11-03`. Raises NotAPeriod."""
    try:
        if kind == "month" and (found := _MONTH.fullmatch(text)):
            return of_day(kind, date(int(found[1]), int(found[2]), 1))
        if kind == "week" and (found := _WEEK.fullmatch(text)):
            return of_day(kind, date.fromisocalendar(int(found[1]), int(found[2]), 1))
        if kind in ("week", "day"):
            return of_day(kind, date.fromisoformat(text))
    except ValueError:
        pass
    looks = {"month": "2026-11", "week": "2026-W48, or a day of it such as 2026-11-24", "day": "2026-11-03"}
    raise NotAPeriod(f"{text}: a {kind} is written as {looks[kind]}")
