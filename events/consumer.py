"""Consuming the changes of the partitions that the group gives this worker: a practice at its own pace, manual commits.

A commit that fails because the group is rebalancing is dropped: the messages come again, and recording them again changes
nothing. Whatever ends or stops the client (an error it raises, a partition that has messages and does not move, a rebalance
that never ends) is answered by a new client after a pause.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from events.aiokafka_inside import generation, rejoin
from events.backlog import Backlog, Queue
from events.backoff import Backoff
from events.bus import Bus
from events.handover import Claim, Handover, numbers
from events.ids import PracticeId
from events.keys import KeyMissing, UnreadableEvent
from events.store import AWAY
from events.stray import settled
from events.topics import CHANGES, Change, Message, decode_message, read_again, unreadable
from events.watch import Recounted, Stalled, Watch

log = structlog.get_logger()

FETCH = 500
FETCH_MS = 200
FETCH_WAIT_MS = 30
"""How long the broker may hold an empty answer back. aiokafka asks a broker for one answer at a time, so messages of one partition
wait until the others' empty answer has come; a longer wait is latency under load, a shorter one costs processor time at rest."""

METADATA_MS = 30_000
"""How long a topic that was given more partitions, or made anew with fewer, may go unnoticed."""

COMMIT_EVERY = 0.5
COMMIT_SECONDS = 5.0
SETTLE_SECONDS = 1.0
"""How long a rebalance waits for recordings under way; what takes longer comes again."""

STALL_SECONDS = 60.0
"""How long a partition with messages may stand still."""

RESTARTING = Backoff(first=0.4, longest=5.0, jitter=0.0)
RECORDING = Backoff(first=0.2, longest=5.0, jitter=0.0)
CLOSE_SECONDS = 10.0
KEYS_PAUSE = 1.0
COMMIT_LOST = (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError, IllegalStateError)


class Owner(Protocol):
    """Who works on the practices of the partitions held. A practice's own troubles stay in there."""

    async def record(self, practice: PracticeId, messages: Sequence[Message]) -> bool:
        """Try to record them, in order; False means: not now, offer them again."""

    def adopt(self, unreadable: Change) -> Change:
        """Give a message that nobody can read to a practice of its partition, if its key names none: nothing is dropped."""

    async def gained(self, partitions: Sequence[int]) -> None:
        """Begin with the practices of these partitions."""

    async def lost(self, partitions: Sequence[int]) -> None:
        """Finish with the practices of these partitions; somebody else begins when this returns."""


