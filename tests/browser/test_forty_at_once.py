"""Forty items of one kind are done at once: their number is asked, each is asked for by itself, and the sandbox holds all forty."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Story
from tests.conftest import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

FORTY = 40


async def test_forty_refused_writes_are_tried_again_at_once(story: Story) -> None:
    town = story.town
    day, office = town.day, town.office
    people = [day.kareo_patient(office, {**day.person(), "last_name": f"Fortyfold{number}"}) for number in range(FORTY)]
    await town.rest.reached()
    charts = [day.counterpart(office, patient) for patient in people]
    town.clinic.ehr.faults.add(match=("PATCH", "/patients/{id}/"), kind="status", status=400, times=FORTY)
    for number, patient in enumerate(people):
        day.edit_kareo(patient, email=f"forty{number}@mail.example")
    await until(lambda: refused(story, FORTY), 240)
    await town.rest.reached()
    async with story.visitor("operator") as page:
        await page.click("nav >> text=Work list")
        await page.click("ul[aria-label='By kind'] >> text=refused")
        await page.click(f"text=Do this for all {FORTY}")
        assert f"Try again, for {FORTY} items" in await page.inner_text("main")
        await page.click("a.button:text-is('No')")
        assert emails(story, charts) & set(wanted()) == set()
        await page.click(f"text=Do this for all {FORTY}")
        await page.click(f"text=Yes, all {FORTY}")
        await page.wait_for_selector(f"text={FORTY} were asked for")
        await until(lambda: refused(story, 0), 240)
        await town.rest.reached()
        await page.reload()
        assert "Fortyfold" not in await page.inner_text("main")
    assert emails(story, charts) == set(wanted())
    asked = await town.store.pool.fetchval(
        "SELECT count(*) FROM chartwire.event WHERE practice = 'elm' AND type = 'RetryRequested' AND kareo_patient = ANY($1::bigint[])",
        people,
    )
    assert asked == FORTY
    assert story.complaints == []


def wanted() -> list[str]:
    return [f"forty{number}@mail.example" for number in range(FORTY)]


def emails(story: Story, charts: list[int]) -> set[str]:
    patients = story.town.clinic.ehr.patients
    return {one["email"] for chart in charts for one in patients[chart]["emails"]}


async def refused(story: Story, count: int) -> bool:
    rows = await story.town.store.pool.fetch(
        "SELECT 1 FROM chartwire.waiting WHERE practice = 'elm' AND code = 'refused' AND slot = 'demographics:elation'"
    )
    return len(rows) == count
