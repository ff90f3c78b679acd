"""The sink after a restore: nothing before both systems were read, then a look before each creation (projections/state/restart.py)."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from daemon.runtime.recovery import Caution
from events.codec import Keyring
from events.schema import BillingAppointmentObserved, IntentAttempted, IntentSucceeded
from events.store import Store
from events.writes import CreateEhrAppointment, RecordCreated, UpdateEhrChart
from projections.state.restart import Restarted
from tests.conftest import until
from tests.integration.recorder_driver import NOON
from tests.integration.recorder_driver import VISIT as ANYBODYS_VISIT
from tests.integration.sink_driver import AWAY, SinkDriver, opened
from tests.unit.records import KAREO_GREY

VISIT = replace(ANYBODYS_VISIT, provider=KAREO_GREY)
RESTARTED = Restarted(kept=3, at=NOON)


async def restored(store: Store, keyring: Keyring, *, free: bool = True) -> tuple[SinkDriver, Caution, list[int]]:
    """A sink whose practice was restored; `told` counts the attempts before which the witness was asked."""
    told: list[int] = []

    async def tell() -> None:
        told.append(len(driver.writer.asked))

    caution = Caution(tell)
    driver = await opened(store, keyring, patients=1, caution=caution)
    caution.recall(RESTARTED)
    if free:
        caution.free()
    return driver, caution, told


async def test_what_was_made_in_the_lost_time_is_found_and_not_made_again(store: Store, keyring: Keyring) -> None:
    driver, _, told = await restored(store, keyring)
    driver.writer.found = [RecordCreated(id=4711)]
    await driver.source.see(BillingAppointmentObserved(appointment=VISIT))
    await driver.finish()
    assert driver.writer.did == ["look up"]
    (done,) = await driver.recorded(IntentSucceeded)
    assert (done.settled_by, done.attempt, done.result) == ("lookup", 0, RecordCreated(id=4711))
    assert await driver.recorded(IntentAttempted) == []
    assert told == []
    await driver.source.sound()


async def test_what_is_not_there_is_made_after_one_look(store: Store, keyring: Keyring) -> None:
    driver, _, told = await restored(store, keyring)
    await driver.source.see(BillingAppointmentObserved(appointment=VISIT))
    await driver.finish()
    assert driver.writer.did == ["look up", "carry out"]
    assert isinstance(driver.writer.asked[1][1], CreateEhrAppointment)
    assert told == [1], "the attempt is known outside of the store before it is made"


async def test_a_look_that_fails_is_repeated_and_nothing_is_made_meanwhile(store: Store, keyring: Keyring) -> None:
    driver, _, _ = await restored(store, keyring)
    driver.writer.found = [AWAY, AWAY, RecordCreated(id=4711)]
    await driver.source.see(BillingAppointmentObserved(appointment=VISIT))
    await driver.finish()
    assert driver.writer.did == ["look up"] * 3


async def test_an_update_reads_by_itself_and_is_not_looked_for(store: Store, keyring: Keyring) -> None:
    driver, _, told = await restored(store, keyring)
    await driver.move_to("Macon")
    await driver.finish()
    assert [(what, type(write)) for what, write in driver.writer.asked] == [("carry out", UpdateEhrChart)]
    assert told == []


async def test_nothing_is_written_before_both_systems_were_read(store: Store, keyring: Keyring) -> None:
    driver, caution, _ = await restored(store, keyring, free=False)
    await driver.move_to("Macon")
    async with driver.at_work():
        await driver.source.see(BillingAppointmentObserved(appointment=VISIT))
        assert (driver.writer.did, driver.sink.idle) == ([], False)
        caution.free()
        await until(lambda: driver.sink.idle)
    assert sorted(driver.writer.did) == ["carry out", "carry out", "look up"]


async def test_when_it_is_over_what_is_new_is_made_at_once(store: Store, keyring: Keyring) -> None:
    driver, caution, told = await restored(store, keyring)
    caution.recall(replace(RESTARTED, over=driver.source.now))
    driver.source.now += timedelta(minutes=5)
    await driver.source.see(BillingAppointmentObserved(appointment=VISIT))
    await driver.finish()
    assert driver.writer.did == ["carry out"]
    assert told == [0], "every creation is, restored or not"
