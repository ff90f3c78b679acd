"""Patients: the list, the single record, the batches, creating and updating."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from daemon.sandbox.kareo.calling import Call, Handler, in_range, only
from daemon.sandbox.kareo.insurance import case_rows, check_cases, flattened, write_case
from daemon.sandbox.kareo.operations_directory import check_external_id, set_external_id
from daemon.sandbox.kareo.records import Location, Patient, Practice
from daemon.sandbox.kareo.values import calendar_day, list_date, phone
from daemon.sandbox.kareo.wire import FaultError, RefusedError, Values

LARGEST_BATCH = 1000

TEXTS = {
    "prefix": "Prefix",
    "first_name": "FirstName",
    "middle_name": "MiddleName",
    "last_name": "LastName",
    "suffix": "Suffix",
    "ssn": "SocialSecurityNumber",
    "marital_status": "MaritalStatus",
    "mrn": "MedicalRecordNumber",
    "address1": "AddressLine1",
    "address2": "AddressLine2",
    "city": "City",
    "state": "State",
    "zip": "ZipCode",
    "country": "Country",
    "home_phone": "HomePhone",
    "home_phone_ext": "HomePhoneExt",
    "work_phone": "WorkPhone",
    "work_phone_ext": "WorkPhoneExt",
    "mobile_phone": "MobilePhone",
    "mobile_phone_ext": "MobilePhoneExt",
    "email": "EmailAddress",
    "note": "Note",
}
"""Field of `Patient` to member of PatientCreate and PatientUpdate."""


# -- reading ----------------------------------------------------------------------------------------------------------


def demographics(call: Call, patient: Patient) -> Values:
    """What every form of a patient's record shows."""
    state = call.state
    location = state.locations.get(patient.location_id or 0)
    dob = None
    if patient.dob is not None:
        dob = patient.dob.isoformat() if call.switches.iso_birth_dates else list_date(patient.dob)
    return {
        "AddressLine1": patient.address1 or None,
        "AddressLine2": patient.address2 or None,
        "City": patient.city or None,
        "Country": patient.country if patient.country.upper() not in ("", "US", "USA") else None,
        "CreatedDate": call.stamp(patient.created),
        "DOB": dob,
        "DefaultRenderingProviderFullName": state.provider_name(patient.provider_id),
        "DefaultRenderingProviderId": _id(patient.provider_id),
        "DefaultServiceLocationId": _id(patient.location_id),
        "DefaultServiceLocationName": None if location is None else location.name,
        "EmailAddress": patient.email or None,
        "FirstName": patient.first_name,
        "Gender": patient.gender,
        "HomePhone": phone(patient.home_phone),
        "HomePhoneExt": patient.home_phone_ext or None,
        "ID": str(patient.id),
        "LastModifiedDate": call.stamp(patient.modified),
        "LastName": patient.last_name,
        "MaritalStatus": patient.marital_status or None,
        "MedicalRecordNumber": patient.mrn or None,
        "MiddleName": patient.middle_name or None,
        "MobilePhone": phone(patient.mobile_phone),
        "MobilePhoneExt": patient.mobile_phone_ext or None,
        "PatientFullName": patient.full_name,
        "PracticeId": str(patient.practice_id),
        "PracticeName": state.practices[patient.practice_id].name,
        "Prefix": patient.prefix or None,
        "PrimaryCarePhysicianFullName": state.provider_name(patient.primary_care_physician_id),
        "PrimaryCarePhysicianId": _id(patient.primary_care_physician_id),
        "ReferringProviderFullName": state.provider_name(patient.referring_provider_id),
        "ReferringProviderId": _id(patient.referring_provider_id),
        "SSN": patient.ssn or None,
        "State": patient.state or None,
        "Suffix": patient.suffix or None,
        "WorkPhone": phone(patient.work_phone),
        "WorkPhoneExt": patient.work_phone_ext or None,
        "ZipCode": patient.zip or None,
    }


def _id(value: int | None) -> str | None:
    return None if value is None else str(value)


def get_patients(call: Call, request: Values) -> Values:
    filter_ = request["Filter"]
    practices = {one.id for one in call.practices(filter_.get("PracticeName"), filter_.get("PracticeID"))}
    rows: list[Values] = []
    for patient in call.state.patients.values():
        if patient.deleted or patient.practice_id not in practices or not _asked_for(call, filter_, patient):
            continue
        row = demographics(call, patient) | flattened(call, patient)
        if all(only(filter_, name, row.get(name)) for name in _ROW_FILTERS):
            rows.append(row)
    return {"Patients": call.rows(request, rows)}


