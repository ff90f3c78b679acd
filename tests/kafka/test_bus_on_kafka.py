"""The bus on Apache Kafka: the contract that every broker has to keep, and what only a group on a real one shows."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from structlog.testing import capture_logs

from events.bus import Bus
from events.codec import Keyring
from events.ids import PracticeId
from events.topics import CHANGES, EVENTS, Checkpoint, Message, encode_message
from events.witnessed import HEADS
from tests.conftest import OTHER, PRACTICE, until
from tests.integration.test_bus import (  # noqa: F401
    Reader,
    reading,
    test_a_partition_moves_only_after_it_was_put_down,
    test_a_practice_is_where_every_kafka_client_would_put_it,
    test_a_practice_that_cannot_be_recorded_holds_up_no_other,
    test_a_practices_messages_arrive_in_order_and_offsets_follow_recording,
    test_an_unreadable_message_is_set_aside,
    test_what_came_while_the_key_was_away_is_read_once_it_is_back,
    test_what_was_not_recorded_is_offered_again,
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


@pytest.fixture
def keys(keyring: Keyring, tmp_path: Path) -> Path:
    """The folder of the keyring's files, for a process of its own."""
    return tmp_path / "keys"


def reader(bus: Bus, group: str, seconds: float = SESSION) -> Reader:
    return Reader(bus, group, seconds)


def marker(group: str, number: int = 1, practice: PracticeId = PRACTICE) -> Checkpoint:
    return Checkpoint(practice=practice, source=f"marker.{group}", value=str(number))


async def everywhere(bus: Bus, group: str, number: int) -> list[Checkpoint]:
    """Publish to every partition (practices elm and oak are in two of them, which is enough to see both halves)."""
    sent = [marker(group, number, practice) for practice in (PRACTICE, OTHER)]
    for one in sent:
        await bus.publish(one.practice, [one])
    return sent


async def insist(bus: Bus, messages: Sequence[Checkpoint]) -> None:
    """Publish each, again and again while the broker does not take it."""
    for one in messages:
        while True:
            try:
                await bus.publish(one.practice, [one])
            except ConnectionError:
                continue
            break


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


async def test_the_partitions_of_a_killed_consumer_move(kafka: Kafka, bus: Bus, keys: Path) -> None:
    group = f"killed-{next(_groups)}"
    survivor = reader(bus, group)
    async with reading(survivor), member(kafka.bootstrap_servers, group, SESSION, keys) as other:
        await until(lambda: len(survivor.assigned) == len(other.partitions) == 2, 30)
        other.process.kill()
        await until(lambda: len(survivor.assigned) == 4, SESSION + 15)
        sent = await everywhere(bus, group, 1)
        await until(lambda: all(one in survivor.seen for one in sent))


async def test_a_suspended_consumer_comes_back_into_the_group(kafka: Kafka, bus: Bus, keys: Path) -> None:
    group = f"suspended-{next(_groups)}"
    survivor = reader(bus, group)
    async with reading(survivor), member(kafka.bootstrap_servers, group, SESSION, keys) as other:
        await until(lambda: len(survivor.assigned) == len(other.partitions) == 2, 30)
        other.process.send_signal(signal.SIGSTOP)
        await until(lambda: len(survivor.assigned) == 4, SESSION + 15)
        other.process.send_signal(signal.SIGCONT)
        await until(lambda: len(survivor.assigned) == len(other.partitions) == 2, 30)
        assert sorted(survivor.assigned + other.partitions) == [0, 1, 2, 3]


async def test_a_recording_may_take_longer_than_the_session(bus: Bus) -> None:
    """Heartbeats go on beside it: nothing moves, and its offset is committed afterwards."""
    group = f"long-{next(_groups)}"
    slow = marker(group)

    class Slow(Reader):
        losses = 0

        async def record(self, practice: PracticeId, messages: Sequence[Message]) -> bool:
            if slow in messages:
                await asyncio.sleep(2 * SESSION)
            return await super().record(practice, messages)

        async def lost(self, partitions: Sequence[int]) -> None:
            self.losses += bool(partitions)
            await super().lost(partitions)

    first = Slow(bus, group, SESSION)
    await bus.publish(PRACTICE, [slow])
    async with reading(first):
        await until(lambda: slow in first.seen, 30)
        assert first.losses == 0
    again, after = reader(bus, group), marker(group, 2)
    async with reading(again):
        await bus.publish(PRACTICE, [after])
        await until(lambda: after in again.seen, 30)
        assert slow not in again.seen


