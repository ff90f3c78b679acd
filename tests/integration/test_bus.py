"""The bus against a Kafka-protocol broker: order per practice, offsets only after handling, unreadable messages stop nothing."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.protocol.group import JoinGroupRequest

from daemon.demo.embedded import EmbeddedBroker
from events import handover
from events.backlog import ROOM
from events.bus import Bus
from events.codec import Keyring, encode_event
from events.consumer import ChangeConsumer
from events.handover import numbers
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


async def test_a12_whether_a_broker_answers(bus: Bus, keyring: Keyring) -> None:
    await bus.reach()
    nowhere = Bus("127.0.0.1:1", {}, keyring, enable_idempotence=False)
    with pytest.raises(ConnectionError):
        await nowhere.reach()


class Reader:
    """A consumer of a group of its own, keeping what it recorded of the practices of this test's keyring."""

    def __init__(self, bus: Bus, group: str, seconds: float = 6.0, stall: float = 60.0) -> None:
        self.seen: list[Message] = []
        self.assigned: list[int] = []
        self.consumer = ChangeConsumer(bus, group, self, session_timeout_seconds=seconds)
        self.consumer._stall = stall
        self.able = True

    async def record(self, practice: PracticeId, messages: Sequence[Message]) -> bool:
        if self.able:
            self.seen += messages
        return self.able

    def adopt(self, unreadable: Change) -> Change:
        return unreadable

    async def gained(self, partitions: Sequence[int]) -> None:
        self.assigned += partitions

    async def lost(self, partitions: Sequence[int]) -> None:
        self.assigned = [one for one in self.assigned if one not in partitions]

    async def run(self) -> None:
        await self.consumer.run()


class Hesitant(Reader):
    """Not able at first. `offered` is what it was asked to record."""

    def __init__(self, bus: Bus, group: str) -> None:
        super().__init__(bus, group)
        self.able, self.offered = False, list[Message]()

    async def record(self, practice: PracticeId, messages: Sequence[Message]) -> bool:
        self.offered += messages
        return await super().record(practice, messages)


class Slow(Reader):
    """Puts nothing down until it `may_end`. `order` is what it gained and lost."""

    def __init__(self, bus: Bus, group: str) -> None:
        super().__init__(bus, group)
        self.putting_down, self.may_end = asyncio.Event(), asyncio.Event()
        self.order: list[tuple[str, tuple[int, ...]]] = []

    async def gained(self, partitions: Sequence[int]) -> None:
        if partitions:
            self.order.append(("gained", tuple(partitions)))
        await super().gained(partitions)

    async def lost(self, partitions: Sequence[int]) -> None:
        if partitions:
            self.putting_down.set()
            await self.may_end.wait()
            self.order.append(("lost", tuple(partitions)))
        await super().lost(partitions)


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


async def test_a_practices_messages_arrive_in_order_and_offsets_follow_recording(bus: Bus) -> None:
    group = f"order-{next(_groups)}"
    changes: list[Message] = [Change(practice=PRACTICE, event=observed(n)) for n in range(5)]
    end = Checkpoint(practice=PRACTICE, source=f"test.{group}", value="5")
    await bus.publish(PRACTICE, [*changes, end])
    first = Reader(bus, group)
    async with reading(first):
        await until(lambda: end in first.seen)
        mine = [one for one in first.seen if one.practice == PRACTICE]
        assert mine[-6:] == [*changes, end]
        past = Checkpoint(practice=OTHER, source=f"past.{group}", value="1")
        await bus.publish(OTHER, [past])
        await until(lambda: past in first.seen, 60)
        assert first.assigned == [0, 1, 2, 3]
    assert first.assigned == [], "what it held was put down before it left"

    again, more = Reader(bus, group), Checkpoint(practice=OTHER, source=f"more.{group}", value="1")
    async with reading(again):
        await bus.publish(OTHER, [more])
        await until(lambda: more in again.seen, 60)
    assert end not in again.seen, "what was recorded and committed does not come again"


