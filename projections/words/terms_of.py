"""What an event is found by when somebody searches the history: the fields it concerns, and who asked for it.

Pure: an observation of a chart is compared with the one before it of the same chart, so the terms follow from the events alone. No term
holds a value of a patient's; they are kept as keyed hashes (`daemon/tables/history_terms.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from events.ids import PracticeId
from events.insurance import EhrPoliciesObserved, InsurersLearnt, PoliciesAgreed
from events.records import BillingCase
from events.schema import (
    BillingAppointmentObserved,
    BillingAppointmentVanished,
    BillingChartObserved,
    BillObserved,
    Body,
    EhrChartObserved,
    IntentRequested,
)
from events.writes import Resource
from projections.rules.fields import NAMES, billing_view, ehr_view
from projections.state.directory import Directory
from projections.terms.policy import Policy
from projections.words.lines import fields_named

RULES = "1"
"""Which rules the terms follow: what was kept by others is made anew."""

BEYOND = (Resource.INSURANCE.value, Resource.APPOINTMENT.value, Resource.BILL.value)
"""What can be searched for like a field, beside the demographics."""

SEARCHABLE = (*NAMES, *BEYOND)


@dataclass(frozen=True)
class SeenChart:
    """A chart as it is compared with the one before: the demographics in the order of NAMES, and the cases where they were read."""

    values: tuple[str, ...]
    cases: tuple[BillingCase, ...] | None = None


_PLAIN = Policy(practice=PracticeId(""))


def seen_in(body: Body) -> SeenChart | None:
    """The chart that an observation shows; None for any other event."""
    match body:
        case EhrChartObserved(chart=chart):
            return SeenChart(tuple(ehr_view(chart, Directory(), _PLAIN).values()))
        case BillingChartObserved(chart=chart):
            return SeenChart(tuple(billing_view(chart).values()), chart.cases)
    return None


def _changed(before: SeenChart | None, now: SeenChart) -> frozenset[str]:
    """What differs; cases that were not read differ in nothing."""
    old = before.values if before is not None else ("",) * len(NAMES)
    found = {name for name, then, value in zip(NAMES, old, now.values, strict=True) if then != value}
    cases = () if before is None else before.cases
    if now.cases is not None and cases is not None and cases != now.cases:
        found.add(Resource.INSURANCE.value)
    return frozenset(found)


def fields_in(body: Body, before: SeenChart | None = None) -> frozenset[str]:
    """The fields that an event concerns, of `SEARCHABLE`; `before` is the last observation of the same chart."""
    if (now := seen_in(body)) is not None:
        return _changed(before, now)
    match body:
        case BillObserved():
            return frozenset({Resource.BILL.value})
        case BillingAppointmentObserved() | BillingAppointmentVanished():
            return frozenset({Resource.APPOINTMENT.value})
        case EhrPoliciesObserved() | PoliciesAgreed() | InsurersLearnt():
            return frozenset({Resource.INSURANCE.value})
        case IntentRequested(resource=resource) if resource.value in BEYOND:
            return frozenset({resource.value})
    return frozenset(fields_named(body)) & frozenset(SEARCHABLE)


def who_in(body: Body) -> str:
    """Who asked for it or said it; "" for what nobody did."""
    who = getattr(body, "who", "")
    return who if isinstance(who, str) else ""


def field_term(field: str) -> str:
    """The term of a field."""
    return f"of:{field}"


def who_term(who: str) -> str:
    """The term of a person's name, however it is spelled in capitals."""
    return f"who:{who.strip().casefold()}"


def terms_of(body: Body, before: SeenChart | None = None) -> frozenset[str]:
    """All that an event is found by."""
    who = who_in(body)
    fields = frozenset(map(field_term, fields_in(body, before)))
    return fields | {who_term(who)} if who else fields
