"""CreateEncounter: an encounter with its charges, all or nothing.

What the account does not know refuses the whole of it; the error message is an XML echo of the encounter with `<err>` inside
the offending elements. It therefore quotes the patient.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime

from lxml import etree

from daemon.sandbox.kareo.calling import Call
from daemon.sandbox.kareo.records import Case, Encounter, Patient, Practice, ServiceLine
from daemon.sandbox.kareo.values import calendar_day
from daemon.sandbox.kareo.wire import RefusedError, Values

Path = tuple[str | int, ...]

PROVIDERS = ("RenderingProvider", "SupervisingProvider", "ReferringProvider", "SchedulingProvider")
TEXTS: Mapping[str, str] = {
    "batch_number": "BatchNumber",
    "external_id": "EncounterExternalID",
    "authorization_number": "AuthorizationNumber",
    "medical_notes": "MedicalOfficeNotes",
    "business_notes": "BusinessOfficeNotes",
}
"""An encounter's texts that are kept as they come."""

OVERALL = 6100
STATUS: Mapping[str, str] = {"Submitted": "Review"}
"""The enum's word to the screens' where they differ."""

DIAGNOSIS = re.compile(r"[A-Z][0-9][0-9A-Z](\.?[0-9A-Z]{1,4})?")
ERRORS = {
    "required": (6001, "The value is required."),
    "patient": (6010, "The patient was not found in the practice."),
    "case": (6011, "The case was not found for the patient."),
    "provider": (6020, "The provider was not found in the practice."),
    "location": (6030, "The service location was not found in the practice."),
    "place": (6031, "The place of service code was not found."),
    "procedure": (6040, "The procedure code was not found."),
    "modifier": (6041, "The procedure modifier was not found."),
    "diagnosis": (6042, "The diagnosis code was not found."),
    "units": (6043, "The units must be greater than zero."),
}
"""The numbers and words are the sandbox's own; only 6100 has been seen."""


class Findings:
    """What is wrong with an encounter, by the path of the element."""

    def __init__(self) -> None:
        self.found: dict[Path, tuple[int, str]] = {}

    def add(self, path: Path, kind: str) -> None:
        self.found.setdefault(path, ERRORS[kind])


def create_encounter(call: Call, request: Values) -> Values:
    """There is no check for duplicates; BatchNumber can be found by GetCharges, the external id by nothing."""
    written: Values = request.get("Encounter") or {}
    findings = Findings()
    practice = _practice(call, written, findings)
    encounter = None if practice is None else _encounter(call, practice, written, findings)
    if encounter is None:
        raise RefusedError(echo(written, findings))
    call.state.encounters[encounter.id] = encounter
    return encounter_response(call, encounter)


def encounter_response(call: Call, encounter: Encounter) -> Values:
    """CreateEncounterResp."""
    return {
        "AppointmentID": encounter.appointment_id,
        "EncounterExternalID": encounter.external_id or None,
        "EncounterID": encounter.id,
        "ExternalVendorID": encounter.external_vendor_id,
        "PatientCaseID": encounter.case_id,
        "PatientID": encounter.patient_id,
        "PracticeID": encounter.practice_id,
        "PracticeName": call.state.practices[encounter.practice_id].name,
        "ReferringProviderID": encounter.referring_id,
        "RenderingProviderID": encounter.rendering_id,
        "SchedulingProviderID": encounter.scheduling_id,
        "ServiceLinesAdded": [
            {"EncounterID": encounter.id, "ServiceLineExternalID": line.external_id or None, "ServiceLineID": line.id}
            for line in encounter.lines
        ],
        "ServiceLocationID": encounter.location_id,
        "SupervisingProviderID": encounter.supervising_id,
    }


# -- the parts --------------------------------------------------------------------------------------------------------


