"""A bill in error: the page says what to fix, it is fixed in the sandbox where it says, and sent again by the biller; once."""

from __future__ import annotations

import pytest

from daemon.sandbox.day import GOOD_LINE
from daemon.sandbox.kareo.records import Encounter
from tests.browser.conftest import Story
from tests.conftest import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_bill_error_is_fixed_where_it_says_and_sent_again(story: Story) -> None:
    town, clinic = story.town, story.town.clinic
    chart, patient = await story.linked("Rosalind", "Billworthy")
    today = clinic.billing.state.now().date()
    bad = {**GOOD_LINE, "cpt": "99998"}
    note = clinic.ehr.people.sign_note(chart, town.office.physicians[0], town.office.place[0], today, [bad])
    bill = int(note["bill"]["id"])
    await until(lambda: town.waits(f"bill:{bill}", "bill-error"), 40)
    await town.rest.reached()
    assert encounters(story, bill) == []
    assert clinic.ehr.bills[bill]["billing_status"] == "UnresolvedError"
    async with story.visitor("biller") as page:
        await page.click("nav >> text=Bills")
        row = page.locator("tbody tr", has_text=str(bill))
        told = await row.inner_text()
        assert "Billworthy, Rosalind" in told
        assert "99998" in told

        clinic.billing.add_procedure_code(town.office.customer_key, "99998", "New this year")
        await row.locator("button:text-is('Check and send again')").click()
        await page.wait_for_selector("text=everything that followed is done", timeout=30_000)
        await town.rest.reached()
        await page.goto(f"{story.site.url}/p/elm/bills")
        assert await page.locator("tbody tr", has_text=str(bill)).count() == 0
    (sent,) = encounters(story, bill)
    assert sent.patient_id == patient
    assert [line.procedure_code for line in sent.lines] == ["99998"]
    assert str(clinic.ehr.bills[bill]["ref_number"]) == str(sent.id)
    assert clinic.ehr.bills[bill]["billing_status"] != "UnresolvedError"
    assert story.complaints == []


def encounters(story: Story, bill: int) -> list[Encounter]:
    return [one for one in story.town.clinic.billing.encounters.values() if one.batch_number == str(bill)]
