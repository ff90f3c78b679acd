"""The Kafka bus: topics, and publishing to them, keyed by practice. Reading is events/consumer.py.

Kafka is the buffer and the unit of scale-out, never the only copy (deploy/DESIGN.md, The flow).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import zip_longest
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAlreadyExistsError,
    for_code,
)
from aiokafka.partitioner import murmur2

from events import aiokafka_inside
from events.codec import Keyring
from events.heads import PARTITION, SETTINGS, Heads
from events.ids import PracticeId
from events.keyed import keyed_event
from events.topics import CHANGES, EVENTS, Change, Message, encode_message
from events.traces import UNTRACED, Headers
from events.witnessed import HEADS

log = structlog.get_logger()

PUBLISH_SECONDS = 20.0
FLUSH_SECONDS = 10.0
REPLACE_PAUSE = 1.0
COORDINATOR_TRIES = 40


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
        self._wanted = (1, 1)
        self._idempotence = enable_idempotence
        self.together = dict(together or {})
        self.traces = UNTRACED
        self.heads = Heads(bootstrap_servers, security, keyring, self._publish_heads)
        self._producer: AIOKafkaProducer | None = None
        self._given_up: list[AIOKafkaProducer] = []
        self._started = False
        self._replacing = asyncio.Lock()

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
        self._producer, self._started = producer, True

    async def renew(self) -> None:
        """Go on with a producer of a new id: whoever publishes next gets one from the broker first.

        A broker that was emptied gives the old id away a second time. And a producer that has failed to deliver a message stays
        out of step with the broker, which refuses whatever it sends from then on (OutOfOrderSequenceNumber).
        """
        old, self._producer = self._producer, None
        if old is not None:
            log.warning("producer_replaced", topic=CHANGES)
            self._given_up.append(old)
            async with self._replacing:
                await self._end_given_up()

    async def _ready(self) -> AIOKafkaProducer:
        """The producer; a new one where the last was given up, as soon as the broker gives one."""
        async with self._replacing:
            await self._end_given_up()
            while self._producer is None:
                if not self._started:
                    raise ConnectionError("the bus is not started")
                try:
                    await self.start()
                except (KafkaError, OSError) as error:
                    log.warning("broker_unreachable", topic=CHANGES, error_type=type(error).__name__)
                    await asyncio.sleep(REPLACE_PAUSE)
            return self._producer

    async def _end_given_up(self) -> None:
        """What was not sent fails now: it is published again."""
        while self._given_up:
            await aiokafka_inside.give_up(self._given_up[0], KafkaConnectionError("the producer was replaced"))
            await self._given_up[0].stop()
            del self._given_up[0]

    async def reach(self) -> None:
        """Return when a broker answers. Raises ConnectionError."""
        producer = self._producer
        if producer is None:
            raise ConnectionError("no producer")
        try:
            await producer.client.fetch_all_metadata()
        except KafkaError as error:
            raise ConnectionError(f"no broker answers ({type(error).__name__})") from None

    async def stop(self) -> None:
        """Send what is left, as far as the broker takes it within FLUSH_SECONDS; nothing unsent was reported as published."""
        self._started = False
        await self.heads.close()
        async with self._replacing:
            await self._end_given_up()
            producer, self._producer = self._producer, None
        if producer is None:
            return
        stopping = asyncio.ensure_future(producer.stop())
        try:
            await asyncio.wait({stopping}, timeout=FLUSH_SECONDS)
        finally:
            if not stopping.done():
                log.warning("messages_unsent", topic=CHANGES)
                await aiokafka_inside.stop_sending(producer)
            await stopping

    async def ensure_topics(self, partitions: int, replication: int) -> None:
        """Create the topics that are missing; a different number of partitions is kept, and said."""
        self._wanted = (partitions, replication)
        await self.restore_topics()
        await self.find_partitions()
        if self.partitions != partitions:
            log.warning("partitions_differ", topic=CHANGES, partitions=self.partitions, count=partitions)

    async def restore_topics(self) -> list[str]:
        """Create the topics that are missing, as `ensure_topics` was told, and name them; who lays practices out counts anew first.

        A broker that makes topics by being written to may not list them, and has them all the same.
        """
        partitions, replication = self._wanted
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers, **self.security)
        await admin.start()
        try:
            unlisted = sorted({CHANGES, EVENTS, HEADS} - set(await admin.list_topics()))
            known = await aiokafka_inside.described(admin, unlisted) if unlisted else []
            lost = [one["topic"] for one in known if not one.get("partitions")]
            missing = [NewTopic(name, partitions, replication) for name in lost if name != HEADS]
            if HEADS in lost:
                missing.append(NewTopic(HEADS, 1, replication, topic_configs=SETTINGS))
            if missing:
                for topic, code, *_ in (await admin.create_topics(missing)).topic_errors:
                    _say_made(topic, for_code(code))
            return lost
        finally:
            await admin.close()

    async def _count(self, admin: Any, tries: int = 100) -> int:
        """Partitions of the changes topic; a new topic takes a moment to show."""
        for _ in range(tries):
            described = await aiokafka_inside.described(admin, [CHANGES])
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
            partitions = [TopicPartition(CHANGES, number) for number in range(await self._count(admin, tries=1))]
            committed = await _committed(admin, group, partitions)
            ends, starts = await consumer.end_offsets(partitions), await consumer.beginning_offsets(partitions)
            done = {one: max(kept.offset, starts[one]) for one, kept in committed.items() if kept.offset <= ends[one]}
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
        return _hash(self.together.get(practice, practice)) % self.partitions

    async def publish(self, practice: PracticeId, messages: Sequence[Message]) -> None:
        """Publish in order; returns when the broker has acknowledged all. Raises ConnectionError when it does not."""
        values = [encode_message(message, self.keyring) for message in messages]
        headers = [self._followed(message) for message in messages] if self.traces.on else ()
        await self._send(CHANGES, practice, values, self.partition_of(practice), headers)

    def _followed(self, message: Message) -> Headers:
        """What a message carries of its event's trace, which goes by the id that the event is recorded under."""
        if not isinstance(message, Change) or message.event is None:
            return []
        return self.traces.published(keyed_event(self.keyring, message.event))

    async def publish_recorded(self, practice: PracticeId, values: Sequence[bytes]) -> None:
        """Publish recorded events (events/feed.py), in order. Raises ConnectionError as `publish` does."""
        await self._send(EVENTS, practice, values, None)

    async def _publish_heads(self, practice: PracticeId, values: Sequence[bytes]) -> None:
        await self._send(HEADS, practice, values, PARTITION.partition)

    async def _send(
        self,
        topic: str,
        practice: PracticeId,
        values: Sequence[bytes],
        partition: int | None,
        headers: Sequence[Headers] = (),
    ) -> None:
        if not values:
            return
        producer: AIOKafkaProducer | None = None
        sent: list[asyncio.Future[Any]] = []
        try:
            # An idempotent producer never gives up by itself. What is late may still arrive, in its order: a message that
            # comes twice changes nothing.
            async with asyncio.timeout(PUBLISH_SECONDS):
                producer = self._producer or await self._ready()
                for value, carried in zip_longest(values, headers):
                    sent.append(await producer.send(topic, value, practice.encode(), partition, headers=carried))
                    sent[-1].add_done_callback(_retrieve)
                for one in sent:
                    await asyncio.shield(one)
        except (
            KafkaError,
            TimeoutError,
            AssertionError,
        ) as error:  # of a partition that it does not know yet, aiokafka asserts
            if producer is not None and producer is self._producer and not isinstance(error, MessageSizeTooLargeError):
                await self.renew()
            raise ConnectionError(f"Kafka did not take the message ({type(error).__name__})") from None


def _say_made(topic: str, answer: type[KafkaError]) -> None:
    """What became of a topic that was missing: aiokafka raises nothing where the broker refuses."""
    if issubclass(answer, TopicAlreadyExistsError):
        log.info("topic_exists", topic=topic)  # another worker was first
    elif answer.errno:
        log.error("topic_not_made", topic=topic, error_type=answer.__name__)
    else:
        log.info("topic_made", topic=topic)


@lru_cache(maxsize=65536)
def _hash(name: str) -> int:
    return int(murmur2(name.encode()) & 0x7FFFFFFF)


def _retrieve(sent: asyncio.Future[Any]) -> None:
    """Nobody may be waiting any more when it fails: asyncio need not complain of that."""
    if not sent.cancelled():
        sent.exception()


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
