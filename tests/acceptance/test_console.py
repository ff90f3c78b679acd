"""Deeds of the console against a running worker: seen in both sandboxes, recorded under the user's name, done once though sent twice."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from daemon.history.events_of import patient_events
from daemon.tables import access
from tests.acceptance.test_cli_repair import ELM, Town, open_town
from tests.conftest import until
from tests.integration.visiting import ONCE, Answer, Browser, Site, site

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Visited:
    town: Town
    site: Site


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Visited]:
    async with open_town(tmp_path_factory.mktemp("visited_town")) as town, site(town.config) as opened:
        await until(lambda: reported(town), 60)
        yield Visited(town, opened)


async def reported(town: Town) -> bool:
    """The worker has said by whose name the practice's partition is found: the console asks nothing before."""
    found = await town.store.pool.fetchval("SELECT doc->>'account' FROM chartwire.report WHERE practice = 'elm'")
    return found == ELM


def form(text: str, deed: str, *needed: str) -> dict[str, str]:
    """The fields of the first form of a page that asks for this deed."""
    for one in re.findall(r"<form method=\"post\".*?</form>", text, re.DOTALL):
        fields = dict(re.findall(r'name="([\w-]+)" value="([^"]*)"', one))
        if fields.get("deed") == deed and all(name in str(fields) for name in needed):
            return {name: value for name, value in fields.items() if name != "token"}
    raise AssertionError(f"no form of the page asks for {deed}")


async def settled(browser: Browser, answer: Answer) -> str:
    """The page of a deed once everything that followed is done."""
    assert answer.status == 303, answer.text
    async with asyncio.timeout(60):
        while True:
            page = await browser.get(answer.goes_to)
            if "everything that followed is done" in page.text or 'role="alert"' in page.text:
                return page.text
            await asyncio.sleep(0.1)


async def test_a_conflict_is_seen_from_the_patient_s_page(at: Visited) -> None:
    town = at.town
    chart, patient = await town.linked()
    address = dict(town.clinic.ehr.patients[chart]["address"])
    town.day.edit_kareo(patient, city="Kareoville")
    town.day.edit_elation(chart, address={**address, "city": "Elationtown"})
    await town.rest.reached()
    browser = await at.site.of("front-desk")
    found = await browser.post("/p/elm/find", {"id": str(patient)})
    (path,) = set(re.findall(r'href="(/p/elm/patient/[\w-]+)"', found.text))
    page = await browser.get(path)
    assert "Kareoville" in page.text
    told = await settled(browser, await browser.post("/p/elm/deed", form(page.text, "seen", "city")))
    assert "conflict seen" in told
    assert not await town.waits("conflict:city")
    last = await access.of_patient(at.site.console.store.pool, "elm", access.PatientKey(f"K:{patient}"), most=5)
    assert {"deed: seen", "patient"} <= {one.what for one in last}
    seen = [one for one in await patient_events(town.store, ELM, billing=[patient]) if one.event.type == "ConflictSeen"]
    assert [one.event.body.who for one in seen] == ["front-desk"]  # type: ignore[union-attr]


async def test_a_form_sent_twice_is_done_once(at: Visited) -> None:
    town = at.town
    _, patient = await town.linked()
    browser = await at.site.of("operator")
    found = await browser.post("/p/elm/find", {"id": str(patient)})
    (path,) = set(re.findall(r'href="(/p/elm/patient/[\w-]+)"', found.text))
    fields = form((await browser.get(path)).text, "resync")
    first, second = [await browser.post("/p/elm/deed", fields) for _ in range(2)]
    assert first.goes_to == second.goes_to
    await settled(browser, second)
    await town.rest.reached()
    asked = [one for one in await patient_events(town.store, ELM, billing=[patient]) if one.event.type == "ResyncRequested"]
    assert len(asked) == 1
    other = form((await browser.get(path)).text, "resync")
    assert ONCE.search(f'name="once" value="{other["once"]}"')
    assert (await browser.post("/p/elm/deed", other)).goes_to != first.goes_to


async def test_a_policy_beyond_the_case_is_removed_by_a_button(at: Visited) -> None:
    town = at.town
    chart, patient = await town.linked()
    number = town.day._insure(patient, 0)
    await town.rest.reached()
    staff = int(town.clinic.ehr.people.add_policy(chart, 2, carrier_name="Red", plan_name="One", member_id="S-1")["id"])
    town.clinic.billing.people.deactivate_policy(number)
    await until(lambda: town.waits(f"chart-policy:{staff}", "beyond-case"), 30)
    await town.rest.reached()
    browser = await at.site.of("biller")
    page = await browser.get("/p/elm/work?code=beyond-case")
    assert "Remove it in Elation" in page.text
    told = await settled(browser, await browser.post("/p/elm/deed", form(page.text, "remove-policy", str(staff))))
    assert f"remove policy {staff} in Elation" in told
    await town.rest.reached()
    assert town.clinic.ehr.policies[staff]["status"] == "inactive"
    assert not await town.waits(f"chart-policy:{staff}")


