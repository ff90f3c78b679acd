"""Appointments of Elation's calendar that are booked in Kareo, on the console's pages of days and on the patient's: how each stands."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from msgspec.structs import replace

from daemon.demo.embedded import EmbeddedPostgres
from daemon.operator.visits import visits_of
from daemon.tables import days
from events.bookings import EhrAppointment, EhrAppointmentGone, EhrAppointmentObserved
from events.codec import Keyring
from events.commands import HoldRequested
from events.ids import EhrChartId
from events.schema import BillingAppointmentObserved
from events.store import Store
from events.writes import Done, RecordCreated, Resource, System
from projections.terms.policy import Policy
from tests.conftest import PRACTICE, TEMPLATE
from tests.integration.recorder_driver import POLICY, RecorderDriver
from tests.integration.test_console_days import visit
from tests.integration.test_sink_lanes import ON
from tests.integration.visiting import Site, configured, site
from tests.unit.records import ADA, ADA_KEY, ADA_THERE, KAREO_GREY
from tests.unit.stories import IN_CALENDAR

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBERS = itertools.count(1)
ZONE = ZoneInfo("America/Denver")
TODAY = datetime.now(ZONE).date()
RULES: Policy = replace(POLICY, table=ON, time_zone="America/Denver")
SAID = {
    1: ("Standing", "booked", "booked in Kareo"),
    2: ("Asked for", "booked", "on its way to Kareo"),
    3: ("Without a place", "booked", "waits, not in Kareo"),
    4: ("Called off", "cancelled", "on its way to Kareo"),
    5: ("Taken out", "deleted", ""),
    6: ("Moved elsewhere", "booked", "waits, in Kareo as it was"),
}
"""How each appointment that was entered in Elation is shown: its reason, its state, and how it stands in Kareo."""


def entered(number: int, day: date = TODAY, **values: object) -> EhrAppointment:
    start = datetime.combine(day, time(8 + number), tzinfo=ZONE).astimezone(UTC)
    return replace(IN_CALENDAR, **{"id": 61000 + number, "start": start, "description": SAID[number][0], **values})


async def recorded(desk: RecorderDriver) -> None:
    """Ada's calendar: one appointment of each kind."""
    desk.recorder.policy = RULES
    await desk.open()
    await desk.link()
    for number in (1, 4, 5, 6):
        await desk.see(EhrAppointmentObserved(appointment=entered(number)))
        await desk.succeed(f"booking:{61000 + number}", RecordCreated(id=9000 + number))
    await desk.see(
        EhrAppointmentObserved(appointment=entered(2)), EhrAppointmentObserved(appointment=entered(3, location=None))
    )
    await desk.see(EhrAppointmentObserved(appointment=entered(4, status="Cancelled")))
    await desk.see(EhrAppointmentObserved(appointment=entered(6, location=None)))
    gone = desk.change(EhrAppointmentGone(appointment=61005, chart=ADA.id))
    await desk.recorder.record_messages([replace(gone, event=replace(gone.event, ehr=EhrChartId(ADA.id)))])
    await desk.succeed("booking:61005", Done())
    own = visit(9001, ADA_THERE.id, entered(1).start)
    other = visit(9100, ADA_THERE.id, entered(1).start + timedelta(minutes=30))
    await desk.see(BillingAppointmentObserved(appointment=own), BillingAppointmentObserved(appointment=other))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Site, RecorderDriver]]:
    """The console of a practice with the extension on."""
    folder, name = tmp_path_factory.mktemp("bookings"), f"bookings_{next(NUMBERS)}"
    await postgres.create_database(name, template=TEMPLATE)
    file: Path = configured(postgres, folder, name)
    text = file.read_text().replace('profile = "kareo-led"', 'profile = "elation-led"', 1)
    file.write_text(text.replace("[practice.overrides]", '[practice.overrides]\nappointment = "elation->kareo"', 1))
    keyring = Keyring.from_directory(folder / "keys")
    store = await Store.open(postgres.dsn(name, "chartwire"), keyring)
    driver = RecorderDriver(store, keyring, await store.take_over(PRACTICE))
    await recorded(driver)
    async with site(file) as opened:
        yield opened, driver
    await store.close()


