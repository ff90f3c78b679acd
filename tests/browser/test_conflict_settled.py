"""A field changed on both sides at once: both values are shown, the loser's lives on; somebody looks, and corrects it where it is wrong."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Story

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_conflict_is_seen_and_settled(story: Story) -> None:
    town = story.town
    chart, patient = await story.linked("Leopold", "Conflicton")

    def cities() -> tuple[str, str]:
        return town.clinic.ehr.patients[chart]["address"]["city"], town.clinic.billing.patients[patient].city

    address = dict(town.clinic.ehr.patients[chart]["address"])
    town.day.edit_kareo(patient, city="Kareoville")
    town.day.edit_elation(chart, address={**address, "city": "Elationtown"})
    await town.rest.reached()
    assert cities() == ("Kareoville", "Kareoville"), "the practice's preference decides, and both agree"
    async with story.visitor("front-desk") as page:
        await page.click("nav >> text=Work list")
        row = page.locator("tbody tr:has-text('Conflicton')")
        assert "City was changed on both sides" in await row.inner_text()
        await row.locator("a[href*='/patient/']").click()
        await page.wait_for_selector("text=Both charts")
        await page.locator("a[href*='/why/city']").click()
        await page.wait_for_selector("text=why it is as it is")
        assert "Elationtown" in await page.inner_text("main"), "what was overruled is not lost"
        await page.go_back()
        await page.click("button:text-is('I have seen it')")
        await page.wait_for_selector("text=everything that followed is done", timeout=30_000)
        assert not await town.waits("conflict:city")

        town.day.edit_elation(chart, address={**address, "city": "Elationtown"})  # it was the right one
        await town.rest.reached()
        await page.goto(f"{story.site.url}/p/elm/work")
        assert "Conflicton" not in await page.inner_text("main")
    assert cities() == ("Elationtown", "Elationtown")
    assert story.complaints == []
