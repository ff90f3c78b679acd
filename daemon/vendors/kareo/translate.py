"""Between Kareo's wire and the project's own records: one place for each direction."""

from __future__ import annotations

from datetime import UTC, date

import msgspec

from daemon.vendors.kareo import wire
from events.ids import BillingPatientId
from events.records import BillingAppointment, BillingCase, BillingChart, BillingPolicy, Location, Provider
from events.writes import Candidate, CreateEncounter

FIELDS_ON_THE_WIRE = {
    "first_name": "first_name",
    "middle_name": "middle_name",
    "last_name": "last_name",
    "sex": "sex",
    "home_phone": "home_phone",
    "mobile_phone": "mobile_phone",
    "work_phone": "work_phone",
    "email": "email",
    "address1": "address_line1",
    "address2": "address_line2",
    "city": "city",
    "state": "state",
    "zip": "zip",
}
"""Canonical name to the client's; the birth date and the provider are typed and go beside."""
POLICY_ON_THE_WIRE = {
    "company_name": "company_name",
    "plan_name": "plan_name",
    "plan_address1": "plan_address_line1",
    "plan_address2": "plan_address_line2",
    "plan_city": "plan_city",
    "plan_state": "plan_state",
    "plan_zip": "plan_zip",
    "plan_phone": "plan_phone",
    "number": "number",
    "group": "group",
    "copay": "copay",
    "deductible": "deductible",
    "start": "start",
    "end": "end",
    "relationship": "relationship",
    "insured_name": "insured_name",
    "insured_address1": "insured_address_line1",
    "insured_address2": "insured_address_line2",
    "insured_city": "insured_city",
    "insured_state": "insured_state",
    "insured_zip": "insured_zip",
    "insured_ssn": "insured_ssn",
    "insured_birth_date": "insured_birth_date",
    "insured_sex": "insured_sex",
}
"""The members of a case's policy, by the client's names; the ids of company and plan go beside."""
MOVED = {"rescheduled": "rescheduled", "needsreschedule": "needs-reschedule"}
"""The statuses of an appointment whose time is not meant any more."""


def chart(patient: wire.KareoPatient) -> BillingChart:
    return BillingChart(
        id=BillingPatientId(patient.id),
        birth_date=patient.birth_date,
        ssn=patient.ssn,
        provider=patient.provider_id,
        cases=None if patient.cases is None else tuple(_case(one) for one in patient.cases),
        **{name: getattr(patient, on_the_wire) for name, on_the_wire in FIELDS_ON_THE_WIRE.items()},
    )


def _case(one: wire.BillingCase) -> BillingCase:
    return BillingCase(
        id=one.id,
        name=one.name,
        payer_scenario=one.payer_scenario,
        is_primary=one.is_primary,
        policies=tuple(_policy(policy) for policy in one.policies),
    )


def _policy(one: wire.BillingPolicy) -> BillingPolicy:
    return BillingPolicy(
        id=one.id,
        company_id=_reference(one.company_id),
        plan_id=_reference(one.plan_id),
        **{name: getattr(one, on_the_wire) for name, on_the_wire in POLICY_ON_THE_WIRE.items()},
    )


def _reference(value: object) -> str:
    return "" if value is None else str(value)


def candidate(patient: wire.KareoPatient) -> Candidate:
    return Candidate(
        id=patient.id,
        first_name=patient.first_name,
        middle_name=patient.middle_name,
        last_name=patient.last_name,
        birth_date=patient.birth_date,
        sex=patient.sex,
    )


def provider(one: wire.KareoProvider) -> Provider:
    return Provider(
        id=one.id,
        first_name=one.first_name,
        last_name=one.last_name,
        full_name=one.full_name,
        npi=one.npi,
        active=one.active,
    )


def location(one: wire.KareoLocation) -> Location:
    return Location(id=one.id, name=one.name, place_of_service=one.place_of_service)


def appointment(one: wire.BillingAppointment, key: str, provider_id: int | None) -> BillingAppointment | None:
    """None when it is not about a patient of the practice; 0 is nobody's id."""
    if not one.patient_id:
        return None
    name = one.resource_names[0] if one.resource_names else ""
    return BillingAppointment(
        key=key,
        id=one.id,
        patient=BillingPatientId(one.patient_id),
        start=one.start.astimezone(UTC),
        minutes=max(0, round((one.end - one.start).total_seconds() / 60)),
        reason=one.reason,
        provider=provider_id,
        provider_name=name,
        cancelled=one.status == "cancelled",
        moved=MOVED.get(one.status, ""),
    )


def patient_write(fields: dict[str, str], provider_id: int | None) -> wire.PatientWrite:
    """Only what `fields` names; everything else is left as it is."""
    values: dict[str, object] = {
        on_the_wire: fields[name] for name, on_the_wire in FIELDS_ON_THE_WIRE.items() if name in fields
    }
    if fields.get("birth_date"):
        values["birth_date"] = date.fromisoformat(fields["birth_date"])
    if provider_id is not None:
        values["provider_id"] = provider_id
    return msgspec.convert(values, wire.PatientWrite, strict=False)


def encounter_write(write: CreateEncounter) -> wire.EncounterWrite:
    return wire.EncounterWrite(
        patient_id=write.patient,
        case_id=write.case_id,
        service_date=write.service_day,
        post_date=write.post_day,
        rendering_provider_id=write.rendering_provider,
        supervising_provider_id=write.supervising_provider,
        location_id=write.location,
        place_of_service_code=write.place_of_service,
        status=write.status,
        notes=write.notes,
        batch_number=write.batch,
        authorization_number=write.prior_authorization,
        further_diagnoses=write.further_dxs,
        lines=tuple(
            wire.EncounterLine(
                procedure_code=line.cpt,
                modifiers=line.modifiers,
                diagnoses=line.dxs,
                units=float(line.units) if line.units else None,
                unit_charge=float(line.unit_charge) if line.unit_charge else None,
            )
            for line in write.lines
        ),
    )
