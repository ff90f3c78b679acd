"""The bus on Apache Kafka: the contract that every broker has to keep, and what only a group on a real one shows."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient
from structlog.testing import capture_logs

from events.bus import FLUSH_SECONDS, Bus, ChangeConsumer
from events.codec import Keyring
from events.ids import PracticeId
from events.topics import CHANGES, EVENTS, Checkpoint, Message
from tests.conftest import OTHER, PRACTICE, until
from tests.integration.test_bus import (  # noqa: F401
    Reader,
    test_a_practice_is_where_every_kafka_client_would_put_it,
    test_a_practices_messages_arrive_in_order_and_offsets_follow_handling,
    test_an_unreadable_message_is_set_aside,
    test_partitions_are_handed_over_between_batches,
    test_what_was_not_handled_comes_again,
)
from tests.kafka.conftest import Kafka
from tests.kafka.member import member

SESSION = 3.0
"""A session time-out in seconds, far below a production one so that the tests are short."""

_groups = itertools.count(1)


@pytest_asyncio.fixture
async def bus(kafka: Kafka, keyring: Keyring) -> AsyncIterator[Bus]:
    opened = Bus(kafka.bootstrap_servers, {}, keyring)
    await opened.start()
    await opened.ensure_topics(4, 1)
    yield opened
    await opened.stop()


@asynccontextmanager
async def reading(*readers: Reader) -> AsyncIterator[None]:
    """Readers at work; they leave the group at the end, whatever happened."""
    async with asyncio.TaskGroup() as running:
        for reader in readers:
            running.create_task(reader.run())
        try:
            yield
        finally:
            for reader in readers:
                reader.consumer.stop()


def reader(bus: Bus, group: str, seconds: float = SESSION) -> Reader:
    one = Reader(bus, group)
    one.consumer = ChangeConsumer(bus, group, session_timeout_seconds=seconds)
    return one


def marker(group: str, number: int = 1, practice: PracticeId = PRACTICE) -> Checkpoint:
    return Checkpoint(practice=practice, source=f"marker.{group}", value=str(number))


async def everywhere(bus: Bus, group: str, number: int) -> list[Checkpoint]:
    """Publish to every partition (practices elm and oak are in two of them, which is enough to see both halves)."""
    sent = [marker(group, number, practice) for practice in (PRACTICE, OTHER)]
    for one in sent:
        await bus.publish(one.practice, [one])
    return sent


async def test_topics_have_their_partitions_and_keep_them(kafka: Kafka, bus: Bus) -> None:
    await bus.ensure_topics(9, 1)
    assert bus.partitions == 4, "practices would change their partition"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        described = await admin.describe_topics([CHANGES, EVENTS])
    finally:
        await admin.close()
    assert {one["topic"]: len(one["partitions"]) for one in described} == {CHANGES: 4, EVENTS: 4}


async def test_the_producer_is_idempotent(bus: Bus) -> None:
    await bus.publish(PRACTICE, [marker("idempotent")])
    assert bus._producer is not None
    assert bus._producer._txn_manager.producer_id >= 0, "the broker numbers what it gets, so a repeated send is one message"


async def test_a_second_consumer_takes_its_part_and_gives_it_back(bus: Bus) -> None:
    """aiokafka's protocol is eager: everybody gives everything back first, so `on_revoked` names all partitions."""
    group = f"join-{next(_groups)}"
    first, second = reader(bus, group), reader(bus, group)
    async with reading(first):
        await until(lambda: first.assigned == [0, 1, 2, 3], 30)
        async with reading(second):
            await until(lambda: len(first.assigned) == len(second.assigned) == 2, 30)
            assert sorted(first.assigned + second.assigned) == [0, 1, 2, 3]
            sent = await everywhere(bus, group, 1)
            await until(lambda: all((one in first.seen) + (one in second.seen) == 1 for one in sent))
            for one in sent:
                owner = first if bus.partition_of(one.practice) in first.assigned else second
                assert one in owner.seen
        await until(lambda: sorted(first.assigned) == [0, 1, 2, 3], 30)
        sent = await everywhere(bus, group, 2)
        await until(lambda: all(one in first.seen for one in sent))


async def test_the_partitions_of_a_killed_consumer_move(kafka: Kafka, bus: Bus) -> None:
    group = f"killed-{next(_groups)}"
    survivor = reader(bus, group)
    async with reading(survivor), member(kafka.bootstrap_servers, group, SESSION) as other:
        await until(lambda: len(survivor.assigned) == len(other.partitions) == 2, 30)
        other.process.kill()
        await until(lambda: len(survivor.assigned) == 4, SESSION + 15)
        sent = await everywhere(bus, group, 1)
        await until(lambda: all(one in survivor.seen for one in sent))


