"""A clock that was ahead and is right again: what people enter before the time that it had told counts, on either side (kind: clock jumps)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, get_args

import pytest
from msgspec.structs import fields, replace

from events.bookings import StandsAlready
from events.schema import IntentSucceeded
from events.writes import AnyResult, BillWritten, EhrChartWritten
from projections.deciding.set_back import as_read
from projections.state.patient import Patient
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_KEY, ADA_THERE, GOOD_BILL
from tests.unit.stories import IN_CALENDAR, VISIT
from tests.unit.test_folding_every_event import DONE, HELD

HOUR = timedelta(hours=1)
KINDS: dict[str, tuple[Callable[[Clinic, Any], object], Any, Any, Callable[[Patient], Any]]] = {
    "chart": (Clinic.ehr, ADA, replace(ADA, city="Macon"), lambda one: one.ehr.chart),  # type: ignore[union-attr]
    "patient": (Clinic.billing, ADA_THERE, replace(ADA_THERE, city="Macon"), lambda one: one.billing.chart),  # type: ignore[union-attr]
    "appointment": (
        Clinic.appointment,
        VISIT,
        replace(VISIT, minutes=45),
        lambda one: one.appointments[VISIT.key].seen,
    ),
    "appointment in the chart's calendar": (
        Clinic.in_calendar,
        IN_CALENDAR,
        replace(IN_CALENDAR, minutes=45),
        lambda one: one.bookings[str(IN_CALENDAR.id)].seen,
    ),
    "bill": (
        Clinic.bill,
        GOOD_BILL,
        replace(GOOD_BILL, status="Billed"),
        lambda one: one.bills[str(GOOD_BILL.id)].bill,
    ),
    "policies": (Clinic.policies, HELD, replace(HELD, member_id="OTHER"), lambda one: one.coverage.policies[0]),  # type: ignore[union-attr,index]
}
"""By kind: how one is read, as it was, as it is now, and what is known of it."""
kinds = pytest.mark.parametrize("kind", KINDS)


@kinds
def test_what_is_read_after_the_clock_was_set_back_counts(kind: str) -> None:
    read, was, is_now, known = KINDS[kind]
    clinic = Clinic()
    clinic.linked()
    true = clinic.now
    clinic.now = true + HOUR
    read(clinic, was)
    assert known(clinic.patient()) == was
    for number, one in enumerate((is_now, was, is_now)):
        clinic.now = true + timedelta(minutes=number)
        read(clinic, one)
        assert known(clinic.patient()) == one
    clinic.now = true + 2 * HOUR
    read(clinic, was)
    assert known(clinic.patient()) == was, "once the time has come, all is as ever"


@kinds
def test_an_older_reading_that_comes_late_changes_nothing_where_no_clock_was_set_back(kind: str) -> None:
    read, was, is_now, known = KINDS[kind]
    clinic = Clinic()
    clinic.linked()
    clinic.now += HOUR
    read(clinic, is_now)
    read(clinic, was, observed=clinic.now - timedelta(minutes=1))  # type: ignore[call-arg]
    assert known(clinic.patient()) == is_now


def test_what_a_write_made_of_a_patient_is_known_though_the_clock_was_set_back() -> None:
    """Else the other side's old value would look like somebody's edit, and go back over the new one."""
    clinic = Clinic()
    clinic.linked()
    true = clinic.now
    clinic.now = true + HOUR
    clinic.billing(replace(ADA_THERE, address2="Apt 2"))
    clinic.write(ADA_KEY, "demographics:elation")
    clinic.now = true + timedelta(minutes=1)
    clinic.ehr(replace(ADA, address2="Apt 2", city="Macon"), modified=clinic.now)
    clinic.write(ADA_KEY, "demographics:kareo")
    patient = clinic.patient()
    assert (patient.billing.chart.city, patient.intents) == ("Macon", {})  # type: ignore[union-attr]


def test_every_outcome_that_tells_when_it_was_read_is_one_of_those() -> None:
    clinic = Clinic()
    clinic.linked()
    clinic.now += HOUR
    for read, was, _, _ in KINDS.values():
        read(clinic, was)
    now = clinic.now
    timed = {one for one in get_args(AnyResult) if "read_at" in {field.name for field in fields(one)}}
    for one in timed - {StandsAlready}:  # which is the first that is known of what somebody entered by hand
        holds = ADA if one is EhrChartWritten else GOOD_BILL if one is BillWritten else ADA_THERE
        needed = {field.name: holds for field in fields(one) if field.required and field.name != "read_at"}
        event = replace(clinic.events[-1], body=replace(DONE, result=one(**needed, read_at=now - HOUR)))
        counted = as_read(event, clinic.patient(), now - HOUR).body
        assert isinstance(counted, IntentSucceeded)
        assert counted.result.read_at > now - timedelta(minutes=9), one  # type: ignore[union-attr]
        assert as_read(event, clinic.patient(), now + HOUR) is event


def test_a_webhook_has_no_time_of_reading_and_stays_as_it_is() -> None:
    clinic = Clinic()
    clinic.linked()
    true = clinic.now
    clinic.now = true + HOUR
    clinic.ehr(replace(ADA, city="Macon"), modified=true)
    clinic.now = true + timedelta(minutes=5)
    (event, *_) = clinic.ehr(replace(ADA, city="Athens"), modified=clinic.now, observed=clinic.now)
    assert event.observed == clinic.now
    assert clinic.patient().ehr.chart.city == "Athens"  # type: ignore[union-attr]
