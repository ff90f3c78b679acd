"""The disaster drill: the database is lost in the middle of the clinic day and restored to an earlier point (deploy/postgres/README.md).

A bill was sent in the lost time, and in the restored state it is still under way. What the vendors hold from the meantime is
recognized: nothing is doubled, nothing is lost, and the day goes on to its end.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer

from daemon.config import Config, load
from daemon.demo.embedded import EmbeddedBroker, EmbeddedPostgres
from daemon.demo.rehearsal import Rest, judge, prepare, servers
from daemon.runtime.surroundings import surroundings
from daemon.runtime.worker import Worker
from daemon.sandbox.clinic import Clinic
from daemon.sandbox.day import Day
from daemon.sandbox.snapshot import differing, snapshot
from daemon.vendors.sections import SECTIONS
from events.feed import RESTART, InOrder, Published, decode_published
from events.ids import PracticeId
from events.restarts import HistoryRestarted, HistoryResumed
from events.schema import Body, IntentAttempted, IntentRequested, IntentSucceeded, Recorded, WaitingCleared, WaitingRaised
from events.slots import RESTART_SLOT
from events.store import Store
from events.topics import EVENTS
from events.writes import CreateEhrAppointment, CreateEncounter
from projections.state.restart import creates
from tests.acceptance.point_in_time import Archive
from tests.conftest import opened_store, until

ROOT = Path(__file__).resolve().parents[2]
ELM = PracticeId("elm")
BACKED_UP_AFTER = "new patients on both sides"
BILL_UNDER_WAY_AFTER = "bills corrected, released, edited too late"
BACK_TO_THE_MORNING_AFTER = "merges, deletions, restores"


class Service:
    """A worker in this process, from a configuration file as `chartwire run` has it."""

    def __init__(self, file: Path, clinic: Clinic) -> None:
        self._file = file
        self._clinic = clinic
        self._stack = AsyncExitStack()
        self._running: asyncio.Task[None] | None = None
        self._worker: Worker | None = None
        self._store: Store | None = None

    async def start(self) -> None:
        around = await self._stack.enter_async_context(surroundings(load(self._file, SECTIONS), self._file.parent))
        self._worker, self._store = Worker(around), around.store
        self._running = asyncio.create_task(self._worker.run())

    async def stop(self) -> None:
        if self._worker is not None and self._running is not None:
            self._worker.stop()
            await self._running
        self._worker = None
        await self._stack.aclose()

    async def rest(self) -> None:
        worker, store = self._worker, self._store
        assert worker is not None
        assert store is not None
        await until(lambda: len(worker.practices) == len(self._clinic.offices), 60)
        await Rest(worker, self._clinic, store).reached()


class Listener:
    """What a reader of the outward feed has made of it: the events of each practice by sequence."""

    def __init__(self) -> None:
        self.order = InOrder()
        self.known: dict[str, dict[int, UUID]] = {}

    def hear(self, event: Published) -> None:
        if self.order.accept(event):
            known = self.known.setdefault(event.practice, {})
            if event.type == RESTART:
                for sequence in [one for one in known if one >= event.sequence]:
                    del known[sequence]
            known[event.sequence] = event.event_id

    async def listen(self, broker: EmbeddedBroker) -> None:
        consumer = AIOKafkaConsumer(EVENTS, bootstrap_servers=broker.bootstrap_servers, auto_offset_reset="earliest")
        await consumer.start()
        try:
            async for message in consumer:
                self.hear(decode_published(message.value))
        finally:
            await consumer.stop()


class Disaster:
    """The losses of the day. `lost` is the last event before each, `state` what the database knew after the first one of the bill
    that was under way; `changed` is what the vendors hold otherwise than before the loss."""

    def __init__(self, postgres: EmbeddedPostgres, service: Service, clinic: Clinic, store: Store) -> None:
        self._archive = Archive(postgres)
        self._service = service
        self._clinic = clinic
        self._store = store
        self._early: datetime | None = None
        self.lost: list[int] = []
        self.state = ""
        self.changed: list[str] = []

    async def begin(self) -> None:
        await self._archive.begin()

    async def settle(self, scene: str) -> None:
        await self._service.rest()
        if scene == BACKED_UP_AFTER:
            await self._archive.back_up()
            self._early = await self._store.pool.fetchval("SELECT clock_timestamp()")
        elif scene == BILL_UNDER_WAY_AFTER:
            sent = await self._first_bill_sent()
            await self._lose(sent.recorded)
            query = "SELECT state FROM chartwire.open_intent WHERE practice = $1 AND intent = $2"
            self.state = await self._store.pool.fetchval(query, ELM, sent.event.body.intent)  # type: ignore[union-attr]
            await self._go_on()
        elif scene == BACK_TO_THE_MORNING_AFTER:
            assert self._early is not None
            await self._lose(self._early)
            _unmark(self._clinic)
            await self._go_on()

    async def _lose(self, to: datetime) -> None:
        await self._service.stop()
        self.lost.append(await self._store.head(ELM))
        self._held, self._made = snapshot(self._clinic), _counted(self._clinic)
        await self._archive.archived()
        await self._archive.restore(to)

    async def _go_on(self) -> None:
        await self._service.start()
        await self._service.rest()
        self.changed += differing(self._held, snapshot(self._clinic))
        assert _counted(self._clinic) == self._made, "nothing was made twice"

    async def _first_bill_sent(self) -> Recorded:
        """The event that says that a bill became an encounter: the database is restored to the moment before it."""
        bills = [
            one.event.body.intent
            async for one in self._store.by_type(ELM, "IntentRequested")
            if isinstance(one.event.body, IntentRequested) and isinstance(one.event.body.write, CreateEncounter)
        ]
        async for one in self._store.by_type(ELM, "IntentSucceeded"):
            if isinstance(one.event.body, IntentSucceeded) and one.event.body.intent in bills:
                return one
        raise AssertionError("no bill was sent")


def _counted(clinic: Clinic) -> dict[str, int]:
    """How many records of each kind there are, deleted ones included."""
    ehr, billing = clinic.ehr, clinic.billing
    return {
        "charts": len(ehr.patients),
        "appointments": len(ehr.appointments),
        "policies": len(ehr.policies),
        "carriers": len(ehr.insurance_companies),
        "plans": len(ehr.insurance_plans),
        "patients": len(billing.patients),
        "cases": len(billing.cases),
        "encounters": len(billing.encounters),
    }


def _unmark(clinic: Clinic) -> None:
    """As if the chart side had not been told yet of the bills that were sent."""
    for bill in clinic.ehr.bills.values():
        if bill["billing_status"] == "Billed":
            bill |= {"billing_status": "Unbilled", "billing_date": None, "ref_number": None}


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[tuple[Clinic, Day, Disaster, Store, Config, Path, Listener]]:
    clinic = Clinic(offices=1)
    async with AsyncExitStack() as stack:
        postgres, broker = await stack.enter_async_context(servers())
        await clinic.start()
        stack.push_async_callback(clinic.stop)
        file = await prepare(clinic, folder, postgres, broker)
        config = load(file, SECTIONS)
        store = await opened_store(config, folder)
        stack.push_async_callback(store.close)
        service = Service(file, clinic)
        stack.push_async_callback(service.stop)
        disaster = Disaster(postgres, service, clinic, store)
        await disaster.begin()
        await service.start()
        listener = Listener()
        listening = asyncio.create_task(listener.listen(broker))
        stack.callback(listening.cancel)
        yield clinic, Day(clinic, size=4), disaster, store, config, file, listener


@pytest.mark.slow
async def test_the_database_is_lost_in_the_middle_of_the_day_and_restored_to_an_earlier_point(tmp_path: Path) -> None:
    """Twice: to a moment in which a bill was sent and not marked yet, and to the morning, from when on nearly everything is lost."""
    async with stage(tmp_path) as (clinic, day, disaster, store, config, file, listener):
        day.prepare()
        await day.play(disaster.settle)
        report = await judge(config, store, clinic, day)
        assert disaster.state == "attempted", "the bill was sent, and in the restored state nobody knows it yet"
        assert disaster.changed == [], "the vendors hold what they held"
        assert {name: each for name, each in report["invariants"].items() if each} == {}
        bodies = {one.sequence: one.event.body async for one in store.read(ELM)}
        _check_restart(bodies, disaster.lost[-1])
        rows = await store.pool.fetch("SELECT sequence, event_id, epoch FROM chartwire.event WHERE practice = $1", ELM)
        ((at, restarted),) = _restarts(bodies)
        assert all(row["epoch"] > restarted.epoch for row in rows if row["sequence"] >= at)
        await until(lambda: listener.known[ELM] == {row["sequence"]: row["event_id"] for row in rows}, 30)
        said = await asyncio.to_thread(_audited, file)
        assert f"elm: history restarts at #{at} (" in said


def _restarts(bodies: Mapping[int, Body]) -> list[tuple[int, HistoryRestarted]]:
    return [(number, body) for number, body in bodies.items() if isinstance(body, HistoryRestarted)]


def _check_restart(bodies: Mapping[int, Body], lost: int) -> None:
    """It says what is lost, shows for as long as it lasts, and what was made in the lost time is found before it is tried."""
    ((at, restarted),) = _restarts(bodies)
    assert (restarted.kept, restarted.witnessed) == (at - 1, lost)
    assert sum(isinstance(body, HistoryResumed) for body in bodies.values()) == 1
    items = [one for one in bodies.values() if isinstance(one, WaitingRaised | WaitingCleared) and one.slot == RESTART_SLOT]
    assert [type(one) for one in items] == [WaitingRaised, WaitingCleared]
    over = next(number for number, body in bodies.items() if isinstance(body, HistoryResumed))
    during = [body for number, body in bodies.items() if at < number < over]
    wanted = {one.intent: one.write for one in bodies.values() if isinstance(one, IntentRequested)}
    found = [one for one in during if isinstance(one, IntentSucceeded) and one.attempt == 0]
    assert {one.settled_by for one in found} == {"lookup"}
    assert {type(wanted[one.intent]) for one in found} >= {CreateEhrAppointment, CreateEncounter}
    tried = [wanted[one.intent] for one in during if isinstance(one, IntentAttempted)]
    assert [one for one in tried if creates(one)] == []


def _audited(file: Path) -> str:
    command = [sys.executable, "-m", "daemon", "audit", "verify", "--config", str(file)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
