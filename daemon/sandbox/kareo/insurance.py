"""Cases and policies: how they read, and how CreatePatient and UpdatePatient write them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from daemon.sandbox.kareo.calling import Call
from daemon.sandbox.kareo.records import Case, Insured, Patient, Plan, Policy
from daemon.sandbox.kareo.values import calendar_day, list_date, midnight, phone
from daemon.sandbox.kareo.wire import RefusedError, Values

RELATIONSHIPS = {"Child": "C", "Other": "O", "Self": "S", "Spouse": "U"}
"""Writing form to reading form."""

INSURED = {
    "prefix": "Prefix",
    "first_name": "FirstName",
    "middle_name": "MiddleName",
    "last_name": "LastName",
    "suffix": "Suffix",
    "address1": "AddressLine1",
    "address2": "AddressLine2",
    "city": "City",
    "state": "State",
    "zip": "ZipCode",
    "country": "Country",
    "ssn": "SocialSecurityNumber",
    "gender": "Gender",
    "id_number": "IDNumber",
}
"""Field of `Insured` to member of InsurancePolicyInsuredReq; the birth date goes beside."""

POLICY_TEXTS = {
    "number": "PolicyNumber",
    "group": "PolicyGroupNumber",
    "copay": "Copay",
    "deductible": "Deductible",
    "notes": "PolicyNotes",
    "external_id": "ExternalID",
}
PLAN_ADDRESS = {
    "address1": "AddressLine1",
    "address2": "AddressLine2",
    "city": "City",
    "state": "State",
    "zip": "ZipCode",
    "country": "Country",
}
"""Field of `Plan` to member of the create form; the update form puts `Plan` before each."""


# -- reading ----------------------------------------------------------------------------------------------------------


def case_rows(call: Call, patient: Patient) -> list[Values]:
    """PatientCaseData of a patient, with all policies; inactive ones as the switches say."""
    return [
        {
            "Description": case.description or None,
            "InsurancePolicies": [policy_row(call, one) for one in listed_policies(call, case)],
            "IsPrimaryCase": case.is_primary,
            "Name": case.name,
            "PatientCaseID": str(case.id),
            "PayerScenario": case.payer_scenario or None,
            "SendPatientStatements": "True" if case.send_statements else "False",
        }
        for case in call.state.cases_of(patient.id)
        if case.active or call.switches.list_inactive_cases
    ]


def listed_policies(call: Call, case: Case) -> list[Policy]:
    return [one for one in call.state.policies_of(case.id) if one.active or call.switches.list_inactive_policies]


def policy_row(call: Call, policy: Policy) -> Values:
    """PatientInsurancePolicyData."""
    plan = call.state.plans[policy.plan_id]
    company = call.state.companies[plan.company_id]
    row: Values = {
        "CompanyID": str(company.id),
        "CompanyName": company.name,
        "Copay": policy.copay or None,
        "Deductible": policy.deductible or None,
        "EffectiveEndDate": midnight(policy.end),
        "EffectiveStartDate": midnight(policy.start),
        "GroupNumber": policy.group or None,
        "InsurancePolicyID": str(policy.id),
        "InsuredNotes": policy.notes or None,
        "Number": policy.number or None,
        "PatientCaseID": str(policy.case_id),
        "PatientRelationshipToInsured": RELATIONSHIPS[policy.relationship],
        "PlanAddressLine1": plan.address1 or None,
        "PlanAddressLine2": plan.address2 or None,
        "PlanCity": plan.city or None,
        "PlanCountry": plan.country or None,
        "PlanID": str(plan.id),
        "PlanName": plan.name,
        "PlanPhoneNumber": phone(plan.phone),
        "PlanPhoneNumberExt": plan.phone_ext or None,
        "PlanState": plan.state or None,
        "PlanZipCode": plan.zip or None,
    }
    if policy.relationship != "Self" or not call.switches.self_policies_empty:
        row |= _insured_row(call, policy.insured)
    return row


def _insured_row(call: Call, insured: Insured) -> Values:
    gender = insured.gender[:1] if call.switches.insured_gender_letters else insured.gender
    return {
        "InsuredAddressLine1": insured.address1 or None,
        "InsuredAddressLine2": insured.address2 or None,
        "InsuredCity": insured.city or None,
        "InsuredCountry": insured.country or None,
        "InsuredDateOfBirth": None if insured.dob is None else list_date(insured.dob),
        "InsuredFullName": insured.full_name or None,
        "InsuredGender": gender or None,
        "InsuredIDNumber": insured.id_number or None,
        "InsuredSocialSecurityNumber": insured.ssn or None,
        "InsuredState": insured.state or None,
        "InsuredZipCode": insured.zip or None,
    }


def flattened(call: Call, patient: Patient) -> Values:
    """The primary case's first two policies as members of a patient's row."""
    case = call.state.primary_case(patient.id)
    row: Values = {}
    if case is not None:
        for prefix, policy in zip(("Primary", "Secondary"), listed_policies(call, case), strict=False):
            for name, value in policy_row(call, policy).items():
                if name not in ("InsurancePolicyID", "PatientCaseID"):
                    row[f"{prefix}InsurancePolicy{name}"] = value
    return row


# -- writing ----------------------------------------------------------------------------------------------------------


def write_case(call: Call, patient: Patient, written: Values) -> Values:
    """Creates or changes one case with its policies. Answers its PatientCaseRes. The patient's first case is its primary one."""
    state = call.state
    if written.get("CaseID"):
        found = state.cases.get(written["CaseID"])
        if found is None or found.patient_id != patient.id:
            raise RefusedError("Could not find the case of the patient.")
        case = found
    else:
        case = Case(id=state.new_id("cases"), patient_id=patient.id, is_primary=_becomes_primary(call, patient))
        state.cases[case.id] = case
    for name, member in (
        ("name", "CaseName"),
        ("payer_scenario", "PayerScenario"),
        ("description", "CaseDescription"),
        ("external_id", "ExternalID"),
        ("active", "Active"),
        ("send_statements", "SendPatientStatements"),
    ):
        if member in written:
            setattr(case, name, written[member])
    policies = [_write_policy(call, patient, case, one) for one in written.get("Policies", [])]
    return {
        "CaseExternalID": case.external_id or None,
        "CaseID": case.id,
        "Policies": [
            {
                "InsurancePolicyCompanyID": state.plans[one.plan_id].company_id,
                "InsurancePolicyExternalID": one.external_id or None,
                "InsurancePolicyID": one.id,
                "InsurancePolicyPlanID": one.plan_id,
            }
            for one in policies
        ],
    }


