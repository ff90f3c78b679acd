"""The stand-ins for aiokafka's clients, on a `Cluster` in memory (tests/simulation/kafka.py)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextvars import copy_context
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from tests.simulation.clock import Waking

if TYPE_CHECKING:
    from tests.simulation.kafka import Cluster, Group, Member, Record

EMPTY_POLL = 30.0
"""Seconds an empty poll lasts at most, once nothing has come for `BUSY` seconds: nothing depends on its coming back sooner."""

BUSY = 3.0


class Producer:
    """Idempotent: in order, never twice, and never giving up by itself."""

    def __init__(self, cluster: Cluster, _options: Mapping[str, object]) -> None:
        self._cluster = cluster
        self._pending: list[tuple[str, int, bytes | None, bytes, asyncio.Future[None]]] = []
        self._due = asyncio.Event()
        self._done = asyncio.Event()
        self._done.set()
        self._sending: asyncio.Task[None] | None = None
        self._sender = self._message_accumulator = self

    async def start(self) -> None:
        if self._cluster.away:
            raise KafkaConnectionError("no broker answers")
        self._sending = asyncio.create_task(self._send())
        self._sending.add_done_callback(_loud)

    async def stop(self) -> None:
        await self._done.wait()
        await self.close()

    async def close(self) -> None:
        """aiokafka's sender: gives up what is not sent."""
        if self._sending is not None:
            self._sending.cancel()
        self.fail_all(KafkaConnectionError("the producer was closed"))

    def fail_all(self, error: Exception) -> None:
        """aiokafka's accumulator: tell whoever waits."""
        for *_, sent in self._pending:
            if not sent.done():
                sent.set_exception(error)
                sent.exception()  # seen: it may be that nobody waits any more
        self._pending.clear()
        self._done.set()

    async def send(
        self, topic: str, value: bytes, key: bytes | None, partition: int | None, *, headers: object = None
    ) -> asyncio.Future[None]:
        """Headers carry traces only, which are off in the simulation."""
        while topic not in self._cluster.topics:
            await asyncio.sleep(1.0)
        sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append((topic, partition or 0, key, value, sent))
        self._done.clear()
        self._due.set()
        return sent

    async def _send(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            await self._cluster.reach()
            batch, count = self._pending[:], len(self._pending)
            for topic, partition, key, value, _ in batch:
                if topic in self._cluster.topics:
                    self._cluster.append(topic, partition, key, value)
            await asyncio.sleep(self._cluster.random.uniform(0.001, 0.01))
            for topic, *_, sent in batch:
                if not sent.done():
                    if topic in self._cluster.topics:
                        sent.set_result(None)
                    else:
                        sent.set_exception(KafkaConnectionError("the topic was lost"))
            del self._pending[:count]
            if self._pending:
                self._due.set()
            else:
                self._done.set()


class Consumer:
    """A member of a group, with manual commits; or, without a group, a reader of the partitions that it assigns itself."""

    def __init__(self, cluster: Cluster, options: Mapping[str, Any]) -> None:
        self._cluster = cluster
        self._group_id: str = options.get("group_id", "")
        self.strategy = options.get("partition_assignment_strategy", (None,))[0]
        self._coordinator = self
        self._topic = ""
        self._listener: Any = None
        self._member: Member | None = None
        self._assigned: set[TopicPartition] = set()
        self._positions: dict[int, int] = {}
        self._coordinating: asyncio.Task[None] | None = None
        self._fetched_at = 0.0
        self.generation = -1
        self.context = copy_context()
        self.rejoin = asyncio.Event()
        self.woken = Waking()

    async def start(self) -> None:
        if self._cluster.away:
            raise KafkaConnectionError("no broker answers")
        await self._cluster.reach()

    def subscribe(self, topics: list[str], listener: Any) -> None:
        self._topic, self._listener = topics[0], listener
        self._member = self._cluster.enter(self._group_id, self)
        self._coordinating = asyncio.create_task(self._coordinate())
        self._coordinating.add_done_callback(_loud)

    def assign(self, partitions: list[TopicPartition]) -> None:
        self._topic, self._assigned = partitions[0].topic, set(partitions)
        self._positions = {one.partition: 0 for one in partitions}

    def pause(self, *_partitions: TopicPartition) -> None:
        """Nothing is fetched here but by `getmany`."""

    resume = pause

    async def seek_to_beginning(self, *partitions: TopicPartition) -> None:
        self._positions |= {one.partition: 0 for one in partitions}

    async def stop(self) -> None:
        if self._coordinating is not None:
            self._coordinating.cancel()
            await asyncio.gather(self._coordinating, return_exceptions=True)
        if self._member is not None:
            await self._cluster.reach()
            self._cluster.drop(self._group, self._member)

    @property
    def _group(self) -> Group:
        return self._cluster.groups[self._group_id]

    def request_rejoin(self) -> None:
        self.rejoin.set()

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return self._cluster.partitions_of(topic)

    async def topics(self) -> set[str]:
        await self._cluster.reach()
        return set(self._cluster.topics)

    async def _coordinate(self) -> None:
        assert self._member is not None
        while True:
            self.rejoin.clear()
            await self._listener.on_partitions_revoked(set(self._assigned))
            self._assigned, self._positions = set(), {}
            mine = await self._cluster.join(self._group, self._member, self.strategy.metadata([self._topic]))
            self.generation = self._group.generation
            self._positions = {one: self._group.committed.get(one, 0) for one in mine}
            self._assigned = {TopicPartition(self._topic, one) for one in mine}
            await self._listener.on_partitions_assigned(set(self._assigned))
            self.woken.set()
            await self.rejoin.wait()

    async def getmany(
        self, *_only: TopicPartition, timeout_ms: int, max_records: int = 500
    ) -> dict[TopicPartition, list[Record]]:
        """What has come, at once when there is something; else waits a while for it."""
        loop = asyncio.get_running_loop()
        if not (found := self._fetch(max_records)):
            busy = loop.time() - self._fetched_at < BUSY
            if not await self.woken.wait(timeout_ms / 1000 if busy else EMPTY_POLL):
                return {}
            await asyncio.sleep(self._cluster.random.uniform(0.001, 0.05))
            found = self._fetch(max_records)
        if found:
            self._fetched_at = loop.time()
        return found

    def _fetch(self, most: int) -> dict[TopicPartition, list[Record]]:
        if self._cluster.away or self._topic not in self._cluster.topics:
            return {}
        found: dict[TopicPartition, list[Record]] = {}
        for partition in sorted(self._positions):
            log = self._cluster.topics[self._topic][partition]
            at = self._positions[partition] if self._positions[partition] <= len(log) else 0
            records = log[at : at + most]
            if records:
                self._positions[partition] = at + len(records)
                most -= len(records)
                found[TopicPartition(self._topic, partition)] = records
        return found

    def seek(self, partition: TopicPartition, offset: int) -> None:
        if partition not in self._assigned:
            raise IllegalStateError("not assigned")
        self._positions[partition.partition] = offset
        self.woken.set()

    async def position(self, partition: TopicPartition) -> int:
        if partition not in self._assigned:
            raise IllegalStateError("not assigned")
        return self._positions[partition.partition]

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        await self._cluster.reach()
        return {
            one: len(self._cluster.topics[one.topic][one.partition])
            for one in partitions
            if one.topic in self._cluster.topics
        }

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Raises CommitFailedError once the group has moved on, now and then also while it is about to."""
        if any(one not in self._assigned for one in offsets):
            raise IllegalStateError("not assigned")
        await self._cluster.reach()
        group, member = self._group, self._member
        assert member is not None
        stale = member.number not in group.members or self.generation != group.generation
        if stale or (group.rebalancing and self._cluster.random.random() < 0.5):
            raise CommitFailedError("the group has rebalanced")
        for partition, offset in offsets.items():
            log = self._cluster.topics[self._topic][partition.partition]
            before = group.committed.get(partition.partition, 0)
            for tell in self._cluster.committing:
                tell(log[before:offset])
            group.committed[partition.partition] = offset


class Admin:
    """Topics."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def start(self) -> None:
        if self._cluster.away:
            raise KafkaConnectionError("no broker answers")

    async def close(self) -> None:
        pass

    async def list_topics(self) -> list[str]:
        return list(self._cluster.topics)

    async def create_topics(self, topics: list[Any]) -> SimpleNamespace:
        for one in topics:
            self._cluster.topics[one.name] = [[] for _ in range(one.num_partitions)]
        return SimpleNamespace(topic_errors=[(one.name, 0) for one in topics])

    async def _send_request(self, request: MetadataRequest) -> SimpleNamespace:
        """The one request that is sent past the client's own methods (events/aiokafka_inside.py)."""
        known = self._cluster.topics
        topics = [{"topic": name, "partitions": list(range(len(known.get(name, ()))))} for name in request._topics or ()]
        return SimpleNamespace(to_object=lambda: {"topics": topics})


def _loud(task: asyncio.Task[None]) -> None:
    """A stand-in that fails is a defect of the simulation: the loop's exception handler hears of it."""
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error
