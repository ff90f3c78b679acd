"""The Kafka bus: changes in, keyed by practice; consumed with manual commits, after the database has them.

Kafka is the buffer and the unit of scale-out, never the only copy (DESIGN 1.2). A commit that fails because the group is
rebalancing is dropped: the messages come again, and recording them again changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    CommitFailedError,
    GroupCoordinatorNotAvailableError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaConnectionError,
    KafkaError,
    RebalanceInProgressError,
    TopicAlreadyExistsError,
    UnknownMemberIdError,
)
from aiokafka.partitioner import murmur2

from events.codec import KeyMissing, Keyring, UnreadableEvent
from events.ids import PracticeId, event_id
from events.schema import Event, MessageUnreadable, Origin
from events.topics import CHANGES, EVENTS, Change, Message, decode_message, encode_message

log = structlog.get_logger()

BATCH = 500
FETCH_MS = 200
PUBLISH_SECONDS = 20.0
FLUSH_SECONDS = 10.0
COORDINATOR_TRIES = 40
COMMIT_LOST = (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError, IllegalStateError)

Handler = Callable[[Sequence[Message]], Awaitable[Collection[PracticeId]]]
Partitions = Callable[[Sequence[int]], Awaitable[None]]


class Bus:
    """A producer and what consumers need. `security` are aiokafka's own options.

    `together` names what some practices share (a vendor account with one limit): they get one partition, so one owner.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        security: Mapping[str, object],
        keyring: Keyring,
        *,
        enable_idempotence: bool = True,
        together: Mapping[PracticeId, str] | None = None,
    ) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.security = dict(security)
        self.keyring = keyring
        self.partitions = 0
        self._idempotence = enable_idempotence
        self._together = dict(together or {})
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect the producer. Raises aiokafka's KafkaConnectionError when no broker answers."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap_servers,
            acks="all",
            enable_idempotence=self._idempotence,
            linger_ms=2,
            max_request_size=8 * 1024 * 1024,
            request_timeout_ms=15_000,
            **self.security,
        )
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        self._producer = producer

    async def stop(self) -> None:
        """Send what is left, as far as the broker takes it within FLUSH_SECONDS; nothing unsent was reported as published."""
        if self._producer is None:
            return
        producer, self._producer = self._producer, None
        stopping = asyncio.ensure_future(producer.stop())
        done, _ = await asyncio.wait({stopping}, timeout=FLUSH_SECONDS)
        if not done:
            log.warning("messages_unsent", topic=CHANGES)
            await producer._sender.close()  # an idempotent producer flushes for ever while the broker is away
        await stopping

    async def ensure_topics(self, partitions: int, replication: int) -> None:
        """Create the topics that are missing; a different number of partitions is kept, and said."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers, **self.security)
        await admin.start()
        try:
            existing = set(await admin.list_topics())
            missing = [NewTopic(name, partitions, replication) for name in (CHANGES, EVENTS) if name not in existing]
            if missing:
                try:
                    await admin.create_topics(missing)
                except TopicAlreadyExistsError:
                    log.info("topic_exists", topic=CHANGES)
            self.partitions = await self._count(admin)
        finally:
            await admin.close()
        if self.partitions != partitions:
            log.warning("partitions_differ", topic=CHANGES, partitions=self.partitions, count=partitions)

    async def _count(self, admin: Any) -> int:
        """Partitions of the changes topic; a new topic takes a moment to show."""
        for _ in range(100):
            described = await admin.describe_topics([CHANGES])
            if described and described[0].get("partitions"):
                return len(described[0]["partitions"])
            await asyncio.sleep(0.1)
        raise KafkaConnectionError(f"topic {CHANGES} does not come into being")

    async def lag(self, group: str) -> dict[int, int]:
        """Messages of each partition of the changes that `group` has not committed yet. Raises KafkaError."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers, **self.security)
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap_servers, **self.security)
        try:
            await admin.start()
            await consumer.start()
            partitions = [TopicPartition(CHANGES, number) for number in range(await self._count(admin))]
            committed = await _committed(admin, group, partitions)
            ends, starts = await consumer.end_offsets(partitions), await consumer.beginning_offsets(partitions)
            done = {one: max(kept.offset, starts[one]) for one, kept in committed.items()}
            return {one.partition: max(0, ends[one] - done.get(one, starts[one])) for one in partitions}
        finally:
            await consumer.stop()
            await admin.close()

    async def find_partitions(self) -> None:
        """Learn how many partitions there are, without making any: for those who only publish. Raises KafkaError."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers, **self.security)
        try:
            await admin.start()
            self.partitions = await self._count(admin)
        finally:
            await admin.close()

    def partition_of(self, practice: PracticeId) -> int:
        """The partition of a practice, as any Kafka client's default partitioner finds it for its name or its account's."""
        name = self._together.get(practice, practice)
        return int((murmur2(name.encode()) & 0x7FFFFFFF) % self.partitions)

    async def publish(self, practice: PracticeId, messages: Sequence[Message]) -> None:
        """Publish in order; returns when the broker has acknowledged all. Raises ConnectionError when it does not."""
        values = [encode_message(message, self.keyring) for message in messages]
        await self._send(CHANGES, practice, values, self.partition_of(practice))

    async def publish_recorded(self, practice: PracticeId, values: Sequence[bytes]) -> None:
        """Publish recorded events (events/feed.py), in order. Raises ConnectionError as `publish` does."""
        await self._send(EVENTS, practice, values, None)

    async def _send(self, topic: str, practice: PracticeId, values: Sequence[bytes], partition: int | None) -> None:
        if not values:
            return
        producer = self._producer
        if producer is None:
            raise ConnectionError("the bus is not started")
        sent: list[asyncio.Future[Any]] = []
        try:
            # An idempotent producer never gives up by itself. What is late may still arrive, in its order: a message that
            # comes twice changes nothing.
            async with asyncio.timeout(PUBLISH_SECONDS):
                for value in values:
                    sent.append(await producer.send(topic, value, key=practice.encode(), partition=partition))
                await asyncio.shield(asyncio.gather(*sent))
        except (KafkaError, TimeoutError) as error:
            raise ConnectionError(f"Kafka did not take the message ({type(error).__name__})") from None


async def _committed(admin: Any, group: str, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, Any]:
    """A group's offsets; a broker that never had a group takes a moment to find who keeps them."""
    for _ in range(COORDINATOR_TRIES):
        try:
            found: dict[TopicPartition, Any] = await admin.list_consumer_group_offsets(group, partitions=partitions)
        except GroupCoordinatorNotAvailableError:
            await asyncio.sleep(0.2)
        else:
            return found
    raise GroupCoordinatorNotAvailableError(group)


