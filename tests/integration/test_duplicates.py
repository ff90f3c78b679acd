"""Duplicates within one system: found from the own match keys, kept up by what changed, told apart by a person, resolved by themselves."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace

from daemon.history.compare import verify
from daemon.history.fold import Replay
from daemon.operator import duplicates as looking
from daemon.operator.deeds import Asking, as_planned
from daemon.operator.duplicates import TwiceEntered, find_duplicates, survivors_of
from daemon.operator.links import plan_of_move
from daemon.tables import documents
from daemon.tables.duplicates import known_duplicates
from events.codec import Keyring
from events.commands import MoveLinkRequested, TellApartRequested
from events.ids import BillingPatientId, Charts, EhrChartId, PatientKey
from events.merges import BillingLinkMoved
from events.schema import (
    BillingChartVanished,
    EhrChartMerged,
)
from events.store import Store
from events.writes import System
from projections.state.open_intents import OpenIntent
from projections.words.remedy import remedy
from tests.conftest import PRACTICE
from tests.integration.recorder_driver import POLICY, RecorderDriver, ask, billing, ehr, opened
from tests.unit.records import ADA_THERE

SPELLED = {
    "a misspelt last name": {"last_name": "Byronn"},
    "another last name": {"last_name": "King"},
    "a nickname": {"first_name": "Addy"},
    "day and month swapped": {"birth_date": date(1985, 10, 12)},
    "another address": {"address1": "9 Elm Street", "city": "Macon", "zip": "31201"},
    "nothing": {},
}
PEOPLE = {
    "a sister": {"first_name": "Grace", "birth_date": date(1988, 3, 4)},
    "a twin": {"first_name": "Grace"},
    "a child of the name": {"birth_date": date(2011, 12, 10)},
    "a stranger": {"first_name": "Mary", "last_name": "Shelley", "birth_date": date(1997, 8, 30), "zip": "10001"},
}


async def filled(desk: RecorderDriver) -> None:
    """Somebody was looked for, so the tables are complete."""
    async with desk.store.pool.acquire() as connection, connection.transaction():
        await looking.MatchTables(PRACTICE, desk.store.keyring).ensure(connection)


async def found(store: Store, *, afresh: bool = False) -> list[TwiceEntered]:
    return list((await find_duplicates(store, POLICY, afresh=afresh)).pairs)


def ids(pairs: list[TwiceEntered]) -> list[tuple[System, int, int]]:
    return [(one.system, one.one, one.other) for one in pairs]


@pytest.mark.parametrize("kind", SPELLED)
@pytest.mark.parametrize("system", list(System))
async def test_a_person_entered_twice_is_found(store: Store, keyring: Keyring, kind: str, system: System) -> None:
    desk = await opened(store, keyring)
    make, number = (ehr, 101) if system is System.EHR else (billing, 901)
    await desk.see(make(number), make(number + 1, **SPELLED[kind]))
    await filled(desk)
    assert ids(await found(store)) == [(system, number, number + 1)]


@pytest.mark.parametrize("who", PEOPLE)
async def test_people_who_share_much_are_no_duplicates(store: Store, keyring: Keyring, who: str) -> None:
    desk = await opened(store, keyring)
    await desk.see(ehr(101), ehr(102, middle_name="", **PEOPLE[who]))
    await filled(desk)
    assert await found(store) == []


async def test_the_connected_chart_is_kept_and_of_two_free_ones_the_older(store: Store, keyring: Keyring) -> None:
    desk = await opened(store, keyring)
    await desk.link()
    await desk.see(ehr(100), ehr(99, first_name="Ada Mary"))
    await filled(desk)
    pairs = {(one.one, one.other): one for one in await found(store)}
    assert (pairs[100, 101].keep, pairs[100, 101].merge, pairs[100, 101].connected) == (101, 100, 101)
    assert pairs[100, 101].links == (None, 901)
    assert (pairs[99, 100].keep, pairs[99, 100].merge, pairs[99, 100].connected) == (99, 100, None)


async def test_looking_again_compares_only_what_changed(
    store: Store, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await opened(store, keyring)
    others = [
        billing(800 + n, first_name=f"Zed{n}", last_name=f"Quill{n}", birth_date=date(1950, 1, 2 + n)) for n in range(20)
    ]
    await desk.see(ehr(101), ehr(102), *others)
    await filled(desk)
    before = await found(store)
    compared: list[int] = []
    real = looking._twice_entered
    monkeypatch.setattr(
        looking, "_twice_entered", lambda system, pairs, *more: compared.extend([len(pairs)]) or real(system, pairs, *more)
    )
    assert ids(await found(store)) == ids(before)
    assert compared == [0, 0]
    await desk.see(ehr(103, last_name="Byronn"))
    assert (System.EHR, 101, 103) in ids(await found(store))
    kept = await known_duplicates(store.pool, PRACTICE)
    assert ids(await found(store, afresh=True)) == ids(await found(store))
    assert await known_duplicates(store.pool, PRACTICE) == kept


async def test_what_was_merged_or_corrected_vanishes_by_itself(store: Store, keyring: Keyring) -> None:
    desk = await opened(store, keyring)
    await desk.see(ehr(101), ehr(102), billing(901), billing(902))
    await filled(desk)
    assert len(await found(store)) == 2
    await desk.see(billing(902, **PEOPLE["a stranger"]))
    assert ids(await found(store)) == [(System.EHR, 101, 102)]
    merged = desk.change(EhrChartMerged(chart=EhrChartId(102), survivor=EhrChartId(101)))
    await desk.recorder.record_messages([replace(merged, event=replace(merged.event, ehr=EhrChartId(102)))])
    assert await found(store) == []


async def test_two_persons_are_told_apart_and_that_can_be_taken_back(store: Store, keyring: Keyring) -> None:
    desk = await opened(store, keyring)
    await desk.see(ehr(101), ehr(102))
    await filled(desk)
    body = TellApartRequested(system=System.EHR, one=102, other=101, who="ann", reason="father and daughter-in-law")
    assert await ask(desk, body, Charts()) == ""
    (one,) = await found(store)
    assert one.told_apart is not None
    assert (one.told_apart.who, one.told_apart.reason) == ("ann", "father and daughter-in-law")
    assert await ask(desk, body, Charts()) == "nothing-in-it"
    assert await ask(desk, replace(body, undo=True), Charts()) == ""
    (one,) = await found(store)
    assert one.told_apart is None
    assert await ask(desk, replace(body, undo=True), Charts()) == "nothing-in-it"
    await desk.sound()


# -- a linked patient that vanished in a merge ----------------------------------------------------------------------------------


async def vanished(desk: RecorderDriver) -> None:
    """Ada is linked, entered again in the billing system, and merged there into the second entry."""
    await desk.link()
    await desk.see(billing(902, city="Macon"), billing(903, first_name="Grace"))
    gone = desk.change(BillingChartVanished(patient=ADA_THERE.id))
    await desk.recorder.record_messages([replace(gone, event=replace(gone.event, billing=ADA_THERE.id))])
    await filled(desk)


async def test_a_vanished_patient_names_its_survivor_and_one_deed_moves_the_link(store: Store, keyring: Keyring) -> None:
    desk = await opened(store, keyring)
    await vanished(desk)
    (gone,) = (await find_duplicates(store, POLICY)).gone
    assert (gone.ehr, gone.billing, gone.survivors) == (101, 901, (902,))
    patient = await desk.patient()
    assert await survivors_of(store, POLICY, patient) == (902,)
    (waiting,) = [slot for slot, one in patient.waiting.items() if one.code == "kareo-chart-gone"]
    assert remedy(PRACTICE, patient, waiting, "kareo-chart-gone", POLICY.names) == "chartwire move-link elm kareo:901"
    plan = await plan_of_move(store, POLICY, ADA_THERE.id, BillingPatientId(902), desk.now)
    assert plan.refused is None
    assert {one.name: one.written for one in plan.fields}["city"] == {System.EHR: "Macon"}
    (asked,) = await as_planned(Asking(store, POLICY, "ann", "merged at the front desk"), plan)
    body = asked.command.body
    assert isinstance(body, MoveLinkRequested)
    assert await ask(desk, body, Charts(billing=BillingPatientId(902))) == ""
    assert await documents.links(store.pool, PRACTICE) == [(101, 902)]
    (moved,) = [one for one in await desk.bodies() if isinstance(one, BillingLinkMoved)]
    assert (moved.ehr, moved.source, moved.target) == (101, 901, 902)
    wanted: dict[str, OpenIntent] = await desk.intents(PatientKey("K:902"))
    assert set(wanted) == {"demographics:elation"}
    assert "kareo-chart-gone" not in [one.code for one in (await desk.patient()).waiting.values()]
    assert (await find_duplicates(store, POLICY)).gone == ()
    assert await verify(store, Replay(PRACTICE)) == []
    await desk.sound()


@pytest.mark.parametrize(
    ("source", "target", "why"),
    [(901, 903, "differs"), (902, 901, "not-linked"), (901, 999, "not-known"), (901, 901, "linked")],
)
async def test_a_link_moves_only_to_a_free_patient_that_is_the_same(
    store: Store, keyring: Keyring, source: int, target: int, why: str
) -> None:
    desk = await opened(store, keyring)
    await vanished(desk)
    body = MoveLinkRequested(source=BillingPatientId(source), target=BillingPatientId(target), who="ann")
    assert await ask(desk, body, Charts(billing=BillingPatientId(target))) == why
    assert await documents.links(store.pool, PRACTICE) == [(101, 901)]


async def test_the_link_of_a_patient_that_is_there_does_not_move(store: Store, keyring: Keyring) -> None:
    desk = await opened(store, keyring)
    await desk.link()
    await desk.see(billing(902))
    body = MoveLinkRequested(source=ADA_THERE.id, target=BillingPatientId(902), who="ann")
    assert await ask(desk, body, Charts(billing=BillingPatientId(902))) == "still-there"
