"""Two people, or one twice, on one item: what is asked for is done once, and whoever comes second, or late, is told."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from daemon.history.events_of import patient_events
from tests.acceptance.test_cli_repair import ELM, open_town
from tests.acceptance.test_console import Visited, form, refused, reported, settled
from tests.conftest import until
from tests.integration.visiting import Answer, Browser, site

pytestmark = pytest.mark.asyncio(loop_scope="module")
CHANGED = "This has changed since it was shown"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Visited]:
    async with open_town(tmp_path_factory.mktemp("raced_town")) as town, site(town.config) as opened:
        await until(lambda: reported(town), 240)
        yield Visited(town, opened)


async def asked(at: Visited, patient: int, type_: str) -> int:
    """How many commands of this type were recorded of a patient."""
    return sum(one.event.type == type_ for one in await patient_events(at.town.store, ELM, billing=[patient]))


async def patient_page(browser: Browser, patient: int) -> Answer:
    found = await browser.post("/p/elm/find", {"id": str(patient)})
    (path,) = set(re.findall(r'href="(/p/elm/patient/[\w-]+)"', found.text))
    return await browser.get(path)


async def conflict(at: Visited, patient: int, chart: int, here: str, there: str) -> None:
    """Both sides change the city at once, to different ones."""
    town = at.town
    address = dict(town.clinic.ehr.patients[chart]["address"])
    town.day.edit_kareo(patient, city=there)
    town.day.edit_elation(chart, address={**address, "city": here})
    await town.rest.reached()


async def test_a_double_click_is_one_deed(at: Visited) -> None:
    _, patient = await at.town.linked()
    browser = await at.site.of("operator")
    fields = form((await patient_page(browser, patient)).text, "resync")
    answers = await asyncio.gather(*(browser.post("/p/elm/deed", fields) for _ in range(5)))
    assert len({one.goes_to for one in answers}) == 1
    await settled(browser, answers[0])
    await at.town.rest.reached()
    assert await asked(at, patient, "ResyncRequested") == 1


async def test_of_two_who_press_at_once_each_is_told_and_the_write_is_done_once(at: Visited) -> None:
    """Both forms are checked before either was recorded: the owner takes the first, and answers the second."""
    town = at.town
    chart, patient = await town.linked()
    town.clinic.ehr.faults.add(match=("PATCH", "/patients/{id}/"), kind="status", status=400, times=1)
    town.day.edit_kareo(patient, email="pressed@mail.example")
    await until(lambda: refused(town, 1), 240)
    await town.rest.reached()
    people = [await at.site.of(name) for name in ("front-desk", "operator")]
    forms = [form((await one.get("/p/elm/work?code=refused")).text, "retry") for one in people]
    answers = await asyncio.gather(*(one.post("/p/elm/deed", each) for one, each in zip(people, forms, strict=True)))
    told = [await outcome(*one) for one in zip(people, answers, strict=True)]
    await town.rest.reached()
    assert sum("everything that followed is done" in one and 'role="alert"' not in one for one in told) == 1, told
    assert sum("no refused write" in one or "does not wait any more" in one for one in told) == 1, told
    assert town.clinic.ehr.patients[chart]["emails"][0]["email"] == "pressed@mail.example"


async def outcome(browser: Browser, answer: Answer) -> str:
    """What somebody is told: at once, or on the page of the deed."""
    return await settled(browser, answer) if answer.status == 303 else answer.text


async def test_back_and_press_again_is_told_by_whom_it_was_done(at: Visited) -> None:
    """The browser's history brings the form back as it was sent: the item is done, and nothing is asked for again."""
    town = at.town
    chart, patient = await town.linked()
    await conflict(at, patient, chart, "Backtown", "Backville")
    browser = await at.site.of("front-desk")
    page = await patient_page(browser, patient)
    fields = form(page.text, "seen", "city")
    await settled(browser, await browser.post("/p/elm/deed", fields))
    again = await browser.post("/p/elm/deed", fields)
    assert again.status == 404
    assert "does not wait any more: front-desk did this at" in again.text
    other = await (await at.site.of("operator")).post("/p/elm/find", {"id": str(patient)})
    assert other.status == 200
    assert await asked(at, patient, "ConflictSeen") == 1


async def test_a_page_of_an_hour_ago_accepts_nothing_that_came_since(at: Visited) -> None:
    """The item is in the same slot under the same code, and is about something else: nobody has seen that."""
    town = at.town
    chart, patient = await town.linked()
    await conflict(at, patient, chart, "Firsttown", "Firstville")
    browser = await at.site.of("front-desk")
    old = form((await patient_page(browser, patient)).text, "seen", "city")
    second = await at.site.of("operator")
    await settled(second, await second.post("/p/elm/deed", form((await patient_page(second, patient)).text, "seen", "city")))
    await conflict(at, patient, chart, "Secondtown", "Secondville")
    late = await browser.post("/p/elm/deed", old)
    assert late.status == 404
    assert CHANGED in late.text
    assert await town.waits("conflict:city")
    fresh = form((await patient_page(browser, patient)).text, "seen", "city")
    await settled(browser, await browser.post("/p/elm/deed", fresh))
    assert not await town.waits("conflict:city")
    assert await asked(at, patient, "ConflictSeen") == 2


async def test_a_pair_is_not_linked_where_one_of_the_charts_was_merged_since_it_was_shown(at: Visited) -> None:
    town = at.town
    chart, there = await town.undecided()
    browser = await at.site.of("front-desk")
    fields = form((await browser.get("/p/elm/links")).text, "link", str(chart), str(there))
    survivor, _ = await town.linked()
    town.clinic.ehr.people.merge_patients(chart, survivor)
    await town.rest.reached()
    told = await settled(browser, await browser.post("/p/elm/deed", fields))
    assert 'role="alert"' in told
    assert "was deleted or merged into another chart" in told
    await town.rest.reached()
    assert (
        await town.store.pool.fetchval(
            "SELECT count(*) FROM chartwire.link WHERE practice = 'elm' AND kareo_patient = $1", there
        )
        == 0
    )


async def test_a_hold_that_took_the_place_of_another_is_not_released_unseen(at: Visited) -> None:
    town = at.town
    _, patient = await town.linked()
    first, second = await at.site.of("front-desk"), await at.site.of("operator")
    page = await patient_page(first, patient)
    path = f"{page.path}/hold"
    hold = form((await first.get(path)).text, "hold")
    await settled(first, await first.post("/p/elm/deed", {**hold, "reason": "the phone is being asked for"}))
    listed = await first.get("/p/elm/holds")
    (slot,) = {one for one in re.findall(r'name="slot" value="([^"]+)"', listed.text) if str(patient) in one}
    old = form((await first.post("/p/elm/release", {"slot": slot})).text, "release")
    again = form((await second.get(path)).text, "hold")
    await settled(second, await second.post("/p/elm/deed", {**again, "reason": "a court has asked for it"}))
    late = await first.post("/p/elm/deed", old)
    assert late.status == 404
    assert "another hold in the place of this one" in late.text
    fresh = form((await first.post("/p/elm/release", {"slot": slot})).text, "release")
    await settled(first, await first.post("/p/elm/deed", fresh))
    assert "another hold" not in (await first.get("/p/elm/holds")).text
    gone = await second.post("/p/elm/deed", {**fresh, "once": "z" * 22})
    assert "this is not held, or not any more" in (await outcome(second, gone)).lower()


async def test_the_day_is_sound_after_all_races(at: Visited) -> None:
    await at.town.sound()
