"""EHR_LED section 3, rules 9 and 10: three-way by policy and field, ranks, both sides at once, half of a write."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from events.records import BillingCase
from events.writes import ChangeBillingPolicies, Resource, SyncPolicies, System
from projections.terms.policy import EHR_LED, Direction, RemovedPolicy
from tests.unit.clinic import Clinic
from tests.unit.insured_both_ways import (
    CASE,
    GOLD,
    SECOND,
    SECOND_HERE,
    agreed,
    both,
    change,
    insurance,
    insured,
    superseded,
    sync,
)
from tests.unit.records import ADA_KEY, ADA_THERE, BLUE, BLUE_CARRIER, BLUE_PLAN

# Three-way (rule 10)


def test_each_side_changes_another_field_and_both_travel():
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.policies(replace(GOLD, group_id="G-1"))
    clinic.billing(insured(replace(BLUE, copay="50")))
    assert change(clinic).fields == {"group_id": "G-1"}
    (terms,) = sync(clinic).terms
    assert terms.copay == "50.00"
    assert "group_id" in terms.keeps
    clinic.carry_out_all()
    assert clinic.open() == []
    assert clinic.patient().coverage.policies[0].copay == "50.00"
    assert clinic.patient().billing.chart.cases[0].policies[0].group == "G-1"


@pytest.mark.parametrize("winner", System)
def test_both_change_a_field_and_the_preference_decides(winner: System):
    clinic = agreed(GOLD, there=(BLUE,), insurance_preference=winner)
    clinic.policy = replace(clinic.policy, observes=True)
    clinic.policies(replace(GOLD, group_id="HERE"))
    clinic.policy = replace(clinic.policy, observes=False)
    clinic.billing(insured(replace(BLUE, group="THERE")))
    if winner is System.EHR:
        assert change(clinic).fields == {"group_id": "HERE"}
        assert clinic.wanted("policies") is None
    else:
        assert sync(clinic).terms[0].group_id == "THERE"
        assert clinic.wanted(CASE) is None
    assert clinic.waits("conflict:policies.3001.group_id") == "conflict"
    clinic.carry_out_all()
    assert clinic.open() == []
    clinic.conflict_seen(ADA_KEY, "policies.3001.group_id")
    assert clinic.waiting() == {}


def test_both_change_a_field_to_the_same():
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.policy = replace(clinic.policy, observes=True)
    clinic.policies(replace(GOLD, group_id="SAME"))
    clinic.policy = replace(clinic.policy, observes=False)
    clinic.billing(insured(replace(BLUE, group="SAME")))
    assert insurance(clinic) == []
    clinic.policies(replace(GOLD, group_id="G-77"))
    assert change(clinic).fields == {"group_id": "G-77"}, "the base moved along"


def test_ranks_that_swap_are_no_other_policies():
    clinic = agreed(GOLD, SECOND_HERE, there=(BLUE, SECOND))
    clinic.policies(replace(GOLD, rank=2), replace(SECOND_HERE, rank=1))
    write = clinic.wanted(CASE)
    assert {one.policy: one.fields for one in write.changes} == {3001: {"rank": "2"}, 3002: {"rank": "1"}}
    clinic.carry_out_all()
    assert len(insurance(clinic)) == 1
    clinic.billing(insured(BLUE, SECOND))
    assert {one.billing_policy: one.rank for one in sync(clinic).terms} == {3001: 1, 3002: 2}
    clinic.carry_out_all()
    assert len(insurance(clinic)) == 2


def test_a_new_primary_in_kareo_moves_the_old_one():
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.billing(insured(SECOND, BLUE))
    assert [(one.billing_policy, one.rank) for one in sync(clinic).terms] == [(3002, 1), (3001, 2)]
    clinic.carry_out_all()
    assert len(insurance(clinic)) == 1
    assert clinic.waiting() == {}


def test_half_of_such_a_write_is_no_removal():
    """Elation deactivates whoever held the rank: seen between two calls of ours it is not a person's removal."""
    clinic = agreed(GOLD, there=(BLUE,), removed_policy=RemovedPolicy.DEACTIVATE)
    clinic.billing(insured(SECOND, BLUE))
    clinic.lose(ADA_KEY, "policies")
    half = (replace(GOLD, active=False, rank=None), replace(SECOND_HERE, rank=1))
    clinic.policies(*half)
    assert clinic.wanted(CASE) is None
    superseded(clinic, "policies")
    assert clinic.wanted(CASE) is None
    assert {one.billing_policy: one.rank for one in sync(clinic).terms} == {3001: 2}
    clinic.carry_out_all()
    assert clinic.waiting() == {}
    assert all(one.active for one in clinic.patient().coverage.policies)


def test_the_same_policy_added_on_both_sides_is_one():
    clinic = agreed(GOLD, there=(BLUE,))
    assert clinic.patient().policies["3001"].ehr == GOLD.id


@pytest.mark.parametrize("winner", System)
def test_both_sides_add_a_primary_in_one_window(winner: System):
    clinic = both(insurance_preference=winner)
    clinic.policy = replace(clinic.policy, observes=True)
    clinic.policies(replace(GOLD, member_id="HERE"))
    clinic.policy = replace(clinic.policy, observes=False)
    clinic.billing(insured(replace(BLUE, number="THERE")))
    assert clinic.waits("conflict:policies.rank1") == "conflict"
    if winner is System.BILLING:
        assert sync(clinic).terms[0].member_id == "THERE"
        assert clinic.wanted(CASE) is None
        assert clinic.waits("chart-policy:5001") == "rank-twice"
    else:
        assert change(clinic).fields["member_id"] == "HERE"
        assert clinic.wanted("policies") is None
        assert clinic.waits("policy:3001") == "rank-twice"


def test_a_policy_entered_anew_in_another_case_goes_on_where_it_was():
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.billing(replace(ADA_THERE, cases=(BillingCase(id=80, is_primary=True, policies=(replace(BLUE, id=3080),)),)))
    assert insurance(clinic) == []
    assert {key: one.ehr for key, one in clinic.patient().policies.items()} == {"3080": GOLD.id}


# Reading


def test_nothing_is_written_before_elations_policies_have_been_read():
    clinic = Clinic(directory=False, table=EHR_LED)
    clinic.directories(carriers=(BLUE_CARRIER,), plans=(BLUE_PLAN,))
    clinic.linked(there=insured(BLUE))
    assert insurance(clinic) == []
    assert clinic.waits("policies") == "policies-pending"
    clinic.policies(GOLD)
    assert clinic.waiting() == {}


def test_an_older_reading_changes_nothing():
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.policies(replace(GOLD, group_id="OLD"), observed=clinic.events[0].observed)
    assert insurance(clinic) == []


# The direction table


@pytest.mark.parametrize("direction", Direction)
def test_no_insurance_write_against_the_row(direction: Direction):
    clinic = both(table=EHR_LED | {Resource.INSURANCE: direction})
    clinic.policies(replace(GOLD, member_id="HERE", rank=2))
    clinic.billing(insured(replace(BLUE, number="THERE")))
    clinic.carry_out_all()
    kinds = {type(one) for one in insurance(clinic)}
    assert (
        kinds
        == {
            Direction.BOTH: {SyncPolicies, ChangeBillingPolicies},
            Direction.TO_EHR: {SyncPolicies},
            Direction.TO_BILLING: {ChangeBillingPolicies},
            Direction.OFF: set(),
        }[direction]
    )
