"""Appointments booked in Kareo: once whatever is lost, only what was asked for, and what its users did there survives.

The rules are those of EHR_LED, sections 4 (operations and traps), 7 (lost answers) and 9 (open questions, both answers).
"""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from msgspec.structs import replace

from daemon.sandbox.kareo import KareoSwitches
from daemon.sandbox.kareo.records import Appointment
from daemon.vendors.kareo.bookings import notes_with
from daemon.vendors.kareo.writer import KareoWriter
from daemon.vendors.ports.errors import NotAsWritten, NotForAccount, OutcomeUnknown, Refused
from events.bookings import (
    BookingTerms,
    CreateBillingAppointment,
    DeleteBillingAppointment,
    UpdateBillingAppointment,
)
from events.ids import BillingPatientId
from events.writes import Done, RecordCreated
from projections.rules.bookings import DESCRIPTION_MOST, token_of
from tests.integration.kareo import Kareo, kareo_at_work

START = datetime(2026, 3, 9, 16, 0, tzinfo=UTC)
TOKEN = token_of("elm", 61001)


@pytest_asyncio.fixture
async def billing() -> AsyncIterator[Kareo]:
    async with kareo_at_work(KareoSwitches()) as billing:
        yield billing


@pytest.fixture
def writer(billing: Kareo) -> KareoWriter:
    return KareoWriter(billing.client, vendor_name="chartwire", now=lambda: billing.now)


def terms(billing: Kareo, **changes: object) -> BookingTerms:
    made = BookingTerms(
        start=START, minutes=20, provider=billing.doctor, location=billing.place, description="Cough", status="Scheduled"
    )
    return replace(made, **changes)


def create(billing: Kareo, ada: int, token: str = TOKEN, **changes: object) -> CreateBillingAppointment:
    return CreateBillingAppointment(patient=BillingPatientId(ada), terms=terms(billing, **changes), token=token)


async def booked(billing: Kareo, writer: KareoWriter, **changes: object) -> tuple[int, Appointment]:
    ada = billing.ada()
    result = await writer.write(lambda: create(billing, ada, **changes))
    assert isinstance(result, RecordCreated)
    return ada, billing.sandbox.state.appointments[result.id]


def change(
    billing: Kareo, ada: int, one: Appointment, *names: str, before: str = "Cough", **values: object
) -> UpdateBillingAppointment:
    return UpdateBillingAppointment(
        patient=BillingPatientId(ada),
        appointment=one.id,
        terms=terms(billing, **values),
        changes=names or tuple(values),
        before=before,
    )


def creations(billing: Kareo) -> int:
    return billing.asked().count("CreateAppointment")


# -- creating -------------------------------------------------------------------------------------------------------------


async def test_it_is_created_as_it_was_asked_for(billing: Kareo, writer: KareoWriter) -> None:
    ada, one = await booked(billing, writer)
    assert (one.patient_id, one.provider_id, one.location_id) == (ada, billing.doctor, billing.place)
    assert (one.start, one.end) == (START, START + timedelta(minutes=20))
    assert (one.status, one.type, one.is_recurring, one.is_group, one.online) == ("Scheduled", "P", False, False, False)
    assert one.notes == f"Cough\n{TOKEN}"
    assert (one.reason_id, one.resource_id, one.resource_ids) == (None, None, [])


@pytest.mark.parametrize("zone", ["utc", "server_zone"])
async def test_times_are_sent_with_their_zone_so_what_kareo_takes_for_none_does_not_matter(
    billing: Kareo, writer: KareoWriter, zone: str
) -> None:
    """Section 4: clients disagree whether StartTime needs Z; section 9: both answers."""
    billing.sandbox.switches.appointment_times_without_zone = zone
    _, one = await booked(billing, writer)
    assert one.start == START


