"""The bus against a Kafka-protocol broker: order per practice, offsets only after handling, unreadable messages stop nothing."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest_asyncio

from daemon.embedded import EmbeddedBroker
from events.bus import Bus, ChangeConsumer
from events.codec import Keyring, encode_event
from events.ids import PracticeId
from events.schema import MessageUnreadable
from events.topics import CHANGES, EVENTS, Change, Checkpoint, Message, encode_message
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

    async def handle(self, messages: Sequence[Message]) -> set[PracticeId]:
        if self.fail:
            self.fail -= 1
            raise ConnectionError
        self.seen += messages
        return set()

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


def poisonous(keyring: Keyring) -> list[bytes | None]:
    """Messages that nobody can read: garbage, no value, a body cut short, another practice's event."""
    whole = encode_event(observed(1), keyring)
    cut = msgspec.msgpack.decode(whole)
    cut[-1] = cut[-1][:3]
    short = msgspec.msgpack.encode([PRACTICE, msgspec.msgpack.encode(cut), [], "", ""])
    return [b"garbage", b"", None, short, encode_message(Change(practice=OTHER, event=observed(1)), keyring)]


async def test_an_unreadable_message_is_set_aside(bus: Bus, keyring: Keyring) -> None:
    group = f"garbage-{next(_groups)}"
    assert bus._producer is not None
    for value in poisonous(keyring):
        await bus._producer.send_and_wait(CHANGES, value, key=PRACTICE.encode(), partition=bus.partition_of(PRACTICE))
    marker = Checkpoint(practice=PRACTICE, source=f"marker.{group}", value="1")
    await bus.publish(PRACTICE, [marker])
    reader = Reader(bus, group)
    task = asyncio.create_task(reader.run())
    await until(lambda: marker in reader.seen)
    reader.consumer.stop()
    await task
    held = [one.event for one in reader.seen if isinstance(one, Change) and one.event and one.practice == PRACTICE]
    unreadable = [one.body for one in held if isinstance(one.body, MessageUnreadable)]
    assert [one.raw for one in unreadable[-5:-2]] == [b"garbage", b"", b""]
    assert {(one.topic, one.partition) for one in unreadable} == {(CHANGES, bus.partition_of(PRACTICE))}
    assert len({one.id for one in held}) == len(held)


async def test_a_practice_is_where_every_kafka_client_would_put_it(bus: Bus) -> None:
    """Otherwise a tool that publishes by key alone would break a practice's order."""
    assert bus._producer is not None
    for number in range(20):
        practice = PracticeId(f"practice-{number}")
        sent = await bus._producer.send_and_wait(EVENTS, b"", key=practice.encode())
        assert sent.partition == bus.partition_of(practice)


async def test_partitions_are_handed_over_between_batches(bus: Bus) -> None:
    """A second worker joins while a batch is under way: it is recorded to its end before anything of it moves."""
    group = f"handover-{next(_groups)}"
    entered, rebalancing, finish = asyncio.Event(), asyncio.Event(), asyncio.Event()
    order: list[str] = []
    marker = Checkpoint(practice=PRACTICE, source=f"marker.{group}", value="1")

    class Slow(Reader):
        async def handle(self, messages: Sequence[Message]) -> set[PracticeId]:
            if marker in messages:
                entered.set()
                await finish.wait()
                order.append("recorded")
            return await super().handle(messages)

        async def on_revoked(self, partitions: Sequence[int]) -> None:
            order.append("revoked")
            await super().on_revoked(partitions)

    first, second = Slow(bus, group), Reader(bus, group)
    async with asyncio.TaskGroup() as running:
        running.create_task(first.run())
        await bus.publish(PRACTICE, [marker])
        await asyncio.wait_for(entered.wait(), 30)
        waits = first.consumer.between_batches

        async def between_batches() -> None:
            rebalancing.set()
            await waits()

        first.consumer.between_batches = between_batches  # type: ignore[method-assign]
        running.create_task(second.run())
        await asyncio.wait_for(rebalancing.wait(), 30)
        assert order == []
        finish.set()
        await until(lambda: len(first.assigned) == len(second.assigned) == 2, 60)
        first.consumer.stop()
        second.consumer.stop()
    assert order[:2] == ["recorded", "revoked"]
    assert first.seen.count(marker) == 1
    assert marker not in second.seen, "its offsets were committed before the partition went"
