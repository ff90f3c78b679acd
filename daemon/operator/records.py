"""A patient's policies, appointments and bills, for the patient's page and the printed history: now, or as they were known at a moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from zoneinfo import ZoneInfo

from daemon.operator.visits import Visit, visits_in
from events.records import BillingPolicy, ChartPolicy
from events.terms import PolicyTerms
from events.writes import System
from projections.rules.policies import relationship
from projections.state.coverage import coverage_of
from projections.state.directory import Directory
from projections.state.patient import BillState, Patient
from projections.terms.policy import Policy
from projections.words.shown import Shown

RANKS = {1: "primary", 2: "secondary", 3: "tertiary"}


@dataclass(frozen=True)
class PolicyLine:
    """A policy as one of the systems has it; `place` is its rank, or the case that it is of. Masked where values are not shown."""

    system: System
    id: int
    place: str
    company: str
    plan: str
    number: str
    group: str
    copay: str
    insured: str
    term: str


@dataclass(frozen=True)
class BillLines:
    """A bill with its state in a word or two, and its lines as one text."""

    bill: BillState
    state: str
    lines: str


@dataclass(frozen=True)
class Records:
    """What both systems hold of a patient beside the fields of the charts; appointments and bills the newest first."""

    name: str
    policies: tuple[PolicyLine, ...]
    appointments: tuple[Visit, ...]
    bills: tuple[BillLines, ...]


def records_of(patient: Patient, directory: Directory, policy: Policy, shown: Shown) -> Records:
    """All of a patient, as `patient` knows it."""
    visits = sorted(
        visits_in(patient, directory, policy, ZoneInfo(policy.time_zone)), key=lambda one: one.start, reverse=True
    )
    bills = sorted(patient.bills.items(), key=lambda one: -int(one[0]))
    return Records(
        name=name_in(patient) if shown.names else "",
        policies=tuple(_policies(patient, shown)),
        appointments=tuple(_masked_visit(one, shown) for one in visits),
        bills=tuple(BillLines(one, bill_state(one), shown.value("bill", _lines(one))) for _, one in bills),
    )


def _masked_visit(one: Visit, shown: Shown) -> Visit:
    reason, provider = shown.value("appointment", one.reason), shown.value("provider", one.provider_name)
    return replace(one, reason=reason, provider_name=provider)


def name_in(patient: Patient) -> str:
    """Last and first name as the charts have them; "" where neither was read."""
    chart = patient.ehr.chart if patient.ehr is not None else patient.billing.chart if patient.billing is not None else None
    return "" if chart is None else ", ".join(filter(None, (chart.last_name, chart.first_name)))


def bill_state(bill: BillState) -> str:
    """How far a bill is, in one word or two."""
    if bill.encounter is not None:
        return "sent"
    if bill.error:
        return "error"
    if bill.deferred:
        return "deferred"
    return "ready" if bill.bill.signed else "not signed"


def _lines(bill: BillState) -> str:
    return "; ".join(
        f"{line.cpt}{'-' if line.modifiers else ''}{'-'.join(line.modifiers)} {', '.join(line.dxs)}".strip()
        for line in bill.bill.lines
    )


def _policies(patient: Patient, shown: Shown) -> Iterator[PolicyLine]:
    """Of the chart side what was read last, or else what was written to it; of the billing side every case."""
    read = coverage_of(patient).policies
    if read is not None:
        for one in sorted(read, key=lambda each: (each.rank is None, each.rank or 0, each.id)):
            place = RANKS.get(one.rank, str(one.rank)) if one.rank is not None else "historical"
            inactive = one.rank is not None and not one.active
            yield _of_chart(one.id, one, f"{place}, not active" if inactive else place, "", shown)
    else:
        for written in sorted(patient.policies.values(), key=lambda each: each.terms.rank):
            terms = written.terms
            place = RANKS.get(terms.rank, str(terms.rank))
            yield _of_chart(written.ehr, terms, place, _term(terms.start, terms.end, shown), shown)
    cases = (patient.billing.chart.cases if patient.billing is not None else None) or ()
    for case in sorted(cases, key=lambda each: (not each.is_primary, each.id)):
        for number, policy in enumerate(case.policies, 1):
            yield _of_case(policy, f"{case.name or f'case {case.id}'}, {RANKS.get(number, str(number))}", shown)


def _of_chart(id_: int, one: ChartPolicy | PolicyTerms, place: str, term: str, shown: Shown) -> PolicyLine:
    line = PolicyLine(
        system=System.EHR,
        id=id_,
        place=place,
        company=one.carrier_name,
        plan=one.plan_name,
        number=one.member_id,
        group=one.group_id,
        copay=one.copay,
        insured=_insured(one.relationship, f"{one.insured_first_name} {one.insured_last_name}"),
        term=term,
    )
    return _masked(line, shown)


def _of_case(one: BillingPolicy, place: str, shown: Shown) -> PolicyLine:
    line = PolicyLine(
        system=System.BILLING,
        id=one.id,
        place=place,
        company=one.company_name,
        plan=one.plan_name,
        number=one.number,
        group=one.group,
        copay=one.copay,
        insured=_insured(one.relationship, one.insured_name),
        term=_term(one.start, one.end, shown),
    )
    return _masked(line, shown)


def _masked(line: PolicyLine, shown: Shown) -> PolicyLine:
    """The policy with no more of it than may be shown."""
    return replace(
        line,
        company=shown.value("insurance", line.company),
        plan=shown.value("insurance", line.plan),
        number=shown.value("insurance", line.number),
        group=shown.value("insurance", line.group),
        copay=shown.value("insurance", line.copay),
        term=shown.value("insurance", line.term),
        insured=shown.with_names(line.insured),
    )


def _insured(related: str, name: str) -> str:
    """Who holds the policy: the patient, or somebody whose child, spouse or other the patient is."""
    how = relationship(related)
    if how == "self":
        return how
    return f"{name.strip()} (patient is {how})" if name.strip() else f"patient is {how}"


def _term(start: date | None, end: date | None, shown: Shown) -> str:
    """From when until when it holds, as far as somebody entered that."""
    since = f"from {shown.day(start)}" if start is not None else ""
    until = f"to {shown.day(end)}" if end is not None else ""
    return " ".join(filter(None, (since, until)))
