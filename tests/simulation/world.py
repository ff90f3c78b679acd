"""One simulated world: the workers, what they talk to, and the people, put together from a plan."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import structlog
from aiohttp import web
from aiokafka.errors import KafkaError

from daemon.config import Config, load
from daemon.runtime import worker
from daemon.runtime.clocks import clocks_of
from daemon.runtime.pace import Pace
from daemon.runtime.practice import PracticeRuntime
from daemon.runtime.surroundings import Surroundings
from daemon.runtime.vendor_accounts import accounts
from daemon.runtime.worker import Worker
from daemon.sandbox.clinic import Clinic, Office
from daemon.sandbox.elation import ElationSwitches
from daemon.sandbox.kareo import KareoSwitches
from daemon.telemetry import Meter
from daemon.vendors.registry import SECTIONS, Registry
from events import bus, consumer, heads
from events.bus import Bus
from events.codec import Keyring, encode_body
from events.commands import Command
from events.ids import BillingPatientId, EhrChartId, PracticeId, event_id
from events.keys import KeyMissing
from events.records import type_of
from events.schema import Event, Origin
from events.store import AWAY, Store
from events.topics import Change
from tests.simulation.checks import Checks, Database
from tests.simulation.clock import PROCESS, Process, VirtualLoop, within
from tests.simulation.kafka import Cluster
from tests.simulation.network import Network
from tests.simulation.people.deeds import People
from tests.simulation.plan import Plan

EHR, BILLING, OURS = "elation.test", "kareo.test", "chartwire.test"
RESTART = 10.0
SESSION = 45.0
ELATION_PACE = {
    "catch_up_seconds": 900.0,
    "sweep_seconds": 7200.0,
    "calendar_seconds": 900.0,
    "calendar_sweep_seconds": 7200.0,
}
DEFECTS = frozenset(
    {
        "batch_not_folded",
        "write_failed_by_defect",
        "practice_failed",
        "pass_failed_by_defect",
        "side_task_failed",
        "message_unreadable",
    }
)
"""What the daemon logs when something happened that nobody thought of."""


class _Runner:
    """What the worker cleans up where it would have closed its port."""

    def __init__(self, network: Network, application: web.Application) -> None:
        self._network = network
        self._application = application

    async def cleanup(self) -> None:
        self._network.withdraw(self._application)


class SimulatedWorker(Worker):
    """The worker, its webhook endpoint reached through the simulated network."""

    def __init__(self, around: Surroundings, network: Network) -> None:
        super().__init__(around)
        self._network = network

    async def _listen(self, app: web.Application) -> Any:
        self._network.serve(OURS, app, PROCESS.get())
        return _Runner(self._network, app)


class Machine:
    """A machine that runs a worker and starts it again when it ends, as systemd does."""

    def __init__(self, world: World, number: int) -> None:
        self.number = number
        self._world = world
        self.process: Process | None = None
        self.worker: SimulatedWorker | None = None
        self.bus: Bus | None = None
        self.meter = Meter()
        self.starts = 0

    @property
    def up(self) -> bool:
        return self.process is not None and self.process.alive

    def start(self) -> None:
        """Start the daemon, if it is not running."""
        if self.up:
            return
        self.starts += 1
        self.process = Process(f"worker {self.number}.{self.starts}", self._world.loop)
        task = within(self.process, self._run())
        task.add_done_callback(self._ended)

    def kill(self) -> None:
        """SIGKILL: nothing of it goes on; its connections to PostgreSQL are broken."""
        if self.process is not None and self.process.alive:
            self.process.kill()
            self._pool.terminate()
            self.worker = self.bus = None

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self._world.over or task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, (*AWAY, KafkaError)):
            self._world.checks.say("defects", f"worker {self.number} ended: {type(error).__name__}: {error}")
        if self.process is not None:
            self.process.alive = False
        self._world.loop.call_later(RESTART, self.start)

    async def _run(self) -> None:
        world = self._world
        self._pool = world.database.pool(max_size=world.config.postgres.pool)
        kafka = world.config.kafka
        messages = Bus(kafka.bootstrap_servers, {}, world.keyring, together=accounts(world.config, world.folder))
        await messages.start()
        try:
            await messages.ensure_topics(kafka.partitions, kafka.replication)
            self.bus = messages
            pace = world.config.pace
            session: Any = world.network.session()
            around = Surroundings(
                config=world.config,
                beside=world.folder,
                store=Store(self._pool, world.keyring),
                keyring=world.keyring,
                bus=messages,
                session=session,
                vendors=Registry(),
                meter=self.meter,
                now=world.loop.now,
                pace=Pace(first=pace.first_pause, longest=pace.longest_pause, lookups=pace.looks),
                patience=pace.patience,
                clocks=clocks_of(world.config, world.loop.now),
            )
            self.worker = SimulatedWorker(around, world.network)
            await self.worker.run()
        finally:
            self.bus = None
            await messages.stop()
            self._pool.terminate()


async def _published(bus: Bus, asked: Event) -> None:
    """Who asks while Kafka, PostgreSQL or the practice's key is away is told so, and nothing is done."""
    with suppress(KafkaError, KeyMissing, *AWAY):
        await bus.publish(asked.practice, [Change(practice=asked.practice, event=asked)])


