"""A worker: it owns the practices of its Kafka partitions, records their changes, and has the webhook endpoint.

A practice's connectors and sinks run where its partition is. On taking a practice over its epoch is raised, so whoever had it
before can neither append nor begin a call (deploy/DESIGN.md, The flow). A practice that moves is drained first, and taken by the next owner
after that (events/handover.py); one that stays is not touched. Stopping drains everything, then leaves the group.
"""

from __future__ import annotations

import asyncio
import math
import os
import socket
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

import msgspec
import structlog
from aiohttp import web

from daemon.config import Config, PracticeConfig
from daemon.runtime.health import HealthEndpoint
from daemon.runtime.listening import Budget, Site, timed
from daemon.runtime.practice import PracticeRuntime, deliveries, prepare
from daemon.runtime.reload import InForce, Reload, compared
from daemon.runtime.reporter import Reporter
from daemon.runtime.side_tasks import side_tasks
from daemon.runtime.supervision import IN_GROUP, Standing, again_and_again, demand_one_group, failed_again
from daemon.runtime.surroundings import Surroundings, bring_keys
from daemon.runtime.taking import take_over
from daemon.runtime.webhooks import LARGEST, WebhookEndpoint
from daemon.servers import host_and_port
from daemon.tables.status import Report, Watched, last_owner, save_reports, watched
from events.codec import KeyMissing, Keyring
from events.consumer import ChangeConsumer
from events.ids import PracticeId
from events.schema import MessageUnreadable
from events.store import AWAY, Fenced
from events.stray import settled
from events.topics import Change, Message

log = structlog.get_logger()

RESTART_PAUSE = 5.0
STALLED = 120.0
TAKE_SECONDS = 30.0
TAKEN_AT_ONCE = 16
"""Practices that begin side by side; more would wait for PostgreSQL anyway."""

REPORT_SECONDS = 15.0
HERE = f"{socket.gethostname()}:{os.getpid()}"