async def test_offsets_beyond_a_log_that_was_lost_are_left(bus: Bus) -> None:
    """The group keeps offsets of the log that was there before: nothing was read, `status` said 0 messages behind, and readiness 200."""
    group = f"lost-{next(_groups)}"
    change = Checkpoint(practice=PRACTICE, source=f"test.{group}", value="1")
    await bus.publish(PRACTICE, [change])
    number = bus.partition_of(PRACTICE)
    before = AIOKafkaConsumer(bootstrap_servers=bus.bootstrap_servers, group_id=group, enable_auto_commit=False)
    await before.start()
    try:
        before.assign([TopicPartition(CHANGES, number)])
        await before.commit({TopicPartition(CHANGES, number): 1_000_000})
    finally:
        await before.stop()
    assert (await bus.lag(group))[number] > 0, "none of it was read"
    reader = Reader(bus, group, stall=1.0)
    async with reading(reader):
        await until(lambda: change in reader.seen, 60)


async def test_what_was_not_recorded_is_offered_again(bus: Bus) -> None:
    """To the same reader, and to the next one when it leaves."""
    group = f"again-{next(_groups)}"
    unable = Reader(bus, group)
    unable.able = False
    marker = Checkpoint(practice=PRACTICE, source=f"marker.{group}", value="1")
    await bus.publish(PRACTICE, [marker])
    async with reading(unable):
        await until(lambda: unable.assigned == [0, 1, 2, 3], 30)
        await until(lambda: any(backlog.offset is not None for backlog in unable.consumer._backlogs.values()), 30)
    assert unable.seen == []
    second = Reader(bus, group)
    async with reading(second):
        await until(lambda: marker in second.seen, 60)
    late, next_ = Reader(bus, group), Checkpoint(practice=PRACTICE, source=f"marker.{group}", value="2")
    late.able = False
    await bus.publish(PRACTICE, [next_])
    async with reading(late):
        await until(lambda: any(one.queues for one in late.consumer._backlogs.values()), 60)
        late.able = True
        await until(lambda: next_ in late.seen, 30)


async def test_what_is_put_down_while_the_group_assigns_is_given_to_somebody(bus: Bus) -> None:
    """A holder that has said that it holds them, and puts them down before it hears what it was given: nobody got them."""
    group = f"meanwhile-{next(_groups)}"
    holder, other = Slow(bus, group), Reader(bus, group)

    async with reading(holder):
        await until(lambda: holder.assigned == [0, 1, 2, 3], 60)
        async with reading(other):
            try:
                await until(lambda: holder.consumer._assigned != holder.consumer.held, 60)
                assert holder.consumer._consumer is not None
                assert other.consumer._consumer is not None
                coordinator = holder.consumer._consumer._coordinator
                send = coordinator._send_req

                async def late(request: object) -> object:
                    answer = await send(request)
                    if isinstance(request, JoinGroupRequest):
                        holder.may_end.set()
                        await until(lambda: holder.consumer.held == holder.consumer._assigned, 60)
                    return answer

                coordinator._send_req = late
                other.consumer._consumer._coordinator.request_rejoin()
                await until(
                    lambda: sorted(holder.assigned + other.assigned) == [0, 1, 2, 3] and len(other.assigned) == 2, 60
                )
            finally:
                holder.may_end.set()


