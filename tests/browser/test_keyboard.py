"""Walked by keyboard alone: signing in, finding a patient by a misspelt name, reading both charts again, signing out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import Story
from tests.integration.visiting import PASSWORD

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def tab_to(page: Any, text: str) -> None:
    """Press Tab until what has the focus is called so."""
    for _ in range(80):
        await page.keyboard.press("Tab")
        called = await page.evaluate("document.activeElement.innerText || document.activeElement.name || ''")
        if text in called:
            return
    raise AssertionError(f"the keyboard does not reach {text!r}")


async def test_a_patient_is_found_and_read_again_without_a_mouse(story: Story) -> None:
    chart, _ = await story.linked("Margaret", "Fitzgerald")
    async with story.visitor() as page:
        await page.goto(f"{story.site.url}/")
        await page.keyboard.type("operator")
        await page.keyboard.press("Tab")
        await page.keyboard.type(PASSWORD)
        await page.keyboard.press("Enter")
        await page.wait_for_selector("text=Sign out")
        await tab_to(page, "Find a patient")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("text=Birth date")
        await page.keyboard.type("Margret")
        await page.keyboard.press("Tab")
        await page.keyboard.type("Fitzgreald")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("caption")
        assert "Fitzg" not in page.url
        await tab_to(page, "Fitzgerald, Margaret")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("text=Both charts")
        await tab_to(page, "Read both charts again")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("text=everything that followed is done", timeout=240_000)
        assert f"saw chart {chart}" in await page.inner_text("main")
        await tab_to(page, "Sign out")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("text=Password")
        await page.goto(f"{story.site.url}/p/elm/find")
        assert page.url.endswith("/sign-in")
    assert story.complaints == []
