"""Everybody against everybody on the first day: the index finds whom the grades find, and only one-to-one matches are certain."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace

from daemon.runtime.go_live import counterparts
from events.ids import BillingPatientId, EhrChartId, PatientKey, billing_key, ehr_key
from events.records import BillingChart, EhrChart, type_of
from events.writes import CreateBillingChart, CreateEhrChart, SyncPolicies, System, changes_nothing
from projections.rules.links import judge
from projections.state.patient import BillingSide, EhrSide, Patient, Search, bar
from projections.state.state import Alike, PracticeState
from projections.terms.names import NAMES, Names, SystemName
from projections.trial.dry_run import DryRun, rehearse
from tests.invented_practice import found
from tests.unit.clinic import Clinic
from tests.unit.recording import START
from tests.unit.records import ADA, ADA_THERE, BLUE


def patients(*charts: EhrChart | BillingChart) -> dict[PatientKey, Patient]:
    """As they are stored when both systems were read and nothing was decided."""
    known: dict[PatientKey, Patient] = {}
    for one in charts:
        if isinstance(one, EhrChart):
            key = ehr_key(one.id)
            known[key] = Patient(key=key, ehr=EhrSide(chart=one, read_at=START))
        else:
            key = billing_key(one.id)
            known[key] = Patient(key=key, billing=BillingSide(chart=one, read_at=START))
    return known


def dry(known: dict[PatientKey, Patient]) -> DryRun:
    clinic = Clinic()
    return rehearse(known, clinic.state.directory, counterparts(known), clinic.policy, clinic.now)


def links(run: DryRun) -> set[tuple[int, int]]:
    return {(one.ehr, one.billing) for one in run.links if not one.how.startswith("created")}


def ehr(number: int, **changes: object) -> EhrChart:
    return replace(ADA, id=EhrChartId(number), **changes)


def billing(number: int, **changes: object) -> BillingChart:
    return replace(ADA_THERE, id=BillingPatientId(number), **changes)


# Who is certain


def test_one_strong_match_on_both_sides_is_certain():
    run = dry(patients(ADA, ADA_THERE, ehr(102, first_name="Mary"), billing(902, first_name="Jane")))
    assert links(run) == {(101, 901)}


@pytest.mark.parametrize(
    "charts",
    [
        (ehr(101), ehr(102), billing(901)),
        (ehr(101), billing(901), billing(902)),
        (ehr(101), ehr(102), billing(901), billing(902)),
        (ehr(101), ehr(102, first_name="Adda"), billing(901)),
        (ehr(101), ehr(102, last_name="Lovelace"), billing(901)),
        (ehr(101), billing(901), billing(902, birth_date=date(1985, 10, 12))),
        (ehr(101, sex="Male"), ehr(102), billing(901)),
    ],
    ids=["twice in Elation", "twice in Kareo", "twice in both", "a twin?", "married?", "a birth date mistyped?", "sex?"],
)
def test_whoever_has_a_rival_waits_for_a_person_whichever_is_decided_first(charts: tuple[EhrChart | BillingChart, ...]):
    run = dry(patients(*charts))
    assert links(run) == set()
    assert {key for key, one in run.patients.items() if "chart" in one.waiting} == set(patients(*charts))
    assert run.writes == []


def test_a_rival_that_is_linked_already_is_none():
    known = patients(ehr(101), ehr(102, last_name="Lovelace"), billing(901))
    clinic = Clinic()
    clinic.linked(ehr(102, last_name="Lovelace"), billing(902, last_name="Lovelace"))
    key = billing_key(BillingPatientId(902))
    known = {one: patient for one, patient in known.items() if one != "E:102"} | {key: clinic.patient(key)}
    assert links(dry(known)) == {(101, 901)}


def test_a_rival_whom_a_person_ruled_out_is_none():
    known = patients(ADA, ehr(102, last_name="Lovelace"), ADA_THERE)
    state = PracticeState(patients=known)
    for key, body in counterparts(known).items():
        known[key] = replace(known[key], search=Search(wanted=body.wanted, candidates=body.candidates))
    assert judge(known["E:101"], state, NAMES).rivals == (102,)
    known["K:901"] = bar(known["K:901"], EhrChartId(102), ADA_THERE.id)
    state.alike["E:101"] = Alike(theirs=(901,), ours=(102,))
    assert judge(known["E:101"], state, NAMES).match == 901


def test_charts_that_are_gone_are_nobody():
    deleted, merged = ehr(102, deleted=True), ehr(103, merged_into=EhrChartId(101))
    assert links(dry(patients(ADA, deleted, merged, ADA_THERE))) == {(101, 901)}


@pytest.mark.parametrize("seed", range(8))
def test_no_town_gets_a_wrong_link_and_nobody_is_overlooked(seed: int):
    town = found(600, seed=seed, share=0.3)
    run = dry(patients(*town.ehr, *town.billing))
    assert links(run) <= town.pairs
    shown = set()
    for key, patient in run.patients.items():
        if "chart" in patient.waiting:
            mine = int(key[2:])
            others = [one.id for one in patient.search.candidates]
            shown |= {(one, mine) for one in others} if patient.in_billing else {(mine, one) for one in others}
    assert town.pairs <= links(run) | shown


# What going live would write


def test_what_follows_from_a_write_is_rehearsed_too():
    """A chart that would be created gets its policies, and they their carrier and plan first."""
    insured = replace(ADA_THERE, cases=(replace(ADA_THERE.cases[0], policies=(BLUE,)),))
    run = dry(patients(insured))
    kinds = [type_of(one.write) for one in run.writes]
    assert kinds[0] == "CreateElationChart"
    assert sorted(kinds) == ["CreateCarrier", "CreateElationChart", "CreatePlan", "SyncPolicies"]
    (policies,) = [one.write for one in run.writes if isinstance(one.write, SyncPolicies)]
    assert policies.chart < 0
    assert run.searches == {System.EHR: 1}
    ledger = Names(billing=SystemName(label="Ledger", prefix="ledger"), ehr=SystemName(label="Slate", prefix="slate"))
    said = [text.partition(" (")[0] for kind in run.counts() for text in (kind.words(ledger), kind.key(ledger))]
    assert said[:2] == ["charts to Slate: CreateElationChart", "chart to slate: CreateElationChart"]
    assert not any(changes_nothing(one.write) for one in run.writes)


def test_creations_are_about_the_chart_there_is():
    mary = billing(902, first_name="Mary", last_name="Shelley", birth_date=date(1997, 8, 30), home_phone="", email="")
    run = dry(patients(ADA, mary))
    made = {type(one.write): one.patient for one in run.writes}
    assert made == {CreateBillingChart: "E:101", CreateEhrChart: "K:902"}


def test_a_dry_run_touches_nothing():
    known = patients(ADA, ADA_THERE)
    before = dict(known)
    dry(known)
    assert known == before
