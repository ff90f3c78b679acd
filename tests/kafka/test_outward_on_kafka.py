"""The outward feed and the lag on Apache Kafka: the same contract as on the embedded broker, and exact numbers."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from events.bus import Bus
from events.codec import Keyring
from events.consumer import ChangeConsumer
from events.ids import PracticeId
from events.topics import Change, Checkpoint, Message
from tests.conftest import OTHER, PRACTICE, until
from tests.integration.test_outward import (  # noqa: F401
    practice,
    store,
    test_every_recorded_event_comes_once_and_in_order,
    test_what_was_sent_and_not_noted_comes_again_and_is_let_through_once,
)
from tests.kafka.conftest import Kafka

_groups = itertools.count(1)


@pytest.fixture
def broker(kafka: Kafka) -> Kafka:
    return kafka


@pytest_asyncio.fixture
async def bus(kafka: Kafka, keyring: Keyring) -> AsyncIterator[Bus]:
    opened = Bus(kafka.bootstrap_servers, {}, keyring, together={OTHER: PRACTICE})
    await opened.start()
    await opened.ensure_topics(4, 1)
    yield opened
    await opened.stop()


async def test_lag_counts_what_a_group_has_not_committed(bus: Bus) -> None:
    group = f"lag-{next(_groups)}"
    partition = bus.partition_of(PRACTICE)
    assert bus.partition_of(OTHER) == partition, "practices of one account are together"
    before = (await bus.lag(group))[partition]
    await bus.publish(PRACTICE, [Checkpoint(practice=PRACTICE, source=f"{group}.{n}", value="1") for n in range(5)])
    assert (await bus.lag(group))[partition] == before + 5
    reader = _Reader()
    consumer = ChangeConsumer(bus, group, reader, session_timeout_seconds=6)
    task = asyncio.create_task(consumer.run())
    await until(lambda: reader.seen >= before + 5, 60)
    consumer.stop()
    await task
    assert set((await bus.lag(group)).values()) == {0}


class _Reader:
    """An owner that counts."""

    seen = 0

    async def record(self, _practice: PracticeId, messages: Sequence[Message]) -> bool:
        self.seen += len(messages)
        return True

    def adopt(self, unreadable: Change) -> Change:
        return unreadable

    async def gained(self, _partitions: Sequence[int]) -> None:
        pass

    async def lost(self, _partitions: Sequence[int]) -> None:
        pass
