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

from tests.simulation.clock import Process, process_now

EMPTY_POLL = 30.0
"""Seconds an empty poll lasts at most: nothing depends on its coming back sooner."""


@dataclass
class Record:
    """A message in its partition."""

    offset: int
    key: bytes | None
    value: bytes


@dataclass
class Member:
    """A consumer as the group's coordinator knows it. `joined` while it waits for the next generation."""

    number: int
    consumer: Consumer
    process: Process | None
    joined: asyncio.Future[list[int]] | None = None
    told: bool = False


@dataclass
class Group:
    """`generation` counts the rebalances; `committed` the next offset to read, by partition."""

    generation: int = 0
    members: dict[int, Member] = field(default_factory=dict)
    owned: dict[int, list[int]] = field(default_factory=dict)
    committed: dict[int, int] = field(default_factory=dict)
    rebalancing: bool = False


class Cluster:
    """One topic of interest (the changes), as many groups as there are. `committing` hears of every commit."""

    def __init__(self, seed: object, *, session_seconds: float) -> None:
        self.random = random.Random(f"{seed}/kafka")
        self.session_seconds = session_seconds
        self.topics: dict[str, list[list[Record]]] = {}
        self.groups: dict[str, Group] = {}
        self.away = False
        self.committing: list[Callable[[int, int, list[Record]], None]] = []
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
        """All messages and committed offsets are gone, the topics are there: a broker that lost its disk."""
        for partitions in self.topics.values():
            for log in partitions:
                log.clear()
        for group in self.groups.values():
            group.committed.clear()
            for member in group.members.values():
                member.consumer.rewind()

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
        log.append(Record(len(log), key, value))
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
            wait = self.random.uniform(0.0, self.session_seconds / 10)
            loop.call_later(wait, member.consumer.rejoin.set, context=member.consumer.context)

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
        loop = asyncio.get_running_loop()
        for member in group.members.values():
            if member.joined is None and not member.told:
                member.told = True
                wait = self.random.uniform(0.0, self.session_seconds / 10)
                loop.call_later(wait, member.consumer.rejoin.set, context=member.consumer.context)
        self._complete(group)

    async def join(self, group: Group, member: Member) -> list[int]:
        """Wait for the next generation; returns the partitions in it."""
        await self.reach()
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
        partitions = len(next(iter(self.topics.values())))
        order = sorted(members, key=lambda member: member.number)
        group.owned = {
            member.number: [one for one in range(partitions) if one % len(order) == place]
            for place, member in enumerate(order)
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
        self._pending: asyncio.Queue[tuple[str, int, bytes | None, bytes, asyncio.Future[None]]] = asyncio.Queue()
        self._sending: asyncio.Task[None] | None = None
        self._sender = self

    async def start(self) -> None:
        if self._cluster.away:
            raise KafkaConnectionError("no broker answers")
        self._sending = asyncio.create_task(self._send())

    async def stop(self) -> None:
        await self._pending.join()
        await self.close()

    async def close(self) -> None:
        """aiokafka's sender: gives up what is not sent."""
        if self._sending is not None:
            self._sending.cancel()
        while not self._pending.empty():
            *_, sent = self._pending.get_nowait()
            sent.cancel()
            self._pending.task_done()

    async def send(self, topic: str, value: bytes, *, key: bytes | None, partition: int) -> asyncio.Future[None]:
        sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.put_nowait((topic, partition, key, value, sent))
        return sent

    async def _send(self) -> None:
        while True:
            waiting = [await self._pending.get()]
            while not self._pending.empty():
                waiting.append(self._pending.get_nowait())
            await self._cluster.reach()
            for topic, partition, key, value, _ in waiting:
                self._cluster.append(topic, partition, key, value)
            await asyncio.sleep(self._cluster.random.uniform(0.001, 0.01))
            for *_, sent in waiting:
                if not sent.done():
                    sent.set_result(None)
                self._pending.task_done()


class Consumer:
    """A member of a group, with manual commits."""

    def __init__(self, cluster: Cluster, options: Mapping[str, Any]) -> None:
        self._cluster = cluster
        self._group_id: str = options["group_id"]
        self._topic = ""
        self._listener: Any = None
        self._member: Member | None = None
        self._assigned: set[TopicPartition] = set()
        self._positions: dict[int, int] = {}
        self._generation = -1
        self._coordinating: asyncio.Task[None] | None = None
        self.context = copy_context()
        self.rejoin = asyncio.Event()
        self.woken = asyncio.Event()

    async def start(self) -> None:
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
        if self._assigned and self._listener is not None:
            revoked, self._assigned = self._assigned, set()
            await self._listener.on_partitions_revoked(revoked)
        if self._member is not None:
            self._cluster.drop(self._group, self._member)

    @property
    def _group(self) -> Group:
        return self._cluster.groups[self._group_id]

    def rewind(self) -> None:
        """The log has begun anew: out of range, so from the earliest."""
        self._positions = dict.fromkeys(self._positions, 0)

    async def _coordinate(self) -> None:
        assert self._member is not None
        while True:
            self.rejoin.clear()
            await self._listener.on_partitions_revoked(set(self._assigned))
            self._assigned, self._positions = set(), {}
            mine = await self._cluster.join(self._group, self._member)
            self._generation = self._group.generation
            self._positions = {one: self._group.committed.get(one, 0) for one in mine}
            self._assigned = {TopicPartition(self._topic, one) for one in mine}
            await self._listener.on_partitions_assigned(set(self._assigned))
            self.woken.set()
            await self.rejoin.wait()

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Record]]:
        """What has come, at once when there is something; else waits a while for it."""
        self.woken.clear()
        if not (found := self._fetched(max_records)):
            try:
                async with asyncio.timeout(max(timeout_ms / 1000, EMPTY_POLL)):
                    await self.woken.wait()
            except TimeoutError:
                return {}
            await asyncio.sleep(self._cluster.random.uniform(0.001, 0.05))
            found = self._fetched(max_records)
        return found

    def _fetched(self, most: int) -> dict[TopicPartition, list[Record]]:
        if self._cluster.away:
            return {}
        found: dict[TopicPartition, list[Record]] = {}
        for partition in sorted(self._positions):
            log = self._cluster.topics[self._topic][partition]
            at = min(self._positions[partition], len(log))
            records = log[at : at + most]
            if records:
                self._positions[partition] = at + len(records)
                most -= len(records)
                found[TopicPartition(self._topic, partition)] = records
        return found

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Raises CommitFailedError once the group has moved on, now and then also while it is about to."""
        if any(one not in self._assigned for one in offsets):
            raise IllegalStateError("not assigned")
        await self._cluster.reach()
        group, member = self._group, self._member
        assert member is not None
        stale = member.number not in group.members or self._generation != group.generation
        if stale or (group.rebalancing and self._cluster.random.random() < 0.5):
            raise CommitFailedError("the group has rebalanced")
        for partition, offset in offsets.items():
            log = self._cluster.topics[self._topic][partition.partition]
            before = group.committed.get(partition.partition, 0)
            for tell in self._cluster.committing:
                tell(before, offset, log[before:offset])
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
