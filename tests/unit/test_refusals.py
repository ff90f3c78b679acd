"""Refusals of who is not signed in: how many of them a log gets, whoever knocks how often."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from daemon.console.refusals import ALL, EACH, HOUR, Refusals

HERE = "203.0.113.9"


def test_the_first_are_recorded_one_by_one_then_one_a_doubling() -> None:
    refusals = Refusals(lambda: 0.0)
    assert [refusals.noted(HERE) for _ in range(EACH)] == [""] * EACH
    later = [refusals.noted(HERE) for _ in range(EACH + 1, 2049)]
    assert [one for one in later if one][:3] == [
        "128 from there within the hour",
        "256 from there within the hour",
        "512 from there within the hour",
    ]
    assert refusals.noted("198.51.100.7") is None, "after so many of all networks no other one has room either"


def test_one_network_leaves_another_its_records() -> None:
    refusals = Refusals(lambda: 0.0)
    for _ in range(ALL - 1):
        refusals.noted(HERE)
    assert refusals.noted("198.51.100.7") == ""


def test_an_hour_later_it_begins_anew() -> None:
    now = 0.0
    refusals = Refusals(lambda: now)
    for _ in range(3 * ALL):
        refusals.noted(HERE)
    now = HOUR
    assert refusals.noted(HERE) == ""


@given(st.lists(st.integers(0, 5000), max_size=3000))
def test_an_hour_has_an_end(networks: list[int]) -> None:
    refusals = Refusals(lambda: 0.0)
    told = [refusals.noted(f"10.{one // 250}.{one % 250}.1") for one in networks for _ in range(3)]
    assert sum(one is not None for one in told) <= ALL + 14
    assert told[:EACH] == [""] * min(EACH, len(told))
