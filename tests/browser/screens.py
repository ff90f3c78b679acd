"""Pictures of every page, light and dark, 1280 and 390 wide: `python -m tests.browser.screens FOLDER LINK`.

LINK is what `chartwire demo --keep` prints: it signs in once. The patients in the pictures are the demo's invented ones.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.browser.chromium import NARROW, WIDE, browser, sideways

PAGES = (
    "", "/day", "/work", "/find", "/links", "/duplicates", "/appointments", "/bills", "/balance", "/holds", "/maps", "/onboarding", "/onboarding/writes", "/audit", "/audit/search", "/rules", "/help",
)  # fmt: skip


async def pictures(folder: Path, link: str) -> list[str]:
    """Takes them; returns the pages that are wider than their window."""
    address = urlsplit(link)
    site = f"{address.scheme}://{address.netloc}"
    wide: list[str] = []
    async with browser() as opened:
        first = await opened.new_context()
        page = await first.new_page()
        await page.goto(link)
        await page.click("button.main")
        await page.wait_for_selector("text=Sign out")
        state = await first.storage_state()
        for width in (WIDE, NARROW):
            for scheme in ("light", "dark"):
                context = await opened.new_context(
                    storage_state=state, color_scheme=scheme, viewport={"width": width, "height": 900}
                )
                wide += await _all(await context.new_page(), site, folder, f"{width}-{scheme}")
                await context.close()
    return wide


async def _all(page: Any, site: str, folder: Path, suffix: str) -> list[str]:
    wide: list[str] = []

    async def take(name: str) -> None:
        if await sideways(page) > 0:
            wide.append(f"{name}-{suffix}")
        await page.screenshot(path=str(folder / f"{name}-{suffix}.png"))

    await page.goto(site)
    await take("home")
    for path in PAGES:
        await page.goto(f"{site}/p/elm{path}")
        await take(path.strip("/").replace("/", "-") or "overview")
    await page.goto(f"{site}/p/elm/work")
    await page.locator("table a[href*='/patient/']").first.click()
    await page.wait_for_selector("text=Both charts")
    await take("patient")
    await page.locator("a[href*='/why/']").first.click()
    await page.wait_for_selector("text=why it is as it is")
    await take("why")
    await page.context.clear_cookies()
    await page.goto(f"{site}/sign-in")
    await take("sign-in")
    return wide


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for name in asyncio.run(pictures(target, sys.argv[2])):
        print(f"{name} scrolls sideways", file=sys.stderr)
