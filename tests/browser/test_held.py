"""A practice is held and released: the operator sees what waits, and both sandboxes have nothing of it before, all of it after."""

from __future__ import annotations

import pytest

from tests.browser.chromium import NARROW
from tests.browser.conftest import Story
from tests.browser.test_every_page import looked_at
from tests.conftest import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_operator_holds_the_practice_and_releases_it(story: Story) -> None:
    town = story.town
    chart, patient = await story.linked("Ottilie", "Harkness")

    def city() -> str:
        return str(town.clinic.ehr.patients[chart]["address"]["city"])

    before = city()
    async with story.visitor("operator") as page:
        await page.click("text=Hold or release writes")
        await page.fill("input[name=reason]", "moving to another server")
        await page.check("input[name=sure]")
        await page.click("button.main")
        await page.wait_for_selector("text=everything that followed is done", timeout=240_000)
        for one in ("Macon", "Athens"):
            town.day.edit_kareo(patient, city=one)
            await town.rest.reached()
        assert city() == before
        await page.goto(f"{story.site.url}/p/elm")
        assert "All writes" in await page.inner_text("main")
        assert "1 write waits" in await page.inner_text("main")
        await page.goto(f"{story.site.url}/p/elm/work")
        held = page.locator("tr:has-text('on hold')")
        assert "held by operator" in await held.inner_text()
        await held.locator("button").click()
        assert "1 write goes out then" in await page.inner_text("main")
        assert "moving to another server" in await page.inner_text("main")
        await page.click("button.main")
        await page.wait_for_selector("text=everything that followed is done", timeout=240_000)
    await until(lambda: city() == "Athens", 240)
    await town.rest.reached()
    assert not await town.waits("hold:all:both")
    assert story.complaints == []


async def test_the_front_desk_holds_one_patient_and_keeps_another_out(story: Story) -> None:
    town = story.town
    chart, patient = await story.linked("Cornelius", "Abernathy")
    other, tester = await story.linked("Tessa", "Testerman")

    def city(of: int) -> str:
        return str(town.clinic.ehr.patients[of]["address"]["city"])

    async with story.visitor("front-desk", width=NARROW) as page:
        for who, button in ((patient, "Yes, hold"), (tester, "Yes, keep out")):
            await page.goto(f"{story.site.url}/p/elm/find")
            await page.fill("input[name=id]", str(who))
            await page.click("button:text-is('Find')")
            await page.wait_for_selector("caption")
            await page.locator("table a[href*='/patient/']").first.click()
            await page.click("text=Hold or keep out")
            await looked_at(page)
            form = page.locator(f"form:has(button:text-is('{button}'))")
            await form.locator("input[name=reason]").fill("as she asked")
            await form.locator("button").click()
            await page.wait_for_selector("text=everything that followed is done", timeout=240_000)
            town.day.edit_kareo(who, city="Decatur")
        await town.rest.reached()
        assert "Decatur" not in (city(chart), city(other))
        await page.goto(f"{story.site.url}/p/elm/holds")
        assert await page.locator("input[name=sure]").count() == 0
        await looked_at(page)
        await page.click(f"a:has-text('Kareo patient {patient}'), a:has-text('Elation chart {chart}')")
        assert "On hold: all writes of" in await page.inner_text("main")
        await looked_at(page)
        await page.click("button:text-is('Release …')")
        await looked_at(page)
        await page.click("button.main")
        await page.wait_for_selector("text=everything that followed is done", timeout=240_000)
    await until(lambda: city(chart) == "Decatur", 240)
    await town.rest.reached()
    assert city(other) != "Decatur"
    assert not [one for one in await town.waiting() if f"kareo:{tester}" in one["patient"]]
    await town.done("keep-out", "elm", f"kareo:{tester}", "--undo", "--reason", "the story is told")
    await until(lambda: city(other) == "Decatur", 240)
    assert story.complaints == []
