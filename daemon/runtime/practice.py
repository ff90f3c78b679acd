"""One practice at work on its owner: connectors, recorder and sinks, started together and stopped together."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import aiohttp
import structlog

from daemon.config import Config, PracticeConfig, policy_of, resolve, secret
from daemon.runtime.go_live import go_live
from daemon.runtime.outward import Feed
from daemon.runtime.recorder import PracticeRecorder, Recording
from daemon.runtime.sink import Pace, Sink
from daemon.runtime.webhooks import Target
from daemon.tables import documents as tables
from daemon.telemetry import Meter
from daemon.vendors.elation.client import ElationClient
from daemon.vendors.elation.connector import ElationConnector
from daemon.vendors.elation.writer import ElationWriter
from daemon.vendors.kareo.client import KareoClient
from daemon.vendors.kareo.connector import KareoConnector
from daemon.vendors.kareo.limiter import LimiterRegistry
from daemon.vendors.kareo.soap import SoapService
from daemon.vendors.kareo.writer import KareoWriter
from daemon.vendors.ports.intake import Intake, Seen
from events.bus import Bus
from events.codec import Keyring
from events.commands import RedriveRequested, ResyncRequested
from events.ids import PracticeId
from events.keyed import MARK, hashed
from events.schema import CommandRefused
from events.store import AWAY, Fenced, Store
from events.topics import Checkpoint, Message, Nudge
from events.writes import System

log = structlog.get_logger()

REVISIT_SECONDS = 3600.0
AWAY_SECONDS = 5.0
DOUBT_SECONDS = 1.0
OWNERSHIP_PAUSE = 1.0
OWNERSHIP_FRESH = 1.0
KAREO_WRITES = 8
"""Writes to Kareo under way at once. Its limits let far fewer through; what waits for its turn is looked up after a crash."""


Guard = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Surroundings:
    """What all practices of a worker share."""

    config: Config
    beside: Path
    store: Store
    keyring: Keyring
    bus: Bus
    session: aiohttp.ClientSession
    limiters: LimiterRegistry
    meter: Meter
    now: Callable[[], datetime]
    pace: Pace
    patience: float = 60.0


class Ownership:
    """Asked before each call to a vendor: returns while the practice is this owner's, raises Fenced once it is another's.

    While PostgreSQL is away nobody can tell, and nothing could be recorded: it waits. A worker suspended between the answer
    and the call asks again.
    """

    def __init__(self, store: Store, practice: PracticeId, epoch: int) -> None:
        self._store = store
        self._practice = practice
        self._epoch = epoch

    async def __call__(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            asked = loop.time()
            try:
                await self._store.confirm(self._practice, self._epoch)
            except AWAY as error:
                log.warning("ownership_unknown", practice=self._practice, error_type=type(error).__name__)
                await asyncio.sleep(OWNERSHIP_PAUSE)
                continue
            if loop.time() - asked < OWNERSHIP_FRESH:
                return


class PracticeRuntime:
    """Create with `start`; `record` takes its messages from Kafka; `stop` drains."""

    def __init__(self, config: PracticeConfig, around: Surroundings, service: SoapService, epoch: int) -> None:
        self.practice = PracticeId(config.id)
        self.config = config
        self.epoch = epoch
        self._around = around
        self._task: asyncio.Task[None] | None = None
        self._observing = False
        self.recorder = PracticeRecorder(
            around.store,
            around.keyring,
            policy_of(config),
            epoch,
            now=around.now,
            meter=around.meter,
            on_recorded=self._recorded,
        )
        self.feed = Feed(around.store, self.practice, around.bus.publish_recorded)
        owned = Ownership(around.store, self.practice, epoch)
        ehr = elation_client(config, around, owned)
        billing = kareo_client(config, around, service, owned)
        self.limiter = billing.limiter
        self.intakes = {system: intake(config, around, system) for system in System}
        self.ehr = ElationConnector(
            ehr,
            self.intakes[System.EHR],
            config.ehr,
            zone=config.time_zone,
            webhook_base=around.config.http.public_url.rstrip("/"),
            subscriptions=tables.Subscriptions(around.store.pool, self.practice),
            known_charts=self._known_charts,
            watermark=self._watermark,
            patience=around.patience,
            now=around.now,
        )
        self.billing = KareoConnector(
            billing,
            self.intakes[System.BILLING],
            config.billing,
            known=self._known_billing,
            watermark=self._watermark,
            patience=around.patience,
            now=around.now,
        )
        self.sinks = {
            System.EHR: self._sink(
                System.EHR, ElationWriter(ehr, zone=config.time_zone, now=around.now), config.ehr.concurrency
            ),
            System.BILLING: self._sink(
                System.BILLING,
                KareoWriter(billing, vendor_name=config.billing.external_vendor, now=around.now),
                KAREO_WRITES,
            ),
        }

    def _sink(self, system: System, writer: ElationWriter | KareoWriter, workers: int) -> Sink:
        around = self._around
        return Sink(system, writer, self.recorder, workers=workers, pace=around.pace, now=around.now, meter=around.meter)

    # -- life -------------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take up what was left open, then observe and write until stopped."""
        self._observing = await self.recorder.observing()
        outcome = await self.recorder.load_open()
        for sink in self.sinks.values():
            sink.offer(outcome, resume=True)
        self._task = asyncio.create_task(self._run(), name=f"practice {self.practice}")

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for connector in (self.ehr, self.billing):
                    group.create_task(connector.run())
                for sink in self.sinks.values():
                    group.create_task(sink.run())
                group.create_task(self._look_again())
                group.create_task(self._resume())
                if self._around.config.kafka.feed:
                    group.create_task(self.feed.run())
        except* Fenced:
            log.warning("practice_taken_over", practice=self.practice, epoch=self.epoch)

    async def stop(self) -> None:
        """Begin nothing new, settle what is under way, then stop."""
        for sink in self.sinks.values():
            try:
                async with asyncio.timeout(20):
                    await sink.close()
            except TimeoutError:
                log.warning("drain_cut_short", practice=self.practice, system=sink.system)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def failure(self) -> BaseException | None:
        """What ended the practice's tasks, if anything did."""
        task = self._task
        return task.exception() if task is not None and task.done() and not task.cancelled() else None

    @property
    def running(self) -> bool:
        return self._task is not None and not self._task.done()

    async def _look_again(self) -> None:
        """Now and then: patients whose policy ended, or whose dependency came while nobody was there to see.

        After an observed practice went live that is everybody, once.
        """
        while True:
            try:
                await self._catch_up()
            except AWAY as error:
                log.warning("revisit_delayed", practice=self.practice, error_type=type(error).__name__)
                await asyncio.sleep(AWAY_SECONDS)
                continue
            await asyncio.sleep(REVISIT_SECONDS)

    async def _catch_up(self) -> None:
        async with self.recorder.catching_up():
            if self._observing and not self.recorder.policy.observes:
                await go_live(self.recorder, self._around.store, self._around.keyring)
                self._observing = False
            while await self.recorder.revisit("a policy ended, or what it waited for has come"):
                pass

    async def _resume(self) -> None:
        """After a recording of which nobody knows whether it was made: take up what is open, as after a take-over."""
        while True:
            await self.recorder.doubted()
            await asyncio.sleep(DOUBT_SECONDS)
            try:
                opened = await self.recorder.load_open()
            except AWAY:
                continue  # the recorder doubts again
            for sink in self.sinks.values():
                sink.offer(opened, resume=True)
            self.feed.nudge()

    # -- recording --------------------------------------------------------------------------------------------------------

    async def record(self, messages: Sequence[Message]) -> None:
        """Record what came through Kafka, then tell the connectors how far it has come and what is to be read now."""
        kept = [message for message in messages if not isinstance(message, Nudge)]
        if kept:
            await self.recorder.record_messages(kept)
        for message in messages:
            match message:
                case Nudge():
                    (self.ehr if message.system is System.EHR else self.billing).nudge(message.what)
                case Checkpoint():
                    for one in self.intakes.values():
                        one.recorded(message.source)

    def _recorded(self, recording: Recording) -> None:
        for sink in self.sinks.values():
            sink.offer(recording)
        for resource, record in recording.reread:
            self.ehr.nudge("sweep" if resource == "bills" else f"patient:{record}")
        if recording.recorded:
            self.feed.nudge()
        self._look_again_for(recording)

    def _look_again_for(self, recording: Recording) -> None:
        """What people asked to be read again: a patient's charts, or what could not be read before (projections/deciding/repair.py)."""
        refused = {one.event.cause for one in recording.recorded if isinstance(one.event.body, CommandRefused)}
        for event in [one.event for one in recording.recorded if one.event.id not in refused]:
            patient = recording.patients.get(event.patient)
            if isinstance(event.body, RedriveRequested):
                _, system, resource, record = event.body.slot.split(":", 3)
                look = {"elation": self.ehr.look, "kareo": self.billing.look}.get(system)
                if look is not None:
                    look(resource, record, event.id)
            elif isinstance(event.body, ResyncRequested) and patient is not None:
                chart = patient.link.ehr if patient.link else patient.ehr.chart.id if patient.ehr else None
                if chart is not None:
                    self.ehr.look("patients", str(chart), event.id)
                if patient.billing is not None:
                    self.billing.look("patients", str(patient.billing.chart.id), event.id)

    # -- what connectors ask ----------------------------------------------------------------------------------------------

    async def _watermark(self, source: str) -> str | None:
        return await tables.get_checkpoint(self._around.store.pool, self.practice, source)

    async def _known_charts(self) -> list[str]:
        return [record for record, parent in await self._known(System.EHR, "patients") if parent]

    async def _known_billing(self, resource: str) -> list[tuple[str, str]]:
        return await self._known(System.BILLING, resource)

    async def _known(self, system: System, resource: str) -> list[tuple[str, str]]:
        """What was read of a resource, as (record, whose), and the linked charts that were found by a search and never read: one
        may be deleted before it is, which nothing but asking for it tells."""
        pool = self._around.store.pool
        found = {
            record: parent for record, _, parent in await tables.observed_records(pool, self.practice, system, resource)
        }
        if resource == "patients":
            for ehr, billing in await tables.links(pool, self.practice):
                chart = str(ehr if system is System.EHR else billing)
                found.setdefault(chart, chart)
        return list(found.items())


