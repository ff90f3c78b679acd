"""Pages that are open while something changes: the overview is made anew in place, the work list says so, and signing out ends both."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Story

pytestmark = pytest.mark.asyncio(loop_scope="session")

LINKED = "li.tile:has-text('linked') b"


async def test_the_overview_follows_and_the_work_list_tells(story: Story) -> None:
    async with story.visitor("operator") as page:
        await page.goto(f"{story.site.url}/p/elm")
        await page.evaluate("window.kept = true")
        before = await page.inner_text(LINKED)
        other = await page.context.new_page()
        await other.goto(f"{story.site.url}/p/elm/work")
        assert await other.locator("#newer").count() == 0
        await page.bring_to_front()
        await story.linked("Winifred", "Livelong")
        await page.wait_for_function("text => document.querySelector('.tile b').innerText !== text", arg=before)
        assert int((await page.inner_text(LINKED)).replace(",", "")) == int(before.replace(",", "")) + 1
        assert await page.evaluate("window.kept"), "in place, not loaded again"
        await other.bring_to_front()
        await other.wait_for_selector("#newer")
        await other.click("#newer a")
        await other.wait_for_load_state("load")
        assert await other.locator("#newer").count() == 0
        await other.click("text=Sign out")
        await page.bring_to_front()
        await page.wait_for_url("**/sign-in")
    assert story.complaints == []


async def test_every_page_works_without_script(story: Story) -> None:
    context = await story.chromium.new_context(java_script_enabled=False)
    try:
        page = await context.new_page()
        await page.goto(f"{story.site.url}/sign-in")
        await page.fill("input[name=name]", "operator")
        await page.fill("input[name=password]", "four words nobody says")
        await page.click("button.main")
        await page.wait_for_selector("text=Sign out")
        for path in ("", "/work", "/find", "/bills"):
            answer = await page.goto(f"{story.site.url}/p/elm{path}")
            assert answer.status == 200
        _, patient = await story.linked("Ottilie", "Noscript")
        await page.goto(f"{story.site.url}/p/elm/find")
        await page.fill("input[name=id]", str(patient))
        await page.click("button:text-is('Find')")
        await page.click("table a[href*='/patient/']")
        await page.click("button:text-is('Read both charts again')")
        await page.wait_for_selector("text=What came of it")
        await story.town.rest.reached()
    finally:
        await context.close()
    assert story.complaints == []
