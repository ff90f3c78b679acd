"""What the recorder could not take waits until it is understood."""

from __future__ import annotations

import pytest
import pytest_asyncio
from msgspec.structs import replace

from events.codec import Keyring
from events.ids import BillingPatientId
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
from events.writes import System
from tests.conftest import PRACTICE
from tests.integration.recorder_driver import VISIT, RecorderDriver
from tests.unit.records import ADA, ADA_THERE


@pytest_asyncio.fixture
async def driver(store: Store, keyring: Keyring) -> RecorderDriver:
    return RecorderDriver(store, keyring, await store.take_over(PRACTICE))


@pytest.mark.parametrize(
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
