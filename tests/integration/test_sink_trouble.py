"""FINDINGS A9: a vendor that says it has trouble of its own is looked at, tried again for hours and shown meanwhile."""

from __future__ import annotations

import asyncio

import pytest_asyncio
from msgspec.structs import replace

from daemon.runtime.attempt import TROUBLED_TRIES
from daemon.vendors.ports.errors import Malformed, OutcomeUnknown, Troubled
from events.codec import Keyring
from events.schema import IntentRefused, IntentSucceeded, WaitingCleared, WaitingRaised
from events.store import Store
from events.writes import EhrChartWritten
from tests.conftest import until
from tests.integration.sink_driver import SLOT, SinkDriver, opened
from tests.unit.records import ADA


@pytest_asyncio.fixture
async def driver(store: Store, keyring: Keyring) -> SinkDriver:
    """Ada is linked and agrees; nothing is to do."""
    return await opened(store, keyring, patients=1)


async def test_a9_trouble_of_the_vendors_own_is_looked_at_tried_again_and_shown_meanwhile(driver: SinkDriver) -> None:
    """As Kareo's "An unexpected error occurred."; another write that goes through does not hide it."""
    trouble = Troubled("elation.PATCH", vendor_text="An unexpected error occurred.")
    driver.writer.answers = [trouble] * 5
    await driver.move_to("Macon")
    await driver.finish()
    assert driver.writer.did == ["carry out", "look up", "look up"] * 5 + ["carry out"]
    (raised,) = await driver.recorded(WaitingRaised)
    assert (raised.slot, raised.code) == ("system:elation:writes", "troubled")
    assert (await driver.recorded(WaitingCleared))[-1].slot == raised.slot
    assert await driver.recorded(IntentRefused) == []
    assert (await driver.source.patient()).base["city"] == "Macon"
    await driver.source.sound()


async def test_a9_a_write_that_was_done_in_spite_of_the_trouble_is_not_done_twice(driver: SinkDriver) -> None:
    driver.writer.answers = [Troubled("elation.PATCH")]
    write = EhrChartWritten(chart=replace(ADA, city="Macon"), read_at=driver.source.now)
    driver.writer.found = [write]
    await driver.move_to("Macon")
    await driver.finish()
    assert driver.writer.did == ["carry out", "look up"]
    (succeeded,) = await driver.recorded(IntentSucceeded)
    assert succeeded.settled_by == "lookup"


async def test_a9_trouble_without_end_waits_for_a_person(driver: SinkDriver) -> None:
    driver.writer.answers = [Troubled("elation.PATCH", vendor_text="An unexpected error occurred.")] * (TROUBLED_TRIES + 1)
    await driver.move_to("Macon")
    await driver.finish()
    (refused,) = await driver.recorded(IntentRefused)
    assert refused.code == "troubled"
    assert (await driver.source.patient()).waiting[SLOT].code == "refused"
    shown = [body for body in await driver.source.bodies() if getattr(body, "slot", "") == "system:elation:writes"]
    assert [type(body) for body in shown] == [WaitingRaised, WaitingCleared]


async def test_a_record_that_cannot_be_read_is_named_while_others_go_through(store: Store, keyring: Keyring) -> None:
    """The practice's own item would go with the next write that works, and says nothing of whom to look at."""
    driver = await opened(store, keyring, patients=2)
    driver.writer.answers = [OutcomeUnknown("elation.PATCH")]
    driver.writer.found = [Malformed("elation.GET /patients/{id}/", "$.dob")] * 10_000
    await driver.move_to("Macon", 1)
    async with driver.at_work():
        await until(lambda: len(driver.writer.found) < 9_998)
        await driver.move_to("Tulsa", 0)
        while "system:elation:records" not in await driver.source.waiting():
            await asyncio.sleep(0.01)
        assert (await driver.source.patient()).base["city"] == "Tulsa"
        driver.writer.found = []
        await until(lambda: driver.sink.idle)
    (raised,) = [one for one in await driver.recorded(WaitingRaised) if one.slot == "system:elation:records"]
    assert raised.code == "unusable"
    assert raised.text.endswith("can be read: kareo:902")
    assert (await driver.recorded(WaitingCleared))[-1].slot == raised.slot
    assert await driver.source.waiting() == {}
