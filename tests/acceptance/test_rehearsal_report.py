"""The report of the clinic day: every number that is asked for, every invariant, and everything that waits, with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon.demo.rehearsal import CHECKED
from events.schema import Origin

if TYPE_CHECKING:
    from tests.played_day import PlayedDay

pytest_plugins = ("tests.played_day",)

NO_DATE_OF_BIRTH = 16
"""The place of this person among those of the script."""


# -- the report ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("invariant", CHECKED)
def test_invariant_holds(played_day: PlayedDay, invariant: str) -> None:
    assert played_day.report["invariants"][invariant] == []


def test_day_is_in_order(played_day: PlayedDay) -> None:
    assert played_day.report["ok"] is True
    assert set(played_day.report["invariants"]) == set(CHECKED)


def test_day_is_a_busy_one(played_day: PlayedDay) -> None:
    assert played_day.report["actions"] >= 200
    assert played_day.report["linked_patients"] >= 50


def test_report_counts_changes_and_events(played_day: PlayedDay) -> None:
    seen = sum(one.event.origin in (Origin.EHR, Origin.BILLING) for events in played_day.events.values() for one in events)
    assert played_day.report["changes_seen"] == seen >= played_day.report["actions"]
    assert played_day.report["events_recorded"] > seen


def test_report_counts_every_event(played_day: PlayedDay) -> None:
    assert played_day.report["events_recorded"] == sum(len(events) for events in played_day.events.values())


def test_report_counts_writes_by_system_and_resource(played_day: PlayedDay) -> None:
    writes = played_day.report["writes"]
    assert set(writes) == {"elation", "kareo"}
    assert set(writes["elation"]) == {"chart", "demographics", "insurance", "appointment", "bill"}
    assert set(writes["kareo"]) == {"chart", "demographics", "bill"}
    assert all(number > 0 for each in writes.values() for number in each.values())


def test_report_counts_echoes_conflicts_and_refusals(played_day: PlayedDay) -> None:
    """A conflict (the city) and a refusal (a procedure nobody knows) in each practice."""
    assert played_day.report["echoes_suppressed"] > 0
    assert played_day.report["conflicts"] == 2
    assert played_day.report["refusals"] == 2


def test_report_counts_calls_as_the_vendors_do(played_day: PlayedDay) -> None:
    """By operation, both vendors; Kareo's numbers are those that its sandbox counted."""
    calls = played_day.report["calls"]
    assert {name.partition(".")[0] for name in calls} == {"elation", "kareo"}
    for operation in (
        "GetPatients",
        "GetAllPatients",
        "CreatePatient",
        "UpdatePatient",
        "CreateEncounter",
        "GetAppointments",
    ):
        made = sum(call.operation == operation for call in played_day.clinic.billing.calls)
        assert 0 < calls[f"kareo.{operation}"] <= made


def test_no_limit_was_exceeded(played_day: PlayedDay) -> None:
    """I10, as Kareo's side counts it."""
    assert played_day.report["limiter_violations"] == 0
    assert played_day.clinic.billing.violations == []


@pytest.mark.parametrize("direction", ["to elation", "to kareo"])
def test_report_tells_the_time_from_change_to_write(played_day: PlayedDay, direction: str) -> None:
    times = played_day.report["seconds_from_change_to_write"][direction]
    assert 0 < times["p50"] <= times["p99"] < 60


# -- what waits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "bill-error",
        "candidates",
        "conflict",
        "deferred",
        "differs-after-sent",
        "elation-chart-deleted",
        "kareo-chart-gone",
        "no-calendar",
        "no-plan",
        "quarantined",
    ],
)
def test_waits_in_both_practices(played_day: PlayedDay, code: str) -> None:
    items = played_day.waiting(code)
    assert {one["practice"] for one in items} == {"elm", "oak"}
    assert all(len(one["reason"]) > 20 and one["slot"] for one in items)


def test_person_without_birth_date_waits(played_day: PlayedDay) -> None:
    """In one practice it was found out in the meantime, and waits no longer."""
    (item,) = played_day.waiting("incomplete")
    assert (item["practice"], item["patient"]) == ("oak", f"K:{played_day.day.kareo_ids['oak'][NO_DATE_OF_BIRTH]}")


def test_nothing_else_waits(played_day: PlayedDay) -> None:
    """A twin is two charts that wait for one decision: one item."""
    codes = [one["code"] for one in played_day.report["waiting"]]
    assert {code: codes.count(code) for code in codes if codes.count(code) != 2} == {"incomplete": 1}
