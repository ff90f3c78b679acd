"""The answer to a COMMIT is lost, as when PostgreSQL restarts at that moment: what was recorded is carried out, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from msgspec.structs import replace

from events.codec import Keyring
from events.ids import PracticeId
from events.schema import BillingAppointmentObserved, BillingChartObserved, IntentAttempted, IntentSucceeded
from events.store import Store, Transaction
from events.writes import RecordCreated
from tests.integration.recorder_driver import LOCUM, VISIT, elation_directory
from tests.integration.sink_driver import SinkDriver, opened, there
from tests.unit.records import PHYSICIANS


class Forgetful(Store):
    """Loses the answer to a COMMIT when told to, or with `whole` the COMMIT itself: the next one, or the one after."""

    losing = 0
    whole = False

    @asynccontextmanager
    async def writing(self, practice: PracticeId, epoch: int, *, after: int = 0) -> AsyncIterator[Transaction]:
        async with super().writing(practice, epoch, after=after) as tx:
            yield tx
            self.losing -= 1
            if self.losing == 0 and self.whole:
                raise ConnectionResetError
        if self.losing == 0 and not self.whole:
            raise ConnectionResetError


@pytest_asyncio.fixture
async def driver(store: Store, keyring: Keyring) -> SinkDriver:
    return await opened(Forgetful(store.pool, keyring), keyring, patients=1)


def lose(driver: SinkDriver, which: int = 1, *, whole: bool = False) -> None:
    assert isinstance(driver.source.store, Forgetful)
    driver.source.store.losing, driver.source.store.whole = which, whole


async def test_a_change_that_was_recorded_after_all_is_carried_out(driver: SinkDriver) -> None:
    change = driver.source.change(BillingChartObserved(chart=replace(there(), city="Macon")))
    lose(driver)
    with pytest.raises(ConnectionResetError):
        await driver.source.recorder.record_messages([change])
    await driver.source.recorder.record_messages([change])
    assert driver.sink.idle, "recorded again it changes nothing, so nobody tells the sink"
    await asyncio.wait_for(driver.source.recorder.doubted(), 15)  # what the practice waits for
    driver.sink.offer(await driver.source.recorder.load_open(), resume=True)
    await driver.finish()
    assert len(await driver.recorded(IntentSucceeded)) == 1
    await driver.source.sound()


async def test_an_attempt_that_was_recorded_after_all_is_made(driver: SinkDriver) -> None:
    await driver.move_to("Macon")
    lose(driver)
    await driver.finish()
    assert driver.writer.did == ["carry out"]
    assert [one.attempt for one in await driver.recorded(IntentAttempted)] == [1]
    assert len(await driver.recorded(IntentSucceeded)) == 1
    await driver.source.sound()


@pytest.mark.parametrize("whole", [False, True])
async def test_what_follows_from_looking_again_is_carried_out(driver: SinkDriver, whole: bool) -> None:
    """A patient that waited for a provider is decided about in a transaction of its own, after that of the directory."""
    await driver.source.see(BillingAppointmentObserved(appointment=VISIT))
    change = driver.source.change(elation_directory(physicians=(*PHYSICIANS, LOCUM)))
    lose(driver, 2, whole=whole)
    with pytest.raises(ConnectionResetError):
        await driver.source.recorder.record_messages([change])
    await driver.source.recorder.record_messages([change])
    assert driver.sink.idle is not whole, "what was not made is made now; of the other nobody tells the sink"
    await asyncio.wait_for(driver.source.recorder.doubted(), 15)  # what the practice waits for
    driver.sink.offer(await driver.source.recorder.load_open(), resume=True)
    await driver.finish()
    assert [type(one.result) for one in await driver.recorded(IntentSucceeded)] == [RecordCreated]
    await driver.source.sound()