async def test_a_recording_that_outlasts_a_rebalance_stalls_nobody(bus: Bus) -> None:
    """The group assigns anew without waiting for it; whoever gets the partition next gets the message too, and both consume
    on their own afterwards."""
    group = f"middle-{next(_groups)}"
    entered, finish = asyncio.Event(), asyncio.Event()
    sent = await everywhere(bus, group, 1)

    class Busy(Reader):
        async def record(self, practice: PracticeId, messages: Sequence[Message]) -> bool:
            if not finish.is_set() and any(one in messages for one in sent):
                entered.set()
                await finish.wait()
            return await super().record(practice, messages)

    first, second = Busy(bus, group, SESSION), reader(bus, group)
    async with reading(first):
        await asyncio.wait_for(entered.wait(), 30)
        async with reading(second):
            await until(lambda: len(first.assigned) == len(second.assigned) == 2, 30)
            finish.set()
            await until(lambda: all(one in first.seen + second.seen for one in sent), 30)
            more = await everywhere(bus, group, 2)
            await until(lambda: all(one in first.seen + second.seen for one in more), 30)
        await until(lambda: len(first.assigned) == 4, 30)
        last = await everywhere(bus, group, 3)
        await until(lambda: all(one in first.seen for one in last), 30)


async def test_missed_heartbeats_and_a_lost_commit_stall_nobody(kafka: Kafka, bus: Bus, keys: Path) -> None:
    """A consumer that blocks for longer than its session in the middle of a batch is given up by the group: its partitions
    move, its commit fails, and then it consumes again on its own."""
    group = f"blocked-{next(_groups)}"
    survivor = reader(bus, group)
    async with reading(survivor), member(kafka.bootstrap_servers, group, SESSION, keys, block=3 * SESSION) as other:
        await until(lambda: len(survivor.assigned) == len(other.partitions) == 2, 30)
        practice = next(one for one in (PRACTICE, OTHER) if bus.partition_of(one) in other.partitions)
        blocking = Checkpoint(practice=practice, source="block", value=group)
        await bus.publish(practice, [blocking])
        await until(lambda: len(survivor.assigned) == 4, 2 * SESSION + 15)
        await until(lambda: blocking in survivor.seen, 30)
        assert other.recorded == [], "it is in the middle of it"
        await until(lambda: len(survivor.assigned) == len(other.partitions) == 2, 30)
        assert other.recorded == [group]
        await until(lambda: any("commit_dropped" in line or "consumer_restarted" in line for line in other.logged), 10)
        sent = await everywhere(bus, group, 2)
        values = [one for one in sent if bus.partition_of(one.practice) in other.partitions]
        await until(lambda: all(one in survivor.seen or "2" in other.recorded for one in sent), 30)
        assert values == [] or "2" in other.recorded


async def test_a_client_that_stands_still_is_replaced(bus: Bus) -> None:
    """Messages are there and none comes, though the group is well: what users of aiokafka have reported."""
    group = f"still-{next(_groups)}"
    one = Reader(bus, group, SESSION, stall=2.0)
    with capture_logs() as logs:
        async with reading(one):
            first = await everywhere(bus, group, 1)
            await until(lambda: all(each in one.seen for each in first), 30)
            assert one.consumer._consumer is not None

            stands = asyncio.Event()

            async def nothing(*_args: object, **_more: object) -> dict[object, object]:
                stands.set()
                await asyncio.sleep(0.1)
                return {}

            before = len(logs)
            one.consumer._consumer.getmany = nothing
            await stands.wait()
            second = await everywhere(bus, group, 2)
            await until(lambda: all(each in one.seen for each in second), 30)
            assert one.assigned == [0, 1, 2, 3], "the practices went on"
    restarts = [each["reason"] for each in logs[before:] if each["event"] == "consumer_restarted"]
    assert restarts, "it was not replaced"
    assert any(each.startswith("reading ") for each in restarts), f"for what stood still: {restarts}"


