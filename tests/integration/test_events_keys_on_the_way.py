"""Two workers on one broker of which one has heard of a practice's new keys first: nothing that is sealed with them is set aside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from daemon.demo.embedded import EmbeddedBroker
from daemon.operator.finishing import finish
from events import consumer
from events.bus import Bus
from events.keys import Keyring
from events.schema import BillingChartObserved, MessageUnreadable
from events.store import Store
from events.topics import Change
from tests.conftest import PRACTICE, until
from tests.integration.recorder_driver import RecorderDriver
from tests.integration.test_bus import Reader
from tests.unit.records import ADA_THERE


@pytest_asyncio.fixture
async def broker() -> AsyncIterator[EmbeddedBroker]:
    """One of its own: on that of all tests the topic holds other tests' messages, each of which asks for its keys, too."""
    async with EmbeddedBroker() as server:
        yield server


@asynccontextmanager
async def started(broker: EmbeddedBroker, ring: Keyring) -> AsyncIterator[Bus]:
    bus = Bus(broker.bootstrap_servers, {}, ring, enable_idempotence=False)
    await bus.start()
    try:
        await bus.ensure_topics(4, 1)
        yield bus
    finally:
        await bus.stop()


async def finished(owner_dsn: str, folder: Path) -> None:
    owner = await asyncpg.connect(owner_dsn)
    try:
        assert [one.problem async for one in finish(owner, [PRACTICE], Keyring.from_directory(folder))] == [""]
    finally:
        await owner.close()


async def test_a_message_sealed_with_a_key_not_heard_of_is_read(
    store: Store, dsn: str, owner_dsn: str, tmp_path: Path, broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While PostgreSQL is away, which alone can tell, the message waits."""
    monkeypatch.setattr(consumer, "KEYS_PAUSE", 0.01)
    await finished(owner_dsn, tmp_path / "keys")
    other = await Store.open(dsn, Keyring.from_directory(tmp_path / "keys"), max_size=1)
    away = [OSError(), asyncpg.CannotConnectNowError(), TimeoutError()]
    asked: list[str] = []
    assert store.keyring.changes(PRACTICE) == 0, "this one has not heard of it"

    async def source(practice: str) -> Any:
        asked.append(practice)
        if away:
            raise away.pop()
        await store.load_keys(practice)

    store.keyring.source = source
    change = RecorderDriver(store, other.keyring, 0).change(BillingChartObserved(chart=ADA_THERE))
    async with started(broker, other.keyring) as theirs, started(broker, store.keyring) as mine:
        reader = Reader(mine, f"keys-{tmp_path.name}")
        async with asyncio.TaskGroup() as running:
            running.create_task(reader.run())
            await theirs.publish(PRACTICE, [change])
            await until(lambda: [one for one in reader.seen if isinstance(one, Change) and one.event], 60)
            reader.consumer.stop()
    await other.close()
    (seen,) = [one for one in reader.seen if isinstance(one, Change) and one.practice == PRACTICE]
    assert seen.event is not None
    assert not isinstance(seen.event.body, MessageUnreadable)
    assert change.event is not None
    assert (seen.event.body, seen.plain) == (change.event.body, change.event.id)
    assert (set(asked), len(asked), away) == ({PRACTICE}, 4, [])


async def test_whoever_only_publishes_learns_of_new_keys(store: Store, owner_dsn: str, tmp_path: Path) -> None:
    """Asked now and then by each worker: a shredded practice's messages are sealed no longer, by nobody."""
    await finished(owner_dsn, tmp_path / "keys")
    await store.renew_keys()
    assert store.keyring.seal(PRACTICE, b"", b"")[0] == "elm.d1"
