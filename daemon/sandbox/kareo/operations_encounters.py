"""Reading bills back: charges, encounter details, and their status."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from daemon.sandbox.kareo.billing import create_encounter, encounter_response
from daemon.sandbox.kareo.calling import Call, Handler, in_range, only
from daemon.sandbox.kareo.records import Encounter, Patient, ServiceLine
from daemon.sandbox.kareo.values import filter_time, list_date, midnight, money, quantity, squeeze, wall_time
from daemon.sandbox.kareo.wire import RefusedError, Values

STATUS_NUMBERS = {"Draft": "1", "Review": "2", "Approved": "3", "Rejected": "4", "Unpayable": "5"}
"""As GetEncounterDetails gives them."""

STATUSES = {"draft": "Draft", "review": "Review", "submitted": "Review", "approved": "Approved", "rejected": "Rejected"}
"""The free strings that UpdateEncounterStatus takes."""

HALF_GIVEN = timedelta(days=7)
LONGEST_POSTING = timedelta(days=60)


def get_charges(call: Call, request: Values) -> Values:
    """Of approved encounters only, unless `IncludeUnapprovedCharges` is the string "T". There is no filter by patient id."""
    filter_ = request["Filter"]
    practices = {one.id for one in call.practices(filter_.get("PracticeName"))}
    rows: list[Values] = []
    for encounter in call.state.encounters.values():
        if (
            encounter.practice_id not in practices
            or (encounter.status != "Approved" and filter_.get("IncludeUnapprovedCharges") != "T")
            or not _in_ranges(call, filter_, encounter)
        ):
            continue
        for line in encounter.lines:
            row = _charge(call, encounter, line)
            if _in_service(filter_, line.start) and _asked_for(filter_, row):
                rows.append(row)
    return {"Charges": call.rows(request, rows)}


def _in_ranges(call: Call, filter_: Values, encounter: Encounter) -> bool:
    """Each half-given pair is completed to 7 days; a posting range beyond 60 finds nothing."""
    zone = call.switches.list_zone
    low, high = filter_.get("FromPostingDate"), filter_.get("ToPostingDate")
    if low and high and filter_time(high) - filter_time(low) > LONGEST_POSTING:
        return False
    return (
        in_range(filter_, "PostingDate", _at_midnight(encounter.post_date), completed=HALF_GIVEN)
        and in_range(filter_, "CreatedDate", wall_time(encounter.created, zone), completed=HALF_GIVEN)
        and in_range(filter_, "LastModifiedDate", wall_time(encounter.modified, zone), completed=HALF_GIVEN)
    )


def _in_service(filter_: Values, day: date) -> bool:
    return in_range(filter_, "ServiceDate", _at_midnight(day), completed=HALF_GIVEN)


def _at_midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)


def _asked_for(filter_: Values, row: Values) -> bool:
    exact = (
        "BatchNumber",
        "ProcedureCode",
        "EncounterStatus",
        "Status",
        "BilledTo",
        "CasePayerScenario",
        "ServiceLocationName",
    )
    if not all(only(filter_, name, row.get(name)) for name in exact):
        return False
    for wanted, shown in (
        ("PatientName", "PatientName"),
        ("RenderingProviderFullName", "RenderingProviderName"),
        ("ReferringProviderFullName", "ReferringProviderName"),
        ("SchedulingProviderFullName", "SchedulingProviderName"),
    ):
        if filter_.get(wanted) and squeeze(filter_[wanted]) != squeeze(row.get(shown) or ""):
            return False
    code = filter_.get("DiagnosisCode")
    return not code or code in [row.get(f"EncounterDiagnosisID{at}") for at in range(1, 5)]


def _charge(call: Call, encounter: Encounter, line: ServiceLine) -> Values:
    state = call.state
    patient, case = state.patients[encounter.patient_id], state.cases[encounter.case_id]
    location = state.locations[encounter.location_id]
    approved = encounter.status == "Approved"
    total = line.units * line.unit_charge
    row: Values = {
        "AppointmentID": _id(encounter.appointment_id),
        "BatchNumber": encounter.batch_number or None,
        "BilledTo": "Insurance" if approved else None,
        "CaseName": case.name,
        "CasePayerScenario": case.payer_scenario or None,
        "CreatedDate": call.stamp(encounter.created),
        "EncounterID": str(encounter.id),
        "EncounterProcedureID": str(line.id),
        "EncounterStatus": encounter.status,
        "ID": str(line.id),
        "LastModifiedDate": call.stamp(encounter.modified),
        "LineNote": line.note or None,
        "Minutes": str(line.minutes) if line.minutes else None,
        **_whose(patient),
        "PostingDate": midnight(encounter.post_date),
        "PracticeID": str(encounter.practice_id),
        "PracticeName": state.practices[encounter.practice_id].name,
        "ProcedureCode": line.procedure_code,
        "RefCode": line.ref_code or None,
        **_provider(call, "Referring", encounter.referring_id),
        **_provider(call, "Rendering", encounter.rendering_id),
        **_provider(call, "Scheduling", encounter.scheduling_id),
        "ServiceEndDate": midnight(line.end),
        "ServiceLocationId": str(location.id),
        "ServiceLocationName": location.name,
        "ServiceLocationPlaceOfServiceCode": encounter.place_of_service or None,
        "ServiceStartDate": midnight(line.start),
        "Status": "Ready" if approved else "Pending",
        **_provider(call, "Supervising", encounter.supervising_id),
        "TotalBalance": money(total),
        "TotalCharges": money(total),
        "TypeOfService": line.type_of_service or None,
        "UnitCharge": money(line.unit_charge),
        "Units": quantity(line.units),
    }
    row |= {f"EncounterDiagnosisID{at}": code for at, code in enumerate(line.diagnoses[:4], start=1)}
    return row | {f"ProcedureModifier{at}": code for at, code in enumerate(line.modifiers[:4], start=1)}


def _whose(patient: Patient) -> Values:
    return {
        "PatientDateOfBirth": None if patient.dob is None else list_date(patient.dob),
        "PatientFirstName": patient.first_name,
        "PatientID": str(patient.id),
        "PatientLastName": patient.last_name,
        "PatientMiddleName": patient.middle_name or None,
        "PatientName": patient.full_name,
    }


def _provider(call: Call, role: str, provider: int | None) -> Values:
    return {f"{role}ProviderID": _id(provider), f"{role}ProviderName": call.state.provider_name(provider)}


def _id(value: int | None) -> str | None:
    return None if value is None else str(value)


def get_encounter_details(call: Call, request: Values) -> Values:
    """By encounter id only; the status is a number, the service lines are ids."""
    filter_ = request["Filter"]
    where: Values = filter_.get("Practice") or {}
    practices = {one.id for one in call.practices(where.get("PracticeName"), where.get("PracticeID"))}
    rows = [
        _details(call, one)
        for one in call.state.encounters.values()
        if one.practice_id in practices and str(one.id) == filter_.get("EncounterID")
    ]
    return {"EncounterDetails": call.rows(request, rows)}


def _details(call: Call, one: Encounter) -> Values:
    state = call.state
    patient, case, location = state.patients[one.patient_id], state.cases[one.case_id], state.locations[one.location_id]
    return {
        "AppointmentID": _id(one.appointment_id),
        "BatchNumber": one.batch_number or None,
        "CaseID": str(case.id),
        "CaseName": case.name,
        "CasePayerScenario": case.payer_scenario or None,
        "CreatedDate": call.stamp(one.created),
        "EncounterID": str(one.id),
        "EncounterStatus": STATUS_NUMBERS[one.status],
        "LastModifiedDate": call.stamp(one.modified),
        "PatientFirstName": patient.first_name,
        "PatientID": str(patient.id),
        "PatientLastName": patient.last_name,
        "PatientMiddleName": patient.middle_name or None,
        "PlaceOfServiceCode": one.place_of_service or None,
        "PostDate": midnight(one.post_date),
        "PracticeID": str(one.practice_id),
        "PracticeName": state.practices[one.practice_id].name,
        "ReferringProvider": state.provider_name(one.referring_id),
        "RenderingProvider": state.provider_name(one.rendering_id),
        "SchedulingProvider": state.provider_name(one.scheduling_id),
        "ServiceEndDate": midnight(one.service_end),
        "ServiceLines": [{"EncounterID": one.id, "ServiceLineID": line.id} for line in one.lines],
        "ServiceLocationID": str(location.id),
        "ServiceLocationName": location.name,
        "ServiceStartDate": midnight(one.service_start),
        "SupervisingProvider": state.provider_name(one.supervising_id),
    }


def update_encounter_status(call: Call, request: Values) -> Values:
    written: Values = request.get("EncounterUpdateStatus") or {}
    where: Values = written.get("Practice") or {}
    practices = {one.id for one in call.practices(where.get("PracticeName"), where.get("PracticeID"))}
    encounter = call.state.encounters.get(written.get("EncounterID", 0))
    if encounter is None or encounter.practice_id not in practices:
        raise RefusedError("Could not find the encounter.")
    status = STATUSES.get((written.get("EncounterStatus") or "").casefold())
    if status is None:
        raise RefusedError("The encounter status is not known.")
    encounter.status = status
    encounter.modified = call.now
    return encounter_response(call, encounter)


OPERATIONS: Mapping[str, Handler] = {
    "CreateEncounter": create_encounter,
    "GetCharges": get_charges,
    "GetEncounterDetails": get_encounter_details,
    "UpdateEncounterStatus": update_encounter_status,
}
