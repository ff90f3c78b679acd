"""What a system that takes a write of policies would hold afterwards: for rehearsals in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from msgspec.structs import replace

from events.records import BillingCase, BillingChart, BillingPlan, BillingPolicy, ChartPolicy
from events.terms import PolicyChange, PolicyTerms
from events.writes import ChangeBillingPolicies, SyncPolicies
from projections.rules.pairing import EVERYTHING, ONE_WAY

NewId = Callable[[], int]
IN_THE_CASE = {
    "member_id": "number",
    "group_id": "group",
    "copay": "copay",
    "deductible": "deductible",
    "relationship": "relationship",
    "insured_city": "insured_city",
    "insured_state": "insured_state",
    "insured_zip": "insured_zip",
    "insured_ssn": "insured_ssn",
    "insured_sex": "insured_sex",
    "company_id": "company_id",
    "company_name": "company_name",
    "plan_id": "plan_id",
}
"""Fields of a change by the members of the billing side's policy; names, address, dates and rank go beside."""


def told_chart_policies(write: SyncPolicies, new_id: NewId) -> tuple[dict[str, int], tuple[ChartPolicy, ...]]:
    """The ids of the policies told, by the billing side's, and all of the chart's."""
    held = {one.id: one for one in write.seen or ()}
    known: dict[str, int] = {}
    for id_ in write.remove:
        if id_ in held:
            held[id_] = replace(held[id_], active=False, rank=None)
    for terms in write.terms:
        key = str(terms.billing_policy)
        id_ = known[key] = write.known.get(key) or new_id()
        held[id_] = _told(held.get(id_, ChartPolicy(id=id_)), terms)
        held = {
            other: replace(one, active=False, rank=None)
            if other != id_ and one.active and one.rank == held[id_].rank
            else one
            for other, one in held.items()
        }
    return known, tuple(held[id_] for id_ in sorted(held))


def _told(policy: ChartPolicy, terms: PolicyTerms) -> ChartPolicy:
    values = {name: getattr(terms, name) for name in EVERYTHING if name not in terms.keeps and name not in ONE_WAY}
    return replace(policy, active=True, **values)


def told_case(
    chart: BillingChart, write: ChangeBillingPolicies, plans: Mapping[str, BillingPlan], new_id: NewId
) -> tuple[BillingChart, dict[str, int]]:
    """The patient with the changed case, and the billing side's policies by the chart side's."""
    cases = chart.cases or ()
    case = next((one for one in cases if one.id == write.case_id), None)
    if case is None:
        primary = not any(one.is_primary for one in cases)
        case = BillingCase(id=new_id(), name=write.case_name, payer_scenario=write.payer_scenario, is_primary=primary)
        cases = (*cases, case)
    policies, known = told_changes(case.policies, write.changes, plans, new_id)
    changed = replace(case, policies=policies)
    return replace(chart, cases=tuple(changed if one.id == case.id else one for one in cases)), known


def told_changes(
    policies: tuple[BillingPolicy, ...], changes: tuple[PolicyChange, ...], plans: Mapping[str, BillingPlan], new_id: NewId
) -> tuple[tuple[BillingPolicy, ...], dict[str, int]]:
    """A case's policies after the changes, in the order of their ranks."""
    held = {one.id: one for one in policies}
    ranks = {one.id: float(rank) for rank, one in enumerate(policies, start=1)}
    known: dict[str, int] = {}
    for change in changes:
        id_ = known[str(change.ehr)] = change.policy or new_id()
        held[id_] = _changed(held.get(id_, BillingPolicy(id=id_)), change.fields, plans)
        ranks[id_] = float(change.fields.get("rank", ranks.get(id_, len(ranks) + 1)))
        if change.fields.get("active") == "false":
            del held[id_]
    return tuple(sorted(held.values(), key=lambda one: (ranks[one.id], one.id))), known


def _changed(policy: BillingPolicy, fields: dict[str, str], plans: Mapping[str, BillingPlan]) -> BillingPolicy:
    values: dict[str, Any] = {member: fields[name] for name, member in IN_THE_CASE.items() if name in fields}
    if (plan := plans.get(fields.get("plan_id", ""))) is not None:
        values |= {"company_name": plan.company_name, "plan_name": plan.plan_name, "company_id": plan.company_id}
    first, _, last = policy.insured_name.partition(" ")
    if "insured_first_name" in fields or "insured_last_name" in fields:
        name = fields.get("insured_first_name", first), fields.get("insured_last_name", last)
        values["insured_name"] = " ".join(name).strip()
    if "insured_address" in fields:
        values |= {"insured_address1": fields["insured_address"], "insured_address2": ""}
    if "insured_birth_date" in fields:
        values["insured_birth_date"] = date.fromisoformat(fields["insured_birth_date"])
    if "end" in fields:
        values["end"] = date.fromisoformat(fields["end"])
    return replace(policy, **values)
