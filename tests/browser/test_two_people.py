"""Two people act on one item at once: the second is told who was faster, and what the first decided stands in both sandboxes."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Story
from tests.conftest import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

DONE = "text=everything that followed is done"


async def test_the_second_to_decide_about_a_pair_is_told(story: Story) -> None:
    town = story.town
    pairs = []
    for _ in range(2):
        person = town.day.person()
        patient = town.day.kareo_patient(town.office, {**person, "birth_date": None})
        pairs.append((town.day.elation_patient(town.office, person), patient))
    await town.rest.reached()
    before = len(town.clinic.billing.patients), len(town.clinic.ehr.patients)
    (chart, patient), (other, another) = pairs
    async with story.visitor("front-desk") as first, story.visitor("operator") as second:
        for page in (first, second):
            await page.goto(f"{story.site.url}/p/elm/links")
        await first.locator(f"section.card:has-text('{chart}') button:has-text('link')").click()
        await first.wait_for_selector(DONE, timeout=240_000)
        await second.locator(f"section.card:has-text('{chart}') button:text-is('Two persons')").click()
        await second.wait_for_selector("[role=alert]", timeout=240_000)
        assert "somebody has linked the two meanwhile" in await second.inner_text("main")

        for page in (first, second):
            await page.goto(f"{story.site.url}/p/elm/links")
        await first.locator(f"section.card:has-text('{other}') button:text-is('Two persons')").click()
        await first.wait_for_selector(DONE, timeout=240_000)
        await second.locator(f"section.card:has-text('{other}') button:has-text('link')").click()
        await second.wait_for_selector("[role=alert]", timeout=240_000)
        assert "said meanwhile that they are two persons" in await second.inner_text("main")
    await town.rest.reached()
    town.day.edit_kareo(patient, city="Linkedville")
    town.day.edit_kareo(another, city="Apartville")
    await town.rest.reached()
    cities = [town.clinic.ehr.patients[one]["address"]["city"] for one in (chart, other)]
    assert cities[0] == "Linkedville"
    assert cities[1] != "Apartville"
    created = len(town.clinic.billing.patients) - before[0], len(town.clinic.ehr.patients) - before[1]
    assert created == (1, 0), "of the two persons the chart has a patient of its own; the patient without a birth date waits"
    assert story.complaints == []


async def test_the_second_to_try_a_write_again_is_told_by_whom_it_was_done(story: Story) -> None:
    town = story.town
    chart, patient = await story.linked("Augusta", "Twicepressed")
    town.clinic.ehr.faults.add(match=("PATCH", "/patients/{id}/"), kind="status", status=400, times=1)
    town.day.edit_kareo(patient, email="pressed.twice@mail.example")
    await until(lambda: town.waits("demographics:elation", "refused"), 240)
    await town.rest.reached()
    async with story.visitor("front-desk") as first, story.visitor("operator") as second:
        for page in (first, second):
            await page.goto(f"{story.site.url}/p/elm/work?code=refused")
        row = "tbody tr:has-text('Twicepressed')"
        await first.locator(row).locator("button").click()
        await first.wait_for_selector(DONE, timeout=240_000)
        await second.locator(row).locator("button").click()
        await second.wait_for_selector("text=does not wait any more")
        assert "front-desk did this at" in await second.inner_text("main")
    assert town.clinic.ehr.patients[chart]["emails"][0]["email"] == "pressed.twice@mail.example"
    asked = await town.store.pool.fetchval(
        "SELECT count(*) FROM chartwire.event WHERE practice = 'elm' AND type = 'RetryRequested' AND kareo_patient = $1",
        patient,
    )
    assert asked == 1
    story.complaints.clear()  # Chromium notes the answer that nothing is there
