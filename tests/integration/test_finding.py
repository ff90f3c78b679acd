"""Whoever comes in through either system is looked for in our own copy of both, whatever the vendor's search finds."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace

from daemon.cli.waiting import items
from daemon.history.compare import verify
from daemon.history.fold import Replay
from daemon.history.rebuild import rebuild
from daemon.tables import matching
from events.codec import Keyring
from events.commands import DismissRequested, ResyncRequested, UnlinkRequested
from events.ids import BillingPatientId, EhrChartId, PatientKey
from events.schema import ChartLinked, Origin
from events.store import Store
from events.writes import CreateEhrChart, Searched
from tests.conftest import PRACTICE
from tests.integration.finding import answer, ask, chart_wait, links, save_as_an_older_worker, twice, unmatched
from tests.integration.recorder_driver import POLICY, billing, ehr, opened
from tests.unit.records import ADA

SPELLED = {
    "two surnames": ("García-López", "Garcia Lopez"),
    "an apostrophe": ("O'Brien", "OBrien"),
    "particles": ("De La Cruz", "Delacruz"),
    "a suffix": ("Peters Jr", "Peters"),
    "an accent": ("Muñoz", "Munoz"),
    "a typing error": ("Fitzgerald", "Fitzgreald"),
}


@pytest.mark.parametrize("kind", SPELLED)
@pytest.mark.parametrize("first", ["ehr", "billing"])
async def test_c1_a_last_name_spelled_another_way_is_found_with_the_vendors_answer_empty(
    store: Store, keyring: Keyring, kind: str, first: str
) -> None:
    one, other = SPELLED[kind]
    desk = await opened(store, keyring)
    come = [ehr(101, last_name=one), billing(901, last_name=other)]
    for body in come if first == "ehr" else come[::-1]:
        await desk.see(body)
    await answer(desk, "K:901" if first == "ehr" else "E:101", Searched())
    assert await links(store) == {(101, 901)}
    (linked,) = [one for one in await desk.bodies() if isinstance(one, ChartLinked)]
    assert linked.likeness is not None
    assert linked.likeness.certain
    await desk.sound()


async def test_two_charts_of_one_system_that_look_alike_wait_though_only_one_was_searched_for(
    store: Store, keyring: Keyring
) -> None:
    desk = await opened(store, keyring)
    await desk.see(billing(901), billing(902, last_name="Byrne"), ehr(101))
    await answer(desk, "E:101", Searched())
    await answer(desk, "K:901", Searched())
    assert await links(store) == set()
    assert await chart_wait(desk, "E:101") == "candidates"
    assert await chart_wait(desk, "K:901") == "candidates-elsewhere", "decided with the chart's item"


async def listed(store: Store) -> list[tuple[str, str]]:
    return [(one.patient, one.code) for one in await items(store, POLICY)]


@pytest.mark.parametrize("first", ["E:101", "K:901"])
async def test_one_undecided_pair_is_one_item_and_the_other_chart_is_never_lost(
    store: Store, keyring: Keyring, first: str
) -> None:
    """Medora and Ada are twins perhaps; once the asking chart is somebody else's, the other is decided by itself."""
    desk = await opened(store, keyring)
    await desk.see(ehr(101), billing(901, first_name="Medora"))
    second = "K:901" if first == "E:101" else "E:101"
    for key in (first, second):
        await answer(desk, key, Searched())
    names = {"E:101": "elation:101", "K:901": "kareo:901"}
    assert await listed(store) == [(names[first], "candidates")]
    assert await chart_wait(desk, second) == "candidates-elsewhere"
    rows = await store.pool.fetch("SELECT patient_key FROM chartwire.waiting WHERE practice = $1", PRACTICE)
    assert [row["patient_key"] for row in rows] == [first]
    assert await verify(store, Replay(PRACTICE)) == []
    somebody = {
        "first_name": "Zoe",
        "last_name": "Quill",
        "birth_date": date(1950, 1, 2),
        "address1": "1 Elm",
        "zip": "10001",
    }
    await desk.see(ehr(101, **somebody) if first == "E:101" else billing(901, **somebody))
    await desk.recorder.revisit("what it waited for has come")
    assert await chart_wait(desk, second) == ""
    assert "chart" in (await desk.patient(PatientKey(second))).intents, "it is created over there"
    await desk.sound()


async def test_a_pair_accepted_as_it_is_does_not_ask_from_the_other_side(store: Store, keyring: Keyring) -> None:
    desk = await opened(store, keyring)
    await desk.see(ehr(101), billing(901, first_name="Medora"))
    for key in ("E:101", "K:901"):
        await answer(desk, key, Searched())
    await ask(desk, DismissRequested(slot="chart", who="ann", reason="both leave next week"), ehr=EhrChartId(101))
    await desk.see(billing(901, first_name="Medora"))
    await desk.recorder.revisit("what it waited for has come")
    assert await listed(store) == []
    assert await chart_wait(desk, "K:901") == "candidates-elsewhere"