async def test_a_start_that_is_kept_otherwise_is_told_to_a_person(
    billing: Kareo, writer: KareoWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    from daemon.sandbox.kareo import operations_appointments as operations

    monkeypatch.setattr(operations, "instant", lambda value, zone: value + timedelta(hours=8))
    with pytest.raises(NotAsWritten) as kept:
        await writer.write(lambda: create(billing, billing.ada()))
    assert kept.value.fields == ("start",)


@pytest.mark.parametrize("switch", ["untranslatable", "needs_guids"])
async def test_texts_about_the_account_say_that_no_other_would_be_taken(
    billing: Kareo, writer: KareoWriter, switch: str
) -> None:
    """Section 4: "translating" and "Guids" texts are a configuration problem: stop creating, do not retry."""
    billing.sandbox.switches.create_appointment = switch
    with pytest.raises(NotForAccount) as stopped:
        await writer.write(lambda: create(billing, billing.ada()))
    assert stopped.value.vendor_text in ("translating AppointmentCreate", "ProviderGuids")
    assert creations(billing) == 1


async def test_an_account_that_asks_for_a_reason_refuses_one_appointment_not_all(
    billing: Kareo, writer: KareoWriter
) -> None:
    billing.sandbox.switches.create_appointment = "reason_required"
    ada = billing.ada()
    with pytest.raises(Refused) as refused:
        await writer.write(lambda: create(billing, ada))
    assert type(refused.value) is Refused
    reason = billing.sandbox.state.new_id("reasons")
    from daemon.sandbox.kareo.records import Reason

    billing.sandbox.state.reasons[reason] = Reason(id=reason, practice_id=billing.elm, name="Follow-up")
    result = await writer.write(lambda: create(billing, ada, reason=reason))
    assert billing.sandbox.state.appointments[result.id].reason_id == reason


@pytest.mark.parametrize("width", [None, 255])
async def test_the_token_fits_into_the_notes_however_wide_they_are(
    billing: Kareo, writer: KareoWriter, width: int | None
) -> None:
    """Section 8: Notes over the width; section 9: both answers."""
    billing.sandbox.switches.appointment_notes_width = width
    ada, one = await booked(billing, writer, description="x" * DESCRIPTION_MOST)
    assert one.notes.endswith(TOKEN)
    found = await writer.look_up(create(billing, ada, description="x" * DESCRIPTION_MOST))
    assert found == RecordCreated(id=one.id)


# -- lost answers ---------------------------------------------------------------------------------------------------------


async def test_a_lost_creation_is_found_by_its_token(billing: Kareo, writer: KareoWriter) -> None:
    """Section 7: nothing external, no key; the token in the notes."""
    ada = billing.ada()
    billing.faults.add("CreateAppointment", "cut_after")
    with pytest.raises(OutcomeUnknown):
        await writer.write(lambda: create(billing, ada))
    (one,) = billing.sandbox.state.appointments.values()
    assert await writer.look_up(create(billing, ada)) == RecordCreated(id=one.id)


async def test_before_a_second_creation_the_token_is_looked_for(billing: Kareo, writer: KareoWriter) -> None:
    ada, one = await booked(billing, writer)
    again = await writer.write(lambda: create(billing, ada))
    assert again == RecordCreated(id=one.id)
    assert creations(billing) == len(billing.sandbox.state.appointments) == 1


async def test_one_that_users_moved_meanwhile_is_found_among_those_created_lately(
    billing: Kareo, writer: KareoWriter
) -> None:
    ada, one = await booked(billing, writer)
    one.start, one.end = one.start + timedelta(days=40), one.end + timedelta(days=40)
    billing.later(hours=3)
    assert await writer.look_up(create(billing, ada)) == RecordCreated(id=one.id)


async def test_what_another_patient_or_another_token_has_is_not_ours(billing: Kareo, writer: KareoWriter) -> None:
    await booked(billing, writer)
    other = billing.ada(first_name="Mary")
    assert await writer.look_up(create(billing, other)) is None
    ada = billing.ada(first_name="Ann")
    await writer.write(lambda: create(billing, ada, token=token_of("elm", 5)))
    assert await writer.look_up(create(billing, ada)) is None


async def test_one_created_twice_is_the_older_one_and_the_other_is_told(billing: Kareo, writer: KareoWriter) -> None:
    """Section 7: two hits: keep the lowest id, show the other."""
    ada, one = await booked(billing, writer)
    twin = copy.copy(one)
    twin.id = billing.sandbox.state.new_id("appointments")
    billing.sandbox.state.appointments[twin.id] = twin
    assert await writer.look_up(create(billing, ada)) == RecordCreated(id=one.id, others=(twin.id,))


async def test_a_list_that_lags_shows_a_lost_creation_later(billing: Kareo, writer: KareoWriter) -> None:
    """Section 9: appointment_list_lag_seconds; the sink looks after 30 and 120 seconds, too (test_bookings_sink)."""
    billing.sandbox.switches.appointment_list_lag_seconds = 30
    ada, one = await booked(billing, writer)
    assert await writer.look_up(create(billing, ada)) is None
    billing.later(seconds=31)
    assert await writer.look_up(create(billing, ada)) == RecordCreated(id=one.id)


async def test_without_a_token_it_is_found_by_patient_provider_and_time(billing: Kareo, writer: KareoWriter) -> None:
    """Section 7, step 3: option off: exactly one is adopted."""
    ada, one = await booked(billing, writer, token="")
    assert one.notes == "Cough"
    assert await writer.look_up(create(billing, ada, token="")) == RecordCreated(id=one.id)
    taken = replace(create(billing, ada, token=""), taken=(one.id,))
    assert await writer.look_up(taken) is None
    other_doctor = billing.sandbox.add_provider(billing.elm, first_name="Max", last_name="Bell").id
    assert await writer.look_up(create(billing, ada, token="", provider=other_doctor)) is None


async def test_without_a_token_several_alike_are_for_a_person_and_old_ones_are_nobodys(
    billing: Kareo, writer: KareoWriter
) -> None:
    ada, one = await booked(billing, writer, token="")
    twin = copy.copy(one)
    twin.id = billing.sandbox.state.new_id("appointments")
    billing.sandbox.state.appointments[twin.id] = twin
    with pytest.raises(Refused, match="GetAppointments"):
        await writer.look_up(create(billing, ada, token=""))
    billing.later(hours=2)
    assert await writer.look_up(create(billing, ada, token="")) is None


# -- changing -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (
            {"start": START + timedelta(days=1)},
            {"start": START + timedelta(days=1), "end": START + timedelta(days=1, minutes=20)},
        ),
        ({"minutes": 1440}, {"end": START + timedelta(minutes=1440)}),
        ({"status": "CheckedIn"}, {"status": "CheckedIn"}),
        ({"status": "Cancelled"}, {"status": "Cancelled"}),
        ({"description": "Fever"}, {"notes": f"Fever\n{TOKEN}"}),
        ({"description": ""}, {"notes": TOKEN}),
    ],
)
@pytest.mark.parametrize("absent", ["erased", "kept"])
async def test_a_change_touches_what_was_asked_for_and_nothing_else(
    billing: Kareo, writer: KareoWriter, values: dict[str, object], shown: dict[str, object], absent: str
) -> None:
    """Section 4: GetAppointment, change, write ALL back, read back; whatever an absent member means."""
    billing.sandbox.switches.absent_erases_appointment = absent == "erased"
    billing.sandbox.switches.absent_status_in_update = "sets_unknown" if absent == "erased" else "kept"
    ada, one = await booked(billing, writer)
    case = next(case.id for case in billing.sandbox.cases.values() if case.patient_id == ada)
    one.name, one.case_id, one.max_attendees, one.resource_ids, one.resource_id = "Morning", case, 3, [41, 42], 41
    one.status = "Confirmed"
    before = asdict(one)
    assert await writer.write(lambda: change(billing, ada, one, **values)) == Done()
    after = asdict(billing.sandbox.state.appointments[one.id])
    assert after == {**before, **shown, "modified": after["modified"]}


