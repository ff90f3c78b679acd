"""A patient entered twice in one system: the page says which chart to keep; merged in the sandbox as it says, the pair is gone."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Story
from tests.conftest import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_duplicate_is_found_and_after_the_merge_it_is_gone(story: Story) -> None:
    town = story.town
    chart, patient = await story.linked("Philippa", "Twiceborn")
    kept = town.clinic.billing.patients[patient]
    person = {**town.day.person(), "first_name": "Philippa", "last_name": "Twiceborn", "birth_date": kept.dob}
    person |= {"sex": kept.gender, "mobile": kept.mobile_phone, "street": kept.address1, "city": kept.city, "zip": kept.zip}
    other = town.day.kareo_patient(town.office, person)
    await town.rest.reached()
    before = len(town.clinic.ehr.patients)
    async with story.visitor("front-desk") as page:
        await page.click("nav >> text=Duplicates")
        row = page.locator("tbody tr:has-text('Twiceborn')")
        told = await row.inner_text()
        assert str(patient) in told
        assert str(other) in told
        assert f"in Kareo merge {other} into {patient}" in told
        await row.locator("a", has_text="Twiceborn").first.click()
        await page.wait_for_selector("text=Both charts")

        town.clinic.billing.people.merge_patients(other, patient)
        await until(lambda: gone(story, other), 40)
        await town.rest.reached()
        await page.goto(f"{story.site.url}/p/elm/duplicates")
        assert "Twiceborn" not in await page.inner_text("main")
        await page.goto(f"{story.site.url}/p/elm/work")
        assert "Twiceborn" not in await page.inner_text("main")
    assert town.clinic.billing.patients[other].merged_into == patient
    assert len(town.clinic.ehr.patients) == before, "no chart was made for the one who was entered twice"
    assert town.day.counterpart(town.office, patient) == chart
    town.day.edit_kareo(patient, city="Oneville")
    await town.rest.reached()
    assert town.clinic.ehr.patients[chart]["address"]["city"] == "Oneville"
    assert story.complaints == []


async def gone(story: Story, patient: int) -> bool:
    """Whether a complete sweep of the billing system has found that the patient is gone."""
    rows = await story.town.store.pool.fetchval(
        "SELECT count(*) FROM chartwire.event WHERE practice = 'elm' AND type = 'KareoChartVanished' AND kareo_patient = $1",
        patient,
    )
    return bool(rows)
