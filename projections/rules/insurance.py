"""Insurance, from the billing side to the chart side: the primary case's active policies (guide: Insurance).

A case made inactive, or no primary case: all policies of ours are removed from the chart. One policy gone: that one is removed.
A new primary case's policies replace the old ones. Carriers and plans are created once per practice, and only when a patient
has them. What each field becomes is the table in `policies`.
"""

from __future__ import annotations

from datetime import date, timedelta

from msgspec.structs import replace

from events.codes import WaitCode
from events.ids import EhrChartId
from events.insurance import PoliciesAgreed
from events.records import BillingCase, BillingChart, BillingPolicy, EhrChart
from events.slots import POLICIES_SLOT, SlotKind, slot_of
from events.terms import PolicyTerms
from events.writes import CreateCarrier, CreatePlan, Resource, SyncPolicies, System
from projections.rules.policies import AMOUNTS, carrier_address, policy_terms, says_the_same
from projections.rules.wants import Wants, Wish
from projections.state.coverage import coverage_of
from projections.state.directory import Directory
from projections.state.maps import carrier_for, plan_for
from projections.state.patient import BillingSide, EhrSide, Patient, WrittenPolicy
from projections.terms.codecs import OPEN_END, known_day, last_day, squeeze
from projections.terms.policy import Policy, allows

RULE = "guide: Insurance"
RANKS = 3


def primary_case(cases: tuple[BillingCase, ...]) -> BillingCase | None:
    """The case that is marked as primary. Without one there is no insurance: another case is never taken instead."""
    return next((case for case in cases if case.is_primary), None)


def in_force(policy: BillingPolicy, today: date) -> bool:
    """Not ended before today. A start in the future does not hide a policy: the chart side shows the dates."""
    end = last_day(policy.end)
    return end is None or end >= today


def in_order(policies: tuple[BillingPolicy, ...], today: date) -> list[BillingPolicy]:
    """The policies that count, in the order of their ranks: those in force today in the case's order, then those that begin
    later. One that begins later displaces nothing; it takes its place on its day."""
    counting = [one for one in policies if in_force(one, today)]
    return sorted(counting, key=lambda one: _begins_later(one, today))


def _begins_later(policy: BillingPolicy, today: date) -> bool:
    return policy.start is not None and policy.start > today


def next_revisit(billing: BillingSide | None, today: date) -> date | None:
    """The first day on which a policy ends to be in force, or begins to be: no event will say so.

    A policy that ends in the year 9999 has an open end.
    """
    case = primary_case(billing.chart.cases or ()) if billing else None
    policies = [one for one in (case.policies if case else ()) if in_force(one, today)]
    days = [end + timedelta(days=1) for one in policies if (end := last_day(one.end))]
    days += [one.start for one in policies if one.start and today < one.start < OPEN_END]
    return min(days, default=None)


def want_insurance(
    patient: Patient,
    ehr: EhrSide,
    billing: BillingSide,
    directory: Directory,
    policy: Policy,
    today: date,
    wants: Wants,
) -> None:
    """Add the write that brings the chart's policies to the case's, and the carriers and plans it needs first."""
    if coverage_of(patient).agreed:
        wants.facts.append(PoliciesAgreed(one_way=True))
    if not allows(policy, Resource.INSURANCE, System.EHR) or billing.chart.cases is None:
        return
    case = primary_case(billing.chart.cases)
    person = person_of(ehr.chart, billing.chart)
    active = [
        (rank, one)
        for rank, one in enumerate(in_order(case.policies if case else (), today), start=1)
        if rank <= RANKS or not _begins_later(one, today)
    ]
    made = [(one, _terms(one, rank, person, directory, policy, wants)) for rank, one in active]
    terms = [one for _, one in made if one is not None]
    pending = [str(one.id) for one, ready in made if ready is None]
    written = patient.policies
    wanted = {_key(one): one for one in terms}
    removing = _beyond(patient, [one for _, one in active], policy, wants)
    unchanged = all(key in written and says_the_same(one, written[key].terms) for key, one in wanted.items())
    looks = coverage_of(patient).look_again
    if unchanged and not removing and not looks and all(key in wanted or key in pending for key in written):
        return
    terms += _kept(pending, terms, written)
    if person.birth_date is None:
        text = f"{policy.names.ehr.label} needs the patient's birth date for insurance; enter it"
        wants.wait(POLICIES_SLOT, WaitCode.INCOMPLETE, text)
        return
    write = _sync(ehr.chart.id, person, person.birth_date, terms, written, removing)
    wants.writes[POLICIES_SLOT] = Wish(write, Resource.INSURANCE, RULE)


def _beyond(patient: Patient, active: list[BillingPolicy], policy: Policy, wants: Wants) -> tuple[int, ...]:
    """Show what the chart has beyond the case (guide: Insurance, an inactive case removes all); those to be removed."""
    known = coverage_of(patient)
    numbers = {squeeze(one.number).casefold() for one in active} - {""}
    here, there = policy.names.ehr.label, policy.names.billing.label
    shown = [one.id for one in known.beyond if squeeze(one.member_id).casefold() not in numbers]
    text = (
        f"this policy is in force in {here} and not in the primary case in {there}: enter it there, or remove it in {here}"
    )
    for id_ in shown:
        wants.wait(slot_of(SlotKind.EHR_POLICY, id_), WaitCode.BEYOND_CASE, text)
    return tuple(id_ for id_ in shown if id_ in known.to_remove)


