"""The bus against a Kafka-protocol broker: order per practice, offsets only after handling, unreadable messages stop nothing."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence

import pytest_asyncio

from daemon.embedded import EmbeddedBroker
from events.bus import Bus, ChangeConsumer
from events.codec import Keyring
from events.topics import CHANGES, Change, Checkpoint, Message
from tests.conftest import OTHER, PRACTICE, until
from tests.integration.test_store import observed

_groups = itertools.count(1)


@pytest_asyncio.fixture
async def bus(broker: EmbeddedBroker, keyring: Keyring) -> AsyncIterator[Bus]:
    opened = Bus(broker.bootstrap_servers, {}, keyring, enable_idempotence=False)
    await opened.start()
    await opened.ensure_topics(4, 1)
    yield opened
    await opened.stop()


class Reader:
    """A consumer of a group of its own, keeping what it handled of the practices of this test's keyring."""

    def __init__(self, bus: Bus, group: str) -> None:
        self.seen: list[Message] = []
        self.assigned: list[int] = []
        self.consumer = ChangeConsumer(bus, group, session_timeout_seconds=6)
        self.fail = 0

    async def handle(self, messages: Sequence[Message]) -> None:
        if self.fail:
            self.fail -= 1
            raise ConnectionError
        self.seen += messages

    async def on_assigned(self, partitions: Sequence[int]) -> None:
        self.assigned += partitions

    async def on_revoked(self, partitions: Sequence[int]) -> None:
        self.assigned = [one for one in self.assigned if one not in partitions]

    async def run(self) -> None:
        await self.consumer.run(self.handle, on_assigned=self.on_assigned, on_revoked=self.on_revoked)


async def test_a_practices_messages_arrive_in_order_and_offsets_follow_handling(bus: Bus) -> None:
    group = f"order-{next(_groups)}"
    changes: list[Message] = [Change(practice=PRACTICE, event=observed(n)) for n in range(5)]
    end = Checkpoint(practice=PRACTICE, source=f"test.{group}", value="5")
    await bus.publish(PRACTICE, [*changes, end])
    first = Reader(bus, group)
    task = asyncio.create_task(first.run())
    await until(lambda: end in first.seen)
    mine = [one for one in first.seen if one.practice == PRACTICE]
    assert mine[-6:] == [*changes, end]
    assert first.assigned == [0, 1, 2, 3]
    first.consumer.stop()
    await task

    again = Reader(bus, group)
    task = asyncio.create_task(again.run())
    more = Checkpoint(practice=OTHER, source=f"more.{group}", value="1")
    await bus.publish(OTHER, [more])
    await until(lambda: more in again.seen, 60)
    assert end not in again.seen, "what was handled and committed does not come again"
    again.consumer.stop()
    await task


async def test_what_was_not_handled_comes_again(bus: Bus) -> None:
    group = f"again-{next(_groups)}"
    failing = Reader(bus, group)
    failing.fail = 1
    marker = Checkpoint(practice=PRACTICE, source=f"marker.{group}", value="1")
    await bus.publish(PRACTICE, [marker])
    task = asyncio.create_task(failing.run())
    await until(task.done)
    assert isinstance(task.exception(), ConnectionError)
    second = Reader(bus, group)
    task = asyncio.create_task(second.run())
    await until(lambda: marker in second.seen, 60)
    second.consumer.stop()
    await task


async def test_an_unreadable_message_is_passed_over(bus: Bus) -> None:
    group = f"garbage-{next(_groups)}"
    assert bus._producer is not None
    await bus._producer.send_and_wait(CHANGES, b"garbage", key=PRACTICE.encode(), partition=bus.partition_of(PRACTICE))
    marker = Checkpoint(practice=PRACTICE, source=f"marker.{group}", value="1")
    await bus.publish(PRACTICE, [marker])
    reader = Reader(bus, group)
    task = asyncio.create_task(reader.run())
    await until(lambda: marker in reader.seen)
    reader.consumer.stop()
    await task
