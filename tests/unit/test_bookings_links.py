"""Bookings and links: late sights, charts not linked yet, merges, and an unlinking (EHR_LED, section 8)."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from events.bookings import CreateBillingAppointment
from events.commands import LinkRequested, UnlinkRequested
from events.ids import EhrChartId
from events.slots import SlotKind, slot_of
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_THERE
from tests.unit.stories import IN_CALENDAR
from tests.unit.test_bookings import ON, SLOT, booked, clinic


def test_an_older_sight_never_replaces_a_newer_one() -> None:
    made = clinic()
    late, early = made.now + timedelta(minutes=20), made.now + timedelta(minutes=10)
    made.in_calendar(replace(IN_CALENDAR, minutes=40), modified=late)
    made.in_calendar(replace(IN_CALENDAR, minutes=10), modified=early)
    assert made.wanted(SLOT).terms.minutes == 40


def test_it_waits_for_the_link_and_is_booked_with_it() -> None:
    made = Clinic(table=ON)
    made.in_calendar(IN_CALENDAR)
    assert made.open() == []
    made.linked()
    assert made.wanted(SLOT).patient == ADA_THERE.id


def test_what_was_booked_before_a_merge_is_booked_no_second_time() -> None:
    made, there = booked()
    survivor = replace(ADA, id=EhrChartId(103))
    made.ehr(survivor)
    made.in_calendar(replace(IN_CALENDAR, patient=survivor.id))
    made.elation_merged(ADA.id, survivor.id)
    made.carry_out_all()
    assert made.patient().bookings[str(IN_CALENDAR.id)].billing == there
    assert sum(isinstance(one.write, CreateBillingAppointment) for one in made.requests()) == 1


def test_unlinked_and_linked_again_it_goes_on_where_it_was() -> None:
    made, there = booked()
    assert made.ask(UnlinkRequested(ehr=ADA.id, who="grace"), ehr=ADA.id) == ""
    assert "1 appointments booked for it stay in Kareo" in made.waiting()[slot_of(SlotKind.FORMER, ADA.id)].text
    assert made.ask(LinkRequested(ehr=ADA.id, billing=ADA_THERE.id, who="grace"), ehr=ADA.id) == ""
    assert made.patient().bookings[str(IN_CALENDAR.id)].billing == there
    assert made.wanted(SLOT) is None


def test_one_whose_chart_is_deleted_stays_and_goes_on_when_the_chart_is_restored() -> None:
    """EHR_LED section 8: patient deleted after booking."""
    made, there = booked()
    made.elation_deleted(ADA.id)
    made.in_calendar(replace(IN_CALENDAR, minutes=40))
    assert (made.open(), made.waits("link")) == ([], "elation-chart-deleted")
    made.ehr(replace(ADA, link_hint=f"kareo-patient:{ADA_THERE.id}"))
    assert (made.wanted(SLOT).appointment, made.wanted(SLOT).changes) == (there, ("minutes",))


def test_a_reason_is_kept_by_its_number_whatever_it_is_called() -> None:
    """EHR_LED section 8: reason renamed in Kareo; the map goes by the type's name in Elation, and a renamed type has no row."""
    made, _ = booked(appointment_reasons={"Follow-up": 31})
    made.in_calendar(replace(IN_CALENDAR, reason="Follow-up"))
    assert (made.wanted(SLOT).changes, made.wanted(SLOT).terms.reason) == (("reason",), 31)
    made.carry_out_all()
    made.kareo_directory()
    made.in_calendar(replace(IN_CALENDAR, reason="Follow-up"))
    assert made.open() == []
