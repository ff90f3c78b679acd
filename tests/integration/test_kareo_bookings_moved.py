"""A booking of an appointment that is another patient's now is deleted in Kareo only as it was told, and where it was booked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from daemon.sandbox.kareo import KareoSwitches
from daemon.sandbox.kareo.records import Appointment
from daemon.vendors.kareo.bookings import GROUP, MOVED_THERE, TOUCHED
from daemon.vendors.kareo.writer import KareoWriter
from daemon.vendors.ports.errors import Refused
from events.bookings import CAME, DeleteBillingAppointment
from events.ids import BillingPatientId
from events.writes import Done, RecordCreated
from tests.integration.kareo import Kareo, kareo_at_work
from tests.integration.test_kareo_bookings import START, TOKEN, booked, create, terms


@pytest_asyncio.fixture
async def there() -> AsyncIterator[Kareo]:
    async with kareo_at_work(KareoSwitches()) as at_work:
        yield at_work


@pytest.fixture
def writer(there: Kareo) -> KareoWriter:
    return KareoWriter(there.client, vendor_name="chartwire", now=lambda: there.now)


async def deleted(there: Kareo, writer: KareoWriter, ada: int, one: Appointment) -> str:
    """Why it was refused, "" where it was deleted."""
    write = DeleteBillingAppointment(appointment=one.id, patient=BillingPatientId(ada), told=terms(there))
    try:
        await writer.write(lambda: write)
    except Refused as refused:
        assert "DeleteAppointment" not in there.asked()
        assert not there.sandbox.state.appointments[one.id].deleted
        return refused.vendor_text
    assert there.sandbox.state.appointments[one.id].deleted
    return ""


@pytest.mark.parametrize("status", ["Scheduled", "Confirmed", "ReminderSent", "Tentative", "Cancelled"])
async def test_as_it_was_told_or_reminded_of_it_is_deleted(there: Kareo, writer: KareoWriter, status: str) -> None:
    ada, one = await booked(there, writer)
    one.status = status
    assert await deleted(there, writer, ada, one) == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"start": START + timedelta(hours=1), "end": START + timedelta(hours=1, minutes=20)},
        {"end": START + timedelta(minutes=45)},
        {"notes": f"Cough\nbring the x-ray\n{TOKEN}"},
        {"notes": "their own words"},
        {"provider_id": None},
        *({"status": status} for status in sorted(CAME)),
    ],
    ids=lambda one: "-".join(map(str, one.values()))[:30],
)
async def test_what_people_changed_there_stays(there: Kareo, writer: KareoWriter, changes: dict[str, object]) -> None:
    ada, one = await booked(there, writer)
    for name, value in changes.items():
        setattr(one, name, value)
    assert await deleted(there, writer, ada, one) == TOUCHED


async def test_one_whose_place_people_changed_stays(there: Kareo, writer: KareoWriter) -> None:
    ada, one = await booked(there, writer)
    one.location_id += 1
    assert await deleted(there, writer, ada, one) == TOUCHED


async def test_one_that_is_anothers_there_or_a_groups_stays(there: Kareo, writer: KareoWriter) -> None:
    """Merged in Kareo it went along, and may be right where it is."""
    ada, one = await booked(there, writer)
    one.patient_id = there.ada(first_name="Mary")
    assert await deleted(there, writer, ada, one) == MOVED_THERE
    one.patient_id, one.is_group = ada, True
    assert await deleted(there, writer, ada, one) == GROUP


async def test_without_its_token_and_notes_it_is_ours_all_the_same(there: Kareo, writer: KareoWriter) -> None:
    ada, one = await booked(there, writer)
    one.notes = ""
    assert await deleted(there, writer, ada, one) == ""


async def test_one_that_is_gone_is_gone(there: Kareo, writer: KareoWriter) -> None:
    ada, one = await booked(there, writer)
    there.people.delete_appointment(one.id)
    write = DeleteBillingAppointment(appointment=one.id, patient=BillingPatientId(ada), told=terms(there))
    assert await writer.write(lambda: write) == Done(already=True)


async def test_a_deletion_the_practice_wants_asks_for_neither(there: Kareo, writer: KareoWriter) -> None:
    """`Policy.deleted_appointment`: deleted in Elation, it is deleted in Kareo, whoever wrote into it."""
    _, one = await booked(there, writer)
    one.notes, one.status = "their own words", "CheckedIn"
    assert await writer.write(lambda: DeleteBillingAppointment(appointment=one.id)) == Done()
    assert there.sandbox.state.appointments[one.id].deleted


async def test_one_that_an_earlier_write_made_is_told_as_it_stands(there: Kareo, writer: KareoWriter) -> None:
    """It was created in spite of a refusal, and the visit has moved since; what its users wrote into it is theirs."""
    ada, one = await booked(there, writer)
    one.status = "Confirmed"
    assert await writer.write(lambda: create(there, ada)) == RecordCreated(id=one.id)
    later = {"start": START + timedelta(hours=2), "minutes": 40}
    found = await writer.write(lambda: create(there, ada, **later))
    assert found == RecordCreated(id=one.id, booked=terms(there))
    assert there.asked().count("CreateAppointment") == 1
