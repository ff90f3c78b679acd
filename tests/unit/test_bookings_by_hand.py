"""An appointment that somebody entered by hand in both systems is not booked beside itself."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from events.bookings import CreateBillingAppointment, EhrAppointment, StandsAlready
from events.commands import DismissRequested
from events.slots import SlotKind, slot_of
from events.writes import RecordCreated
from projections.state.patient import decode_patient, encode_patient
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_KEY
from tests.unit.stories import IN_CALENDAR, VISIT
from tests.unit.test_bookings import SLOT, clinic

BY_HAND = replace(VISIT, start=IN_CALENDAR.start)


def stands(made: Clinic, one: EhrAppointment = IN_CALENDAR) -> Clinic:
    """It was looked for, and stands there as the desk entered it."""
    made.in_calendar(one)
    made.succeed(ADA_KEY, slot_of(SlotKind.BOOKING, one.id), StandsAlready(id=BY_HAND.id, read_at=made.now))
    return made


def test_it_waits_for_a_person_and_nothing_is_created() -> None:
    made = stands(clinic())
    assert (made.waits(SLOT), made.open()) == ("stands-already", [])
    assert f"stands in Kareo already, as appointment {BY_HAND.id}" in made.waiting()[SLOT].text
    made.appointment(BY_HAND)
    made.in_calendar(replace(IN_CALENDAR, description="Fever"))
    assert (made.waits(SLOT), made.open()) == ("stands-already", [])
    assert decode_patient(encode_patient(made.patient())) == made.patient()


def test_accepted_it_is_quiet_until_one_of_the_two_moves_alone() -> None:
    made = stands(clinic())
    made.ask(DismissRequested(slot=SLOT, who="ann", reason="kept by hand"), ehr=ADA.id)
    made.in_calendar(replace(IN_CALENDAR, status="Confirmed"))
    assert (made.waiting(), made.open()) == ({}, [])
    moved = replace(IN_CALENDAR, start=IN_CALENDAR.start + timedelta(days=1))
    made.in_calendar(moved)
    assert "moved in Elation alone" in made.waiting()[SLOT].text
    made.appointment(replace(BY_HAND, start=moved.start))
    assert made.waits(SLOT) == "stands-already"
    assert "alone" not in made.waiting()[SLOT].text
    assert made.open() == []


def test_gone_cancelled_or_moved_there_it_is_looked_for_again() -> None:
    for changed in (
        replace(BY_HAND, cancelled=True),
        replace(BY_HAND, start=BY_HAND.start + timedelta(hours=3)),
    ):
        made = stands(clinic())
        made.appointment(changed)
        assert isinstance(made.wanted(SLOT), CreateBillingAppointment)
        assert SLOT not in made.waiting()
    made = stands(clinic())
    made.appointment(BY_HAND)
    made.appointment_vanished(BY_HAND)
    made.succeed(ADA_KEY, SLOT, RecordCreated(id=9001))
    assert made.patient().bookings[str(IN_CALENDAR.id)].by_hand is None
    assert (made.waiting(), made.open()) == ({}, [])


def test_what_the_list_showed_before_the_look_says_nothing_of_it() -> None:
    """Else a look that found it and an older sight that lacks it would ask for one another for ever."""
    made = clinic()
    made.appointment(replace(BY_HAND, cancelled=True), observed=made.now - timedelta(hours=1))
    stands(made)
    assert (made.waits(SLOT), made.open()) == ("stands-already", [])


def test_gone_from_the_calendar_nothing_is_left_to_say() -> None:
    made = stands(clinic())
    made.gone_from_calendar(IN_CALENDAR)
    assert (made.waiting(), made.open()) == ({}, [])


def test_it_stands_for_one_of_two_at_the_same_time() -> None:
    made = stands(clinic())
    second = replace(IN_CALENDAR, id=61002)
    made.in_calendar(second)
    create = made.wanted(slot_of(SlotKind.BOOKING, 61002))
    assert isinstance(create, CreateBillingAppointment)
    assert create.taken == (BY_HAND.id,)