def _encounter(call: Call, practice: Practice, written: Values, findings: Findings) -> Encounter | None:
    """As it is written; None when anything is wrong with it."""
    patient = _patient(call, practice, written, findings)
    case = None if patient is None else _case(call, patient, written, findings)
    providers = {member: _provider(call, practice, written, member, findings) for member in PROVIDERS}
    location = _location(call, practice, written, findings)
    start, post = (_required_day(call, written, member, findings) for member in ("ServiceStartDate", "PostDate"))
    lines = [_line(call, line, at, findings) for at, line in enumerate(written.get("ServiceLines", []))]
    if not lines:
        findings.add(("ServiceLines",), "required")
    orphans = _orphans(call, written, findings)
    place = _place_of_service(written, findings)
    rendering = providers["RenderingProvider"]
    if patient is None or case is None or location is None or rendering is None or start is None or post is None:
        return None
    if findings.found:
        return None
    return Encounter(
        id=call.state.new_id("encounters"),
        practice_id=practice.id,
        patient_id=patient.id,
        case_id=case.id,
        status=STATUS.get(status := written.get("EncounterStatus", "Draft"), status),
        service_start=start,
        service_end=_day(call, written, "ServiceEndDate") or start,
        post_date=post,
        location_id=location,
        place_of_service=place or call.state.locations[location].place_of_service,
        rendering_id=rendering,
        supervising_id=providers["SupervisingProvider"],
        referring_id=providers["ReferringProvider"],
        scheduling_id=providers["SchedulingProvider"],
        appointment_id=(written.get("Appointment") or {}).get("AppointmentID"),
        external_vendor_id=written.get("ExternalVendorID"),
        amount_paid=(written.get("Payment") or {}).get("AmountPaid", ""),
        orphan_diagnoses=orphans,
        lines=[line for line in lines if line is not None],
        created=call.now,
        modified=call.now,
        **{name: written.get(member, "") for name, member in TEXTS.items()},
    )


def _required_day(call: Call, written: Values, member: str, findings: Findings) -> date | None:
    day = _day(call, written, member)
    if day is None:
        findings.add((member,), "required")
    return day


def _place_of_service(written: Values, findings: Findings) -> str | None:
    """Its code, where one is given: any two digits."""
    code: str | None = (written.get("PlaceOfService") or {}).get("PlaceOfServiceCode")
    if code and not re.fullmatch(r"\d\d", code):
        findings.add(("PlaceOfService", "PlaceOfServiceCode"), "place")
    return code


def _day(call: Call, written: Values, member: str) -> date | None:
    value: datetime | None = written.get(member)
    return None if value is None else calendar_day(value, call.switches.list_zone)


def _practice(call: Call, written: Values, findings: Findings) -> Practice | None:
    try:
        return call.practice(written.get("Practice"))
    except RefusedError:
        findings.add(("Practice",), "required")
        return None


def _patient(call: Call, practice: Practice, written: Values, findings: Findings) -> Patient | None:
    reference: Values = written.get("Patient") or {}
    patient_id = reference.get("PatientID")
    if not patient_id and reference.get("ExternalID"):
        owners = [one.ids.get(reference["ExternalID"]) for one in call.state.vendors.values()]
        patient_id = next((owner for owner in owners if owner is not None), None)
    patient = call.state.patient_of(call.customer, patient_id)
    if patient is None or patient.practice_id != practice.id:
        findings.add(("Patient", "PatientID"), "patient")
        return None
    return patient


def _case(call: Call, patient: Patient, written: Values, findings: Findings) -> Case | None:
    reference: Values = written.get("Case") or {}
    cases = [case for case in call.state.cases_of(patient.id) if case.active]
    if reference.get("CaseID"):
        cases = [case for case in cases if case.id == reference["CaseID"]]
    elif any(reference.get(name) for name in ("CaseName", "CasePayerScenario", "ExternalID")):
        cases = [
            case
            for case in cases
            if reference.get("CaseName", case.name) == case.name
            and reference.get("CasePayerScenario", case.payer_scenario) == case.payer_scenario
            and reference.get("ExternalID", case.external_id) == case.external_id
        ]
    else:
        cases = [] if call.switches.case_required else [case for case in cases if case.is_primary]
    if not cases:
        findings.add(("Case", "CaseID"), "case")
        return None
    return cases[0]


def _provider(call: Call, practice: Practice, written: Values, member: str, findings: Findings) -> int | None:
    """By id, else NPI, else names. Only the rendering provider is required."""
    reference: Values = written.get(member) or {}
    given = [name for name in ("ProviderID", "NPI", "LastName") if reference.get(name)]
    if not given:
        if member == "RenderingProvider":
            findings.add((member,), "required")
        return None
    for one in call.state.providers.values():
        if one.practice_id != practice.id or not one.active:
            continue
        if given[0] == "ProviderID":
            matches = one.id == reference["ProviderID"]
        elif given[0] == "NPI":
            matches = one.npi == reference["NPI"]
        else:
            matches = (one.first_name, one.last_name) == (reference.get("FirstName"), reference["LastName"])
        if matches:
            return one.id
    findings.add((member, given[0]), "provider")
    return None


