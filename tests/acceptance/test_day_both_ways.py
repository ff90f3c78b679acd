"""The clinic day of a practice with the profile elation-led, end to end: insurance both ways, appointments nowhere."""

from __future__ import annotations

import pytest

from daemon.sandbox.kareo.records import Policy
from events.insurance import EhrPoliciesObserved
from events.schema import IntentRequested
from events.writes import ChangeBillingPolicies, CreateBillingChart, Resource
from tests.played_day import PlayedDay

pytest_plugins = ("tests.played_day",)


@pytest.fixture
def day(played_both_ways: PlayedDay) -> PlayedDay:
    return played_both_ways


def policies(day: PlayedDay, number: str) -> list[Policy]:
    return [one for one in day.clinic.billing.policies.values() if one.number == number]


def test_every_invariant_holds(day: PlayedDay) -> None:
    assert {name: found for name, found in day.report["invariants"].items() if found} == {}
    assert day.report["limiter_violations"] == 0


def test_a_policy_entered_in_elation_reaches_the_primary_case_once(day: PlayedDay) -> None:
    (policy,) = policies(day, "EL-1")
    case = day.clinic.billing.cases[policy.case_id]
    assert case.is_primary
    assert (policy.group, policy.relationship, policy.precedence) == ("ELG", "Self", 1)


def test_the_holder_goes_along_where_it_is_somebody_else(day: PlayedDay) -> None:
    (policy,) = policies(day, "EL-2")
    assert (policy.relationship, policy.insured.first_name, policy.insured.last_name) == ("Spouse", "Marie", "Van Dyke")
    assert (policy.insured.gender, policy.insured.city, str(policy.insured.dob)) == ("Female", "Aurora", "1970-02-03")


def test_an_unknown_carrier_waits_and_creates_no_company(day: PlayedDay) -> None:
    assert policies(day, "EL-3") == []
    assert "Nobody Mutual" not in {one.name for one in day.clinic.billing.companies.values()}
    assert [one["code"] for one in day.waiting("carrier-unknown")] == ["carrier-unknown"]


def test_an_edit_and_an_entry_at_check_in_arrive(day: PlayedDay) -> None:
    (second,) = policies(day, "EL-4")
    assert (second.copay, second.precedence) == ("15.00", 2)
    edited = [one for one in day.clinic.billing.policies.values() if one.group == "EDITED-HERE"]
    assert len(edited) == 1


def test_a_chart_born_in_elation_takes_its_policies_along(day: PlayedDay) -> None:
    (policy,) = policies(day, "EL-5")
    assert day.clinic.billing.cases[policy.case_id].is_primary
    writes = [one.event.body.write for one in day.events["ash"] if isinstance(one.event.body, IntentRequested)]
    along = [one for one in writes if isinstance(one, CreateBillingChart) and one.policies]
    changed = [change for one in writes if isinstance(one, ChangeBillingPolicies) for change in one.changes]
    assert any(change.fields["member_id"] == "EL-5" for one in along for change in one.policies) or any(
        change.fields.get("member_id") == "EL-5" for change in changed
    )


def test_a_removal_in_elation_is_shown_and_kept_in_kareo(day: PlayedDay) -> None:
    waiting = day.waiting("removed-in-chart")
    assert len(waiting) == 1
    policy = day.clinic.billing.policies[int(waiting[0]["slot"].removeprefix("policy:"))]
    assert policy.active


def test_no_appointment_went_anywhere(day: PlayedDay) -> None:
    """With appointments off neither side's appointment event causes a write, though both were edited all day."""
    requested = [one.event.body for one in day.events["ash"] if isinstance(one.event.body, IntentRequested)]
    assert [one for one in requested if one.resource is Resource.APPOINTMENT] == []
    operations = {one.operation for one in day.clinic.billing.calls}
    assert operations & {"CreateAppointment", "UpdateAppointment", "DeleteAppointment"} == set()
    paths = {(one.method, one.path) for one in day.clinic.ehr.calls}
    assert {path for path in paths if "/appointments/" in path[1] and path[0] != "GET"} == set()


def test_policies_were_read_because_something_hinted_at_them(day: PlayedDay) -> None:
    assert any(isinstance(one.event.body, EhrPoliciesObserved) for one in day.events["ash"])
    assert len(day.events["ash"]) < 20_000
