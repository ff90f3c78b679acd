"""The heads of practices in Kafka: what one worker has published another reads, also from a topic that was made anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Protocol

import pytest

from daemon.demo.embedded import EmbeddedBroker
from events.bus import Bus
from events.ids import PracticeId
from events.keys import Keyring
from events.witnessed import Witnessed
from tests.conftest import OTHER, PRACTICE

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Broker(Protocol):
    """Any that can be reached."""

    @property
    def bootstrap_servers(self) -> str: ...


def head(sequence: int, epoch: int = 1, practice: PracticeId = PRACTICE) -> Witnessed:
    return Witnessed(practice=practice, sequence=sequence, epoch=epoch, chain=bytes([sequence]), at=NOON)


@asynccontextmanager
async def worker(broker: Broker, keyring: Keyring) -> AsyncIterator[Bus]:
    bus = Bus(broker.bootstrap_servers, {}, keyring, enable_idempotence=False)
    await bus.start()
    try:
        await bus.ensure_topics(2, 1)
        yield bus
    finally:
        await bus.stop()


async def test_the_newest_head_of_each_practice_is_read(broker: EmbeddedBroker, keyring: Keyring) -> None:
    async with worker(broker, keyring) as one, worker(broker, keyring) as other:
        assert await other.heads.last(PRACTICE) is None
        for sequence in range(1, 6):
            await one.heads.tell(head(sequence))
        await one.heads.tell(head(3, practice=OTHER))
        found = await asyncio.gather(*(other.heads.last(practice) for practice in (PRACTICE, OTHER) for _ in range(20)))
        assert found == [head(5)] * 20 + [head(3, practice=OTHER)] * 20
        await one.heads.tell(head(6, 2))
        assert await other.heads.last(PRACTICE) == head(6, 2)
        assert await other.heads.last(PracticeId("fir")) is None


async def test_an_owner_that_was_overtaken_does_not_hide_the_newer_head(broker: EmbeddedBroker, keyring: Keyring) -> None:
    async with worker(broker, keyring) as one:
        for told in (head(6, 2), head(9, 1), head(4, 3), head(8, 2)):
            await one.heads.tell(told)
        assert await one.heads.last(PRACTICE) == head(4, 3)


async def test_what_nobody_signed_is_passed_over(broker: EmbeddedBroker, keyring: Keyring) -> None:
    async with worker(broker, keyring) as one:
        await one.heads.tell(head(6))
        await one._publish_heads(PRACTICE, [b"nonsense"])
        assert await one.heads.last(PRACTICE) == head(6)


async def test_a_topic_that_was_made_anew_says_nothing_and_what_was_read_stays_known(keyring: Keyring) -> None:
    async with EmbeddedBroker() as broker, worker(broker, keyring) as one:
        await one.heads.tell(head(6))
        assert await one.heads.last(PRACTICE) == head(6)
        await broker.restart()
        await one.restore_topics()
        await one.renew()
        async with worker(broker, keyring) as other:
            assert await other.heads.last(PRACTICE) is None
            await other.heads.tell(head(2, practice=OTHER))
            assert await one.heads.last(PRACTICE) == head(6), "it stays true of the store"
            assert await one.heads.last(OTHER) == head(2, practice=OTHER)


async def test_a_broker_that_is_away_is_said(keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    async with EmbeddedBroker() as broker, worker(broker, keyring) as one:
        await one.heads.tell(head(6))
        await broker.stop()
        monkeypatch.setattr("events.heads.READ_SECONDS", 1.0)
        with pytest.raises(ConnectionError):
            await one.heads.last(PRACTICE)
        await broker.start()
