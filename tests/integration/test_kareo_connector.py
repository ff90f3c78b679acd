"""The Kareo connector on the sandbox, publishing into a list that is recorded at once, as the recorder would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import pytest_asyncio

from daemon.vendors.kareo import connector as module
from daemon.vendors.kareo.connector import KareoConnector
from daemon.vendors.kareo.section import KareoConfig
from daemon.vendors.ports.errors import Unreachable
from events.ids import BillingPatientId, PracticeId
from events.schema import (
    BillingAppointmentObserved,
    BillingAppointmentVanished,
    BillingChartObserved,
    BillingChartVanished,
    BillingDirectoryObserved,
    Body,
)
from events.topics import Checkpoint, Message
from events.writes import System
from tests.conftest import until
from tests.contract.vendor_case import Recorded
from tests.integration.kareo import NOON, Kareo, kareo_at_work

CONFIG = KareoConfig(
    wsdl="", endpoint="", customer_key_file="", user="", password_file="", practice_name="", patient_round_seconds=0.2
)


class Post(Recorded):
    """A Kareo connector, and what it publishes, recorded at once; the recorder may be `away`, and the broker `refusing`."""

    def __init__(self, billing: Kareo) -> None:
        super().__init__(System.BILLING)
        self.away = self.refusing = False
        self.connector = KareoConnector(
            billing.client,
            self.intake,
            CONFIG,
            known=self.known,
            watermark=self.watermark,
            patience=0.05,
            now=lambda: billing.now,
        )

    async def _publish(self, practice: PracticeId, messages: Sequence[Message]) -> None:
        if self.refusing:
            raise ConnectionError("the broker is away")
        recorded = [one for one in messages if not (self.away and isinstance(one, Checkpoint))]
        await super()._publish(practice, recorded)


@pytest_asyncio.fixture
async def billing() -> AsyncIterator[Kareo]:
    async with kareo_at_work() as billing:
        yield billing


@pytest_asyncio.fixture
async def post(billing: Kareo) -> Post:
    post = Post(billing)
    await post.connector.read_directory()
    (directory,) = post.taken()
    assert isinstance(directory, BillingDirectoryObserved)
    return post


async def everything(post: Post) -> None:
    connector = post.connector
    for work in (connector.read_directory, connector.sweep_patients, connector.poll_patients):
        await work()
    for work in (connector.sweep_appointments, connector.poll_appointments):
        await work()


def patients(bodies: Sequence[Body]) -> list[int]:
    return [int(one.chart.id) for one in bodies if isinstance(one, BillingChartObserved)]


async def test_the_first_read_brings_everybody_once_and_nothing_twice(billing: Kareo, post: Post) -> None:
    ids = [billing.ada(first_name=f"P{number}") for number in range(3)]
    visit = billing.people.book_appointment(ids[0], billing.doctor, billing.place, NOON + timedelta(days=3), 20, "cough").id
    await everything(post)
    first = post.taken()
    assert patients(first) == ids
    (seen,) = [one.appointment for one in first if isinstance(one, BillingAppointmentObserved)]
    assert (seen.id, seen.provider, seen.minutes, seen.reason) == (visit, billing.doctor, 20, "cough")
    await everything(post)
    billing.later(minutes=1)
    await everything(post)
    assert post.taken() == []
    assert billing.asked().count("GetPatient") == 3, "a row that says what it said costs no call"


async def test_a_poll_brings_what_changed_since_and_a_save_without_change_counts(billing: Kareo, post: Post) -> None:
    ada, bob = billing.ada(), billing.ada(first_name="Bob")
    await everything(post)
    post.taken()
    billing.later(minutes=30)
    billing.people.edit_patient(ada, city="Macon")
    await post.connector.poll_patients()
    (seen,) = post.taken()
    assert isinstance(seen, BillingChartObserved)
    assert seen.chart.city == "Macon"
    billing.later(minutes=30)
    billing.people.edit_patient(bob)
    await post.connector.poll_patients()
    assert patients(post.taken()) == [bob]


async def test_what_came_to_light_late_is_within_the_overlap(billing: Kareo, post: Post) -> None:
    await everything(post)
    billing.later(minutes=10)
    await post.connector.poll_patients()
    billing.now -= timedelta(minutes=9)
    late = billing.ada()
    billing.later(minutes=9)
    await post.connector.poll_patients()
    assert patients(post.taken()) == [late]


async def test_the_watermark_stays_until_the_pass_is_recorded_and_a_restart_goes_on_from_it(
    billing: Kareo, post: Post
) -> None:
    await everything(post)
    mark = post.marks["kareo.patients"]
    billing.later(hours=2)
    ada = billing.ada()
    post.away = True
    await post.connector.poll_patients()
    assert post.marks["kareo.patients"] == mark
    again = Post(billing)
    again.marks = post.marks
    billing.later(hours=2)
    await again.connector.poll_patients()
    assert patients(again.taken()) == [ada]
    assert again.marks["kareo.patients"] == billing.now.isoformat()


async def test_what_could_not_be_published_is_read_again(billing: Kareo, post: Post) -> None:
    """Simulation, seed 1: the broker is away for one poll, and the next one must not take the patient for read already."""
    ada = billing.ada()
    await everything(post)
    post.taken()
    billing.later(minutes=30)
    billing.people.edit_patient(ada, city="Macon")
    post.refusing = True
    with pytest.raises(ConnectionError):
        await post.connector.poll_patients()
    post.refusing = False
    await post.connector.poll_patients()
    assert patients(post.taken()) == [ada]


@pytest.mark.parametrize(
    "night", [datetime(2026, 11, 1, 7, 0, tzinfo=UTC), datetime(2026, 3, 8, 8, 0, tzinfo=UTC)], ids=["autumn", "spring"]
)
async def test_no_edit_is_missed_when_the_clock_changes(billing: Kareo, post: Post, night: datetime) -> None:
    billing.now = night
    ada = billing.ada()
    await everything(post)
    post.taken()
    for number in range(30):
        billing.later(minutes=7)
        billing.people.edit_patient(ada, city=f"City {number}")
        billing.later(minutes=3)
        await post.connector.poll_patients()
        (seen,) = post.taken()
        assert isinstance(seen, BillingChartObserved)
        assert seen.chart.city == f"City {number}"


async def test_who_is_gone_is_found_by_the_sweep_alone_and_said_once(billing: Kareo, post: Post) -> None:
    ids = [billing.ada(first_name=f"P{number}") for number in range(3)]
    await everything(post)
    post.taken()
    billing.people.delete_patient(ids[1])
    billing.people.merge_patients(ids[2], ids[0])
    await post.connector.poll_patients()
    assert not [one for one in post.taken() if isinstance(one, BillingChartVanished)]
    for _ in range(2):
        await post.connector.sweep_patients()
    assert [one.patient for one in post.taken() if isinstance(one, BillingChartVanished)] == [ids[1], ids[2]]


async def test_absence_is_confirmed_by_id(billing: Kareo, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = billing.ada()
    await everything(post)
    post.taken()
    monkeypatch.setattr(billing.sandbox.patients[ada], "practice_id", billing.oak)
    await post.connector.sweep_patients()
    assert not [one for one in post.taken() if isinstance(one, BillingChartVanished)]


async def test_an_empty_list_where_there_were_many_deletes_nothing_and_is_said(
    billing: Kareo, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SUSPICIOUS", 2)
    ids = [billing.ada(first_name=f"P{number}") for number in range(3)]
    await everything(post)
    post.taken()
    mark = post.marks["kareo.sweep"]
    for patient in ids:
        billing.people.delete_patient(patient)
    billing.later(hours=1)
    with pytest.raises(Unreachable, match="no patient at all where there were many"):
        await post.connector.sweep_patients()
    assert (post.taken(), post.marks["kareo.sweep"]) == ([], mark)
    running = asyncio.create_task(post.connector.passes.until_done("sweep", post.connector.sweep_patients))
    await until(lambda: post.connector.passes.failing == {"sweep": "Unreachable"})
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


@pytest.mark.parametrize("form", ["refused", "marked"])
async def test_appointments_deleted_moved_and_cancelled(billing: Kareo, post: Post, form: str) -> None:
    billing.sandbox.switches.deleted_appointment = form  # type: ignore[assignment]
    ada = billing.ada()
    book = billing.people.book_appointment
    deleted, moved, away = (book(ada, billing.doctor, billing.place, NOON + timedelta(days=day)).id for day in (1, 40, 3))
    await everything(post)
    post.taken()
    billing.later(minutes=20)
    billing.people.delete_appointment(deleted)
    billing.people.move_appointment(moved, NOON + timedelta(days=2), 45)
    billing.people.move_appointment(away, NOON + timedelta(days=400))
    await everything(post)
    bodies = post.taken()
    assert [one.key for one in bodies if isinstance(one, BillingAppointmentVanished)] == [str(deleted)]
    seen = {one.appointment.id: one.appointment for one in bodies if isinstance(one, BillingAppointmentObserved)}
    assert (seen[moved].minutes, seen[moved].start) == (45, NOON + timedelta(days=2))
    billing.later(minutes=20)
    billing.people.cancel_appointment(moved)
    await post.connector.poll_appointments()
    (last,) = post.taken()
    assert isinstance(last, BillingAppointmentObserved)
    assert last.appointment.cancelled


async def test_the_round_sees_what_no_list_shows(billing: Kareo, post: Post) -> None:
    """A third policy: no modified time moves, no row shows it, only GetPatient has it."""
    billing.ada()
    (case,) = [one.id for one in billing.sandbox.cases.values()]
    policies = [billing.people.add_policy(case, "Blue", f"Plan {number}", f"N{number}").id for number in range(3)]
    await everything(post)
    post.taken()
    billing.people.edit_policy(policies[2], number="NEW")
    await everything(post)
    assert post.taken() == []
    running = asyncio.create_task(post.connector._go_round())
    await until(lambda: bool(post.bodies))
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    (seen,) = post.taken()
    assert isinstance(seen, BillingChartObserved)
    assert b"NEW" in msgspec.json.encode(seen)


async def test_a_list_that_shows_again_what_it_showed_is_looked_at_after_other_news(billing: Kareo, post: Post) -> None:
    """A policy that a person's request brought to light ends before any list has shown it."""
    ada = billing.ada()
    (case,) = [one.id for one in billing.sandbox.cases.values()]
    await everything(post)
    policy = billing.people.add_policy(case, "Blue", "Plan", "SEEN").id
    await post.connector.read_patient(BillingPatientId(ada))
    billing.people.deactivate_policy(policy)
    post.taken()
    await everything(post)
    (seen,) = [one for one in post.taken() if isinstance(one, BillingChartObserved)]
    assert [one for case in seen.chart.cases or () for one in case.policies] == []
    await everything(post)
    assert post.taken() == []


async def test_a_round_of_zero_is_none(billing: Kareo, post: Post) -> None:
    billing.ada()
    quiet = msgspec.structs.replace(CONFIG, patient_round_seconds=0.0, poll_seconds=0.01)
    post.connector._config = quiet
    running = asyncio.create_task(post.connector.run())
    await until(lambda: post.connector.passes.done.get("patients", 0) > 3)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert "round" not in post.connector.passes.done
