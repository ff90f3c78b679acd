"""Records of the two systems as events carry them: typed, still in each vendor's own words.

They hold the mapped fields (deploy/DESIGN.md, The two roles) and what decisions need, nothing else: clinical text never gets this far.
Normalization and comparison belong to `projections.rules.fields`.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import cache

from msgspec import Struct

from events.ids import BillingPatientId, EhrChartId

STORED_FIELDS = {
    "ehr": "elation",
    "billing": "kareo",
    "ehr_locations": "elation_locations",
    "billing_locations": "kareo_locations",
    "ehr_seen": "elation_seen",
    "billing_seen": "kareo_seen",
    "billing_policy": "kareo_policy",
    "billing_plan_id": "kareo_plan_id",
    "about_digest": "thing",
    "only_in_ehr": "only_in_elation",
    "only_in_billing": "only_in_kareo",
}
"""The stored name of each field that was stored before fields were named for roles. Stored events never change."""


def stored_field(name: str) -> str:
    """The name under which a field is stored."""
    return STORED_FIELDS.get(name, name)


@cache
def stored_type(name: str) -> str:
    """The name under which a type is stored: the types were stored before they were named for roles."""
    return name.replace("Ehr", "Elation").replace("Billing", "Kareo")


def type_of(value: Struct) -> str:
    """The stored name of the value's type, as it stands in events, event ids and lists for people."""
    return stored_type(type(value).__name__)


class Value(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, rename=stored_field):
    """Base of all values carried by events: immutable, defaults left out on the wire, unknown newer members ignored.

    Made of values only, they cannot be part of a cycle, so the garbage collector need not look at millions of them.
    """


class Phone(Value, frozen=True, kw_only=True):
    kind: str
    number: str


class EhrChart(Value, frozen=True, kw_only=True):
    """A chart as Elation's `patients` resource gives it. `link_hint` is our own metadata `object_id`."""

    id: EhrChartId
    first_name: str = ""
    middle_name: str = ""
    last_name: str = ""
    birth_date: date | None = None
    sex: str = ""
    phones: tuple[Phone, ...] = ()
    emails: tuple[str, ...] = ()
    address1: str = ""
    address2: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""
    physician: int | None = None
    merged_into: EhrChartId | None = None
    deleted: bool = False
    link_hint: str = ""


class BillingPolicy(Value, frozen=True, kw_only=True):
    """An insurance policy of a case, as GetPatient lists it."""

    id: int
    company_id: str = ""
    company_name: str = ""
    plan_id: str = ""
    plan_name: str = ""
    plan_address1: str = ""
    plan_address2: str = ""
    plan_city: str = ""
    plan_state: str = ""
    plan_zip: str = ""
    plan_phone: str = ""
    number: str = ""
    group: str = ""
    copay: str = ""
    deductible: str = ""
    start: date | None = None
    end: date | None = None
    relationship: str = ""
    insured_name: str = ""
    insured_address1: str = ""
    insured_address2: str = ""
    insured_city: str = ""
    insured_state: str = ""
    insured_zip: str = ""
    insured_ssn: str = ""
    insured_birth_date: date | None = None
    insured_sex: str = ""


class BillingCase(Value, frozen=True, kw_only=True):
    id: int
    name: str = ""
    payer_scenario: str = ""
    is_primary: bool = False
    policies: tuple[BillingPolicy, ...] = ()


class BillingChart(Value, frozen=True, kw_only=True):
    """A patient as Kareo's GetPatient gives it; `cases` is None where they were not read."""

    id: BillingPatientId
    first_name: str = ""
    middle_name: str = ""
    last_name: str = ""
    birth_date: date | None = None
    sex: str = ""
    ssn: str = ""
    home_phone: str = ""
    mobile_phone: str = ""
    work_phone: str = ""
    email: str = ""
    address1: str = ""
    address2: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""
    provider: int | None = None
    cases: tuple[BillingCase, ...] | None = None


class BillingAppointment(Value, frozen=True, kw_only=True):
    """One occurrence of a Kareo appointment; `key` is `<id>` or, for a series, `<id>@<start>`. Times are UTC instants.

    `moved` is `rescheduled` or `needs-reschedule` where Kareo says so of an appointment that stays at its old time.
    """

    key: str
    id: int
    patient: BillingPatientId
    start: datetime
    minutes: int
    reason: str = ""
    provider: int | None = None
    provider_name: str = ""
    cancelled: bool = False
    moved: str = ""


class BillLine(Value, frozen=True, kw_only=True):
    """`units` and `unit_charge` stay text, as entered; `dxs` are ICD-10 codes in entered order."""

    cpt: str = ""
    modifiers: tuple[str, ...] = ()
    dxs: tuple[str, ...] = ()
    units: str = ""
    unit_charge: str = ""


class EhrBill(Value, frozen=True, kw_only=True):
    """A bill as Elation's `bills` resource gives it; `service_day` is the local day of service."""

    id: int
    patient: EhrChartId
    visit_note: int | None = None
    signed: bool = False
    note_deleted: bool = False
    deferred: bool = False
    status: str = ""
    service_day: date | None = None
    location: int | None = None
    location_name: str = ""
    place_of_service: str = ""
    rendering_provider: int | None = None
    supervising_provider: int | None = None
    physician: int | None = None
    lines: tuple[BillLine, ...] = ()
    notes: str = ""
    prior_authorization: str = ""
    ref_number: str = ""
    error: str = ""


class EhrPolicy(Value, frozen=True, kw_only=True):
    """What is kept of an Elation policy after a write: enough to see whether it is ours and still in force."""

    id: int
    rank: int | None = None
    active: bool = False
    carrier_id: int | None = None
    plan_id: int | None = None
    member_id: str = ""
    group_id: str = ""


class ChartPolicy(Value, frozen=True, kw_only=True):
    """A policy of a chart as Elation's policy service gives it; one without a rank is historical."""

    id: int
    rank: int | None = None
    active: bool = False
    carrier_id: int | None = None
    carrier_name: str = ""
    plan_id: int | None = None
    plan_name: str = ""
    member_id: str = ""
    group_id: str = ""
    copay: str = ""
    deductible: str = ""
    relationship: str = ""
    insured_first_name: str = ""
    insured_last_name: str = ""
    insured_address: str = ""
    insured_city: str = ""
    insured_state: str = ""
    insured_zip: str = ""
    insured_ssn: str = ""
    insured_birth_date: date | None = None
    insured_sex: str = ""


class BillingPlan(Value, frozen=True, kw_only=True):
    """A plan with its insurance company and its address, as a policy of the billing side has shown them at `read_at`.

    The address is in the form in which the chart side's carriers keep it.
    """

    company_id: str
    company_name: str
    plan_id: str
    plan_name: str
    address1: str = ""
    address2: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""
    phone: str = ""
    read_at: datetime | None = None


class Provider(Value, frozen=True, kw_only=True):
    id: int
    first_name: str = ""
    last_name: str = ""
    full_name: str = ""
    npi: str = ""
    active: bool = True


class Location(Value, frozen=True, kw_only=True):
    id: int
    name: str = ""
    place_of_service: str = ""
    active: bool = True


class Carrier(Value, frozen=True, kw_only=True):
    """An Elation insurance company; `external_id` holds Kareo's company id where we know it.

    Address and phone are None where an older version read the company: what they are is not known.
    """

    id: int
    name: str
    external_id: str = ""
    address1: str | None = None
    address2: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    phone: str | None = None


class Plan(Value, frozen=True, kw_only=True):
    id: int
    name: str
    carrier: int
