"""guide: Appointments: Kareo -> Elation, to the mapped provider's calendar; Elation edits stay in Elation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from events.commands import ResyncRequested
from events.ids import EhrChartId
from events.records import BillingAppointment, Provider
from events.terms import AppointmentTerms
from events.writes import (
    CancelEhrAppointment,
    CreateEhrAppointment,
    DeleteEhrAppointment,
    RecordCreated,
    Resource,
    UpdateEhrAppointment,
)
from projections.rules.appointments import rounded
from projections.terms.policy import BILLING_LED, EHR_LED, Direction
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_KEY, ADA_THERE, GREY, HOUSE, KAREO_GREY, KAREO_HOUSE, KAREO_LOCUM, PHYSICIANS

NOON = datetime(2026, 3, 9, 16, 0, tzinfo=UTC)
VISIT = BillingAppointment(
    key="7001", id=7001, patient=ADA_THERE.id, start=NOON, minutes=30, reason="Follow-up  visit", provider=KAREO_GREY
)
SLOT = "appointment:7001"


def booked(visit: BillingAppointment = VISIT, **rules: object) -> Clinic:
    """A clinic in which Ada is linked and `visit` was just seen in Kareo."""
    clinic = Clinic(**rules)
    clinic.linked()
    clinic.appointment(visit)
    return clinic


def written(visit: BillingAppointment = VISIT) -> Clinic:
    clinic = booked(visit)
    clinic.succeed(ADA_KEY, SLOT, RecordCreated(id=9001))
    return clinic


def test_an_appointment_goes_to_the_mapped_providers_calendar_row_by_row():
    assert booked().wanted(SLOT) == CreateEhrAppointment(
        chart=ADA.id,
        terms=AppointmentTerms(start=NOON, minutes=30, physician=GREY, description="Follow-up visit"),
        link_hint="kareo-appointment:7001",
    )


ROWS = {
    "visit reason / description": ({"reason": "Cough"}, {"description": "Cough"}),
    "start date": ({"start": NOON + timedelta(days=1)}, {"start": NOON + timedelta(days=1)}),
    "start time": ({"start": NOON + timedelta(minutes=15)}, {"start": NOON + timedelta(minutes=15)}),
    "duration": ({"minutes": 45}, {"minutes": 45}),
    "provider": ({"provider": KAREO_HOUSE}, {"physician": HOUSE}),
}


@pytest.mark.parametrize("row", ROWS)
def test_a_change_of_every_row_follows(row: str):
    seen, told = ROWS[row]
    clinic = written()

    clinic.appointment(replace(VISIT, **seen))

    before = AppointmentTerms(start=NOON, minutes=30, physician=GREY, description="Follow-up visit")
    assert clinic.wanted(SLOT) == UpdateEhrAppointment(chart=ADA.id, appointment=9001, terms=replace(before, **told))
    clinic.carry_out_all()
    assert clinic.open() == []


def test_the_provider_is_found_by_exact_name_where_kareo_gives_no_id():
    visit = replace(VISIT, provider=None, provider_name="Gregory House, MD")
    assert booked(visit).wanted(SLOT).terms.physician == HOUSE


@pytest.mark.parametrize(("minutes", "expected"), [(1, 5), (5, 5), (12, 15), (15, 15), (0, 5), (1440, 1440), (1441, 1440)])
def test_durations_are_rounded_up_to_a_multiple_of_five(minutes: int, expected: int):
    assert rounded(minutes) == expected


@pytest.mark.parametrize(("minutes", "noted"), [(12, ("duration 0:12:00 rounded to 0:15:00",)), (30, ())])
def test_rounding_is_visible(minutes: int, noted: tuple[str, ...]):
    clinic = booked(replace(VISIT, minutes=minutes))
    assert clinic.requests()[-1].notes == noted


@pytest.mark.parametrize(("length", "noted"), [(500, ()), (501, ("visit reason cut at 500 characters",))])
def test_a_visit_reason_is_cut_at_500_characters_visibly(length: int, noted: tuple[str, ...]):
    clinic = booked(replace(VISIT, reason="x" * length))
    assert clinic.wanted(SLOT).terms.description == "x" * 500
    assert clinic.requests()[-1].notes == noted


def test_a_rounded_or_cut_appointment_seen_again_writes_nothing():
    visit = replace(VISIT, minutes=12, reason="x" * 600)
    clinic = written(visit)
    clinic.appointment(visit)
    assert clinic.open() == []


def test_a_cancelled_appointment_is_cancelled():
    clinic = written()
    clinic.appointment(replace(VISIT, cancelled=True))
    assert clinic.wanted(SLOT) == CancelEhrAppointment(appointment=9001)
    clinic.carry_out_all()
    assert clinic.open() == []


def test_a_deleted_appointment_is_deleted():
    clinic = written()
    clinic.appointment_vanished(VISIT)
    assert clinic.wanted(SLOT) == DeleteEhrAppointment(appointment=9001)
    clinic.carry_out_all()
    assert clinic.open() == []


def test_an_appointment_that_left_a_patient_merged_in_kareo_leaves_the_calendar_though_the_link_waits():
    """Kareo shows it for the surviving patient now, whose chart gets it: it must not stand in the calendar twice."""
    clinic = written()
    clinic.kareo_vanished(VISIT.patient)
    assert (clinic.waits("link"), clinic.open()) == ("kareo-chart-gone", [])
    clinic.appointment_vanished(VISIT)
    assert clinic.wanted(SLOT) == DeleteEhrAppointment(appointment=9001)
    clinic.carry_out_all()
    assert (clinic.waits("link"), clinic.open()) == ("kareo-chart-gone", [])


def test_an_appointment_that_left_a_patient_whose_charts_were_merged_on_both_sides_leaves_the_calendar():
    clinic = written()
    clinic.elation_merged(ADA.id, EhrChartId(999))
    assert (clinic.waits("link"), clinic.open()) == ("survivor-not-seen", [])
    clinic.appointment_vanished(VISIT)
    assert clinic.wanted(SLOT) == DeleteEhrAppointment(appointment=9001)


def test_an_appointment_that_left_a_patient_whose_chart_is_deleted_leaves_the_calendar():
    """Elation may tell of a merge no more than that the chart is deleted: the appointment is in the surviving chart's calendar."""
    clinic = written()
    clinic.elation_deleted(ADA.id)
    assert (clinic.waits("link"), clinic.open()) == ("elation-chart-deleted", [])
    clinic.appointment_vanished(VISIT)
    assert clinic.wanted(SLOT) == DeleteEhrAppointment(appointment=9001)
    clinic.carry_out_all()
    assert (clinic.waits("link"), clinic.open()) == ("elation-chart-deleted", [])


