"""Every way in which an appointment's patient changes while it is booked: the booking of before never stays double unseen."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from events.bookings import CreateBillingAppointment, DeleteBillingAppointment
from events.commands import (
    DismissRequested,
    HoldRequested,
    KeepOutRequested,
    LinkRequested,
    ReleaseRequested,
    UnlinkRequested,
)
from events.ids import BillingPatientId, EhrChartId, PatientKey
from events.slots import SlotKind, slot_of
from events.writes import RecordCreated, Resource
from projections.state.patient import decode_patient, encode_patient
from projections.terms.policy import BILLING_LED, EHR_LED, DeletedAppointment, Direction
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_KEY, ADA_THERE
from tests.unit.stories import IN_CALENDAR, VISIT
from tests.unit.test_bookings import ON, SLOT, booked

MARY = replace(ADA, id=EhrChartId(102), first_name="Mary", last_name="Shelley")
MARY_THERE = replace(ADA_THERE, id=BillingPatientId(902), first_name="Mary", last_name="Shelley")
FORMER = slot_of(SlotKind.FORMER, ADA.id)


def two(**rules: object) -> tuple[Clinic, int, PatientKey]:
    """Ada's appointment is booked, and Mary is known in both systems."""
    made, there = booked(**rules)
    mary = made.linked(MARY, MARY_THERE)
    made.carry_out_all()
    return made, there, mary


def moves(made: Clinic, to: EhrChartId = MARY.id, **changes: object) -> None:
    """The appointment is another chart's now."""
    made.gone_from_calendar(replace(IN_CALENDAR, **changes), moved=True)
    made.in_calendar(replace(IN_CALENDAR, patient=to, **changes))


def removal(made: Clinic) -> DeleteBillingAppointment:
    write = made.wanted(SLOT)
    assert isinstance(write, DeleteBillingAppointment)
    return write


# -- given to another patient ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("switch", DeletedAppointment)
def test_the_booking_of_before_is_taken_back_as_it_was_told_whatever_deletions_do(switch: DeletedAppointment) -> None:
    made, there, mary = two(deleted_appointment=switch)
    told = made.patient().bookings[str(IN_CALENDAR.id)].written
    moves(made)
    assert removal(made) == DeleteBillingAppointment(appointment=there, patient=ADA_THERE.id, told=told)
    assert isinstance(made.wanted(SLOT, mary), CreateBillingAppointment)
    made.carry_out_all()
    assert (made.open(), made.waiting()) == ([], {})


@pytest.mark.parametrize("status", ["Checked In", "In Room", "With Doctor", "Checked Out", "Not Seen"])
def test_one_that_has_begun_waits_for_a_person(status: str) -> None:
    made, there, mary = two()
    made.in_calendar(replace(IN_CALENDAR, status=status))
    made.carry_out_all()
    moves(made, status=status)
    assert (made.waits(SLOT), made.wanted(SLOT)) == ("booked-for-former", None)
    assert f"its booking {there} in Kareo" in made.waiting()[SLOT].text
    assert isinstance(made.wanted(SLOT, mary), CreateBillingAppointment)
    made.ask(DismissRequested(slot=SLOT, who="ann", reason="deleted there"), ehr=ADA.id)
    made.ehr(replace(ADA, link_hint=f"kareo-patient:{ADA_THERE.id}"))
    assert (made.waiting(), made.wanted(SLOT)) == ({}, None)


def test_one_that_is_past_waits_for_a_person() -> None:
    made, _, _ = two()
    made.now = IN_CALENDAR.start + timedelta(hours=1)
    moves(made)
    assert (made.waits(SLOT), made.wanted(SLOT)) == ("booked-for-former", None)


def test_one_that_is_cancelled_stands_nowhere_and_stays() -> None:
    made, there, _ = two()
    made.in_calendar(replace(IN_CALENDAR, status="Cancelled"))
    made.carry_out_all()
    moves(made, status="Cancelled")
    assert (made.open(), made.waiting()) == ([], {})
    made, there, _ = two()
    made.appointment(replace(VISIT, id=there, key=str(there), cancelled=True))
    moves(made)
    assert (made.wanted(SLOT), made.waiting()) == (None, {})


def test_what_people_changed_there_is_refused_and_shown_until_it_comes_back() -> None:
    made, there, mary = two()
    moves(made)
    made.refuse(ADA_KEY, SLOT, "people have changed the booking there")
    assert made.waits(SLOT) == "refused"
    made.gone_from_calendar(replace(IN_CALENDAR, patient=MARY.id), moved=True)
    made.in_calendar(IN_CALENDAR)
    assert (made.waiting(), made.wanted(SLOT)) == ({}, None)
    assert made.patient().bookings[str(IN_CALENDAR.id)].billing == there
    assert made.wanted(SLOT, mary) is None


