"""EHR_LED sections 2, 3 and 8: what is entered and edited in Elation reaches Kareo; each rule by its number."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace

from events.insurance import InsurersLearnt
from events.records import BillingCase, ChartPolicy
from events.writes import ChangeBillingPolicies, CreateBillingChart, SyncPolicies
from projections.rules.policy_writes import INSURED_NOTE
from projections.terms.policy import EHR_LED, RemovedPolicy
from tests.unit.clinic import Clinic
from tests.unit.insured_both_ways import (
    BLUE_THERE,
    CASE,
    GOLD,
    SECOND,
    SECOND_HERE,
    SILVER_THERE,
    SPOUSE,
    agreed,
    both,
    change,
    insurance,
    insured,
    sync,
)
from tests.unit.records import ADA, ADA_THERE, BLUE, BLUE_CARRIER, BLUE_PLAN

# Which fields travel (section 2)

EDITS = {
    "member_id": ({"member_id": "NEW-1"}, {"member_id": "NEW-1"}),
    "group_id": ({"group_id": "G-1"}, {"group_id": "G-1"}),
    "no group": ({"group_id": ""}, {"group_id": ""}),
    "copay": ({"copay": "35.00"}, {"copay": "35.00"}),
    "copay 0 is one": ({"copay": "0"}, {"copay": "0.00"}),
    "no copay": ({"copay": ""}, {"copay": ""}),
    "deductible": ({"deductible": "250"}, {"deductible": "250.00"}),
    "rank": ({"rank": 2}, {"rank": "2"}),
    "plan": ({"plan_id": 8102, "plan_name": "Blue Silver"}, {"company_id": "40", "plan_id": "51"}),
}


@pytest.mark.parametrize("row", EDITS)
def test_an_edit_in_elation_tells_kareo_that_member_alone(row: str):
    edit, told = EDITS[row]
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.record(InsurersLearnt(plans=(SILVER_THERE,)))

    clinic.policies(replace(GOLD, **edit))

    one = change(clinic)
    assert (one.policy, one.ehr, one.fields) == (BLUE.id, GOLD.id, told)
    assert clinic.wanted(CASE).case_id == 71
    clinic.carry_out_all()
    assert len(insurance(clinic)) == 1, "no echo (I5)"
    assert clinic.open() == []
    assert clinic.waiting() == {}


def test_the_same_in_another_form_is_no_edit():
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.policies(replace(GOLD, copay="20", deductible="1500.0", member_id=" XYZ123 ", relationship="Self"))
    assert insurance(clinic) == []


def test_the_holder_is_told_whole_and_said_so_when_it_is_somebody_else():
    """Rule 4: Insured only where an insured fact changed, and said so."""
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.policies(replace(GOLD, **SPOUSE))
    assert change(clinic).fields == {
        "relationship": "spouse",
        "insured_first_name": "William",
        "insured_last_name": "King",
        "insured_address": "3 Lovelace Court",
        "insured_city": "Atlanta",
        "insured_state": "GA",
        "insured_zip": "30303",
        "insured_ssn": "530124481",
        "insured_birth_date": "1980-02-21",
        "insured_sex": "M",
    }
    assert clinic.requests()[-1].notes == (INSURED_NOTE,)
    clinic.carry_out_all()
    assert clinic.open() == []
    clinic.policies(replace(GOLD, **(SPOUSE | {"insured_city": "Macon"})))
    assert change(clinic).fields == {"insured_city": "Macon"}


def test_other_edits_of_such_a_policy_send_no_holder():
    clinic = both(replace(GOLD, **SPOUSE))
    clinic.policies(replace(GOLD, **SPOUSE, group_id="G-78"))
    assert change(clinic).fields == {"group_id": "G-78"}
    assert clinic.requests()[-1].notes == ()


def test_the_holder_of_a_policy_of_ones_own_is_never_told():
    """Rule 4: never for relationship Self; a change to it waits."""
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.policies(replace(GOLD, insured_first_name="Adah", insured_birth_date=date(1900, 1, 1)))
    assert insurance(clinic) == []
    clinic.policies(replace(GOLD, **SPOUSE))
    clinic.carry_out_all()
    before = len(insurance(clinic))
    clinic.policies(GOLD)
    assert insurance(clinic)[before:] == []
    assert clinic.waits("policy:3001") == "insured-self"


@pytest.mark.parametrize(
    "half", [{"insured_first_name": ""}, {"insured_birth_date": None}, {"insured_sex": "N"}, {"insured_ssn": "***"}]
)
def test_half_a_holder_is_sent_as_far_as_it_is_known(half: dict[str, object]):
    """Section 8: policyholder not self with half a name, no birth date, a sex outside Female and Male."""
    clinic = both(replace(GOLD, **(SPOUSE | half)))
    (write,) = insurance(clinic)
    assert set(half) & set(write.changes[0].fields) == set()
    assert "insured_last_name" in write.changes[0].fields
    assert clinic.open() == []


# A policy entered in Elation first


def test_a_policy_entered_in_elation_is_added_to_the_primary_case_once():
    clinic = both(GOLD)
    (write,) = insurance(clinic)
    assert write.case_id == 71
    (one,) = write.changes
    assert (one.policy, one.ehr) == (None, GOLD.id)
    assert one.fields == {
        "rank": "1",
        "company_id": "40",
        "plan_id": "50",
        "member_id": "XYZ123",
        "group_id": "G-77",
        "copay": "20.00",
        "deductible": "1500.00",
    }
    assert clinic.open() == []
    clinic.policies(GOLD)
    clinic.billing(clinic.patient().billing.chart)
    assert len(insurance(clinic)) == 1
    (base,) = clinic.patient().policies.values()
    assert base.ehr == GOLD.id


def test_a_secondary_without_a_primary_stays_one():
    clinic = both(replace(GOLD, rank=2))
    assert insurance(clinic)[0].changes[0].fields["rank"] == "2"
    assert len(insurance(clinic)) == 1
    assert clinic.open() == []


@pytest.mark.parametrize(
    "policy",
    [replace(GOLD, rank=None), replace(GOLD, active=False), replace(GOLD, active=False, rank=None)],
    ids=["blank rank", "inactive", "historical"],
)
def test_a_historical_policy_goes_nowhere(policy: ChartPolicy):
    """Rule 11: a blank rank is a historical record."""
    clinic = both(policy)
    assert insurance(clinic) == []
    assert clinic.waiting() == {}


def test_two_active_policies_of_one_rank_wait():
    """Section 8."""
    clinic = both(GOLD, replace(GOLD, id=5003, member_id="OTHER"))
    assert insurance(clinic) == []
    assert clinic.waits("chart-policy:5001") == clinic.waits("chart-policy:5003") == "rank-twice"


def test_a_tertiary_goes_along():
    clinic = both(GOLD, SECOND_HERE, replace(GOLD, id=5003, rank=3, member_id="T-3"))
    assert [one.fields["rank"] for one in insurance(clinic)[0].changes] == ["1", "2", "3"]
    assert len(insurance(clinic)) == 1
    assert clinic.open() == []


# Cases (rules 1 and 2)


def test_a_case_is_added_where_there_is_none():
    clinic = Clinic(directory=False, table=EHR_LED)
    clinic.directories(carriers=(BLUE_CARRIER,), plans=(BLUE_PLAN,))
    clinic.record(InsurersLearnt(plans=(BLUE_THERE,)))
    clinic.policies(GOLD)
    clinic.linked(there=replace(ADA_THERE, cases=()))
    write = clinic.wanted(CASE)
    assert (write.case_id, write.case_name, write.payer_scenario) == (None, "Primary", "Self Pay")
    clinic.carry_out_all()
    assert len(insurance(clinic)) == 1


def test_an_auto_case_is_left_alone_and_one_is_added_beside_it():
    auto = BillingCase(id=72, name="Auto", policies=(replace(BLUE, id=3009),))
    clinic = Clinic(directory=False, table=EHR_LED)
    clinic.directories(carriers=(BLUE_CARRIER,), plans=(BLUE_PLAN,))
    clinic.policies(GOLD)
    clinic.linked(there=replace(ADA_THERE, cases=(auto,)))
    assert clinic.wanted(CASE).case_id is None
    clinic.carry_out_all()
    assert clinic.patient().billing.chart.cases[0] == auto


def test_an_added_case_that_is_not_primary_waits_and_is_not_added_again():
    """Rule 2: read back, and wait visibly."""
    clinic = both(GOLD)
    clinic.billing(replace(ADA_THERE, cases=(BillingCase(id=75, name="Primary"), BillingCase(id=76, name="Auto"))))
    clinic.policies(GOLD, SECOND_HERE)
    assert clinic.waits(CASE) == "no-primary-case"
    assert clinic.wanted(CASE) is None


def test_two_cases_that_claim_to_be_primary_wait():
    clinic = Clinic(directory=False, table=EHR_LED)
    clinic.directories(carriers=(BLUE_CARRIER,), plans=(BLUE_PLAN,))
    clinic.record(InsurersLearnt(plans=(BLUE_THERE,)))
    clinic.policies(GOLD)
    two = (BillingCase(id=71, is_primary=True), BillingCase(id=72, is_primary=True))
    clinic.linked(there=replace(ADA_THERE, cases=two))
    assert clinic.waits(CASE) == "no-primary-case"
    assert insurance(clinic) == []


def test_cases_that_were_not_read_decide_nothing():
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.billing(replace(ADA_THERE, cases=None))
    assert insurance(clinic) == []


# Removals (rules 8 and 9)


@pytest.mark.parametrize(
    "left",
    [(replace(GOLD, active=False, rank=None), SECOND_HERE), (SECOND_HERE,)],
    ids=["historical", "not listed"],
)
def test_a_removal_in_elation_is_shown_and_nothing_is_removed(left: tuple[ChartPolicy, ...]):
    clinic = agreed(GOLD, SECOND_HERE, there=(BLUE, SECOND))
    clinic.policies(*left)
    assert insurance(clinic) == []
    assert clinic.waits("policy:3001") == "removed-in-chart"
    clinic.policies(GOLD, SECOND_HERE)
    assert clinic.waiting() == {}, "historical and back"
    assert insurance(clinic) == []


@pytest.mark.parametrize(
    ("what", "fields"),
    [
        (RemovedPolicy.DEACTIVATE, {"active": "false"}),
        (RemovedPolicy.DEACTIVATE_AND_END, {"active": "false", "end": "2026-03-02"}),
    ],
)
def test_a_removal_in_elation_deactivates_where_the_practice_wants_it(what: RemovedPolicy, fields: dict[str, str]):
    clinic = agreed(GOLD, SECOND_HERE, there=(BLUE, SECOND), removed_policy=what)
    gone = replace(GOLD, active=False, rank=None)
    clinic.policies(gone, SECOND_HERE)
    assert change(clinic).fields == fields
    clinic.carry_out_all()
    assert clinic.open() == []
    clinic.billing(insured(BLUE, SECOND))  # an account that lists inactive policies, unmarked
    clinic.carry_out_all()
    assert len([one for one in insurance(clinic) if isinstance(one, ChangeBillingPolicies)]) == 1
    assert not any(
        terms.billing_policy == BLUE.id
        for one in insurance(clinic)[1:]
        if isinstance(one, SyncPolicies)
        for terms in one.terms
    )


def test_an_empty_answer_is_no_removal():
    clinic = agreed(GOLD, there=(BLUE,), removed_policy=RemovedPolicy.DEACTIVATE)
    clinic.policies()
    assert insurance(clinic) == []
    assert clinic.waiting() == {}


def test_a_case_made_inactive_removes_all_in_elation_and_comes_not_back():
    """Rule 9: our own removal is no echo."""
    clinic = agreed(GOLD, SECOND_HERE, there=(BLUE, SECOND), removed_policy=RemovedPolicy.DEACTIVATE)
    clinic.billing(replace(ADA_THERE, cases=()))
    assert sync(clinic).remove == (5001, 5002)
    assert sync(clinic).terms == ()
    clinic.carry_out_all()
    assert len(insurance(clinic)) == 1
    clinic.policies(*(replace(one, active=False, rank=None) for one in (GOLD, SECOND_HERE)))
    assert len(insurance(clinic)) == 1
    assert clinic.waiting() == {}
    assert clinic.patient().policies == {}


# Charts born in Elation (rule 14)


def born(*policies: ChartPolicy, **rules: object) -> Clinic:
    clinic = Clinic(directory=False, **{"table": EHR_LED, **rules})
    clinic.directories(carriers=(BLUE_CARRIER,), plans=(BLUE_PLAN,))
    clinic.record(InsurersLearnt(plans=(BLUE_THERE,)))
    clinic.ehr(ADA)
    clinic.write("E:101", "chart")
    return clinic


def test_a_chart_waits_for_its_policies_and_takes_them_along():
    clinic = born()
    assert clinic.waits("chart", "E:101") == "policies-pending"
    clinic.policies(GOLD, replace(SECOND_HERE, carrier_id=8999, carrier_name="Nobody"))
    create = clinic.wanted("chart", "E:101")
    assert isinstance(create, CreateBillingChart)
    assert [one.fields["member_id"] for one in create.policies] == ["XYZ123"]
    clinic.carry_out_all()
    (patient,) = [one for one in clinic.state.patients.values() if one.link is not None]
    assert {one.ehr for one in patient.policies.values()} == {GOLD.id}
    assert clinic.waits("chart-policy:5002", patient.key) == "carrier-unknown"
    assert insurance(clinic) == []
    assert clinic.open() == []


def test_a_chart_without_insurance_is_created_as_ever():
    clinic = born()
    clinic.policies()
    assert clinic.wanted("chart", "E:101").policies == ()


def test_a_patient_born_in_kareo_brings_its_policies_to_the_new_chart():
    clinic = Clinic(directory=False, table=EHR_LED)
    clinic.directories(carriers=(BLUE_CARRIER,), plans=(BLUE_PLAN,))
    clinic.billing(insured(BLUE))
    clinic.carry_out_all()
    (write,) = insurance(clinic)
    assert isinstance(write, SyncPolicies)
    assert write.seen == ()
    assert clinic.open() == []
    assert len(clinic.patient().policies) == 1
