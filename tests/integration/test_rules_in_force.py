"""A practice that changes its profile is looked at whole, and nothing that the old rules wanted goes out any more."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from daemon.runtime.rules_in_force import note_rules
from daemon.tables import open as still_open
from daemon.tables.status import practice_status
from events.schema import IntentAttempted, IntentSucceeded, IntentSuperseded
from events.store import Store
from events.writes import EhrChartWritten, Resource
from projections.rules.wants import Moment
from projections.terms.policy import EHR_LED, Direction, Policy
from tests.conftest import PRACTICE
from tests.integration.recorder_driver import POLICY
from tests.integration.sink_driver import SLOT, SinkDriver
from tests.integration.test_sink import driver
from tests.unit.records import ADA

__all__ = ["driver"]
OTHER = replace(POLICY, table=EHR_LED)
QUIET = replace(POLICY, table={**POLICY.table, Resource.DEMOGRAPHICS: Direction.OFF})


async def noted(driver: SinkDriver, policy: Policy) -> bool:
    store: Store = driver.source.store
    return await note_rules(store, policy, driver.source.recorder.epoch, Moment.at(driver.source.now, policy.time_zone))


async def due(driver: SinkDriver) -> int:
    today = Moment.at(driver.source.now, POLICY.time_zone).today
    return await still_open.count_to_revisit(driver.source.store.pool, PRACTICE, today)


async def test_everybody_is_looked_at_once_where_the_table_has_changed(driver: SinkDriver) -> None:
    assert not await noted(driver, POLICY), "nothing is known to have changed"
    assert not await noted(driver, POLICY)
    assert await due(driver) == 0

    assert await noted(driver, OTHER)
    assert await due(driver) > 0
    while await driver.source.recorder.revisit("the rules have changed"):
        pass
    assert await due(driver) == 0
    assert not await noted(driver, OTHER)


async def test_the_rules_are_no_source_that_could_be_late(driver: SinkDriver) -> None:
    await noted(driver, POLICY)
    assert "rules" not in (await practice_status(driver.source.store.pool, PRACTICE)).sources


async def test_what_the_old_table_wanted_is_given_up_unasked(driver: SinkDriver) -> None:
    await driver.move_to("Macon")
    driver.source.recorder.policy = QUIET
    await driver.finish()
    assert driver.writer.asked == []
    (given_up,) = await driver.recorded(IntentSuperseded)
    assert given_up.slot == SLOT
    assert await driver.recorded(IntentAttempted) == []


@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
async def test_a_lost_answer_from_before_is_looked_for_and_not_repeated(driver: SinkDriver, done: bool) -> None:
    """What was done counts; what was not is given up."""
    await driver.move_to("Macon")
    intent = (await driver.source.intents())[SLOT].intent
    attempted = IntentAttempted(intent=intent, slot=SLOT, attempt=1, epoch=driver.source.recorder.epoch)
    await driver.source.recorder.record_bodies([attempted], ehr=ADA.id, billing=None, cause=None, parts=(intent, 1))
    later = SinkDriver(await driver.source.successor())
    later.source.recorder.policy = QUIET
    later.sink.offer(await later.source.recorder.load_open(), resume=True)
    written = EhrChartWritten(chart=replace(ADA, city="Macon"), read_at=later.source.now)
    later.writer.found = [None, written if done else None]
    await later.finish()
    assert later.writer.did == ["look up", "look up"]
    assert len(await later.recorded(IntentSucceeded)) == done
    assert len(await later.recorded(IntentSuperseded)) == (not done)
    assert SLOT not in await later.source.intents()
