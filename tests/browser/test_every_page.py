"""Every page of the router: axe finds nothing serious, nothing scrolls sideways at 1280, 640 and 390, nothing breaks the policy.

And no page speaks a word of the program's (speech.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, timedelta
from itertools import groupby
from typing import Any

import pytest
import pytest_asyncio

from daemon.console.app import ROUTES
from daemon.sandbox.day import GOOD_LINE
from tests.browser.chromium import NARROW, WIDE, serious, sideways
from tests.browser.conftest import Story
from tests.browser.pages import NO_PAGES, PAGES, SETTLED_MS, everything, release, sign_in
from tests.browser.speech import program_words
from tests.conftest import until
from tests.integration.visiting import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAMELESS = """[...document.querySelectorAll('input:not([type=hidden]), button, a')].filter(one =>
    !(one.innerText || one.getAttribute('aria-label') || (one.labels && one.labels.length) || one.querySelector('img[alt]')))
    .map(one => one.outerHTML)"""
BEYOND = """[...document.querySelectorAll('main *, header .row *')].filter(one =>
    one.getBoundingClientRect().right > document.documentElement.clientWidth).map(one => one.outerHTML.slice(0, 120)).slice(0, 5)"""
HEADINGS = "document.querySelectorAll('h1').length"
STAYS = "for (let one = setTimeout(() => {}); one > 0; one--) clearTimeout(one)"
"""A page that looks again by itself stays while it is looked at, however long that takes."""
WIDTHS = (WIDE, 640, NARROW)
NOT_OURS = "Failed to load resource"
"""Chromium notes a page that is answered with 401 or 503: what the provider that is away leads to."""


async def looked_at(page: Any) -> None:
    assert await sideways(page) == 0, (page.url, await page.evaluate(BEYOND))
    assert await page.evaluate(NAMELESS) == [], page.url
    assert await page.evaluate(HEADINGS) == 1, page.url


async def test_the_table_of_pages_is_the_routers() -> None:
    """A page that is new is looked at, or somebody says why it is none."""
    assert PAGES.keys().isdisjoint(NO_PAGES)
    assert {f"{one.method} {one.path}" for one in ROUTES} == PAGES.keys() | NO_PAGES.keys()
    assert len({one.name for one in PAGES.values()}) == len(PAGES)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def furnished(story: Story) -> AsyncIterator[Site]:
    """A practice with something on every page: a bill in error, refused writes, pairs, duplicates, appointments, a long name."""
    town = story.town
    day, office = town.day, town.office
    chart, patient = await story.linked("Hubert", "Wolfeschlegelsteinhausenbergerdorff")
    _, other = await story.linked("Priscilla", "Okonkwo-Featherstonehaugh")
    _, gone = await story.linked("Theophilus", "Vanishing")
    town.clinic.billing.people.delete_patient(gone)
    twice = day.person()
    day.kareo_patient(office, {**twice, "birth_date": None})
    day.elation_patient(office, twice)
    again = day.person()
    for _ in range(2):
        day.kareo_patient(office, again)
    today = town.clinic.billing.state.now()
    for hour in (14, 15, 38):
        start = today.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(hours=hour)
        town.clinic.billing.people.book_appointment(
            patient, office.providers[0], office.place[1], start, 20, "Annual physical"
        )
    last_month = today.date().replace(day=1) - timedelta(days=3)
    bad = {**GOOD_LINE, "cpt": "99998"}
    town.clinic.ehr.people.sign_note(chart, office.physicians[0], office.place[0], last_month, [bad])
    await town.rest.reached()
    town.clinic.ehr.faults.add(match=("PATCH", "/patients/{id}/"), kind="status", status=400, times=2)
    for one in (patient, other):
        day.edit_kareo(one, email=f"{one}@mail.example")
    await until(lambda: town.waits("demographics:elation"), 240)
    await until(lambda: town.store.pool.fetchval("SELECT true FROM chartwire.waiting WHERE code = 'kareo-chart-gone'"), 240)
    await town.rest.reached()
    async with everything(town.config) as site:
        yield site
    if await town.waits("demographics:elation"):  # other stories count the writes that wait
        await town.done("retry", "elm", "--code", "refused", "--yes")
    await town.rest.reached()


async def test_every_page_is_sound(story: Story, furnished: Site) -> None:
    """Colours alone differ in the dark, so that only they are looked at there."""
    wrong: list[object] = []
    spoken: list[object] = []
    complaints: list[str] = []
    for role, pages in groupby(PAGES.values(), lambda one: one.role):
        context = await story.chromium.new_context(viewport={"width": WIDE, "height": 900})
        visitor = await context.new_page()
        visitor.on("console", lambda message: complaints.append(message.text))
        if role:
            await sign_in(visitor, furnished.url, role)
        for one in pages:
            await one.go(visitor, furnished.url)
            await visitor.evaluate(STAYS)
            spoken += [(one.name, *each) for each in await program_words(visitor)]
            for width in WIDTHS:
                await visitor.set_viewport_size({"width": width, "height": 900})
                await looked_at(visitor)
                if width != 640:
                    wrong += [(one.name, width, *each) for each in await serious(visitor)]
            await visitor.emulate_media(color_scheme="dark")
            wrong += [(one.name, "dark", *each) for each in await serious(visitor, "color-contrast")]
            await visitor.emulate_media(color_scheme="light")
            await visitor.set_viewport_size({"width": WIDE, "height": 900})
        if role == "operator":
            await release(visitor, furnished.url)
            await visitor.click("text=Yes, release")
            await visitor.wait_for_selector("text=everything that followed is done", timeout=SETTLED_MS)
        await context.close()
    assert wrong == []
    assert spoken == []
    assert [one for one in complaints if not one.startswith(NOT_OURS)] == []


async def test_axe_finds_what_is_wrong(story: Story) -> None:
    """A page with a field that has no name, and words that nobody can read."""
    context = await story.chromium.new_context()
    page = await context.new_page()
    await page.set_content("<main><h1 style='color:#eee;background:#fff'>Faint</h1><input></main>")
    assert {rule for rule, *_ in await serious(page)} >= {"color-contrast", "label"}
    await context.close()
