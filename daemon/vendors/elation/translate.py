"""Between Elation's wire and the project's own records: one place for each direction."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from daemon.vendors.elation import resources as wire
from events.bookings import EhrAppointment
from events.calendar import local_day
from events.ids import EhrChartId
from events.records import BillLine, Carrier, ChartPolicy, EhrBill, EhrChart, EhrPolicy, Location, Phone, Plan, Provider
from events.terms import PolicyTerms
from events.writes import Candidate
from projections.rules.fields import ADDRESS, NOTHING, PHONE_KINDS, Beside, with_phones
from projections.terms.codecs import known_day

ADDRESS_ON_THE_WIRE = {
    "address1": "address_line1",
    "address2": "address_line2",
    "city": "city",
    "state": "state",
    "zip": "zip",
}
PLAIN_FIELDS = {
    "first_name": "first_name",
    "middle_name": "middle_name",
    "last_name": "last_name",
    "sex": "sex",
    "birth_date": "dob",
}
POLICY_ON_THE_WIRE = {
    "rank": "rank",
    "carrier_id": "carrier_id",
    "carrier_name": "carrier_name",
    "plan_id": "plan_id",
    "plan_name": "plan_name",
    "member_id": "member_id",
    "group_id": "group_id",
    "copay": "copay",
    "deductible": "deductible",
    "start": "start_date",
    "end": "end_date",
    "phone": "phone",
    "address1": "address",
    "address2": "suite",
    "city": "city",
    "state": "state",
    "zip": "zip",
    "relationship": "relationship_to_insured",
    "insured_first_name": "insured_person_first_name",
    "insured_last_name": "insured_person_last_name",
    "insured_address": "insured_person_address",
    "insured_city": "insured_person_city",
    "insured_state": "insured_person_state",
    "insured_zip": "insured_person_zip",
    "insured_ssn": "insured_person_ssn",
    "insured_birth_date": "insured_person_dob",
    "insured_sex": "insured_person_sex_at_birth",
}
"""The members of a policy's terms, by Elation's names."""
CARRIER_ON_THE_WIRE = {
    "name": "carrier",
    "address1": "address",
    "address2": "suite",
    "city": "city",
    "state": "state",
    "zip": "zip",
    "phone": "phone",
}
NULL_WHEN_EMPTY = ("copay", "deductible")


def chart(patient: wire.Patient) -> EhrChart:
    """Deleted phones and e-mails are left out: their places are free."""
    address = patient.address or wire.Address()
    return EhrChart(
        id=EhrChartId(patient.id),
        phones=tuple(Phone(kind=one.phone_type, number=one.phone) for one in patient.phones if one.deleted_date is None),
        emails=tuple(one.email for one in patient.emails if one.deleted_date is None),
        physician=patient.primary_physician,
        merged_into=None if patient.merged_into_chart is None else EhrChartId(patient.merged_into_chart),
        deleted=patient.deleted_date is not None,
        link_hint=patient.metadata.object_id if patient.metadata else "",
        **{name: getattr(patient, on_the_wire) for name, on_the_wire in PLAIN_FIELDS.items()},
        **{name: getattr(address, on_the_wire) for name, on_the_wire in ADDRESS_ON_THE_WIRE.items()},
    )


def candidate(patient: wire.Patient) -> Candidate:
    return Candidate(
        id=patient.id,
        first_name=patient.first_name,
        middle_name=patient.middle_name,
        last_name=patient.last_name,
        birth_date=patient.dob,
        sex=patient.sex,
    )


def bill(one: wire.Bill, practice_zone: str) -> EhrBill:
    """The local day of `service_date` in its own zone is the date of service."""
    location = one.service_location
    return EhrBill(
        id=one.id,
        patient=EhrChartId(one.patient),
        visit_note=one.visit_note_id,
        signed=one.visit_note_signed_date is not None,
        note_deleted=one.visit_note_deleted_date is not None,
        deferred=one.deferred_bill,
        status=one.billing_status,
        service_day=_local_day(one, practice_zone),
        location=location.id if location else None,
        location_name=location.name if location else "",
        place_of_service=(location.place_of_service_code or "") if location else "",
        rendering_provider=one.rendering_provider,
        supervising_provider=one.supervising_provider,
        physician=one.physician,
        lines=tuple(
            BillLine(
                cpt=line.cpt,
                modifiers=line.modifiers,
                dxs=line.dxs,
                units=line.units or "",
                unit_charge=line.unit_charge or "",
            )
            for line in one.cpts
        ),
        notes=one.notes,
        prior_authorization=one.prior_authorization,
        ref_number=one.ref_number,
        error=one.billing_error,
    )


def _local_day(one: wire.Bill, practice_zone: str) -> date | None:
    if one.service_date is None:
        return None
    try:
        zone = ZoneInfo(one.service_date_timezone or practice_zone)
    except (KeyError, ValueError, OSError):
        zone = ZoneInfo(practice_zone)
    return known_day(local_day(one.service_date, zone))


def appointment(one: wire.Appointment) -> EhrAppointment:
    """An appointment of a patient."""
    return EhrAppointment(
        id=one.id,
        patient=EhrChartId(one.patient or 0),
        start=one.scheduled_date,
        minutes=one.duration or 0,
        physician=one.physician,
        location=one.service_location,
        reason=one.reason,
        description=one.description,
        status=one.status.status if one.status else "",
        link_hint=one.metadata.object_id if one.metadata else "",
    )


def policy(one: wire.Policy) -> EhrPolicy:
    return EhrPolicy(
        id=one.id,
        rank=one.rank,
        active=one.status == "active",
        carrier_id=one.carrier_id,
        plan_id=one.plan_id,
        member_id=one.member_id,
        group_id=one.group_id,
    )


def chart_policy(one: wire.Policy) -> ChartPolicy:
    """A policy whole, but for the carrier's address, which is not the chart side's."""
    return ChartPolicy(
        id=one.id,
        rank=one.rank,
        active=one.status == "active",
        carrier_id=one.carrier_id,
        carrier_name=one.carrier_name,
        plan_id=one.plan_id,
        plan_name=one.plan_name,
        member_id=one.member_id,
        group_id=one.group_id,
        copay=one.copay or "",
        deductible=one.deductible or "",
        relationship=one.relationship_to_insured,
        insured_first_name=one.insured_person_first_name,
        insured_last_name=one.insured_person_last_name,
        insured_address=one.insured_person_address,
        insured_city=one.insured_person_city,
        insured_state=one.insured_person_state,
        insured_zip=one.insured_person_zip,
        insured_ssn=one.insured_person_ssn,
        insured_birth_date=_written_day(one.insured_person_dob),
        insured_sex=one.insured_person_sex_at_birth,
    )


def chart_policies(policies: Iterable[wire.Policy]) -> tuple[ChartPolicy, ...]:
    """A chart's policies in the order of their ids: lists promise none."""
    return tuple(chart_policy(one) for one in sorted(policies, key=lambda one: one.id))