def intake(config: PracticeConfig, around: Surroundings, system: System) -> Intake:
    """The way in for one practice and system."""
    practice = PracticeId(config.id)

    async def known(records: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Seen]:
        rows = await tables.lookup_observed(around.store.pool, practice, system, records)
        if around.keyring.hash_key(practice) is None and any(row.content_hash.startswith(MARK) for row in rows.values()):
            await around.store.load_keys(practice)
        return {
            key: Seen(content_hash=row.content_hash, revision=row.revision, parent=row.parent) for key, row in rows.items()
        }

    return Intake(practice, system, around.bus.publish, known, partial(hashed, around.keyring, practice))


def elation_client(config: PracticeConfig, around: Surroundings, owned: Guard | None = None) -> ElationClient:
    return ElationClient(
        base_url=config.ehr.base_url,
        client_id=config.ehr.client_id,
        client_secret=secret(config.ehr.client_secret_file, around.beside),
        session=around.session,
        practice_id=config.ehr.practice_id,
        concurrency=config.ehr.concurrency,
        meter=lambda operation, outcome, seconds: around.meter.call(f"elation.{operation}", outcome, seconds),
        guard=owned,
    )


async def soap_service(config: PracticeConfig, around: Surroundings) -> SoapService:
    """The service described by the practice's WSDL; parsed once per process and content.

    With systemd's `CacheDirectory` the last good copy serves while the address does not answer.
    """
    wsdl = config.billing.wsdl
    if "://" not in wsdl:
        wsdl = str(resolve(wsdl, around.beside))
    cache = os.environ.get("CACHE_DIRECTORY")
    return await SoapService.load(wsdl, around.session, Path(cache) if cache else None)


