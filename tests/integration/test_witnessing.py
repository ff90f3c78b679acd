"""The owner's telling of its head: at once where something was recorded, and again after a while though nothing was."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest

from daemon.demo.embedded import EmbeddedBroker
from daemon.runtime.witnessing import HeadTeller
from events.bus import Bus
from events.keys import Keyring
from events.store import Head
from tests.conftest import PRACTICE, until
from tests.integration.test_heads import NOON, worker


@asynccontextmanager
async def telling(bus: Bus) -> AsyncIterator[HeadTeller]:
    """The teller of a head that never changes; each thing that it says is a second later."""
    seconds = itertools.count()
    teller = HeadTeller(bus, PRACTICE, lambda: Head(7, 1, b"seven"), lambda: NOON + timedelta(seconds=next(seconds)))
    running = asyncio.create_task(teller.run())
    try:
        yield teller
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_a_head_that_does_not_change_is_told_again(keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    """A topic that was lost and made anew knows the practice again, though nothing happens in it."""
    monkeypatch.setattr("daemon.runtime.witnessing.AGAIN", 0.2)
    monkeypatch.setattr("daemon.runtime.witnessing.EVERY", 0.0)
    async with EmbeddedBroker() as broker, worker(broker, keyring) as bus, telling(bus) as teller:
        await teller.tell()
        async with worker(broker, keyring) as other:
            first = await other.heads.last(PRACTICE)
            assert first is not None

            async def again() -> bool:
                newest = await other.heads.last(PRACTICE)
                return newest is not None and newest.sequence == first.sequence and newest.at > first.at

            await until(again)


async def test_what_is_known_is_not_told_twice_in_a_row(keyring: Keyring) -> None:
    async with EmbeddedBroker() as broker, worker(broker, keyring) as bus, telling(bus) as teller:
        await teller.tell()
        first = await bus.heads.last(PRACTICE)
        await teller.tell()
        assert await bus.heads.last(PRACTICE) == first


async def test_it_says_that_it_fails_until_it_does_not(keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("events.bus.PUBLISH_SECONDS", 1.0)
    async with EmbeddedBroker() as broker, worker(broker, keyring) as bus, telling(bus) as teller:
        await broker.stop()
        teller.nudge()
        await until(lambda: teller.failing == "ConnectionError")
        await broker.start()
        await bus.restore_topics()
        await until(lambda: not teller.failing, 60.0)
        assert await bus.heads.last(PRACTICE) is not None
