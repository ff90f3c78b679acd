"""Insurance, Kareo -> Elation: the primary case's active policies (DESIGN: Insurance).

Case made inactive, or no primary case: all policies of ours are removed in Elation. One policy gone: that one is removed. A
new primary case replaces the old one's policies. Carriers and plans are created once per practice, and only when a patient
has them.
"""

from __future__ import annotations

from datetime import date, timedelta

from events.codes import WaitCode
from events.ids import EhrChartId
from events.records import BillingCase, BillingChart, BillingPolicy
from events.slots import POLICIES_SLOT, SlotKind, slot_of
from events.writes import CreateCarrier, CreatePlan, PolicyTerms, Resource, SyncPolicies, System
from projections.deciding.settle import Wants, Wish
from projections.state.directory import Directory, carrier_for, plan_for
from projections.state.patient import BillingSide, Patient
from projections.terms.codecs import PhoneNumber, Problem, Sex, State, ZipCode, squeeze
from projections.terms.policy import Policy, allows

RULE = "guide: Insurance"
RANKS = 3
RELATIONSHIPS = {
    "c": "child",
    "child": "child",
    "o": "other",
    "other": "other",
    "s": "self",
    "self": "self",
    "u": "spouse",
    "spouse": "spouse",
}
SUFFIXES = {"jr", "sr", "ii", "iii", "iv", "md", "phd", "esq"}
PREFIXES = {"mr", "mrs", "ms", "miss", "dr"}


def primary_case(cases: tuple[BillingCase, ...]) -> BillingCase | None:
    """The case with `IsPrimaryCase`; none: no insurance (NOTES: Insurance; never fall back to the first)."""
    return next((case for case in cases if case.is_primary), None)


def in_force(policy: BillingPolicy, today: date) -> bool:
    """Not ended before today; a start in the future does not hide it, Elation shows the dates."""
    return policy.end is None or policy.end >= today


def next_expiry(billing: BillingSide | None, today: date) -> date | None:
    """The first day on which a policy in force today will not be any more: no event will say so."""
    case = primary_case(billing.chart.cases or ()) if billing else None
    ends = [policy.end for policy in (case.policies if case else ()) if policy.end and policy.end >= today]
    return min(ends) + timedelta(days=1) if ends else None


def want_insurance(
    patient: Patient,
    chart: EhrChartId,
    billing: BillingSide,
    directory: Directory,
    policy: Policy,
    today: date,
    wants: Wants,
) -> None:
    """Add the write that brings the chart's policies to Kareo's, and the carriers and plans it needs first."""
    if not allows(policy, Resource.INSURANCE, System.EHR) or billing.chart.cases is None:
        return
    case = primary_case(billing.chart.cases)
    active = [one for one in (case.policies if case else ()) if in_force(one, today)]
    terms: list[PolicyTerms] = []
    pending: set[str] = set()
    for rank, one in enumerate(active, start=1):
        result = _terms(one, rank, billing.chart, directory, wants)
        if isinstance(result, PolicyTerms):
            terms.append(result)
        else:
            pending.add(str(one.id))
    written = patient.policies
    wanted = {str(one.billing_policy): one for one in terms}
    unchanged = all(key in written and written[key].terms == one for key, one in wanted.items())
    gone = {key: entry for key, entry in written.items() if key not in wanted and key not in pending}
    if unchanged and not gone:
        return
    if any(key in written for key in pending):
        terms += [
            written[key].terms
            for key in pending
            if key in written and written[key].terms.rank not in {t.rank for t in terms}
        ]
    birth_date = billing.chart.birth_date
    if birth_date is None:
        wants.wait(POLICIES_SLOT, WaitCode.INCOMPLETE, "Elation needs the patient's birth date for insurance; enter it")
        return
    kept = {str(one.billing_policy) for one in terms}
    write = SyncPolicies(
        chart=chart,
        first_name=squeeze(billing.chart.first_name),
        last_name=squeeze(billing.chart.last_name),
        birth_date=birth_date,
        terms=tuple(sorted(terms, key=lambda one: one.rank)),
        known={key: entry.ehr for key, entry in written.items()},
        remove=tuple(sorted(entry.ehr for key, entry in written.items() if key not in kept)),
    )
    wants.writes[POLICIES_SLOT] = Wish(write, Resource.INSURANCE, RULE)


