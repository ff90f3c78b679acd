"""Appointments of the chart side booked on the billing side, our own extension (EHR_LED, sections 5 and 6), row by row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from events.bookings import CreateBillingAppointment, DeleteBillingAppointment, UpdateBillingAppointment
from events.ids import EhrChartId
from events.records import Provider
from events.slots import SlotKind, slot_of
from events.writes import RecordCreated, Resource, System
from projections.rules.bookings import DESCRIPTION_MOST, STATUSES, token_of
from projections.terms.policy import BILLING_LED, EHR_LED, DeletedAppointment, Direction, Policy, allows, row
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_KEY, ADA_THERE, GOOD_BILL, KAREO_GREY, KAREO_MAIN_STREET, PHYSICIANS, PROVIDERS
from tests.unit.stories import IN_CALENDAR, VISIT

SLOT = slot_of(SlotKind.BOOKING, IN_CALENDAR.id)
ON = {**EHR_LED, Resource.APPOINTMENT: Direction.TO_BILLING}


def clinic(**rules: object) -> Clinic:
    """Ada in both systems, with the extension on."""
    made = Clinic(table=ON, **rules)
    made.linked()
    made.carry_out_all()
    return made


def booked(**rules: object) -> tuple[Clinic, int]:
    made = clinic(**rules)
    made.in_calendar(IN_CALENDAR)
    made.write(ADA_KEY, SLOT)
    return made, made.patient().bookings[str(IN_CALENDAR.id)].billing


def update(made: Clinic) -> UpdateBillingAppointment:
    write = made.wanted(SLOT)
    assert isinstance(write, UpdateBillingAppointment)
    return write


# -- the direction --------------------------------------------------------------------------------------------------------


def test_the_row_is_off_in_both_published_profiles_and_named_as_ours_where_it_is_on() -> None:
    off, on = (Policy(practice="elm", table=table) for table in (EHR_LED, ON))
    assert not allows(off, Resource.APPOINTMENT, System.BILLING)
    assert allows(on, Resource.APPOINTMENT, System.BILLING)
    assert row(on, Resource.APPOINTMENT) == "appointment: elation->kareo, own extension"
    assert "extension" not in row(off, Resource.APPOINTMENT)
    assert BILLING_LED[Resource.APPOINTMENT] is Direction.TO_EHR


@pytest.mark.parametrize("table", [EHR_LED, BILLING_LED])
def test_with_appointments_off_one_in_the_calendar_writes_nothing(table: dict[Resource, Direction]) -> None:
    """EHR_LED section 8: appointments off, even on resync."""
    made = Clinic(table=table)
    made.linked()
    made.carry_out_all()
    made.in_calendar(IN_CALENDAR)
    made.ehr(replace(ADA, link_hint=f"kareo-patient:{ADA_THERE.id}"))
    assert made.open() == []


def test_with_the_extension_on_an_appointment_of_the_billing_side_goes_nowhere() -> None:
    made, there = booked()
    made.appointment(VISIT)
    made.appointment(replace(VISIT, id=there, key=str(there)))
    assert made.open() == []


def test_our_own_bookings_are_no_appointments_of_the_billing_sides_whatever_the_direction_becomes() -> None:
    """They never come back to the chart side, and its copies of the billing side's never go there."""
    made, there = booked()
    made.appointment(replace(VISIT, id=there, key=str(there)))
    made.policy = replace(made.policy, table=BILLING_LED)
    made.appointment(VISIT)
    assert set(made.intents()) == {slot_of(SlotKind.APPOINTMENT, VISIT.key)}
    made.write(ADA_KEY, slot_of(SlotKind.APPOINTMENT, VISIT.key))
    copy = made.patient().appointments[VISIT.key].ehr

    made.policy = replace(made.policy, table=ON)
    made.in_calendar(replace(IN_CALENDAR, id=copy))
    made.in_calendar(replace(IN_CALENDAR, id=copy + 1, link_hint="kareo-appointment:7009"))
    assert made.open() == []


def test_a_booking_left_standing_when_the_row_is_switched_off_is_listed_and_not_followed() -> None:
    made, _ = booked()
    made.policy = replace(made.policy, table=EHR_LED)
    made.in_calendar(replace(IN_CALENDAR, minutes=40))
    assert (made.waits(SLOT), made.open()) == ("not-followed", [])


# -- the field map --------------------------------------------------------------------------------------------------------


