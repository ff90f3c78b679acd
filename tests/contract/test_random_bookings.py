"""Random appointments of Kareo's under random changes (I12): what was not asked for survives, and every request is as the WSDL has it.

Beside the appointment there are another of the same patient and one of somebody else's.
"""

from __future__ import annotations

import asyncio
import copy
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from msgspec.structs import replace

from daemon.sandbox.kareo.records import Appointment, Reason
from daemon.vendors.kareo.writer import KareoWriter
from daemon.vendors.ports.errors import Refused
from events.bookings import BookingTerms, CreateBillingAppointment, UpdateBillingAppointment
from events.ids import BillingPatientId
from events.writes import Done, RecordCreated
from projections.rules.bookings import BOOKINGS, STATUSES
from tests.contract.test_requests import _request, contract  # noqa: F401 - contract: a fixture
from tests.contract.test_requests_bookings import CREATED, WRITTEN_BACK, appointment
from tests.contract.test_requests_both_ways import names
from tests.integration.kareo import Kareo, kareo_at_work

START = datetime(2026, 3, 9, 16, 0, tzinfo=UTC)
TOKEN = "[cw AAAA-BBBB]"
WORDS = st.text("abcäß <&>\"'0123456789-", max_size=12).map(lambda text: " ".join(text.split()))
LINES = st.lists(WORDS.filter(bool), max_size=3)
THEIRS = st.fixed_dictionaries(
    {
        "name": WORDS,
        "resource_ids": st.lists(st.integers(1, 2**40), max_size=3, unique=True),
        "max_attendees": st.integers(1, 5),
        "status": st.sampled_from(["Confirmed", "ReminderSent", "NeedsReschedule", "Tentative", "Scheduled"]),
        "online": st.booleans(),
        "all_day": st.booleans(),
    }
)
"""What Kareo's users may have made of an appointment."""
CHANGES = st.sets(st.sampled_from([row.name for row in BOOKINGS]), min_size=1)
STATUS = st.sampled_from(sorted(set(STATUSES.values())))