async def test_a_suspended_consumer_comes_back_into_the_group(kafka: Kafka, bus: Bus) -> None:
    group = f"suspended-{next(_groups)}"
    survivor = reader(bus, group)
    async with reading(survivor), member(kafka.bootstrap_servers, group, SESSION) as other:
        await until(lambda: len(survivor.assigned) == len(other.partitions) == 2, 30)
        other.process.send_signal(signal.SIGSTOP)
        await until(lambda: len(survivor.assigned) == 4, SESSION + 15)
        other.process.send_signal(signal.SIGCONT)
        await until(lambda: len(survivor.assigned) == len(other.partitions) == 2, 30)
        assert sorted(survivor.assigned + other.partitions) == [0, 1, 2, 3]


async def test_a_batch_may_take_longer_than_the_session(bus: Bus) -> None:
    """Heartbeats go on beside the batch: nothing moves, and its offsets are committed."""
    group = f"long-{next(_groups)}"
    slow = marker(group)

    class Slow(Reader):
        revoked = 0

        async def handle(self, messages: Sequence[Message]) -> set[PracticeId]:
            if slow in messages:
                await asyncio.sleep(2 * SESSION)
            return await super().handle(messages)

        async def on_revoked(self, partitions: Sequence[int]) -> None:
            self.revoked += 1
            await super().on_revoked(partitions)

    first = Slow(bus, group)
    first.consumer = ChangeConsumer(bus, group, session_timeout_seconds=SESSION)
    await bus.publish(PRACTICE, [slow])
    async with reading(first):
        await until(lambda: slow in first.seen, 30)
        assert first.revoked == 0
    again, after = reader(bus, group), marker(group, 2)
    async with reading(again):
        await bus.publish(PRACTICE, [after])
        await until(lambda: after in again.seen, 30)
        assert slow not in again.seen


async def test_a_batch_that_outlasts_a_rebalance_stalls_nobody(bus: Bus) -> None:
    """The group goes on without the busy consumer: its commit is dropped, the messages go to the new owner, and both
    consume on their own afterwards."""
    group = f"middle-{next(_groups)}"
    entered, finish = asyncio.Event(), asyncio.Event()
    sent = await everywhere(bus, group, 1)

    class Busy(Reader):
        async def handle(self, messages: Sequence[Message]) -> set[PracticeId]:
            if not entered.is_set() and any(one in messages for one in sent):
                entered.set()
                await finish.wait()
            return await super().handle(messages)

    first, second = Busy(bus, group), reader(bus, group)
    first.consumer = ChangeConsumer(bus, group, session_timeout_seconds=SESSION)
    with capture_logs() as logs:
        async with reading(first):
            await asyncio.wait_for(entered.wait(), 30)
            async with reading(second):
                await until(lambda: len(second.assigned) == 4, SESSION + 15)
                await until(lambda: all(one in second.seen for one in sent), 30)
                finish.set()
                await until(lambda: len(first.assigned) == len(second.assigned) == 2, 30)
                more = await everywhere(bus, group, 2)
                await until(lambda: all((one in first.seen) + (one in second.seen) == 1 for one in more))
            await until(lambda: len(first.assigned) == 4, 30)
            last = await everywhere(bus, group, 3)
            await until(lambda: all(one in first.seen for one in last))
    assert "commit_dropped" in [one["event"] for one in logs]


async def test_a_broker_that_was_away_is_taken_up_again(kafka: Kafka, bus: Bus) -> None:
    """Away for longer than publishing waits: it fails, whoever published tries again, and that arrives."""
    group = f"away-{next(_groups)}"
    one = reader(bus, group)
    async with reading(one):
        before = await everywhere(bus, group, 1)
        await until(lambda: all(each in one.seen for each in before), 30)
        await kafka.stop()
        try:
            with pytest.raises(ConnectionError):
                await asyncio.wait_for(bus.publish(PRACTICE, [marker(group, 2)]), 40)
        finally:
            await kafka.start()
        after = await asyncio.wait_for(everywhere(bus, group, 3), 20)
        await until(lambda: all(each in one.seen for each in after), 30)


async def test_stopping_does_not_wait_for_a_broker_that_is_away(kafka: Kafka, keyring: Keyring) -> None:
    bus = Bus(kafka.bootstrap_servers, {}, keyring)
    await bus.start()
    await bus.ensure_topics(4, 1)
    await kafka.stop()
    try:
        publishing = asyncio.create_task(bus.publish(PRACTICE, [marker("unsent")]))
        await until(lambda: bus._producer is not None and bus._producer._message_accumulator._batches)
        await asyncio.wait_for(bus.stop(), FLUSH_SECONDS + 5)
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
    finally:
        await kafka.start()
