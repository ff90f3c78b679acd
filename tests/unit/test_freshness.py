"""Which of two readings of a record is the newer one (projections/state/freshness.py)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from projections.state.freshness import AHEAD, stale

NOON = datetime(2026, 3, 2, 19, tzinfo=UTC)
NEVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(2026, 3, 1), datetime(2026, 3, 3), timezones=st.just(UTC))


@given(MOMENTS, MOMENTS)
def test_a_record_that_once_showed_a_time_not_yet_come_is_seen_to_change_afterwards(read: datetime, later: datetime) -> None:
    """FINDINGS B: it would be believed to be newer than everything that is said of it from then on."""
    read, later = sorted((read, later))
    assert not stale(later, later, NEVER, read), "by webhook"
    assert not stale(later - timedelta(hours=1), later, NEVER, read), "by a poll"
    assert not stale(NEVER, later, read, read)
    assert stale(NEVER, read - timedelta(seconds=1), read - timedelta(hours=1), read), "what was read earlier is older"


@given(MOMENTS, st.timedeltas(timedelta(0), AHEAD))
def test_a_clock_that_is_ahead_is_believed(read: datetime, ahead: timedelta) -> None:
    assert stale(read, read + timedelta(hours=1), read + ahead, read) is (ahead > timedelta(0))
