"""What the recorder could not take waits until it is understood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial

import msgspec
import pytest
import pytest_asyncio
from msgspec.structs import replace

from daemon.tables.observed import lookup_observed
from daemon.vendors.ports.intake import Intake, Observation, Seen
from events.codec import Keyring
from events.ids import BillingPatientId, PracticeId
from events.keyed import hashed
from events.records import BillingChart
from events.schema import (
    BillingAppointmentObserved,
    BillingChartObserved,
    Body,
    ChangeQuarantined,
    EhrChartObserved,
    WaitingCleared,
)
from events.store import Store
from events.topics import Change, Message, aside_of
from events.writes import System
from tests.conftest import PRACTICE
from tests.integration.recorder_driver import VISIT, RecorderDriver
from tests.unit.records import ADA, ADA_THERE


@pytest_asyncio.fixture
async def driver(store: Store, keyring: Keyring) -> RecorderDriver:
    return RecorderDriver(store, keyring, await store.take_over(PRACTICE))


UNREAD = pytest.mark.parametrize(
    ("quarantined", "understood"),
    [
        (
            ChangeQuarantined(system=System.EHR, resource="patients", record="101", reason="does not fit"),
            EhrChartObserved(chart=ADA),
        ),
        (
            ChangeQuarantined(system=System.BILLING, resource="patients", record="901", reason="does not fit"),
            BillingChartObserved(chart=ADA_THERE),
        ),
        (
            ChangeQuarantined(system=System.BILLING, resource="appointments", record="61", reason="does not fit"),
            BillingAppointmentObserved(appointment=VISIT),
        ),
        (
            ChangeQuarantined(
                system=System.BILLING, resource="appointments", record="61@20260305T1700", reason="no patient"
            ),
            BillingAppointmentObserved(appointment=replace(VISIT, key="61@20260305T1700")),
        ),
    ],
    ids=["chart", "patient", "appointment", "occurrence of a series"],
)


@UNREAD
async def test_a_record_that_is_understood_waits_no_longer(
    driver: RecorderDriver, quarantined: ChangeQuarantined, understood: Body
) -> None:
    await driver.open()
    await driver.see(quarantined)
    slot = f"quarantine:{quarantined.system}:{quarantined.resource}:{quarantined.record}"
    assert await driver.waiting() == {slot: "quarantined"}
    other = BillingChartObserved(chart=BillingChart(id=BillingPatientId(902), first_name="Bob", last_name="Boole"))
    await driver.see(other)
    assert await driver.waiting() == {slot: "quarantined"}
    await driver.see(understood)
    assert await driver.waiting() == {}
    assert WaitingCleared(slot=slot, how="understood now") in await driver.bodies()
    await driver.sound()


@UNREAD
async def test_what_was_read_before_a_record_was_set_aside_says_nothing_of_it(
    driver: RecorderDriver, quarantined: ChangeQuarantined, understood: Body
) -> None:
    """An older reading may come late: its message waited, while a list that somebody else read was faster."""
    await driver.open()
    before, aside = driver.change(understood), driver.change(quarantined)
    await driver.recorder.record_messages([aside])
    await driver.recorder.record_messages([before])
    assert list((await driver.waiting()).values()).count("quarantined") == 1
    await driver.see(understood)
    assert "quarantined" not in (await driver.waiting()).values()
    await driver.sound()


@UNREAD
async def test_what_was_set_aside_by_a_clock_that_was_set_back_since_is_cleared_by_the_next_reading(
    driver: RecorderDriver, quarantined: ChangeQuarantined, understood: Body
) -> None:
    await driver.open()
    true = driver.now
    driver.now = true + timedelta(days=365)
    await driver.see(quarantined)
    driver.now = true
    await driver.see(understood)
    assert "quarantined" not in (await driver.waiting()).values()
    await driver.sound()


@UNREAD
async def test_a_record_that_was_understood_meanwhile_waits_again_where_a_list_still_shows_it_as_it_was(
    driver: RecorderDriver, quarantined: ChangeQuarantined, understood: Body
) -> None:
    """A delivery that could be read, a list that shows the same record as it cannot be read: the list may show it so for days."""
    await driver.open()

    async def publish(_practice: PracticeId, messages: Sequence[Message]) -> None:
        await driver.recorder.record_messages([one for one in messages if isinstance(one, Change)])

    async def known(records: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Seen]:
        found = await lookup_observed(driver.store.pool, PRACTICE, quarantined.system, records)
        return {place: Seen(**msgspec.structs.asdict(row)) for place, row in found.items()}

    async def listed() -> dict[str, str]:
        resource, record = aside_of(quarantined.resource), quarantined.record
        await intake.observe([Observation(body=quarantined, resource=resource, record=record, read_at=driver.now)])
        return await driver.waiting()

    intake = Intake(PRACTICE, quarantined.system, publish, known, partial(hashed, driver.store.keyring, PRACTICE))
    slot = f"quarantine:{quarantined.system}:{quarantined.resource}:{quarantined.record}"
    for _ in range(2):
        assert await listed() == {slot: "quarantined"}
        await driver.see(understood)
        assert await driver.waiting() == {}
    assert await listed() == await listed() == {slot: "quarantined"}
    assert len([one for one in await driver.bodies() if isinstance(one, ChangeQuarantined)]) == 3
    await driver.sound()
