"""A worker: it owns the practices of its Kafka partitions, records their changes, and has the webhook endpoint.

A practice's connectors and sinks run where its partition is. On taking a practice over its epoch is raised, so whoever had it
before can neither append nor begin a call (DESIGN 1.4). Stopping drains: no new work, settle what is under way, leave.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import msgspec
import structlog
from aiohttp import web

from daemon import tables
from daemon.config import Config, PracticeConfig, accounts, secret
from daemon.practice import PracticeRuntime, Surroundings, soap_service, webhook_target
from daemon.report import Reporter
from daemon.vendors.errors import VendorError
from daemon.webhooks import LARGEST, WebhookEndpoint
from events.bus import Bus, ChangeConsumer
from events.codec import KeyMissing, Keyring
from events.ids import PracticeId
from events.schema import MessageUnreadable
from events.store import AWAY, Fenced
from events.topics import Change, Checkpoint

log = structlog.get_logger()

RESTART_PAUSE = 5.0
STALLED = 120.0
PATIENCE = 30.0
TAKE_SECONDS = 10.0
REPORT_SECONDS = 15.0
OWNER = f"{socket.gethostname()}:{os.getpid()}"


class Worker:
    """Create with everything it needs, then `run` until `stop`."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._configs = {PracticeId(one.id): one for one in around.config.practice}
        self.practices: dict[PracticeId, PracticeRuntime] = {}
        self._locks: defaultdict[PracticeId, asyncio.Lock] = defaultdict(asyncio.Lock)
        kafka = around.config.kafka
        self._consumer = ChangeConsumer(around.bus, kafka.group, session_timeout_seconds=kafka.session_timeout_seconds)
        self._stopping = asyncio.Event()
        self._owned: set[PracticeId] = set()
        self._left_until: dict[PracticeId, float] = {}
        self.address = ""
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Serve webhooks and handle partitions until `stop`; drains before it returns."""
        runner = await self._serve()
        try:
            async with asyncio.TaskGroup() as group:
                consuming = group.create_task(
                    self._consumer.run(self._handle, on_assigned=self._assigned, on_revoked=self._revoked)
                )
                watching = [group.create_task(work) for work in (self._watch(), self._report())]
                await self._stopping.wait()
                log.info("stopping_began", practices=len(self.practices))
                self._consumer.stop()
                await consuming
                for task in watching:
                    task.cancel()
                await self._release(list(self.practices))
        finally:
            await runner.cleanup()

    def stop(self) -> None:
        self._stopping.set()

    async def _serve(self) -> web.AppRunner:
        app = web.Application(client_max_size=LARGEST)
        targets = {config.id: webhook_target(config, self._around) for config in self._around.config.practice}
        WebhookEndpoint(targets, now=self._around.now, meter=self._around.meter).routes(app)
        app.router.add_get("/health", self._health)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        host, _, port = self._around.config.http.listen.rpartition(":")
        site = web.TCPSite(runner, host, int(port))
        await site.start()
        self.address = self._around.config.http.listen
        log.info("endpoint_opened", address=self.address)
        return runner

    @property
    def healthy(self) -> bool:
        """Whether the consumer goes round and every practice's tasks are alive: what the watchdog asks."""
        moving = asyncio.get_running_loop().time() - self._consumer.beat < STALLED
        return moving and all(one in self.practices and self.practices[one].running for one in self._owned)

    async def _health(self, _request: web.Request) -> web.Response:
        """200 while this worker makes progress; no patient's data, so no authentication."""
        return web.json_response({"practices": len(self.practices)}, status=200 if self.healthy else 503)

    # -- ownership --------------------------------------------------------------------------------------------------------

    async def _assigned(self, partitions: Sequence[int]) -> None:
        mine = [practice for practice in self._configs if self._around.bus.partition_of(practice) in set(partitions)]
        self._owned |= set(mine)
        await asyncio.gather(*(self._try_take(practice) for practice in mine))
        log.info("partitions_assigned", partitions=len(partitions), practices=len(mine))
        self.ready.set()

    async def _revoked(self, partitions: Sequence[int]) -> None:
        gone = [one for one in self._owned if self._around.bus.partition_of(one) in set(partitions)]
        self._owned -= set(gone)
        for practice in gone:
            self._left_until.pop(practice, None)
        await self._release(gone)
        log.info("partitions_revoked", partitions=len(partitions), practices=len(gone))

    async def _try_take(self, practice: PracticeId) -> None:
        """Take a practice over; one whose vendor cannot be reached does not hold up the others, and is tried again."""
        try:
            await self._take(practice)
        except (VendorError, ValueError, *AWAY) as error:
            log.error("practice_not_taken", practice=practice, error_type=type(error).__name__)

    async def _take(self, practice: PracticeId) -> None:
        async with self._locks[practice]:
            if practice in self.practices:
                return
            config: PracticeConfig = self._configs[practice]
            service = await soap_service(config, self._around)
            async with asyncio.timeout(TAKE_SECONDS):  # a worker suspended in a transaction holds the practice's row
                epoch = await self._around.store.take_over(practice, OWNER)
            runtime = PracticeRuntime(config, self._around, service, epoch)
            await runtime.start()
            self.practices[practice] = runtime
            log.info("practice_taken", practice=practice, epoch=epoch)

    async def _release(self, practices: Sequence[PracticeId]) -> None:
        async def one(practice: PracticeId) -> None:
            async with self._locks[practice]:
                runtime = self.practices.pop(practice, None)
                if runtime is not None:
                    await runtime.stop()

        await asyncio.gather(*(one(practice) for practice in practices))

    async def _watch(self) -> None:
        """A practice whose tasks ended by a fault is taken up again; one that has another owner is left to it.

        A fence means that the group has moved on while this worker was suspended. It is told so within a session time-out;
        a practice that is still its own then was fenced by a worker more stale than itself, and is taken back.
        """
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(RESTART_PAUSE)
            for practice, runtime in list(self.practices.items()):
                if runtime.running:
                    continue
                if (error := runtime.failure) is None:
                    self._left_until[practice] = loop.time() + self._around.config.kafka.session_timeout_seconds
                else:
                    log.error("practice_failed", practice=practice, error_type=_innermost(error))
                await self._release([practice])
            missing = [one for one in self._owned - set(self.practices) if self._left_until.get(one, 0.0) <= loop.time()]
            await asyncio.gather(*(self._try_take(practice) for practice in missing))

    async def _report(self) -> None:
        """Say now and then how each practice is, for `chartwire status` on any machine."""
        reporter, loop = Reporter(), asyncio.get_running_loop()
        while True:
            made = reporter.report(self.practices, loop.time())
            epochs = {name: runtime.epoch for name, runtime in self.practices.items()}
            try:
                await tables.save_reports(self._around.store.pool, {one: (epochs[one], made[one]) for one in made})
            except AWAY as error:
                log.warning("report_not_kept", error_type=type(error).__name__)
            await asyncio.sleep(REPORT_SECONDS)

    # -- changes ----------------------------------------------------------------------------------------------------------

    async def _handle(self, messages: Sequence[Change | Checkpoint]) -> set[PracticeId]:
        """Record a batch, practice by practice; returns those that were not recorded. A practice's fault stays its own."""
        by_practice: defaultdict[PracticeId, list[Change | Checkpoint]] = defaultdict(list)
        for message in messages:
            known = self._somebodys(message)
            by_practice[known.practice].append(known)
        done = await asyncio.gather(*(self._record(practice, batch) for practice, batch in by_practice.items()))
        return {practice for practice, recorded in zip(by_practice, done, strict=True) if not recorded}

    def _somebodys(self, message: Change | Checkpoint) -> Change | Checkpoint:
        """An unreadable message whose key names no practice is shown with a practice of its partition: nothing is dropped."""
        event = message.event if isinstance(message, Change) else None
        if event is None or message.practice in self._configs or not isinstance(event.body, MessageUnreadable):
            return message
        for practice in sorted(self._owned):
            if self._around.bus.partition_of(practice) == event.body.partition:
                return Change(practice=practice, event=msgspec.structs.replace(event, practice=practice))
        return message

    async def _record(self, practice: PracticeId, batch: Sequence[Change | Checkpoint]) -> bool:
        """True when the batch is recorded, or belongs to a practice that nobody has configured."""
        failures = 0
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        while not self._stopping.is_set():
            runtime = self.practices.get(practice)
            try:
                if runtime is not None:
                    await runtime.record(batch)
                    return True
                if practice not in self._configs:
                    log.warning("practice_unknown", count=len(batch))
                    return True
                if loop.time() > until:
                    log.error("batch_left_to_sweep", practice=practice, count=len(batch))
                    return False
            except Fenced:
                log.warning("batch_left_to_owner", practice=practice, count=len(batch))
                return False
            except KeyMissing:
                log.error("practice_without_key", practice=practice, count=len(batch))
                return True
            except AWAY as error:
                log.error("recording_failed", practice=practice, error_type=type(error).__name__, attempt=failures)
            failures += 1
            await asyncio.sleep(min(5.0, 0.2 * 2 ** min(failures, 6)))
        return False


