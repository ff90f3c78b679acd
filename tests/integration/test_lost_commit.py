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
from tests.integration.desk import LOCUM, VISIT, elation_directory
from tests.integration.ward import Ward, opened, there
from tests.unit.records import PHYSICIANS


class Forgetful(Store):
    """Loses the answer to a COMMIT when told to, or with `whole` the COMMIT itself: the next one, or the one after."""

    losing = 0
    whole = False

    @asynccontextmanager
    async def writing(self, practice: PracticeId, epoch: int) -> AsyncIterator[Transaction]:
        async with super().writing(practice, epoch) as tx:
            yield tx
            self.losing -= 1
            if self.losing == 0 and self.whole:
                raise ConnectionResetError
        if self.losing == 0 and not self.whole:
            raise ConnectionResetError


@pytest_asyncio.fixture
async def ward(store: Store, keyring: Keyring) -> Ward:
    return await opened(Forgetful(store.pool, keyring), keyring, patients=1)


def lose(ward: Ward, which: int = 1, *, whole: bool = False) -> None:
    assert isinstance(ward.desk.store, Forgetful)
    ward.desk.store.losing, ward.desk.store.whole = which, whole


async def test_a_change_that_was_recorded_after_all_is_carried_out(ward: Ward) -> None:
    change = ward.desk.change(BillingChartObserved(chart=replace(there(), city="Macon")))
    lose(ward)
    with pytest.raises(ConnectionResetError):
        await ward.desk.recorder.record_messages([change])
    await ward.desk.recorder.record_messages([change])
    assert ward.sink.idle, "recorded again it changes nothing, so nobody tells the sink"
    await asyncio.wait_for(ward.desk.recorder.doubted(), 15)  # what the practice waits for
    ward.sink.offer(await ward.desk.recorder.load_open(), resume=True)
    await ward.finish()
    assert len(await ward.recorded(IntentSucceeded)) == 1
    await ward.desk.sound()


async def test_an_attempt_that_was_recorded_after_all_is_made(ward: Ward) -> None:
    await ward.move_to("Macon")
    lose(ward)
    await ward.finish()
    assert ward.writer.did == ["carry out"]
    assert [one.attempt for one in await ward.recorded(IntentAttempted)] == [1]
    assert len(await ward.recorded(IntentSucceeded)) == 1
    await ward.desk.sound()


@pytest.mark.parametrize("whole", [False, True])
async def test_what_follows_from_looking_again_is_carried_out(ward: Ward, whole: bool) -> None:
    """A patient that waited for a provider is decided about in a transaction of its own, after that of the directory."""
    await ward.desk.see(BillingAppointmentObserved(appointment=VISIT))
    change = ward.desk.change(elation_directory(physicians=(*PHYSICIANS, LOCUM)))
    lose(ward, 2, whole=whole)
    with pytest.raises(ConnectionResetError):
        await ward.desk.recorder.record_messages([change])
    await ward.desk.recorder.record_messages([change])
    assert ward.sink.idle is not whole, "what was not made is made now; of the other nobody tells the sink"
    await asyncio.wait_for(ward.desk.recorder.doubted(), 15)  # what the practice waits for
    ward.sink.offer(await ward.desk.recorder.load_open(), resume=True)
    await ward.finish()
    assert [type(one.result) for one in await ward.recorded(IntentSucceeded)] == [RecordCreated]
    await ward.desk.sound()
