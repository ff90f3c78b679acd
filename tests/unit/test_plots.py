"""The plots of the overview: hours and days of the practice, and bars within their picture."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from daemon.console.plots import ABOVE, BELOW, WIDTH, day_name, hour_name, plot_of
from daemon.operator.activity import DAYS, HOURS, activity

DENVER = ZoneInfo("America/Denver")
NOW = datetime(2026, 3, 10, 3, 20, tzinfo=UTC)
"""9:20 in the evening of March 9 in Denver, two days after the clocks went forward."""


def test_hours_and_days_are_the_practices() -> None:
    late, early = NOW.replace(minute=0), NOW.replace(minute=0) - timedelta(hours=4)
    found = activity({late: 3, early: 2}, {early: 1, NOW.replace(minute=0) - timedelta(days=90): 5}, NOW, DENVER)
    assert (len(found.hours), len(found.days)) == (HOURS, DAYS)
    assert (hour_name(found.hours[-1]), found.hours[-1].written) == ("9 PM", 3)
    assert (found.hours[-5].written, found.hours[-5].waiting) == (2, 1)
    assert (day_name(found.days[-1]), found.days[-1].written, found.days[-1].waiting) == ("3/9", 5, 1)
    assert found.older == 5
    assert sum(one.written for one in found.days) == 5


@given(st.lists(st.tuples(st.integers(0, 24 * 45), st.integers(1, 10**6)), max_size=60))
def test_no_hour_is_counted_twice_and_no_bar_leaves_its_picture(given_: list[tuple[int, int]]) -> None:
    hour = NOW.replace(minute=0)
    counts = {hour - timedelta(hours=back): count for back, count in given_}
    found = activity(counts, counts, NOW, DENVER)
    assert sum(one.waiting for one in found.days) + found.older == sum(counts.values())
    for spans, name in ((found.hours, hour_name), (found.days, day_name)):
        plot = plot_of(spans, name, 6, "Of late", "hour")
        assert len(plot.bars) == sum(bool(one.written) + bool(one.waiting) for one in spans)
        for bar in plot.bars:
            assert 0 <= bar.x <= bar.x + bar.width <= WIDTH
            assert 0 <= bar.y <= bar.y + bar.height <= ABOVE + BELOW
            assert bar.height >= 2


def test_nothing_is_said_of_nothing() -> None:
    plot = plot_of(activity({}, {}, NOW, DENVER).hours, hour_name, 6, "The last 24 hours", "hour")
    assert plot.bars == ()
    assert plot.said == "The last 24 hours: nothing written; nothing of it waits"
    assert len(plot.ticks) == 4
