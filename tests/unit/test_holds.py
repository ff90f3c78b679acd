"""Holds and patients kept out: what is asked for, what a sink may begin of it, and what is decided about whom nobody is to touch."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from events.codec import encode_body
from events.codes import WaitCode
from events.commands import (
    BillResendRequested,
    DismissRequested,
    HoldRequested,
    KeepOutRequested,
    LinkRequested,
    ReleaseRequested,
    UnlinkRequested,
)
from events.holds import HoldEnded, HoldScope, hold_slot, scope_in
from events.ids import PRACTICE, BillingPatientId, EhrChartId, PatientKey, billing_key, ehr_key
from events.schema import (
    IntentRequested,
    IntentSuperseded,
)
from events.writes import Resource, Searched, System, changes_nothing
from projections.rules.holds import is_stopped_under_way, may_begin, on_hold
from projections.rules.people import candidate
from projections.state.patient import encode_patient
from projections.state.state import PracticeState
from projections.terms.policy import Policy
from projections.trial.dry_run import rehearse
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_KEY, ADA_THERE, GOOD_BILL, HOUSE
from tests.unit.stories import INSURED, STORIES, VISIT, Step, happen, tell
from tests.unit.test_matching import counterparts, patients

RESOURCES, SYSTEMS = (None, *Resource), (None, *System)
ALONE = f"E:{ADA.id}"


def hold(clinic: Clinic, ehr: int | None = None, billing: int | None = None, **scope: object) -> str:
    return clinic.ask(HoldRequested(who="ann", reason="moving house", **scope), ehr, billing)


def keep_out(clinic: Clinic, ehr: int | None = None, billing: int | None = None, *, undo: bool = False) -> str:
    return clinic.ask(KeepOutRequested(who="ann", reason="a test patient", undo=undo), ehr, billing)


def may(clinic: Clinic, key: str, slot: str) -> bool:
    """Whether a sink may begin what is open in a slot."""
    intent = clinic.intent(key, slot).intent
    return may_begin(clinic.state, PatientKey(key), slot=slot, intent=intent, policy=clinic.policy)


def begun(clinic: Clinic) -> set[str]:
    """The slots of writes that a sink may begin now."""
    return {slot for key, slot, one in clinic.open() if one.state == "requested" and may(clinic, key, slot)}


def replays(clinic: Clinic) -> bool:
    """I7: the events alone give the same projections."""
    state = PracticeState()
    for number, event in enumerate(clinic.events):
        state.apply(event, number)
    same = {key: encode_patient(one) for key, one in state.patients.items()}
    return state.directory == clinic.state.directory and same == {
        key: encode_patient(one) for key, one in clinic.state.patients.items()
    }


def told_of(clinic: Clinic, begin: int = 0) -> bytes:
    """All that was recorded from an event on."""
    return b"".join(encode_body(one.body) for one in clinic.events[begin:])


def busy(policy: Policy | None = None) -> Clinic:
    """Ada is linked; a write of each kind is asked for."""
    clinic = Clinic(policy)
    clinic.linked(there=INSURED)
    clinic.billing(replace(INSURED, city="Macon"))
    clinic.ehr(replace(ADA, middle_name="Noel"))
    clinic.appointment(VISIT)
    clinic.bill(GOOD_BILL)
    return clinic


# -- holds ----------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(resource=st.sampled_from(RESOURCES), system=st.sampled_from(SYSTEMS), key=st.sampled_from((PRACTICE, ADA_KEY, ALONE)))
def test_the_slot_of_a_hold_says_its_scope(resource: Resource | None, system: System | None, key: str) -> None:
    slot = hold_slot(resource, system, PatientKey(key))
    assert scope_in(slot) == HoldScope(resource, system, PatientKey(key))


@pytest.mark.parametrize("slot", ["link", "hold", "hold:tea:both", "hold:all:fax", "bill:12"])
def test_other_slots_are_of_no_hold(slot: str) -> None:
    assert scope_in(slot) is None


@pytest.mark.parametrize("resource", RESOURCES)
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_hold_keeps_back_the_writes_of_its_scope_and_no_others(resource: Resource | None, system: System | None) -> None:
    clinic = busy()
    before = {(slot, one.resource, one.system) for _, slot, one in clinic.open()}
    assert len({one for _, one, _ in before}) == 4
    assert len({one for _, _, one in before}) == 2
    assert hold(clinic, resource=resource, system=system) == ""
    held = {slot for slot, what, where in before if resource in (None, what) and system in (None, where)}
    assert begun(clinic) == {slot for slot, _, _ in before} - held
    assert clinic.ask(ReleaseRequested(slot=hold_slot(resource, system), who="ben")) == ""
    assert begun(clinic) == {slot for slot, _, _ in before}
    assert replays(clinic)


def test_a_hold_of_one_patient_is_of_either_chart_and_of_nobody_else() -> None:
    clinic = busy()
    clinic.billing(replace(ADA_THERE, id=BillingPatientId(902), first_name="Percy", last_name="Shelley"))
    clinic.carry_out_all()
    clinic.billing(replace(ADA_THERE, id=BillingPatientId(902), first_name="Percy", last_name="Shelley", city="Bath"))
    clinic.billing(replace(INSURED, city="Rome"))
    assert hold(clinic, ehr=ADA.id) == ""
    assert not may(clinic, ADA_KEY, "demographics:elation")
    assert may(clinic, "K:902", "demographics:elation")
    assert clinic.state.directory.holds[hold_slot(None, None, ADA_KEY)].billing == ADA_THERE.id


def test_a_hold_of_a_chart_stays_with_it_when_it_is_linked_and_unlinked() -> None:
    clinic = Clinic()
    clinic.ehr(ADA)
    assert hold(clinic, ehr=ADA.id) == ""
    clinic.billing(ADA_THERE)
    clinic.succeed("K:901", "chart", Searched(candidates=(candidate(ADA),)))
    if not clinic.links():
        assert clinic.ask(LinkRequested(ehr=ADA.id, billing=ADA_THERE.id, who="ann"), ADA.id, ADA_THERE.id) == ""
    clinic.billing(replace(ADA_THERE, city="Macon"))
    assert not may(clinic, ADA_KEY, "demographics:elation")
    assert clinic.ask(UnlinkRequested(who="ann", billing=ADA_THERE.id), billing=ADA_THERE.id) == ""
    (began,) = clinic.state.directory.holds.values()
    assert began.ehr == ADA.id


def test_searcheshappen() -> None:
    clinic = Clinic()
    assert hold(clinic) == ""
    clinic.ehr(ADA)
    assert changes_nothing(clinic.intent(ALONE, "chart").write)
    assert may(clinic, ALONE, "chart")
    clinic.succeed(ALONE, "chart", Searched())
    assert not changes_nothing(clinic.intent(ALONE, "chart").write)
    assert not may(clinic, ALONE, "chart")


def test_what_comes_meanwhile_is_one_write_of_the_newest_state() -> None:
    clinic = Clinic()
    clinic.linked()
    hold(clinic)
    for city in ("Macon", "Rome", "Athens"):
        clinic.billing(replace(ADA_THERE, city=city))
    assert [slot for _, slot, _ in clinic.open()] == ["demographics:elation"]
    assert clinic.wanted("demographics:elation").fields == {"city": "Athens"}
    clinic.billing(ADA_THERE)
    assert clinic.open() == []


def test_a_hold_is_one_item_and_the_same_again_takes_its_place() -> None:
    clinic = busy()
    waiting = dict(clinic.waiting())
    hold(clinic, system=System.EHR)
    slot = hold_slot(None, System.EHR)
    assert clinic.state.directory.waiting[slot].code == WaitCode.ON_HOLD
    assert clinic.waiting() == waiting
    until = datetime(2026, 3, 3, 1, 30, tzinfo=UTC)
    hold(clinic, system=System.EHR, until=until)
    assert list(clinic.state.directory.holds) == [slot]
    assert clinic.state.directory.waiting[slot].text == "all writes to Elation wait until 2026-03-02 20:30 EST: held by ann"
    assert clinic.ask(DismissRequested(slot=slot, who="ann", reason="so be it")) == "passes-by-itself"


def test_a_hold_that_ended_by_itself_is_over() -> None:
    clinic = busy()
    hold(clinic, ehr=ADA.id)
    assert begun(clinic) == {"carrier:40"}
    (began,) = clinic.state.directory.holds.values()
    clinic.record(HoldEnded(slot=began.slot, ehr=began.ehr, billing=began.billing), ehr=began.ehr, billing=began.billing)
    assert clinic.state.directory.holds == {}
    assert began.slot not in clinic.state.directory.waiting
    assert len(begun(clinic)) > 1
    assert replays(clinic)


def test_what_cannot_be_done_is_refused() -> None:
    clinic = busy()
    assert clinic.ask(ReleaseRequested(slot=hold_slot(None, None), who="ann")) == "not-held"
    assert hold(clinic, billing=999) == "not-known"
    hold(clinic, resource=Resource.BILL)
    body = BillResendRequested(bill=int(GOOD_BILL.id), who="ann")
    assert clinic.ask(body, ehr=ADA.id) == "under-way"
    assert clinic.state.directory.holds.keys() == {"hold:bill:both"}


def test_a_write_under_way_is_finished_and_one_that_was_certainly_not_made_is_given_up() -> None:
    clinic = busy()
    slot = "demographics:elation"
    open_ = clinic.attempt(ADA_KEY, slot)
    hold(clinic)
    assert is_stopped_under_way(clinic.state, PatientKey(ADA_KEY), slot=slot, intent=open_.intent)
    followed = clinic._about(ADA_KEY, IntentSuperseded(intent=open_.intent, slot=slot, reason="nothing was done"))
    assert [type(one.body) for one in followed] == [IntentRequested]
    assert clinic.intent(ADA_KEY, slot).write == open_.write
    assert not may(clinic, ADA_KEY, slot)


@settings(deadline=None)
@given(
    before=STORIES,
    during=STORIES,
    resource=st.sampled_from(RESOURCES),
    system=st.sampled_from(SYSTEMS),
    of_ada=st.booleans(),
)
def test_whatever_happens_a_hold_changes_no_decision(
    before: list[Step], during: list[Step], resource: Resource | None, system: System | None, of_ada: bool
) -> None:
    """What is asked for is the same with and without a hold: only its beginning waits."""
    clinic, other = tell(before), tell(before)
    hold(clinic, billing=ADA_THERE.id if of_ada else None, resource=resource, system=system)
    other.now = clinic.now
    for step in during:
        happen(clinic, step)
        happen(other, step)
    wanted = {(key, slot): (one.write, one.state) for key, slot, one in clinic.open()}
    assert wanted == {(key, slot): (one.write, one.state) for key, slot, one in other.open()}
    for key, slot, one in clinic.open():
        patient = clinic.state.patients.get(PatientKey(key))
        covered = resource in (None, one.resource) and system in (None, one.system) and (not of_ada or key == ADA_KEY)
        held = on_hold(clinic.state.directory, patient, one) is not None
        assert held is (covered and not changes_nothing(one.write)), (key, slot)
    assert replays(clinic)


# -- kept out -------------------------------------------------------------------------------------------------------------


def test_for_a_patient_kept_out_nothing_is_written_and_nothing_waits() -> None:
    clinic = busy()
    clinic.bill(replace(GOOD_BILL, id=4002, lines=()))
    assert clinic.intents()
    assert clinic.waiting()
    assert keep_out(clinic, billing=ADA_THERE.id) == ""
    assert clinic.intents() == {}
    assert clinic.waiting() == {}
    clinic.billing(replace(INSURED, city="Rome"))
    clinic.ehr(replace(ADA, city="Athens"))
    clinic.appointment(replace(VISIT, key="7002", id=7002))
    assert clinic.intents() == {}
    assert clinic.waiting() == {}
    assert clinic.links() == {(101, 901)}
    assert replays(clinic)
    assert keep_out(clinic, ehr=ADA.id) == "nothing-in-it"
    assert keep_out(clinic, ehr=ADA.id, undo=True) == ""
    clinic.billing(replace(INSURED, city="Rome"))
    clinic.ehr(replace(ADA, city="Athens"))
    clinic.appointment(replace(VISIT, key="7002", id=7002))
    assert {"demographics:elation", "appointment:7001", "appointment:7002"} <= {slot for _, slot, _ in clinic.open()}
    assert keep_out(clinic, ehr=ADA.id, undo=True) == "nothing-in-it"
    assert replays(clinic)


def test_a_chart_kept_out_before_it_was_ever_seen_is_neither_searched_nor_created() -> None:
    clinic = Clinic()
    assert keep_out(clinic, billing=ADA_THERE.id) == ""
    clinic.billing(ADA_THERE)
    assert clinic.open() == []
    assert clinic.waiting("K:901") == {}
    assert clinic.state.patients[ADA_KEY].billing is None
    assert keep_out(clinic, billing=ADA_THERE.id, undo=True) == ""
    clinic.billing(ADA_THERE)
    assert [slot for _, slot, _ in clinic.open()] == ["chart"]


def test_while_a_counterpart_is_being_created_nobody_is_kept_out() -> None:
    clinic = Clinic()
    clinic.ehr(ADA)
    clinic.succeed(ALONE, "chart", Searched())
    clinic.attempt(ALONE, "chart")
    assert keep_out(clinic, ehr=ADA.id) == "under-way"
    clinic.write(ALONE, "chart")
    assert keep_out(clinic, ehr=ADA.id) == ""


RULED = Policy(practice=Clinic().policy.practice, default_physician=HOUSE, keep_out=("zz*", "Test"))


def test_a_rule_keeps_out_whose_last_name_fits_and_lets_in_again_who_is_renamed() -> None:
    clinic = Clinic(RULED)
    tester = replace(ADA, last_name="ZZTOP")
    clinic.ehr(tester)
    assert clinic.open() == []
    assert clinic.waiting(ALONE) == {}
    assert clinic.state.directory.kept_out[ehr_key(ADA.id)].rule == "zz*"
    assert b"ZZTOP" not in told_of(clinic)
    clinic.ehr(replace(tester, first_name="Zelda"))
    assert clinic.state.directory.kept_out.keys() == {ehr_key(ADA.id)}
    assert b"Zelda" not in told_of(clinic)
    clinic.pass_days(1)
    assert clinic.state.directory.kept_out.keys() == {ehr_key(ADA.id)}, "of a name that is not known no rule says anything"
    clinic.ehr(ADA)
    assert clinic.state.directory.kept_out == {}
    assert [slot for _, slot, _ in clinic.open()] == ["chart"]
    assert replays(clinic)


def test_a_persons_word_goes_before_the_rule() -> None:
    clinic = Clinic(RULED)
    clinic.ehr(replace(ADA, last_name="Test"))
    assert keep_out(clinic, ehr=ADA.id, undo=True) == ""
    clinic.ehr(replace(ADA, last_name="Test"))
    assert [slot for _, slot, _ in clinic.open()] == ["chart"]
    clinic.ehr(replace(ADA, last_name="Test", city="Macon"))
    assert not clinic.state.directory.kept_out[ehr_key(ADA.id)].out
    assert keep_out(clinic, ehr=ADA.id) == ""
    assert clinic.open() == []


def test_a_linked_patient_of_the_rule_is_kept_out_with_both_charts() -> None:
    clinic = Clinic(RULED)
    clinic.linked()
    clinic.billing(replace(ADA_THERE, last_name="Testa"))
    assert clinic.open() != []
    clinic.billing(replace(ADA_THERE, last_name="test"))
    assert clinic.open() == []
    assert clinic.state.directory.kept_out.keys() == {ehr_key(ADA.id), billing_key(ADA_THERE.id)}


def test_going_live_leaves_alone_whom_the_rule_keeps_out() -> None:
    known = patients(ADA, ADA_THERE, replace(ADA, id=EhrChartId(102), first_name="Zed", last_name="Zzzz"))
    clinic = Clinic(RULED)
    run = rehearse(known, clinic.state.directory, counterparts(known), clinic.policy, clinic.now)
    assert {(one.ehr, one.billing) for one in run.links} == {(101, 901)}
    assert [one for one in run.writes if one.patient == "E:102"] == []
    assert run.patients[PatientKey("E:102")].waiting == {}


def test_a_rule_that_is_gone_lets_in_again_who_was_kept_out_by_it() -> None:
    clinic = Clinic(RULED)
    clinic.ehr(replace(ADA, last_name="Test"))
    clinic.policy = Policy(practice=RULED.practice, default_physician=HOUSE)
    clinic.pass_days(1)
    assert clinic.state.directory.kept_out == {}
    assert not clinic.state.patients[PatientKey(ALONE)].out
    assert replays(clinic)


def test_a_linked_patient_of_the_rule_stays_out_until_neither_name_fits() -> None:
    clinic = Clinic(RULED)
    clinic.linked()
    clinic.billing(replace(ADA_THERE, last_name="test"))
    clinic.ehr(replace(ADA, city="Athens"))
    assert clinic.state.directory.kept_out.keys() == {ehr_key(ADA.id), billing_key(ADA_THERE.id)}
    clinic.billing(replace(ADA_THERE, city="Macon"))
    assert clinic.state.directory.kept_out == {}
    assert replays(clinic)