def _becomes_primary(call: Call, patient: Patient) -> bool:
    """Whether a case that is added is the primary one from now on; there is one at most."""
    current = call.state.primary_case(patient.id)
    if call.switches.added_case_becomes_primary == "always" and current is not None:
        current.is_primary = False
        return True
    first = not call.state.cases_of(patient.id)
    return first or (current is None and call.switches.added_case_becomes_primary != "never")


def check_cases(call: Call, patient: Patient | None, written: list[Values]) -> None:
    """Raises `RefusedError` before anything is changed: a refused write leaves no half of itself behind."""
    for case in written:
        owner = call.state.cases.get(case.get("CaseID", 0))
        if case.get("CaseID") and (owner is None or patient is None or owner.patient_id != patient.id):
            raise RefusedError("Could not find the case of the patient.")
        for policy in case.get("Policies", []):
            existing = call.state.policies.get(policy.get("InsurancePolicyID", 0))
            if policy.get("InsurancePolicyID"):
                if existing is None or existing.case_id != case.get("CaseID"):
                    raise RefusedError("Could not find the insurance policy of the case.")
            elif call.switches.policy_without_id != "adds" and _number_is_taken(call, case.get("CaseID", 0), policy):
                raise RefusedError("An insurance policy with this number exists already.")
            elif not policy.get("PlanID") and not (policy.get("CompanyName") or policy.get("CompanyID")):
                raise RefusedError("The insurance policy needs a plan or a company.")
            _named_plan(call, policy)