_ROW_FILTERS = (
    "Gender",
    "DefaultRenderingProviderFullName",
    "DefaultServiceLocationName",
    "PrimaryCarePhysicianFullName",
    "ReferringProviderFullName",
    "PrimaryInsurancePolicyCompanyName",
    "PrimaryInsurancePolicyPlanName",
    "SecondaryInsurancePolicyCompanyName",
    "SecondaryInsurancePolicyPlanName",
)


def _asked_for(call: Call, filter_: Values, patient: Patient) -> bool:
    if not call.within(filter_, patient.created, patient.modified) or not only(filter_, "SSN", patient.ssn):
        return False
    names = {
        "FirstName": patient.first_name,
        "MiddleName": patient.middle_name,
        "LastName": patient.last_name,
        "FullName": patient.full_name,
    }
    if not all(call.name_matches(filter_.get(name), value) for name, value in names.items()):
        return False
    if filter_.get("FromDateOfBirth") or filter_.get("ToDateOfBirth"):
        born = patient.dob
        if born is None or not in_range(filter_, "DateOfBirth", datetime(born.year, born.month, born.day), exclusive=True):
            return False
    if filter_.get("FromLastEncounterDate") or filter_.get("ToLastEncounterDate"):
        visits = [one.service_start for one in call.state.encounters.values() if one.patient_id == patient.id]
        if not visits or not in_range(filter_, "LastEncounterDate", datetime.combine(max(visits), datetime.min.time())):
            return False
    scenario = filter_.get("DefaultCasePayerScenario")
    case = call.state.primary_case(patient.id)
    return not scenario or (case is not None and case.payer_scenario == scenario)


def get_patient(call: Call, request: Values) -> Values:
    """By id, else by external id, of the vendor if one is named. Flattened insurance is not filled, `Cases` is."""
    filter_ = request["Filter"]
    patient_id = filter_.get("PatientID")
    if not patient_id and filter_.get("ExternalID"):
        patient_id = _by_external_id(call, filter_["ExternalID"], filter_.get("ExternalVendorID"))
    patient = call.state.patient_of(call.customer, patient_id)
    if patient is None:
        if call.switches.unknown_patient == "refused":
            raise RefusedError("Could not find the patient.")
        return {"Patient": None if call.switches.unknown_patient == "nil" else {}}
    return {"Patient": demographics(call, patient) | {"Cases": case_rows(call, patient)}}


def _by_external_id(call: Call, external_id: str, vendor_id: int | None) -> int | None:
    for vendor in call.state.vendors.values():
        if vendor.customer_key == call.customer.key and vendor_id in (None, 0, vendor.id) and external_id in vendor.ids:
            return vendor.ids[external_id]
    return None


def get_all_patients(call: Call, request: Values) -> Values:
    """In order of id, from StartKey on; the key of the next batch is nil at the end."""
    filter_ = request["Filter"]
    size = filter_.get("BatchSize", LARGEST_BATCH)
    if not 1 <= size <= LARGEST_BATCH:
        raise RefusedError(f"BatchSize must be between 1 and {LARGEST_BATCH}.")
    practices = {one.id for one in call.practices(None, filter_.get("PracticeID"))}
    ids = sorted(
        one.id
        for one in call.state.patients.values()
        if not one.deleted and one.practice_id in practices and one.id >= filter_.get("StartKey", 0)
    )
    rows = []
    for id_ in ids[:size]:
        patient = call.state.patients[id_]
        row = demographics(call, patient) | flattened(call, patient)
        case = call.state.primary_case(id_)
        if case is not None:
            row |= {
                "DefaultCaseID": str(case.id),
                "DefaultCaseName": case.name,
                "DefaultCasePayerScenario": case.payer_scenario or None,
            }
        rows.append(row)
    return {
        "Patients": call.rows(request, rows),
        "Key": {"nextStartKey": ids[size]} if len(ids) > size else None,
    }


# -- writing ----------------------------------------------------------------------------------------------------------


def create_patient(call: Call, request: Values) -> Values:
    """No refusal of a second patient of the same name and birth date; only external ids are unique."""
    written = _written(request)
    practice = call.practice(written["Practice"])
    cases: list[Values] = [{**one, "CaseID": None} for one in written.get("Cases", [])]
    external_id, vendor_id = written.get("PatientExternalID"), written.get("ExternalVendorID")
    check_cases(call, None, cases)
    if external_id:
        check_external_id(call, vendor_id, external_id, None)
    changes = _changes(call, practice, written)
    patient = Patient(
        id=call.state.new_id("patients"), practice_id=practice.id, created=call.now, modified=call.now, **changes
    )
    call.state.patients[patient.id] = patient
    if external_id and vendor_id:
        set_external_id(call, vendor_id, external_id, patient.id)
    return _modified(call, patient, practice, written, [write_case(call, patient, one) for one in cases])


