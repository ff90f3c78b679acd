"""The Kareo sandbox seen through zeep: cases and policies, read, flattened into lists and written."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.integration.kareo_customer import World

# -- insurance --------------------------------------------------------------------------------------------------------


SPOUSES: dict[str, Any] = {
    "number": "W1",
    "group": "G7",
    "copay": "25.00",
    "start": "2026-01-01",
    "relationship": "Spouse",
    "insured": {"first_name": "Tom", "last_name": "Byrne", "dob": "1979-05-06", "gender": "Male"},
    "address1": "PO Box 1",
    "city": "Hartford",
    "state": "CT",
    "zip": "06101",
}


async def test_policies_read_and_flattened(both: World) -> None:
    people, ada = both.sandbox.people, both.ada()
    (case,) = both.sandbox.state.cases_of(ada)
    policy = people.add_policy(case.id, "Aetna", "PPO", **SPOUSES)
    own = people.add_policy(case.id, "Medicare", "Part B", number="M2")
    people.add_policy(case.id, "Third", "Third", number="T3")
    first, second, _ = (await both.cases(ada))[0].InsurancePolicies.PatientInsurancePolicyData
    assert (first.InsurancePolicyID, first.CompanyName, first.PlanName, first.Number) == (
        str(policy.id),
        "Aetna",
        "PPO",
        "W1",
    )
    assert (first.PatientRelationshipToInsured, first.InsuredFullName, first.InsuredDateOfBirth) == (
        "U",
        "Tom  Byrne",
        "5/6/1979",
    )
    assert (first.PlanAddressLine1, first.PlanZipCode, first.EffectiveStartDate) == (
        "PO Box 1",
        "06101",
        "1/1/2026 12:00:00 AM",
    )
    assert (second.PatientRelationshipToInsured, second.InsuredFullName) == ("S", None)
    both.sandbox.switches.self_policies_empty = False
    (row,) = await both.patients()
    assert (row.PrimaryInsurancePolicyCompanyName, row.PrimaryInsurancePolicyCopay) == ("Aetna", "25.00")
    assert (row.SecondaryInsurancePolicyNumber, row.SecondaryInsurancePolicyInsuredFullName) == ("M2", "Ada  Byrne")
    people.deactivate_policy(policy.id)
    left, _ = (await both.cases(ada))[0].InsurancePolicies.PatientInsurancePolicyData
    assert left.InsurancePolicyID == str(own.id)
    both.sandbox.switches.list_inactive_policies = True
    assert len((await both.cases(ada))[0].InsurancePolicies.PatientInsurancePolicyData) == 3
    people.deactivate_case(case.id)
    assert await both.cases(ada) == []
    both.sandbox.switches.list_inactive_cases = True
    assert len(await both.cases(ada)) == 1


async def test_whether_insurance_edits_move_the_patients_date(world: World) -> None:
    people, ada = world.sandbox.people, world.ada()
    (case,) = world.sandbox.state.cases_of(ada)
    policy = people.add_policy(case.id, "Aetna", "PPO")
    world.clock.passed = 60
    people.edit_policy(policy.id, copay="10.00")
    assert (await world.patient(ada)).LastModifiedDate == "3/2/2026 12:00:00 PM"
    world.sandbox.switches.policy_edits_modify_patient = True
    people.edit_plan(policy.plan_id, city="Hartford")
    assert (await world.patient(ada)).LastModifiedDate == "3/2/2026 12:01:00 PM"


async def test_cases_and_policies_written(both: World) -> None:
    ada = both.ada(cases=[])
    names = {"PatientID": ada, "Practice": {"PracticeID": both.elm}, "FirstName": "Ada", "LastName": "Byrne"}
    policy = {
        "CompanyName": "Aetna",
        "PlanName": "PPO",
        "PlanCity": "Hartford",
        "PolicyNumber": "W1",
        "EffectiveStartDate": datetime(2026, 1, 1),
        "Insured": {
            "FirstName": "Tom",
            "LastName": "Byrne",
            "PatientRelationshipToInsured": "Child",
            "PolicyThroughEmployer": False,
        },
    }
    case = {"CaseName": "Standard", "Active": True, "PayerScenario": "Insurance"}
    added = {**case, "Policies": {"InsurancePolicyUpdateReq": [policy]}}
    result = await both.done("UpdatePatient", Patient={**names, "Cases": {"PatientCaseUpdateReq": [added]}})
    (written,) = result.Cases.PatientCaseRes
    (shown,) = await both.cases(ada)
    (read,) = shown.InsurancePolicies.PatientInsurancePolicyData
    assert (read.CompanyName, read.PlanCity, read.Number, read.PatientRelationshipToInsured) == (
        "Aetna",
        "Hartford",
        "W1",
        "C",
    )
    policy_id = written.Policies.InsurancePolicyRes[0].InsurancePolicyID
    change = {"InsurancePolicyID": policy_id, "Active": False}
    again = {"CaseID": written.CaseID, "Policies": {"InsurancePolicyUpdateReq": [change]}}
    await both.done("UpdatePatient", Patient={**names, "Cases": {"PatientCaseUpdateReq": [again]}})
    assert not both.sandbox.policies[policy_id].active
    assert both.sandbox.policies[policy_id].number == "W1"
    unknown = {"PatientCaseUpdateReq": [{"CaseID": 7}]}
    assert "case" in await both.refused("UpdatePatient", Patient={**names, "City": "X", "Cases": unknown})
    assert both.sandbox.patients[ada].city == ""
