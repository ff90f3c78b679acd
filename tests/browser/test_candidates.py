"""Two charts that may be one person: the front desk compares them, sees what linking would write, and links; both sandboxes agree."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Story

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_front_desk_decides_that_two_charts_are_one_person(story: Story) -> None:
    town = story.town
    chart, patient = await town.undecided()
    async with story.visitor("front-desk") as page:
        await page.click("nav >> text=Work list")
        await page.locator("a.button:has-text('Compare and decide')").first.click()
        pair = page.locator(f"section.card:has-text('{chart}')")
        assert await pair.locator("tr.differ th").first.inner_text() == "Date of birth differs"
        assert "Linking would lead to 1 write" in await pair.locator("details summary").inner_text()
        await pair.locator("button.main").click()
        await page.wait_for_selector("text=everything that followed is done", timeout=240_000)
    await town.rest.reached()
    assert town.day.kareo_of(town.office, chart) == patient
    kept = town.clinic.billing.patients[patient]
    assert kept.dob is not None, "the birth date that only the chart had was written to the other side"
    assert story.complaints == []