def _terms(one: BillingPolicy, rank: int, chart: BillingChart, directory: Directory, wants: Wants) -> PolicyTerms | None:
    """The policy in Elation's terms, or None while it waits."""
    slot = slot_of(SlotKind.POLICY, one.id)
    if rank > RANKS:
        wants.wait(slot, WaitCode.NO_RANK, "Elation knows three ranks; this is a fourth active policy of the case")
        return None
    if not squeeze(one.company_name) or not squeeze(one.plan_name):
        what = "company" if not squeeze(one.company_name) else "plan"
        wants.wait(slot, WaitCode.NO_PLAN, f"the policy names no insurance {what} in Kareo; enter it there")
        return None
    carrier = carrier_for(one.company_id, one.company_name, directory)
    if carrier is None and not one.company_id:
        wants.wait(
            slot, WaitCode.NO_PLAN, "Kareo gives no id of the policy's insurance company, and Elation has none of that name"
        )
        return None
    if carrier is None:
        _want_carrier(one, directory, wants)
        return None
    plan = plan_for(one.plan_id, one.plan_name, carrier, directory)
    if plan is None and not one.plan_id:
        wants.wait(slot, WaitCode.NO_PLAN, "Kareo gives no id of the policy's plan, and Elation has none of that name")
        return None
    if plan is None:
        create = CreatePlan(billing_plan_id=one.plan_id, name=squeeze(one.plan_name), carrier=carrier)
        _want_shared(slot_of(SlotKind.PLAN, one.plan_id), create, directory, wants)
        return None
    money = _money(one.copay), _money(one.deductible)
    if money[0] is None or money[1] is None:
        wants.wait(slot, WaitCode.NOT_AN_AMOUNT, "copay or deductible is not an amount of money; correct it in Kareo")
        return None
    insured_first, insured_last = _insured_name(one, chart)
    own = _relationship(one) == "self"
    return PolicyTerms(
        billing_policy=one.id,
        rank=rank,
        carrier_id=carrier,
        carrier_name=squeeze(one.company_name),
        plan_id=plan,
        plan_name=squeeze(one.plan_name),
        member_id=squeeze(one.number),
        group_id=squeeze(one.group),
        copay=money[0],
        deductible=money[1],
        start=one.start,
        end=one.end,
        phone=_fit_phone(one.plan_phone),
        address1=squeeze(one.plan_address1),
        address2=squeeze(one.plan_address2),
        city=squeeze(one.plan_city),
        state=_fit_state(one.plan_state),
        zip=ZipCode().clean(one.plan_zip),
        relationship=_relationship(one),
        insured_first_name=insured_first,
        insured_last_name=insured_last,
        insured_address=squeeze(f"{one.insured_address1} {one.insured_address2}")
        or (squeeze(f"{chart.address1} {chart.address2}") if own else ""),
        insured_city=squeeze(one.insured_city) or (squeeze(chart.city) if own else ""),
        insured_state=_fit_state(one.insured_state) or (_fit_state(chart.state) if own else ""),
        insured_zip=ZipCode().clean(one.insured_zip) or (ZipCode().clean(chart.zip) if own else ""),
        insured_ssn="".join(c for c in one.insured_ssn or (chart.ssn if own else "") if c.isdigit()),
        insured_birth_date=one.insured_birth_date or (chart.birth_date if own else None),
        insured_sex=_sex(one.insured_sex or (chart.sex if own else "")),
    )


def _want_carrier(one: BillingPolicy, directory: Directory, wants: Wants) -> None:
    """The carrier's address is the plan's (DESIGN: Insurance)."""
    create = CreateCarrier(
        company_id=one.company_id,
        name=squeeze(one.company_name),
        address1=squeeze(one.plan_address1),
        address2=squeeze(one.plan_address2)[:35],
        city=squeeze(one.plan_city)[:50],
        state=_fit_state(one.plan_state),
        zip=ZipCode().clean(one.plan_zip)[:10],
        phone=_fit_phone(one.plan_phone),
    )
    _want_shared(slot_of(SlotKind.CARRIER, one.company_id), create, directory, wants)


def _want_shared(slot: str, create: CreateCarrier | CreatePlan, directory: Directory, wants: Wants) -> None:
    known = directory.intents.get(slot)
    what = "carrier" if isinstance(create, CreateCarrier) else "plan"
    if known is None:
        wants.shared[slot] = Wish(create, Resource.INSURANCE, RULE)
    if known is not None and known.state == "refused":
        wants.wait(slot, WaitCode(f"{what}-refused"), f"Elation refuses the {what}: {known.text}", slot)
    else:
        wants.wait(slot, WaitCode(f"{what}-pending"), f"the {what} is being created in Elation", slot)


def _relationship(one: BillingPolicy) -> str:
    return RELATIONSHIPS.get(one.relationship.strip().casefold(), "self" if not one.relationship.strip() else "other")


def _insured_name(one: BillingPolicy, chart: BillingChart) -> tuple[str, str]:
    """First and last name of the holder. Kareo gives ONE string, "prefix first middle last suffix" (NOTES: Values)."""
    words = [word for word in squeeze(one.insured_name).replace(",", " ").split(" ") if word]
    while words and words[0].strip(".").casefold() in PREFIXES:
        words = words[1:]
    while len(words) > 1 and words[-1].strip(".").casefold() in SUFFIXES:
        words = words[:-1]
    if not words:
        return (squeeze(chart.first_name), squeeze(chart.last_name)) if _relationship(one) == "self" else ("", "")
    if _relationship(one) == "self" and squeeze(chart.last_name).casefold() in " ".join(words).casefold():
        return squeeze(chart.first_name), squeeze(chart.last_name)
    return (words[0], words[-1]) if len(words) > 1 else ("", words[0])


def _sex(text: str) -> str:
    """Elation's documented legacy letters for the holder's sex (NOTES: Insurance [?])."""
    value = {"m": "Male", "f": "Female"}.get(text.strip().casefold(), text)
    return {"Male": "M", "Female": "F"}.get(Sex().key(value), "N")


def _money(text: str) -> str | None:
    """An amount as decimal text with two places, "" for none, None for what is no amount."""
    value = text.replace("$", "").replace(",", "").strip()
    if not value:
        return ""
    if not value.replace(".", "", 1).isdigit() or not value.isascii():
        return None
    whole, _, cents = value.partition(".")
    return f"{int(whole or '0')}.{(cents + '00')[:2]}"


def _fit_state(text: str) -> str:
    fitted = State().fit(State().clean(text), System.EHR)
    return "" if isinstance(fitted, Problem) else fitted


def _fit_phone(text: str) -> str:
    fitted = PhoneNumber().fit(PhoneNumber().clean(text), System.EHR)
    return "" if isinstance(fitted, Problem) else fitted
