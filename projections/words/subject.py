"""What a sentence is about, as the trade calls it: fields with their values, what stands in a slot, a rule, who an event comes from.

A table a closed set. What only a later version knows is called as it is stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from events.holds import HoldScope, scope_in
from events.ids import Charts
from events.schema import Origin
from events.slots import SlotKind, parse_slot, set_aside_in
from events.writes import Resource, System
from projections.rules.bookings import BOOKINGS
from projections.rules.fields import BY_NAME
from projections.rules.tables import direction_in_words
from projections.terms.names import Names
from projections.terms.policy import PREFERENCES, Direction
from projections.words.written import NOTHING_THERE

RESOURCES: Mapping[Resource, str] = {
    Resource.CHART: "charts",
    Resource.DEMOGRAPHICS: "demographics",
    Resource.INSURANCE: "insurance",
    Resource.APPOINTMENT: "appointments",
    Resource.BILL: "bills",
}
"""What is synchronized, in the middle of a sentence."""

FIELDS: Mapping[str, str] = {
    **{name: field.label for name, field in BY_NAME.items()},
    "name": "Name",
    "phone": "Phone",
    Resource.INSURANCE.value: "Insurance",
    Resource.APPOINTMENT.value: "Appointments",
    Resource.BILL.value: "Bills",
}
"""Every field that an event names: of a chart, of an insurance company, and what is searched for like one."""

APPOINTMENT_FIELDS: Mapping[str, str] = {row.name: row.label.lower() for row in BOOKINGS}
"""What a change of an appointment changes, in the middle of a sentence."""

RECORDS: Mapping[str, str] = {
    "patients": "chart",
    "bills": "bill",
    "appointments": "appointment",
    "policies": "the policies of chart",
}
"""What a record of a resource is called."""

SLOTS: Mapping[SlotKind, str] = {
    SlotKind.CHART: "the chart on the other side",
    SlotKind.LINK: "the link",
    SlotKind.DEMOGRAPHICS: "the demographics in {system}",
    SlotKind.FIELD: "{field}",
    SlotKind.CONFLICT: "{field}",
    SlotKind.POLICIES: "the policies",
    SlotKind.POLICY: "policy {id} of {billing}",
    SlotKind.EHR_POLICY: "policy {id} of {ehr}",
    SlotKind.CASE_POLICIES: "the policies of the case",
    SlotKind.APPOINTMENT: "appointment {id} of {billing}",
    SlotKind.BOOKING: "appointment {id} of {ehr}",
    SlotKind.BOOKED_TWICE: "appointment {id} of {ehr}, which {billing} has twice",
    SlotKind.BILL: "bill {id}",
    SlotKind.BILL_ANSWER: "what bill {id} says in {ehr}",
    SlotKind.CASE: "the case",
    SlotKind.FORMER: "chart {id} of {ehr}, linked before",
    SlotKind.PRACTICE: "providers and places",
    SlotKind.CARRIER: "insurance company {id}",
    SlotKind.PLAN: "insurance plan {id}",
    SlotKind.SYSTEM: "writes to {system}",
    SlotKind.STANDING: "the work of the practice",
    SlotKind.RESTART: "the history",
    SlotKind.QUARANTINE: "{record}",
    SlotKind.HOLD: "{hold}",
}
"""What stands in a slot."""


OUTCOMES = "Intent"
"""How the kinds of event begin that say what came of a write."""


def field_in_words(name: str) -> str:
    """A field as the charts call it."""
    return FIELDS.get(name, name)


def fields_in_words(names: Iterable[str]) -> str:
    """Several of them."""
    return ", ".join(map(field_in_words, names))


def slot_in_words(slot: str, names: Names) -> str:
    """What an intent or a waiting item is about, in the middle of a sentence."""
    kind, id_ = parse_slot(slot)
    if kind is None:
        return slot
    scope = scope_in(slot)
    return SLOTS[kind].format(
        id=id_,
        ehr=names.ehr.label,
        billing=names.billing.label,
        field=field_in_words(id_),
        system=system_in_words(id_.partition(":")[0], names),
        record=_set_aside(slot, names),
        hold=f"the hold of {scope_in_words(scope, names)}" if scope is not None else "a hold",
    )


def _set_aside(slot: str, names: Names) -> str:
    kept = set_aside_in(slot)
    if kept is None or kept.system not in set(System):
        return "a message that cannot be read"
    return f"{record_in_words(kept.resource, kept.record)} of {system_in_words(kept.system, names)}"


def record_in_words(resource: str, record: str) -> str:
    """A record of a system; what came of a write is none of theirs."""
    return "an answer" if resource.startswith(OUTCOMES) else f"{RECORDS.get(resource, resource.replace('_', ' '))} {record}"


def system_in_words(stored: str, names: Names) -> str:
    """The system that is stored under this name."""
    return names.label(System(stored)) if stored in set(System) else stored


def chart_in_words(charts: Charts, names: Names) -> str:
    """One of the charts, that of the EHR where there is one: `Elation chart 12`."""
    if charts.ehr is not None:
        return f"{names.ehr.label} chart {charts.ehr}"
    return f"{names.billing.label} patient {charts.billing}" if charts.billing is not None else "the practice"


def spelled_out(text: str, names: Names) -> str:
    """A stored sentence, which names charts as the command line takes them (`kareo:12`): with the names that people call them by."""
    for prefix, looks, told in (*_spellings(names), *_winners(names)):
        if prefix in text:
            text = looks.sub(told, text)
    return text


def winners_named(text: str, names: Names) -> str:
    """A stored sentence that says which side won (`kareo won`): with the name that people call it by. Charts stay as commands take them."""
    for prefix, looks, told in _winners(names):
        if prefix in text:
            text = looks.sub(told, text)
    return text


@lru_cache(maxsize=64)
def _spellings(names: Names) -> tuple[tuple[str, re.Pattern[str], str], ...]:
    """What is looked for in stored sentences, and what is said in its place; made once for two products."""
    ehr, billing = names.ehr, names.billing
    return (
        (ehr.prefix, re.compile(rf"\b{ehr.prefix}:(\d+)"), rf"{ehr.label} chart \1"),
        (billing.prefix, re.compile(rf"\b{billing.prefix}:(\d+)"), rf"{billing.label} patient \1"),
    )


@lru_cache(maxsize=64)
def _winners(names: Names) -> tuple[tuple[str, re.Pattern[str], str], ...]:
    return tuple(
        (one.prefix, re.compile(rf"(?<![\w.@-]){one.prefix}(?= wins?\b| won\b)"), one.label)
        for one in (names.ehr, names.billing)
    )


def profile_in_words(profile: str, names: Names) -> str:
    """Which side wins where both have changed the same, which is what a profile is called by."""
    leads = PREFERENCES.get(profile)
    return f"{names.label(leads[Resource.DEMOGRAPHICS])} leads" if leads is not None else profile


def origin_in_words(origin: Origin, names: Names) -> str:
    """Who an event comes from."""
    words: Mapping[Origin, str] = {
        Origin.EHR: names.ehr.label,
        Origin.BILLING: names.billing.label,
        Origin.CHARTWIRE: "chartwire",
        Origin.OPERATOR: "a person",
    }
    return words[origin]


def scope_in_words(scope: HoldScope, names: Names) -> str:
    """What a hold holds; no patient is named."""
    what = f"{scope.resource.value} writes" if scope.resource is not None else "all writes"
    where = f" to {names.label(scope.system)}" if scope.system is not None else ""
    return f"{what}{where}" + (" of one patient" if scope.patient else "")


_RULE = re.compile(r"(?:guide: )?(.*?)(?: \((\w+): ([^,)]+)(, own extension)?\))?")


def rule_in_words(rule: str, names: Names) -> str:
    """A rule as it is recorded with an intent, `guide: Bills (bill: elation->kareo)`: its table, and which way that goes."""
    found = _RULE.fullmatch(rule)
    if found is None or found[3] is None or found[3] not in set(Direction):
        return rule
    return f"{found[1]}, {direction_in_words(Direction(found[3]), names)}{found[4] or ''}"


def quoted(text: str) -> str:
    """A value within a sentence; an empty one is named, too."""
    return f"“{text}”" if text else NOTHING_THERE


def counted(count: int, one: str, several: str = "") -> str:
    """So many of them: `1 case`, `2 cases`."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"
