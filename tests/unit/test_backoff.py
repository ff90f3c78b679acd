"""Pauses between tries grow to a bound and are spread."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from events.backoff import Backoff


def test_pauses_double_up_to_the_longest() -> None:
    backoff = Backoff(first=1.0, longest=10.0, jitter=0.0)
    assert [backoff.pause(failures) for failures in range(1, 7)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


@given(
    st.integers(min_value=1, max_value=10**6),
    st.floats(min_value=0.001, max_value=100.0),
    st.floats(min_value=0.0, max_value=1.0),
)
def test_a_pause_is_never_longer_than_the_longest_nor_shorter_than_its_share(
    failures: int, first: float, jitter: float
) -> None:
    backoff = Backoff(first=first, longest=300.0, jitter=jitter)
    least, most = (Backoff(first=first, longest=300.0, jitter=0.0).pause(failures) * share for share in (1.0 - jitter, 1.0))
    assert 0.0 <= least <= backoff.pause(failures) <= most <= 300.0


def test_the_random_share_is_drawn_between_the_least_and_the_most() -> None:
    drawn: list[tuple[float, float]] = []

    def lowest(least: float, most: float) -> float:
        drawn.append((least, most))
        return least

    assert Backoff(first=4.0).pause(2, lowest) == 4.0
    assert drawn == [(4.0, 8.0)]
