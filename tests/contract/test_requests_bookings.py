"""Requests of appointments booked in Kareo, held against the WSDL, as in test_requests; and only what was asked for (EHR_LED, section 4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest_asyncio
from lxml import etree
from msgspec.structs import replace

from daemon.vendors.kareo.writer import KareoWriter
from events.bookings import (
    BookingTerms,
    CreateBillingAppointment,
    DeleteBillingAppointment,
    UpdateBillingAppointment,
)
from events.ids import BillingPatientId
from projections.rules.bookings import BOOKINGS
from tests.contract.test_requests import BILLING, _request, contract  # noqa: F401 - contract: a fixture
from tests.contract.test_requests_both_ways import names
from tests.integration.kareo import Kareo, kareo_at_work

CREATED = {
    "AppointmentStatus", "AppointmentType", "EndTime", "IsGroupAppointment", "IsRecurring", "Notes", "PatientSummary", "PracticeId",
    "ProviderId", "ServiceLocationId", "StartTime", "WasCreatedOnline",
}  # fmt: skip
WRITTEN_BACK = {
    "AppointmentId", "AppointmentName", "AppointmentReasonId", "AppointmentStatus", "EndTime", "IsGroupAppointment", "IsRecurring",
    "MaxAttendees", "Notes", "PatientCaseId", "PatientId", "ProviderId", "ResourceId", "ResourceIds", "ServiceLocationId", "StartTime",
}  # fmt: skip
START = datetime(2026, 3, 9, 16, 0, tzinfo=UTC)


@pytest_asyncio.fixture
async def told() -> AsyncIterator[Kareo]:
    """A sandbox that was told of an appointment: created with and without a reason, changed in every member, deleted twice."""
    async with kareo_at_work() as billing:
        writer = KareoWriter(billing.client, vendor_name="chartwire", now=lambda: billing.now)
        ada = BillingPatientId(billing.ada())
        terms = BookingTerms(start=START, minutes=20, provider=billing.doctor, location=billing.place, description="Cough")
        create = CreateBillingAppointment(patient=ada, terms=terms, token="[cw AAAA-BBBB]")
        booked = await writer.write(lambda: create)
        one = billing.sandbox.state.appointments[booked.id]
        (one.case_id,) = [case.id for case in billing.sandbox.cases.values() if case.patient_id == ada]
        one.name, one.resource_id, one.resource_ids = "Morning", 41, [41, 42]
        everything = tuple(row.name for row in BOOKINGS)
        other = replace(terms, start=START + timedelta(days=1), minutes=45, status="CheckedIn", description="Fever")
        change = UpdateBillingAppointment(
            patient=ada, appointment=booked.id, terms=other, changes=everything, before="Cough"
        )
        await writer.write(lambda: change)
        delete = DeleteBillingAppointment(appointment=booked.id)
        await writer.write(lambda: delete)
        await writer.look_up(create)
        yield billing


def appointment(billing: Kareo, operation: str) -> etree._Element:
    (raw,) = [one.request for one in billing.sandbox.calls if one.operation == operation]
    found = _request(raw).find(f".//{BILLING}Appointment")
    assert found is not None
    return found


async def test_every_request_is_as_the_wsdl_has_it(told: Kareo, contract: etree.XMLSchema) -> None:  # noqa: F811
    problems = set()
    for call in told.sandbox.calls:
        request = _request(call.request)
        if not contract.validate(request):
            problems |= {f"{call.operation} {one.path}: {one.type_name}" for one in contract.error_log}
    assert problems == set()
    operations = {one.operation for one in told.sandbox.calls}
    assert operations >= {"CreateAppointment", "UpdateAppointment", "DeleteAppointment", "GetAppointment", "GetAppointments"}


async def test_a_creation_names_what_the_table_asks_for_and_nothing_else(told: Kareo) -> None:
    created = appointment(told, "CreateAppointment")
    assert names(created) == CREATED
    (summary,) = created.iter(f"{BILLING}PatientSummary")
    assert names(summary) == {"PatientId", "PracticeId"}
    assert created.findtext(f"{BILLING}StartTime") == "2026-03-09T16:00:00Z", "an instant with its zone"


async def test_a_change_writes_all_back_that_it_read(told: Kareo) -> None:
    changed = appointment(told, "UpdateAppointment")
    assert names(changed) == WRITTEN_BACK
    arrays = "{http://schemas.microsoft.com/2003/10/Serialization/Arrays}"
    resources = changed.find(f"{BILLING}ResourceIds")
    assert [one.text for one in resources.iter(f"{arrays}long")] == ["41", "42"]


async def test_a_deletion_names_the_appointment_alone(told: Kareo) -> None:
    assert names(appointment(told, "DeleteAppointment")) == {"AppointmentId"}
