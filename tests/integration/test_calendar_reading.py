"""How Elation's calendar is seen where its appointments are booked (EHR_LED, section 6): webhooks, windows, and what vanished."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import aiohttp
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from daemon.sandbox.elation import ElationSandbox, ElationSwitches
from daemon.vendors.elation.calendar_reading import NEAR_PASS, CalendarReader
from daemon.vendors.elation.client import ElationClient
from daemon.vendors.elation.delivery import ElationDelivery
from daemon.vendors.elation.section import ElationConfig
from daemon.vendors.ports.intake import Intake
from daemon.vendors.ports.passes import Passes
from events.bookings import EhrAppointment, EhrAppointmentGone, EhrAppointmentObserved
from events.ids import EventId, PracticeId
from events.schema import Body, ChangeQuarantined
from events.topics import Change, Message, Nudge, Seen
from events.writes import System
from tests.conftest import PRACTICE

NOON = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)
OURS = Ed25519PrivateKey.generate()
SIGNED_BY = base64.b64encode(
    OURS.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
).decode()


class Subscribed:
    async def get(self) -> dict[str, tuple[int, str]]:
        return {"appointments": (1, SIGNED_BY)}

    async def save(self, resource: str, subscription: int, target: str, key: str) -> None: ...


class Watching:
    """A sandbox with a practice, a reader of its calendar, and what was published, recorded at once."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.now = NOON
        self.session = session
        self.sandbox = ElationSandbox(now=lambda: self.now, switches=ElationSwitches())
        self.people = self.sandbox.people
        self.elm = int(self.sandbox.add_practice(name="Elm", time_zone="America/Denver")["id"])
        self.sandbox.add_credential("id", "hush", practices=[self.elm])
        self.doctor = int(self.sandbox.add_physician(self.elm, first_name="Ruth", last_name="Okafor", npi="1")["id"])
        self.place = int(self.sandbox.add_service_location(self.elm, name="Main")["id"])
        self.ada = int(self.people.create_patient(self.elm, "Ada", "Byron", "Female", "1980-02-03")["id"])
        self.mary = int(self.people.create_patient(self.elm, "Mary", "Shelley", "Female", "1981-02-03")["id"])
        self.seen: dict[tuple[str, str], Seen] = {}
        self.published: list[Body] = []
        self.nudges: list[str] = []
        self.intake = Intake(PRACTICE, System.EHR, self._publish, self._known)

    async def start(self) -> None:
        await self.sandbox.start()
        client = ElationClient(
            base_url=self.sandbox.url,
            client_id="id",
            client_secret="hush",
            session=self.session,
            practice_id=self.elm,
            concurrency=2,
        )
        config = ElationConfig(base_url=self.sandbox.url, client_id="id", client_secret_file="x", practice_id=self.elm)
        self.passes = Passes("elation", PRACTICE)
        self.reader = CalendarReader(
            client, self.intake, config, self.passes, known=self._records, patience=0.0, now=lambda: self.now
        )
        self.delivery = ElationDelivery(
            self.intake,
            practice=self.elm,
            zone="UTC",
            subscriptions=Subscribed(),
            now=lambda: self.now,
            calendar_leaves=True,
        )

    async def _publish(self, _practice: PracticeId, messages: Sequence[Message]) -> None:
        for one in messages:
            if isinstance(one, Nudge):
                self.nudges.append(one.what)
            if isinstance(one, Change):
                if one.event is not None:
                    self.published.append(one.event.body)
                for note in one.notes:
                    key = (note.resource, note.record)
                    revision = self.seen.get(key, Seen()).revision + 1
                    self.seen[key] = Seen(content_hash=note.content_hash, revision=revision, parent=note.parent)

    async def _known(self, records: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Seen]:
        return {key: self.seen[key] for key in records if key in self.seen}

    async def _records(self) -> list[tuple[str, str]]:
        return [(record, one.parent) for (resource, record), one in self.seen.items() if resource == "appointments"]

    def book(self, start: datetime = NOON + timedelta(days=2), **fields: object) -> int:
        told = {"service_location": self.place, "description": "Cough", **fields}
        return int(self.people.create_appointment(self.ada, self.doctor, start, 20, **told)["id"])

    def news(self) -> list[Body]:
        """What was published since the last look."""
        news, self.published = self.published, []
        return news

    async def deliver(self, appointment: int, action: str = "saved", **changes: object) -> list[Body]:
        """The webhook of an appointment as it is now."""
        data = {**self.sandbox.state.tables["appointments"][appointment], **changes}
        body = json.dumps({"data": data, "action": action, "event_id": len(self.seen), "resource": "appointments"}).encode()
        assert await self.delivery.take("appointments", body, base64.b64encode(OURS.sign(body)).decode()) == 200
        return self.news()

    def asked(self) -> list[str]:
        return [one.path for one in self.sandbox.calls if "appointments" in one.path]


