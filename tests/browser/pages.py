"""Every page of the console and how a visitor comes to it: one table, held to the router, for whatever looks at all of them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.sandbox.clinic import write_private
from tests.integration.visiting import OTHER_EVENT, PASSWORD, Site, beside

SETTLED_MS = 240_000.0
PRACTICE = "/p/elm"
EVERYTHING = "\n".join((
    'key_file = "pages-key"',
    'oidc = {issuer = "http://127.0.0.1:9", client_id = "c", client_secret_file = "pages-secret", insecure = true}',
))  # fmt: skip
"""Settings of a console that has every page: second factors, and an identity provider (that is away)."""


@asynccontextmanager
async def everything(file: Path) -> AsyncIterator[Site]:
    """A console beside that of the configuration, with every page there is."""
    write_private(file.with_name("pages-key"), "k" * 32)
    write_private(file.with_name("pages-secret"), "s")
    async with beside(file, EVERYTHING) as opened:
        yield opened


@dataclass(frozen=True)
class Page:
    """`go` leads a visitor of the `role` there, from wherever the visitor is; "" is nobody signed in."""

    name: str
    go: Callable[[Any, str], Awaitable[object]]
    role: str = "operator"


def at(path: str) -> Callable[[Any, str], Awaitable[object]]:
    async def go(page: Any, url: str) -> None:
        await page.goto(url + path)

    return go


async def patient(page: Any, url: str) -> None:
    """Whose bill waits, or whoever waits: the first of the list."""
    for path in ("/bills", "/work"):
        await page.goto(f"{url}{PRACTICE}{path}")
        found = page.locator("table a[href*='/patient/']")
        if await found.count():
            await found.first.click()
            await page.wait_for_selector("text=Both charts")
            return
    raise LookupError("nothing waits for any patient")


async def why(page: Any, url: str) -> None:
    await patient(page, url)
    await page.locator("a[href*='/why/']").first.click()
    await page.wait_for_selector("text=why it is as it is")


async def hold_or_keep_out(page: Any, url: str) -> None:
    await patient(page, url)
    await page.click("text=Hold or keep out")
    await page.wait_for_selector("text=Yes, keep out")


async def held(page: Any, url: str) -> None:
    """The holds, with that of a patient on it."""
    await page.goto(f"{url}{PRACTICE}/holds")
    if not await page.locator("main table").count():
        await hold_or_keep_out(page, url)
        form = page.locator("form:has(button:text-is('Yes, hold'))")
        await form.locator("input[name=reason]").fill("the chart is being cleaned up")
        await form.locator("button").click()
        await page.wait_for_selector("text=everything that followed is done", timeout=SETTLED_MS)
        await page.goto(f"{url}{PRACTICE}/holds")


async def release(page: Any, url: str) -> None:
    await held(page, url)
    await page.locator("button:text-is('Release …')").first.click()
    await page.wait_for_selector("text=Yes, release")


async def done(page: Any, url: str) -> None:
    await patient(page, url)
    await page.click("text=Read both charts again")
    await page.wait_for_selector("text=everything that followed is done", timeout=SETTLED_MS)


async def found(page: Any, url: str) -> None:
    await patient(page, url)
    last, _, first = (await page.inner_text("h1")).partition(", ")
    await page.goto(f"{url}{PRACTICE}/find")
    await page.fill("input[name=first]", first)
    await page.fill("input[name=last]", last)
    await page.click("button:text-is('Find')")
    await page.wait_for_selector("caption")


async def balance(page: Any, url: str) -> None:
    """The accounts of this month, or of the one before where that has something to show."""
    await page.goto(f"{url}{PRACTICE}/balance?by=month")
    if not await page.locator("table.cards tbody tr").count():
        await page.click("text=Month before")
        await page.wait_for_load_state("load")


async def searched(page: Any, url: str) -> None:
    """All of late that happened, and who looked."""
    await page.goto(f"{url}{PRACTICE}/audit/search")
    await page.click("button:text-is('Search')")
    await page.wait_for_selector("h2:text-is('What happened')")


async def many(page: Any, url: str) -> None:
    """The question before a bulk deed, for the first kind of item of which there are several."""
    await page.goto(f"{url}{PRACTICE}/work")
    kinds = [await one.get_attribute("href") for one in await page.locator("ul[aria-label='By kind'] a").element_handles()]
    for kind in kinds:
        await page.goto(url + str(kind))
        button = page.locator("button:has-text('Do this for all')")
        if await button.count():
            await button.click()
            await page.wait_for_selector("text=Yes, all")
            return
    raise LookupError("no kind of item can be dealt with at once")


async def move(page: Any, url: str) -> None:
    """The link of a patient who is gone from the billing system."""
    await page.goto(f"{url}{PRACTICE}/work?code=kareo-chart-gone")
    one = page.locator("table a[href*='/patient/']")
    if not await one.count():
        raise LookupError("nobody is gone from the billing system")
    await page.goto(f"{url}{await one.first.get_attribute('href')}/move")
    await page.wait_for_selector("text=merged into?")


async def moved_to(page: Any, url: str) -> None:
    await move(page, url)
    await page.fill("input[name=to]", "1")
    await page.click("button:text-is('Compare')")
    await page.wait_for_load_state("load")


async def link(page: Any, url: str) -> None:
    """The link of a patient, who may have one."""
    await patient(page, url)
    await page.locator("a.button[href$='/link']").last.click()
    await page.wait_for_selector("h1:text-matches('linked with the wrong chart|Who in')")


async def link_to(page: Any, url: str) -> None:
    """Two charts that wait for one another, as the page of one of them compares them."""
    await page.goto(f"{url}{PRACTICE}/links")
    section = page.locator("main section.card")
    if not await section.count():
        raise LookupError("no pair waits")
    ehr, patient_ = re.findall(r"(?:chart|patient) (\d+)", await section.first.locator("h2").inner_text())
    await page.goto(f"{url}{await section.first.locator('h2 a').last.get_attribute('href')}/link")
    await page.fill("input[name=to]", ehr)
    await page.click("button:text-is('Compare')")
    await page.wait_for_selector(f"h2:has-text('patient {patient_}')")


async def mapped(page: Any, url: str) -> None:
    """What a row of the maps would come to."""
    await page.goto(f"{url}{PRACTICE}/maps")
    row = page.locator("form:has(select[name=to] option:nth-child(2))").first
    await row.locator("select").select_option(index=1)
    await row.locator("button").click()
    await page.wait_for_selector("text=now")


async def offered(page: Any, url: str) -> None:
    await page.goto(f"{url}/second-factor")
    if await page.locator("button:text-is('Set it up')").count():
        await page.click("button:text-is('Set it up')")
    await page.wait_for_selector("svg.qr")


PAGES: dict[str, Page] = {
    "GET /sign-in": Page("sign-in", at("/sign-in"), ""),
    "GET /enter/{link}": Page("enter", at("/enter/abc"), ""),
    "GET /sign-in/away": Page("provider-away", at("/sign-in/away"), ""),
    "GET /sign-in/back": Page("provider-back", at("/sign-in/back?state=a"), ""),
    "GET /": Page("home", at("/")),
    "GET /p/{practice}": Page("overview", at(PRACTICE)),
    "GET /p/{practice}/day": Page("day", at(f"{PRACTICE}/day")),
    "GET /p/{practice}/work": Page("work", at(f"{PRACTICE}/work")),
    "POST /p/{practice}/work/many": Page("many", many),
    "GET /p/{practice}/find": Page("find", at(f"{PRACTICE}/find")),
    "POST /p/{practice}/find": Page("found", found),
    "GET /p/{practice}/patient/{patient}": Page("patient", patient),
    "GET /p/{practice}/patient/{patient}/why/{field}": Page("why", why),
    "GET /p/{practice}/patient/{patient}/hold": Page("hold", hold_or_keep_out),
    "GET /p/{practice}/holds": Page("holds", held),
    "POST /p/{practice}/release": Page("release", release),
    "GET /p/{practice}/links": Page("links", at(f"{PRACTICE}/links")),
    "GET /p/{practice}/duplicates": Page("duplicates", at(f"{PRACTICE}/duplicates")),
    "GET /p/{practice}/appointments": Page("appointments", at(f"{PRACTICE}/appointments")),
    "GET /p/{practice}/bills": Page("bills", at(f"{PRACTICE}/bills")),
    "GET /p/{practice}/bills/{standing}": Page("bills-standing", at(f"{PRACTICE}/bills/sent?by=month")),
    "GET /p/{practice}/balance": Page("balance", balance),
    "GET /p/{practice}/maps": Page("maps", at(f"{PRACTICE}/maps")),
    "POST /p/{practice}/maps/effect": Page("map-effect", mapped),
    "GET /p/{practice}/patient/{patient}/move": Page("move", move),
    "POST /p/{practice}/patient/{patient}/move": Page("move-to", moved_to),
    "GET /p/{practice}/patient/{patient}/link": Page("link", link),
    "POST /p/{practice}/patient/{patient}/link": Page("link-to", link_to),
    "GET /p/{practice}/onboarding": Page("onboarding", at(f"{PRACTICE}/onboarding")),
    "GET /p/{practice}/onboarding/writes": Page("onboarding-writes", at(f"{PRACTICE}/onboarding/writes")),
    "GET /p/{practice}/settings": Page("settings", at(f"{PRACTICE}/settings")),
    "GET /p/{practice}/rules": Page("rules", at(f"{PRACTICE}/rules")),
    "GET /p/{practice}/help": Page("help", at(f"{PRACTICE}/help")),
    "GET /p/{practice}/done/{event}": Page("done", done),
    "POST /p/{practice}/deed": Page("under-way", at(f"{PRACTICE}/done/{OTHER_EVENT}")),
    "GET /second-factor": Page("second-factor", at("/second-factor"), "biller"),
    "POST /second-factor/begin": Page("second-factor-offered", offered, "biller"),
    "GET /p/{practice}/audit": Page("audit", at(f"{PRACTICE}/audit"), "auditor"),
    "GET /p/{practice}/audit/search": Page("search", at(f"{PRACTICE}/audit/search"), "auditor"),
    "POST /p/{practice}/audit/search": Page("searched", searched, "auditor"),
}
"""By method and path, as the router names them, in the order in which they are looked at."""

NO_PAGES = {
    "GET /static/{name}": "a file",
    "GET /alive": "a word for who watches the process",
    "GET /p/{practice}/news": "a stream",
    "POST /sign-in": "leads on, or is the page of the form again",
    "POST /enter/{link}": "leads on, or is the page of the form again",
    "POST /sign-out": "leads on",
    "POST /second-factor/confirm": "shows the codes in the place of the form",
    "POST /second-factor/give-up": "leads on, or is the page of the form again",
    "POST /p/{practice}/audit/mark": "the page of the search again, with what became of the checkpoint",
    "POST /p/{practice}/work/many/do": "leads on, or asks again",
}
"""Routes that have no page of their own."""


async def sign_in(page: Any, url: str, name: str) -> None:
    """The visitor is signed in under this name."""
    await page.goto(f"{url}/sign-in")
    await page.fill("input[name=name]", name)
    await page.fill("input[name=password]", PASSWORD)
    await page.click("button.main")
    await page.wait_for_selector("text=Sign out")
