"""Requests where insurance goes both ways, held against what the vendors publish, as in test_requests; and only what was asked."""

from __future__ import annotations

from lxml import etree

from tests.contract.test_requests import BILLING, _asked, _request, contract, policy_problems  # noqa: F401 - contract: a fixture
from tests.played_day import PlayedDay

pytest_plugins = ("tests.played_day",)

NAMED = {"FirstName", "LastName", "PatientID", "Practice"}
"""What every update has to name."""
POLICY_MEMBERS = {
    "Active", "CompanyID", "Copay", "Deductible", "Insured", "InsurancePolicyID", "PlanID", "PolicyGroupNumber", "PolicyNumber",
    "Precedence",
}  # fmt: skip


def updates(day: PlayedDay) -> list[etree._Element]:
    """The patients of the updates that carry cases."""
    found = [_request(call.request) for call in day.clinic.billing.calls if call.operation == "UpdatePatient"]
    patients = [one.find(f".//{BILLING}Patient") for one in found]
    return [one for one in patients if one is not None and one.find(f"{BILLING}Cases") is not None]


def names(element: etree._Element) -> set[str]:
    return {
        etree.QName(child).localname
        for child in element
        if child.get("{http://www.w3.org/2001/XMLSchema-instance}nil") is None
    }


def test_every_kareo_request_is_as_the_wsdl_has_it(played_both_ways: PlayedDay, contract: etree.XMLSchema) -> None:  # noqa: F811
    problems = set()
    for call in played_both_ways.clinic.billing.calls:
        request = _request(call.request)
        if not contract.validate(request):
            problems |= {f"{call.operation} {one.path}: {one.type_name}" for one in contract.error_log}
    assert problems == set()
    assert len(updates(played_both_ways)) > 3, "a request that nobody made proves nothing"


def test_no_update_of_policies_names_what_was_not_asked_for(played_both_ways: PlayedDay) -> None:
    """EHR_LED section 3, rules 3 to 5 and 7: no demographics beside, no plan's address, no name of a company or plan."""
    for patient in updates(played_both_ways):
        assert names(patient) == NAMED | {"Cases"}
        for policy in patient.iter(f"{BILLING}InsurancePolicyUpdateReq"):
            assert names(policy) <= POLICY_MEMBERS
    created = [_request(one.request) for one in played_both_ways.clinic.billing.calls if one.operation == "CreatePatient"]
    for request in created:
        for policy in request.iter(f"{BILLING}InsurancePolicyCreateReq"):
            assert names(policy) <= POLICY_MEMBERS


def test_the_holder_is_named_once_and_never_for_relationship_self(played_both_ways: PlayedDay) -> None:
    """Rule 4."""
    holders = [one for patient in updates(played_both_ways) for one in patient.iter(f"{BILLING}Insured")]
    assert len(holders) == 1
    assert [one.text for one in holders[0].iter() if etree.QName(one).localname == "PatientRelationshipToInsured"] == [
        "Spouse"
    ]
    assert holders[0].find(f"{BILLING}PolicyThroughEmployer") is None


def test_every_policy_request_is_as_in_the_notes(played_both_ways: PlayedDay) -> None:
    calls = _asked(played_both_ways, policies=True)
    assert {problem for call in calls for problem in policy_problems(call)} == set()
    assert {call.method for call in calls} >= {"GET", "POST", "PUT"}