def cells(page: str) -> dict[str, str]:
    """The state that each row of appointments shows, by its reason."""
    rows = re.findall(r'data-label="Reason"[^>]*>(.*?)</td><td data-label="State">(.*?)</td>', page, flags=re.DOTALL)
    return {reason: re.sub(r"<[^>]+>", " ", state) for reason, state in rows}


async def test_my_day_shows_each_as_it_is_entered_and_how_it_stands_in_the_other_system(
    desk: tuple[Site, RecorderDriver],
) -> None:
    browser = await desk[0].of("front-desk")
    today = (await browser.get("/p/elm/day")).text.partition("<h2>Today")[2].partition("<h2>Tomorrow")[0]
    shown = cells(today)
    for reason, state, beside in SAID.values():
        if state == "deleted":
            assert reason not in today
        else:
            assert shown[reason].split() == [*state.split(), *beside.split()], reason
    assert "the appointment has no location that is known in Kareo" in today.replace("The appointment", "the appointment")
    assert "10:00 AM to 10:20 AM" in today


async def test_an_appointment_is_listed_once_though_both_systems_have_it(desk: tuple[Site, RecorderDriver]) -> None:
    found = await visits_of(desk[1].store, PRACTICE, RULES, TODAY, TODAY)
    assert sorted(one.record for one in found) == [9100, *(61000 + number for number in SAID)]
    browser = await desk[0].of("front-desk")
    assert "Visit 9001" not in (await browser.get("/p/elm/day")).text


async def test_a_week_counts_them_by_the_provider_they_are_mapped_to(desk: tuple[Site, RecorderDriver]) -> None:
    browser = await desk[0].of("front-desk")
    answer = await browser.get(f"/p/elm/appointments?on={TODAY}&provider={KAREO_GREY}")
    assert "as Elation has those that are booked for it" in answer.text
    listed = cells(answer.text.partition('id="list"')[2])
    assert set(listed) >= {reason for reason, state, _ in SAID.values()}


async def test_the_patients_page_tells_them_too(desk: tuple[Site, RecorderDriver]) -> None:
    browser = await desk[0].of("front-desk")
    answer = await browser.get(f"/p/elm/patient/{desk[0].console.handles.of(PRACTICE, ADA_KEY)}")
    shown = cells(answer.text)
    for reason, state, beside in SAID.values():
        assert shown[reason] == (f"{state}, {beside}" if beside else state)


async def test_what_is_held_says_so(desk: tuple[Site, RecorderDriver]) -> None:
    driver = desk[1]
    hold = HoldRequested(who="ann", reason="no", resource=Resource.APPOINTMENT, system=System.BILLING)
    await driver.see(hold)
    found = await visits_of(driver.store, PRACTICE, RULES, TODAY, TODAY)
    assert {one.record: one.beside for one in found}[61002] == "on hold, not in Kareo yet"


async def test_a_booking_that_moves_to_another_day_is_found_there_alone(desk: tuple[Site, RecorderDriver]) -> None:
    driver, later = desk[1], TODAY + timedelta(days=40)
    await driver.see(EhrAppointmentObserved(appointment=entered(2, later)))
    assert [one.record for one in await visits_of(driver.store, PRACTICE, RULES, later, later)] == [61002]
    assert 61002 not in [one.record for one in await visits_of(driver.store, PRACTICE, RULES, TODAY, TODAY)]
    keyring = driver.store.keyring
    assert await days.patients_of_days(driver.store.pool, PRACTICE, keyring, days.APPOINTMENTS, later, later) == [ADA_KEY]