async def test_what_does_not_come_back_while_it_is_put_down_is_given_to_somebody(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three are to move, and before they are put down one of them is given back: the others are assigned all the same."""
    reader = Slow(bus, f"back-{next(_groups)}")
    share = handover.share

    def give(*partitions: int) -> None:
        assert reader.consumer._consumer is not None
        monkeypatch.setattr(handover, "share", lambda _all, claims: {one: list(partitions) for one in claims})
        reader.consumer._consumer._coordinator.request_rejoin()

    async with reading(reader):
        await until(lambda: reader.assigned == [0, 1, 2, 3], 60)
        try:
            give(0)
            await until(lambda: numbers(reader.consumer._assigned) == (0,), 60)
            give(0, 1)
            await until(lambda: numbers(reader.consumer._assigned) == (0, 1), 60)
            monkeypatch.setattr(handover, "share", share)
        finally:
            reader.may_end.set()
        await until(lambda: numbers(reader.consumer._assigned) == (0, 1, 2, 3), 60)


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
    async with reading(reader):
        await until(lambda: marker in reader.seen)
    held = [one.event for one in reader.seen if isinstance(one, Change) and one.event and one.practice == PRACTICE]
    unreadable = [one.body for one in held if isinstance(one.body, MessageUnreadable)]
    assert [one.raw for one in unreadable[-5:-2]] == [b"garbage", b"", b""]
    assert {(one.topic, one.partition) for one in unreadable} == {(CHANGES, bus.partition_of(PRACTICE))}
    assert len({one.id for one in held}) == len(held)


async def test_what_came_while_the_key_was_away_is_read_once_it_is_back(bus: Bus, keyring: Keyring) -> None:
    """A practice records nothing without its key files. What waits for it meanwhile is set aside for nobody to try again."""
    group = f"keyless-{next(_groups)}"
    sent: list[Message] = [
        Change(practice=PRACTICE, event=observed(1)),
        Checkpoint(practice=PRACTICE, source=f"marker.{group}", value="1"),
    ]
    there = Bus(bus.bootstrap_servers, {}, Keyring(keyring.keys_of(OTHER)), enable_idempotence=False)
    await there.start()
    await there.ensure_topics(4, 1)
    try:
        await bus.publish(PRACTICE, sent)
        reader = Hesitant(there, group)
        async with reading(reader):
            await until(lambda: reader.offered)
            assert {type(one.event.body) for one in reader.offered if isinstance(one, Change) and one.event} == {
                MessageUnreadable
            }
            there.keyring.renew(keyring)
            reader.able = True
            await until(lambda: sent[1] in reader.seen)
    finally:
        await there.stop()
    assert [one for one in reader.seen if one in sent] == sent


async def test_a_practice_is_where_every_kafka_client_would_put_it(bus: Bus) -> None:
    """Otherwise a tool that publishes by key alone would break a practice's order."""
    assert bus._producer is not None
    for number in range(20):
        practice = PracticeId(f"practice-{number}")
        sent = await bus._producer.send_and_wait(EVENTS, b"", key=practice.encode())
        assert sent.partition == bus.partition_of(practice)


async def test_a_partition_moves_only_after_it_was_put_down(bus: Bus) -> None:
    """Its practice is drained first, and what stays is not touched."""
    group = f"handover-{next(_groups)}"
    first, second = Slow(bus, group), Reader(bus, group)
    async with reading(first):
        await until(lambda: first.assigned == [0, 1, 2, 3], 30)
        async with reading(second):
            await asyncio.wait_for(first.putting_down.wait(), 30)
            held, other = set(first.consumer.held), set(second.consumer.held)
            assert len(held) == 4
            assert not held & other
            assert second.assigned == []
            first.may_end.set()
            await until(lambda: len(second.assigned) == 2, 30)
            assert first.order == [("gained", (0, 1, 2, 3)), ("lost", (2, 3))]
            assert sorted(first.assigned + second.assigned) == [0, 1, 2, 3]


async def test_a_practice_that_cannot_be_recorded_holds_up_no_other(bus: Bus) -> None:
    """Not even one of its own partition, and not even when more of its messages come than there is room for; none is lost,
    and its order is kept."""
    group = f"stuck-{next(_groups)}"
    stuck, fine = _neighbours(bus)
    free = asyncio.Event()

    class Blocked(Reader):
        async def record(self, practice: PracticeId, messages: Sequence[Message]) -> bool:
            if practice == stuck:
                await free.wait()
            return await super().record(practice, messages)

    def marks(practice: PracticeId, start: int, count: int) -> list[Message]:
        return [Checkpoint(practice=practice, source=group, value=f"{start + number:05}") for number in range(count)]

    mine, theirs = marks(stuck, 0, 2 * ROOM + 10), marks(fine, 0, 20)
    one = Blocked(bus, group)
    async with reading(one):
        await until(lambda: one.assigned == [0, 1, 2, 3], 30)
        for part in range(10):
            await bus.publish(stuck, mine[part * 201 : (part + 1) * 201])
            await bus.publish(fine, theirs[part * 2 : (part + 1) * 2])
        await until(lambda: [each for each in one.seen if each.practice == fine] == theirs, 30)
        assert not any(each.practice == stuck for each in one.seen)
        free.set()
        await until(lambda: [each for each in one.seen if each.practice == stuck] == mine, 60)
        assert [each for each in one.seen if each.practice == fine] == theirs, "what was read twice is recorded once"


def _neighbours(bus: Bus) -> tuple[PracticeId, PracticeId]:
    """Two practices of one partition."""
    names = [PracticeId(f"neighbour-{number}") for number in range(9)]
    bus.keyring.renew(Keyring({f"{name}.1": name.encode().ljust(32) for name in names}))
    return next((a, b) for a, b in itertools.combinations(names, 2) if bus.partition_of(a) == bus.partition_of(b))