class World:
    """Everything there is; `begin` starts it. `over` once nobody acts any more."""

    def __init__(self, plan: Plan, loop: VirtualLoop, folder: Path) -> None:
        self.plan = plan
        self.loop = loop
        self.folder = folder
        self.over = False
        self.struck: Counter[str] = Counter()
        self.network = Network(plan.seed)
        self.clinic = self._clinic()
        self.people = People(self.clinic, loop.now, self)
        self.cluster = Cluster(plan.seed, session_seconds=SESSION)
        self.config = self._config()
        self.keyring = Keyring.from_directory(folder / "keys")
        self.checks = Checks(
            self.config, self.clinic, self.keyring, self.network, loop, self.people.ledger, self.people.truth
        )
        self.database = self._database()
        self.cluster.committing.append(self.checks.offsets_committed)
        self.machines = [Machine(self, number) for number in range(1, plan.workers + 1)]

    # -- putting it together ----------------------------------------------------------------------------------------------

    def _clinic(self) -> Clinic:
        session: Any = self.network.session
        settings = self.plan.settings
        clinic = Clinic(
            limits_scale=1.0,
            now=self.loop.now,
            clock=self.loop.time,
            session=session,
            ehr=ElationSwitches(**{"retry_seconds": 30.0, "retry_cap_seconds": 3600.0, **settings.get("elation", {})}),
            billing=KareoSwitches(**settings.get("kareo", {})),
            offices=self.plan.offices,
        )
        for office in clinic.offices:
            office.profile = settings.get("profiles", {}).get(office.id, office.profile)
            office.books = office.id in settings.get("books", ())
        skew = {name: timedelta(seconds=seconds) for name, seconds in settings.get("skew", {}).items()}
        clinic.ehr.state.now = lambda: self.loop.now() + skew.get("elation", timedelta())
        clinic.billing.state._now = lambda: self.loop.now() + skew.get("kareo", timedelta())
        clinic.ehr.url, clinic.billing.url = f"https://{EHR}", f"https://{BILLING}"
        self.network.serve(EHR, clinic.ehr.application())
        self.network.serve(BILLING, clinic.billing.application())
        return clinic

    def _config(self) -> Config:
        file = self.clinic.write_config(
            self.folder, dsn="postgresql://localhost/simulated", bootstrap_servers="localhost:9092", listen="127.0.0.1:8440"
        )
        config = load(file, SECTIONS)
        settings = self.plan.settings
        practices = tuple(
            msgspec.structs.replace(
                one,
                ehr=msgspec.structs.replace(one.ehr, **{**ELATION_PACE, **settings.get("elation pace", {})}),
                billing=msgspec.structs.replace(
                    one.billing,
                    **{
                        "poll_seconds": 900.0,
                        "sweep_seconds": 7200.0,
                        "directory_seconds": 14_400.0,
                        "limits": {},
                        **settings.get("kareo pace", {}),
                    },
                ),
                overrides=msgspec.structs.replace(one.overrides, **settings.get(f"rules of {one.id}", {})),
            )
            for one in config.practice
        )
        return msgspec.structs.replace(
            config,
            kafka=msgspec.structs.replace(config.kafka, idempotent=True, session_timeout_seconds=SESSION, feed=False),
            http=msgspec.structs.replace(config.http, public_url=f"https://{OURS}"),
            pace=msgspec.structs.replace(
                config.pace, first_pause=1.0, longest_pause=300.0, looks=(1.0, 15.0), patience=60.0
            ),
            practice=practices,
        )

    def _database(self) -> Database:
        chance = random.Random(f"{self.plan.seed}/postgres")
        return Database(clock=self.loop.now, latency=lambda: chance.uniform(0.0005, 0.004), checks=self.checks)

    # -- going on ---------------------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Start the workers and the webhooks."""
        await self.clinic.ehr.webhooks.start()
        for machine in self.machines:
            machine.start()

    async def end(self) -> None:
        """Stop everything that moves by itself."""
        self.over = True
        for machine in self.machines:
            machine.kill()
        await self.clinic.ehr.webhooks.stop()

    # -- the command line -------------------------------------------------------------------------------------------------

    def ask(self, practice: str, body: Command, *, ehr: int | None = None, billing: int | None = None) -> None:
        """Somebody's command about these charts, as the command line publishes it; without a worker or Kafka they are told so."""
        machine = next((one for one in self.machines if one.up and one.bus is not None), None)
        if machine is None or machine.bus is None or machine.process is None:
            return
        owner, now = PracticeId(practice), self.loop.now()
        asked = Event(
            id=event_id(owner, type_of(body), ehr, billing, now, encode_body(body)),
            practice=owner,
            origin=Origin.OPERATOR,
            observed=now,
            body=body,
            ehr=None if ehr is None else EhrChartId(ehr),
            billing=None if billing is None else BillingPatientId(billing),
        )
        within(machine.process, _published(machine.bus, asked))

    def waiting(self, practice: str) -> list[tuple[str, str]]:
        return sorted((row["patient_key"], row["slot"]) for row in self.database.rows("waiting", practice))

    def links(self, practice: str) -> list[tuple[int, int]]:
        return sorted((row["elation_chart"], row["kareo_patient"]) for row in self.database.rows("link", practice))

    # -- who is at work ---------------------------------------------------------------------------------------------------

    def owner(self, practice: str) -> PracticeRuntime | None:
        """Where a practice is at work now."""
        for machine in self.machines:
            if machine.up and machine.worker is not None and not machine.process.suspended:  # type: ignore[union-attr]
                runtime = machine.worker.practices.get(PracticeId(practice))
                if runtime is not None and runtime.running:
                    return runtime
        return None

    @property
    def offices(self) -> list[Office]:
        return self.clinic.offices