def test_every_field_of_an_appointment_that_travels() -> None:
    """EHR_LED section 5, row by row; nothing else travels."""
    made = clinic(appointment_reasons={"Follow-up": 31})
    made.in_calendar(replace(IN_CALENDAR, reason="Follow-up"))
    create = made.wanted(SLOT)
    assert isinstance(create, CreateBillingAppointment)
    assert create.patient == ADA_THERE.id
    terms = create.terms
    assert (terms.start, terms.minutes) == (IN_CALENDAR.start, 20)
    assert (terms.provider, terms.location, terms.reason) == (KAREO_GREY, KAREO_MAIN_STREET, 31)
    assert (terms.status, terms.description) == ("Scheduled", "Cough")
    assert create.token == token_of(made.policy.practice, IN_CALENDAR.id)


def test_a_token_is_of_the_appointment_and_of_40_bits() -> None:
    tokens = {token_of("elm", id_) for id_ in range(500)} | {token_of("oak", id_) for id_ in range(500)}
    assert len(tokens) == 1000
    assert all(len(one) == 14 and one.startswith("[cw ") for one in tokens)


@pytest.mark.parametrize(
    ("status", "there"),
    [
        ("", "Scheduled"),
        ("Scheduled", "Scheduled"),
        ("Confirmed", "Confirmed"),
        ("Checked In", "CheckedIn"),
        ("In Room", "Roomed"),
        ("In Room - Vitals Taken", "Roomed"),
        ("With Doctor", "ReadyToBeSeen"),
        ("Checked Out", "CheckedOut"),
        ("Billed", "CheckedOut"),
        ("Not Seen", "NoShow"),
        ("Cancelled", "Cancelled"),
    ],
)
def test_a_status_travels_as_the_table_says(status: str, there: str) -> None:
    made, _ = booked()
    made.in_calendar(replace(IN_CALENDAR, status=status))
    if there == "Scheduled":
        assert made.wanted(SLOT) is None
    else:
        assert (update(made).changes, update(made).terms.status) == (("status",), there)


def test_statuses_of_the_billing_sides_users_are_never_written() -> None:
    assert not set(STATUSES.values()) & {"ReminderSent", "NeedsReschedule", "Rescheduled", "Tentative", "Unknown"}


def test_a_reason_without_a_map_entry_is_left_out_and_none_is_created() -> None:
    made = clinic()
    made.in_calendar(replace(IN_CALENDAR, reason="Follow-up"))
    assert made.wanted(SLOT).terms.reason is None


def test_a_location_is_mapped_else_the_practices_default_else_it_waits() -> None:
    nowhere = replace(IN_CALENDAR, location=None)
    made = clinic()
    made.in_calendar(nowhere)
    assert (made.waits(SLOT), made.wanted(SLOT)) == ("not-booked", None)
    made = clinic(default_location=699)
    made.in_calendar(nowhere)
    assert made.wanted(SLOT).terms.location == 699
    made.in_calendar(IN_CALENDAR)
    assert made.wanted(SLOT).terms.location == KAREO_MAIN_STREET


def test_an_unmapped_or_inactive_provider_waits_and_is_looked_at_with_the_next_directory() -> None:
    """EHR_LED section 8: unmapped provider, inactive provider."""
    made = clinic()
    made.kareo_directory(tuple(replace(one, active=False) for one in PROVIDERS))
    made.in_calendar(IN_CALENDAR)
    assert made.waits(SLOT) == "not-booked"
    assert made.waiting()[SLOT].depends_on == ("directory",)
    made.kareo_directory()
    made.ehr(replace(ADA, link_hint=f"kareo-patient:{ADA_THERE.id}"))
    assert made.wanted(SLOT) is not None
    stranger = Provider(id=77, first_name="Nobody", last_name="Known")
    made.elation_directory((*PHYSICIANS, stranger))
    made.in_calendar(replace(IN_CALENDAR, physician=77))
    assert made.waits(SLOT) == "not-booked"


def test_a_description_is_one_line_and_cut_where_the_notes_may_end() -> None:
    made = clinic()
    made.in_calendar(replace(IN_CALENDAR, description="Cough\n and " + "fever " * 60))
    create = made.wanted(SLOT)
    assert "\n" not in create.terms.description
    assert len(create.terms.description) + 1 + len(create.token) <= 255
    assert made.requests()[-1].notes == (f"description cut at {DESCRIPTION_MOST} characters",)


