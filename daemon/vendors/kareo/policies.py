"""A case's policies in Kareo's words: what a change sends, and whether a reading shows it done.

Only members that change are named. `Insured` is named only with a fact of the holder: its `PolicyThroughEmployer` cannot be read,
and sending the holder may clear it. The plan's address is never ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time

from daemon.vendors.kareo import wire
from events.records import BillingCase, BillingChart, BillingPolicy
from events.terms import PolicyChange
from events.writes import ChangeBillingPolicies
from projections.rules.policies import fit_state, fit_zip, money, relationship, sex_letter, ssn
from projections.terms.codecs import squeeze

TEXTS = {
    "company_name": "CompanyName",
    "copay": "Copay",
    "deductible": "Deductible",
    "group_id": "PolicyGroupNumber",
    "member_id": "PolicyNumber",
}
NUMBERS = {"company_id": "CompanyID", "plan_id": "PlanID", "rank": "Precedence"}
HOLDER = {
    "insured_address": "AddressLine1",
    "insured_city": "City",
    "insured_first_name": "FirstName",
    "insured_last_name": "LastName",
    "insured_ssn": "SocialSecurityNumber",
    "insured_state": "State",
    "insured_zip": "ZipCode",
}
RELATIONSHIPS = {"child": "Child", "other": "Other", "self": "Self", "spouse": "Spouse"}
SEXES = {"F": "Female", "M": "Male", "N": "Unknown"}


def members_of(change: PolicyChange) -> dict[str, object]:
    """The members of InsurancePolicyCreateReq, or of InsurancePolicyUpdateReq for a policy that is there."""
    fields = change.fields
    body: dict[str, object] = {member: fields[name] for name, member in TEXTS.items() if name in fields}
    body |= {member: int(fields[name]) for name, member in NUMBERS.items() if name in fields}
    if change.policy is None:
        body["Active"] = True
    else:
        body["InsurancePolicyID"] = change.policy
    if "active" in fields:
        body["Active"] = fields["active"] == "true"
    if "end" in fields:
        body["EffectiveEndDate"] = _midnight(fields["end"])
    if holder := _holder(change):
        body["Insured"] = holder
    return body


def _holder(change: PolicyChange) -> dict[str, object]:
    fields = change.fields
    holder: dict[str, object] = {member: fields[name] for name, member in HOLDER.items() if name in fields}
    if "insured_address" in fields and change.policy is not None:
        holder["AddressLine2"] = ""  # the chart side has one line, and this is all of it
    if "insured_birth_date" in fields:
        holder["DateofBirth"] = _midnight(fields["insured_birth_date"])
    if "insured_sex" in fields:
        holder["Gender"] = SEXES[fields["insured_sex"]]
    if "relationship" in fields:
        holder["PatientRelationshipToInsured"] = RELATIONSHIPS[fields["relationship"]]
    return holder


def _midnight(day: str) -> datetime:
    """A calendar date goes without a zone."""
    return datetime.combine(date.fromisoformat(day), time())


def written_case(write: ChangeBillingPolicies) -> wire.CaseWrite:
    """The case with its changed policies."""
    policies = tuple(members_of(one) for one in write.changes)
    if write.case_id is not None:
        return wire.CaseWrite(members={"CaseID": write.case_id}, policies=policies)
    return wire.new_case(write.case_name, write.payer_scenario, policies)


# -- was it done? ---------------------------------------------------------------------------------------------------------


def undone(chart: BillingChart, write: ChangeBillingPolicies, *, answered: bool = False) -> tuple[str, ...]:
    """The fields that the reading does not show as written; all of a policy that is not there.

    A policy put away may be listed all the same, unmarked. It counts as done where Kareo has `answered` that it took the write.
    """
    before = {one.id for case in write.before for one in case.policies}
    case = _case_of(chart, write)
    if case is None:
        return ("case",)
    left: list[str] = []
    free = [one for one in case.policies if one.id not in before]
    for change in write.changes:
        policy = _policy_of(change, case, free)
        if policy is None:
            left += [] if change.agreed is None else ["policy"]
            continue
        if change.agreed is None and not answered:
            left.append("active")
        if change.policy is None:
            free.remove(policy)
        left += [name for name in change.fields if not _shows(policy, change, name)]
    return tuple(dict.fromkeys(left))


def known_of(chart: BillingChart, write: ChangeBillingPolicies) -> dict[str, int]:
    """Kareo's policy of each chart side's one that was told. Only those in the primary case count."""
    before = {one.id for case in write.before for one in case.policies}
    case = _case_of(chart, write)
    if case is None or not case.is_primary:
        return {}
    known: dict[str, int] = {}
    free = [one for one in case.policies if one.id not in before]
    for change in write.changes:
        policy = _policy_of(change, case, free)
        if policy is not None:
            known[str(change.ehr)] = policy.id
            if policy in free:
                free.remove(policy)
    return known


def _case_of(chart: BillingChart, write: ChangeBillingPolicies) -> BillingCase | None:
    """The case written to; a new one is the one that was not there before."""
    cases = chart.cases or ()
    if write.case_id is not None:
        return next((one for one in cases if one.id == write.case_id), None)
    before = {one.id for one in write.before}
    new = [one for one in cases if one.id not in before and one.name == write.case_name]
    return min(new, key=lambda one: one.id, default=None)


def _policy_of(change: PolicyChange, case: BillingCase, free: Sequence[BillingPolicy]) -> BillingPolicy | None:
    if change.policy is not None:
        return next((one for one in case.policies if one.id == change.policy), None)
    return next(
        (one for one in free if all(_shows(one, change, name) for name in ("company_id", "plan_id", "member_id"))), None
    )


def _shows(policy: BillingPolicy, change: PolicyChange, name: str) -> bool:
    """Whether the policy shows a field as it was told. A rank is an order, and a policy put away may be listed unmarked."""
    wanted = change.fields.get(name)
    if wanted is None or name in ("rank", "active"):
        return True
    return _shown(policy, name, wanted) == _plain(name, wanted)


def _shown(policy: BillingPolicy, name: str, wanted: str) -> str:
    match name:
        case "company_id" | "plan_id" | "company_name":
            return squeeze(str(getattr(policy, name)))
        case "member_id":
            return squeeze(policy.number)
        case "group_id":
            return squeeze(policy.group)
        case "end":
            return "" if policy.end is None else policy.end.isoformat()
        case "insured_first_name" | "insured_last_name":
            words = squeeze(policy.insured_name).casefold()
            return squeeze(wanted).casefold() if squeeze(wanted).casefold() in words else words
        case "insured_address":
            return squeeze(f"{policy.insured_address1} {policy.insured_address2}")
        case "insured_birth_date":
            return "" if policy.insured_birth_date is None else policy.insured_birth_date.isoformat()
    return _plain(name, str(getattr(policy, name)))


def _plain(name: str, text: str) -> str:
    """A value in the form in which it is compared."""
    match name:
        case "copay" | "deductible":
            return str(money(text))
        case "relationship":
            return relationship(text)
        case "insured_state":
            return fit_state(text)
        case "insured_zip":
            return fit_zip(text)
        case "insured_ssn":
            return str(ssn(text))
        case "insured_sex":
            return sex_letter(SEXES.get(text, text))
        case "insured_first_name" | "insured_last_name":
            return squeeze(text).casefold()
    return squeeze(text)
