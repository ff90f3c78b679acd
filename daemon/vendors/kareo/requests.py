"""Writes as the members of Kareo's requests, in the words of the WSDL."""

from __future__ import annotations

from datetime import date, datetime, time

from msgspec import UNSET

from daemon.vendors.kareo import wire

MEMBERS = {
    "first_name": "FirstName",
    "middle_name": "MiddleName",
    "last_name": "LastName",
    "sex": "Gender",
    "home_phone": "HomePhone",
    "mobile_phone": "MobilePhone",
    "work_phone": "WorkPhone",
    "email": "EmailAddress",
    "address_line1": "AddressLine1",
    "address_line2": "AddressLine2",
    "city": "City",
    "state": "State",
    "zip": "ZipCode",
}
"""PatientWrite's texts by the WSDL's members."""


def patient(write: wire.PatientWrite) -> dict[str, object]:
    """The members that change; what is UNSET is not named, and stays as it is."""
    body: dict[str, object] = {
        member: value for name, member in MEMBERS.items() if (value := getattr(write, name)) is not UNSET
    }
    if write.birth_date is not UNSET:
        body["DateofBirth"] = _midnight(write.birth_date)
    if write.provider_id is not UNSET:
        body["DefaultRenderingProvider"] = {"ProviderID": write.provider_id}
    return body


def encounter(write: wire.EncounterWrite, practice: dict[str, object]) -> dict[str, object]:
    """The whole of it; `practice` names the practice."""
    day = _midnight(write.service_date)
    body: dict[str, object] = {
        "Practice": practice,
        "Patient": {"PatientID": write.patient_id},
        "Case": {"CaseID": write.case_id},
        "ServiceStartDate": day,
        "ServiceEndDate": day,
        "PostDate": _midnight(write.post_date),
        "RenderingProvider": {"ProviderID": write.rendering_provider_id},
        "ServiceLocation": {"LocationID": write.location_id},
        "PlaceOfService": {"PlaceOfServiceCode": write.place_of_service_code},
        "EncounterStatus": write.status,
        "ServiceLines": {"ServiceLineReq": [_line(one, day) for one in write.lines]},
    }
    if write.supervising_provider_id is not None:
        body["SupervisingProvider"] = {"ProviderID": write.supervising_provider_id}
    texts = {"MedicalOfficeNotes": write.notes, "BatchNumber": write.batch_number}
    texts["AuthorizationNumber"] = write.authorization_number
    body |= {name: text for name, text in texts.items() if text}
    if write.further_diagnoses:
        body["OrphanDiagnosisCodes"] = {
            f"OrphanDiagnosisCode{number}": code for number, code in enumerate(write.further_diagnoses, start=1)
        }
    return body


def _midnight(day: date) -> datetime:
    """A calendar date goes without a zone, or a server in another one would shift the day."""
    return datetime.combine(day, time())


def _line(one: wire.EncounterLine, day: datetime) -> dict[str, object]:
    line: dict[str, object] = {
        "ProcedureCode": one.procedure_code,
        "Minutes": 0,
        "ServiceStartDate": day,
        "ServiceEndDate": day,
    }
    amounts = {"Units": one.units, "UnitCharge": one.unit_charge}
    line |= {name: amount for name, amount in amounts.items() if amount is not None}
    line |= {f"ProcedureModifier{number}": code for number, code in enumerate(one.modifiers, start=1)}
    line |= {f"DiagnosisCode{number}": code for number, code in enumerate(one.diagnoses, start=1)}
    return line