@pytest.mark.parametrize("minutes", [5, 1440])
def test_any_duration_travels_and_none_waits(minutes: int) -> None:
    made = clinic()
    made.in_calendar(replace(IN_CALENDAR, minutes=minutes))
    assert made.wanted(SLOT).terms.minutes == minutes
    made.in_calendar(replace(IN_CALENDAR, minutes=0))
    assert made.waits(SLOT) == "not-booked"


def test_a_time_that_moves_over_a_change_of_clocks_stays_an_instant() -> None:
    """EHR_LED section 8: time moved across DST, 12:00 AM."""
    made, _ = booked()
    for start in (datetime(2026, 3, 8, 5, 0, tzinfo=UTC), datetime(2026, 11, 1, 6, 30, tzinfo=UTC)):
        made.in_calendar(replace(IN_CALENDAR, start=start))
        assert (update(made).changes, update(made).terms.start) == (("start",), start)
        made.write(ADA_KEY, SLOT)


def test_two_at_the_same_time_are_two() -> None:
    made, _ = booked()
    made.in_calendar(replace(IN_CALENDAR, id=61002))
    assert isinstance(made.wanted(slot_of(SlotKind.BOOKING, 61002)), CreateBillingAppointment)


def test_without_a_token_what_others_at_that_time_have_is_not_taken_for_this_one() -> None:
    made, there = booked(notes_token=False)
    made.in_calendar(replace(IN_CALENDAR, id=61002))
    create = made.wanted(slot_of(SlotKind.BOOKING, 61002))
    assert (create.token, create.taken) == ("", (there,))


# -- changes --------------------------------------------------------------------------------------------------------------


def test_only_what_changed_is_changed_so_what_users_moved_survives() -> None:
    """What they were told last is compared: a moved status is not pulled back unless the chart side's changes."""
    made, there = booked()
    made.appointment(replace(VISIT, id=there, key=str(there), start=IN_CALENDAR.start + timedelta(hours=1)))
    assert made.open() == []
    made.in_calendar(replace(IN_CALENDAR, description="Cough, fever"))
    change = update(made)
    assert (change.appointment, change.changes, change.before) == (there, ("description",), "Cough")


def test_a_status_that_goes_back_travels() -> None:
    """EHR_LED section 8: status regressing (Checked Out -> Scheduled)."""
    made, _ = booked()
    made.in_calendar(replace(IN_CALENDAR, status="Checked Out"))
    made.write(ADA_KEY, SLOT)
    made.in_calendar(IN_CALENDAR)
    assert update(made).terms.status == "Scheduled"


def test_cancelled_then_not_cancelled_is_one_appointment_all_along() -> None:
    made, there = booked()
    made.in_calendar(replace(IN_CALENDAR, status="Cancelled"))
    made.write(ADA_KEY, SLOT)
    made.in_calendar(replace(IN_CALENDAR, status="Confirmed"))
    assert (update(made).appointment, update(made).terms.status) == (there, "Confirmed")


def test_one_cancelled_before_it_was_booked_is_not_booked() -> None:
    made = clinic()
    made.in_calendar(replace(IN_CALENDAR, status="Cancelled"))
    assert made.open() == []


def test_one_cancelled_is_cancelled_though_its_provider_is_not_mapped_any_more() -> None:
    made, _ = booked()
    made.kareo_directory(())
    made.in_calendar(replace(IN_CALENDAR, status="Cancelled"))
    assert (update(made).changes, update(made).terms.provider) == (("status",), KAREO_GREY)


@pytest.mark.parametrize("switch", DeletedAppointment)
def test_one_deleted_is_cancelled_or_deleted_as_the_practice_wants(switch: DeletedAppointment) -> None:
    made, there = booked(deleted_appointment=switch)
    made.gone_from_calendar(IN_CALENDAR)
    if switch is DeletedAppointment.CANCEL:
        assert (update(made).appointment, update(made).terms.status) == (there, "Cancelled")
    else:
        assert made.wanted(SLOT) == DeleteBillingAppointment(appointment=there)
    made.write(ADA_KEY, SLOT)
    assert made.open() == []