@pytest_asyncio.fixture
async def clinic() -> AsyncIterator[Watching]:
    async with aiohttp.ClientSession() as session:
        watching = Watching(session)
        await watching.start()
        try:
            yield watching
        finally:
            await watching.sandbox.stop()


def seen_of(news: list[Body]) -> EhrAppointment:
    (one,) = news
    assert isinstance(one, EhrAppointmentObserved)
    return one.appointment


async def test_what_is_booked_is_seen_as_it_is_and_once(clinic: Watching) -> None:
    id_ = clinic.book()
    await clinic.reader.read_near()
    seen = seen_of(clinic.news())
    assert seen == EhrAppointment(
        id=id_,
        patient=clinic.ada,
        start=NOON + timedelta(days=2),
        minutes=20,
        physician=clinic.doctor,
        location=clinic.place,
        description="Cough",
        status="Scheduled",
    )
    await clinic.reader.read_near()
    await clinic.reader.read_all()
    assert clinic.news() == []


async def test_the_near_days_are_read_often_and_all_that_a_series_reaches_seldom(clinic: Watching) -> None:
    clinic.book(NOON + timedelta(days=500))
    clinic.book(NOON - timedelta(days=3))
    await clinic.reader.read_near()
    assert clinic.news() == []
    await clinic.reader.read_all()
    assert seen_of(clinic.news()).start == NOON + timedelta(days=500)


async def test_open_slots_and_events_of_the_calendar_are_nobodys(clinic: Watching) -> None:
    """Section 6: calendar blocks, placeholders and open slots are never sent."""
    for kind in ("event", "appointment_slot"):
        id_ = clinic.people.create_appointment(None, clinic.doctor, NOON + timedelta(days=1), 30, time_slot_type=kind)["id"]
        assert await clinic.deliver(int(id_)) == []
    await clinic.reader.read_all()
    assert clinic.news() == []


@pytest.mark.parametrize("becomes", ["new_id", "same_id"])
async def test_a_slot_that_a_patient_takes_is_an_appointment(clinic: Watching, becomes: str) -> None:
    """Section 9: slot_becomes_appointment."""
    clinic.sandbox.switches = replace_switch(clinic, slot_becomes_appointment=becomes)
    slot = clinic.people.create_appointment(
        None, clinic.doctor, NOON + timedelta(days=1), 30, time_slot_type="appointment_slot"
    )
    taken = clinic.people.take_slot(int(slot["id"]), clinic.ada)
    assert (taken["id"] == slot["id"]) is (becomes == "same_id")
    await clinic.reader.read_all()
    assert seen_of(clinic.news()).id == taken["id"]


def replace_switch(clinic: Watching, **values: object) -> ElationSwitches:
    import dataclasses

    switches = dataclasses.replace(clinic.sandbox.switches, **values)
    clinic.sandbox.state.switches = switches
    return switches