@contextmanager
def surrounded(seed: int, tell: Callable[[str], None] | None, complain: Callable[[str], None]) -> Iterator[Path]:
    """A folder for keys and configuration, chance as this seed wants it; `complain` hears of defects that were logged."""
    chance, seconds = random.getstate(), worker.REPORT_SECONDS
    random.seed(f"{seed}/daemon")
    worker.REPORT_SECONDS = 600.0  # nobody looks at the reports here
    _log(tell, complain)
    try:
        with tempfile.TemporaryDirectory(prefix="chartwire-simulation-") as folder:
            yield Path(folder)
    finally:
        with suppress(Exception):
            structlog.reset_defaults()
        random.setstate(chance)
        worker.REPORT_SECONDS = seconds


CLIENTS = (bus, consumer, heads)
"""Modules with clients of Kafka."""


@contextmanager
def connected(cluster: Cluster) -> Iterator[None]:
    """The bus finds the simulated brokers; nothing keeps them afterwards."""
    names = [(module, name) for module in CLIENTS for name in vars(module) if name.startswith("AIOKafka")]
    before = [(module, name, getattr(module, name)) for module, name in names]
    for module in CLIENTS:
        cluster.into(module, setattr)
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


def _log(tell: Callable[[str], None] | None, complain: Callable[[str], None]) -> None:
    """Nowhere, or as lines with the virtual time."""

    def line(_logger: object, method: str, event: Any) -> Any:
        if event["event"] in DEFECTS:
            complain(f"{event['event']}: {event.get('exc_info') or event.get('error_type')!r}")
        if tell is not None:
            loop, process = asyncio.get_running_loop(), PROCESS.get()
            words = " ".join(f"{key}={value}" for key, value in event.items() if key not in ("event", "exc_info"))
            error = event.get("exc_info")
            words += f" {error!r}" if error else ""
            who = process.name if process is not None else "world"
            tell(f"{loop.now():%a %H:%M:%S.%f} [{who}] {method} {event['event']} {words}")  # type: ignore[attr-defined]
        raise structlog.DropEvent

    structlog.configure(
        processors=[line],
        wrapper_class=structlog.make_filtering_bound_logger(0 if tell is not None else 40),
        cache_logger_on_first_use=False,
    )