@pytest.mark.parametrize(
    ("switch", "kind"),
    [
        (DeletedAppointment.CANCEL, UpdateBillingAppointment),
        (DeletedAppointment.DELETE, CreateBillingAppointment),
    ],
)
def test_one_deleted_then_restored_is_revived_or_booked_anew(switch: DeletedAppointment, kind: type) -> None:
    made, _ = booked(deleted_appointment=switch)
    made.gone_from_calendar(IN_CALENDAR)
    made.write(ADA_KEY, SLOT)
    made.in_calendar(IN_CALENDAR)
    assert isinstance(made.wanted(SLOT), kind)


def test_one_that_was_billed_is_cancelled_and_never_deleted() -> None:
    """EHR_LED section 8: appointment already billed (an encounter carries its id)."""
    made, there = booked(deleted_appointment=DeletedAppointment.DELETE)
    made.bill(replace(GOOD_BILL, service_day=IN_CALENDAR.start.date()))
    made.write(ADA_KEY, slot_of(SlotKind.BILL, GOOD_BILL.id))
    made.gone_from_calendar(IN_CALENDAR)
    assert (update(made).appointment, update(made).terms.status) == (there, "Cancelled")


def test_one_that_becomes_another_patients_is_deleted_here_and_booked_there() -> None:
    """EHR_LED section 8: patient changed on the same appointment: delete and create, no update."""
    made, there = booked()
    mary, mary_there = replace(ADA, id=EhrChartId(102)), replace(ADA_THERE, id=902)
    key = made.linked(mary, mary_there)
    made.gone_from_calendar(IN_CALENDAR, moved=True)
    made.in_calendar(replace(IN_CALENDAR, patient=mary.id))
    assert (made.wanted(SLOT).appointment, made.wanted(SLOT).patient) == (there, ADA_THERE.id)
    create = made.wanted(SLOT, key)
    assert isinstance(create, CreateBillingAppointment)
    assert create.patient == 902


def test_one_that_is_over_is_not_booked_but_one_that_is_booked_is_followed_for_ever() -> None:
    """EHR_LED section 8: past appointment edited years later."""
    old = replace(IN_CALENDAR, id=61002, start=datetime(2024, 1, 2, 15, tzinfo=UTC))
    made, there = booked()
    made.in_calendar(old)
    assert made.waits(slot_of(SlotKind.BOOKING, 61002)) == "over-unbooked"
    made.now += timedelta(days=1000)
    made.in_calendar(replace(IN_CALENDAR, description="Cough, back then"))
    assert update(made).appointment == there


def test_a_series_is_single_appointments_each_booked_once() -> None:
    """EHR_LED section 6: every occurrence by its own id; one save may be 52 creates."""
    made = clinic()
    for week in range(52):
        made.in_calendar(replace(IN_CALENDAR, id=62000 + week, start=IN_CALENDAR.start + timedelta(weeks=week)))
    writes = made.carry_out_all()
    assert len(writes) == 52
    assert {type(one) for one in writes} == {CreateBillingAppointment}
    assert len({one.token for one in writes}) == 52
    made.ehr(replace(ADA, link_hint=f"kareo-patient:{ADA_THERE.id}"))
    assert made.open() == []


def test_edits_before_it_was_booked_are_one_creation() -> None:
    made = clinic()
    for minutes in (10, 30, 50):
        made.in_calendar(replace(IN_CALENDAR, minutes=minutes))
    (create,) = made.carry_out_all()
    assert create.terms.minutes == 50


def test_half_a_series_deleted_leaves_the_other_half() -> None:
    """EHR_LED section 8: 52-series created, split, half deleted."""
    made = clinic()
    series = [replace(IN_CALENDAR, id=62000 + at, start=IN_CALENDAR.start + timedelta(weeks=at)) for at in range(6)]
    for one in series:
        made.in_calendar(one)
    made.carry_out_all()
    for one in series[3:]:
        made.gone_from_calendar(one)
    writes = made.carry_out_all()
    assert [one.terms.status for one in writes] == ["Cancelled"] * 3
    assert {one.terms.start for one in writes} == {one.start for one in series[3:]}


def test_one_created_twice_is_shown_to_a_person() -> None:
    made = clinic()
    made.in_calendar(IN_CALENDAR)
    made.succeed(ADA_KEY, SLOT, RecordCreated(id=9001, others=(9002,)))
    twice = slot_of(SlotKind.BOOKED_TWICE, IN_CALENDAR.id)
    assert made.waits(twice) == "booked-twice"
    assert "9002" in made.waiting()[twice].text
    made.appointment(replace(VISIT, id=9002, key="9002"))
    assert made.open() == []
