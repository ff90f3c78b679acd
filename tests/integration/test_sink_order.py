"""The sink's order and its end: one after the other for a patient, side by side for several, and what closing leaves."""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio
from msgspec.structs import replace

from daemon.vendors.ports.errors import Throttled
from events.codec import Keyring
from events.ids import BillingPatientId, PatientKey
from events.schema import (
    BillingAppointmentObserved,
    BillingChartObserved,
    IntentSucceeded,
    IntentSuperseded,
)
from events.store import Store
from events.writes import (
    UpdateEhrChart,
)
from tests.conftest import until
from tests.integration.recorder_driver import VISIT
from tests.integration.sink_driver import AWAY, LOST, SLOT, Answer, Gate, SinkDriver, here, opened, there
from tests.unit.records import ADA_KEY, ADA_THERE, KAREO_GREY


@pytest_asyncio.fixture
async def driver(store: Store, keyring: Keyring) -> SinkDriver:
    """Ada is linked and agrees; nothing is to do."""
    return await opened(store, keyring, patients=1)


# -- order ------------------------------------------------------------------------------------------------------------


async def test_one_after_the_other_for_a_patient_and_side_by_side_for_several(store: Store, keyring: Keyring) -> None:
    driver = await opened(store, keyring, patients=5, workers=3)
    gate = Gate(driver.writer)
    driver.writer.answers = [gate] * 10
    for number in range(5):
        billing = there(number)
        visit = replace(VISIT, key=f"6{number}", id=60 + number, patient=billing.id, provider=KAREO_GREY)
        await driver.source.see(
            BillingChartObserved(chart=replace(billing, city="Macon")), BillingAppointmentObserved(appointment=visit)
        )
    async with driver.at_work():
        await until(lambda: gate.inside[0] == 3)
        gate.open.set()
        await until(lambda: driver.sink.idle)
    assert gate.most[0] == 3, "as many as there are workers"
    assert {gate.most[here(number)] for number in range(5)} == {1}
    assert len(await driver.recorded(IntentSucceeded)) == 10
    await driver.source.sound()


async def test_what_is_not_wanted_any_more_is_never_called(store: Store, keyring: Keyring) -> None:
    driver = await opened(store, keyring, patients=2, workers=1)
    gate = Gate(driver.writer)
    driver.writer.answers = [gate]
    await driver.move_to("Macon", 0)
    async with driver.at_work():
        await until(lambda: gate.inside[0] == 1)
        await driver.move_to("Macon", 1)
        await driver.move_to("Savannah", 1)
        await driver.move_to("Augusta", 1)
        gate.open.set()
        await until(lambda: driver.sink.idle)
    assert [getattr(write, "chart", None) for _, write in driver.writer.asked] == [here(0)]
    assert len(await driver.recorded(IntentSuperseded)) == 2
    await driver.source.sound()


async def test_an_edit_during_a_write_goes_out_after_it(driver: SinkDriver) -> None:
    gate = Gate(driver.writer)
    driver.writer.answers = [gate]
    await driver.move_to("Macon")
    async with driver.at_work():
        await until(lambda: gate.inside[0] == 1)
        await driver.move_to("Savannah")
        gate.open.set()
        await until(lambda: driver.sink.idle)
    cities = [write.fields["city"] for _, write in driver.writer.asked if isinstance(write, UpdateEhrChart)]
    assert cities == ["Macon", "Savannah"]
    await driver.source.sound()


# -- the end ----------------------------------------------------------------------------------------------------------


async def test_closing_finishes_what_is_under_way_and_begins_nothing(store: Store, keyring: Keyring) -> None:
    driver = await opened(store, keyring, patients=2, workers=1)
    gate = Gate(driver.writer)
    driver.writer.answers = [gate, gate]
    await driver.move_to("Macon", 0)
    await driver.move_to("Macon", 1)
    async with driver.at_work():
        await until(lambda: gate.inside[0] == 1)
        closing = asyncio.create_task(driver.sink.close())
        await asyncio.wait({closing}, timeout=0.02)
        assert not closing.done()
        gate.open.set()
        await asyncio.wait_for(closing, 15)
    assert len(driver.writer.asked) == 1
    assert len(await driver.recorded(IntentSucceeded)) == 1
    assert (await driver.source.intents(PatientKey("K:902")))[SLOT].state == "requested", "left to the next owner"
    assert SLOT not in await driver.source.intents(ADA_KEY)
    await driver.source.sound()


@pytest.mark.parametrize("answers", [[AWAY] * 500, [LOST]], ids=["unreachable", "lost"])
async def test_closing_does_not_wait_for_a_system_that_is_away(driver: SinkDriver, answers: list[Answer]) -> None:
    driver.writer.answers = answers
    driver.writer.found = [AWAY] * 500
    await driver.move_to("Macon")
    async with driver.at_work():
        await until(lambda: len(driver.writer.asked) > 2)
        await asyncio.wait_for(driver.sink.close(), 15)
        asked = len(driver.writer.asked)
    assert len(driver.writer.asked) == asked < 500
    assert (await driver.source.intents())[SLOT].state in ("attempted", "unknown"), "the next owner looks"


async def test_closing_waits_for_no_pause(driver: SinkDriver) -> None:
    """A system that asked for ten minutes, as credentials that are refused: whoever stops or begins a practice anew waits for
    none of them."""
    driver.writer.answers = [Throttled(LOST.operation, retry_after=600.0), *[AWAY] * 500]
    await driver.move_to("Macon")
    async with driver.at_work():
        await until(lambda: driver.writer.answers[:1] == [AWAY])
        await asyncio.wait_for(driver.sink.close(), 15)
    assert len(driver.writer.asked) == 1
    assert (await driver.source.intents())[SLOT].state == "attempted", "the next owner looks"


async def test_closing_ends_a_search_that_never_gets_an_answer(driver: SinkDriver) -> None:
    driver.writer.answers = [LOST] * 500
    await driver.source.see(
        BillingChartObserved(chart=replace(ADA_THERE, id=BillingPatientId(950), first_name="Bob", last_name="Boole"))
    )
    async with driver.at_work():
        await until(lambda: len(driver.writer.asked) > 4)
        assert await driver.source.waiting() == {"system:elation": "unusable"}
        await asyncio.wait_for(driver.sink.close(), 15)
    assert len(driver.writer.asked) < 500