def _written_day(text: str) -> date | None:
    """A day in free text, as the older screens kept it; None for what is none."""
    for form in ("%Y-%m-%d", "%m/%d/%Y"):
        try:
            return datetime.strptime(text.strip(), form).date()
        except ValueError:
            continue
    return None


def provider(one: wire.Physician) -> Provider:
    return Provider(
        id=one.id,
        first_name=one.first_name,
        last_name=one.last_name,
        full_name=f"{one.first_name} {one.last_name}",
        npi=one.npi,
        active=one.is_active,
    )


def location(one: wire.ServiceLocation) -> Location:
    return Location(
        id=one.id, name=one.name, place_of_service=one.place_of_service_code, active=one.status in ("", "active")
    )


def carrier(one: wire.InsuranceCompany) -> Carrier:
    values = {name: getattr(one, on_the_wire) for name, on_the_wire in CARRIER_ON_THE_WIRE.items()}
    return Carrier(id=one.id, external_id=one.external_vendor_id, **values)


def plan(one: wire.InsurancePlan) -> Plan:
    return Plan(id=one.id, name=one.name, carrier=one.insurance_company)


# -- bodies of requests ---------------------------------------------------------------------------------------------------


def patient_body(
    fields: dict[str, str], physician: int | None, current: EhrChart | None, beside: Beside = NOTHING
) -> dict[str, object]:
    """The part of a chart that a create or PATCH names: only `fields`; arrays whole, with what is not ours kept."""
    known = current or EhrChart(id=EhrChartId(0))
    body: dict[str, object] = {wire_name: fields[name] for name, wire_name in PLAIN_FIELDS.items() if name in fields}
    phones = {name: fields[name] for name in PHONE_KINDS if name in fields}
    if phones:
        body["phones"] = [{"phone": one.number, "phone_type": one.kind} for one in with_phones(known.phones, phones, beside)]
    if "email" in fields:
        body["emails"] = [{"email": fields["email"]}] if fields["email"] else []
    if any(name in fields for name in ADDRESS):
        whole = {wire_name: fields.get(name, getattr(known, name)) for name, wire_name in ADDRESS_ON_THE_WIRE.items()}
        body["address"] = whole if any(whole.values()) else None
    if physician is not None:
        body["primary_physician"] = physician
    return body


def policy_body(terms: PolicyTerms, who: dict[str, object]) -> dict[str, object]:
    """A policy in force on the wire; `who` are the required members that repeat the chart. What the policy keeps is left out."""
    body: dict[str, object] = {**who, "status": "active"}
    for name, on_the_wire in POLICY_ON_THE_WIRE.items():
        if name in terms.keeps:
            continue
        value = getattr(terms, name)
        if isinstance(value, date):
            value = value.isoformat()
        body[on_the_wire] = None if value == "" and name in NULL_WHEN_EMPTY else value
    return body


def instant(moment: datetime) -> str:
    """A moment as Elation takes it: UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
