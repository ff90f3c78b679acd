"""One person in several charts of one system: one pair is made, a person is asked about the others, nobody is created twice."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace

from daemon.tables.open import list_open_intents
from events.codec import Keyring
from events.commands import DismissRequested, LinkRequested, TellApartRequested
from events.ids import BillingPatientId, EhrChartId, PatientKey
from events.schema import (
    BillingChartVanished,
    EhrChartDeleted,
    EhrChartMerged,
    IntentRefused,
    IntentRequested,
    IntentSucceeded,
)
from events.store import Store
from events.writes import BillingChartWritten, CreateBillingChart, CreateEhrChart, EhrChartWritten, Searched, System
from tests.conftest import PRACTICE
from tests.integration.finding import answer, ask, attempt, chart_wait, links, record
from tests.integration.recorder_driver import billing, ehr, opened
from tests.unit.records import ADA, ADA_THERE
from tests.unit.test_links import ELSEWHERE


async def test_c1_a_second_chart_of_somebody_linked_waits_and_is_never_created_over_there(
    store: Store, keyring: Keyring
) -> None:
    desk = await opened(store, keyring)
    await desk.link(replace(ADA, last_name="García-López"), replace(ADA_THERE, last_name="García-López"))
    await desk.see(billing(902, last_name="Garcia Lopez"), ehr(103, last_name="Garcia Lopez"))
    await answer(desk, "K:902", Searched())
    await answer(desk, "E:103", Searched())
    assert await links(store) == {(101, 901)}
    assert [await chart_wait(desk, key) for key in ("K:902", "E:103")] == ["candidates", "candidates"]
    assert not any(
        isinstance(one, IntentRequested) and isinstance(one.write, CreateBillingChart | CreateEhrChart)
        for one in await desk.bodies()
    )


async def test_c1_somebody_linked_who_has_moved_and_is_entered_again_waits(store: Store, keyring: Keyring) -> None:
    """Names and birth date are all that agrees: a namesake born on the same day is rarer than somebody who was registered anew."""
    desk = await opened(store, keyring)
    await desk.link()
    await desk.see(billing(903, mobile_phone="", work_phone="", **ELSEWHERE | {"middle_name": ADA.middle_name}))
    await answer(desk, "K:903", Searched())
    assert await chart_wait(desk, "K:903") == "candidates"


@pytest.mark.parametrize("attempted", [False, True])
async def test_c1_two_registrations_within_a_minute_never_end_as_two_pairs(
    store: Store, keyring: Keyring, attempted: bool
) -> None:
    """One that is not at the vendor yet is given up for the link; one that is under way lets the other chart wait."""
    desk = await opened(store, keyring)
    await desk.see(billing(901, last_name="Delacruz"))
    await answer(desk, "K:901", Searched())
    assert isinstance((await desk.patient(PatientKey("K:901"))).intents["chart"].write, CreateEhrChart)
    if attempted:
        await attempt(desk, "K:901")
    await desk.see(ehr(101, last_name="De La Cruz"))
    await answer(desk, "E:101", Searched())
    if not attempted:
        assert await links(store) == {(101, 901)}
        assert "chart" not in (await desk.patient(PatientKey("K:901"))).intents
        return
    assert await links(store) == set()
    assert await chart_wait(desk, "E:101") == "candidates"
    assert "chart" not in (await desk.patient(PatientKey("E:101"))).intents


@pytest.mark.parametrize("attempted", [False, True])
@pytest.mark.parametrize("side", ["ehr", "billing"])
async def test_c1_two_charts_of_one_person_come_at_once_and_one_pair_is_made_of_them(
    store: Store, keyring: Keyring, side: str, attempted: bool
) -> None:
    """As after hours in which a system was away: both are searched for, and nobody is found."""
    desk = await opened(store, keyring)
    make, first, second = (ehr, "E:101", "E:103") if side == "ehr" else (billing, "K:901", "K:903")
    await desk.see(make(int(first[2:])), make(int(second[2:]), last_name="Lovelace Jr"))
    await answer(desk, first, Searched())
    if attempted:
        await attempt(desk, first)
    await answer(desk, second, Searched())
    assert await chart_wait(desk, second) == "candidates-elsewhere"
    assert "chart" not in (await desk.patient(PatientKey(second))).intents
    here, there = ehr(777).chart, billing(777).chart
    made = (
        EhrChartWritten(chart=here, read_at=desk.now)
        if side == "billing"
        else BillingChartWritten(chart=there, read_at=desk.now)
    )
    await answer(desk, first, made)
    assert await links(store) == {(101, 777) if side == "ehr" else (777, 901)}
    assert await chart_wait(desk, second) == "candidates", "somebody is asked"
    await desk.sound()


async def test_c1_who_waits_for_a_creation_that_is_refused_is_created_himself(store: Store, keyring: Keyring) -> None:
    desk = await opened(store, keyring)
    await desk.see(ehr(101), ehr(103))
    await answer(desk, "E:101", Searched())
    await answer(desk, "E:103", Searched())
    assert await chart_wait(desk, "E:103") == "candidates-elsewhere"
    open_ = (await desk.patient(PatientKey("E:101"))).intents["chart"]
    await attempt(desk, "E:101")
    await record(desk, "E:101", IntentRefused(intent=open_.intent, slot="chart", attempt=1, code="refused"), open_)
    assert isinstance((await desk.patient(PatientKey("E:103"))).intents["chart"].write, CreateBillingChart)


@pytest.mark.parametrize("decided", ["accepted", "told apart", "gone"])
async def test_c1_who_looks_like_a_chart_that_somebody_is_asked_about_waits_for_that(
    store: Store, keyring: Keyring, decided: str
) -> None:
    """Entered a third time, otherwise than the second: like a twin of the linked one, and like nobody else but the second."""
    desk = await opened(store, keyring)
    await desk.link(ADA, ADA_THERE)
    await desk.see(billing(903, first_name="Byron", last_name="Quill"))
    await answer(desk, "K:903", Searched())
    assert await chart_wait(desk, "K:903") == "candidates"
    await desk.see(billing(905, first_name="Quill", last_name="Byron"))
    await answer(desk, "K:905", Searched())
    assert await chart_wait(desk, "K:905") == "candidates-elsewhere"
    assert "chart" not in (await desk.patient(PatientKey("K:905"))).intents
    match decided:
        case "accepted":
            await ask(desk, DismissRequested(slot="chart", who="ann", reason="merged next week"), BillingPatientId(903))
        case "told apart":
            await ask(desk, TellApartRequested(system=System.BILLING, one=903, other=905, who="ann"))
        case _:
            await desk.see(BillingChartVanished(patient=BillingPatientId(903)))
    await desk.recorder.revisit("what it waited for has come")
    assert isinstance((await desk.patient(PatientKey("K:905"))).intents["chart"].write, CreateEhrChart)
    await desk.sound()


async def test_an_outcome_comes_to_whoever_has_the_request_open_by_then(store: Store, keyring: Keyring) -> None:
    """A search is under way for a chart; somebody links the chart, and it is merged away before the answer comes."""
    desk = await opened(store, keyring)
    await desk.see(ehr(101))
    await desk.see(billing(901, first_name="Mary", last_name="Shelley", birth_date=date(1997, 8, 30)))
    await answer(desk, "K:901", Searched())
    await attempt(desk, "E:101")
    open_ = (await desk.patient(PatientKey("E:101"))).intents["chart"]
    await desk.see(ehr(103, first_name="Ann", last_name="Other", birth_date=date(1950, 1, 2)))
    chart, patient = EhrChartId(101), BillingPatientId(901)
    await ask(desk, LinkRequested(ehr=chart, billing=patient, who="ann", force=True), patient, chart)
    assert await links(store) == {(101, 901)}
    await desk.see(EhrChartMerged(chart=chart, survivor=EhrChartId(103)))
    assert await links(store) == {(103, 901)}
    done = IntentSucceeded(intent=open_.intent, slot="chart", attempt=1, result=Searched())
    await record(desk, "E:101", done, open_)
    rows = await list_open_intents(store.pool, PRACTICE)
    assert open_.intent not in {one.intent for one in rows}, "it would be done again after a restart"
    await desk.sound()


@pytest.mark.parametrize("seen_first", [False, True])
@pytest.mark.parametrize("merged", [False, True])
async def test_what_was_created_for_a_chart_that_is_gone_by_then_is_linked_and_given_no_chart_of_its_own(
    store: Store, keyring: Keyring, merged: bool, seen_first: bool
) -> None:
    """The answer was lost; meanwhile people deleted the chart in Elation, or merged it into another (seeds 200550, 200557)."""
    desk = await opened(store, keyring)
    await desk.see(ehr(101), ehr(103, first_name="Ann", last_name="Other", birth_date=date(1950, 1, 2)))
    await answer(desk, "E:101", Searched())
    await attempt(desk, "E:101")
    open_ = (await desk.patient(PatientKey("E:101"))).intents["chart"]
    chart = EhrChartId(101)
    await desk.see(EhrChartMerged(chart=chart, survivor=EhrChartId(103)) if merged else EhrChartDeleted(chart=chart))
    if seen_first:
        await desk.see(billing(905))
        await answer(desk, "K:905", Searched())
        assert await chart_wait(desk, "K:905") == "candidates"
    result = BillingChartWritten(chart=replace(ADA_THERE, id=BillingPatientId(905)), read_at=desk.now)
    done = IntentSucceeded(intent=open_.intent, slot="chart", attempt=1, result=result)
    await record(desk, "E:101", done, open_)
    assert await links(store) == {(103 if merged else 101, 905)}
    await desk.see(billing(905))
    patient = await desk.patient(PatientKey("K:905"))
    assert ("link" in patient.waiting) is not merged, "the link is interrupted until the chart is restored"
    assert not any(isinstance(one, IntentRequested) and isinstance(one.write, CreateEhrChart) for one in await desk.bodies())
    await desk.sound()


async def test_a_chart_created_for_a_patient_that_is_gone_by_then_is_linked_and_given_no_patient_of_its_own(
    store: Store, keyring: Keyring
) -> None:
    desk = await opened(store, keyring)
    await desk.see(billing(901))
    await answer(desk, "K:901", Searched())
    await attempt(desk, "K:901")
    open_ = (await desk.patient(PatientKey("K:901"))).intents["chart"]
    await desk.see(BillingChartVanished(patient=BillingPatientId(901)), ehr(103))
    await answer(desk, "E:103", Searched())
    assert await chart_wait(desk, "E:103") == "candidates"
    result = EhrChartWritten(chart=replace(ADA, id=EhrChartId(103)), read_at=desk.now)
    done = IntentSucceeded(intent=open_.intent, slot="chart", attempt=1, result=result)
    await record(desk, "K:901", done, open_)
    assert await links(store) == {(103, 901)}
    assert "link" in (await desk.patient(PatientKey("K:901"))).waiting
    assert not any(
        isinstance(one, IntentRequested) and isinstance(one.write, CreateBillingChart) for one in await desk.bodies()
    )
    await desk.sound()