class ChangeConsumer:
    """See the module's docstring.

    `held` are the partitions whose practices run here: those of the last assignment and those that still have to be put
    down. `beat` is the loop's time of the last sign of life.
    """

    def __init__(
        self,
        bus: Bus,
        group: str,
        owner: Owner,
        *,
        session_timeout_seconds: float = 45.0,
    ) -> None:
        self._bus = bus
        self._group = group
        self._owner = owner
        self._session = session_timeout_seconds
        self._stall = STALL_SECONDS
        self._consumer: AIOKafkaConsumer | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._stopping = asyncio.Event()
        self._changed = asyncio.Event()
        self._backlogs: dict[TopicPartition, Backlog] = {}
        self._assigned: set[TopicPartition] = set()
        self._begun: set[TopicPartition] = set()
        self._generation = -1
        self._claimed: tuple[int, ...] = ()
        self._commit_at = 0.0
        self._rebalancing = True
        self._forgotten = False
        self.held: set[TopicPartition] = set()
        self.beat = 0.0

    def stop(self) -> None:
        """Read no more, let the owner finish, commit, and leave the group; `run` returns then."""
        self._stopping.set()

    async def run(self) -> None:
        """Consume until `stop`."""
        loop = asyncio.get_running_loop()
        failures = 0
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            owning = tasks.create_task(self._own())
            while not self._stopping.is_set():
                self.beat = began = loop.time()
                try:
                    await settled(self._live())
                except Exception as error:  # noqa: BLE001 - said, and answered by a new client
                    failures = 1 if loop.time() - began > self._stall else failures + 1
                    where = error.where if isinstance(error, Stalled) else ""
                    log.error("consumer_restarted", error_type=type(error).__name__, attempt=failures, reason=where)
                    if isinstance(error, Recounted):
                        await self._lay_out_anew()
                    await self._pause(RESTARTING.pause(failures))
            owning.cancel()

    async def _lay_out_anew(self) -> None:
        """Put everything down, and count the partitions that practices go by."""
        await self._put_down()
        try:
            await self._bus.find_partitions()
        except (KafkaError, OSError) as error:  # seen again, and counted, once a broker answers
            log.warning("partitions_not_counted", topic=CHANGES, error_type=type(error).__name__)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    # -- one client's life ------------------------------------------------------------------------------------------------

    async def _live(self) -> None:
        """From joining the group to leaving it. Raises what ended the client."""
        session_ms = int(self._session * 1000)
        consumer = self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bus.bootstrap_servers,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            partition_assignment_strategy=(Handover(self._claim),),
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=min(1000, max(300, session_ms // 10)),
            max_poll_interval_ms=max(300_000, session_ms * 2),
            fetch_max_wait_ms=FETCH_WAIT_MS,
            metadata_max_age_ms=METADATA_MS,
            **self._bus.security,
        )
        self._rebalancing = True
        watch = Watch(consumer, self._bus, self._stall)
        try:
            await consumer.start()
            consumer.subscribe([CHANGES], listener=_Listener(self))
            while not self._stopping.is_set():
                records = await consumer.getmany(timeout_ms=FETCH_MS, max_records=FETCH)
                self.beat = asyncio.get_running_loop().time()
                await self._read(records)
                await self._commit()
                await watch.look(self._backlogs, rebalancing=self._rebalancing)
            await self._finish()
        finally:
            self._give_back()
            await self._close(consumer)

    async def _finish(self) -> None:
        """While still a member: let what runs here come to its end, and say how far it came."""
        for backlog in self._backlogs.values():
            backlog.closed = True
        await self._put_down()
        await self._settle()

    async def _put_down(self) -> None:
        held, self._assigned = set(self.held), set()
        await self._owner.lost(numbers(held))
        self.held -= held
        self._begun -= held

    async def _close(self, consumer: AIOKafkaConsumer) -> None:
        """Leave the group; a broker that is away is not waited for."""
        closing = asyncio.ensure_future(consumer.stop())
        try:
            await asyncio.wait({closing}, timeout=CLOSE_SECONDS)
        finally:
            closing.cancel()  # changes nothing where it is done
            await asyncio.gather(closing, return_exceptions=True)

    # -- ownership --------------------------------------------------------------------------------------------------------

    def _claim(self) -> Claim:
        self._claimed = numbers(self.held)
        return Claim(generation=generation(self._consumer) if self._consumer else -1, partitions=self._claimed)

    async def revoked(self) -> None:
        """A rebalance begins: what is being recorded is finished and committed; the practices go on."""
        self._rebalancing = True
        await self._settle()
        self._give_back()

    async def assigned(self, partitions: set[TopicPartition]) -> None:
        """A rebalance has ended: these are read from their committed offsets; `_own` sees to the difference."""
        assert self._consumer is not None
        if not self._consumer.partitions_for_topic(CHANGES):
            return  # the topic is lost: `Watch` makes it anew, and until then nobody else gets anything either
        now = generation(self._consumer)
        self._forgotten = self._forgotten or now < self._generation
        self._generation = now
        self._rebalancing = False
        self._backlogs = {one: Backlog() for one in partitions}
        self._assigned = set(partitions)
        self.held |= partitions
        self._changed.set()
        self._return_claimed()

    async def _own(self) -> None:
        """Begin what was assigned; put down what was not assigned again, and then have the group assign it."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._forgotten:
                self._forgotten = False
                log.warning("broker_emptied", topic=CHANGES)
                await self._bus.renew()
            gained, lost = self._assigned - self._begun, self.held - self._assigned
            if self._stopping.is_set():
                continue
            self._begun |= gained
            self._begun -= lost
            await asyncio.gather(self._owner.gained(numbers(gained)), self._owner.lost(numbers(lost)))
            put_down = lost - self._assigned
            self.held -= put_down
            if put_down != lost:
                self._changed.set()  # some came back while they were being put down
            self._return_claimed()

    def _return_claimed(self) -> None:
        """Ask for a rebalance when we hold less than we last claimed; until then nobody else may take those partitions.

        Asked whenever partitions were put down, and again after each assignment: what was put down while the group was assigning
        still counted as held, and aiokafka forgets a wish of that time.
        """
        if self._consumer is not None and not set(self._claimed) <= set(numbers(self.held)):
            rejoin(self._consumer)

    # -- messages ---------------------------------------------------------------------------------------------------------

    async def _read(self, records: Mapping[TopicPartition, Sequence[Any]]) -> None:
        for partition, batch in records.items():
            backlog = self._backlogs.get(partition)
            if backlog is None or backlog.closed:
                continue
            for record in batch:
                known = backlog.seen(record.offset)
                message: Message
                try:
                    message = await self._decode(record, backlog)
                except (UnreadableEvent, KeyMissing) as error:
                    message = self._owner.adopt(unreadable(record, error, quiet=known))
                if self._bus.traces.on and isinstance(message, Change) and message.event is not None:
                    self._bus.traces.carried(message.event, record.headers)
                queue = backlog.queue(message.practice)
                if queue.offer(record.offset, message) and not queue.busy:
                    queue.busy = True
                    assert self._tasks is not None
                    self._tasks.create_task(self._record(partition, backlog, message.practice, queue))

    async def _decode(self, record: Any, backlog: Backlog) -> Message:
        """A message; one sealed with a key that is not known here is read again with the keys of now. Raises as `decode_message`.

        Whoever sealed it may have learnt of the key first. While PostgreSQL is away nobody can tell, and nothing could be recorded.
        """
        try:
            return decode_message(record.value, self._bus.keyring)
        except KeyMissing as error:
            missing = error.practice
        while not backlog.closed:
            try:
                await self._bus.keyring.refresh([missing])
            except AWAY as error:
                log.warning("keys_unknown", topic=CHANGES, error_type=type(error).__name__)
                await asyncio.sleep(KEYS_PAUSE)
                self.beat = asyncio.get_running_loop().time()
                continue
            break
        return decode_message(record.value, self._bus.keyring)

    async def _record(self, partition: TopicPartition, backlog: Backlog, practice: PracticeId, queue: Queue) -> None:
        """Record a practice's messages until none are left; alone in its wait when that does not succeed."""
        failures = 0
        try:
            while not backlog.closed and (batch := read_again(queue.take(), self._bus.keyring)):
                if await self._take(partition, practice, batch):
                    queue.done(len(batch))
                    failures = 0
                    continue
                failures += 1
                queue.pause()
                await asyncio.sleep(RECORDING.pause(failures))
        finally:
            queue.busy = False
        again = backlog.again(practice)
        if again is not None and not backlog.closed and self._consumer is not None:
            self._consumer.seek(partition, again)

    async def _take(self, partition: TopicPartition, practice: PracticeId, batch: Sequence[Message]) -> bool:
        """Have messages recorded; what lies in another partition than its practice's now is sent on to where its owner reads."""
        if self._bus.partition_of(practice) == partition.partition:
            return await self._owner.record(practice, batch)
        log.warning("messages_sent_on", practice=practice, partition=partition.partition, count=len(batch))
        try:
            await self._bus.publish(practice, batch)
        except ConnectionError as error:
            log.warning("messages_not_sent_on", practice=practice, error_type=type(error).__name__)
            return False
        return True

    # -- offsets ----------------------------------------------------------------------------------------------------------

    async def _commit(self, *, now: bool = False) -> None:
        """Commit what is recorded. Losing one is harmless: the next one says it again, or the messages come again."""
        time = asyncio.get_running_loop().time()
        consumer = self._consumer
        if consumer is None or (time < self._commit_at and not now):
            return
        offsets = {
            partition: offset
            for partition, backlog in self._backlogs.items()
            if (offset := backlog.offset) is not None and offset != backlog.committed
        }
        if not offsets:
            return
        self._commit_at = time + COMMIT_EVERY
        backlogs = {partition: self._backlogs[partition] for partition in offsets}
        try:
            async with asyncio.timeout(COMMIT_SECONDS):
                await consumer.commit(offsets)
        except COMMIT_LOST as error:
            log.warning("commit_dropped", error_type=type(error).__name__, partitions=len(offsets))
        except (KafkaError, TimeoutError) as error:
            log.warning("commit_failed", error_type=type(error).__name__, partitions=len(offsets))
        else:
            for partition, backlog in backlogs.items():
                backlog.committed = offsets[partition]

    async def _settle(self) -> None:
        """Begin nothing, wait a moment for what is being recorded, and commit."""
        for backlog in self._backlogs.values():
            backlog.closed = True
        until = asyncio.get_running_loop().time() + SETTLE_SECONDS
        while self._recording and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110 - a second at most
            await asyncio.sleep(0.01)
        await self._commit(now=True)

    @property
    def unrecorded(self) -> dict[PracticeId, int]:
        """Messages that were read and are not recorded yet, by practice."""
        queues = [found for one in self._backlogs.values() for found in one.queues.items()]
        return {practice: queue.size for practice, queue in queues if queue.size}

    @property
    def _recording(self) -> bool:
        return any(one.recording for one in self._backlogs.values())

    def _give_back(self) -> None:
        for backlog in self._backlogs.values():
            backlog.closed = True
        self._backlogs = {}


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, consumer: ChangeConsumer) -> None:
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._consumer.revoked()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        await self._consumer.assigned(set(assigned))
