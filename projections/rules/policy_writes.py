"""What the billing side is told of a policy: facts as fields, its own ids of companies and plans, and why something cannot go.

Ids are learnt from policies seen. A name would create a company, so none is sent unless the practice says so, and never a plan's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from msgspec.structs import replace

from events.codes import WaitCode
from events.terms import PolicyChange, PolicyTerms
from projections.rules.coverage_merge import is_told
from projections.rules.pairing import INSURED, ONE_WAY, TOLD, members
from projections.state.directory import Directory
from projections.state.maps import billing_plan_of, company_of, single_plan_of
from projections.terms.codecs import squeeze
from projections.terms.names import Names
from projections.terms.policy import NewCarrier, Policy, WithoutPlan

INSURED_NOTE = "the holder is written: the box 'policy through employer', which cannot be read, may be cleared by it"


def told_notes(changes: Iterable[PolicyChange], names: Names) -> tuple[str, ...]:
    """What a person should know of a write: a holder named of a policy that is there, and companies that it creates."""
    held = {name for one in changes if one.policy is not None for name in one.fields}
    notes = (INSURED_NOTE,) if held & {"relationship", *INSURED} else ()
    if not any("company_name" in one.fields for one in changes):
        return notes
    text = f"a new insurance company is created: set its Electronic Claims in {names.billing.label}, which cannot be told"
    return (*notes, text)


def untold(terms: PolicyTerms, directory: Directory, policy: Policy) -> tuple[WaitCode, str] | None:
    """Why the carrier and plan of a policy cannot be told; None where they can."""
    here, there = policy.names.ehr.label, policy.names.billing.label
    company = company_of(terms.carrier_id or None, terms.carrier_name, directory)
    if company is None:
        if not squeeze(terms.carrier_name):
            return WaitCode.CARRIER_UNKNOWN, f"the policy names no insurance company in {here}; choose it there"
        if policy.new_carrier is NewCarrier.CREATE and not terms.plan_id and not squeeze(terms.plan_name):
            return None
        text = f"{there} has shown no policy of this insurance company yet; enter the policy there"
        return WaitCode.CARRIER_UNKNOWN, text
    if not terms.plan_id and not squeeze(terms.plan_name):
        single = single_plan_of(company, directory)
        if single is not None and policy.carrier_without_plan is WithoutPlan.SINGLE_KNOWN_PLAN:
            return None
        return WaitCode.PLAN_UNKNOWN, f"the policy names no plan, which {there} needs; choose it in {here}"
    if billing_plan_of(company, terms.plan_id or None, terms.plan_name, directory) is None:
        return (
            WaitCode.PLAN_UNKNOWN,
            f"{there} has shown no policy of this plan yet, and plans come from there; enter it there",
        )
    return None


def _insurer(terms: PolicyTerms, directory: Directory) -> dict[str, str]:
    """The ids of the company and plan that `untold` has found to be known; else the name of a new company."""
    company = company_of(terms.carrier_id or None, terms.carrier_name, directory)
    if company is None:
        return {"company_name": squeeze(terms.carrier_name)}
    named = terms.plan_id or squeeze(terms.plan_name)
    plan = billing_plan_of(company, terms.plan_id or None, terms.plan_name, directory) if named else None
    plan = plan or single_plan_of(company, directory)
    return {"company_id": company} if plan is None else {"company_id": company, "plan_id": plan.plan_id}


def told(terms: PolicyTerms, names: Sequence[str], directory: Directory, policy: Policy) -> dict[str, str]:
    """The facts `names` of a policy as fields for the billing side."""
    fields: dict[str, str] = {}
    for name in names:
        if name == "insurer":
            fields |= _insurer(terms, directory)
        else:
            value = getattr(terms, name)
            fields[name] = value.isoformat() if isinstance(value, date) else str(value)
    return fields


def added(ehr: int, terms: PolicyTerms, directory: Directory, policy: Policy) -> PolicyChange:
    """A policy of the chart side that the billing side lacks. Of a patient who is the holder nothing is said."""
    own = terms.relationship == "self"
    said = [name for name in TOLD if name not in (*INSURED, "relationship") and (name == "insurer" or getattr(terms, name))]
    if not own:
        said += ["relationship", *(name for name in INSURED if is_told(terms, name))]
    kept = members((*ONE_WAY, *(INSURED if own else ())))
    names = tuple(name for name in members(TOLD) if name not in kept)
    agreed = replace(terms, keeps=kept)
    return PolicyChange(ehr=ehr, fields=told(terms, said, directory, policy), agreed=agreed, names=names)


def ended(policy: int, ehr: int, end: date | None) -> PolicyChange:
    """A policy put away, ending today where the practice wants it."""
    return PolicyChange(
        policy=policy, ehr=ehr, fields={"active": "false"} | ({} if end is None else {"end": end.isoformat()})
    )