def person_of(ehr: EhrChart, billing: BillingChart) -> BillingChart:
    """The patient by the names and the birth date of the chart that the policies belong to, as far as it has them."""
    return replace(
        billing,
        first_name=ehr.first_name or billing.first_name,
        last_name=ehr.last_name or billing.last_name,
        birth_date=known_day(ehr.birth_date) or known_day(billing.birth_date),
    )


def _key(terms: PolicyTerms) -> str:
    return str(terms.billing_policy)


def _kept(pending: list[str], terms: list[PolicyTerms], written: dict[str, WrittenPolicy]) -> list[PolicyTerms]:
    """What was written of the policies that wait, where their ranks are free: it stays until they can be told anew."""
    taken = {one.rank for one in terms}
    kept = [written[key].terms for key in pending if key in written]
    return [one for one in kept if one.rank not in taken]


def _sync(
    chart: EhrChartId,
    there: BillingChart,
    birth_date: date,
    terms: list[PolicyTerms],
    written: dict[str, WrittenPolicy],
    beyond: tuple[int, ...],
) -> SyncPolicies:
    """`beyond` are policies that are not ours and to be removed, too."""
    kept = {_key(one) for one in terms}
    gone = (entry.ehr for key, entry in written.items() if key not in kept)
    return SyncPolicies(
        chart=chart,
        first_name=squeeze(there.first_name),
        last_name=squeeze(there.last_name),
        birth_date=birth_date,
        terms=tuple(sorted(terms, key=lambda one: one.rank)),
        known={key: entry.ehr for key, entry in written.items()},
        remove=tuple(sorted({*gone, *beyond})),
    )


def _terms(
    one: BillingPolicy, rank: int, person: BillingChart, directory: Directory, policy: Policy, wants: Wants
) -> PolicyTerms | None:
    """The policy in the chart side's terms, or None while it waits."""
    slot = slot_of(SlotKind.POLICY, one.id)
    if rank > RANKS:
        text = f"{policy.names.ehr.label} knows three ranks; this is a fourth active policy of the case"
        wants.wait(slot, WaitCode.NO_RANK, text)
        return None
    insurer = known_insurer(one, directory, policy, wants)
    if insurer is None:
        return None
    made = policy_terms(one, rank, *insurer, person)
    if wrong := [name for name in made.keeps if name in AMOUNTS]:
        text = f"{' and '.join(wrong)} is not an amount of money; correct it in {policy.names.billing.label}"
        wants.wait(slot, WaitCode.NOT_AN_AMOUNT, text)
    return made


def known_insurer(one: BillingPolicy, directory: Directory, policy: Policy, wants: Wants) -> tuple[int, int] | None:
    """The policy's carrier and plan on the chart side, or None while they are missing or being created."""
    slot = slot_of(SlotKind.POLICY, one.id)
    here, there = policy.names.ehr.label, policy.names.billing.label
    if not squeeze(one.company_name) or not squeeze(one.plan_name):
        what = "company" if not squeeze(one.company_name) else "plan"
        wants.wait(slot, WaitCode.NO_PLAN, f"the policy names no insurance {what} in {there}; enter it there")
        return None
    carrier = carrier_for(one.company_id, one.company_name, directory)
    if carrier is None:
        if one.company_id:
            _want_shared(slot_of(SlotKind.CARRIER, one.company_id), _new_carrier(one), directory, policy, wants)
        else:
            text = f"{there} gives no id of the policy's insurance company, and {here} has none of that name"
            wants.wait(slot, WaitCode.NO_PLAN, text)
        return None
    plan = plan_for(one.plan_id, one.plan_name, carrier, directory)
    if plan is None:
        if one.plan_id:
            create = CreatePlan(billing_plan_id=one.plan_id, name=squeeze(one.plan_name), carrier=carrier)
            _want_shared(slot_of(SlotKind.PLAN, one.plan_id), create, directory, policy, wants)
        else:
            wants.wait(slot, WaitCode.NO_PLAN, f"{there} gives no id of the policy's plan, and {here} has none of that name")
        return None
    return carrier, plan


def _new_carrier(one: BillingPolicy) -> CreateCarrier:
    """A carrier's address is its plan's (guide: Insurance)."""
    bare = CreateCarrier(company_id=one.company_id, plan_id=one.plan_id, name=squeeze(one.company_name))
    return replace(bare, **carrier_address(one))


def _want_shared(slot: str, create: CreateCarrier | CreatePlan, directory: Directory, policy: Policy, wants: Wants) -> None:
    known = directory.intents.get(slot)
    what = "carrier" if isinstance(create, CreateCarrier) else "plan"
    here = policy.names.ehr.label
    if known is None:
        wants.shared[slot] = Wish(create, Resource.INSURANCE, RULE)
    if known is not None and known.state == "refused":
        wants.wait(slot, WaitCode(f"{what}-refused"), f"{here} refuses the {what}: {known.text}", slot)
    else:
        wants.wait(slot, WaitCode(f"{what}-pending"), f"the {what} is being created in {here}", slot)
