"""All tables of rules as people read them: a table a resource, a row a field, from the rows that act."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from events.writes import Resource, System
from projections.rules.appointments import APPOINTMENTS
from projections.rules.bookings import BOOKINGS
from projections.rules.encounters import ENCOUNTER, SERVICE_LINES
from projections.rules.fields import DEMOGRAPHICS
from projections.rules.pairing import ONE_WAY
from projections.rules.policies import PLAN_ADDRESS, POLICIES
from projections.terms.names import Names
from projections.terms.policy import EXTENSION, Direction


@dataclass(frozen=True)
class Rule:
    """A row of a table: the field, its names on the screens of both sides, and where the rule comes from.

    `one_way`: the field is the billing side's own, and never travels there though its resource goes both ways.
    """

    name: str
    label: str
    ehr: str
    billing: str
    source: str
    one_way: bool = False


@dataclass(frozen=True)
class RuleTable:
    """The rules of a resource; one resource may have several tables. `about` says what the rows are fields of."""

    resource: Resource
    title: str
    about: str
    rules: tuple[Rule, ...]


def _needs(side: System) -> dict[str, str]:
    return {row.name: "needed" if side in row.needed_by else "" for row in DEMOGRAPHICS}


def _creation() -> tuple[Rule, ...]:
    """What each side needs to have a chart created."""
    ehr, billing = _needs(System.EHR), _needs(System.BILLING)
    rows = [
        Rule(row.name, row.label, ehr[row.name], billing[row.name], "guide: Chart creation")
        for row in DEMOGRAPHICS
        if row.needed_by
    ]
    provider = Rule("provider", "Primary provider", "needed, or default_physician", "", "guide: Chart creation")
    case = Rule("case", "Case", "", "created along (case_name, payer_scenario)", "guide: Chart creation, a case")
    return (*rows, provider, case)


TABLES: tuple[RuleTable, ...] = (
    RuleTable(Resource.CHART, "Chart creation", "what a new chart needs", _creation()),
    RuleTable(
        Resource.DEMOGRAPHICS,
        "Demographics",
        "fields of a chart",
        tuple(Rule(row.name, row.label, row.ehr.label, row.billing.label, row.source) for row in DEMOGRAPHICS),
    ),
    RuleTable(
        Resource.INSURANCE,
        "Insurance",
        "fields of a policy of the primary case",
        tuple(Rule(row.name, row.label, row.ehr, row.billing, row.source, row.name in ONE_WAY) for row in POLICIES),
    ),
    RuleTable(
        Resource.INSURANCE,
        "Insurance, carriers",
        "the plan's address: of a policy, and of its carrier",
        tuple(Rule(row.name, row.label, row.ehr, row.billing, row.source, one_way=True) for row in PLAN_ADDRESS),
    ),
    RuleTable(
        Resource.APPOINTMENT,
        "Appointments",
        "fields of an appointment",
        tuple(Rule(row.name, row.label, row.ehr, row.billing, row.source) for row in APPOINTMENTS),
    ),
    RuleTable(
        Resource.BILL,
        "Bills",
        "fields of a bill, an encounter on the billing side",
        tuple(Rule(row.name, row.label, row.ehr, row.billing, row.source) for row in ENCOUNTER),
    ),
    RuleTable(
        Resource.BILL,
        "Bills, service lines",
        "fields of each line",
        tuple(Rule(row.name, row.label, row.ehr, row.billing, row.source) for row in SERVICE_LINES),
    ),
)


OWN_TABLES: dict[Resource, RuleTable] = {
    Resource.APPOINTMENT: RuleTable(
        Resource.APPOINTMENT,
        "Appointments, an extension of chartwire's own and in no vendor's guide, off unless a practice switches it on",
        "fields of an appointment of the chart side's calendar",
        tuple(Rule(row.name, row.label, row.ehr, row.billing, row.source) for row in BOOKINGS),
    )
}
"""The rules of rows that are this project's own extension (`projections.terms.policy.EXTENSION`)."""


def extensions(profile: str) -> list[tuple[RuleTable, Direction]]:
    """The rows that a practice of the profile may switch on beyond what its vendors have published."""
    return [(OWN_TABLES[resource], direction) for resource, direction in EXTENSION.get(profile, {}).items()]


def direction_in_words(direction: Direction, names: Names) -> str:
    """A direction in the names of the two systems."""
    ehr, billing = names.ehr.label, names.billing.label
    words: Mapping[Direction, str] = {
        Direction.BOTH: "both ways",
        Direction.TO_EHR: f"{billing} to {ehr}",
        Direction.TO_BILLING: f"{ehr} to {billing}",
        Direction.OFF: "not synchronized",
    }
    return words[direction]