def test_a_cancelled_appointment_that_is_deleted_is_deleted_too():
    clinic = written()
    clinic.appointment(replace(VISIT, cancelled=True))
    clinic.carry_out_all()
    clinic.appointment_vanished(VISIT)
    assert clinic.wanted(SLOT) == DeleteEhrAppointment(appointment=9001)


def test_a_cancelled_appointment_revived_in_kareo_is_revived():
    clinic = written()
    clinic.appointment(replace(VISIT, cancelled=True))
    clinic.carry_out_all()

    clinic.appointment(VISIT)

    write = clinic.wanted(SLOT)
    assert isinstance(write, UpdateEhrAppointment)
    assert (write.appointment, write.revive) == (9001, True)
    clinic.carry_out_all()
    assert clinic.open() == []


def test_a_deleted_appointment_that_comes_back_is_created_anew():
    clinic = written()
    clinic.appointment_vanished(VISIT)
    clinic.carry_out_all()
    clinic.appointment(VISIT)
    assert isinstance(clinic.wanted(SLOT), CreateEhrAppointment)


@pytest.mark.parametrize("gone", ["cancelled", "deleted"])
def test_an_appointment_gone_before_it_was_written_is_never_written(gone: str):
    clinic = booked()
    if gone == "cancelled":
        clinic.appointment(replace(VISIT, cancelled=True))
    else:
        clinic.appointment_vanished(VISIT)
    assert clinic.open() == []


def test_an_appointment_cancelled_while_its_creation_is_out_is_cancelled_after_it():
    clinic = booked()
    clinic.lose(ADA_KEY, SLOT)
    clinic.appointment(replace(VISIT, cancelled=True))
    assert isinstance(clinic.wanted(SLOT), CreateEhrAppointment)

    clinic.succeed(ADA_KEY, SLOT, RecordCreated(id=9001))

    assert clinic.wanted(SLOT) == CancelEhrAppointment(appointment=9001)


def test_elation_edits_are_not_undone():
    clinic = written()

    clinic.appointment(VISIT)
    clinic.ehr(ADA)
    clinic.billing(ADA_THERE)

    assert clinic.open() == []


