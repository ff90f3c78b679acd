"""Kareo's records as typed values, and what is sent to write them. Everything optional that is missing is "" or None."""

from __future__ import annotations

from datetime import date, datetime
from typing import Generic, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

T = TypeVar("T")


class _WireValue(msgspec.Struct, frozen=True, kw_only=True):
    pass


class BadXmlRow(_WireValue, frozen=True, kw_only=True):
    """A row that does not fit: `path` names the member, `raw` is its XML (patients' data: encrypted events only)."""

    id: int | None
    path: str
    raw: bytes = b""


class Rows(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """What a list call found; a bad row does not spoil the others."""

    rows: tuple[T, ...] = ()
    bad_rows: tuple[BadXmlRow, ...] = ()


class BillingPolicy(_WireValue, frozen=True, kw_only=True):
    id: int
    company_id: str = ""
    company_name: str = ""
    plan_id: str = ""
    plan_name: str = ""
    plan_address_line1: str = ""
    plan_address_line2: str = ""
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
    insured_address_line1: str = ""
    insured_address_line2: str = ""
    insured_city: str = ""
    insured_state: str = ""
    insured_zip: str = ""
    insured_ssn: str = ""
    insured_birth_date: date | None = None
    insured_sex: str = ""


class BillingCase(_WireValue, frozen=True, kw_only=True):
    id: int
    name: str = ""
    payer_scenario: str = ""
    is_primary: bool = False
    policies: tuple[BillingPolicy, ...] = ()


class KareoPatient(_WireValue, frozen=True, kw_only=True):
    """`cases` is None in lists, which do not read them; `flattened_insurance_hash` stands for what lists show instead;
    `default_case` is shown by GetAllPatients only."""

    id: int
    practice_id: int | None = None
    first_name: str = ""
    middle_name: str = ""
    last_name: str = ""
    birth_date: date | None = None
    sex: str = ""
    ssn: str = ""
    address_line1: str = ""
    address_line2: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""
    home_phone: str = ""
    mobile_phone: str = ""
    work_phone: str = ""
    email: str = ""
    provider_id: int | None = None
    created: datetime | None = None
    modified: datetime | None = None
    cases: tuple[BillingCase, ...] | None = None
    flattened_insurance_hash: str = ""
    default_case: str = ""


class BillingAppointment(_WireValue, frozen=True, kw_only=True):
    """`status` is `cancelled`, `rescheduled`, `needsreschedule` or something else, lower case; `type` is `patient`, `other` or `unknown`."""

    id: int
    start: datetime
    end: datetime
    patient_id: int | None = None
    reason: str = ""
    resource_names: tuple[str, ...] = ()
    status: str = ""
    type: str = ""
    practice_id: int | None = None
    is_recurring: bool = False
    modified: datetime | None = None


class BookedRow(_WireValue, frozen=True, kw_only=True):
    """What a row of GetAppointments shows by which a lost creation is found: its notes, and when it was created."""

    id: int
    start: datetime | None
    patient_id: int | None = None
    notes: str = ""
    created: datetime | None = None


class SingleAppointment(_WireValue, frozen=True, kw_only=True):
    """What GetAppointment adds to the list: the provider's id, and whether it is deleted."""

    id: int
    start: datetime
    provider_id: int | None = None
    is_deleted: bool = False


class KareoProvider(_WireValue, frozen=True, kw_only=True):
    id: int
    first_name: str = ""
    last_name: str = ""
    full_name: str = ""
    npi: str = ""
    active: bool = True


class KareoLocation(_WireValue, frozen=True, kw_only=True):
    id: int
    name: str = ""
    place_of_service: str = ""


class KareoPractice(_WireValue, frozen=True, kw_only=True):
    id: int
    name: str = ""


class KareoCharge(_WireValue, frozen=True, kw_only=True):
    id: int
    encounter_id: int | None = None
    patient_id: int | None = None
    procedure_code: str = ""
    batch_number: str = ""
    modifiers: tuple[str, ...] = ()
    diagnoses: tuple[str, ...] = ()
    units: str = ""
    unit_charge: str = ""
    service_day: date | None = None
    status: str = ""


class PatientWrite(_WireValue, frozen=True, kw_only=True):
    """Members left UNSET are left as they are; "" clears."""

    first_name: str | UnsetType = UNSET
    middle_name: str | UnsetType = UNSET
    last_name: str | UnsetType = UNSET
    birth_date: date | UnsetType = UNSET
    sex: str | UnsetType = UNSET
    home_phone: str | UnsetType = UNSET
    mobile_phone: str | UnsetType = UNSET
    work_phone: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    address_line1: str | UnsetType = UNSET
    address_line2: str | UnsetType = UNSET
    city: str | UnsetType = UNSET
    state: str | UnsetType = UNSET
    zip: str | UnsetType = UNSET
    provider_id: int | UnsetType = UNSET


class CaseWrite(_WireValue, frozen=True, kw_only=True):
    """A case to add or to change, and its policies, by the WSDL's members."""

    members: dict[str, object]
    policies: tuple[dict[str, object], ...] = ()

    def body(self, kind: str) -> dict[str, object]:
        """As a request of `kind` (Create, Update) has it."""
        policies = {"Policies": {f"InsurancePolicy{kind}Req": list(self.policies)}} if self.policies else {}
        return {f"PatientCase{kind}Req": [{**self.members, **policies}]}


def new_case(name: str, payer_scenario: str, policies: tuple[dict[str, object], ...] = ()) -> CaseWrite:
    """A case that is added."""
    return CaseWrite(members={"Active": True, "CaseName": name, "PayerScenario": payer_scenario}, policies=policies)


class EncounterLine(_WireValue, frozen=True, kw_only=True):
    procedure_code: str
    units: float | None
    unit_charge: float | None
    modifiers: tuple[str, ...] = ()
    diagnoses: tuple[str, ...] = ()


class EncounterWrite(_WireValue, frozen=True, kw_only=True):
    patient_id: int
    case_id: int
    service_date: date
    post_date: date
    rendering_provider_id: int
    location_id: int
    place_of_service_code: str
    lines: tuple[EncounterLine, ...]
    supervising_provider_id: int | None = None
    status: str = "Draft"
    notes: str = ""
    batch_number: str = ""
    authorization_number: str = ""
    further_diagnoses: tuple[str, ...] = ()


class PatientCreated(_WireValue, frozen=True, kw_only=True):
    patient_id: int


class EncounterCreated(_WireValue, frozen=True, kw_only=True):
    encounter_id: int