def _unreadable(record: Any, error: Exception) -> Change:
    """The quarantine of a message that nobody can read, under the practice of its key; the same again is the same event."""
    practice = PracticeId((record.key or b"").decode(errors="replace"))
    raw = record.value or b""
    body = MessageUnreadable(
        topic=record.topic, partition=record.partition, offset=record.offset, reason=type(error).__name__, raw=raw
    )
    event = Event(
        id=event_id(practice, "MessageUnreadable", record.topic, record.partition, record.offset, raw),
        practice=practice,
        origin=Origin.CHARTWIRE,
        observed=datetime.fromtimestamp(record.timestamp / 1000, UTC),
        body=body,
    )
    return Change(practice=practice, event=event)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, consumer: ChangeConsumer, on_assigned: Partitions, on_revoked: Partitions) -> None:
        self._consumer = consumer
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._consumer.between_batches()
        self._consumer.released(revoked)
        if revoked:
            await self._on_revoked(sorted(one.partition for one in revoked))

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._consumer.took(assigned)


class ChangeConsumer:
    """Consumes the changes of the partitions that the group gives this worker."""

    def __init__(self, bus: Bus, group: str, *, session_timeout_seconds: float = 45.0) -> None:
        self._bus = bus
        self._group = group
        self._session_ms = int(session_timeout_seconds * 1000)
        self._consumer: AIOKafkaConsumer | None = None
        self._stopping = False
        self._busy = asyncio.Lock()
        self._assigned: set[TopicPartition] = set()
        self._unstarted: set[TopicPartition] = set()
        self.beat = 0.0

    async def run(self, handle: Handler, *, on_assigned: Partitions, on_revoked: Partitions) -> None:
        """Consume until `stop`. A batch's offsets are committed after `handle` returned for it.

        `handle` returns the practices that it could not record: their partitions' offsets are not committed.
        """
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bus.bootstrap_servers,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=self._session_ms,
            heartbeat_interval_ms=max(500, self._session_ms // 10),
            max_poll_interval_ms=max(300_000, self._session_ms * 2),
            **self._bus.security,
        )
        self._consumer = consumer
        await consumer.start()
        consumer.subscribe([CHANGES], listener=_Listener(self, on_assigned, on_revoked))
        try:
            while not self._stopping:
                records = await consumer.getmany(timeout_ms=FETCH_MS, max_records=BATCH)
                self.beat = asyncio.get_running_loop().time()
                async with self._busy:
                    if self._unstarted:
                        started, self._unstarted = self._unstarted, set()
                        await on_assigned(sorted(one.partition for one in started & self._assigned))
                    await self._take({tp: batch for tp, batch in records.items() if tp in self._assigned}, handle)
        finally:
            await consumer.stop()

    def stop(self) -> None:
        """Finish the batch under way, commit it and leave the group; `run` returns then."""
        self._stopping = True

    async def between_batches(self) -> None:
        """Wait for the batch under way: it is recorded and committed before its partition goes."""
        async with self._busy:
            pass

    def took(self, partitions: set[TopicPartition]) -> None:
        self._unstarted |= partitions - self._assigned
        self._assigned = set(partitions)

    def released(self, partitions: set[TopicPartition]) -> None:
        self._assigned -= partitions
        self._unstarted -= partitions

    async def _take(self, records: Mapping[TopicPartition, Sequence[Any]], handle: Handler) -> None:
        messages: list[Message] = []
        offsets: dict[TopicPartition, int] = {}
        for partition, batch in records.items():
            for record in batch:
                offsets[partition] = record.offset + 1
                try:
                    messages.append(decode_message(record.value, self._bus.keyring))
                except (UnreadableEvent, KeyMissing) as error:
                    messages.append(_unreadable(record, error))
                    log.error(
                        "message_unreadable",
                        topic=CHANGES,
                        partition=partition.partition,
                        offset=record.offset,
                        error_type=type(error).__name__,
                    )
        if not offsets or self._consumer is None:
            return
        left = {self._bus.partition_of(practice) for practice in await handle(messages)}
        offsets = {partition: offset for partition, offset in offsets.items() if partition.partition not in left}
        if not offsets:
            return
        try:
            await self._consumer.commit(offsets)
        except COMMIT_LOST as error:
            log.warning("commit_dropped", error_type=type(error).__name__, count=len(messages))
        except KafkaError as error:
            log.warning("commit_failed", error_type=type(error).__name__, count=len(messages))
