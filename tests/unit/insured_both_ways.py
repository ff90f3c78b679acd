"""A clinic in which insurance goes both ways, for the tests of it."""

from __future__ import annotations

from datetime import date

from msgspec.structs import replace

from events.insurance import InsurersLearnt
from events.records import BillingCase, BillingChart, BillingPlan, BillingPolicy, ChartPolicy
from events.schema import IntentSuperseded
from events.terms import PolicyChange
from events.writes import ChangeBillingPolicies, SyncPolicies
from projections.terms.policy import EHR_LED
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_KEY, ADA_THERE, BLUE, BLUE_CARRIER, BLUE_PLAN

GOLD = ChartPolicy(
    id=5001,
    rank=1,
    active=True,
    carrier_id=8001,
    carrier_name="Blue Cross",
    plan_id=8101,
    plan_name="Blue Gold PPO",
    member_id="XYZ123",
    group_id="G-77",
    copay="20.00",
    deductible="1500.00",
    relationship="self",
)
"""Ada's policy as Elation holds it; the same as BLUE."""
SPOUSE = {
    "relationship": "spouse",
    "insured_first_name": "William",
    "insured_last_name": "King",
    "insured_address": "3 Lovelace Court",
    "insured_city": "Atlanta",
    "insured_state": "GA",
    "insured_zip": "30303",
    "insured_ssn": "530-12-4481",
    "insured_birth_date": date(1980, 2, 21),
    "insured_sex": "M",
}
SECOND = replace(BLUE, id=3002, number="SEC-9", group="", copay="", deductible="")
SECOND_HERE = replace(GOLD, id=5002, rank=2, member_id="SEC-9", group_id="", copay="", deductible="")
CASE = "case-policies"
BLUE_THERE = BillingPlan(company_id="40", company_name="Blue Cross", plan_id="50", plan_name="Blue Gold PPO")
SILVER_THERE = BillingPlan(company_id="40", company_name="Blue Cross", plan_id="51", plan_name="Blue Silver")


def insured(*policies: BillingPolicy, **case: object) -> BillingChart:
    return replace(ADA_THERE, cases=(BillingCase(id=71, is_primary=True, policies=policies, **case),))


def both(*here: ChartPolicy, there: tuple[BillingPolicy, ...] = (), learnt: bool = True, **rules: object) -> Clinic:
    """A clinic with the profile elation-led in which Ada is linked. With `learnt` somebody else's policy has shown the plan.

    What was to be done at the beginning is done.
    """
    clinic = Clinic(directory=False, **{"table": EHR_LED, **rules})
    clinic.directories(carriers=(BLUE_CARRIER,), plans=(BLUE_PLAN,))
    if learnt:
        clinic.record(InsurersLearnt(plans=(BLUE_THERE,)))
    clinic.policies(*here)
    clinic.linked(there=insured(*there))
    clinic.carry_out_all()
    return clinic


def agreed(*here: ChartPolicy, there: tuple[BillingPolicy, ...], **rules: object) -> Clinic:
    """As `both`, where the two sides hold the same and nothing was to be written."""
    clinic = both(*here, there=there, **rules)
    assert insurance(clinic) == []
    return clinic


def insurance(clinic: Clinic) -> list[ChangeBillingPolicies | SyncPolicies]:
    """Every insurance write that was ever requested for a linked patient."""
    return [one.write for one in clinic.requests() if isinstance(one.write, ChangeBillingPolicies | SyncPolicies)]


def change(clinic: Clinic) -> PolicyChange:
    """The one change that Kareo is to be told."""
    write = clinic.wanted(CASE)
    assert isinstance(write, ChangeBillingPolicies)
    (one,) = write.changes
    return one


def superseded(clinic: Clinic, slot: str) -> None:
    """The write found another reading than it was decided on."""
    body = IntentSuperseded(intent=clinic.intent(ADA_KEY, slot).intent, slot=slot, reason="changed meanwhile")
    clinic.record(body, ehr=ADA.id, billing=ADA_THERE.id)


def sync(clinic: Clinic) -> SyncPolicies:
    write = clinic.wanted("policies")
    assert isinstance(write, SyncPolicies)
    return write
