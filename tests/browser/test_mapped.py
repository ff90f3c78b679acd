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


async def test_the_operator_maps_a_provider_and_the_bill_goes_out(story: Story) -> None:
    town, office = story.town, story.town.office
    chart, _ = await story.linked("Rosalind", "Penhaligon")
    hired = town.clinic.ehr.add_physician(office.ehr, first_name="Remy", last_name="Hadley", npi="")

    def signed() -> int:
        note = town.clinic.ehr.people.sign_note(chart, hired["id"], office.place[0], town.day._today, [GOOD_LINE])
        return int(note["bill"]["id"])

    def sent(bill: int) -> list[Any]:
        return [one for one in town.clinic.billing.encounters.values() if one.batch_number == str(bill)]

    bill = signed()
    await until(lambda: town.clinic.ehr.bills[bill]["billing_status"] == "UnresolvedError", 240)
    await town.rest.reached()
    assert await town.waits(f"bill:{bill}", "bill-error")
    assert sent(bill) == []
    async with story.visitor("operator") as page:

        async def listed() -> bool:
            await page.goto(f"{story.site.url}/p/elm/maps")
            return "Remy Hadley" in await page.inner_text("main")

        await until(listed, 240)
        row = page.locator("tr:has(th:has-text('Remy Hadley'))").first
        assert "nothing" in await row.inner_text()
        assert "1 bill error" in await row.inner_text()
        await looked_at(page)
        await row.locator("select").select_option(str(office.locum))
        await row.locator("button:text-is('Map …')").click()
        told = await page.inner_text("main")
        assert "1 item goes on that waits now: 1 bill error." in told
        assert "2 writes follow: 2 of bill." in told
        assert "Penhaligon" in told
        assert sent(bill) == []
        await looked_at(page)
        await page.fill("input[name=reason]", "bills under the locum until she is enrolled")
        await page.click("button:text-is('Yes, map')")
        await page.wait_for_selector(DONE, timeout=240_000)
    await until(lambda: town.clinic.ehr.bills[bill]["billing_status"] == "Billed", 240)
    (encounter,) = sent(bill)
    assert encounter.rendering_id == office.locum
    await town.rest.reached()
    await given_back(story)
    again = signed()
    await until(lambda: town.waits(f"bill:{again}", "bill-error"), 240)
    await town.rest.reached()
    assert sent(again) == []
    assert story.complaints == []


async def given_back(story: Story) -> None:
    """The saved row says by whom and why, and is given back to the configuration."""
    async with story.visitor("operator") as page:
        await page.goto(f"{story.site.url}/p/elm/maps")
        row = page.locator("tr:has(th:has-text('Remy Hadley'))").first
        text = await row.inner_text()
        assert "operator" in text
        assert "bills under the locum until she is enrolled" in text
        assert "goes before not mapped" in text
        await row.locator("button:text-is('Give back …')").click()
        await page.click("button:text-is('Yes, give back')")
        await page.wait_for_selector(DONE, timeout=240_000)
