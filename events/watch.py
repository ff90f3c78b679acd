"""Watching a consumer for progress: not whether it goes round, but whether messages that are there come and get committed.

While the broker does not answer nothing is expected.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from events.backlog import Backlog
from events.bus import Bus
from events.topics import CHANGES, EVENTS
from events.witnessed import HEADS

log = structlog.get_logger()

ASK_SECONDS = 5.0


class Stalled(Exception):
    """The client does not do what it should; `where` says what did not move."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where


class Recounted(Stalled):
    """The topic has another number of partitions than when the practices were laid out over them."""


class Watch:
    """`seconds`: how long something may stand still."""

    def __init__(self, consumer: AIOKafkaConsumer, bus: Bus, seconds: float) -> None:
        self._consumer = consumer
        self._bus = bus
        self._seconds = seconds
        self._due = 0.0
        self._since: dict[str, tuple[object, float]] = {}

    async def look(self, backlogs: Mapping[TopicPartition, Backlog], *, rebalancing: bool) -> None:
        """Raises Stalled when something has stood still for too long, or when the topic had to be made anew; Recounted."""
        now = asyncio.get_running_loop().time()
        if now < self._due:
            return
        self._due = now + self._seconds / 6
        try:
            async with asyncio.timeout(ASK_SECONDS):
                known = self._consumer.partitions_for_topic(CHANGES)
                if not known:
                    await self._bus.restore_topics()
                    raise Stalled("topic")
                if len(known) != self._bus.partitions:
                    raise Recounted("partitions")
                await self._restore_others()
                positions = {one: await self._position(one) for one in backlogs}
                ends = await self._consumer.end_offsets(
                    list(backlogs)
                )  # asked last: a position beyond them is none that grew meanwhile
                await self._leave_lost_logs(positions, ends)
        except (KafkaError, TimeoutError):
            self._since.clear()
            return
        self._expect("rebalance", None, fine=not rebalancing)
        for one, backlog in backlogs.items():
            read, end = positions[one], ends.get(one, 0)
            self._expect(f"reading {one.partition}", read, fine=read is not None and read >= end)
            self._expect(f"committing {one.partition}", backlog.committed, fine=backlog.offset in (None, backlog.committed))

    async def _restore_others(self) -> None:
        """The topics that this client does not read, where somebody has deleted one."""
        unlisted = {EVENTS, HEADS} - await self._consumer.topics()
        if unlisted and (lost := await self._bus.restore_topics()):
            log.warning("topics_lost", topic=", ".join(lost))

    async def _leave_lost_logs(
        self, positions: Mapping[TopicPartition, int | None], ends: Mapping[TopicPartition, int]
    ) -> None:
        """A broker that lost its logs may keep the group's offsets, or be told them again: what is published from then on would not be
        read before the new log is as long as the old one was. Kafka itself refuses such an offset; not every broker does."""
        lost = []
        for one, read in positions.items():
            fine = read is None or read <= ends.get(one, 0)
            if self._stands(f"beyond {one.partition}", read, fine=fine):
                lost.append(one)
        if lost:
            await self._consumer.commit(await self._consumer.beginning_offsets(lost))
            raise Stalled("log")

    async def _position(self, partition: TopicPartition) -> int | None:
        """How far it has been fetched; None while that is not known."""
        try:
            async with asyncio.timeout(0.5):
                return int(await self._consumer.position(partition))
        except TimeoutError:
            return None

    def _expect(self, what: str, state: object, *, fine: bool) -> None:
        if self._stands(what, state, fine=fine):
            raise Stalled(what)

    def _stands(self, what: str, state: object, *, fine: bool) -> bool:
        """Whether it has not been fine, and in the same state, for too long."""
        now = asyncio.get_running_loop().time()
        kept = self._since.get(what)
        if fine or kept is None or kept[0] != state:
            self._since[what] = (state, now)
            return False
        return now - kept[1] > self._seconds
