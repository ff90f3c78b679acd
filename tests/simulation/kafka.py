"""Kafka in memory: a partitioned log, groups that rebalance, committed offsets. `events.bus` runs on it unchanged.

`Cluster.into(module)` puts the stand-ins for aiokafka's three clients where `events.bus` looks for them. Instead of beating,
members are told of a rebalance within a heartbeat's time, and missed once their process has been still for a session's.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from contextvars import copy_context
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaConnectionError

from tests.simulation.clock import Process, VirtualLoop, process_now

EMPTY_POLL = 30.0
"""Seconds an empty poll lasts at most, once nothing has come for `BUSY` seconds: nothing depends on its coming back sooner."""

BUSY = 3.0
HEARTBEAT = 1.0


@dataclass
class Record:
    """A message in its partition."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    timestamp: int
    """Milliseconds since 1970."""


@dataclass
class Member:
    """A consumer as the group's coordinator knows it. `joined` while it waits for the next generation."""

    number: int
    consumer: Consumer
    process: Process | None
    joined: asyncio.Future[list[int]] | None = None
    metadata: Any = None
    told: bool = False


@dataclass
class Group:
    """`generation` counts the rebalances; `committed` the next offset to read, by partition."""

    generation: int = 0
    members: dict[int, Member] = field(default_factory=dict)
    owned: dict[int, list[int]] = field(default_factory=dict)
    committed: dict[int, int] = field(default_factory=dict)
    rebalancing: bool = False


class _Metadata:
    """What an assignor asks the cluster."""

    def __init__(self, topics: Mapping[str, list[list[Record]]]) -> None:
        self._topics = topics

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return set(range(len(self._topics[topic]))) if topic in self._topics else None