def test_back_with_its_first_patient_it_is_booked_anew_and_taken_back_from_the_other() -> None:
    made, there, mary = two()
    moves(made)
    made.carry_out_all()
    made.gone_from_calendar(replace(IN_CALENDAR, patient=MARY.id), moved=True)
    made.in_calendar(IN_CALENDAR)
    assert isinstance(made.wanted(SLOT), CreateBillingAppointment)
    assert isinstance(made.wanted(SLOT, mary), DeleteBillingAppointment)
    made.carry_out_all()
    assert made.patient().bookings[str(IN_CALENDAR.id)].billing != there


def test_a_creation_under_way_is_taken_back_once_it_is_known() -> None:
    """The answer is lost, and the appointment is another patient's before it is found again."""
    made = Clinic(table=ON)
    made.linked()
    mary = made.linked(MARY, MARY_THERE)
    made.carry_out_all()
    made.in_calendar(IN_CALENDAR)
    made.lose(ADA_KEY, SLOT)
    moves(made)
    assert isinstance(made.wanted(SLOT, mary), CreateBillingAppointment)
    made.succeed(ADA_KEY, SLOT, RecordCreated(id=9001))
    assert removal(made).appointment == 9001


# -- merged, deleted, gone ------------------------------------------------------------------------------------------------


def test_merged_into_a_linked_chart_it_moves_while_the_merge_waits() -> None:
    made, there, mary = two()
    made.elation_merged(ADA.id, MARY.id)
    moves(made)
    assert made.waits("link") == "merged-both-linked"
    assert removal(made).appointment == there
    assert isinstance(made.wanted(SLOT, mary), CreateBillingAppointment)
    made.carry_out_all()
    assert made.open() == []


def test_of_a_merge_that_waits_one_that_has_begun_is_shown_beside_the_link() -> None:
    made, _, _ = two()
    made.in_calendar(replace(IN_CALENDAR, status="Checked In"))
    made.carry_out_all()
    made.elation_merged(ADA.id, MARY.id)
    moves(made, status="Checked In")
    assert {slot: one.code for slot, one in made.waiting().items()} == {
        "link": "merged-both-linked",
        SLOT: "booked-for-former",
    }


def test_merged_in_both_systems_the_booking_went_along_and_is_not_deleted() -> None:
    """The creation for the survivor found it by its token: it is theirs."""
    made, there, mary = two()
    made.kareo_vanished(ADA_THERE.id)
    made.elation_merged(ADA.id, MARY.id)
    made.in_calendar(replace(IN_CALENDAR, patient=MARY.id))
    made.succeed(mary, SLOT, RecordCreated(id=there))
    made.gone_from_calendar(IN_CALENDAR, moved=True)
    assert (made.wanted(SLOT), made.wanted(SLOT, mary)) == (None, None)


def test_of_a_deleted_chart_what_moved_to_another_is_taken_back_and_the_rest_stays() -> None:
    made, there, _ = two()
    other = replace(IN_CALENDAR, id=61002, start=IN_CALENDAR.start + timedelta(days=1))
    made.in_calendar(other)
    made.carry_out_all()
    made.elation_deleted(ADA.id)
    moves(made)
    assert made.waits("link") == "elation-chart-deleted"
    assert removal(made).appointment == there
    made.gone_from_calendar(other)
    assert made.wanted(slot_of(SlotKind.BOOKING, other.id)) is None


def test_of_a_patient_gone_there_it_is_taken_back() -> None:
    made, there, _ = two()
    made.kareo_vanished(ADA_THERE.id)
    moves(made)
    assert made.waits("link") == "kareo-chart-gone"
    assert removal(made) == DeleteBillingAppointment(
        appointment=there, patient=ADA_THERE.id, told=made.patient().bookings[str(IN_CALENDAR.id)].written
    )


@pytest.mark.parametrize("moved", [True, False])
def test_gone_from_a_chart_after_its_link_moved_it_is_gone(moved: bool) -> None:
    """The merge was read before what became of the appointment: the booking went along with the link."""
    made, there, mary = two()
    survivor = replace(ADA, id=EhrChartId(103))
    made.ehr(survivor)
    made.elation_merged(ADA.id, survivor.id)
    assert (survivor.id, ADA_THERE.id) in made.links()
    made.gone_from_calendar(IN_CALENDAR, moved=moved)
    (write,) = made.carry_out_all()
    assert write.appointment == there
    made.in_calendar(replace(IN_CALENDAR, patient=MARY.id))
    assert isinstance(made.wanted(SLOT, mary), CreateBillingAppointment)


def test_what_went_along_with_a_merge_is_not_gone_because_it_left_the_absorbed_chart() -> None:
    made, there = booked()
    survivor = replace(ADA, id=EhrChartId(103))
    made.ehr(survivor)
    made.elation_merged(ADA.id, survivor.id)
    made.in_calendar(replace(IN_CALENDAR, patient=survivor.id))
    made.gone_from_calendar(IN_CALENDAR, moved=True)
    assert made.open() == []
    assert made.patient().bookings[str(IN_CALENDAR.id)].billing == there


# -- unlinked by a person -------------------------------------------------------------------------------------------------


