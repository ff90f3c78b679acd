"""A commit that was applied and whose answer was lost: what the recorder does then. Only the stand-in loses them on demand."""

from __future__ import annotations

import pytest

from events.codec import Keyring
from events.ids import PatientKey
from events.schema import IntentAttempted, KareoChartObserved
from events.store import AWAY, Store
from projections.open_intents import put
from projections.state import PracticeState
from tests.conftest import PRACTICE
from tests.integration.desk import Desk
from tests.simulation.postgres import MemoryDatabase
from tests.simulation.test_postgres import failing, ticking
from tests.unit.clinic import ADA_KEY, ADA_THERE


@pytest.fixture
def database() -> MemoryDatabase:
    return MemoryDatabase(clock=ticking())


@pytest.fixture
async def desk(database: MemoryDatabase, keyring: Keyring) -> Desk:
    store = Store(database.pool(), keyring)
    opened = Desk(store, keyring, await store.take_over(PRACTICE, "host:1"))
    await opened.open()
    return opened


def told(desk: Desk) -> dict[str, str]:
    """What the sinks were last told of Ada: slot to state."""
    return {slot: one.state for slot, one in desk.outcomes[-1].patients[ADA_KEY].intents.items()}


async def test_what_was_requested_is_offered_when_the_change_comes_again(desk: Desk, database: MemoryDatabase) -> None:
    change = desk.change(KareoChartObserved(chart=ADA_THERE))
    before = len(desk.outcomes)
    failing(database, "committed", ConnectionResetError())
    with pytest.raises(AWAY):
        await desk.recorder.record_messages([change])
    assert len(desk.outcomes) == before
    await desk.recorder.record_messages([change])
    assert told(desk) == {"chart": "requested"}
    await desk.recorder.record_messages([change])
    assert desk.outcomes[-1].patients == {}, "once is enough"
    await desk.sound()


async def test_an_attempt_that_was_recorded_is_made(desk: Desk, database: MemoryDatabase) -> None:
    await desk.see(KareoChartObserved(chart=ADA_THERE))
    wanted = (await desk.intents())["chart"]

    def still_open(state: PracticeState, key: PatientKey) -> bool:
        return "chart" in state.patients[key].intents

    async def attempt() -> bool:
        body = IntentAttempted(intent=wanted.intent, slot="chart", attempt=1, epoch=desk.recorder.epoch)
        parts = (wanted.intent, 1)
        return await desk.recorder.record_bodies(
            [body], elation=None, kareo=ADA_THERE.id, cause=wanted.cause, parts=parts, only_if=still_open
        )

    failing(database, "committed", ConnectionResetError())
    with pytest.raises(AWAY):
        await attempt()
    await desk.see(KareoChartObserved(chart=put(ADA_THERE, city="Macon")))
    assert await attempt(), "or nobody would ever call"
    assert not await attempt(), "and a second one is none"
    assert sum(isinstance(body, IntentAttempted) for body in await desk.bodies()) == 1
    await desk.sound()
