"""Watching a consumer for progress: not whether it goes round, but whether messages that are there come and get committed.

While the broker does not answer nothing is expected.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from events.backlog import Backlog
from events.bus import Bus
from events.topics import CHANGES

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
                ends = await self._consumer.end_offsets(list(backlogs))
                positions = {one: await self._position(one) for one in backlogs}
        except (KafkaError, TimeoutError):
            self._since.clear()
            return
        self._expect("rebalance", None, fine=not rebalancing)
        for one, backlog in backlogs.items():
            read, end = positions[one], ends.get(one, 0)
            self._expect(f"reading {one.partition}", read, fine=read is not None and read >= end)
            self._expect(f"committing {one.partition}", backlog.committed, fine=backlog.offset in (None, backlog.committed))

    async def _position(self, partition: TopicPartition) -> int | None:
        """How far it has been fetched; None while that is not known."""
        try:
            async with asyncio.timeout(0.5):
                return int(await self._consumer.position(partition))
        except TimeoutError:
            return None

    def _expect(self, what: str, state: object, *, fine: bool) -> None:
        now = asyncio.get_running_loop().time()
        kept = self._since.get(what)
        if fine or kept is None or kept[0] != state:
            self._since[what] = (state, now)
        elif now - kept[1] > self._seconds:
            raise Stalled(what)