async def test_a_change_that_is_there_already_is_not_sent(billing: Kareo, writer: KareoWriter) -> None:
    ada, one = await booked(billing, writer)
    assert await writer.write(lambda: change(billing, ada, one, status="Scheduled")) == Done(already=True)
    assert "UpdateAppointment" not in billing.asked()


async def test_notes_that_users_wrote_survive_with_the_token_or_without(billing: Kareo, writer: KareoWriter) -> None:
    """Section 8: Notes edited by Kareo users (token gone; their text must survive)."""
    ada, one = await booked(billing, writer)
    one.notes = "Cough\nbring the x-ray\nwheelchair"
    await writer.write(lambda: change(billing, ada, one, description="Fever"))
    assert billing.sandbox.state.appointments[one.id].notes == "Fever\nbring the x-ray\nwheelchair"
    billing.sandbox.state.appointments[one.id].notes = "their own words"
    await writer.write(lambda: change(billing, ada, one, before="Fever", description="Chills"))
    assert billing.sandbox.state.appointments[one.id].notes == "Chills\ntheir own words"


def test_notes_line_by_line() -> None:
    assert notes_with("", "Cough", "") == "Cough"
    assert notes_with(f"{TOKEN}", "Cough", "") == f"Cough\n{TOKEN}"
    assert notes_with(f"Cough\r\n{TOKEN}", "", "Cough") == TOKEN
    assert notes_with("Cough, says the desk", "Fever", "Cough") == "Fever\nCough, says the desk"