def kareo_client(
    config: PracticeConfig, around: Surroundings, service: SoapService, owned: Guard | None = None, tries: int = 1
) -> KareoClient:
    key = secret(config.billing.customer_key_file, around.beside)
    limits = dict(config.billing.limits)
    scale = limits.pop("scale", 1.0)
    return KareoClient(
        service=service,
        endpoint=config.billing.endpoint,
        customer_key=key,
        user=config.billing.user,
        password=secret(config.billing.password_file, around.beside),
        practice_id=None,
        practice_name=config.billing.practice_name,
        limiter=around.limiters.for_key(key, scale, limits),
        session=around.session,
        list_zone=config.billing.list_zone,
        client_version="chartwire",
        meter=lambda operation, outcome, seconds: around.meter.call(operation, outcome, seconds),
        guard=owned,
        tries=tries,
    )


def webhook_target(config: PracticeConfig, around: Surroundings) -> Target:
    """What the endpoint needs; it runs on every worker, so keys come from the store."""
    subscriptions = tables.Subscriptions(around.store.pool, PracticeId(config.id))
    keys: dict[str, tuple[float, str]] = {}

    async def key(resource: str) -> str | None:
        loop = asyncio.get_running_loop()
        cached = keys.get(resource)
        if cached is None or cached[0] < loop.time():
            kept = await subscriptions.get()
            if resource not in kept:
                return None
            cached = keys[resource] = (loop.time() + 5.0, kept[resource][1])
        return cached[1]

    return Target(
        intake=intake(config, around, System.EHR),
        ehr_practice=config.ehr.practice_id,
        zone=config.time_zone,
        key=key,
    )
