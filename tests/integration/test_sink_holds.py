"""What a sink makes of holds and of patients kept out, whatever it is doing when they begin; and a hold that ends by itself."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest_asyncio
from msgspec.structs import replace

from daemon.runtime.holds import Holds
from daemon.vendors.ports.errors import Unreachable
from events.codec import Keyring
from events.commands import HoldRequested, KeepOutRequested, ReleaseRequested
from events.holds import HoldEnded, hold_slot
from events.schema import IntentAttempted, IntentSucceeded, IntentSuperseded
from events.store import Store
from events.writes import Resource
from tests.conftest import until
from tests.integration.sink_driver import LOST, SLOT, SinkDriver, opened

HOLD = HoldRequested(who="ann", reason="moving")
RELEASE = ReleaseRequested(slot=hold_slot(None, None), who="ann")


@pytest_asyncio.fixture
async def driver(store: Store, keyring: Keyring) -> SinkDriver:
    """Ada is linked and agrees; nothing is to do."""
    return await opened(store, keyring, patients=1)


async def release(driver: SinkDriver) -> None:
    """As the practice does it (daemon/runtime/practice.py)."""
    await driver.source.see(RELEASE)
    driver.sink.offer(await driver.source.recorder.load_open(), resume=True)


async def city(driver: SinkDriver) -> str:
    return next(iter(driver.writer.charts.values())).city


async def test_what_is_held_is_not_begun_and_the_newest_goes_out_once(driver: SinkDriver) -> None:
    await driver.source.see(HOLD)
    for one in ("Macon", "Rome", "Athens"):
        await driver.move_to(one)
        await driver.finish()
    assert driver.writer.asked == []
    assert (await driver.source.intents())[SLOT].state == "requested"
    await release(driver)
    await driver.finish()
    assert driver.writer.did == ["carry out"]
    assert await city(driver) == "Athens"
    await driver.source.sound()


async def test_a_write_that_is_queued_when_the_hold_begins_waits_too(driver: SinkDriver) -> None:
    await driver.move_to("Macon")
    assert driver.sink.queued == 1
    await driver.source.see(HOLD)
    await driver.finish()
    assert driver.writer.asked == []
    assert await driver.recorded(IntentAttempted) == []
    assert driver.sink.oldest is None, "what is held is not late"


async def test_a_call_under_way_is_finished(driver: SinkDriver) -> None:
    async def held_meanwhile(write: object) -> object:
        await driver.source.see(HOLD)
        return driver.writer.done(write)  # type: ignore[arg-type]

    driver.writer.answers = [held_meanwhile]  # type: ignore[list-item]
    await driver.move_to("Macon")
    await driver.finish()
    assert await city(driver) == "Macon"
    assert len(await driver.recorded(IntentSucceeded)) == 1


async def pausing(driver: SinkDriver) -> None:
    """The system cannot be reached, however often it is tried."""

    async def away(_write: object) -> object:
        driver.writer.answers.append(away)  # type: ignore[arg-type]
        raise Unreachable("elation.PATCH /patients/{id}/")

    driver.writer.answers = [away]  # type: ignore[list-item]
    await driver.move_to("Macon")


async def test_a_write_that_pauses_is_given_up_and_asked_for_anew(driver: SinkDriver) -> None:
    await pausing(driver)
    async with driver.at_work():
        await until(lambda: len(driver.writer.asked) > 2)
        await driver.source.see(HOLD)
        await until(lambda: driver.sink.idle)
        (given_up,) = await driver.recorded(IntentSuperseded)
        assert "nothing of it was done" in given_up.reason
        assert (await driver.source.intents())[SLOT].state == "requested"
        driver.writer.answers = []
        await driver.move_to("Rome")
        tried = len(driver.writer.asked)
        await until(lambda: driver.sink.idle)
        assert len(driver.writer.asked) == tried
        await release(driver)
        await until(lambda: driver.sink.idle)
    assert await city(driver) == "Rome"
    await driver.source.sound()


async def test_a_lost_answer_is_looked_for_even_while_held(driver: SinkDriver) -> None:
    async def lost(write: object) -> object:
        await driver.source.see(HOLD)
        driver.writer.found = [driver.writer.done(write)]  # type: ignore[arg-type]
        raise LOST

    driver.writer.answers = [lost]  # type: ignore[list-item]
    await driver.move_to("Macon")
    await driver.finish()
    (succeeded,) = await driver.recorded(IntentSucceeded)
    assert succeeded.settled_by == "lookup"
    await driver.source.sound()


async def test_a_lost_write_that_was_not_made_is_not_made_while_held(driver: SinkDriver) -> None:
    async def lost(_write: object) -> object:
        await driver.source.see(HOLD)
        raise LOST

    driver.writer.answers = [lost]  # type: ignore[list-item]
    await driver.move_to("Macon")
    await driver.finish()
    assert driver.writer.did == ["carry out", "look up", "look up"]
    assert (await driver.source.intents())[SLOT].state == "requested"
    await release(driver)
    await driver.finish()
    assert await city(driver) == "Macon"
    await driver.source.sound()


async def test_another_owner_begins_nothing_that_is_held(driver: SinkDriver) -> None:
    await driver.source.see(HOLD)
    await driver.move_to("Macon")
    next_ = await driver.source.successor()
    taken = SinkDriver(next_)
    taken.sink.offer(await next_.recorder.load_open(), resume=True)
    await taken.finish()
    assert taken.writer.asked == []
    await release(taken)
    await taken.finish()
    assert taken.writer.did == ["carry out"]
    await next_.sound()


async def test_for_a_patient_kept_out_a_write_that_pauses_is_given_up(driver: SinkDriver) -> None:
    await pausing(driver)
    async with driver.at_work():
        await until(lambda: len(driver.writer.asked) > 2)
        change = driver.source.change(KeepOutRequested(who="ann", reason="a test"))
        event = replace(change.event, ehr=next(iter(driver.writer.charts)))
        await driver.source.recorder.record_messages([replace(change, event=event)])
        await until(lambda: driver.sink.idle)
    assert await driver.source.intents() == {}
    assert (await driver.source.patient()).waiting == {}
    await driver.source.sound()


async def test_a_hold_ends_by_itself_when_its_time_is_over(driver: SinkDriver) -> None:
    source = driver.source
    holds = Holds(source.recorder, lambda: source.now)
    source.listeners.append(lambda recording: holds.note(recording.directory))
    await source.see(replace(HOLD, until=source.now + timedelta(hours=1)))
    running = asyncio.create_task(holds.run())
    try:
        await source.see(replace(HOLD, until=source.now + timedelta(hours=2)))
        source.now += timedelta(minutes=90)
        await source.see(replace(HOLD, resource=Resource.BILL))
        await driver.move_to("Macon")
        assert await driver.recorded(HoldEnded) == []
        source.now += timedelta(minutes=60)
        await source.see(replace(HOLD, resource=Resource.APPOINTMENT))

        async def over() -> bool:
            return bool(await driver.recorded(HoldEnded))

        await until(over)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    (ended,) = await driver.recorded(HoldEnded)
    assert ended.who == ""
    assert (await source.waiting()).keys() == {hold_slot(Resource.BILL, None), hold_slot(Resource.APPOINTMENT, None)}
    driver.sink.offer(await source.recorder.load_open(), resume=True)
    await driver.finish()
    assert await city(driver) == "Macon"
    await source.sound()