def update_patient(call: Call, request: Values) -> Values:
    """Absent leaves as is; the empty string clears, or not, as the switch says. Every update moves LastModifiedDate."""
    written = _written(request)
    if written.get("PatientExternalID") and written.get("PatientID"):
        raise FaultError("InternalServiceFault", "The server was unable to process the request.")
    practice = call.practice(written["Practice"])
    patient_id = written.get("PatientID")
    if not patient_id and written.get("PatientExternalID"):
        patient_id = _by_external_id(call, written["PatientExternalID"], written.get("ExternalVendorID"))
    patient = call.state.patient_of(call.customer, patient_id)
    if patient is None or patient.practice_id != practice.id:
        raise RefusedError("Could not find the patient.")
    cases: list[Values] = written.get("Cases", [])
    check_cases(call, patient, cases)
    for name, value in _changes(call, practice, written).items():
        setattr(patient, name, value)
    patient.modified = call.now
    return _modified(call, patient, practice, written, [write_case(call, patient, one) for one in cases])


def _written(request: Values) -> Values:
    """Raises `FaultError` without a patient or practice, `RefusedError` without names."""
    written: Values = request.get("Patient") or {}
    if "Practice" not in written:
        raise FaultError("InternalServiceFault", "The server was unable to process the request.")
    if not written.get("FirstName") or not written.get("LastName"):
        raise RefusedError("The first name and the last name of the patient are required.")
    return written


def _changes(call: Call, practice: Practice, written: Values) -> dict[str, Any]:
    """The fields of `Patient` that the request sets."""
    changes: dict[str, Any] = {
        name: written[member]
        for name, member in TEXTS.items()
        if member in written and (written[member] != "" or call.switches.empty_clears)
    }
    if "DateofBirth" in written:
        changes["dob"] = calendar_day(written["DateofBirth"], call.switches.list_zone)
    if "Gender" in written:
        changes["gender"] = written["Gender"]
    for name, member, key in (
        ("provider_id", "DefaultRenderingProvider", "ProviderID"),
        ("referring_provider_id", "ReferringProvider", "ProviderID"),
        ("primary_care_physician_id", "PrimaryCarePhysician", "PhysicianID"),
    ):
        if written.get(member):
            changes[name] = _provider(call, practice, written[member], key)
    if written.get("DefaultServiceLocation"):
        changes["location_id"] = _location(call, practice, written["DefaultServiceLocation"])
    return changes


def _provider(call: Call, practice: Practice, reference: Values, key: str) -> int | None:
    for one in call.state.providers.values():
        if one.practice_id == practice.id and (
            one.id == reference.get(key)
            or (
                not reference.get(key)
                and reference.get("FullName")
                and call.name_matches(reference["FullName"], one.full_name)
            )
        ):
            return one.id
    if not reference.get(key) and not reference.get("FullName"):
        return None
    raise RefusedError("Could not find the provider.")


def _location(call: Call, practice: Practice, reference: Values) -> int:
    """By id or name; an unknown name is created."""
    for one in call.state.locations.values():
        if one.practice_id == practice.id and (
            one.id == reference.get("LocationID") or one.name == reference.get("LocationName")
        ):
            return one.id
    if not reference.get("LocationName"):
        raise RefusedError("Could not find the service location.")
    created = Location(
        id=call.state.new_id("locations"),
        practice_id=practice.id,
        name=reference["LocationName"],
        place_of_service=reference.get("POS") or "11",
        created=call.now,
        modified=call.now,
    )
    call.state.locations[created.id] = created
    return created.id


def _modified(call: Call, patient: Patient, practice: Practice, written: Values, cases: list[Values]) -> Values:
    """ModifyPatientResp."""
    vendor = call.state.vendors.get(written.get("ExternalVendorID") or 0)
    external = None if vendor is None else next((key for key, owner in vendor.ids.items() if owner == patient.id), None)
    return {
        "Cases": cases or None,
        "DefaultServiceLocationID": patient.location_id,
        "ExternalVendorID": None if vendor is None else vendor.id,
        "PatientExternalID": external,
        "PatientID": patient.id,
        "PracticeID": practice.id,
        "PracticeName": practice.name,
    }


OPERATIONS: Mapping[str, Handler] = {
    "GetPatients": get_patients,
    "GetPatient": get_patient,
    "GetAllPatients": get_all_patients,
    "CreatePatient": create_patient,
    "UpdatePatient": update_patient,
}
