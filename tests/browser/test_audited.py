"""An auditor asks what was known of a patient on a date, who looked, and who did what; the answers are those of the sandboxes then."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.acceptance.test_cli_repair import ELM
from tests.browser.conftest import Story
from tests.browser.test_every_page import looked_at
from tests.conftest import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_auditor_asks_what_was_known_then_and_who_looked(story: Story) -> None:
    town = story.town
    chart, patient = await story.linked("Evangeline", "Auditwell")
    for city in ("Firstham", "Secondham"):
        town.day.edit_kareo(patient, city=city)
        await town.rest.reached()
        if city == "Firstham":
            then = await known(story)
    assert town.clinic.ehr.patients[chart]["address"]["city"] == "Secondham"
    async with story.visitor("front-desk") as page:
        await page.goto(f"{story.site.url}/p/elm/find")
        await page.fill("input[name=id]", str(patient))
        await page.click("button:text-is('Find')")
        await page.click("table a[href*='/patient/']")
        await page.wait_for_selector("text=Both charts")
    async with story.visitor("auditor") as page:
        await page.goto(f"{story.site.url}/p/elm/find")
        await page.fill("input[name=id]", str(patient))
        await page.click("button:text-is('Find')")
        await page.click("table a[href*='/patient/']")
        await page.wait_for_selector("text=Both charts")
        cities = page.locator("tr:has(a:text-is('City')) td")
        assert (await cities.all_inner_texts())[:2] == ["Secondham", "Secondham"]
        assert (
            await page.locator("main button:not(:text-is('Show as of')):not(:text-is('Show that moment'))").count() == 0
        ), "an auditor changes nothing"
        slider = page.locator("input[type=range]")
        await slider.press("Home")
        assert "1 of " in await page.inner_text("form:has(input[type=range]) output")
        await page.click("button:text-is('Show that moment')")
        await page.wait_for_selector("text=As it was known as of")
        assert "Firstham" not in await page.inner_text("main"), "the first event knows of neither edit"
        await page.fill("input[name=as-of]", then)
        await page.click("button:text-is('Show as of')")
        await page.wait_for_selector("text=As it was known as of")
        assert (await cities.all_inner_texts())[:2] == ["Firstham", "Firstham"]
        assert "Secondham" not in await page.inner_text("main")
        await page.click("text=Who has looked at this patient")
        rows = await page.locator("tbody tr").all_inner_texts()
        assert any("front-desk" in row and "patient" in row for row in rows)
        assert any("auditor" in row and "as of" in row for row in rows)
        await page.click("text=Check the whole log")
        assert "The log is whole" in await page.inner_text("main")
        await page.click("text=Search by patient, field, person or time")
        await searched(story, page, patient)
    assert story.complaints == []


async def searched(story: Story, page: Any, patient: int) -> None:
    """What became of the city, and what somebody looked at."""
    await until(lambda: searchable(story), 240)
    await page.fill("input[name=billing]", str(patient))
    await page.select_option("select[name=field]", "city")
    await page.click("button:text-is('Search')")
    await page.wait_for_selector("text=What happened >> visible=true")
    assert page.url.endswith("/audit/search"), "nothing that was typed stands in the address"
    told = await page.locator("table td[data-label=From]").all_inner_texts()
    assert told.count("Kareo") == 3, "three observations changed the city: the first, and two edits"
    await looked_at(page)
    await page.select_option("select[name=field]", "")
    await page.fill("input[name=who]", "front-desk")
    await page.click("button:text-is('Search')")
    await page.wait_for_selector("h2:has-text('Who looked')")
    looked = await page.locator("table td[data-label=What]").all_inner_texts()
    assert {"find", "patient"} <= {one.strip() for one in looked}
    assert set(await page.locator("table td[data-label=Who]").all_inner_texts()) == {"front-desk"}
    await looked_at(page)


async def known(story: Story) -> str:
    """The time of the last event, where the practice is: what was known then."""
    last = await story.town.store.pool.fetchval("SELECT max(recorded_at) FROM chartwire.event WHERE practice = 'elm'")
    return str(last.astimezone(ZoneInfo(story.town.office.time_zone)).isoformat())


async def searchable(story: Story) -> bool:
    """Whether the worker has made all that was recorded searchable."""
    kept = await story.town.store.pool.fetchval("SELECT sequence FROM chartwire.history_head WHERE practice = 'elm'")
    return bool(kept) and kept >= await story.town.store.head(ELM)