@given(
    theirs=THEIRS, lines=LINES, below=st.booleans(), changes=CHANGES, status=STATUS, said=WORDS, minutes=st.integers(5, 1440)
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_not_asked_for_survives(
    theirs: dict[str, object], lines: list[str], below: bool, changes: set[str], status: str, said: str, minutes: int
) -> None:
    asyncio.run(_survives(theirs, lines, below, changes, status, said, minutes, None))


@given(theirs=THEIRS, lines=LINES, changes=CHANGES, status=STATUS, said=WORDS, minutes=st.integers(5, 1440))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_request_is_as_the_wsdl_has_it(
    contract: etree.XMLSchema,  # noqa: F811
    theirs: dict[str, object],
    lines: list[str],
    changes: set[str],
    status: str,
    said: str,
    minutes: int,
) -> None:
    asyncio.run(_survives(theirs, lines, True, changes, status, said, minutes, contract))


async def _survives(
    theirs: dict[str, object],
    lines: list[str],
    below: bool,
    changes: set[str],
    status: str,
    said: str,
    minutes: int,
    schema: etree.XMLSchema | None,
) -> None:
    async with kareo_at_work() as billing:
        writer = KareoWriter(billing.client, vendor_name="chartwire", now=lambda: billing.now)
        one, terms = await _booked(billing, writer)
        for name, value in theirs.items():
            setattr(one, name, value)
        one.resource_id = one.resource_ids[0] if one.resource_ids else None
        one.notes = "\n".join(["Cough", *lines, TOKEN] if below else lines)
        before = {id_: copy.deepcopy(asdict(each)) for id_, each in billing.sandbox.state.appointments.items()}

        wanted = _changed(billing, terms, status, said, minutes)
        assert one.patient_id is not None
        write = UpdateBillingAppointment(
            patient=BillingPatientId(one.patient_id),
            appointment=one.id,
            terms=wanted,
            changes=tuple(row.name for row in BOOKINGS if row.name in changes),
            before="Cough",
        )
        done = await writer.write(lambda: write)
        assert isinstance(done, Done)

        after = {id_: asdict(each) for id_, each in billing.sandbox.state.appointments.items()}
        held = after[one.id].pop("notes").splitlines()
        kept = [*lines, TOKEN] if below else lines
        if "description" in changes:
            assert held in ([said, *kept], kept if kept[:1] == [said] or not said else None)
        else:
            assert held == before[one.id]["notes"].splitlines()
        expected = {**before[one.id], **_shown(before[one.id], wanted, changes), "modified": after[one.id]["modified"]}
        del expected["notes"]
        assert after[one.id] == expected
        assert {id_: each for id_, each in after.items() if id_ != one.id} == {
            id_: each for id_, each in before.items() if id_ != one.id
        }
        _check_requests(billing, schema, already=done.already)


async def _booked(billing: Kareo, writer: KareoWriter) -> tuple[Appointment, BookingTerms]:
    """One of ours beside two of others."""
    ada, mary = billing.ada(), billing.ada(first_name="Mary")
    for patient in (ada, mary):
        billing.people.book_appointment(patient, billing.doctor, billing.place, START + timedelta(hours=1), 20, "Theirs")
    terms = BookingTerms(start=START, minutes=20, provider=billing.doctor, location=billing.place, description="Cough")
    create = CreateBillingAppointment(patient=BillingPatientId(ada), terms=terms, token=TOKEN)
    made = await writer.write(lambda: create)
    assert isinstance(made, RecordCreated)
    return billing.sandbox.state.appointments[made.id], terms


def _changed(billing: Kareo, terms: BookingTerms, status: str, said: str, minutes: int) -> BookingTerms:
    """Another value of every row."""
    state = billing.sandbox.state
    reason = state.new_id("reasons")
    state.reasons[reason] = Reason(id=reason, practice_id=billing.elm, name="Follow-up")
    return replace(
        terms,
        start=START + timedelta(days=1),
        minutes=minutes,
        provider=billing.sandbox.add_provider(billing.elm, first_name="Max", last_name="Bell").id,
        location=billing.sandbox.add_service_location(billing.elm, name="Annex").id,
        reason=reason,
        status=status,
        description=said,
    )


def _shown(before: dict[str, object], terms: BookingTerms, changes: set[str]) -> dict[str, object]:
    """What the appointment shows of the rows that were asked for, by the names of the record. One that moves is as long as it was told."""
    shown: dict[str, object] = {}
    start = terms.start if "start" in changes else before["start"]
    assert isinstance(start, datetime)
    if changes & {"start", "minutes"}:
        shown |= {"start": start, "end": start + timedelta(minutes=terms.minutes)}
    each = {"provider": "provider_id", "location": "location_id", "reason": "reason_id", "status": "status"}
    return shown | {record: getattr(terms, name) for name, record in each.items() if name in changes}


def _check_requests(billing: Kareo, schema: etree.XMLSchema | None, *, already: bool) -> None:
    """No member that the table does not ask for or that was not read; and valid, where the interface file is there."""
    assert names(appointment(billing, "CreateAppointment")) <= CREATED
    if not already:
        assert names(appointment(billing, "UpdateAppointment")) <= WRITTEN_BACK
    for call in billing.sandbox.calls if schema is not None else ():
        assert schema.validate(_request(call.request)), call.operation


def test_a_group_appointment_and_another_patients_are_refused_untouched() -> None:
    asyncio.run(_refused())


async def _refused() -> None:
    async with kareo_at_work() as billing:
        writer = KareoWriter(billing.client, vendor_name="chartwire", now=lambda: billing.now)
        one, terms = await _booked(billing, writer)
        patient = BillingPatientId(one.patient_id or 0)
        write = UpdateBillingAppointment(patient=patient, appointment=one.id, terms=terms, changes=("minutes",))
        one.is_group, one.end = True, one.end + timedelta(minutes=5)
        before = asdict(one)
        with pytest.raises(Refused):
            await writer.write(lambda: write)
        assert asdict(one) == before
