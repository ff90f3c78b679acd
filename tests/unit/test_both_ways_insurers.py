"""EHR_LED section 3, rule 7: companies and plans by ids learnt from policies seen, never by a name unasked."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace

from events.ids import BillingPatientId
from events.records import BillingCase
from events.writes import ChangeBillingPolicies, CreateBillingChart, CreatePlan, Resource, SyncPolicies
from projections.rules.pairing import EVERYTHING, INSURER
from projections.terms.policy import EHR_LED, Direction, NewCarrier, WithoutPlan
from tests.unit.clinic import Clinic
from tests.unit.insured_both_ways import GOLD, SECOND_HERE, agreed, both, change, insurance, insured
from tests.unit.records import ADA, ADA_THERE, BLUE, BLUE_CARRIER, BLUE_PLAN

REMINDER = "a new insurance company is created: set its Electronic Claims in Kareo, which cannot be told"

# Companies and plans (rule 7)


def test_a_carrier_that_kareo_has_not_shown_waits_until_a_policy_shows_it():
    clinic = both(GOLD, learnt=False)
    assert insurance(clinic) == []
    assert clinic.waits("chart-policy:5001") == "carrier-unknown"
    zoe = replace(ADA_THERE, id=BillingPatientId(950), first_name="Zoe", last_name="Quux", birth_date=date(1950, 1, 1))
    clinic.billing(replace(zoe, cases=(BillingCase(id=95, is_primary=True, policies=(replace(BLUE, id=3950),)),)))
    clinic.policies(chart=950)
    chart = replace(ADA, id=950, first_name="Zoe", last_name="Quux", birth_date=date(1950, 1, 1))
    clinic.ehr(replace(chart, link_hint="kareo-patient:950"))
    assert change(clinic).fields["company_id"] == "40"


@pytest.mark.parametrize(
    ("name", "code"),
    [("BLUE  cross,", ""), ("blue cross", ""), ("Blue Cross Inc", "carrier-unknown"), ("", "carrier-unknown")],
)
def test_a_carrier_is_known_by_its_name_but_for_case_and_signs(name: str, code: str):
    """Section 8: equal but for case and comma; "Inc" is another name."""
    clinic = both(replace(GOLD, carrier_id=8999, carrier_name=name))
    assert clinic.waits("chart-policy:5001") == code
    assert len(insurance(clinic)) == (not code)


def test_a_name_is_never_sent_unless_the_practice_says_so():
    clinic = both(replace(GOLD, carrier_id=8999, carrier_name="New Mutual", plan_id=None, plan_name=""))
    assert insurance(clinic) == []
    assert clinic.waits("chart-policy:5001") == "carrier-unknown"
    clinic = both(
        replace(GOLD, carrier_id=8999, carrier_name="New Mutual", plan_id=None, plan_name=""), new_carrier=NewCarrier.CREATE
    )
    fields = insurance(clinic)[0].changes[0].fields
    assert fields["company_name"] == "New Mutual"
    assert clinic.requests()[-1].notes == (REMINDER,)
    assert "plan_name" not in fields
    assert "company_id" not in fields


def test_a_company_created_with_a_patient_reminds_of_its_claims_too():
    """Rules 7 and 14: one call creates the patient, their case, and a company by its name."""
    clinic = Clinic(directory=False, table=EHR_LED, new_carrier=NewCarrier.CREATE)
    clinic.directories(carriers=(BLUE_CARRIER,), plans=(BLUE_PLAN,))
    clinic.ehr(ADA)
    clinic.write("E:101", "chart")
    clinic.policies(replace(GOLD, carrier_id=8999, carrier_name="New Mutual", plan_id=None, plan_name=""))
    create = clinic.wanted("chart", "E:101")
    assert isinstance(create, CreateBillingChart)
    assert create.policies[0].fields["company_name"] == "New Mutual"
    assert clinic.requests()[-1].notes == (REMINDER,)


def test_a_plan_is_never_created_whatever_the_practice_says():
    """Section 1: plans come from Kareo only."""
    for carrier in (8001, 8999):
        policy = replace(GOLD, carrier_id=carrier, plan_id=8777, plan_name="Platinum")
        clinic = both(
            replace(policy, carrier_name="Blue Cross" if carrier == 8001 else "New"), new_carrier=NewCarrier.CREATE
        )
        assert insurance(clinic) == []
        assert clinic.waits("chart-policy:5001") in ("plan-unknown", "carrier-unknown")


def test_a_carrier_without_a_plan_waits_or_takes_the_single_known_one():
    bare = replace(GOLD, plan_id=None, plan_name="")
    assert both(bare).waits("chart-policy:5001") == "plan-unknown"
    clinic = both(bare, carrier_without_plan=WithoutPlan.SINGLE_KNOWN_PLAN)
    added, back = insurance(clinic)
    assert added.changes[0].fields["plan_id"] == "50"
    assert isinstance(back, SyncPolicies)
    assert back.terms[0].plan_name == "Blue Gold PPO", "plans come from Kareo"
    assert set(EVERYTHING) - set(back.terms[0].keeps) == set(INSURER)
    assert (clinic.open(), clinic.waiting()) == ([], {})


def test_the_plan_that_kareo_has_comes_to_a_policy_without_one():
    """Section 1: plans from Kareo to Elation; entered first in either, no conflict of both."""
    bare = replace(GOLD, plan_id=None, plan_name="")
    clinic = both(bare, there=(BLUE,))
    (told,) = insurance(clinic)
    assert isinstance(told, SyncPolicies)
    assert (told.terms[0].plan_id, clinic.waiting()) == (8101, {})
    clinic.billing(insured(replace(BLUE, plan_id="51", plan_name="Blue Silver")))
    clinic.carry_out_all()
    assert clinic.patient().coverage.policies[0].plan_name == "Blue Silver"
    assert [one for one in insurance(clinic) if isinstance(one, ChangeBillingPolicies)] == []


def test_a_plan_that_elation_names_without_an_id_is_known_by_its_name():
    named = replace(GOLD, plan_id=None)
    assert insurance(both(named, there=(BLUE,))) == []
    clinic = both(named, there=(replace(BLUE, plan_id="51", plan_name="Blue Silver"),))
    assert clinic.waits("conflict:policies.3001.insurer") == "conflict"


def test_where_plans_do_not_come_back_a_policy_without_one_is_told_once():
    table = EHR_LED | {Resource.INSURANCE: Direction.TO_BILLING}
    clinic = both(replace(GOLD, plan_id=None, plan_name=""), carrier_without_plan=WithoutPlan.SINGLE_KNOWN_PLAN, table=table)
    clinic.billing(clinic.patient().billing.chart)
    assert (len(insurance(clinic)), clinic.open()) == (1, [])


def test_a_carrier_deleted_in_elations_settings_still_counts_by_its_name():
    clinic = both(GOLD)
    clinic.elation_directory(carriers=(), plans=())
    clinic.policies(GOLD, SECOND_HERE)
    assert change(clinic).fields["company_id"] == "40"


def test_kareo_renames_a_plan():
    """Section 8: the id stays, so nothing is anybody's edit; the new name reaches Elation with its plan."""
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.billing(insured(replace(BLUE, plan_name="Blue Gold Plus")))
    assert clinic.wanted("plan:50", "") == CreatePlan(billing_plan_id="50", name="Blue Gold Plus", carrier=8001)
    clinic.carry_out_all()
    (told,) = [one for one in insurance(clinic) if isinstance(one, SyncPolicies)]
    assert told.terms[0].plan_name == "Blue Gold Plus"
    assert [one for one in insurance(clinic) if isinstance(one, ChangeBillingPolicies)] == []