class Worker:
    """Create with everything it needs, then `run` until `stop`."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._in_force = InForce.read(around.config, around.beside)
        self._configs = {PracticeId(one.id): one for one in around.config.practice}
        self._owner = f"{HERE}{IN_GROUP}{around.config.kafka.group}"
        self.practices: dict[PracticeId, PracticeRuntime] = {}
        self._locks: defaultdict[PracticeId, asyncio.Lock] = defaultdict(asyncio.Lock)
        kafka = around.config.kafka
        self._consumer = ChangeConsumer(around.bus, kafka.group, self, session_timeout_seconds=kafka.session_timeout_seconds)
        self._watched = 0.0
        self._stopping = asyncio.Event()
        self._changed = asyncio.Event()
        """Set where a practice began or failed: worth a report at once."""
        self._partitions: set[int] = set()
        self._owned: set[PracticeId] = set()
        self._deliveries = {key: one for config in around.config.practice for key, one in deliveries(config, around).items()}
        self._group: asyncio.TaskGroup | None = None
        self._reloading = asyncio.Lock()
        self._left_until: dict[PracticeId, float] = {}
        self._standing: dict[PracticeId, Standing] = {}
        self._epochs: dict[PracticeId, int] = {}
        self._taking: dict[PracticeId, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(TAKEN_AT_ONCE)
        self._troubles: dict[PracticeId, str] = {}
        self.address = ""
        self.seen = Watched(), 0.0
        """What the database knew last of the owned practices, and at which time of the loop."""
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Serve webhooks and handle partitions until `stop`; drains before it returns."""
        runner = await self._serve()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                consuming = group.create_task(self._consumer.run())
                beside = [("watch", self._watch), ("report", self._report), *side_tasks(self, self._around)]
                watching = [group.create_task(again_and_again(name, work)) for name, work in beside]
                await self._stopping.wait()
                log.info("stopping_began", practices=len(self.practices))
                self._consumer.stop()
                await consuming
                for task in (*watching, *self._taking.values()):
                    task.cancel()
                async with self._reloading:
                    await self._release(list(self.practices))
        finally:
            await runner.cleanup()

    def stop(self) -> None:
        self._stopping.set()

    async def _serve(self) -> web.AppRunner:
        app = web.Application(client_max_size=LARGEST, middlewares=[timed])
        WebhookEndpoint(self._deliveries, self._around.vendors.delivered, meter=self._around.meter).routes(app)
        HealthEndpoint(self, self._around.store, self._around.bus).routes(app)
        return await self._listen(app)

    async def _listen(self, app: web.Application) -> web.AppRunner:
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        where = host_and_port(self._around.config.http.listen)
        assert where is not None, "checked with the configuration"
        most = Budget.of_process(self._around.config.postgres.pool).incoming
        await Site(runner, *where, most=most).start()
        self.address = self._around.config.http.listen
        log.info("endpoint_opened", address=self.address)
        return runner

    def is_shredded(self, practice: str) -> bool:
        return self._around.keyring.shredded(practice)

    @property
    def healthy(self) -> bool:
        """Whether the consumer and the look after the practices go round: what the watchdog asks. A practice that cannot be
        taken (its vendor is away) is no reason to restart the others'."""
        return asyncio.get_running_loop().time() - min(self._consumer.beat, self._watched) < STALLED

    @property
    def owned(self) -> Collection[PracticeId]:
        """The practices of its partitions."""
        return self._owned

    @property
    def configs(self) -> Mapping[PracticeId, PracticeConfig]:
        """The practices of the configuration, whoever owns them."""
        return self._configs

    @property
    def epochs(self) -> Mapping[PracticeId, int]:
        """The epoch in which each practice was taken."""
        return self._epochs

    @property
    def unrecorded(self) -> Mapping[PracticeId, int]:
        """Messages that were read and are not recorded yet, by practice."""
        return self._consumer.unrecorded

    @property
    def standing(self) -> dict[PracticeId, str]:
        """The owned practices that are not at work, each with the reason."""
        working = {one for one, runtime in self.practices.items() if runtime.running}
        idle = dict.fromkeys(self._owned - working, "not taken yet")
        return idle | {one: why for one, why in self._troubles.items() if one in self._owned}

    @property
    def clocks(self) -> Mapping[str, float]:
        """How many seconds this machine's clock is ahead of each vendor's."""
        return self._around.clocks.ahead

    @property
    def joined(self) -> bool:
        """Whether Kafka has given it its share (which may be none)."""
        return self.ready.is_set()

    # -- ownership --------------------------------------------------------------------------------------------------------

    async def gained(self, partitions: Sequence[int]) -> None:
        """These partitions are this worker's now: their practices begin, side by side. None is waited for."""
        mine = self._practices_of(partitions)
        self._partitions |= set(partitions)
        self._owned |= set(mine)
        self._begin(mine)
        log.info("partitions_gained", partitions=len(partitions), practices=len(mine))
        self.ready.set()

    async def lost(self, partitions: Sequence[int]) -> None:
        """These partitions go to somebody else when this returns: drain their practices."""
        gone = self._practices_of(partitions)
        self._partitions -= set(partitions)
        self._owned -= set(gone)
        for practice in gone:
            self._left_until.pop(practice, None)
            self._standing.pop(practice, None)
        await self._release(gone)
        if partitions:
            log.info("partitions_lost", partitions=len(partitions), practices=len(gone))

    def _practices_of(self, partitions: Collection[int]) -> list[PracticeId]:
        return [practice for practice in self._configs if self._around.bus.partition_of(practice) in partitions]

    def _begin(self, practices: Collection[PracticeId]) -> None:
        """Take these practices over, in tasks of their own."""
        for practice in practices:
            if practice in self._taking or self._group is None:
                continue
            task = self._taking[practice] = self._group.create_task(self._try_take(practice), name=f"taking {practice}")
            task.add_done_callback(lambda _task, practice=practice: self._taking.pop(practice, None))  # type: ignore[misc]

    async def _try_take(self, practice: PracticeId) -> None:
        """Take a practice over. Whatever keeps it from that is its own: it is shown, and tried again after a growing pause."""
        async with self._room:
            try:
                async with asyncio.timeout(TAKE_SECONDS):  # a worker suspended in a transaction holds the practice's row
                    await settled(self._take(practice))
            except Exception as error:  # noqa: BLE001 - said, shown in the status, and tried again
                self._stands(practice, error, "practice_not_taken")

    def _stands(self, practice: PracticeId, error: BaseException, event: str) -> None:
        """Take note that a practice failed, and of when it is begun again."""
        time = asyncio.get_running_loop().time()
        standing = self._standing[practice] = failed_again(self._standing.get(practice), error, self._around.now(), time)
        self._troubles[practice] = standing.reason
        self._changed.set()
        log.error(
            event,
            practice=practice,
            error_type=standing.reason,
            attempt=standing.failures,
            delay_seconds=round(standing.again_at - time, 2),
        )

    async def _take(self, practice: PracticeId) -> None:
        async with self._locks[practice]:
            if practice in self.practices or practice not in self._owned or self._group is None or self._stopping.is_set():
                return
            if not await self._has_keys(practice):
                return
            config = self._configs[practice]
            demand_one_group(await last_owner(self._around.store.pool, practice), self._around.config.kafka.group)
            taken = await take_over(self._around, practice, self._owner)
            epoch = self._epochs[practice] = taken.epoch
            self._around.meter.count("epoch_changes")
            runtime = PracticeRuntime(config, self._around, await prepare(config, self._around), taken)
            await runtime.start(self._group, self._standing.get(practice))
            self.practices[practice] = runtime
            self._changed.set()
            self._troubles.pop(practice, None)
            log.info("practice_taken", practice=practice, epoch=epoch)

    async def _has_keys(self, practice: PracticeId) -> bool:
        """Whether the practice can begin. One that was shredded stays down, without a word more than once."""
        if await bring_keys(self._around.store, practice):
            return True
        log.warning("practice_shredded", practice=practice)
        self._left_until[practice] = math.inf
        return False

    async def _release(self, practices: Sequence[PracticeId]) -> None:
        async def one(practice: PracticeId) -> None:
            if (taking := self._taking.get(practice)) is not None:
                taking.cancel()
                await asyncio.wait([taking])
            async with self._locks[practice]:
                runtime = self.practices.pop(practice, None)
                if runtime is None:
                    return
                try:
                    await settled(runtime.stop())
                except Exception as error:  # noqa: BLE001 - said; its tasks are cancelled all the same
                    log.error("practice_not_drained", practice=practice, error_type=type(error).__name__)

        await asyncio.gather(*(one(practice) for practice in practices))

    async def reload(self, config: Config, keyring: Keyring) -> Reload:
        """Go by the practices of `config` from now on, and by the keys of `keyring` too: added ones begin, removed ones are put
        down, changed ones are drained and begun anew, all others at work are not touched. What pauses after a failure is tried
        at once: a write, a reading, a practice that stands still. Returns what was found; where it is `refused` nothing has changed. Other sections, and what `reload.restart` names, take a restart.
        """
        async with self._reloading:
            later = InForce.read(config, self._around.beside)
            found = compared(self._in_force, later)
            if found.refused:
                return found
            self._in_force, self._around.bus.together = later, later.together
            self._configs = {PracticeId(one.id): one for one in config.practice}
            self._around.keyring.renew(keyring)
            self._around.clocks.know(config.practice)
            for practice in found.removed:
                self._forget_deliveries(practice)
            for practice in found.added | found.changed:
                self._forget_deliveries(practice)
                self._deliveries |= deliveries(self._configs[practice], self._around)
            self._owned = set(self._practices_of(self._partitions))
            await self._release(sorted(found.removed | found.changed))
            for runtime in self.practices.values():
                runtime.hurry()
            for practice in found.removed | found.changed:
                self._standing.pop(practice, None)
                self._left_until.pop(practice, None)
            time = asyncio.get_running_loop().time()
            self._begin(sorted(one for one in self._owned - set(self.practices) if self._left_until.get(one, 0.0) <= time))
        return found

    def _forget_deliveries(self, practice: PracticeId) -> None:
        for route in [route for route in self._deliveries if route[1] == practice]:
            del self._deliveries[route]

    async def _watch(self) -> None:
        """A practice whose tasks ended by a fault is taken up again; one that has another owner is left to it.

        A fence means that the group has moved on while this worker was suspended. Kafka tells us within one session time-out.
        If the practice is still ours then, an even staler worker fenced us: take it back.
        """
        loop = asyncio.get_running_loop()
        while True:
            self._watched = loop.time()
            await asyncio.sleep(RESTART_PAUSE)
            ended = [practice for practice, runtime in self.practices.items() if not runtime.running]
            for practice in ended:
                if (error := self.practices[practice].failure) is None:
                    self._left_until[practice] = loop.time() + self._around.config.kafka.session_timeout_seconds
                else:
                    self._stands(practice, error, "practice_failed")
            if ended:
                await self._release(ended)
            for practice in [one for one in self._standing if one in self.practices and self.practices[one].steady]:
                del self._standing[practice]
            if absent := self._owned - self.practices.keys():
                self._begin([one for one in absent if self._is_due(one, loop.time())])

    def _is_due(self, practice: PracticeId, time: float) -> bool:
        standing = self._standing.get(practice)
        return self._left_until.get(practice, 0.0) <= time and (standing is None or standing.again_at <= time)

    async def _report(self) -> None:
        """Say now and then, and as soon as one begins or fails, how each practice is, for `chartwire status` on any machine."""
        reporter, loop = Reporter(), asyncio.get_running_loop()
        while True:
            made = reporter.report(self.practices, loop.time())
            idle = {one: standing for one, standing in self._standing.items() if one not in made and one in self._configs}
            made |= {one: Report(standing=each.said(self._configs[one].time_zone)) for one, each in idle.items()}
            shared = self._around.bus.together
            reports = {
                one: (self._epochs[one], msgspec.structs.replace(report, account=shared.get(one, one)))
                for one, report in made.items()
                if one in self._epochs
            }
            try:
                await self._around.store.renew_keys()
                await save_reports(self._around.store.pool, reports)
                self.seen = await watched(self._around.store.pool, list(self._owned)), loop.time()
            except AWAY as error:
                log.warning("report_not_kept", error_type=type(error).__name__)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), REPORT_SECONDS)
                await asyncio.sleep(2.0)  # what begins within two seconds of the first is told with it
            self._changed.clear()

    # -- changes ----------------------------------------------------------------------------------------------------------

    def adopt(self, unreadable: Change) -> Change:
        """See `Owner`: it is shown with the first practice of its partition."""
        event = unreadable.event
        if event is None or unreadable.practice in self._configs or not isinstance(event.body, MessageUnreadable):
            return unreadable
        if self._around.keyring.shredded(unreadable.practice):
            return unreadable
        heirs = sorted(self._practices_of([event.body.partition]))
        if not heirs:
            return unreadable
        return Change(practice=heirs[0], event=msgspec.structs.replace(event, practice=heirs[0]))

    async def record(self, practice: PracticeId, messages: Sequence[Message]) -> bool:
        """True when they are recorded, or belong to a practice that nobody has configured; False to be asked again.

        A practice's fault stays its own: its messages wait, those of others do not.
        """
        if practice not in self._configs:
            log.warning("practice_unknown", count=len(messages))
            return True
        if self._around.keyring.shredded(practice):
            log.warning("practice_shredded", practice=practice, count=len(messages))
            return True
        runtime = self.practices.get(practice)
        if runtime is None or not runtime.running:
            return False
        try:
            await settled(runtime.record(messages))
        except Fenced:
            self._around.meter.count("fences")
            log.warning("batch_left_to_owner", practice=practice, count=len(messages))
        except KeyMissing:
            self._troubles[practice] = "no key"
            log.error("practice_without_key", practice=practice, count=len(messages))
        except Exception as error:  # noqa: BLE001 - said, and the messages are kept
            self._troubles[practice] = type(error).__name__
            log.error("recording_failed", practice=practice, error_type=type(error).__name__)
        else:
            self._troubles.pop(practice, None)
            return True
        return False