async def test_a_lost_change_is_seen_by_reading(billing: Kareo, writer: KareoWriter) -> None:
    """Section 7: UpdateAppointment: compare all written members."""
    ada, one = await booked(billing, writer)
    write = change(billing, ada, one, minutes=45)
    assert await writer.look_up(write) is None
    billing.faults.add("UpdateAppointment", "cut_after")
    with pytest.raises(OutcomeUnknown):
        await writer.write(lambda: write)
    assert await writer.look_up(write) == Done()


@pytest.mark.parametrize("shown", ["refused", "marked"])
async def test_one_that_users_deleted_is_cancelled_enough_but_not_changed(
    billing: Kareo, writer: KareoWriter, shown: str
) -> None:
    billing.sandbox.switches.deleted_appointment = shown
    ada, one = await booked(billing, writer)
    billing.people.delete_appointment(one.id)
    assert await writer.write(lambda: change(billing, ada, one, status="Cancelled")) == Done(already=True)
    with pytest.raises(Refused) as refused:
        await writer.write(lambda: change(billing, ada, one, minutes=45))
    assert "gone" in refused.value.vendor_text


async def test_one_that_is_another_patients_or_a_groups_by_now_is_left_alone(billing: Kareo, writer: KareoWriter) -> None:
    ada, one = await booked(billing, writer)
    one.patient_id = billing.ada(first_name="Mary")
    with pytest.raises(Refused):
        await writer.write(lambda: change(billing, ada, one, minutes=45))
    one.patient_id, one.is_group = ada, True
    with pytest.raises(Refused):
        await writer.write(lambda: change(billing, ada, one, minutes=45))
    assert "UpdateAppointment" not in billing.asked()


# -- deleting -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("twice", ["refused", "ok_false", "ok_true"])
@pytest.mark.parametrize("shown", ["refused", "marked"])
async def test_deleted_is_deleted_however_kareo_says_so(billing: Kareo, writer: KareoWriter, twice: str, shown: str) -> None:
    """Section 7: IsDeleted, nil, or an error all mean gone; section 9: delete_twice."""
    billing.sandbox.switches.delete_twice, billing.sandbox.switches.deleted_appointment = twice, shown
    _, one = await booked(billing, writer)
    delete = DeleteBillingAppointment(appointment=one.id)
    assert await writer.look_up(delete) is None
    billing.faults.add("DeleteAppointment", "cut_after")
    with pytest.raises(OutcomeUnknown):
        await writer.write(lambda: delete)
    assert await writer.look_up(delete) == Done()
    assert await writer.write(lambda: delete) == Done(already=True)
    assert billing.sandbox.state.appointments[one.id].deleted