class Cluster:
    """The brokers. `committing` hears of every commit of offsets: (partition's records from the last commit to this one)."""

    def __init__(self, seed: object, *, session_seconds: float) -> None:
        self.random = random.Random(f"{seed}/kafka")
        self.session_seconds = session_seconds
        self.topics: dict[str, list[list[Record]]] = {}
        self.groups: dict[str, Group] = {}
        self.away = False
        self.committing: list[Callable[[list[Record]], None]] = []
        self._back = asyncio.Event()
        self._back.set()
        self._numbers = count(1)

    def into(self, module: Any, patch: Callable[[Any, str, object], None]) -> None:
        """Let `module` make its clients here."""
        patch(module, "AIOKafkaProducer", lambda **options: Producer(self, options))
        patch(module, "AIOKafkaConsumer", lambda **options: Consumer(self, options))
        patch(module, "AIOKafkaAdminClient", lambda **options: Admin(self))

    # -- what befalls it --------------------------------------------------------------------------------------------------

    def leave(self) -> None:
        """Nobody reaches it."""
        self.away = True
        self._back.clear()

    def come_back(self) -> None:
        self.away = False
        self._back.set()
        self.wake()

    def lose_everything(self) -> None:
        """Topics, messages, groups and offsets are gone: a broker that lost its disk."""
        self.topics.clear()
        for group in self.groups.values():
            members = list(group.members.values())
            group.members, group.owned, group.committed, group.generation = {}, {}, {}, 0
            group.rebalancing = False
            for member in members:
                self._tell(member)

    async def reach(self) -> None:
        """A round trip; waits while it is away."""
        await asyncio.sleep(self.random.uniform(0.001, 0.01))
        while self.away:
            await self._back.wait()
            await asyncio.sleep(self.random.uniform(0.1, 2.0))

    def wake(self) -> None:
        """Tell all consumers that something has come."""
        for group in self.groups.values():
            for member in group.members.values():
                member.consumer.woken.set()

    def append(self, topic: str, partition: int, key: bytes | None, value: bytes) -> None:
        log = self.topics[topic][partition]
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        log.append(Record(topic, partition, len(log), key, value, int(loop.now().timestamp() * 1000)))
        self.wake()

    # -- groups -----------------------------------------------------------------------------------------------------------

    def enter(self, group_id: str, consumer: Consumer) -> Member:
        group = self.groups.setdefault(group_id, Group())
        member = Member(next(self._numbers), consumer, process_now())
        group.members[member.number] = member
        if member.process is not None:
            member.process.watchers.append(lambda: self._watch(group, member))
        return member

    def _watch(self, group: Group, member: Member) -> None:
        """The member's process was killed, suspended or resumed: it is missed when it stays still for a session."""
        process = member.process
        loop = asyncio.get_running_loop()
        if process is not None and process.still:
            loop.call_later(self.session_seconds, self._miss, group, member, process.stirred)
        elif member.number not in group.members:
            self._tell(member)

    def _tell(self, member: Member) -> None:
        """With its next heartbeat it hears that it has to join again."""
        loop = asyncio.get_running_loop()
        loop.call_later(self.random.uniform(0.0, HEARTBEAT), member.consumer.rejoin.set, context=member.consumer.context)

    def _miss(self, group: Group, member: Member, stirred: int) -> None:
        if member.process is not None and member.process.still and member.process.stirred == stirred:
            self.drop(group, member)

    def drop(self, group: Group, member: Member) -> None:
        """It has left, or is thought dead."""
        if group.members.pop(member.number, None) is not None:
            group.owned.pop(member.number, None)
            self.rebalance(group)

    def rebalance(self, group: Group) -> None:
        """Have every member join again; each hears of it with its next heartbeat."""
        group.rebalancing = True
        for member in group.members.values():
            if member.joined is None and not member.told:
                member.told = True
                self._tell(member)
        self._complete(group)

    async def join(self, group: Group, member: Member, metadata: Any) -> list[int]:
        """Wait for the next generation; returns the partitions in it."""
        await self.reach()
        member.metadata = metadata
        if member.number not in group.members:
            group.members[member.number] = member
        joined = member.joined = asyncio.get_running_loop().create_future()
        self.rebalance(group)
        return await joined

    def _complete(self, group: Group) -> None:
        members = list(group.members.values())
        if not members or any(member.joined is None for member in members):
            return
        group.generation += 1
        group.rebalancing = False
        order = sorted(members, key=lambda member: member.number)
        metadata = {str(member.number): member.metadata for member in order}
        shares = order[0].consumer.strategy.assign(_Metadata(self.topics), metadata)
        group.owned = {
            member.number: [one for _, mine in shares[str(member.number)].assignment for one in mine] for member in order
        }
        for member in order:
            member.told = False
            if member.joined is not None and not member.joined.done():
                member.joined.set_result(group.owned[member.number])
            member.joined = None


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

    async def send(self, topic: str, value: bytes, *, key: bytes | None, partition: int | None) -> asyncio.Future[None]:
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
    """A member of a group, with manual commits."""

    def __init__(self, cluster: Cluster, options: Mapping[str, Any]) -> None:
        self._cluster = cluster
        self._group_id: str = options["group_id"]
        self.strategy = options["partition_assignment_strategy"][0]
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
        self.woken = asyncio.Event()

    async def start(self) -> None:
        if self._cluster.away:
            raise KafkaConnectionError("no broker answers")
        await self._cluster.reach()

    def subscribe(self, topics: list[str], listener: Any) -> None:
        self._topic, self._listener = topics[0], listener
        self._member = self._cluster.enter(self._group_id, self)
        self._coordinating = asyncio.create_task(self._coordinate())
        self._coordinating.add_done_callback(_loud)

    async def stop(self) -> None:
        if self._coordinating is not None:
            self._coordinating.cancel()
            await asyncio.gather(self._coordinating, return_exceptions=True)
        await self._cluster.reach()
        if self._member is not None:
            self._cluster.drop(self._group, self._member)

    @property
    def _group(self) -> Group:
        return self._cluster.groups[self._group_id]

    def request_rejoin(self) -> None:
        self.rejoin.set()

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return _Metadata(self._cluster.topics).partitions_for_topic(topic)

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

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Record]]:
        """What has come, at once when there is something; else waits a while for it."""
        loop = asyncio.get_running_loop()
        self.woken.clear()
        if not (found := self._fetch(max_records)):
            busy = loop.time() - self._fetched_at < BUSY
            try:
                async with asyncio.timeout(timeout_ms / 1000 if busy else EMPTY_POLL):
                    await self.woken.wait()
            except TimeoutError:
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

    async def create_topics(self, topics: list[Any]) -> None:
        for one in topics:
            self._cluster.topics[one.name] = [[] for _ in range(one.num_partitions)]

    async def describe_topics(self, names: list[str]) -> list[dict[str, object]]:
        return [{"topic": name, "partitions": list(range(len(self._cluster.topics[name])))} for name in names]


def _loud(task: asyncio.Task[None]) -> None:
    """A stand-in that fails is a defect of the simulation: the loop's exception handler hears of it."""
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error
