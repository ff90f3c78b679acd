"""Kafka in memory: a partitioned log, groups that rebalance, committed offsets. `events.bus` runs on it unchanged.

`Cluster.into(module)` puts the stand-ins for aiokafka's three clients where `events.bus` looks for them. Instead of beating,
members are told of a rebalance within a heartbeat's time, and missed once their process has been still for a session's.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.simulation.clock import Process, VirtualLoop, process_now
from tests.simulation.kafka_clients import Admin, Consumer, Producer

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

    def partitions_of(self, topic: str) -> set[int] | None:
        return _Metadata(self.topics).partitions_for_topic(topic)

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
