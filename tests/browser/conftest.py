"""A running practice, the console beside it, and a browser to visit it with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from tests.acceptance.test_cli_repair import Town, open_town
from tests.acceptance.test_console import reported
from tests.browser.chromium import MISSING, WIDE, browser
from tests.conftest import until
from tests.integration.visiting import PASSWORD, Site, site


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith("tests/browser/"):
            item.add_marker(pytest.mark.browser)
            if MISSING:
                item.add_marker(pytest.mark.skip(reason=MISSING))


@dataclass
class Story:
    """What a story is walked in. `complaints` are what the browser wrote to its console: a policy that was broken, a file not found."""

    town: Town
    site: Site
    chromium: Any
    complaints: list[str] = field(default_factory=list)

    async def linked(self, first: str, last: str) -> tuple[int, int]:
        """A person of this name on both sides, linked: (chart, patient)."""
        day, office = self.town.day, self.town.office
        patient = day.kareo_patient(office, {**day.person(), "first_name": first, "last_name": last})
        await self.town.rest.reached()
        return day.counterpart(office, patient), patient

    @asynccontextmanager
    async def visitor(self, name: str = "", *, width: int = WIDE, scheme: str = "light") -> AsyncIterator[Any]:
        """A page of a new browser profile, signed in as `name`."""
        context = await self.chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page = await context.new_page()
        page.on("console", lambda message: self.complaints.append(message.text))
        try:
            if name:
                await page.goto(f"{self.site.url}/sign-in")
                await page.fill("input[name=name]", name)
                await page.fill("input[name=password]", PASSWORD)
                await page.click("button.main")
                await page.wait_for_selector("text=Sign out")
            yield page
        finally:
            await context.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Any]:
    async with browser() as opened:
        yield opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def story(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> AsyncIterator[Story]:
    async with open_town(tmp_path_factory.mktemp("story")) as town, site(town.config) as opened:
        await until(lambda: reported(town), 240)
        yield Story(town, opened, chromium)
