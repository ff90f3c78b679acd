"""Debian's Chromium, driven by Playwright (`apt-get install chromium`, `pip install playwright`; no browser is downloaded)."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any

PROGRAM = shutil.which("chromium")
MISSING = "" if PROGRAM and find_spec("playwright") else "needs Debian's chromium and the package playwright"
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
