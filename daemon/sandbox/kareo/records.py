"""The records that the sandbox holds: everything that the service can tell, and what it keeps to itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(kw_only=True, slots=True)
class Customer:
    """An account. `label` names it in records of calls, where the key, a credential, has no place."""

    id: int
    key: str
    label: str
    users: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True, slots=True)
class Practice:
    id: int
    customer_key: str
    name: str
    npi: str = ""
    tax_id: str = ""
    phone: str = ""
    email: str = ""
    address1: str = ""
    address2: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""
    active: bool = True
    created: datetime
    modified: datetime


@dataclass(kw_only=True, slots=True)
class Provider:
    """`type` is "Normal Provider" or "Referring Provider"."""

    id: int
    practice_id: int
    first_name: str
    last_name: str
    middle_name: str = ""
    degree: str = ""
    npi: str = ""
    type: str = "Normal Provider"
    active: bool = True
    created: datetime
    modified: datetime

    @property
    def full_name(self) -> str:
        name = f"{self.first_name} {self.middle_name} {self.last_name}".strip()
        return f"{name}, {self.degree}" if self.degree else name


@dataclass(kw_only=True, slots=True)
class Location:
    id: int
    practice_id: int
    name: str
    place_of_service: str = "11"
    npi: str = ""
    address1: str = ""
    address2: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""
    phone: str = ""
    created: datetime
    modified: datetime


@dataclass(kw_only=True, slots=True)
class ProcedureCode:
    id: int
    customer_key: str
    code: str
    name: str
    active: bool = True
    customer_specific: bool = False
    created: datetime
    modified: datetime


@dataclass(kw_only=True, slots=True)
class Vendor:
    """An external vendor; `ids` are its external ids of patients, unique within it."""

    id: int
    customer_key: str
    name: str
    ids: dict[str, int] = field(default_factory=dict)


@dataclass(kw_only=True, slots=True)
class Patient:
    """`deleted` and `merged_into` are invisible from outside: the record is merely gone.

    `entered_as` is who was meant when the record was created, whatever it was edited to afterwards.
    """

    id: int
    practice_id: int
    prefix: str = ""
    first_name: str = ""
    middle_name: str = ""
    last_name: str = ""
    suffix: str = ""
    dob: date | None = None
    gender: str = "Unknown"
    ssn: str = ""
    marital_status: str = ""
    mrn: str = ""
    address1: str = ""
    address2: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""
    country: str = ""
    home_phone: str = ""
    home_phone_ext: str = ""
    work_phone: str = ""
    work_phone_ext: str = ""
    mobile_phone: str = ""
    mobile_phone_ext: str = ""
    email: str = ""
    note: str = ""
    provider_id: int | None = None
    primary_care_physician_id: int | None = None
    referring_provider_id: int | None = None
    location_id: int | None = None
    deleted: bool = False
    merged_into: int | None = None
    created: datetime
    modified: datetime
    entered_as: tuple[str, str, date | None] = field(init=False)

    def __post_init__(self) -> None:
        self.entered_as = (self.first_name, self.last_name, self.dob)

    @property
    def full_name(self) -> str:
        return full_name(self.prefix, self.first_name, self.middle_name, self.last_name, self.suffix)


@dataclass(kw_only=True, slots=True)
class Case:
    id: int
    patient_id: int
    name: str = ""
    payer_scenario: str = ""
    description: str = ""
    external_id: str = ""
    is_primary: bool = False
    active: bool = True
    send_statements: bool = True


@dataclass(kw_only=True, slots=True)
class Company:
    id: int
    customer_key: str
    name: str


@dataclass(kw_only=True, slots=True)
class Plan:
    id: int
    company_id: int
    name: str
    address1: str = ""
    address2: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""
    country: str = ""
    phone: str = ""
    phone_ext: str = ""


@dataclass(kw_only=True, slots=True)
class Insured:
    prefix: str = ""
    first_name: str = ""
    middle_name: str = ""
    last_name: str = ""
    suffix: str = ""
    address1: str = ""
    address2: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""
    country: str = ""
    ssn: str = ""
    dob: date | None = None
    gender: str = ""
    id_number: str = ""

    @property
    def full_name(self) -> str:
        return full_name(self.prefix, self.first_name, self.middle_name, self.last_name, self.suffix)


@dataclass(kw_only=True, slots=True)
class Policy:
    """`relationship` is the writing form: Child, Other, Self, Spouse. Copay and deductible are money text."""

    id: int
    case_id: int
    plan_id: int
    number: str = ""
    group: str = ""
    copay: str = ""
    deductible: str = ""
    start: date | None = None
    end: date | None = None
    relationship: str = "Self"
    insured: Insured = field(default_factory=Insured)
    precedence: int = 1
    notes: str = ""
    external_id: str = ""
    active: bool = True
    through_employer: bool = False
    """A box that people tick; no answer shows it."""


@dataclass(kw_only=True, slots=True)
class Reason:
    id: int
    practice_id: int
    name: str


@dataclass(kw_only=True, slots=True)
class Appointment:
    """`start` and `end` are instants in UTC; `status` is the single operation's enum; `type` P, O or U."""

    id: int
    practice_id: int
    patient_id: int | None
    provider_id: int | None
    location_id: int
    start: datetime
    end: datetime
    reason_id: int | None = None
    resource_id: int | None = None
    resource_ids: list[int] = field(default_factory=list)
    rooms: list[str] = field(default_factory=list)
    status: str = "Scheduled"
    type: str = "P"
    name: str = ""
    notes: str = ""
    case_id: int | None = None
    is_group: bool = False
    is_recurring: bool = False
    occurrence_id: int | None = None
    max_attendees: int = 1
    online: bool = False
    all_day: bool = False
    deleted: bool = False
    created: datetime
    modified: datetime


@dataclass(kw_only=True, slots=True)
class ServiceLine:
    """One charge."""

    id: int
    procedure_code: str
    modifiers: list[str]
    diagnoses: list[str]
    units: float
    unit_charge: float
    minutes: int = 0
    note: str = ""
    ref_code: str = ""
    type_of_service: str = ""
    external_id: str = ""
    start: date
    end: date


@dataclass(kw_only=True, slots=True)
class Encounter:
    """`status` is the screens' word: Draft, Review, Approved, Rejected, Unpayable."""

    id: int
    practice_id: int
    patient_id: int
    case_id: int
    status: str
    service_start: date
    service_end: date
    post_date: date
    location_id: int
    place_of_service: str = ""
    rendering_id: int
    supervising_id: int | None = None
    referring_id: int | None = None
    scheduling_id: int | None = None
    appointment_id: int | None = None
    batch_number: str = ""
    external_id: str = ""
    external_vendor_id: int | None = None
    authorization_number: str = ""
    medical_notes: str = ""
    business_notes: str = ""
    amount_paid: str = ""
    orphan_diagnoses: list[str] = field(default_factory=list)
    lines: list[ServiceLine] = field(default_factory=list)
    created: datetime
    modified: datetime


def full_name(*parts: str) -> str:
    """Free text with the spaces of empty parts left in."""
    return " ".join(parts).strip()
