"""Quarantine on a real PostgreSQL: what was set aside is tried again by a person's word, and stops nobody."""

from __future__ import annotations

import pytest_asyncio

from events.codec import Keyring
from events.commands import RedriveRequested
from events.ids import event_id
from events.records import type_of
from events.schema import BillingChartObserved, CommandRefused, Event, MessageUnreadable, Origin
from events.store import Store
from events.topics import Change, encode_message
from tests.conftest import PRACTICE
from tests.integration.recorder_driver import RecorderDriver
from tests.unit.records import ADA_THERE

SLOT = "quarantine:kafka:0:7"


@pytest_asyncio.fixture
async def driver(store: Store, keyring: Keyring) -> RecorderDriver:
    return RecorderDriver(store, keyring, await store.take_over(PRACTICE))


def event(driver: RecorderDriver, body: MessageUnreadable | RedriveRequested, origin: Origin) -> Change:
    id_ = event_id(PRACTICE, type_of(body), body)
    return Change(practice=PRACTICE, event=Event(id=id_, practice=PRACTICE, origin=origin, observed=driver.now, body=body))


async def redrive(driver: RecorderDriver, raw: bytes) -> None:
    held = MessageUnreadable(topic="t", partition=0, offset=7, reason="KeyMissing", raw=raw)
    await driver.recorder.record_messages([event(driver, held, Origin.CHARTWIRE)])
    assert (await driver.waiting())[SLOT] == "unreadable-message"
    await driver.recorder.record_messages([event(driver, RedriveRequested(slot=SLOT, who="ada"), Origin.OPERATOR)])


async def test_a_message_that_can_be_read_now_is_recorded(driver: RecorderDriver, keyring: Keyring) -> None:
    await driver.open()
    await redrive(driver, encode_message(driver.change(BillingChartObserved(chart=ADA_THERE)), keyring))
    assert SLOT not in await driver.waiting()
    patient = await driver.patient()
    assert patient.billing is not None
    assert patient.billing.chart == ADA_THERE
    await driver.sound()


async def test_one_that_is_still_unreadable_stays_and_is_refused(driver: RecorderDriver) -> None:
    await driver.open()
    await redrive(driver, b"garbage")
    assert (await driver.waiting())[SLOT] == "unreadable-message"
    assert [body.code for body in await driver.bodies() if isinstance(body, CommandRefused)] == ["still-unreadable"]
    await driver.sound()
