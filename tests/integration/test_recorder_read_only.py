"""A database that is read-only for a while, as after a failover, sets no message aside and loses none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
from msgspec.structs import replace

from events.codec import Keyring
from events.schema import BillingChartObserved, ChangeQuarantined, IntentSucceeded
from events.store import AWAY, Store
from events.writes import AnyResult, AnyWrite
from tests.conftest import until
from tests.integration.sink_driver import SinkDriver, opened, there


@pytest_asyncio.fixture
async def alone(dsn: str, keyring: Keyring) -> AsyncIterator[Store]:
    """A store of one connection, whose session can be made read-only."""
    store = await Store.open(dsn, keyring, min_size=1, max_size=1)
    yield store
    await store.close()


@pytest_asyncio.fixture
async def driver(alone: Store, keyring: Keyring) -> SinkDriver:
    return await opened(alone, keyring, patients=1)


async def turn(store: Store, value: str) -> None:
    await store.pool.execute(f"SET default_transaction_read_only = {value}")


async def test_a_message_waits_for_a_read_only_database(driver: SinkDriver) -> None:
    change = driver.source.change(BillingChartObserved(chart=replace(there(), city="Macon")))
    await turn(driver.source.store, "on")
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError) as raised:
        await driver.source.recorder.record_messages([change])
    assert isinstance(raised.value, AWAY)
    await turn(driver.source.store, "off")
    await driver.source.recorder.record_messages([change])
    await driver.finish()
    assert await driver.recorded(ChangeQuarantined) == []
    assert len(await driver.recorded(IntentSucceeded)) == 1
    await driver.source.sound()


async def test_an_outcome_waits_for_a_read_only_database(driver: SinkDriver) -> None:
    """The write was made; what became of it is recorded once that can be done."""
    failing_over = asyncio.Event()

    async def fail_over(write: AnyWrite) -> AnyResult:
        await turn(driver.source.store, "on")
        failing_over.set()
        return driver.writer.done(write)

    driver.writer.answers = [fail_over]
    await driver.move_to("Macon")
    async with driver.at_work():
        await asyncio.wait_for(failing_over.wait(), 15)
        assert not driver.sink.idle
        await turn(driver.source.store, "off")
        await until(lambda: driver.sink.idle)
    assert driver.writer.did == ["carry out"]
    assert len(await driver.recorded(IntentSucceeded)) == 1
    await driver.source.sound()