def _number_is_taken(call: Call, case_id: int, policy: Values) -> bool:
    number = policy.get("PolicyNumber")
    return bool(number) and any(one.number == number for one in call.state.policies_of(case_id))


def _named_plan(call: Call, written: Values) -> Plan | None:
    """The plan given by id. Raises `RefusedError` if the customer has none such."""
    state = call.state
    lenient = call.switches.unknown_company == "ignored" and written.get("PlanID")
    if written.get("CompanyID") and not lenient and _foreign_company(call, written["CompanyID"]):
        raise RefusedError("Could not find the insurance company.")
    if not written.get("PlanID"):
        return None
    plan = state.plans.get(written["PlanID"])
    if plan is None or _foreign_company(call, plan.company_id):
        raise RefusedError("Could not find the insurance plan.")
    return plan


def _foreign_company(call: Call, company_id: int) -> bool:
    company = call.state.companies.get(company_id)
    return company is None or company.customer_key != call.customer.key


def _plan(call: Call, written: Values) -> Plan | None:
    """The plan that a policy names: by id, else by names, created if unknown. None: it names none."""
    plan = _named_plan(call, written)
    if plan is not None or not any(written.get(name) for name in ("CompanyID", "CompanyName", "PlanName")):
        return plan
    state = call.state
    name = written.get("CompanyName") or written.get("PlanName") or ""
    company = state.companies[written["CompanyID"]] if written.get("CompanyID") else state.company(call.customer.key, name)
    plan, new = state.plan(company, written.get("PlanName") or company.name)
    if new:
        for field, member in PLAN_ADDRESS.items():
            setattr(plan, field, written.get(member) or written.get("Plan" + member) or "")
    return plan


def _write_policy(call: Call, patient: Patient, case: Case, written: Values) -> Policy:
    state, zone = call.state, call.switches.list_zone
    plan = _plan(call, written)
    policy = state.policies.get(written.get("InsurancePolicyID", 0))
    if policy is None:
        if plan is None:
            raise RefusedError("The insurance policy needs a plan or a company.")
        policy = Policy(
            id=state.new_id("policies"), case_id=case.id, plan_id=plan.id, precedence=len(state.policies_of(case.id)) + 1
        )
        state.policies[policy.id] = policy
    elif plan is not None:
        policy.plan_id = plan.id
    for field, member in POLICY_TEXTS.items():
        if member in written:
            setattr(policy, field, written[member])
    for field, member in (("active", "Active"), ("precedence", "Precedence")):
        if member in written:
            setattr(policy, field, written[member])
    for field, member in (("start", "EffectiveStartDate"), ("end", "EffectiveEndDate")):
        if member in written:
            setattr(policy, field, calendar_day(written[member], zone))
    insured: Values = written.get("Insured") or {}
    changes: dict[str, Any] = {field: insured[member] for field, member in INSURED.items() if member in insured}
    if "DateofBirth" in insured:
        changes["dob"] = calendar_day(insured["DateofBirth"], zone)
    policy.insured = replace(policy.insured, **changes)
    if insured and call.switches.insured_clears_employer_box:
        policy.through_employer = bool(insured.get("PolicyThroughEmployer"))
    policy.relationship = insured.get("PatientRelationshipToInsured", policy.relationship)
    if policy.relationship == "Self":
        policy.insured = insured_of(patient)
    return policy


def insured_of(patient: Patient) -> Insured:
    """The patient as the insured of its own policy."""
    return Insured(
        prefix=patient.prefix,
        first_name=patient.first_name,
        middle_name=patient.middle_name,
        last_name=patient.last_name,
        suffix=patient.suffix,
        address1=patient.address1,
        address2=patient.address2,
        city=patient.city,
        state=patient.state,
        zip=patient.zip,
        country=patient.country,
        ssn=patient.ssn,
        dob=patient.dob,
        gender=patient.gender,
    )
