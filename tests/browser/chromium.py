"""Debian's Chromium, driven by Playwright (`apt-get install chromium`, `pip install playwright`; no browser is downloaded)."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any

PROGRAM = shutil.which("chromium")
WANTED = ("playwright", "axe_playwright_python")
MISSING = (
    "" if PROGRAM and all(map(find_spec, WANTED)) else f"needs Debian's chromium and the packages {' and '.join(WANTED)}"
)
WIDE, NARROW = 1280, 390


@asynccontextmanager
async def browser() -> AsyncIterator[Any]:
    """A browser without a window."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield opened
        finally:
            await opened.close()


async def sideways(page: Any) -> int:
    """By how many pixels a page is wider than its window, once it is there with its style."""
    await page.wait_for_load_state("load")
    return int(await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


SERIOUS = ("serious", "critical")


async def serious(page: Any, *rules: str) -> list[tuple[str, str]]:
    """What axe finds on a page that is serious or critical, by all `rules` or these: the rule, and the first place where it is broken."""
    from axe_playwright_python.async_playwright import Axe

    if not await page.evaluate("'axe' in window"):
        await page.evaluate(Axe().axe_script)
    found = await page.evaluate(
        "rules => axe.run({resultTypes: ['violations'], ...(rules.length ? {runOnly: rules} : {})}).then(one => one.violations)",
        rules,
    )
    return [(one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in SERIOUS]
