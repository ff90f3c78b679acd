"""What was booked and called off in a time that a restore lost: its copy may stand in the other calendar, so somebody is asked to look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from events.commands import DismissRequested
from events.records import BillingAppointment
from events.restarts import HistoryRestarted, HistoryResumed
from events.writes import CancelEhrAppointment
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_THERE
from tests.unit.test_appointments import SLOT, VISIT, written

RESTART = HistoryRestarted(kept=7, witnessed=9, epoch=3, until=datetime(2026, 3, 2, tzinfo=UTC))
OFF = replace(VISIT, start=VISIT.start + timedelta(days=365), cancelled=True)


def restored(*, over: bool = False) -> Clinic:
    clinic = Clinic()
    clinic.linked()
    clinic._about("", RESTART)
    if over:
        clinic._about("", HistoryResumed())
    return clinic


def test_one_that_is_read_as_called_off_after_a_restore_waits_for_a_person_and_stays_until_it_is_accepted() -> None:
    clinic = restored()
    clinic.appointment(OFF)
    assert clinic.waits(SLOT) == "not-followed"
    assert clinic.open() == []
    clinic._about("", HistoryResumed())
    clinic.appointment(replace(OFF, key="7002", id=7002))
    assert clinic.waits(SLOT) == "not-followed"
    refused = clinic.ask(DismissRequested(slot=SLOT, who="grace", reason="was not there"), int(ADA.id), int(ADA_THERE.id))
    assert (refused, clinic.waits(SLOT)) == ("", "")


def test_one_that_is_called_off_when_the_lost_time_is_made_up_for_is_nobodys_concern() -> None:
    clinic = restored(over=True)
    clinic.appointment(OFF)
    assert (clinic.waits(SLOT), clinic.open()) == ("", [])


@pytest.mark.parametrize("visit", [replace(OFF, start=VISIT.start - timedelta(days=9000)), replace(OFF, cancelled=False)])
def test_one_of_the_past_or_one_that_takes_place_is_not_listed(visit: BillingAppointment) -> None:
    clinic = restored()
    clinic.appointment(visit)
    assert clinic.waits(SLOT) != "not-followed"


def test_one_whose_copy_is_known_is_cancelled_as_ever() -> None:
    clinic = written()
    clinic._about("", RESTART)
    clinic.appointment(replace(VISIT, cancelled=True))
    assert clinic.wanted(SLOT) == CancelEhrAppointment(appointment=9001)
    assert clinic.waits(SLOT) == ""