def test_what_a_person_unlinked_stays_and_is_named_and_is_booked_for_whoever_is_linked_next() -> None:
    made, there, mary = two()
    for chart in (ADA, MARY):
        made.ask(UnlinkRequested(ehr=chart.id, who="grace"), ehr=chart.id)
    made.ask(LinkRequested(ehr=ADA.id, billing=MARY_THERE.id, who="grace", force=True), ehr=ADA.id)
    assert (ADA.id, MARY_THERE.id) in made.links()
    assert f"1 appointments booked for it stay in Kareo ({there})" in made.waiting()[FORMER].text
    assert isinstance(made.wanted(SLOT, mary), CreateBillingAppointment)
    assert made.wanted(SLOT) is None


def test_cancelled_before_it_was_unlinked_nothing_is_left_behind() -> None:
    made, _ = booked()
    made.in_calendar(replace(IN_CALENDAR, status="Cancelled"))
    made.carry_out_all()
    made.ask(UnlinkRequested(ehr=ADA.id, who="grace"), ehr=ADA.id)
    assert FORMER not in made.waiting()


@pytest.mark.parametrize("moved", [True, False])
def test_linked_again_what_left_the_chart_meanwhile_is_taken_back(moved: bool) -> None:
    made, there, mary = two()
    made.ask(UnlinkRequested(ehr=ADA.id, who="grace"), ehr=ADA.id)
    made.gone_from_calendar(IN_CALENDAR, moved=moved)
    if moved:
        made.in_calendar(replace(IN_CALENDAR, patient=MARY.id))
        assert isinstance(made.wanted(SLOT, mary), CreateBillingAppointment)
    made.ask(LinkRequested(ehr=ADA.id, billing=ADA_THERE.id, who="grace"), ehr=ADA.id)
    assert made.wanted(SLOT).appointment == there
    assert isinstance(made.wanted(SLOT), DeleteBillingAppointment) is moved


def test_linked_again_by_the_chart_it_was_merged_into_what_had_left_before_is_taken_back() -> None:
    made, there, mary = two()
    other = replace(IN_CALENDAR, id=61002, start=IN_CALENDAR.start + timedelta(days=1))
    made.in_calendar(other)
    made.carry_out_all()
    made.ask(UnlinkRequested(ehr=ADA.id, who="grace"), ehr=ADA.id)
    moves(made)
    survivor = replace(ADA, id=EhrChartId(103))
    made.ehr(survivor)
    made.elation_merged(ADA.id, survivor.id)
    made.gone_from_calendar(other, moved=True)
    made.in_calendar(replace(other, patient=survivor.id))
    made.carry_out_all()
    assert made.ask(LinkRequested(ehr=survivor.id, billing=ADA_THERE.id, who="grace"), ehr=survivor.id) == ""
    assert removal(made).appointment == there
    assert made.wanted(slot_of(SlotKind.BOOKING, other.id)) is None
    assert made.patient(mary).bookings[str(IN_CALENDAR.id)].billing != there
    assert decode_patient(encode_patient(made.patient())) == made.patient()


# -- held, kept out, switched ---------------------------------------------------------------------------------------------


def test_held_it_is_asked_for_all_along_and_taken_back_after_the_release() -> None:
    made, there, _ = two()
    made.ask(HoldRequested(who="ann", reason="audit", resource=Resource.APPOINTMENT))
    moves(made)
    assert removal(made).appointment == there
    (hold,) = [slot for slot in made.state.directory.waiting if slot.startswith("hold")]
    made.ask(ReleaseRequested(slot=hold, who="ann"))
    made.carry_out_all()
    assert made.open() == []


def test_kept_out_it_stays_and_is_taken_back_when_the_patient_is_let_in() -> None:
    made, there, mary = two()
    made.ask(KeepOutRequested(who="ann", reason="asked"), ehr=ADA.id)
    moves(made)
    assert (made.wanted(SLOT), made.waiting()) == (None, {})
    assert isinstance(made.wanted(SLOT, mary), CreateBillingAppointment)
    made.ask(KeepOutRequested(who="ann", reason="asked", undo=True), ehr=ADA.id)
    assert removal(made).appointment == there


@pytest.mark.parametrize("table", [EHR_LED, BILLING_LED])
@pytest.mark.parametrize("interrupted", [True, False])
def test_switched_off_it_is_shown_and_switched_on_again_taken_back(
    table: dict[Resource, Direction], interrupted: bool
) -> None:
    made, there, _ = two()
    made.policy = replace(made.policy, table=table)
    if interrupted:
        made.elation_merged(ADA.id, MARY.id)
    moves(made)
    assert (made.waits(SLOT), made.wanted(SLOT)) == ("not-followed", None)
    made.policy = replace(made.policy, table=ON)
    made.ehr(replace(ADA, link_hint=f"kareo-patient:{ADA_THERE.id}", merged_into=MARY.id if interrupted else None))
    assert (made.waits(SLOT), removal(made).appointment) == ("", there)


def test_another_provider_or_place_is_a_change_and_no_other_booking() -> None:
    made, there = booked(default_location=699)
    made.in_calendar(replace(IN_CALENDAR, location=None))
    write = made.wanted(SLOT)
    assert (write.appointment, write.changes) == (there, ("location",))
