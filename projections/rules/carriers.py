"""Carriers afterwards: one of ours follows its plan on the billing side, by name, address and phone (guide: Insurance, carriers).

Ours is a carrier that we created, or that carries the company's id. Carriers of the practice are never changed. Companies and
plans cannot be listed, so what a policy has shown last is what is known of them.
"""

from __future__ import annotations

from datetime import date, datetime

from msgspec.structs import replace

from events.codes import WaitCode
from events.insurance import InsurersLearnt
from events.records import BillingCase, BillingPlan
from events.slots import SlotKind, slot_of
from events.writes import Resource, System, UpdateCarrier
from projections.rules.insurance import in_order, primary_case
from projections.rules.policies import carrier_address
from projections.rules.wants import Wants, Wish
from projections.state.directory import Directory
from projections.state.maps import carrier_of
from projections.state.open_intents import UNDER_WAY
from projections.state.patient import BillingSide
from projections.terms.codecs import squeeze
from projections.terms.policy import Direction, Policy, allows

RULE = "guide: Insurance, carriers"
ADDRESS = ("address1", "address2", "city", "state", "zip")


def want_carriers(billing: BillingSide, directory: Directory, policy: Policy, today: date, wants: Wants) -> None:
    """Add what a patient's policies show for the first time, and what brings the carriers of those that count to their plans."""
    cases = billing.chart.cases
    if cases is None or policy.table[Resource.INSURANCE] is Direction.OFF:
        return
    _learn(cases, billing.read_at, directory, wants)
    if not allows(policy, Resource.INSURANCE, System.EHR):
        return
    case = primary_case(cases)
    companies = {one.company_id for one in in_order(case.policies if case else (), today) if one.company_id}
    for company in sorted(companies):
        carrier, plan = carrier_of(company, directory), _followed(company, directory)
        if carrier is not None and plan is not None:
            _keep_up(company, carrier, plan, directory, policy, wants)


def _learn(cases: tuple[BillingCase, ...], read_at: datetime, directory: Directory, wants: Wants) -> None:
    """Companies and plans that the policies show for the first time, or otherwise than an older reading did."""
    new: dict[str, BillingPlan] = {}
    for one in (policy for case in cases for policy in case.policies if policy.plan_id and policy.company_id):
        known = directory.billing_plans.get(one.plan_id)
        if known is not None and known.read_at is not None and read_at <= known.read_at:
            continue
        names = {name: getattr(one, name) for name in ("company_id", "company_name", "plan_id", "plan_name")}
        seen = BillingPlan(**names, **carrier_address(one), read_at=read_at)
        if known is None or replace(seen, read_at=known.read_at) != known:
            new[one.plan_id] = seen
    if new:
        wants.shared_facts.append(InsurersLearnt(plans=tuple(new[id_] for id_ in sorted(new))))


def _followed(company: str, directory: Directory) -> BillingPlan | None:
    """The plan whose address the carrier has: the one that it was told of last, else the company's first."""
    plans = [one for one in directory.billing_plans.values() if one.company_id == company]
    told = directory.carriers_told.get(company)
    same = [one for one in plans if told is not None and one.plan_id == told.plan_id]
    return min(same or plans, key=lambda one: (len(one.plan_id), one.plan_id), default=None)


def _fields(plan: BillingPlan) -> dict[str, str]:
    """What the carrier shall show. What the plan says nothing of stays; an address is one whole."""
    fields = {"name": squeeze(plan.company_name), "phone": plan.phone}
    address = {name: getattr(plan, name) for name in ADDRESS}
    said = {name: value for name, value in fields.items() if value}
    return said | (address if any(address.values()) else {})


def _keep_up(company: str, carrier: int, plan: BillingPlan, directory: Directory, policy: Policy, wants: Wants) -> None:
    slot, agreed = slot_of(SlotKind.CARRIER, company), _fields(plan)
    open_ = directory.intents.get(slot)
    held = _held(company, carrier, directory)
    if held is None:
        return
    fields = {name: value for name, value in agreed.items() if held.get(name, value) != value}
    if not fields and open_ is None:
        return
    write = UpdateCarrier(carrier=carrier, company_id=company, plan_id=plan.plan_id, fields=fields, agreed=agreed)
    here = policy.names.ehr.label
    if open_ is not None and open_.state in UNDER_WAY:
        if open_.write != write:
            wants.wait(slot, WaitCode.CARRIER_PENDING, f"the carrier is being brought to its plan in {here}", slot)
        return
    wants.shared[slot] = Wish(write, Resource.INSURANCE, RULE)
    if open_ is not None and open_.state == "refused" and open_.write == write:
        text = f"{here} refuses the carrier as its plan shows it now: {open_.text}"
        wants.wait(slot, WaitCode.CARRIER_REFUSED, text, slot)


def _held(company: str, carrier: int, directory: Directory) -> dict[str, str] | None:
    """What the carrier was told last, else its address and phone as it shows them; None while neither is known.

    The name that somebody gave to a carrier of which it is not known what it was told stays.
    """
    if (told := directory.carriers_told.get(company)) is not None:
        return told.fields
    known = next((one for one in directory.carriers if one.id == carrier), None)
    held = {} if known is None else {name: getattr(known, name) for name in ("phone", *ADDRESS)}
    return {name: value for name, value in held.items() if value is not None} or None