async def test_a_broker_that_was_away_is_taken_up_again(kafka: Kafka, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Away for longer than publishing waits: it fails, whoever published tries again, and that arrives."""
    monkeypatch.setattr("events.bus.PUBLISH_SECONDS", 3.0)
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
        monkeypatch.undo()
        after = await asyncio.wait_for(everywhere(bus, group, 3), 30)
        await until(lambda: all(each in one.seen for each in after), 30)


async def test_a_broker_that_was_emptied_is_taken_up_again(kafka: Kafka, bus: Bus) -> None:
    """Topics, offsets and the group are gone: they are made anew, and what is published from then on arrives."""
    group = f"emptied-{next(_groups)}"
    one = Reader(bus, group, SESSION, stall=3.0)
    async with reading(one):
        before = await everywhere(bus, group, 1)
        await until(lambda: all(each in one.seen for each in before), 30)
        await kafka.wipe()
        after = [marker(group, 2, practice) for practice in (PRACTICE, OTHER)]
        await insist(bus, after)
        await until(lambda: all(each in one.seen for each in after), 60)
        assert one.assigned == [0, 1, 2, 3]


@asynccontextmanager
async def administered(kafka: Kafka) -> AsyncIterator[AIOKafkaAdminClient]:
    """An administrator of the topics, who leaves the changes with four partitions, and with nothing in them."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        yield admin
    finally:
        await made_anew(admin, 4)
        await admin.close()


async def made_anew(admin: AIOKafkaAdminClient, partitions: int) -> None:
    await admin.delete_topics([CHANGES])
    while CHANGES in await admin.list_topics():
        await asyncio.sleep(0.1)
    await admin.create_topics([NewTopic(CHANGES, partitions, 1)])


async def test_topics_that_are_only_written_to_are_made_anew_when_somebody_deletes_them(kafka: Kafka, bus: Bus) -> None:
    async with administered(kafka) as admin, reading(Reader(bus, f"deleted-{next(_groups)}", SESSION, stall=3.0)):
        await admin.delete_topics([EVENTS, HEADS])
        while {EVENTS, HEADS} & set(await admin.list_topics()):
            await asyncio.sleep(0.1)

        async def there() -> bool:
            return {EVENTS, HEADS} <= set(await admin.list_topics())

        await until(there, 30)
        (described,) = await admin.describe_topics([HEADS])
        assert len(described["partitions"]) == 1
        for publish in (bus.publish_recorded, bus._publish_heads):
            await insisted(publish)


async def insisted(publish: Callable[[PracticeId, Sequence[bytes]], Awaitable[None]]) -> None:
    """Publish once it is taken: the client may still think of the topic that was there before."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await publish(PRACTICE, [b"said"])
            except ConnectionError:
                continue


async def test_a_topic_that_was_given_more_partitions_is_laid_out_anew(
    kafka: Kafka, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that lies where its practice was before is sent on to where its practice is now."""
    monkeypatch.setattr("events.consumer.METADATA_MS", 500)
    names = [PracticeId(f"practice-{number}") for number in range(40)]
    one = Reader(bus, f"more-{next(_groups)}", SESSION, stall=3.0)
    async with administered(kafka) as admin, reading(one):
        await until(lambda: one.assigned == [0, 1, 2, 3], 30)
        before = {name: bus.partition_of(name) for name in (PRACTICE, OTHER, *names)}
        await admin.create_partitions({CHANGES: NewPartitions(total_count=9)})
        await until(lambda: bus.partitions == 9 and one.assigned == list(range(9)), 60)
        moved = next(name for name in (PRACTICE, OTHER) if bus.partition_of(name) != before[name])
        late = marker("more", 1, moved)
        assert bus._producer is not None
        sealed = encode_message(late, bus.keyring)
        await bus._producer.send_and_wait(CHANGES, sealed, key=moved.encode(), partition=before[moved])
        await until(lambda: late in one.seen, 30)
        later = [marker("more", 2, name) for name in (PRACTICE, OTHER)]
        for each in later:
            await bus.publish(each.practice, [each])
        await until(lambda: all(each in one.seen for each in later), 30)
        assert one.seen.count(late) == 1


async def test_a_topic_that_was_made_anew_with_fewer_partitions_is_laid_out_anew(
    kafka: Kafka, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("events.consumer.METADATA_MS", 500)
    one = Reader(bus, f"fewer-{next(_groups)}", SESSION, stall=3.0)
    async with administered(kafka) as admin, reading(one):
        await until(lambda: one.assigned == [0, 1, 2, 3], 30)
        await made_anew(admin, 2)
        await until(lambda: bus.partitions == 2 and one.assigned == [0, 1], 60)
        sent = [marker("fewer", number, name) for number in range(3) for name in (PRACTICE, OTHER)]
        await insist(bus, sent)
        await until(lambda: all(each in one.seen for each in sent), 30)


async def test_stopping_does_not_wait_for_a_broker_that_is_away(
    kafka: Kafka, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("events.bus.FLUSH_SECONDS", 2.0)
    bus = Bus(kafka.bootstrap_servers, {}, keyring)
    await bus.start()
    await bus.ensure_topics(4, 1)
    await bus.publish(PRACTICE, [marker("sent")])  # so that the producer knows the topic
    await kafka.stop()
    try:
        publishing = asyncio.create_task(bus.publish(PRACTICE, [marker("unsent")]))
        await until(lambda: bus._producer is not None and bus._producer._message_accumulator._batches)
        await asyncio.wait_for(bus.stop(), 7)
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
    finally:
        await kafka.start()
