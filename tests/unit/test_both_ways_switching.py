"""A practice that changes its profile; nothing is written because a direction widened."""

from __future__ import annotations

from msgspec.structs import replace

from events.commands import ConflictSeen
from events.insurance import InsurersLearnt
from events.records import BillingPolicy, ChartPolicy
from events.writes import System
from projections.terms.policy import BILLING_LED, EHR_LED
from projections.trial.dry_run import rehearse, rehearse_accepting
from tests.unit.clinic import Clinic
from tests.unit.insured_both_ways import BLUE_THERE, GOLD, SECOND_HERE, change, insurance, insured, sync
from tests.unit.records import ADA, ADA_THERE, BLUE, BLUE_CARRIER, BLUE_PLAN

# A practice that changes its profile (point 1)


def switched(*here: ChartPolicy, there: tuple[BillingPolicy, ...]) -> Clinic:
    """A practice of the profile kareo-led, at rest, that takes the other; then Elation's policies are read."""
    clinic = Clinic(directory=False, table=BILLING_LED)
    clinic.directories(carriers=(BLUE_CARRIER,), plans=(BLUE_PLAN,))
    clinic.linked(there=insured(*there))
    clinic.carry_out_all()
    clinic.policy = replace(clinic.policy, table=EHR_LED, preference=System.EHR)
    clinic.mark = len(insurance(clinic))
    clinic.billing(insured(*there))
    ids = [one.ehr for one in clinic.patient().policies.values()]
    clinic.policies(
        *(replace(one, id=id_) if id_ else one for one, id_ in zip(here, [*ids, *([0] * len(here))], strict=False))
    )
    clinic.carry_out_all()
    return clinic


def test_nothing_is_written_because_a_direction_widened():
    clinic = switched(replace(GOLD, group_id="EDITED"), replace(SECOND_HERE, member_id="STAFF"), there=(BLUE,))
    assert insurance(clinic)[clinic.mark :] == []
    assert clinic.waits("conflict:insurance") == "policies-differ"
    assert clinic.patient().coverage.unsettled == {"3001": ("group_id",)}
    assert clinic.patient().coverage.apart == (5002,)
    assert {slot: one.code for slot, one in clinic.waiting().items()} == {"conflict:insurance": "policies-differ"}


def test_what_both_hold_is_the_base_at_the_switch():
    clinic = switched(GOLD, there=(BLUE,))
    assert insurance(clinic)[clinic.mark :] == []
    assert clinic.waiting() == {}
    (id_,) = [one.ehr for one in clinic.patient().policies.values()]
    clinic.policies(replace(GOLD, id=id_, group_id="LATER"))
    assert change(clinic).fields == {"group_id": "LATER"}


def test_differences_are_settled_by_preference_when_a_person_has_seen_them():
    clinic = switched(replace(GOLD, group_id="EDITED"), replace(SECOND_HERE, member_id="STAFF"), there=(BLUE,))
    assert clinic.ask(ConflictSeen(fields=("insurance",), who="ann"), ehr=ADA.id, billing=ADA_THERE.id) == ""
    assert sync(clinic).terms[0].group_id == "G-77", "Kareo wins"
    assert change(clinic).fields["member_id"] == "STAFF"
    clinic.carry_out_all()
    assert clinic.open() == []


def test_a_person_settles_a_difference_by_making_them_alike():
    clinic = switched(replace(GOLD, group_id="EDITED"), there=(BLUE,))
    clinic.billing(insured(replace(BLUE, group="EDITED")))
    assert insurance(clinic)[clinic.mark :] == []
    assert clinic.patient().coverage.unsettled == {}


def test_a_practice_that_goes_back_and_comes_again_begins_anew():
    clinic = switched(GOLD, there=(BLUE,))
    (id_,) = [one.ehr for one in clinic.patient().policies.values()]
    clinic.policy = replace(clinic.policy, table=BILLING_LED)
    clinic.policies(replace(GOLD, id=id_, group_id="MEANWHILE"))
    clinic.policy = replace(clinic.policy, table=EHR_LED)
    clinic.billing(insured(BLUE))
    assert insurance(clinic)[clinic.mark :] == []
    assert clinic.waits("conflict:insurance") == "policies-differ"


def test_what_if_and_dry_run_show_what_the_switch_would_write():
    """Before the switch: what the other profile would write, in memory, nothing recorded."""
    clinic = Clinic(directory=False, table=BILLING_LED)
    clinic.directories(carriers=(BLUE_CARRIER,), plans=(BLUE_PLAN,))
    clinic.linked(there=insured(BLUE))
    clinic.carry_out_all()
    (id_,) = [one.ehr for one in clinic.patient().policies.values()]
    clinic.policies(replace(GOLD, id=id_, group_id="EDITED"))
    other = replace(clinic.policy, table=EHR_LED, preference=System.EHR)
    run = rehearse(clinic.state.patients, clinic.state.directory, {}, other, clinic.now)
    assert run.writes == []
    assert {one.code for patient in run.patients.values() for one in patient.waiting.values()} == {"policies-differ"}


def test_a_rehearsal_of_the_other_profile_tells_what_follows_from_each_write():
    clinic = Clinic(directory=False, table=EHR_LED, observes=True)
    clinic.directories(carriers=(BLUE_CARRIER,), plans=(BLUE_PLAN,))
    clinic.record(InsurersLearnt(plans=(BLUE_THERE,)))
    clinic.ehr(ADA)
    clinic.policies(GOLD)
    run = rehearse(clinic.state.patients, clinic.state.directory, {}, clinic.policy, clinic.now)
    (create,) = [one.write for one in run.writes]
    assert [one.fields["member_id"] for one in create.policies] == ["XYZ123"]
    assert [one for one in run.patients.values() if one.link is not None and len(one.policies) == 1]


def test_what_accepting_the_differences_would_write_is_told_before():
    """`chartwire onboard --accept`: the same writes as once it is accepted, and nothing recorded."""
    clinic = switched(replace(GOLD, group_id="EDITED"), replace(SECOND_HERE, member_id="STAFF"), there=(BLUE,))
    before = len(clinic.events)
    run = rehearse_accepting(clinic.state.patients, clinic.state.directory, clinic.policy, clinic.now)
    assert len(clinic.events) == before
    assert {type(one.write).__name__ for one in run.writes} == {"SyncPolicies", "ChangeBillingPolicies"}
    (patient,) = run.patients.values()
    assert {one.terms.group_id for one in patient.policies.values() if one.terms.member_id == "XYZ123"} == {"G-77"}

    clinic.ask(ConflictSeen(fields=("insurance",), who="ann"), ehr=ADA.id, billing=ADA_THERE.id)
    clinic.carry_out_all()
    assert sorted(one.terms.member_id for one in clinic.patient().policies.values()) == ["STAFF", "XYZ123"]
