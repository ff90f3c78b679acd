"""What a practice wants synchronized, in which direction: the one direction table, consulted in one place.

A practice takes a profile and may override any row of it. `Policy` also holds what the practice configures for charts and bills,
and its maps by hand. All of it is values: no file, no clock.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from events.ids import PracticeId
from events.records import Value
from events.writes import Resource, System
from projections.terms.names import NAMES, Names


class Direction(StrEnum):
    """A row of the table, as written in the configuration."""

    BOTH = "both"
    TO_EHR = "kareo->elation"
    TO_BILLING = "elation->kareo"
    OFF = "off"


BILLING_LED: dict[Resource, Direction] = {
    Resource.CHART: Direction.BOTH,
    Resource.DEMOGRAPHICS: Direction.BOTH,
    Resource.INSURANCE: Direction.TO_EHR,
    Resource.APPOINTMENT: Direction.TO_EHR,
    Resource.BILL: Direction.TO_BILLING,
}
EHR_LED: dict[Resource, Direction] = {
    Resource.CHART: Direction.BOTH,
    Resource.DEMOGRAPHICS: Direction.BOTH,
    Resource.INSURANCE: Direction.BOTH,
    Resource.APPOINTMENT: Direction.OFF,
    Resource.BILL: Direction.TO_BILLING,
}
"""The vendor's other published configuration: the clinic's calendar stays where it is, insurance is entered in either."""

PROFILES: dict[str, dict[Resource, Direction]] = {"kareo-led": BILLING_LED, "elation-led": EHR_LED}

PREFERENCES: dict[str, dict[Resource, System]] = {
    "kareo-led": {Resource.DEMOGRAPHICS: System.BILLING, Resource.INSURANCE: System.BILLING},
    "elation-led": {Resource.DEMOGRAPHICS: System.EHR, Resource.INSURANCE: System.BILLING},
}
"""Who wins where both sides changed the same, by profile; of every resource that may go both ways field by field."""

EXTENSION: dict[str, dict[Resource, Direction]] = {"elation-led": {Resource.APPOINTMENT: Direction.TO_BILLING}}
"""Rows that a practice of the profile may switch on and no vendor has published: this project's own extension, off by default."""

# What the sinks can carry out at all; an override beyond it is a configuration error, not a silent nothing.
POSSIBLE: dict[Resource, frozenset[Direction]] = {
    Resource.CHART: frozenset(Direction),
    Resource.DEMOGRAPHICS: frozenset(Direction),
    Resource.INSURANCE: frozenset(Direction),
    Resource.APPOINTMENT: frozenset({Direction.TO_EHR, Direction.OFF}),
    Resource.BILL: frozenset({Direction.TO_BILLING, Direction.OFF}),
}


class Rescheduled(StrEnum):
    """What becomes of an appointment that the billing side calls rescheduled, or in need of it, and leaves at its old time."""

    WHEN_REPLACED = "when-replaced"
    KEEP = "keep"
    CANCEL = "cancel"


class RemovedPolicy(StrEnum):
    """What becomes of a policy on the billing side that was removed on the chart side. It is always shown."""

    SHOW = "show"
    DEACTIVATE = "deactivate"
    DEACTIVATE_AND_END = "deactivate-and-end"


class DeletedAppointment(StrEnum):
    """What becomes of a booking on the billing side whose appointment was deleted on the chart side."""

    CANCEL = "cancel"
    DELETE = "delete"


class NewCarrier(StrEnum):
    """What becomes of a policy whose carrier the billing side has not shown yet."""

    WAIT = "wait"
    CREATE = "create"


class WithoutPlan(StrEnum):
    """What becomes of a policy that names a carrier and no plan: the billing side needs one."""

    WAIT = "wait"
    SINGLE_KNOWN_PLAN = "single-known-plan"


class BillPrices(StrEnum):
    """What the billing side is told of a service line beside its codes: the vendor's guides say different things of it."""

    BOTH = "both"
    UNITS_ONLY = "units-only"
    NONE = "none"


ENCOUNTER_STATUSES = ("Draft", "Submitted", "Approved")


class Policy(Value, frozen=True, kw_only=True):
    """One practice's rules.

    `preference` decides conflicts of demographics, `insurance_preference` those of insurance. `providers` and `locations` map ids of the chart side to ids of the billing side, and go before
    any match by NPI or name. `places_of_service` overrides the code of a location by its id on the chart side.
    `default_physician` is the chart side's physician of a chart created for a patient without a mapped provider.
    `rescheduled`: by default a rescheduled one is cancelled when another appointment of the patient was made after it.
    `removed_policy`, `new_carrier` and `carrier_without_plan` are about insurance that goes to the billing side.
    `deleted_appointment`, `notes_token`, `default_location` and `appointment_reasons` are about appointments that go to the billing
    side, our own extension: whether a token in the notes makes a creation findable, the billing side's location where none is mapped,
    and its reasons by the name of the chart side's type.
    `keep_out` are patterns of last names (`zz*`): such patients are left alone.
    `observes`: nothing is decided, so nothing is written. `names` are what people call the two systems.
    """

    practice: PracticeId
    time_zone: str = "America/New_York"
    table: dict[Resource, Direction] = msgspec.field(default_factory=BILLING_LED.copy)
    preference: System = System.BILLING
    insurance_preference: System = System.BILLING
    case_name: str = "Primary"
    payer_scenario: str = "Self Pay"
    encounter_status: str = "Draft"
    batch_numbers: bool = True
    bill_prices: BillPrices = BillPrices.BOTH
    providers: dict[int, int] = {}
    locations: dict[int, int] = {}
    places_of_service: dict[int, str] = {}
    default_physician: int | None = None
    rescheduled: Rescheduled = Rescheduled.WHEN_REPLACED
    removed_policy: RemovedPolicy = RemovedPolicy.SHOW
    new_carrier: NewCarrier = NewCarrier.WAIT
    carrier_without_plan: WithoutPlan = WithoutPlan.WAIT
    deleted_appointment: DeletedAppointment = DeletedAppointment.CANCEL
    notes_token: bool = True
    default_location: int | None = None
    appointment_reasons: dict[str, int] = {}
    keep_out: tuple[str, ...] = ()
    observes: bool = False
    names: Names = NAMES


def possible(resource: Resource, profile: str) -> frozenset[Direction]:
    """The directions that a practice of the profile may choose for a row."""
    own = EXTENSION.get(profile, {}).get(resource)
    return POSSIBLE[resource] if own is None else POSSIBLE[resource] | {own}


def is_extension(resource: Resource, direction: Direction) -> bool:
    """Whether the row is this project's own extension and in no published guide."""
    return any(rows.get(resource) is direction for rows in EXTENSION.values())


def allows(policy: Policy, resource: Resource, target: System) -> bool:
    """Whether `resource` may be written to `target`: THE direction filter (I2)."""
    direction = policy.table[resource]
    if direction is Direction.BOTH:
        return True
    return direction is (Direction.TO_EHR if target is System.EHR else Direction.TO_BILLING)


def row(policy: Policy, resource: Resource) -> str:
    """The row as shown to people and recorded with each intent: `demographics: both`."""
    direction = policy.table[resource]
    return f"{resource.value}: {direction.value}" + (", own extension" if is_extension(resource, direction) else "")
