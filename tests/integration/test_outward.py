"""The outward feed on a real broker: nothing missed, nothing invented, each event once and in order for who listens."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, TopicPartition

from daemon.demo.embedded import EmbeddedBroker
from daemon.runtime.outward import Feed
from events.bus import Bus
from events.chain import COVERED, GENESIS, link
from events.codec import KeyMissing, Keyring
from events.feed import RESTART, InOrder, NotAnEvent, Published, decode_published
from events.ids import PracticeId
from events.store import Store
from events.topics import EVENTS
from tests.conftest import until
from tests.integration.test_store import observed

PARTITIONS = 4


@pytest_asyncio.fixture
async def bus(broker: EmbeddedBroker, keyring: Keyring) -> AsyncIterator[Bus]:
    opened = Bus(broker.bootstrap_servers, {}, keyring, enable_idempotence=False)
    await opened.start()
    await opened.ensure_topics(PARTITIONS, 1)
    yield opened
    await opened.stop()


_numbers = itertools.count(1)


@pytest.fixture
def practice(tmp_path: Path, keyring: Keyring) -> PracticeId:
    """One that no other test has anything in the topic of."""
    name = PracticeId(f"feed-{next(_numbers)}")
    Keyring.create_key(tmp_path / "keys", name)
    return name


@pytest_asyncio.fixture
async def store(tmp_path: Path, dsn: str, practice: PracticeId) -> AsyncIterator[Store]:
    opened = await Store.open(dsn, Keyring.from_directory(tmp_path / "keys"))
    yield opened
    await opened.close()


async def append(store: Store, epoch: int, practice: PracticeId, numbers: range) -> None:
    async with store.writing(practice, epoch) as tx:
        await tx.append([observed(number, practice) for number in numbers])


class Listener:
    """What the topic has of a practice: `all` as it lies there, `events` as InOrder lets them through."""

    def __init__(self, practice: PracticeId) -> None:
        self._practice = practice
        self.all: list[Published] = []
        self.events: list[Published] = []
        self._order = InOrder()

    async def listen(self, consumer: AIOKafkaConsumer) -> None:
        async for message in consumer:
            try:
                event = decode_published(message.value)
            except NotAnEvent:
                continue  # of another test
            if event.practice != self._practice:
                continue  # of another test
            assert message.key == event.practice.encode()
            self.all.append(event)
            if self._order.accept(event):
                self.events.append(event)

    @property
    def sequences(self) -> list[int]:
        return [one.sequence for one in self.events]


@asynccontextmanager
async def listening(broker: EmbeddedBroker, practice: PracticeId) -> AsyncIterator[Listener]:
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition(EVENTS, number) for number in range(PARTITIONS)])
    listener = Listener(practice)
    task = asyncio.create_task(listener.listen(consumer))
    try:
        yield listener
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await consumer.stop()


@asynccontextmanager
async def feeding(feed: Feed) -> AsyncIterator[None]:
    task = asyncio.create_task(feed.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_every_recorded_event_comes_once_and_in_order(
    store: Store, bus: Bus, broker: EmbeddedBroker, practice: PracticeId
) -> None:
    epoch = await store.take_over(practice)
    feed = Feed(store, practice, bus.publish_recorded)
    await append(store, epoch, practice, range(700))
    async with listening(broker, practice) as listener, feeding(feed):
        await until(lambda: len(listener.events) == 700)
        await append(store, epoch, practice, range(700, 720))
        feed.nudge()
        await until(lambda: len(listener.events) == 720)
    assert [one.sequence for one in listener.all] == list(range(1, 721))
    stored = [one async for one in store.read(practice)]
    assert [one.open(store.keyring) for one in listener.events] == stored
    previous = GENESIS
    for one in listener.events:
        previous = link(previous, [getattr(one, name) for name in COVERED])
        assert one.chain == previous, "a listener can check the chain"


async def test_what_was_sent_and_not_noted_comes_again_and_is_let_through_once(
    store: Store, bus: Bus, broker: EmbeddedBroker, practice: PracticeId
) -> None:
    epoch = await store.take_over(practice)

    async def crash(practice: PracticeId, values: Sequence[bytes]) -> None:
        await bus.publish_recorded(practice, values)
        raise ZeroDivisionError

    await append(store, epoch, practice, range(30))
    async with listening(broker, practice) as listener:
        with pytest.raises(ZeroDivisionError):
            await Feed(store, practice, crash).run()
        async with feeding(Feed(store, practice, bus.publish_recorded)):
            await until(lambda: len(listener.all) == 60)
    assert listener.sequences == list(range(1, 31))


async def test_a_broker_that_is_away_delays_and_loses_nothing(
    store: Store, bus: Bus, broker: EmbeddedBroker, practice: PracticeId
) -> None:
    epoch = await store.take_over(practice)
    left = 2

    async def away_at_first(practice: PracticeId, values: Sequence[bytes]) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            raise ConnectionError
        await bus.publish_recorded(practice, values)

    await append(store, epoch, practice, range(5))
    async with listening(broker, practice) as listener, feeding(Feed(store, practice, away_at_first)):
        await until(lambda: len(listener.events) == 5)
    assert [one.sequence for one in listener.all] == [1, 2, 3, 4, 5]


def published(sequence: int, practice: str, type_: str = "RevisitDue", epoch: int = 1) -> Published:
    row = dict.fromkeys(Published.__struct_fields__, None)
    row |= {"practice": practice, "sequence": sequence, "type": type_, "epoch": epoch}
    return Published(**row)  # type: ignore[arg-type]


def test_order_is_kept_per_practice_wherever_listening_began() -> None:
    order = InOrder({"oak": 7})
    arrived = [(4, "elm"), (5, "elm"), (7, "elm"), (6, "oak"), (8, "oak"), (5, "elm"), (6, "elm"), (7, "elm"), (9, "oak")]
    accepted = [(number, name) for number, name in arrived if order.accept(published(number, name))]
    assert accepted == [(4, "elm"), (5, "elm"), (8, "oak"), (6, "elm"), (7, "elm"), (9, "oak")]
    assert order.last == {"elm": 7, "oak": 9}


def test_where_history_restarts_what_was_lost_is_forgotten() -> None:
    """Published again up to where the restored store ends, then on with the numbers of what was lost, in a later epoch."""
    order = InOrder()
    before = [published(number, "elm", epoch=2) for number in (1, 2, 3, 4, 5)]
    again = [published(number, "elm", epoch=2) for number in (2, 3)]
    after = [published(4, "elm", RESTART, epoch=7), published(5, "elm", epoch=7), published(6, "elm", epoch=8)]
    late = [published(7, "elm", epoch=2), published(4, "elm", RESTART, epoch=7), published(7, "elm", epoch=8)]
    accepted = [(one.sequence, one.epoch) for one in [*before, *again, *after, *late] if order.accept(one)]
    assert accepted == [(1, 2), (2, 2), (3, 2), (4, 2), (5, 2), (4, 7), (5, 7), (6, 8), (7, 8)]
    later = InOrder(order.last, order.since)
    assert not later.accept(published(8, "elm", epoch=2)), "of the history that was given up"
    assert later.accept(published(8, "elm", epoch=8))


def test_one_who_begins_to_listen_after_a_restart_begins_there() -> None:
    order = InOrder()
    assert [order.accept(one) for one in (published(4, "elm", RESTART, epoch=7), published(5, "elm", epoch=7))] == [
        True,
        True,
    ]
    assert order.since == {"elm": 7}


def test_a_restart_after_a_gap_waits_for_its_turn() -> None:
    order = InOrder({"elm": 2})
    assert not order.accept(published(4, "elm", RESTART, epoch=7))
    assert order.accept(published(3, "elm", epoch=2))
    assert order.accept(published(4, "elm", RESTART, epoch=7))


@pytest.mark.parametrize("message", [None, b"", b"\x90", b"nonsense", b"\x81\xa1a\x01"])
def test_other_messages_are_told_apart(message: bytes | None) -> None:
    with pytest.raises(NotAnEvent):
        decode_published(message)


async def test_without_the_practices_key_only_the_envelope_is_read(
    store: Store, bus: Bus, broker: EmbeddedBroker, practice: PracticeId
) -> None:
    epoch = await store.take_over(practice)
    await append(store, epoch, practice, range(1, 2))
    async with listening(broker, practice) as listener, feeding(Feed(store, practice, bus.publish_recorded)):
        await until(lambda: len(listener.events) == 1)
    (event,) = listener.events
    assert (event.type, event.elation_chart) == ("ElationChartObserved", 1001)
    with pytest.raises(KeyMissing):
        event.open(Keyring({}))
