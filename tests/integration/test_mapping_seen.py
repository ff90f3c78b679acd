"""Maps as people see and save them: rows with names and sources, what waits for each, the effect before it is asked for, and what follows."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace

from daemon.__main__ import main
from daemon.demo.embedded import EmbeddedPostgres
from daemon.operator.maps import MapLine, effect_of, maps_of
from events.commands import MapGiveBackRequested, MapRequested
from events.ids import Charts
from events.maps import MapKind
from events.records import Location, Provider
from events.schema import (
    BillingAppointmentObserved,
    BillingDirectoryObserved,
    BillObserved,
    EhrDirectoryObserved,
    IntentRequested,
)
from events.writes import CreateEncounter, UpdateBillingChart
from projections.rules.mapping import MapRow
from projections.state.maps import MapSource
from tests.conftest import PRACTICE
from tests.integration.place import Make, Place, recording
from tests.integration.recorder_driver import NOON, POLICY, VISIT, RecorderDriver, ask, insured
from tests.integration.visiting import ONCE, Site, log_of, site
from tests.unit.records import (
    ADA,
    BLUE,
    GOOD_BILL,
    GREY,
    KAREO_GREY,
    KAREO_LOCUM,
    KAREO_MAIN_STREET,
    MAIN_STREET,
    PHYSICIANS,
    PROVIDERS,
)

HADLEY = Provider(id=13, first_name="Remy", last_name="Hadley", npi="1000000038")
HADLEY_THERE = Provider(id=513, first_name="Remi", last_name="Hadley", full_name="Remi Hadley, MD")
NOBODY = Provider(id=514, first_name="Allison", last_name="Cameron", full_name="Allison Cameron, MD")
ANNEX, ANNEX_THERE = 22, 602
ROW = MapRow(MapKind.PROVIDER, HADLEY.id)


async def waiting(desk: RecorderDriver) -> None:
    """A bill waits for its physician, and an appointment for a calendar."""
    await desk.link(there=insured(BLUE))
    places = (Location(id=MAIN_STREET, name="Main Street", place_of_service="11"), Location(id=ANNEX, name="Annex East"))
    there = (Location(id=KAREO_MAIN_STREET, name="Main Street"), Location(id=ANNEX_THERE, name="East Annex"))
    await desk.see(
        EhrDirectoryObserved(providers=(*PHYSICIANS, HADLEY), locations=places),
        BillingDirectoryObserved(providers=(*PROVIDERS, HADLEY_THERE, NOBODY), locations=there),
        BillObserved(bill=replace(GOOD_BILL, rendering_provider=HADLEY.id)),
        BillingAppointmentObserved(appointment=replace(VISIT, provider=NOBODY.id)),
    )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def recorded(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, int]:
    async with recording(postgres, tmp_path_factory, "mapping") as (desk, name, folder):
        await waiting(desk)
        saved = MapRequested(kind=MapKind.LOCATION, id=MAIN_STREET, to=str(ANNEX_THERE), who="ann", reason="moved")
        assert await ask(desk, saved, Charts()) == ""
    return name, folder, 0


@pytest.fixture
def at(place: Make, postgres: EmbeddedPostgres, recorded: tuple[str, Path, int]) -> Place:
    return place(postgres.dsn(recorded[0], "chartwire"))


@pytest_asyncio.fixture
async def opened(at: Place) -> AsyncIterator[Site]:
    async with site(at.config) as found:
        yield found


def line(lines: tuple[MapLine, ...], id_: int) -> MapLine:
    return next(one for one in lines if one.row.id == id_)


# -- what is shown --------------------------------------------------------------------------------------------------------


async def test_each_row_says_both_sides_its_source_and_what_waits_for_it(opened: Site) -> None:
    found = await maps_of(opened.console.store, POLICY)
    assert (found.read, found.complete) == (True, True)
    people = found.lines[MapKind.PROVIDER]
    grey, hadley = line(people, GREY), line(people, HADLEY.id)
    assert grey.there is not None
    assert (grey.here.name, grey.there.name, grey.source) == ("Meredith Grey", "Meredith Grey, MD", MapSource.NPI)
    assert (hadley.there, hadley.missing, dict(hadley.waits)) == (None, True, {"bill-error": 1})
    assert [(one.name, why) for one, why in hadley.suggested] == [("Remi Hadley, MD", "name alike")]
    calendar = line(found.lines[MapKind.CALENDAR], NOBODY.id)
    assert (calendar.missing, dict(calendar.waits)) == (True, {"no-calendar": 1})
    here, annex = line(found.lines[MapKind.LOCATION], MAIN_STREET), line(found.lines[MapKind.LOCATION], ANNEX)
    assert here.saved is not None
    assert (here.saved.row.who, here.saved.row.reason, here.source) == ("ann", "moved", MapSource.PERSON)
    assert (here.without.to, here.without_name, here.without.source) == ("601", "Main Street", MapSource.NAME)
    assert [why for _, why in annex.suggested] == ["same name"]
    assert line(found.lines[MapKind.PLACE], MAIN_STREET).source is MapSource.RECORD
    assert line(found.lines[MapKind.PLACE], ANNEX).missing


async def test_a_row_of_the_file_is_shown_as_the_file_s(opened: Site) -> None:
    policy = replace(POLICY, providers={HADLEY.id: 777}, locations={MAIN_STREET: KAREO_MAIN_STREET})
    found = await maps_of(opened.console.store, policy)
    hadley = line(found.lines[MapKind.PROVIDER], HADLEY.id)
    assert hadley.there is not None
    assert (hadley.there.id, hadley.there.name, hadley.source) == ("777", "", MapSource.FILE)
    assert line(found.lines[MapKind.LOCATION], MAIN_STREET).without.source is MapSource.FILE


def test_the_command_says_the_same_and_how_to_save_what_is_missing(at: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["maps", str(PRACTICE), "--json", "--config", str(at.config)]) == 0
    told = {(one["kind"], one["id"]): one for one in json.loads(capsys.readouterr().out)["rows"]}
    assert told["provider", HADLEY.id]["suggested"] == [{"id": "513", "name": "Remi Hadley, MD", "why": "name alike"}]
    assert told["provider", HADLEY.id]["waits"] == {"bill-error": 1}
    assert told["location", MAIN_STREET]["saved"]["who"] == "ann"
    assert main(["maps", str(PRACTICE), "--missing", "--config", str(at.config)]) == 0
    out = capsys.readouterr().out
    assert f"map {PRACTICE} provider 13 513 --reason TEXT" in out
    assert "1 bill-error wait for it" in out
    assert "Meredith Grey" not in out


async def test_the_effect_is_what_would_follow(opened: Site) -> None:
    store = opened.console.store
    effect = await effect_of(store, POLICY, ROW, str(KAREO_LOCUM), NOON)
    assert effect is not None
    assert (effect.refused, effect.everybody, effect.was) == ("", False, "")
    assert effect.counts() == {"bill-error": 1}
    assert [one.write.rendering_provider for one in effect.writes if isinstance(one.write, CreateEncounter)] == [KAREO_LOCUM]
    back = await effect_of(store, POLICY, MapRow(MapKind.LOCATION, MAIN_STREET), None, NOON)
    assert back is not None
    assert (back.refused, back.to, back.everybody, back.all_seen) == ("", None, True, True)
    calendar = await effect_of(store, POLICY, MapRow(MapKind.CALENDAR, NOBODY.id), str(GREY), NOON)
    assert calendar is not None
    assert (calendar.line.row.kind, dict(calendar.counts())) == (MapKind.CALENDAR, {"no-calendar": 1})
    one_person = await effect_of(store, POLICY, MapRow(MapKind.CALENDAR, NOBODY.id), str(HADLEY.id), NOON)
    assert one_person is not None
    assert one_person.line.row == ROW, "two that are nobody's yet are one person: both wait for that"
    assert sum(one_person.counts().values()) == 2
    wrong = await effect_of(store, POLICY, ROW, "99", NOON)
    assert wrong is not None
    assert (wrong.refused, wrong.goes_on, wrong.writes) == ("Kareo has no provider 99", (), ())
    assert await effect_of(store, POLICY, MapRow(MapKind.PROVIDER, 99), "513", NOON) is None


async def test_a_row_that_leads_elsewhere_shows_what_is_written_anew(opened: Site) -> None:
    effect = await effect_of(opened.console.store, POLICY, MapRow(MapKind.PROVIDER, GREY), str(KAREO_LOCUM), NOON)
    assert effect is not None
    assert (effect.everybody, effect.all_seen, effect.was) == (True, True, str(KAREO_GREY))
    (write,) = [one.write for one in effect.writes if isinstance(one.write, UpdateBillingChart)]
    assert write.provider == KAREO_LOCUM


def test_the_command_shows_the_effect_and_asks(at: Place, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["map", str(PRACTICE), "provider", "13", "513", "--config", str(at.config)]
    assert main([*words, "--show"]) == 0
    out = capsys.readouterr().out
    assert "1 item goes on that waits now: bill error (1)" in out
    assert "513 Remi Hadley, MD" in out
    assert main(["map", str(PRACTICE), "provider", "13", "99", "--yes", "--config", str(at.config)]) == 1
    assert "Kareo has no provider 99" in capsys.readouterr().err
    for wrong in (["provider", "13"], ["provider", "x", "513"], ["default-physician", "1", "2"]):
        assert main(["map", str(PRACTICE), *wrong, "--config", str(at.config)]) == 2
    assert main(["map", str(PRACTICE), "location", "22", "--give-back", "--yes", "--config", str(at.config)]) == 1
    assert "nobody has saved this row" in capsys.readouterr().err


# -- the pages ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["front-desk", "biller", "auditor", "operator"])
async def test_everybody_who_sees_patients_sees_the_maps_and_the_operator_changes_them(opened: Site, role: str) -> None:
    browser = await opened.of(role)
    page = await browser.get("/p/elm/maps")
    assert page.status == 200
    assert "Remi Hadley, MD" in page.text
    assert ("Map …" in page.text) is ("Give back …" in page.text) is (role == "operator")


async def test_the_page_of_the_effect_names_who_goes_on_and_is_recorded(opened: Site) -> None:
    browser = await opened.of("operator")
    fields = {"kind": "provider", "id": str(HADLEY.id), "to": str(HADLEY_THERE.id)}
    page = await browser.post("/p/elm/maps/effect", fields)
    assert page.status == 200
    assert "1 item goes on that waits now" in page.text
    assert ADA.last_name in page.text
    assert len(ONCE.findall(page.text)) == 1
    assert [one.what for one in (await log_of(opened))[:1]] == ["maps: asked about"]
    nothing = await browser.post("/p/elm/maps/effect", {**fields, "to": ""})
    assert (nothing.status, "nothing was chosen" in nothing.text) == (404, True)
    refused = await browser.post("/p/elm/maps/effect", {**fields, "to": "99"})
    assert "This is not possible: Kareo has no provider 99" in refused.text
    back = await browser.post("/p/elm/maps/effect", {"kind": "location", "id": str(MAIN_STREET), "back": "yes"})
    assert "Give Main Street back to the configuration?" in back.text
    for wrong in ({}, {"kind": "tea", "id": "1"}, {"kind": "provider", "id": "x"}):
        assert (await browser.post("/p/elm/maps/effect", wrong)).status == 400
        assert (await browser.post("/p/elm/deed", {"deed": "map", "once": "x" * 22, **wrong})).status == 400


# -- what follows ---------------------------------------------------------------------------------------------------------


async def test_what_waited_for_a_row_goes_on_in_the_recording_that_saves_it(driver: RecorderDriver) -> None:
    await driver.open()
    await waiting(driver)
    assert "bill:4001" not in {one.slot for one in await requested(driver)}
    saved = MapRequested(kind=MapKind.PROVIDER, id=HADLEY.id, to=str(HADLEY_THERE.id), who="ann")
    assert await ask(driver, saved, Charts()) == ""
    (bill,) = [one for one in await requested(driver) if one.slot == "bill:4001"]
    assert isinstance(bill.write, CreateEncounter)
    assert bill.write.rendering_provider == HADLEY_THERE.id


async def test_everybody_is_due_where_a_row_led_elsewhere(driver: RecorderDriver) -> None:
    await driver.open()
    await driver.link()
    assert await ask(driver, MapRequested(kind=MapKind.PROVIDER, id=GREY, to=str(KAREO_LOCUM), who="ann"), Charts()) == ""
    assert [one for one in await requested(driver) if one.slot == "demographics:kareo"] == []
    assert await driver.recorder.revisit("a map leads elsewhere") == 1
    (update,) = [one for one in await requested(driver) if one.slot == "demographics:kareo"]
    assert isinstance(update.write, UpdateBillingChart)
    assert update.write.provider == KAREO_LOCUM
    assert await ask(driver, MapGiveBackRequested(kind=MapKind.PROVIDER, id=GREY, who="ben"), Charts()) == ""
    assert await driver.recorder.revisit("a map leads elsewhere") == 1
    await driver.sound()


async def requested(desk: RecorderDriver) -> list[IntentRequested]:
    found = [one.event.body async for one in desk.store.by_type(PRACTICE, "IntentRequested")]
    return [one for one in found if isinstance(one, IntentRequested)]
