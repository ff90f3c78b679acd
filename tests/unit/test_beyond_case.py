"""What Elation holds beyond Kareo's primary case in kareo-led is shown, with one deed: remove it in Elation."""

from __future__ import annotations

from msgspec.structs import replace

from events.commands import PolicyRemovalRequested, ResyncRequested
from events.records import ChartPolicy
from events.writes import PoliciesWritten, SyncPolicies
from projections.terms.policy import EHR_LED
from projections.words.remedy import remedy
from tests.unit.clinic import Clinic
from tests.unit.insured_both_ways import GOLD
from tests.unit.records import ADA, ADA_KEY, ADA_THERE, BLUE
from tests.unit.test_insurance import clinic_with, insured

STAFF = replace(GOLD, id=5002, rank=2, member_id="STAFF-1")
"""A policy that the front desk entered in Elation."""
SLOT = "chart-policy:5002"


def answered(clinic: Clinic, *read: ChartPolicy) -> SyncPolicies:
    """Elation takes the policies, and shows `read` afterwards; ours is number 5001 there."""
    write = clinic.wanted("policies")
    assert isinstance(write, SyncPolicies)
    known = {str(one.billing_policy): 5001 for one in write.terms}
    clinic.succeed(ADA_KEY, "policies", PoliciesWritten(known=known, read=read, read_at=clinic.now))
    return write


def beyond(*here: ChartPolicy) -> Clinic:
    """A practice of kareo-led in which Ada's chart has more than her case."""
    clinic = clinic_with(BLUE)
    answered(clinic, *(here or (GOLD, STAFF)))
    return clinic


def remove(clinic: Clinic, policy: int = 5002) -> str:
    return clinic.ask(PolicyRemovalRequested(policy=policy, who="ann"), ehr=ADA.id, billing=ADA_THERE.id)


def test_it_is_shown_with_its_deed():
    clinic = beyond()
    assert list(clinic.waiting()) == [SLOT]
    assert clinic.waits(SLOT) == "beyond-case"
    command = remedy(clinic.policy.practice, clinic.patient(), SLOT, "beyond-case", clinic.policy.names)
    assert command == "chartwire remove-policy clinic kareo:901 5002"


def test_an_inactive_case_leaves_what_is_not_ours_and_shows_it():
    """The guide: an inactive case removes all. Ours go; those of others wait for a person."""
    clinic = beyond()
    clinic.billing(replace(ADA_THERE, cases=()))
    write = answered(clinic, replace(GOLD, active=False, rank=None), STAFF)
    assert write.remove == (5001,)
    assert list(clinic.waiting()) == [SLOT]
    assert clinic.open() == []


def test_historical_ones_and_those_of_the_case_are_not_shown():
    clinic = beyond(GOLD, replace(STAFF, active=False), replace(STAFF, id=5003, rank=None))
    assert clinic.waiting() == {}


def test_a_policy_of_the_case_that_is_not_ours_yet_is_not_shown():
    """Its carrier is being created; then the chart's own is taken for it."""
    clinic = beyond()
    second = replace(BLUE, id=3002, number="staff-1", company_id="60", company_name="Red", plan_id="61", plan_name="One")
    clinic.billing(insured(BLUE, second))
    assert SLOT not in clinic.waiting()


def test_the_deed_removes_it_and_nothing_else():
    clinic = beyond()
    assert remove(clinic) == ""
    write = answered(clinic, GOLD, replace(STAFF, active=False, rank=None))
    assert (write.remove, [one.billing_policy for one in write.terms]) == ((5002,), [3001])
    assert clinic.waiting() == {}
    assert clinic.open() == []
    assert set(clinic.patient().policies) == {"3001"}


def test_only_what_waits_can_be_removed():
    clinic = beyond()
    assert remove(clinic, 5001) == "not-waiting"
    assert remove(clinic, 7) == "not-waiting"
    assert clinic.open() == []


def test_a_refused_removal_waits_beside_the_item():
    clinic = beyond()
    remove(clinic)
    clinic.refuse(ADA_KEY, "policies")
    assert {slot: one.code for slot, one in clinic.waiting().items()} == {SLOT: "beyond-case", "policies": "refused"}


def test_reading_the_chart_again_shows_what_it_has_now():
    """Somebody removed it in Elation, of which no event tells."""
    clinic = beyond()
    clinic.ask(ResyncRequested(who="ann"), ehr=ADA.id, billing=ADA_THERE.id)
    write = answered(clinic, GOLD, replace(STAFF, active=False, rank=None))
    assert write.remove == ()
    assert clinic.waiting() == {}
    assert clinic.open() == []


def test_the_other_profile_does_not_show_it():
    """There every policy of the chart goes its own way."""
    clinic = beyond()
    clinic.policy = replace(clinic.policy, table=EHR_LED)
    clinic.policies(GOLD, STAFF)
    assert "beyond-case" not in {one.code for one in clinic.waiting().values()}
    assert remove(clinic) == "not-waiting"
