"""The resources of Elation as typed values (`wire` reads them).

Answers are read leniently: unknown fields are ignored and a null counts as an absent
field, because the vendor's own schema forgets most nulls. Texts that may be missing are `""`, everything else that may be
missing is None or an empty tuple. Instants are aware and in UTC, also where Elation leaves the zone out.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, get_args

import msgspec

from projections.terms.codecs import is_no_birth

Id = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]

if TYPE_CHECKING:
    Text = str
    Reference = int
else:
    # msgspec asks `wire._lenient` about types that it does not know: so a field gets to accept more than one JSON type.

    class Text(str):
        """Text that some schemas give as a number (units, charges, places of service)."""

    class Reference(int):
        """An id that is read as a whole object (an appointment's service location)."""


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all: puts instants into UTC and turns the lenient types into plain ones."""

    def __post_init__(self) -> None:
        for name in _to_be_plain(type(self)):
            value = getattr(self, name)
            if isinstance(value, datetime):
                plain: object = _utc(value)
            elif type(value) is Text:
                plain = str(value)
            elif type(value) is Reference:
                plain = int(value)
            else:
                continue
            msgspec.structs.force_setattr(self, name, plain)


@cache
def _to_be_plain(kind: type[Wire]) -> tuple[str, ...]:
    """The fields that may hold an instant or one of the lenient types."""
    fields = msgspec.structs.fields(kind)
    return tuple(one.name for one in fields if not {datetime, Text, Reference}.isdisjoint((one.type, *get_args(one.type))))


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("an instant outside of the calendar") from None


class Metadata(Wire, frozen=True, kw_only=True):
    """What this application keeps at a record, invisible to others."""

    object_id: str = ""
    object_web_link: str = ""
    data: dict[str, object] | None = None


class Phone(Wire, frozen=True, kw_only=True):
    phone: str = ""
    phone_type: str = ""
    created_date: datetime | None = None
    deleted_date: datetime | None = None


class Email(Wire, frozen=True, kw_only=True):
    email: str = ""
    created_date: datetime | None = None
    deleted_date: datetime | None = None


class Address(Wire, frozen=True, kw_only=True):
    address_line1: str = ""
    address_line2: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""


class PatientStatus(Wire, frozen=True, kw_only=True):
    status: str = ""
    inactive_reason: str = ""
    deceased_date: date | None = None
    notes: str = ""
    last_status_change: datetime | None = None


class Patient(Wire, frozen=True, kw_only=True):
    """A chart. `phones` and `emails` include deleted entries (`deleted_date`); `last_modified` is the version."""

    id: Id
    first_name: str
    last_name: str
    middle_name: str = ""
    suffix: str = ""
    sex: str = ""
    dob: date | None = None
    ssn: str = ""
    phones: tuple[Phone, ...] = ()
    emails: tuple[Email, ...] = ()
    address: Address | None = None
    primary_physician: Id | None = None
    caregiver_practice: Id
    patient_status: PatientStatus | None = None
    metadata: Metadata | None = None
    master_patient: Id | None = None
    merged_into_chart: Id | None = None
    created_date: datetime | None = None
    deleted_date: datetime | None = None
    last_modified: datetime

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dob is not None and is_no_birth(self.dob):
            raise ValueError("a birth date that stands for none")


class Policy(Wire, frozen=True, kw_only=True):
    """An insurance policy. `raw` is the whole answer, so that a PUT can carry back what is not read here."""

    id: Id
    practice_id: Id
    patient_id: Id
    patient_first_name: str = ""
    patient_last_name: str = ""
    patient_dob: date | None = None
    status: str
    rank: int | None = None
    carrier_id: Id | None = None
    carrier_name: str = ""
    plan_id: Id | None = None
    plan_name: str = ""
    member_id: Text = ""
    group_id: Text = ""
    copay: Text | None = None
    deductible: Text | None = None
    start_date: date | None = None
    end_date: date | None = None
    phone: str = ""
    extension: Text = ""
    address: str = ""
    suite: Text = ""
    city: str = ""
    state: str = ""
    zip: Text = ""
    county_code: Text = ""
    insured_person_first_name: str = ""
    insured_person_last_name: str = ""
    insured_person_address: str = ""
    insured_person_city: str = ""
    insured_person_state: str = ""
    insured_person_zip: Text = ""
    insured_person_id: Text = ""
    insured_person_dob: str = ""
    insured_person_ssn: Text = ""
    insured_person_sex_at_birth: str = ""
    relationship_to_insured: str = ""
    payment_program: str = ""
    raw: dict[str, object]


class InsuranceCompany(Wire, frozen=True, kw_only=True):
    id: Id
    carrier: str
    practice: Id
    address: str = ""
    suite: Text = ""
    city: str = ""
    state: str = ""
    zip: Text = ""
    phone: str = ""
    extension: Text = ""
    payer_id: Text = ""
    eligibility_payer_id: Text = ""
    external_vendor_id: Text = ""
    aliases: str = ""
    insurance_type: str = ""
    created_date: datetime | None = None
    deleted_date: datetime | None = None


class InsurancePlan(Wire, frozen=True, kw_only=True):
    id: Id
    name: str
    insurance_company: Id
    practice: Id
    created_date: datetime | None = None
    deleted_date: datetime | None = None


class AppointmentStatus(Wire, frozen=True, kw_only=True):
    status: str = ""
    room: Text = ""
    status_detail: str = ""
    status_date: datetime | None = None


class Appointment(Wire, frozen=True, kw_only=True):
    """`duration` in minutes; `service_location` is the id, also where Elation gives the object; events have no `patient`."""

    id: Id
    scheduled_date: datetime
    duration: int | None = None
    patient: Id | None = None
    physician: Id
    practice: Id
    reason: str = ""
    appointment_type_id: Id | None = None
    description: str = ""
    status: AppointmentStatus | None = None
    service_location: Reference | None = None
    mode: str = ""
    time_slot_type: str = ""
    recurring_event_schedule: Id | None = None
    metadata: Metadata | None = None
    created_date: datetime | None = None
    last_modified_date: datetime
    deleted_date: datetime | None = None


class Place(Wire, frozen=True, kw_only=True):
    """What places have in common; `place_of_service_code` is padded to two digits, `""` if there is none."""

    place_of_service: Text = ""
    place_of_service_code: Text = ""
    address_line1: str = ""
    address_line2: str = ""
    city: str = ""
    state: str = ""
    zip: Text = ""
    timezone: str = ""
    status: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.place_of_service_code:
            msgspec.structs.force_setattr(self, "place_of_service_code", self.place_of_service_code.zfill(2))


class BillLocation(Place, frozen=True, kw_only=True):
    """The place on a bill, and in a practice's list of places."""

    id: Id | None = None
    name: str = ""


class BillCpt(Wire, frozen=True, kw_only=True):
    """A service line; `units` and `unit_charge` are the vendor's decimal texts (`"1.0"`, `"55.12"`) or None."""

    cpt: Text = ""
    description: str = ""
    modifiers: tuple[str, ...] = ()
    dxs: tuple[str, ...] = ()
    alt_dxs: tuple[str, ...] = ()
    units: Text | None = None
    unit_charge: Text | None = None


class Bill(Wire, frozen=True, kw_only=True):
    """`service_date` is an instant: the day of service is its local day in `service_date_timezone`."""

    id: Id
    patient: Id
    physician: Id | None = None
    practice: Id
    visit_note_id: Id | None = None
    visit_note_signed_date: datetime | None = None
    visit_note_deleted_date: datetime | None = None
    billing_provider: Id | None = None
    rendering_provider: Id | None = None
    supervising_provider: Id | None = None
    service_date: datetime | None = None
    service_date_timezone: str = ""
    service_location: BillLocation | None = None
    cpts: tuple[BillCpt, ...] = ()
    notes: str = ""
    prior_authorization: Text = ""
    ref_number: Text = ""
    billing_date: datetime | None = None
    billing_error: str = ""
    billing_raw_error: str = ""
    billing_status: str = ""
    deferred_bill: bool = False
    metadata: Metadata | None = None
    created_date: datetime | None = None
    last_modified_date: datetime


class VisitNote(Wire, frozen=True, kw_only=True):
    """Used to find bills; the clinical text is never read. `signed_by` is a USER id."""

    id: Id
    patient: Id
    physician: Id | None = None
    practice: Id | None = None
    document_date: datetime | None = None
    chart_date: datetime | None = None
    signed_date: datetime | None = None
    signed_by: Id | None = None
    created_date: datetime | None = None
    deleted_date: datetime | None = None
    last_modified: datetime


class Physician(Wire, frozen=True, kw_only=True):
    id: Id
    user_id: Id | None = None
    first_name: str = ""
    last_name: str = ""
    npi: Text = ""
    credentials: str = ""
    is_active: bool = True
    practice: Id
    email: str = ""
    specialty: str = ""
    metadata: Metadata | None = None


class Practice(Wire, frozen=True, kw_only=True):
    id: Id
    name: str
    address_line1: str = ""
    address_line2: str = ""
    city: str = ""
    state: str = ""
    zip: Text = ""
    timezone: str = ""
    status: str = ""
    physicians: tuple[Id, ...] = ()
    service_locations: tuple[BillLocation, ...] = ()
    metadata: Metadata | None = None


class ServiceLocation(Place, frozen=True, kw_only=True):
    """`timezone` may be `""`: then the practice's holds."""

    id: Id
    name: str
    practice: Id
    phone: str = ""
    is_primary: bool = False
    created_date: datetime | None = None
    deleted_date: datetime | None = None


class Subscription(Wire, frozen=True, kw_only=True):
    """`signing_pub_key` is the base64 of the 32 raw bytes of the Ed25519 key of this very subscription."""

    id: Id
    resource: str
    target: str
    signing_pub_key: str = ""
    properties: dict[str, object] | None = None
    created_date: datetime | None = None
    deleted_date: datetime | None = None


class PublishedEvent(Wire, frozen=True, kw_only=True):
    """One event that Elation sent or tried to send; the path of its own API is by `event_id`, not by `id`."""

    id: Id | None = None
    event_id: Id
    event_type: str = ""
    resource: str
    resource_id: Id
    target: str = ""
    processed_date: datetime | None = None
    received_date: datetime | None = None
    status_code: int | None = None
    error_content: str = ""


class WebhookEnvelope(Wire, frozen=True, kw_only=True):
    """One delivery. `data` is the resource, unread (JSON `null` if it has to be fetched from `resource_url`)."""

    data: msgspec.Raw = msgspec.Raw(b"null")
    action: str
    event_id: Id | None = None
    event_uuid: str | None = None
    application_id: Text | None = None
    resource: str
    resource_url: str | None = None