def test_a_provider_without_a_calendar_waits_and_the_appointment_goes_when_mapped():
    clinic = booked(replace(VISIT, provider=KAREO_LOCUM))
    assert clinic.open() == []
    assert clinic.waits(SLOT) == "no-calendar"

    clinic.elation_directory((*PHYSICIANS, Provider(id=13, first_name="Lou", last_name="Locum", npi="1000000020")))

    assert clinic.wanted(SLOT).terms.physician == 13
    assert clinic.waits(SLOT) == ""


def test_an_appointment_without_a_provider_waits():
    assert booked(replace(VISIT, provider=None)).waits(SLOT) == "no-calendar"


def test_a_name_that_two_providers_share_is_no_map():
    twins = tuple(Provider(id=id_, first_name="Gregory", last_name="House") for id_ in (31, 32))
    clinic = Clinic()
    clinic.elation_directory(twins)
    clinic.linked()
    clinic.appointment(replace(VISIT, provider=KAREO_HOUSE))
    assert clinic.waits(SLOT) == "no-calendar"


@pytest.mark.parametrize(
    ("provider", "physicians", "says"),
    [
        (None, PHYSICIANS, "has no provider in Kareo"),
        (KAREO_LOCUM, PHYSICIANS, "is nobody known in Elation; map the provider"),
        (KAREO_LOCUM, (*PHYSICIANS, Provider(id=13, npi="1000000020", active=False)), "is not active in Elation"),
        (KAREO_LOCUM, tuple(Provider(id=n, npi="1000000020") for n in (13, 14)), "several providers of Elation"),
    ],
)
def test_d8_advice_fits_why_there_is_no_calendar(provider: int | None, physicians: tuple[Provider, ...], says: str) -> None:
    clinic = booked(replace(VISIT, provider=provider))
    clinic.elation_directory(physicians)
    assert clinic.waits(SLOT) == "no-calendar"
    assert says in clinic.waiting()[SLOT].text


def test_occurrences_of_a_series_are_kept_apart():
    clinic = Clinic()
    clinic.linked()
    for week in range(3):
        start = NOON + timedelta(weeks=week)
        clinic.appointment(replace(VISIT, key=f"7001@{start.isoformat()}", start=start))
    starts = {one.write.terms.start for _, _, one in clinic.open()}
    assert starts == {NOON, NOON + timedelta(weeks=1), NOON + timedelta(weeks=2)}


def test_an_appointment_of_an_unlinked_patient_goes_once_they_are_linked():
    clinic = Clinic()
    clinic.billing(ADA_THERE)
    clinic.appointment(VISIT)
    assert SLOT not in clinic.intents()

    clinic.ehr(replace(ADA, link_hint="kareo-patient:901"))

    assert isinstance(clinic.wanted(SLOT), CreateEhrAppointment)


def test_an_older_observation_of_an_appointment_does_not_win():
    clinic = written()
    clinic.appointment(replace(VISIT, minutes=5), observed=clinic.now - timedelta(hours=1))
    assert clinic.open() == []


def test_appointments_are_left_alone_where_they_are_off():
    clinic = booked(replace(VISIT, provider=KAREO_LOCUM), table=BILLING_LED | {Resource.APPOINTMENT: Direction.OFF})
    assert clinic.open() == []
    assert clinic.waiting() == {}


# The other profile


def test_appointments_off_cause_no_write_on_resync_either():
    """EHR_LED section 8: appointments off, a billing-side appointment writes nothing, even on resync."""
    clinic = booked(VISIT, table=EHR_LED)
    clinic.appointment(replace(VISIT, minutes=45))
    clinic.appointment(replace(VISIT, cancelled=True))
    clinic.appointment_vanished(VISIT)
    clinic.appointment(VISIT)
    assert clinic.ask(ResyncRequested(who="ann"), ehr=ADA.id, billing=ADA_THERE.id) == ""
    assert [one for one in clinic.requests() if one.resource is Resource.APPOINTMENT] == []
    assert not any(slot.startswith("appointment") for slot in clinic.waiting())


def test_a_practice_that_turns_appointments_off_leaves_those_that_were_written():
    """What is left from before is not followed."""
    clinic = booked(VISIT)
    clinic.carry_out_all()
    before = len(clinic.requests())
    clinic.policy = replace(clinic.policy, table=EHR_LED)
    clinic.appointment(replace(VISIT, cancelled=True))
    clinic.appointment_vanished(VISIT)
    assert [one for one in clinic.requests()[before:] if one.resource is Resource.APPOINTMENT] == []
    assert clinic.waits(SLOT) == "not-followed"
    clinic.pass_days(30)
    assert clinic.waits(SLOT) == ""
