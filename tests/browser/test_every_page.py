"""Every page, wide and narrow, light and dark: nothing scrolls sideways, nothing breaks the policy, every field has a name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.chromium import NARROW, WIDE, sideways
from tests.browser.conftest import Story
from tests.browser.screens import PAGES

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAMELESS = """[...document.querySelectorAll('input:not([type=hidden]), button, a')].filter(one =>
    !(one.innerText || one.getAttribute('aria-label') || (one.labels && one.labels.length) || one.querySelector('img[alt]')))
    .map(one => one.outerHTML)"""
BEYOND = """[...document.querySelectorAll('main *, header .row *')].filter(one =>
    one.getBoundingClientRect().right > document.documentElement.clientWidth).map(one => one.outerHTML.slice(0, 120)).slice(0, 5)"""
HEADINGS = "document.querySelectorAll('h1').length"


async def looked_at(page: Any) -> None:
    assert await sideways(page) == 0, (page.url, await page.evaluate(BEYOND))
    assert await page.evaluate(NAMELESS) == [], page.url
    assert await page.evaluate(HEADINGS) == 1, page.url


@pytest.mark.parametrize(("width", "scheme"), [(WIDE, "light"), (640, "dark"), (NARROW, "light")])
async def test_every_page_fits_its_window(story: Story, width: int, scheme: str) -> None:
    town = story.town
    _, patient = await story.linked("Hubert", f"Wolfeschlegelsteinhausenbergerdorff{'abc'[len(scheme) % 3]}")
    town.day.kareo_patient(town.office, {**town.day.person(), "birth_date": None})
    await town.rest.reached()
    async with story.visitor("operator", width=width, scheme=scheme) as page:
        for path in PAGES:
            if not path.startswith("/audit"):
                await page.goto(f"{story.site.url}/p/elm{path}")
                await looked_at(page)
        await page.goto(f"{story.site.url}/p/elm/find")
        await page.fill("input[name=id]", str(patient))
        await page.click("button:text-is('Find')")
        await page.wait_for_selector("caption")
        await looked_at(page)
        await page.locator("table a[href*='/patient/']").first.click()
        await page.wait_for_selector("text=Both charts")
        await looked_at(page)
        await page.locator("a[href*='/why/']").first.click()
        await page.wait_for_selector("text=why it is as it is")
        await looked_at(page)
    async with story.visitor("auditor", width=width, scheme=scheme) as page:
        for path in ("/audit", "/audit/search"):
            await page.goto(f"{story.site.url}/p/elm{path}")
            await looked_at(page)
    assert story.complaints == []