async def test_the_tables_are_rebuilt_from_the_events_and_filled_where_they_are_missing(
    store: Store, keyring: Keyring
) -> None:
    desk = await opened(store, keyring)
    await desk.see(ehr(101), ehr(102, first_name="Mary", last_name="Shelley", birth_date=date(1997, 8, 30)))
    await desk.see(ehr(102, first_name="Mary", last_name="Godwin", birth_date=date(1997, 8, 30)), billing(901))
    await answer(desk, "K:901", Searched())
    kept = await matching.stored(store.pool, PRACTICE)
    assert len(kept.keys) > 20
    assert await verify(store, Replay(PRACTICE)) == []
    await store.pool.execute("DELETE FROM chartwire.match_key WHERE chart = 102")
    assert {one.table for one in await verify(store, Replay(PRACTICE))} == {"match_key"}
    await rebuild(store, POLICY, desk.now)
    assert await matching.stored(store.pool, PRACTICE) == kept
    await store.pool.execute("DELETE FROM chartwire.match_key")
    await store.pool.execute("DELETE FROM chartwire.match_count")
    later = await desk.successor()
    await later.see(billing(903, first_name="Mary", last_name="Shelley", birth_date=date(1997, 8, 30)))
    await answer(later, "K:903", Searched())
    assert await verify(store, Replay(PRACTICE)) == []
    assert {chart for _, _, chart in (await matching.stored(store.pool, PRACTICE)).keys} == {101, 102, 901, 903}


async def test_whom_an_older_worker_has_saved_is_found_by_the_next_owner(store: Store, keyring: Keyring) -> None:
    """The older one leaves the hashes alone; what this one saves before it looks for somebody hides that from nobody."""
    desk = await opened(store, keyring)
    await desk.see(billing(901, last_name="O'Brien"), billing(902, first_name="Mary", birth_date=date(1997, 8, 30)))
    await answer(desk, "K:902", Searched())
    assert await unmatched(store) == set()
    await desk.see(billing(903, first_name="Grace", birth_date=date(1950, 12, 9)))
    await save_as_an_older_worker(store, "K:901")
    assert await unmatched(store) == {"K:901"}
    assert await verify(store, Replay(PRACTICE)) == []

    later = await desk.successor()
    await later.see(billing(901, last_name="O'Brien", city="Macon"))
    assert await unmatched(store) == {"K:901"}
    await later.see(ehr(101, last_name="OBrien"))
    await answer(later, "E:101", Searched())
    assert await links(store) == {(101, 901)}
    assert await unmatched(store) == set()
    assert await verify(store, Replay(PRACTICE)) == []


async def test_a_rebuild_leaves_nothing_to_be_matched_anew(store: Store, keyring: Keyring) -> None:
    desk = await opened(store, keyring)
    await desk.see(billing(901))
    await desk.see(ehr(102, first_name="Mary", birth_date=date(1997, 8, 30)))
    await save_as_an_older_worker(store, "K:901")
    assert await unmatched(store) == {"K:901"}
    await rebuild(store, POLICY, desk.now)
    assert await unmatched(store) == set()
    assert await verify(store, Replay(PRACTICE)) == []
    assert {chart for _, _, chart in (await matching.stored(store.pool, PRACTICE)).keys} == {102, 901}


async def test_what_waits_for_a_person_is_not_created_because_it_was_edited(store: Store, keyring: Keyring) -> None:
    """Simulated day 214: nobody had answered yet when a married name was entered, and a second chart was made in silence."""
    desk = await twice(store, keyring)
    await desk.see(billing(902, first_name="Byron", last_name="Lovelace", sex="Male"))
    await answer(desk, "K:902", Searched())
    assert await chart_wait(desk, "K:902") == "candidates"
    assert "until one of the two was edited" in (await desk.patient(PatientKey("K:902"))).waiting["chart"].text
    change = desk.change(ResyncRequested(who="ann"))
    asked = replace(change.event, billing=BillingPatientId(902), origin=Origin.OPERATOR)
    await desk.recorder.record_messages([replace(change, event=asked)])
    await answer(desk, "K:902", Searched())
    assert await chart_wait(desk, "K:902") == "candidates", "reading it again answers nothing"
    change = desk.change(UnlinkRequested(who="ann", ehr=ADA.id, billing=BillingPatientId(902)))
    asked = replace(change.event, ehr=ADA.id, billing=BillingPatientId(902), origin=Origin.OPERATOR)
    await desk.recorder.record_messages([replace(change, event=asked)])
    assert await chart_wait(desk, "K:902") == ""
    assert isinstance((await desk.patient(PatientKey("K:902"))).intents["chart"].write, CreateEhrChart)
    await desk.sound()


async def test_an_edit_that_makes_another_person_of_a_chart_needs_no_answer(store: Store, keyring: Keyring) -> None:
    desk = await twice(store, keyring)
    await desk.see(billing(902, first_name="Zoe", last_name="Quill", birth_date=date(1950, 1, 2)))
    await answer(desk, "K:902", Searched())
    assert await chart_wait(desk, "K:902") == ""
    assert isinstance((await desk.patient(PatientKey("K:902"))).intents["chart"].write, CreateEhrChart)


async def test_an_edit_that_makes_a_pair_certain_links_it(store: Store, keyring: Keyring) -> None:
    desk = await opened(store, keyring)
    await desk.see(ehr(101), billing(901, first_name="Medora"))
    for key in ("E:101", "K:901"):
        await answer(desk, key, Searched())
    await desk.see(billing(901))
    assert await links(store) == {(101, 901)}
    await desk.sound()