async def test_two_charts_that_wait_for_a_person_are_one_pair_and_are_linked(at: Visited) -> None:
    town = at.town
    chart, there = await town.undecided()
    browser = await at.site.of("front-desk")
    page = await browser.get("/p/elm/links")
    assert page.text.count(f"chart {chart}</a> and Kareo") == 1
    assert "one person" in page.text
    assert "Linking would lead to 1 write<" in page.text
    listed = await browser.get("/p/elm/work?code=candidates")
    assert "1 item, the oldest first" in listed.text
    told = await settled(browser, await browser.post("/p/elm/deed", form(page.text, "link", str(chart), str(there))))
    assert "linked" in told
    await town.rest.reached()
    assert town.day.kareo_of(town.office, chart) == there
    second = await browser.post("/p/elm/deed", form(page.text, "not-the-same", str(chart), str(there)) | {"once": "y" * 22})
    assert "somebody has linked the two meanwhile" in (await settled(browser, second))


async def test_many_of_one_kind_are_done_at_once_and_asked_again_when_their_number_changed(at: Visited) -> None:
    town = at.town
    pairs = [await town.linked() for _ in range(3)]
    town.clinic.ehr.faults.add(match=("PATCH", "/patients/{id}/"), kind="status", status=400, times=3)
    for number, (_, patient) in enumerate(pairs):
        town.day.edit_kareo(patient, email=f"many{number}@mail.example")
    await until(lambda: refused(town, 3), 60)
    await town.rest.reached()
    browser = await at.site.of("operator")
    listed = await browser.get("/p/elm/work?code=refused")
    assert listed.text.count(">Try again</button>") == 3
    asked = await browser.post("/p/elm/work/many", {"code": "refused"})
    assert "Try again, for 3 items" in asked.text
    fields = dict(re.findall(r'name="([\w-]+)" value="([^"]*)"', asked.text.split("/work/many/do")[1]))
    changed = await browser.post("/p/elm/work/many/do", {**fields, "count": "2"})
    assert "their number has changed" in changed.text
    done = await browser.post("/p/elm/work/many/do", fields)
    assert done.goes_to == "/p/elm/work?asked=3"
    for _, patient in pairs:
        (last,) = await access.of_patient(at.site.console.store.pool, "elm", access.PatientKey(f"K:{patient}"), most=1)
        assert (last.who, last.what) == ("operator", "deed: retry")
    await until(lambda: refused(town, 0), 60)
    await town.rest.reached()
    emails = [town.clinic.ehr.patients[chart]["emails"][0]["email"] for chart, _ in pairs]
    assert emails == [f"many{number}@mail.example" for number in range(3)]


async def refused(town: Town, count: int) -> bool:
    rows = await town.store.pool.fetch("SELECT 1 FROM chartwire.waiting WHERE practice = 'elm' AND code = 'refused'")
    return len(rows) == count


async def test_a_misspelt_name_is_found_and_a_value_explained(at: Visited) -> None:
    town = at.town
    person = town.day.person() | {"first_name": "Margaret", "last_name": "Fitzgerald"}
    town.day.kareo_patient(town.office, person)
    await town.rest.reached()
    browser = await at.site.of("front-desk")
    found = await browser.post("/p/elm/find", {"first": "Margret", "last": "Fitzgreald"})
    assert "Fitzgerald, Margaret" in found.text
    (path, *_) = re.findall(r'href="(/p/elm/patient/[\w-]+)"', found.text)
    why = await browser.get(f"{path}/why/last_name")
    assert "Fitzgerald" in why.text
    assert "The last write of it" in why.text
    nobody = await browser.post("/p/elm/find", {"first": "Zxqv", "last": "Wjkpt"})
    assert "Nobody like that" in nobody.text


async def test_two_charts_of_one_system_are_listed_and_told_apart(at: Visited) -> None:
    town = at.town
    person = town.day.person() | {"first_name": "Ottoline", "last_name": "Vandermeer"}
    first = town.day.kareo_patient(town.office, person)
    second = town.day.kareo_patient(town.office, person)
    await town.rest.reached()
    browser = await at.site.of("front-desk")
    page = await browser.get("/p/elm/duplicates")
    assert "Vandermeer" in page.text
    assert "must be kept" in page.text or "is the older one" in page.text or "both are connected" in page.text
    fields = form(page.text, "apart", str(first), str(second))
    assert (await browser.post("/p/elm/deed", fields | {"reason": " "})).status == 400
    await settled(browser, await browser.post("/p/elm/deed", fields | {"reason": "mother and daughter"}))
    assert "Vandermeer" not in (await browser.get("/p/elm/duplicates")).text


async def test_the_day_is_sound_after_all_that(at: Visited) -> None:
    await at.town.sound()
    assert await access.broken_at(at.site.console.store.pool, "elm") is None
