"""A new practice is onboarded: observed, its candidates compared, every write shown, live by an operator's word; the sandboxes hold it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from daemon.sandbox.day import Day
from daemon.sandbox.snapshot import snapshot
from tests.acceptance.test_cli_repair import open_town
from tests.acceptance.test_console import reported
from tests.browser.conftest import Story
from tests.browser.test_every_page import looked_at
from tests.conftest import until
from tests.integration.visiting import site

pytestmark = pytest.mark.asyncio(loop_scope="session")

TWICE: dict[str, Any] = {}
"""The person of whom only one side knows the birth date."""


def settle(day: Day) -> None:
    """Three on either side, three on both, and one of whom nobody can be certain."""
    day.prepare()
    office, person = day.clinic.offices[0], day.person()
    TWICE["patient"] = day.kareo_patient(office, {**person, "birth_date": None})
    TWICE["chart"] = day.elation_patient(office, person)


@pytest_asyncio.fixture(loop_scope="session")
async def first_day(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> AsyncIterator[Story]:
    folder = tmp_path_factory.mktemp("first_day")
    async with open_town(folder, settle=settle, mode="observe") as town, site(town.config) as opened:
        await until(lambda: reported(town), 240)
        yield Story(town, opened, chromium)


async def test_a_new_practice_is_onboarded(first_day: Story) -> None:
    town, clinic, office = first_day.town, first_day.town.clinic, first_day.town.office
    before = snapshot(clinic)
    charts, patients = len(clinic.ehr.patients), len(clinic.billing.patients)
    async with first_day.visitor("operator") as page:
        await page.click("text=only observed >> .. >> text=onboarding")
        await page.wait_for_selector("text=Going live now would make", timeout=240_000)
        await town.rest.reached()
        assert "without counterpart: annex" in (await page.inner_text("main")).lower()
        assert f"{charts} charts in Elation, {patients} patients in Kareo" in await page.inner_text("main")
        assert "3" in await page.inner_text("tr:has-text('Certain') td")
        await looked_at(page)

        await page.click("text=Compare and decide")
        pair = page.locator(f"section.card:has-text('{TWICE['chart']}')")
        assert "once the practice is live" in await pair.locator("details summary").inner_text()
        assert await page.locator("button:has-text('create')").count() == 0
        await pair.locator("button.main").click()
        await page.wait_for_selector("text=everything that followed is done", timeout=240_000)
        await page.click("nav >> text=Onboarding")
        await page.wait_for_selector("text=nobody has to decide", timeout=240_000)

        await page.click("text=see each of them")
        planned = await page.locator("tbody tr").count()
        assert f"{planned} writes" in await page.inner_text("main")
        await looked_at(page)
        assert snapshot(clinic) == before, "nothing is written before somebody says so"

        await page.click("nav >> text=Onboarding")
        assert f"Going live now would make {planned} writes" in await page.inner_text("main")
        await page.fill("input[name=reason]", "all are matched")
        await page.check("input[name=sure]")
        await page.click("button:text-is('Go live')")
        await page.click("text=How far going live is", timeout=240_000)
        await page.wait_for_selector("text=This practice is live", timeout=240_000)
        assert "operator has said so" in await page.inner_text("main")
        await looked_at(page)
    await town.rest.reached()
    assert (len(clinic.ehr.patients), len(clinic.billing.patients)) == (charts + 3, patients + 3)
    assert town.day.kareo_of(office, TWICE["chart"]) == TWICE["patient"]
    assert clinic.billing.patients[TWICE["patient"]].dob is not None, "what only the chart knew was written"
    for patient in town.day.kareo_ids[office.id]:
        assert town.day.kareo_of(office, town.day.counterpart(office, patient)) == patient
    assert "is live" in (await town.run("onboard", "elm", "--dry-run")).err
    assert first_day.complaints == []


async def test_taken_back_the_configuration_counts_again_and_nothing_more_is_written(first_day: Story) -> None:
    town = first_day.town
    await town.done("onboard", "elm", "--go-live", "--yes", "--reason", "all are matched")
    await until(lambda: is_live(town), 240)
    await town.rest.reached()
    patient = town.day.kareo_ids[town.office.id][0]
    chart = town.day.counterpart(town.office, patient)
    async with first_day.visitor("operator") as page:
        await page.goto(f"{first_day.site.url}/p/elm/onboarding")
        await page.fill("form:has(button:text-is('Let the configuration say it')) input[name=reason]", "too early")
        await page.click("button:text-is('Let the configuration say it')")
        await page.wait_for_selector("text=everything that followed is done", timeout=240_000)
        town.day.edit_kareo(patient, city="Macon")
        await town.rest.reached()
        assert town.clinic.ehr.patients[chart]["address"]["city"] != "Macon"
        await page.goto(f"{first_day.site.url}/p/elm/onboarding")
        await page.wait_for_selector("text=1 demographics to elation", timeout=240_000)
        await page.check("input[name=sure]")
        await page.click("button:text-is('Go live')")
        await page.click("text=How far going live is", timeout=240_000)
    await until(lambda: town.clinic.ehr.patients[chart]["address"]["city"] == "Macon", 240)
    assert first_day.complaints == []


async def is_live(town: Any) -> bool:
    return '"state":"live"' in (await town.run("onboard", "elm", "--json")).out.replace(" ", "")
