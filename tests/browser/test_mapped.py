"""A bill waits because nobody knows its provider in the other system; the operator maps it and the bill goes out; then the row is given back."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.sandbox.day import GOOD_LINE
from tests.browser.conftest import Story
from tests.browser.test_every_page import looked_at
from tests.conftest import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

DONE = "text=everything that followed is done"
ROW = "tr:has(th:has-text('Remy Hadley'))"


def sent(story: Story, bill: int) -> list[Any]:
    """The encounters that a bill has become."""
    return [one for one in story.town.clinic.billing.encounters.values() if one.batch_number == str(bill)]


async def waits(story: Story, chart: int, physician: int) -> int:
    """A bill of this physician that was answered with a Bill Error."""
    town = story.town
    note = town.clinic.ehr.people.sign_note(chart, physician, town.office.place[0], town.day._today, [GOOD_LINE])
    bill = int(note["bill"]["id"])
    await until(lambda: town.clinic.ehr.bills[bill]["billing_status"] == "UnresolvedError", 240)
    await town.rest.reached()
    assert await town.waits(f"bill:{bill}", "bill-error")
    assert sent(story, bill) == []
    return bill


async def listed(story: Story, page: Any) -> bool:
    """Whether the maps have her: the daemon reads the providers of both systems now and then."""
    await page.goto(f"{story.site.url}/p/elm/maps")
    return "Remy Hadley" in await page.inner_text("main")


async def test_the_operator_maps_a_provider_and_the_bill_goes_out(story: Story) -> None:
    town, office = story.town, story.town.office
    chart, _ = await story.linked("Rosalind", "Penhaligon")
    hired = int(town.clinic.ehr.add_physician(office.ehr, first_name="Remy", last_name="Hadley", npi="")["id"])
    bill = await waits(story, chart, hired)
    async with story.visitor("operator") as page:
        await until(lambda: listed(story, page), 240)
        row = page.locator(ROW).first
        assert "nothing" in await row.inner_text()
        assert "Bill error: 1" in await row.inner_text()
        await looked_at(page)
        await row.locator("select").select_option(str(office.locum))
        await row.locator("button:text-is('Map …')").click()
        told = await page.inner_text("main")
        assert "1 item goes on that waits now: bill error (1)." in told
        assert "2 writes follow: 2 of bills." in told
        assert "Penhaligon" in told
        assert sent(story, bill) == []
        await looked_at(page)
        await page.fill("input[name=reason]", "bills under the locum until she is enrolled")
        await page.click("button:text-is('Yes, map')")
        await page.wait_for_selector(DONE, timeout=240_000)
    await until(lambda: town.clinic.ehr.bills[bill]["billing_status"] == "Billed", 240)
    (encounter,) = sent(story, bill)
    assert encounter.rendering_id == office.locum
    await town.rest.reached()
    assert not await town.waits(f"bill:{bill}")
    await given_back(story)
    await waits(story, chart, hired)
    assert story.complaints == []


async def given_back(story: Story) -> None:
    """The row says by whom it was saved and why, and one deed gives it back."""
    async with story.visitor("operator") as page:
        await page.goto(f"{story.site.url}/p/elm/settings")
        assert "bills under the locum until she is enrolled" in await page.inner_text("main")
        await page.click("text=See or give back")
        row = page.locator(ROW).first
        text = await row.inner_text()
        assert "operator" in text
        assert "bills under the locum until she is enrolled" in text
        assert "goes before not mapped" in text
        await row.locator("button:text-is('Give back …')").click()
        await page.click("button:text-is('Yes, give back')")
        await page.wait_for_selector(DONE, timeout=240_000)
