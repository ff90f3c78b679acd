"""An appointment that left a chart after that was merged away: its booking is the survivor's, who is loaded and told."""

from __future__ import annotations

from itertools import pairwise

import pytest
import pytest_asyncio
from msgspec.structs import replace

from events.bookings import EhrAppointmentGone, EhrAppointmentObserved
from events.codec import Keyring
from events.ids import EhrChartId
from events.schema import EhrChartMerged, EhrChartObserved
from events.store import Store
from tests.conftest import PRACTICE
from tests.integration.recorder_driver import RecorderDriver
from tests.unit.records import ADA
from tests.unit.stories import IN_CALENDAR

SURVIVORS = tuple(replace(ADA, id=EhrChartId(id_)) for id_ in (103, 104))
KEY = str(IN_CALENDAR.id)


@pytest_asyncio.fixture
async def driver(store: Store, keyring: Keyring) -> RecorderDriver:
    made = RecorderDriver(store, keyring, await store.take_over(PRACTICE))
    await made.open()
    await made.link()
    await made.see(EhrAppointmentObserved(appointment=IN_CALENDAR))
    return made


async def merged(driver: RecorderDriver, *charts: EhrChartId) -> None:
    """Ada's chart is merged into the first of these, that into the next."""
    chain = (ADA.id, *charts)
    for absorbed, survivor in pairwise(chain):
        await driver.see(EhrChartObserved(chart=replace(ADA, id=survivor)))
        await driver.see(EhrChartMerged(chart=absorbed, survivor=survivor))
    patient = await driver.patient()
    assert patient.link is not None
    assert patient.link.ehr == charts[-1]


@pytest.mark.parametrize("moved", [True, False])
@pytest.mark.parametrize("merges", [1, 2])
async def test_it_is_told_to_whom_the_link_moved_to(driver: RecorderDriver, merges: int, moved: bool) -> None:
    await merged(driver, *(one.id for one in SURVIVORS[:merges]))
    await (await driver.successor()).see(EhrAppointmentGone(appointment=IN_CALENDAR.id, chart=ADA.id, moved=moved))
    entry = (await driver.patient()).bookings[KEY]
    assert (entry.gone, entry.moved) == (True, moved)
    await driver.sound()


async def test_one_that_was_seen_with_the_survivor_is_not_gone(driver: RecorderDriver) -> None:
    await merged(driver, SURVIVORS[0].id)
    await driver.see(EhrAppointmentObserved(appointment=replace(IN_CALENDAR, patient=SURVIVORS[0].id)))
    await driver.see(EhrAppointmentGone(appointment=IN_CALENDAR.id, chart=ADA.id, moved=True))
    assert not (await driver.patient()).bookings[KEY].gone
    await driver.sound()