@pytest.mark.parametrize(("occurrences", "listed"), [("own_ids", 5), ("only_schedule", 1)])
@pytest.mark.parametrize("splits", [True, False])
async def test_a_series_is_what_is_listed_of_it_each_by_its_own_id(
    clinic: Watching, occurrences: str, listed: int, splits: bool
) -> None:
    """Section 9: recurring_occurrences, split_series_changes_schedule_id; the schedule's id is nothing to us."""
    replace_switch(clinic, recurring_occurrences=occurrences, split_series_changes_schedule_id=splits)
    series = clinic.people.create_series(clinic.ada, clinic.doctor, "2026-03-04T16:00:00Z", 5)
    await clinic.reader.read_all()
    assert len({one.appointment.id for one in clinic.news()}) == listed
    clinic.now += timedelta(minutes=5)
    clinic.people.edit_following(int(series[len(series) // 2]["id"]), duration=45)
    await clinic.reader.read_all()
    assert {one.appointment.minutes for one in clinic.news()} == {45}


async def test_what_vanishes_from_its_window_is_asked_for_by_id(clinic: Watching) -> None:
    """Section 6: deleted_date or 410 = deleted."""
    kept, gone = clinic.book(), clinic.book()
    await clinic.reader.read_all()
    clinic.news()
    clinic.people.delete_appointment(gone)
    await clinic.reader.read_near()
    assert clinic.news() == []
    await clinic.reader.read_all()
    assert clinic.news() == [EhrAppointmentGone(appointment=gone, chart=clinic.ada)]
    await clinic.reader.read_all()
    assert clinic.news() == []
    assert kept != gone


async def test_one_that_is_not_visible_any_more_is_a_persons_to_look_for(clinic: Watching) -> None:
    """Section 6: 404 = not visible, ask a person."""
    id_ = clinic.book()
    await clinic.reader.read_all()
    clinic.news()
    del clinic.sandbox.state.tables["appointments"][id_]
    await clinic.reader.read_all()
    (set_aside,) = clinic.news()
    assert isinstance(set_aside, ChangeQuarantined)
    assert "not visible" in set_aside.reason


async def test_one_of_the_past_is_asked_for_once_and_again_after_it_moved(clinic: Watching) -> None:
    id_ = clinic.book(NOON + timedelta(hours=1))
    await clinic.reader.read_all()
    clinic.now += timedelta(days=3)
    for _ in range(3):
        await clinic.reader.read_all()
    assert len([path for path in clinic.asked() if str(id_) in path or "{id}" in path]) == 1
    clinic.news()
    clinic.people.edit_appointment(id_, scheduled_date=clinic.now + timedelta(days=1))
    await clinic.reader.read_all()
    seen_of(clinic.news())
    clinic.people.delete_appointment(id_)
    await clinic.reader.read_all()
    assert clinic.news() == [EhrAppointmentGone(appointment=id_, chart=clinic.ada)]


async def test_one_that_becomes_another_patients_is_told_to_both(clinic: Watching) -> None:
    id_ = clinic.book()
    await clinic.reader.read_all()
    clinic.news()
    clinic.now += timedelta(minutes=5)
    clinic.people.edit_appointment(id_, patient=clinic.mary)
    await clinic.reader.read_near()
    moved, seen = clinic.news()
    assert moved == EhrAppointmentGone(appointment=id_, chart=clinic.ada, moved=True)
    assert seen.appointment.patient == clinic.mary


async def test_one_that_becomes_an_event_is_gone(clinic: Watching) -> None:
    """Section 8: event turned into placeholder, here from an appointment."""
    id_ = clinic.book()
    await clinic.reader.read_all()
    clinic.news()
    clinic.sandbox.state.tables["appointments"][id_] |= {"time_slot_type": "event", "patient": None}
    assert await clinic.deliver(id_) == []
    assert clinic.nudges == [f"in-calendar:{id_}"]
    await clinic.reader.read(id_)
    assert clinic.news() == [EhrAppointmentGone(appointment=id_, chart=clinic.ada)]


# -- webhooks -------------------------------------------------------------------------------------------------------------


async def test_a_webhook_tells_what_was_saved_at_once(clinic: Watching) -> None:
    id_ = clinic.book()
    assert seen_of(await clinic.deliver(id_)).description == "Cough"
    await clinic.reader.read_all()
    assert clinic.news() == []
    assert clinic.nudges == []


@pytest.mark.parametrize(
    ("action", "changes"),
    [("deleted", {}), ("saved", {"deleted_date": "2026-03-02T18:00:00Z"}), ("saved", {"duration": "soon"})],
)
async def test_what_was_deleted_or_cannot_be_read_is_read_by_id(
    clinic: Watching, action: str, changes: dict[str, object]
) -> None:
    id_ = clinic.book()
    assert await clinic.deliver(id_, action, **changes) == []
    assert clinic.nudges == [f"in-calendar:{id_}"]


async def test_an_old_delivery_only_says_that_it_is_to_be_read(clinic: Watching) -> None:
    """Nothing signs a time: anybody may send a delivery again."""
    id_ = clinic.book()
    clinic.now += timedelta(days=2)
    assert await clinic.deliver(id_) == []
    assert clinic.nudges == [f"in-calendar:{id_}"]


async def test_another_practices_and_nobodys_tell_nothing(clinic: Watching) -> None:
    id_ = clinic.book()
    assert await clinic.deliver(id_, practice=99) == []
    assert clinic.nudges == []
    body = json.dumps({"data": {"no": "id"}, "action": "saved", "resource": "appointments"}).encode()
    assert await clinic.delivery.take("appointments", body, base64.b64encode(OURS.sign(body)).decode()) == 200
    assert clinic.nudges == [NEAR_PASS]


# -- asked for ------------------------------------------------------------------------------------------------------------


async def test_a_resync_reads_the_patients_appointments_whatever_they_said_last_time(clinic: Watching) -> None:
    clinic.book()
    await clinic.reader.read_all()
    clinic.news()
    await clinic.reader.read_of(clinic.ada, EventId(NEWS))
    seen_of(clinic.news())
    await clinic.reader.read_of(clinic.mary, EventId(NEWS))
    assert clinic.news() == []


NEWS = UUID(int=7)
