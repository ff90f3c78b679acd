"""A group of practices on real servers: sandboxes, Apache Kafka, PostgreSQL, several worker processes, people at work.

Each worker reaches the sandboxes by a port of its own, so that the sandboxes' records of calls tell who made them. Webhooks
go to one address, as at a site with a load balancer.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from pathlib import Path

import pytest
from aiokafka.errors import KafkaError

from daemon.config import Config, load
from daemon.demo.embedded import EmbeddedPostgres, free_port
from daemon.demo.rehearsal import judge
from daemon.sandbox.clinic import CONFIG, Clinic, Office
from daemon.sandbox.day import Day
from daemon.vendors.registry import SECTIONS
from events.bus import Bus
from events.store import AWAY, Store
from tests.conftest import opened_store
from tests.kafka.conftest import Kafka
from tests.kafka.process import Process, pid_of

PARTITIONS = 12
SESSION = 6.0
"""What `Clinic.write_config` sets."""

MOST_SECONDS = 900.0
"""How long anything may take, whatever the machine."""

QUIET_SECONDS = 3.0
"""More than a poll of Kareo takes to come round (`seconds` below)."""

IDLE = "?idle_in_transaction_session_timeout=3s"
"""deploy/README.md: otherwise a worker suspended in the middle of a transaction keeps its practice from everybody."""


class Balancer:
    """One address for webhooks; a connection goes to the next worker that takes it."""

    def __init__(self, ports: list[int]) -> None:
        self.port = free_port()
        self._ports = itertools.cycle(ports)
        self._tries = len(ports)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", self.port)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(self._tries):
            try:
                there = await asyncio.open_connection("127.0.0.1", next(self._ports))
            except OSError:
                continue
            await asyncio.gather(_pump(reader, there[1]), _pump(there[0], writer))
            return
        writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


class World:
    """Everything running. `workers` are in the order of their ports; a scenario starts and ends with all of them at work."""

    def __init__(
        self, clinic: Clinic, workers: list[Process], store: Store, config: Config, kafka: Kafka, postgres: EmbeddedPostgres
    ) -> None:
        self.clinic = clinic
        self.day = Day(clinic, seed=7)
        self.workers = workers
        self.store = store
        self.config = config
        self.kafka = kafka
        self.postgres = postgres
        self._random = random.Random(7)

    # -- people -----------------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """What was there before the daemon: a chart on either side, and one on both."""
        for office in self.clinic.offices:
            both = self.day.person()
            self.day.kareo_patient(office, both)
            self.day.elation_patient(office, both)
            self.day.kareo_patient(office)
            self.day.elation_patient(office)
            self.day._insure(self.day.kareo_ids[office.id][0], 0)

    def edit(self, office: Office) -> None:
        """Something that people do, in one of the two products."""
        day, pick = self.day, self._random
        match pick.randrange(8):
            case 0 if len(day.kareo_ids[office.id]) < 8:
                day.kareo_patient(office)
            case 1 if len(day.elation_ids[office.id]) < 8:
                day.elation_patient(office)
            case 2 | 3 | 4:
                day.edit_elation(
                    pick.choice(day.elation_ids[office.id]), emails=[{"email": f"{pick.random()}@mail.example"}]
                )
            case 5:
                start = day._at(office, 1 + pick.randrange(20), 8 + pick.randrange(9))
                provider, place = pick.choice(office.providers), office.place[1]
                patient = pick.choice(day.kareo_ids[office.id])
                self.clinic.billing.people.book_appointment(patient, provider, place, start, 20, "Follow-up")
            case _:
                patient = pick.choice(day.kareo_ids[office.id])
                day.edit_kareo(patient, address1=f"{pick.randrange(9000)} Cedar Lane")

    def mark(self, office: Office) -> None:
        """An edit on either side of a patient whom both know: the first in Kareo, its counterpart in Elation."""
        patient = self.day.kareo_ids[office.id][0]
        chart = self.day.counterpart(office, patient)
        self.day.edit_kareo(patient, city="Marksville")
        self.day.edit_elation(chart, middle_name="Mark")

    def marked(self, office: Office) -> bool:
        """Whether both edits have arrived on the other side."""
        patient = self.day.kareo_ids[office.id][0]
        chart = self.clinic.ehr.patients[self.day.counterpart(office, patient)]
        arrived = (chart["address"] or {}).get("city") == "Marksville"
        return arrived and self.clinic.billing.patients[patient].middle_name == "Mark"

    @contextlib.asynccontextmanager
    async def load(self, pause: float = 0.1) -> AsyncIterator[None]:
        """People work while the block runs."""

        async def people() -> None:
            while True:
                self.edit(self._random.choice(self.clinic.offices))
                await asyncio.sleep(pause)

        working = asyncio.create_task(people())
        try:
            yield
        finally:
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await working

    # -- owners -----------------------------------------------------------------------------------------------------------

    async def owners(self) -> dict[str, Process]:
        """The worker that took each practice last, as the database knows it."""
        rows = await self.store.pool.fetch("SELECT practice, owner FROM chartwire.practice_head")
        workers = {str(worker.pid): worker for worker in self.workers}
        found = {row["practice"]: workers.get(pid_of(str(row["owner"]))) for row in rows}
        return {practice: worker for practice, worker in found.items() if worker is not None}

    async def taken(self) -> dict[str, int]:
        """Each practice's epoch: how often it has been taken over."""
        rows = await self.store.pool.fetch("SELECT practice, epoch FROM chartwire.practice_head")
        return {row["practice"]: row["epoch"] for row in rows}

    async def topics_are_back(self) -> None:
        """Wait until the workers have made the topics anew."""
        bus = Bus(self.kafka.bootstrap_servers, {}, self.store.keyring)

        async def back() -> bool:
            try:
                return len(await bus.lag("somebody")) == PARTITIONS
            except KafkaError:
                return False

        await self.until(back, 60, lambda: "the topics are not there")

    async def shared(self, *workers: Process, seconds: float = 120.0, least: int | None = None) -> dict[str, Process]:
        """Wait until exactly these workers (all of them by default) share all practices, each more than `least`; who has which."""
        among = workers or tuple(self.workers)
        least = len(self.clinic.offices) // (3 * len(among)) if least is None else least
        owners: dict[str, Process] = {}

        async def reached() -> bool:
            nonlocal owners
            owners = await self.owners()
            shares = Counter(owners.values())
            return (
                sum(shares[one] for one in among) == len(self.clinic.offices) and min(shares[one] for one in among) > least
            )

        def shares() -> str:
            return f"{sorted(Counter(owners.values()).values())} practices have an owner"

        await self.until(reached, seconds, shares, self.taken)
        return owners

    # -- rest -------------------------------------------------------------------------------------------------------------

    async def until(
        self,
        condition: Callable[[], object],
        seconds: float,
        otherwise: Callable[[], str],
        progress: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """Wait for it; the test fails with what `otherwise` says after `seconds`.

        With `progress` they begin anew whenever it has changed, since a slow machine is no fault; MOST_SECONDS are the end.
        """
        loop, seen = asyncio.get_running_loop(), None
        latest = loop.time() + MOST_SECONDS
        try:
            async with asyncio.timeout(seconds) as limit:
                while True:
                    answer = condition()
                    if asyncio.iscoroutine(answer):
                        answer = await answer
                    if answer:
                        return
                    if progress is not None and (now := await progress()) != seen:
                        seen = now
                        limit.reschedule(min(latest, loop.time() + seconds))
                    await asyncio.sleep(0.1)
        except TimeoutError:
            pytest.fail(f"not within {seconds:.0f} s: {otherwise()}")

    async def heads(self) -> list[int]:
        rows = await self.store.pool.fetch("SELECT sequence FROM chartwire.practice_head ORDER BY practice")
        return [row["sequence"] for row in rows]

    async def at_rest(self, seconds: float = 180.0, *, but: Collection[str] = ()) -> None:
        """Wait until nothing is recorded any more; then every invariant has to hold, `but` these, and the products agree (DESIGN 5)."""
        broken: dict[str, list[str]] = {"nothing": ["events kept coming"]}
        loop = asyncio.get_running_loop()
        heads, since = [0], loop.time()

        async def agreed() -> bool:
            nonlocal broken, heads, since
            now = await self.heads()
            if now != heads or len(heads) != len(self.clinic.offices) or self.clinic.ehr.webhooks.pending:
                heads, since, broken = now, loop.time(), broken or {"nothing": ["events kept coming"]}
            if loop.time() - since < QUIET_SECONDS:
                return False
            try:
                report = await judge(self.config, self.store, self.clinic, self.day)
            except AWAY:  # its own transaction took longer than `IDLE` lets it
                return False
            broken = {name: each for name, each in report["invariants"].items() if each and name not in but}
            charts = sum(len(each) for each in self.day.kareo_ids.values())
            if report["linked_patients"] < charts:
                broken["links"] = [f"{report['linked_patients']} of {charts}"]
            since = loop.time()
            return not broken

        try:
            await self.until(agreed, seconds, lambda: f"no agreement: {broken}", self.heads)
        except pytest.fail.Exception:
            for practice in {one.partition(":")[0] for each in broken.values() for one in each}:
                await self.show(practice)
            raise
        assert await self.appended_late() == []

    async def show(self, practice: str) -> None:
        """Print the last events of a practice, for whoever has to find out."""
        rows = await self.store.pool.fetch(
            "SELECT sequence, epoch, type, recorded_at, observed_at, patient_key FROM chartwire.event WHERE practice = $1"
            " ORDER BY sequence DESC LIMIT 60",
            practice,
        )
        for row in reversed(rows):
            print(practice, *row)

    async def appended_late(self) -> list[str]:
        """Practices with an event that was recorded by a worker after another had taken it over."""
        rows = await self.store.pool.fetch(
            "SELECT DISTINCT practice FROM (SELECT practice, epoch, lag(epoch) OVER (PARTITION BY practice ORDER BY sequence)"
            " AS before FROM chartwire.event) AS each WHERE epoch < before"
        )
        return [row["practice"] for row in rows]


async def _adapt(clinic: Clinic, process: Process, file: Path, changed: dict[str, str]) -> None:
    """Change a worker's configuration, and give it entrances of its own to both sandboxes."""
    for sandbox in (clinic.ehr, clinic.billing):
        entrance = free_port()
        process.entrances.add(entrance)
        await sandbox.listen(entrance)
        changed[sandbox.url] = f"http://127.0.0.1:{entrance}"
    text = file.read_text()
    for old, new in changed.items():
        text = text.replace(old, new)
    file.write_text(text)


@contextlib.asynccontextmanager
async def world(
    folder: Path,
    postgres: EmbeddedPostgres,
    database: str,
    kafka: Kafka,
    *,
    workers: int = 3,
    practices: int = 60,
    seconds: float = 2.0,
    peopled: bool = True,
) -> AsyncIterator[World]:
    """Sandboxes, servers and configurations; the workers are not started yet. `seconds` is how often they poll."""
    clinic = Clinic(limits_scale=0.02, seconds=seconds, offices=practices)
    await kafka.wipe()  # the keys of other tests' practices are gone
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(kafka.wipe)  # other tests want another number of partitions
        await clinic.start()
        stack.push_async_callback(clinic.stop)
        ports = [free_port() for _ in range(workers)]
        balancer = Balancer(ports)
        await balancer.start()
        stack.push_async_callback(balancer.stop)
        processes = []
        for number, port in enumerate(ports, start=1):
            file = clinic.write_config(
                folder / f"w{number}",
                dsn=postgres.dsn(database, "chartwire") + IDLE,
                bootstrap_servers=kafka.bootstrap_servers,
                listen=f"127.0.0.1:{port}",
                partitions=PARTITIONS,
            )
            processes.append(Process(file, port))
            changed = {
                "idempotent = false": "idempotent = true",
                'directory = "keys"': f'directory = "{folder / "w1" / "keys"}"',
                f'public_url = "http://127.0.0.1:{port}"': f'public_url = "http://127.0.0.1:{balancer.port}"',
            }
            await _adapt(clinic, processes[-1], file, changed)
        config = load(folder / "w1" / CONFIG, SECTIONS)
        store = await opened_store(config, folder / "w1")
        stack.push_async_callback(store.close)
        for process in processes:
            stack.push_async_callback(process.end)
        there = World(clinic, processes, store, config, kafka, postgres)
        if peopled:
            there.prepare()
        yield there
