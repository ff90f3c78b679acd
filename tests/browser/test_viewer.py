"""A viewer sees counts and rules; no name, no deed, and no other practice. An auditor then reads who tried."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Story

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_viewer_is_refused_names_deeds_and_another_practice(story: Story) -> None:
    town = story.town
    _, patient = await story.linked("Quentin", "Ostrovsky")
    town.clinic.ehr.faults.add(match=("PATCH", "/patients/{id}/"), kind="status", status=400, times=1)
    town.day.edit_kareo(patient, email="viewer.story@mail.example")
    await town.rest.reached()
    async with story.visitor("front-desk") as page:
        await page.goto(f"{story.site.url}/p/elm/work")
        assert "Ostrovsky, Quentin" in await page.inner_text("main")
        async with story.visitor("viewer") as other:
            await other.goto(f"{story.site.url}/p/elm/work")
            assert "Refused there" in await other.inner_text("main")
            assert "Ostrovsky" not in await other.content()
            assert await other.locator("main button").count() == 0
            names = await other.locator("nav.main a").all_inner_texts()
            assert names == ["Overview", "Work list", "Rules", "Settings", "Help"]
            href = await page.locator("table a[href*='/patient/']").first.get_attribute("href")
            for path, status in ((href, 403), ("/p/elm/links", 403), ("/p/oak", 404)):
                answer = await other.goto(story.site.url + str(path))
                assert answer.status == status
                assert "Ostrovsky" not in await other.content()
    async with story.visitor("auditor") as page:
        await page.click("nav >> text=Audit")
        told = await page.inner_text("main")
        assert "asked for patient" in told
        await page.click("text=Check the whole log")
        assert "The log is whole" in await page.inner_text("main")
    story.complaints.clear()  # Chromium notes each refused page
    await town.done("retry", "elm", f"kareo:{patient}")
