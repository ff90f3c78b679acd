"""A month balances; then an encounter is removed in the billing system: the look-up finds it, and the biller sees which."""

from __future__ import annotations

from datetime import timedelta

import pytest

from daemon.sandbox.day import GOOD_LINE
from tests.acceptance.test_cli_repair import ELM
from tests.browser.conftest import Story

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_month_balances_until_an_encounter_is_removed(story: Story) -> None:
    town = story.town
    chart, patient = await story.linked("Beatrix", "Balancewell")
    first = town.clinic.billing.state.now().date().replace(day=1)
    served = (first - timedelta(days=40)).replace(day=20)  # in a month that no other story bills in
    note = town.clinic.ehr.people.sign_note(chart, town.office.physicians[0], town.office.place[0], served, [GOOD_LINE])
    bill = int(note["bill"]["id"])
    await town.rest.reached()
    month = f"{served:%Y-%m}"
    async with story.visitor("biller") as page:
        await page.click("nav >> text=Accounts")
        await page.goto(f"{story.site.url}/p/elm/balance?by=month&on={served}")
        assert "Nothing signed is unbilled" in await page.inner_text("main")
        assert "were not looked up in Kareo yet" in await page.inner_text("main")
        assert f"chartwire balance elm --month {month}" in await page.inner_text("main")
        assert (await town.run("balance", ELM, "--month", month)).code == 0
        await page.reload()
        assert "Each is there with what was sent" in await page.inner_text("main")

        (encounter,) = [one for one in town.clinic.billing.encounters.values() if one.batch_number == str(bill)]
        del town.clinic.billing.encounters[encounter.id]
        assert (await town.run("balance", ELM, "--month", month)).code == 1
        await page.reload()
        row = page.locator("table tbody tr", has_text=str(bill))
        told = await row.inner_text()
        assert "Balancewell, Beatrix" in told
        assert f"Encounter {encounter.id} is not in Kareo any more; enter it there again with batch number {bill}" in told
        assert "1 is not there any more" in await page.inner_text("main")
        await row.locator("a[href*='/patient/']").click()
        await page.wait_for_selector("text=Both charts")
        assert str(patient) in await page.inner_text("main")

        encounter.id += 7000  # entered again by hand, with the bill's batch number
        town.clinic.billing.encounters[encounter.id] = encounter
        assert (await town.run("balance", ELM, "--month", month)).code == 0
        await page.goto(f"{story.site.url}/p/elm/balance?by=month&on={served}")
        assert "Nothing signed is unbilled" in await page.inner_text("main")
    assert town.clinic.billing.patients[patient].id == patient
    assert story.complaints == []