def _innermost(error: BaseException | None) -> str:
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return type(error).__name__


def bus_of(config: Config, beside: Path, keyring: Keyring) -> Bus:
    """The Kafka bus as configured (security options by aiokafka's names)."""
    kafka = config.kafka
    security: dict[str, object] = {"security_protocol": kafka.security_protocol}
    if kafka.security_protocol.startswith("SASL"):
        security |= {"sasl_mechanism": kafka.sasl_mechanism, "sasl_plain_username": kafka.sasl_username}
        if kafka.sasl_password_file:
            security["sasl_plain_password"] = secret(kafka.sasl_password_file, beside)
    if kafka.security_protocol.endswith("SSL"):
        from aiokafka.helpers import create_ssl_context

        security["ssl_context"] = create_ssl_context(cafile=kafka.ca_file or None)
    return Bus(
        kafka.bootstrap_servers,
        security,
        keyring,
        enable_idempotence=kafka.idempotent,
        together=accounts(config, beside),
    )


def session() -> aiohttp.ClientSession:
    """The HTTP session of a worker: redirects are never followed on their own, cookies never kept."""
    return aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(limit=200))


def notify(state: str) -> None:
    """Tell systemd (`Type=notify`); nothing happens where it does not listen."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(address)
        sock.sendall(state.encode())
