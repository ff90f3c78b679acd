"""A day, a week or a month as people ask for it."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.words.period import NotAPeriod, of_day, parse_period


@pytest.mark.parametrize(
    ("kind", "text", "first", "last"),
    [
        ("month", "2026-11", date(2026, 11, 1), date(2026, 11, 30)),
        ("month", "2028-02", date(2028, 2, 1), date(2028, 2, 29)),
        ("week", "2026-W48", date(2026, 11, 23), date(2026, 11, 29)),
        ("week", "2026-11-29", date(2026, 11, 23), date(2026, 11, 29)),
        ("week", "2027-01-01", date(2026, 12, 28), date(2027, 1, 3)),
        ("day", "2026-11-03", date(2026, 11, 3), date(2026, 11, 3)),
    ],
)
def test_what_is_typed_is_understood(kind: str, text: str, first: date, last: date) -> None:
    period = parse_period(kind, text)
    assert (period.first, period.last) == (first, last)
    assert parse_period(kind, period.text) == period


@pytest.mark.parametrize(
    ("kind", "text"),
    [("month", "2026-13"), ("month", "November"), ("week", "2026-W54"), ("week", "48"), ("day", "2026-02-30"), ("day", "")],
)
def test_what_is_none_says_what_one_looks_like(kind: str, text: str) -> None:
    with pytest.raises(NotAPeriod, match=f"a {kind} is written as 2026-"):
        parse_period(kind, text)


@given(st.sampled_from(["day", "week", "month"]), st.dates(date(1990, 1, 1), date(2100, 1, 1)))
def test_periods_follow_one_another_without_a_gap(kind: str, day: date) -> None:
    period = of_day(kind, day)
    assert day in period
    assert (period.after.first - period.last).days == (period.first - period.before.last).days == 1
    assert period.after.before == period
    assert period.after.first not in period


def test_the_calendar_has_an_end() -> None:
    for kind in ("day", "week", "month"):
        assert date.max in of_day(kind, date.max)
        assert date.min in of_day(kind, date.min)
