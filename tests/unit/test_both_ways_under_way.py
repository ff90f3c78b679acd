"""While a write of a patient's insurance is under way, what is read may be half of it: all stays as it is until its outcome."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from events.insurance import PoliciesAgreed
from events.schema import ConflictRecorded
from projections.state.open_intents import UNDER_WAY
from tests.unit.clinic import Clinic
from tests.unit.insured_both_ways import CASE, GOLD, SECOND, SECOND_HERE, agreed, change, insured, superseded, sync
from tests.unit.records import ADA_KEY, BLUE

POLICIES = "policies"


def changed_on_both_sides() -> Clinic:
    """A write to either system is wanted."""
    clinic = agreed(GOLD, SECOND_HERE, there=(BLUE, SECOND))
    clinic.policies(replace(GOLD, group_id="G-1"), SECOND_HERE)
    clinic.billing(insured(BLUE, replace(SECOND, copay="50")))
    assert clinic.wanted(CASE) is not None
    assert clinic.wanted(POLICIES) is not None
    return clinic


def under_way(clinic: Clinic, slot: str, state: str) -> None:
    if state == "attempted":
        clinic.attempt(ADA_KEY, slot)
    else:
        clinic.lose(ADA_KEY, slot)
    assert clinic.intent(ADA_KEY, slot).state == state


@pytest.mark.parametrize("state", UNDER_WAY)
@pytest.mark.parametrize("slot", [CASE, POLICIES])
def test_neither_write_is_replaced_or_given_up_for_what_is_read_meanwhile(slot: str, state: str) -> None:
    clinic = changed_on_both_sides()
    before = {one: clinic.wanted(one) for one in (CASE, POLICIES)}
    under_way(clinic, slot, state)
    at = len(clinic.events)
    clinic.policies(replace(GOLD, group_id="HALF"), replace(SECOND_HERE, active=False, rank=None))
    clinic.billing(insured(replace(BLUE, group="THERE")))
    assert {one: clinic.wanted(one) for one in (CASE, POLICIES)} == before
    assert clinic.intent(ADA_KEY, slot).state == state
    assert [one.body for one in clinic.events[at:] if isinstance(one.body, PoliciesAgreed | ConflictRecorded)] == []


def test_what_waits_of_the_insurance_goes_on_waiting() -> None:
    """An item that would be cleared by half a reading is raised again by the whole one: people would see it come and go."""
    clinic = changed_on_both_sides()
    clinic.policies(replace(GOLD, group_id="G-1"))
    waited = {name: one for name, one in clinic.waiting().items() if name.startswith("policy:")}
    assert waited
    under_way(clinic, CASE, "unknown")
    clinic.policies(replace(GOLD, group_id="G-1"), SECOND_HERE)
    assert {name: one for name, one in clinic.waiting().items() if name.startswith("policy:")} == waited


@pytest.mark.parametrize("slot", [CASE, POLICIES])
def test_with_its_outcome_what_was_read_meanwhile_counts(slot: str) -> None:
    clinic = changed_on_both_sides()
    under_way(clinic, slot, "unknown")
    clinic.policies(replace(GOLD, group_id="G-2"), SECOND_HERE)
    superseded(clinic, slot)
    assert change(clinic).fields == {"group_id": "G-2"}
    assert {one.billing_policy: one.copay for one in sync(clinic).terms}[SECOND.id] == "50.00"


def test_one_that_was_only_asked_for_or_refused_keeps_nothing() -> None:
    clinic = changed_on_both_sides()
    clinic.policies(replace(GOLD, group_id="G-2"), SECOND_HERE)
    assert change(clinic).fields == {"group_id": "G-2"}
    clinic.refuse(ADA_KEY, CASE)
    clinic.policies(replace(GOLD, group_id="G-3"), SECOND_HERE)
    assert change(clinic).fields == {"group_id": "G-3"}
