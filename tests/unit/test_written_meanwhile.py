"""A write that was decided on, and what people changed before it went out: what it came to is folded as what it was about, so that
their change is still acted on. A vendor or the daemon may have been away for hours in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from msgspec.structs import replace

from events.ids import EhrChartId
from events.slots import SlotKind, slot_of
from events.writes import RecordCreated, Resource, Searched, System, UpdateEhrChart
from projections.terms.policy import EHR_LED, DeletedAppointment, Direction
from tests.unit.bills import ANSWER, billed, lined
from tests.unit.bills import SLOT as BILL
from tests.unit.clinic import Clinic
from tests.unit.insured_both_ways import CASE, GOLD, SECOND, agreed
from tests.unit.records import ADA, ADA_KEY, ADA_THERE, BLUE, GREY, HOUSE, KAREO_HOUSE
from tests.unit.searches import HERE
from tests.unit.stories import IN_CALENDAR, VISIT
from tests.unit.test_beyond_case import STAFF, answered, beyond, remove
from tests.unit.test_insurance import clinic_with, insured

CHART, POLICIES, CARRIER = "chart", "policies", "carrier:40"
THERE, BOOKED = slot_of(SlotKind.APPOINTMENT, VISIT.key), slot_of(SlotKind.BOOKING, IN_CALENDAR.id)
TO_ELATION, TO_KAREO = (slot_of(SlotKind.DEMOGRAPHICS, one) for one in System)
LATER = timedelta(hours=1)
BOOKING = {**EHR_LED, Resource.APPOINTMENT: Direction.TO_BILLING}


def linked() -> Clinic:
    clinic = Clinic()
    clinic.linked()
    return clinic


def edited_there(**changes: object) -> Clinic:
    clinic = linked()
    clinic.billing(replace(ADA_THERE, **changes))
    return clinic


def edited_here(**changes: object) -> Clinic:
    clinic = linked()
    clinic.ehr(replace(ADA, **changes))
    return clinic


def unlinked_there(*, searched: bool = True) -> Clinic:
    clinic = Clinic()
    clinic.billing(ADA_THERE)
    if searched:
        clinic.succeed(ADA_KEY, CHART, Searched())
    return clinic


def unlinked_here() -> Clinic:
    clinic = Clinic()
    clinic.ehr(ADA)
    clinic.succeed(HERE, CHART, Searched())
    return clinic


def visiting(*, done: bool = False, **changes: object) -> Clinic:
    clinic = linked()
    clinic.appointment(VISIT)
    if done:
        clinic.write(ADA_KEY, THERE)
        clinic.appointment(replace(VISIT, **changes))
    return clinic


def vanished() -> Clinic:
    clinic = visiting()
    clinic.write(ADA_KEY, THERE)
    clinic.appointment_vanished(VISIT)
    return clinic


def in_calendar(*, done: bool = False, gone: bool = False, **changes: object) -> Clinic:
    clinic = Clinic(table=BOOKING, deleted_appointment=DeletedAppointment.DELETE)
    clinic.linked()
    clinic.policies()
    clinic.carry_out_all()
    clinic.in_calendar(IN_CALENDAR)
    if done:
        clinic.write(ADA_KEY, BOOKED)
        clinic.in_calendar(replace(IN_CALENDAR, **changes))
    if gone:
        clinic.write(ADA_KEY, BOOKED)
        clinic.gone_from_calendar(IN_CALENDAR)
    return clinic


def of_both(*here: object, there: tuple[object, ...] = (BLUE,)) -> Clinic:
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.policies(*(here or (GOLD,)))
    clinic.billing(insured(*there))
    return clinic


def carried() -> Clinic:
    clinic = clinic_with(BLUE, known=False)
    clinic.carry_out_all()
    clinic.billing(insured(replace(BLUE, plan_city="Macon")))
    return clinic


def sent() -> Clinic:
    clinic = billed()
    clinic.write(ADA_KEY, BILL)
    return clinic


@dataclass(frozen=True)
class Meanwhile:
    """A write wanted in `slot`, and what somebody changes while it is under way."""

    begin: Callable[[], Clinic]
    slot: str
    change: Callable[[Clinic], object]
    key: str = ADA_KEY


SITUATIONS = {
    "a chart is searched, and renamed": Meanwhile(
        lambda: unlinked_there(searched=False), CHART, lambda clinic: clinic.billing(replace(ADA_THERE, last_name="King"))
    ),
    "a chart is created, and moves": Meanwhile(
        unlinked_there, CHART, lambda clinic: clinic.billing(replace(ADA_THERE, city="Macon"))
    ),
    "a chart is created, and renamed": Meanwhile(
        unlinked_there, CHART, lambda clinic: clinic.billing(replace(ADA_THERE, last_name="King"))
    ),
    "a chart is created, and loses its e-mail": Meanwhile(
        unlinked_there, CHART, lambda clinic: clinic.billing(replace(ADA_THERE, email=""))
    ),
    "a chart is created, and gets another provider": Meanwhile(
        unlinked_there, CHART, lambda clinic: clinic.billing(replace(ADA_THERE, provider=KAREO_HOUSE))
    ),
    "a patient is created, and moves": Meanwhile(
        unlinked_here, CHART, lambda clinic: clinic.ehr(replace(ADA, city="Macon")), HERE
    ),
    "a patient is created, and gets another provider": Meanwhile(
        unlinked_here, CHART, lambda clinic: clinic.ehr(replace(ADA, physician=HOUSE)), HERE
    ),
    "a chart is updated, and changes again": Meanwhile(
        lambda: edited_there(city="Macon"), TO_ELATION, lambda clinic: clinic.billing(replace(ADA_THERE, city="Rome"))
    ),
    "a chart is updated, and changes back": Meanwhile(
        lambda: edited_there(city="Macon"), TO_ELATION, lambda clinic: clinic.billing(ADA_THERE)
    ),
    "a chart gets another provider, and its first again": Meanwhile(
        lambda: edited_there(provider=KAREO_HOUSE), TO_ELATION, lambda clinic: clinic.billing(ADA_THERE)
    ),
    "a patient is updated, and changes again": Meanwhile(
        lambda: edited_here(city="Macon"), TO_KAREO, lambda clinic: clinic.ehr(replace(ADA, city="Rome"))
    ),
    "a patient is updated, and changes back": Meanwhile(
        lambda: edited_here(city="Macon"), TO_KAREO, lambda clinic: clinic.ehr(ADA)
    ),
    "an appointment is created, and moves": Meanwhile(
        visiting, THERE, lambda clinic: clinic.appointment(replace(VISIT, start=VISIT.start + LATER))
    ),
    "an appointment is created, and cancelled": Meanwhile(
        visiting, THERE, lambda clinic: clinic.appointment(replace(VISIT, cancelled=True))
    ),
    "an appointment is created, and deleted": Meanwhile(visiting, THERE, lambda clinic: clinic.appointment_vanished(VISIT)),
    "an appointment moves, and moves back": Meanwhile(
        lambda: visiting(done=True, start=VISIT.start + LATER), THERE, lambda clinic: clinic.appointment(VISIT)
    ),
    "an appointment moves, and is cancelled": Meanwhile(
        lambda: visiting(done=True, start=VISIT.start + LATER),
        THERE,
        lambda clinic: clinic.appointment(replace(VISIT, start=VISIT.start + LATER, cancelled=True)),
    ),
    "an appointment is cancelled, and stands again": Meanwhile(
        lambda: visiting(done=True, cancelled=True), THERE, lambda clinic: clinic.appointment(VISIT)
    ),
    "an appointment is deleted, and stands again": Meanwhile(vanished, THERE, lambda clinic: clinic.appointment(VISIT)),
    "an appointment is booked, and moves": Meanwhile(
        in_calendar, BOOKED, lambda clinic: clinic.in_calendar(replace(IN_CALENDAR, start=IN_CALENDAR.start + LATER))
    ),
    "an appointment is booked, and cancelled": Meanwhile(
        in_calendar, BOOKED, lambda clinic: clinic.in_calendar(replace(IN_CALENDAR, status="Cancelled"))
    ),
    "an appointment is booked, and deleted": Meanwhile(
        in_calendar, BOOKED, lambda clinic: clinic.gone_from_calendar(IN_CALENDAR)
    ),
    "a booking moves, and moves back": Meanwhile(
        lambda: in_calendar(done=True, start=IN_CALENDAR.start + LATER),
        BOOKED,
        lambda clinic: clinic.in_calendar(IN_CALENDAR),
    ),
    "a booking is cancelled, and stands again": Meanwhile(
        lambda: in_calendar(done=True, status="Cancelled"), BOOKED, lambda clinic: clinic.in_calendar(IN_CALENDAR)
    ),
    "a booking is deleted, and stands again": Meanwhile(
        lambda: in_calendar(gone=True), BOOKED, lambda clinic: clinic.in_calendar(IN_CALENDAR)
    ),
    "a policy is written, and changes again": Meanwhile(
        lambda: clinic_with(BLUE), POLICIES, lambda clinic: clinic.billing(insured(replace(BLUE, number="NEW-1")))
    ),
    "a policy is written, and is gone": Meanwhile(
        lambda: clinic_with(BLUE), POLICIES, lambda clinic: clinic.billing(insured())
    ),
    "a policy goes here, and changes again": Meanwhile(
        lambda: of_both(there=(replace(BLUE, group="G-1"),)),
        POLICIES,
        lambda clinic: clinic.billing(insured(replace(BLUE, group="G-2"))),
    ),
    "a policy goes here, and is gone": Meanwhile(
        lambda: of_both(there=(BLUE, SECOND)), POLICIES, lambda clinic: clinic.billing(insured(BLUE))
    ),
    "a policy goes there, and changes again": Meanwhile(
        lambda: of_both(replace(GOLD, group_id="G-1")), CASE, lambda clinic: clinic.policies(replace(GOLD, group_id="G-2"))
    ),
    "a policy goes there, and is gone": Meanwhile(
        lambda: of_both(replace(GOLD, group_id="G-1")), CASE, lambda clinic: clinic.policies(replace(GOLD, active=False))
    ),
    "a carrier is brought to its plan, and the plan moves": Meanwhile(
        carried, CARRIER, lambda clinic: clinic.billing(insured(replace(BLUE, plan_city="Rome"))), ""
    ),
    "a bill is sent, and edited": Meanwhile(billed, BILL, lambda clinic: clinic.bill(lined(cpt="99214"))),
    "a bill is marked as billed, and edited": Meanwhile(sent, ANSWER, lambda clinic: clinic.bill(lined(cpt="99214"))),
}
"""Every kind of write but the Bill Error, which is about one content of a bill and has tests of its own."""


def at_rest(clinic: Clinic) -> dict[str, object]:
    """What both systems hold, and what waits, when everything that was wanted is done."""
    clinic.carry_out_all()
    assert clinic.open() == []
    patient = clinic.patient(ADA_KEY if ADA_KEY in clinic.state.patients else next(iter(clinic.state.patients)))
    return {
        "charts": (patient.ehr and patient.ehr.chart, patient.billing and patient.billing.chart),
        "base": patient.base,
        "appointments": {key: (one.written, one.cancelled, one.deleted) for key, one in patient.appointments.items()},
        "bookings": {key: (one.written, one.deleted) for key, one in patient.bookings.items()},
        "policies": {key: one.terms for key, one in patient.policies.items()},
        "carriers": clinic.state.directory.carriers_told,
        "bills": {key: (one.bill, one.sent, one.billed) for key, one in patient.bills.items()},
        "conflicts": patient.conflicts,
        "waiting": {slot: (one.code, one.text) for slot, one in clinic.waiting(patient.key).items()},
    }


@pytest.mark.parametrize("state", ["attempted", "unknown"])
@pytest.mark.parametrize("name", SITUATIONS)
def test_a_change_before_the_answer_leads_where_it_leads_after_it(name: str, state: str) -> None:
    one = SITUATIONS[name]
    before, after = one.begin(), one.begin()

    answer = before._answer(one.key, before.intent(one.key, one.slot).write)
    (before.attempt if state == "attempted" else before.lose)(one.key, one.slot)
    one.change(before)
    before.succeed(one.key, one.slot, answer)

    after.write(one.key, one.slot)
    one.change(after)

    assert at_rest(before) == at_rest(after)


# -- what a situation of its own is needed for ----------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["attempted", "unknown"])
def test_a_removal_asked_for_while_the_policies_are_written_is_made_after_it(state: str) -> None:
    clinic = beyond()
    clinic.billing(insured(replace(BLUE, number="NEW-1")))
    (clinic.attempt if state == "attempted" else clinic.lose)(ADA_KEY, POLICIES)
    assert remove(clinic) == ""

    without = answered(clinic, replace(GOLD, member_id="NEW-1"), STAFF)
    assert without.remove == ()
    assert answered(clinic, replace(GOLD, member_id="NEW-1"), replace(STAFF, active=False, rank=None)).remove == (STAFF.id,)
    assert (clinic.open(), clinic.waiting()) == ([], {})


def test_a_chart_that_was_merged_away_under_a_write_is_nothing_that_both_sides_agree_on() -> None:
    """The survivor shows the city of before: it is no entry of anybody's, and Kareo's new one goes there."""
    clinic = edited_there(city="Macon")
    answer = clinic._answer(ADA_KEY, clinic.wanted(TO_ELATION))
    clinic.lose(ADA_KEY, TO_ELATION)
    survivor = replace(ADA, id=EhrChartId(102))
    clinic.ehr(survivor)
    clinic.elation_merged(ADA.id, survivor.id)

    clinic.succeed(ADA_KEY, TO_ELATION, answer)

    write = clinic.wanted(TO_ELATION)
    assert isinstance(write, UpdateEhrChart)
    assert (write.chart, write.fields) == (survivor.id, {"city": "Macon"})
    assert clinic.wanted(TO_KAREO) is None


def test_a_booking_that_stands_as_an_earlier_write_made_it_is_brought_to_what_it_is_now() -> None:
    """It was created in spite of a refusal, and the visit moved since."""
    clinic = in_calendar()
    was = clinic.wanted(BOOKED).terms
    clinic.refuse(ADA_KEY, BOOKED)
    clinic.in_calendar(replace(IN_CALENDAR, start=IN_CALENDAR.start + LATER))

    clinic.succeed(ADA_KEY, BOOKED, RecordCreated(id=9001, booked=was))

    write = clinic.wanted(BOOKED)
    assert (write.appointment, write.changes, write.terms.start) == (9001, ("start",), IN_CALENDAR.start + LATER)


def test_an_encounter_of_the_bill_as_it_was_before_says_that_the_bill_differs() -> None:
    clinic = billed()
    clinic.succeed(ADA_KEY, BILL, RecordCreated(id=9001, otherwise=True))
    clinic.write(ADA_KEY, ANSWER)
    assert clinic.waits(BILL) == "differs-after-sent"
    assert clinic.patient().bills["4001"].billed


def test_a_provider_names_whom_it_replaces() -> None:
    """So that a physician who was assigned there meanwhile is seen (test_elation_writer)."""
    write = edited_there(provider=KAREO_HOUSE).wanted(TO_ELATION)
    assert isinstance(write, UpdateEhrChart)
    assert (write.physician, write.replaces) == (HOUSE, GREY)


@pytest.mark.parametrize("older", [lambda write: replace(write, replaces=None), lambda write: write], ids=["before", "now"])
def test_a_refused_write_of_an_older_worker_still_waits_and_is_not_asked_for_again(
    older: Callable[[UpdateEhrChart], UpdateEhrChart],
) -> None:
    clinic = edited_there(provider=KAREO_HOUSE)
    clinic.refuse(ADA_KEY, TO_ELATION)
    patient, open_ = clinic.patient(), clinic.intent(ADA_KEY, TO_ELATION)
    stored = {TO_ELATION: replace(open_, write=older(open_.write))}
    clinic.state.patients[ADA_KEY] = replace(patient, intents=stored)

    clinic.billing(replace(ADA_THERE, provider=KAREO_HOUSE))

    assert clinic.intents() == stored
    assert clinic.waits(TO_ELATION) == "refused"
