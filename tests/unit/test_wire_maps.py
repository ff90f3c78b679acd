"""Each vendor's wire maps cover the tables of rules: a row whose field does not reach the wire, or is not read, fails here."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from daemon.vendors.elation import resources
from daemon.vendors.elation import translate as elation
from daemon.vendors.elation import wire as elation_wire
from daemon.vendors.elation import writer as elation_writer
from daemon.vendors.kareo import bookings, requests, rows
from daemon.vendors.kareo import translate as kareo
from events.bookings import BookingTerms, CreateBillingAppointment, UpdateBillingAppointment
from events.ids import BillingPatientId, EhrChartId
from events.records import BillingChart, BillingPlan, BillingPolicy, Carrier, EhrChart
from events.terms import AppointmentTerms, EncounterTerms, PolicyTerms
from events.writes import CreateCarrier, CreateEncounter, System
from projections.rules.appointments import APPOINTMENTS
from projections.rules.bookings import BOOKINGS
from projections.rules.encounters import ENCOUNTER, SERVICE_LINES
from projections.rules.fields import DEMOGRAPHICS, Field, told
from projections.rules.policies import INSURANCE, PLAN_ADDRESS
from projections.state.directory import CARRIER_FIELDS
from tests.unit.test_elation_wire import PATIENT
from tests.unit.test_insurance import SPOUSE
from tests.unit.test_kareo_values import row

ZONE = ZoneInfo("America/New_York")
SAMPLES = {"birth_date": "1985-12-10", "sex": "Female", "state": "GA", "zip": "30303", "provider": "501"}
READ_AS = {"DateofBirth": "DOB", "DefaultRenderingProvider": "DefaultRenderingProviderId"}
"""The members that Kareo calls otherwise where it is read."""
TERMS = PolicyTerms(billing_policy=1, rank=1, carrier_id=2, carrier_name="a", plan_id=3, plan_name="b")
LINE = EncounterTerms(cpt="99213", units="1", unit_charge="10")
WRITE = CreateEncounter(
    bill=1,
    content="",
    patient=BillingPatientId(2),
    case_id=3,
    service_day=date(2026, 3, 2),
    post_day=date(2026, 3, 2),
    rendering_provider=4,
    location=5,
    place_of_service="11",
    lines=(LINE,),
)
OTHERS = {
    "start": date(2025, 1, 1),
    "end": date(2027, 1, 1),
    "insured_birth_date": date(1980, 2, 21),
    "service_day": date(2026, 3, 3),
    "location": 55,
    "rendering_provider": 44,
    "supervising_provider": 45,
    "lines": (LINE, LINE),
    "modifiers": ("25",),
    "dxs": ("E11.9",),
    "units": "2",
    "unit_charge": "11.5",
    "minutes": 30,
    "physician": 9,
}
"""A value that differs, where text would not do."""


def other(name: str) -> object:
    return OTHERS.get(name, "other")


def sample(field: Field) -> str:
    return SAMPLES.get(field.name, "4045550101" if field.name.endswith("_phone") else f"some {field.name}")


def provider_of(field: Field) -> int | None:
    return int(SAMPLES["provider"]) if field.name == "provider" else None


# Demographics: what is written comes back as it was written


@pytest.mark.parametrize("field", DEMOGRAPHICS, ids=lambda field: field.name)
def test_a_field_goes_to_elations_wire_and_comes_back(field: Field):
    body = elation.patient_body({field.name: sample(field)}, provider_of(field), None)
    answer = json.dumps({**PATIENT, **body}).encode()

    chart = elation.chart(elation_wire.decode(resources.Patient, answer, "elation.GET /x/"))

    assert field.ehr.reader()(chart) == sample(field)


@pytest.mark.parametrize("field", DEMOGRAPHICS, ids=lambda field: field.name)
def test_a_field_goes_to_kareos_wire_and_comes_back(field: Field):
    (named,) = requests.patient(kareo.patient_write({field.name: sample(field)}, provider_of(field))).items()
    member, value = named
    text = value.strftime("%m/%d/%Y") if isinstance(value, datetime) else value
    text = str(text["ProviderID"]) if isinstance(text, dict) else text

    chart = kareo.chart(rows.patient(rows.RowReader(row(ID="901", **{READ_AS.get(member, member): text}), ZONE)))

    assert field.billing.reader()(chart) == sample(field)


@pytest.mark.parametrize("side", System)
@pytest.mark.parametrize("field", DEMOGRAPHICS, ids=lambda field: field.name)
def test_what_a_system_took_is_read_from_its_place(field: Field, side: System):
    chart = EhrChart(id=EhrChartId(1)) if side is System.EHR else BillingChart(id=BillingPatientId(1))

    after = replace(chart, **told(chart, side, {field.name: sample(field)}, provider_of(field)))

    assert field.place(side).reader()(after) == sample(field)
    assert sum(one.place(side).reader()(after) != "" for one in DEMOGRAPHICS) == 1


# Insurance


def test_every_member_of_a_policy_has_a_row_and_every_row_a_member():
    decided = {"billing_policy", "rank", "carrier_id", "plan_id", "keeps"}
    assert sorted([row_.name for row_ in INSURANCE] + [*decided]) == sorted(PolicyTerms.__struct_fields__)
    carrier = {"name", *(row_.name for row_ in PLAN_ADDRESS)}
    assert {"company_id", "plan_id", *carrier} == set(CreateCarrier.__struct_fields__)
    assert carrier == set(elation.CARRIER_ON_THE_WIRE) == set(CARRIER_FIELDS) <= set(Carrier.__struct_fields__)
    assert carrier - {"name"} <= set(BillingPlan.__struct_fields__)


@pytest.mark.parametrize("name", [row_.name for row_ in INSURANCE])
def test_a_field_of_a_policy_reaches_elation(name: str):
    before = elation.policy_body(TERMS, {})
    after = elation.policy_body(replace(TERMS, **{name: other(name)}), {})

    changed = [after[key] for key in after if after[key] != before[key]]
    assert changed == [value.isoformat() if isinstance(value := other(name), date) else value]


def test_elations_map_names_every_member_of_a_policy():
    assert {*elation.POLICY_ON_THE_WIRE, "billing_policy", "keeps"} == set(PolicyTerms.__struct_fields__)


def test_kareos_map_names_every_member_of_a_policy():
    assert {*kareo.POLICY_ON_THE_WIRE, "id", "company_id", "plan_id"} == set(BillingPolicy.__struct_fields__)


def test_every_row_of_insurance_reads_a_member_that_kareos_map_names():
    whole = replace(SPOUSE, start=date(2025, 1, 1), end=date(2027, 1, 1))
    nothing = BillingPolicy(id=1)
    names = kareo.POLICY_ON_THE_WIRE
    for row_ in INSURANCE:
        moved = [name for name in names if row_.read(whole) != row_.read(replace(whole, **{name: getattr(nothing, name)}))]
        assert moved, row_.name


# Appointments and bills


def test_every_member_of_an_appointment_has_a_row_and_reaches_elation():
    assert sorted(row_.name for row_ in APPOINTMENTS) == sorted(AppointmentTerms.__struct_fields__)
    terms = AppointmentTerms(start=datetime(2026, 3, 2, 14, tzinfo=UTC), minutes=15, physician=1)
    before = elation_writer._terms(terms)
    for row_ in APPOINTMENTS:
        value = datetime(2026, 3, 3, tzinfo=UTC) if row_.name == "start" else other(row_.name)
        assert elation_writer._terms(replace(terms, **{row_.name: value})) != before, row_.name


BOOKED = BookingTerms(
    start=datetime(2026, 3, 2, 14, tzinfo=UTC), minutes=15, provider=1, location=2, reason=3, description="Cough"
)
REBOOKED = BookingTerms(
    start=datetime(2026, 3, 3, tzinfo=UTC),
    minutes=30,
    provider=4,
    location=5,
    reason=6,
    status="Cancelled",
    description="Fever",
)


def test_every_member_of_a_booking_has_a_row_and_every_row_a_member():
    assert sorted(row_.name for row_ in BOOKINGS) == sorted(BookingTerms.__struct_fields__)


@pytest.mark.parametrize("name", [row_.name for row_ in BOOKINGS])
def test_a_field_of_a_booking_reaches_kareo(name: str):
    """It is created with it, and an update that names it brings it; one that does not leaves it as it is."""
    other_ = replace(BOOKED, **{name: getattr(REBOOKED, name)})
    patient = BillingPatientId(900)
    made, remade = (
        bookings.created_members(CreateBillingAppointment(patient=patient, terms=one), 1) for one in (BOOKED, other_)
    )
    assert made != remade
    there = row(StartTime="2026-03-02T14:00:00", EndTime="2026-03-02T14:15:00", AppointmentStatus="Scheduled", Notes="Cough")
    update = UpdateBillingAppointment(patient=patient, appointment=7, terms=REBOOKED, changes=(), before="Cough")
    untouched, changed = (bookings.updated_members(there, replace(update, changes=one)) for one in ((), (name,)))
    differs = {member for member in changed if changed[member] != untouched.get(member)}
    assert differs
    assert {member for member in made if made[member] != remade[member]} >= differs


def test_every_member_of_an_encounter_has_a_row_or_is_decided():
    decided = {"bill", "content", "patient", "case_id", "post_day", "further_dxs", "batch", "status"}
    assert sorted([row_.name for row_ in ENCOUNTER] + [*decided]) == sorted(CreateEncounter.__struct_fields__)
    assert sorted(row_.name for row_ in SERVICE_LINES) == sorted(EncounterTerms.__struct_fields__)


def sent(write: CreateEncounter) -> dict[str, object]:
    return requests.encounter(kareo.encounter_write(write), {"PracticeID": 1})


@pytest.mark.parametrize("name", [row_.name for row_ in ENCOUNTER])
def test_a_field_of_a_bill_reaches_kareo(name: str):
    assert sent(replace(WRITE, **{name: other(name)})) != sent(WRITE)


@pytest.mark.parametrize("name", [row_.name for row_ in SERVICE_LINES])
def test_a_field_of_a_line_reaches_kareo(name: str):
    changed = replace(WRITE, lines=(replace(LINE, **{name: other(name)}),))
    assert sent(changed) != sent(WRITE)