def _location(call: Call, practice: Practice, written: Values, findings: Findings) -> int | None:
    reference: Values = written.get("ServiceLocation") or {}
    id_, name = reference.get("LocationID"), reference.get("LocationName")
    for one in call.state.locations.values():
        if one.practice_id == practice.id and (one.id == id_ or (not id_ and name and one.name == name)):
            return one.id
    findings.add(("ServiceLocation", "LocationID" if id_ or not name else "LocationName"), "location")
    return None


def _known_diagnosis(call: Call, code: str) -> bool:
    return bool(DIAGNOSIS.fullmatch(code)) and code.replace(".", "") not in call.state.refused_diagnoses


def _orphans(call: Call, written: Values, findings: Findings) -> list[str]:
    given: Values = written.get("OrphanDiagnosisCodes") or {}
    codes = []
    for at in range(1, 13):
        code = given.get(f"OrphanDiagnosisCode{at}")
        if code:
            codes.append(code)
            if not _known_diagnosis(call, code):
                findings.add(("OrphanDiagnosisCodes", f"OrphanDiagnosisCode{at}"), "diagnosis")
    return codes


def _line(call: Call, written: Values, at: int, findings: Findings) -> ServiceLine | None:
    path: Path = ("ServiceLines", at)
    state = call.state
    code = written.get("ProcedureCode", "")
    known = {one.code for one in state.procedure_codes.values() if one.customer_key == call.customer.key and one.active}
    if code not in known:
        findings.add((*path, "ProcedureCode"), "procedure" if code else "required")
    modifiers = _given(written, "ProcedureModifier")
    diagnoses = _given(written, "DiagnosisCode")
    for member, value in modifiers:
        if value not in state.modifiers:
            findings.add((*path, member), "modifier")
    for member, value in diagnoses:
        if not _known_diagnosis(call, value):
            findings.add((*path, member), "diagnosis")
    if not written.get("DiagnosisCode1"):
        findings.add((*path, "DiagnosisCode1"), "required")
    units = written.get("Units", 0.0 if call.switches.units_required else 1.0)
    if not units > 0:
        findings.add((*path, "Units"), "units")
    start = _day(call, written, "ServiceStartDate")
    if start is None:
        findings.add((*path, "ServiceStartDate"), "required")
        return None
    return ServiceLine(
        id=state.new_id("service_lines"),
        procedure_code=code,
        modifiers=[value for _, value in modifiers],
        diagnoses=[value for _, value in diagnoses],
        units=units,
        unit_charge=written.get("UnitCharge", 0.0),
        minutes=written.get("Minutes", 0),
        note=written.get("LineNote", ""),
        ref_code=written.get("RefCode", ""),
        type_of_service=written.get("TypeofService", ""),
        external_id=written.get("ExternalID", ""),
        start=start,
        end=_day(call, written, "ServiceEndDate") or start,
    )


def _given(written: Values, stem: str) -> list[tuple[str, str]]:
    return [(f"{stem}{at}", written[f"{stem}{at}"]) for at in range(1, 5) if written.get(f"{stem}{at}")]


# -- the echo ---------------------------------------------------------------------------------------------------------


def echo(written: Values, findings: Findings) -> str:
    """The encounter as XML with an `<err id>` in each offending element, and an overall one of 6100."""
    root = etree.Element("Encounter")
    _echo(root, written, (), findings)
    overall = etree.SubElement(root, "err", id=str(OVERALL))
    overall.text = "The encounter was not created."
    text: str = etree.tostring(root, encoding="unicode")
    return text


def _echo(parent: etree._Element, written: Values, path: Path, findings: Findings) -> None:
    here = [one[len(path)] for one in findings.found if one[: len(path)] == path and len(one) > len(path)]
    for name in dict.fromkeys([*written, *(str(one) for one in here)]):
        child = etree.SubElement(parent, name)
        value = written.get(name)
        inner = (*path, name)
        if isinstance(value, list):
            for at, one in enumerate(value):
                _echo(etree.SubElement(child, "ServiceLine"), one, (*inner, at), findings)
        elif isinstance(value, dict) or value is None:
            _echo(child, value or {}, inner, findings)
        else:
            child.text = (
                value.isoformat() if isinstance(value, date) else f"{value:.15g}" if isinstance(value, float) else str(value)
            )
        if inner in findings.found:
            number, words = findings.found[inner]
            etree.SubElement(child, "err", id=str(number)).text = words
