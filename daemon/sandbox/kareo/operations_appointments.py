"""Appointments: the list, the single record, creating, changing, deleting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from daemon.sandbox.kareo.calling import Call, Handler, only
from daemon.sandbox.kareo.records import Appointment, Patient
from daemon.sandbox.kareo.values import filter_time, flag, instant, list_time, squeeze, wall_time
from daemon.sandbox.kareo.wire import RefusedError, Values

LIST_STATUS = {"CheckedIn": "Check-in", "NoShow": "No-show", "CheckedOut": "Check-out"}
"""Where the list spells a status otherwise than the single operations' enum."""

LONGEST_WINDOW = timedelta(days=60)
DEFAULT_WINDOW = timedelta(days=7)
DEFAULT_PAST = timedelta(days=3)
NAMED_PLACES = 10
"""ResourceName1..10 and AppointmentReason1..10."""


def get_appointments(call: Call, request: Values) -> Values:
    filter_ = request["Filter"]
    practices = {one.id: one for one in call.practices(filter_.get("PracticeName"))}
    low, high = _window(call, filter_)
    rows: list[Values] = []
    for one in call.state.appointments.values():
        start = _shown(call, filter_, one.start)
        if (
            one.deleted
            or one.practice_id not in practices
            or call.now < one.created + timedelta(seconds=call.switches.appointment_list_lag_seconds)
            or not call.within(filter_, one.created, one.modified)
            or (low is not None and start < low)
            or (high is not None and start > high)
        ):
            continue
        row = _list_row(call, filter_, one)
        if _asked_for(filter_, row):
            rows.append(row)
    return {"Appointments": call.rows(request, rows)}


def _window(call: Call, filter_: Values) -> tuple[datetime | None, datetime | None]:
    """By the client's clock. Defaults: 3 days back and 7 days long, unless a created or modified range has both its ends."""
    start = filter_time(filter_["StartDate"]) if filter_.get("StartDate") else None
    end = filter_time(filter_["EndDate"]) if filter_.get("EndDate") else None
    if start is not None and end is not None:
        if end - start > LONGEST_WINDOW:
            raise RefusedError("The range between StartDate and EndDate is too long.")
        return start, end
    if start is not None:
        return start, start + DEFAULT_WINDOW
    if end is not None:
        return end - DEFAULT_WINDOW, end
    if any(filter_.get("From" + name) and filter_.get("To" + name) for name in ("CreatedDate", "LastModifiedDate")):
        return None, None
    today = _shown(call, filter_, call.now).replace(hour=0, minute=0, second=0)
    return today - DEFAULT_PAST, today - DEFAULT_PAST + DEFAULT_WINDOW


def _shown(call: Call, filter_: Values, when: datetime) -> datetime:
    """Naive time at `TimeZoneOffsetFromGMT`, in hours; without it on the server's clock."""
    offset = filter_.get("TimeZoneOffsetFromGMT")
    if not offset:
        return wall_time(when, call.switches.list_zone)
    try:
        shift = timedelta(hours=float(offset))
    except (ValueError, OverflowError):
        raise RefusedError("TimeZoneOffsetFromGMT is not a number of hours.") from None
    return (when.astimezone(UTC) + shift).replace(tzinfo=None)


def _asked_for(filter_: Values, row: Values) -> bool:
    exact = ("AppointmentReason1", "ConfirmationStatus", "PatientCasePayerScenario", "PatientID", "ServiceLocationName")
    wanted = filter_ | {"AppointmentReason1": filter_.get("AppointmentReason")}
    if not all(only(wanted, name, row.get(name)) for name in exact):
        return False
    if filter_.get("PatientFullName") and squeeze(filter_["PatientFullName"]) != squeeze(row.get("PatientFullName") or ""):
        return False
    if filter_.get("ResourceName"):
        names = {squeeze(row.get(f"ResourceName{at}") or "") for at in range(1, NAMED_PLACES + 1)}
        if squeeze(filter_["ResourceName"]) not in names:
            return False
    return not filter_.get("Type") or filter_["Type"][:1].upper() == row["Type"]


def _list_row(call: Call, filter_: Values, one: Appointment) -> Values:
    state = call.state
    patient, case = state.patients.get(one.patient_id or 0), state.cases.get(one.case_id or 0)
    reason = state.reasons.get(one.reason_id or 0)
    row: Values = {
        "AllDay": flag(one.all_day),
        "AppointmentReason1": None if reason is None else reason.name,
        "ConfirmationStatus": LIST_STATUS.get(one.status, one.status),
        "CreatedDate": call.stamp(one.created),
        "EndDate": list_time(_shown(call, filter_, one.end)),
        "ID": str(one.id),
        "LastModifiedDate": call.stamp(one.modified),
        "Notes": one.notes or None,
        "PatientCaseID": None if case is None else str(case.id),
        "PatientCaseName": None if case is None else case.name,
        "PatientCasePayerScenario": None if case is None else case.payer_scenario or None,
        "PatientFullName": None if patient is None else patient.full_name,
        "PatientID": None if patient is None else str(patient.id),
        "PracticeID": str(one.practice_id),
        "PracticeName": state.practices[one.practice_id].name,
        "Recurring": flag(one.is_recurring),
        "ServiceLocationName": state.locations[one.location_id].name,
        "StartDate": list_time(_shown(call, filter_, one.start)),
        "Type": one.type,
    }
    names = [name for name in (state.provider_name(one.provider_id), *one.rooms) if name]
    return row | {f"ResourceName{at}": name for at, name in enumerate(names[:NAMED_PLACES], start=1)}


def single(call: Call, one: Appointment) -> Values:
    """AppointmentCreate, the form of the single operations: ids and instants."""
    patient = call.state.patients.get(one.patient_id or 0)
    summary = None if patient is None else _summary(patient)
    return {
        "AppointmentId": one.id,
        "AppointmentName": one.name or None,
        "AppointmentReasonId": one.reason_id or 0,
        "AppointmentStatus": one.status,
        "AppointmentType": one.type,
        "CreatedAt": one.created,
        "EndTime": one.end,
        "IsDeleted": one.deleted,
        "IsGroupAppointment": one.is_group,
        "IsRecurring": one.is_recurring,
        "MaxAttendees": one.max_attendees,
        "Notes": one.notes or None,
        "OccurrenceId": one.occurrence_id,
        "PatientCaseId": one.case_id,
        "PatientSummaries": [summary | {"Status": "PRESENT"}] if one.is_group and summary is not None else None,
        "PatientSummary": None if one.is_group else summary,
        "PracticeId": one.practice_id,
        "ProviderId": one.provider_id or 0,
        "ResourceId": one.resource_id or 0,
        "ResourceIds": one.resource_ids or None,
        "ServiceLocationId": one.location_id,
        "StartTime": one.start,
        "UpdatedAt": one.modified,
        "WasCreatedOnline": one.online,
    }


def _summary(patient: Patient) -> Values:
    born = patient.dob
    return {
        "DateOfBirth": None if born is None else datetime(born.year, born.month, born.day),
        "Email": patient.email or None,
        "FirstName": patient.first_name,
        "HomePhone": patient.home_phone or None,
        "LastName": patient.last_name,
        "MiddleName": patient.middle_name or None,
        "MobilePhone": patient.mobile_phone or None,
        "PatientId": patient.id,
        "PracticeId": patient.practice_id,
        "WorkPhone": patient.work_phone or None,
    }


def _find(call: Call, appointment_id: int | None) -> Appointment:
    found = call.state.appointments.get(appointment_id or 0)
    if found is None or call.state.practices[found.practice_id].customer_key != call.customer.key:
        raise RefusedError("Could not find the appointment.")
    return found


def get_appointment(call: Call, request: Values) -> Values:
    found = _find(call, (request.get("Appointment") or {}).get("AppointmentId"))
    if found.deleted and call.switches.deleted_appointment == "refused":
        raise RefusedError("Could not find the appointment.")
    return {"Appointment": single(call, found)}


def _accept(call: Call, written: Values) -> None:
    """Raises `RefusedError` where the account takes no such appointment: it is translated to a newer request inside."""
    match call.switches.create_appointment:
        case "untranslatable":
            raise RefusedError("Error translating AppointmentCreate to CreateAppointmentV3Request.")
        case "needs_guids":
            raise RefusedError("Appointment must have valid ProviderGuids or ResourceGuids.")
        case "reason_required" if not written.get("AppointmentReasonId"):
            raise RefusedError("The reason of the appointment is required.")


def _zone(call: Call) -> str:
    """The zone of an instant that is sent without one."""
    return "UTC" if call.switches.appointment_times_without_zone == "utc" else call.switches.list_zone


def _noted(call: Call, text: str) -> str:
    return text[: call.switches.appointment_notes_width]


def create_appointment(call: Call, request: Values) -> Values:
    written: Values = request.get("Appointment") or {}
    _accept(call, written)
    practice = call.practice({"PracticeID": written.get("PracticeId")})
    summary: Values = written.get("PatientSummary") or {}
    patient_id = summary.get("PatientId") or None
    if written["AppointmentType"] == "P" and patient_id is None:
        raise RefusedError("The patient of the appointment is required.")
    created = Appointment(
        id=call.state.new_id("appointments"),
        practice_id=practice.id,
        patient_id=patient_id,
        provider_id=written.get("ProviderId") or None,
        location_id=written["ServiceLocationId"],
        start=instant(written["StartTime"], _zone(call)),
        end=instant(written["EndTime"], _zone(call)),
        reason_id=written.get("AppointmentReasonId") or None,
        resource_id=written.get("ResourceId") or None,
        resource_ids=written.get("ResourceIds", []),
        status=written["AppointmentStatus"],
        type=written["AppointmentType"],
        name=written.get("AppointmentName", ""),
        notes=_noted(call, written.get("Notes", "")),
        case_id=written.get("PatientCaseId"),
        is_group=written.get("IsGroupAppointment", False),
        is_recurring=written["IsRecurring"],
        max_attendees=written.get("MaxAttendees", 0),
        online=written.get("WasCreatedOnline", False),
        created=call.now,
        modified=call.now,
    )
    _check(call, created)
    call.state.appointments[created.id] = created
    return {"Appointment": single(call, created)}


def update_appointment(call: Call, request: Values) -> Values:
    """What is not nillable and absent becomes 0 or false, if the switch says so."""
    written: Values = request.get("Appointment") or {}
    found = _find(call, written.get("AppointmentId"))
    if found.deleted:
        raise RefusedError("Could not find the appointment.")
    changed = replace(found)
    erases, zone = call.switches.absent_erases_appointment, _zone(call)
    for name, member in (("provider_id", "ProviderId"), ("resource_id", "ResourceId"), ("reason_id", "AppointmentReasonId")):
        if member in written or erases:
            setattr(changed, name, written.get(member) or None)
    for name, member in (
        ("is_group", "IsGroupAppointment"),
        ("is_recurring", "IsRecurring"),
        ("max_attendees", "MaxAttendees"),
    ):
        if member in written or erases:
            setattr(changed, name, written.get(member, type(getattr(changed, name))()))
    for name, member in (
        ("status", "AppointmentStatus"),
        ("name", "AppointmentName"),
        ("notes", "Notes"),
        ("case_id", "PatientCaseId"),
        ("occurrence_id", "OccurrenceId"),
        ("resource_ids", "ResourceIds"),
    ):
        if member in written:
            setattr(changed, name, written[member])
    if "AppointmentStatus" not in written and call.switches.absent_status_in_update == "sets_unknown":
        changed.status = "Unknown"
    changed.notes = _noted(call, changed.notes)
    changed.patient_id = written["PatientId"] or None
    changed.location_id = written["ServiceLocationId"]
    if "StartTime" in written:
        changed.start = instant(written["StartTime"], zone)
    if "EndTime" in written:
        changed.end = instant(written["EndTime"], zone)
    changed.modified = call.now
    _check(call, changed)
    call.state.appointments[found.id] = changed
    return {"Appointment": single(call, changed)}


def _check(call: Call, one: Appointment) -> None:
    """Raises `RefusedError` for whoever or whatever the practice does not have."""
    state = call.state
    patient = state.patient_of(call.customer, one.patient_id)
    if one.patient_id is not None and (patient is None or patient.practice_id != one.practice_id):
        raise RefusedError("Could not find the patient of the appointment.")
    location = state.locations.get(one.location_id)
    if location is None or location.practice_id != one.practice_id:
        raise RefusedError("Could not find the service location of the appointment.")
    provider = state.providers.get(one.provider_id or 0)
    if one.provider_id is not None and (provider is None or provider.practice_id != one.practice_id):
        raise RefusedError("Could not find the provider of the appointment.")
    if one.reason_id is not None and one.reason_id not in state.reasons:
        raise RefusedError("Could not find the reason of the appointment.")
    if one.end < one.start:
        raise RefusedError("The appointment ends before it starts.")


def delete_appointment(call: Call, request: Values) -> Values:
    found = _find(call, (request.get("Appointment") or {}).get("AppointmentId"))
    if found.deleted and call.switches.delete_twice == "refused":
        raise RefusedError("Could not find the appointment.")
    if found.deleted:
        return {"AppointmentId": found.id, "Deleted": call.switches.delete_twice == "ok_true"}
    found.deleted = True
    found.modified = call.now
    return {"AppointmentId": found.id, "Deleted": True}


OPERATIONS: Mapping[str, Handler] = {
    "GetAppointments": get_appointments,
    "GetAppointment": get_appointment,
    "CreateAppointment": create_appointment,
    "UpdateAppointment": update_appointment,
    "DeleteAppointment": delete_appointment,
}
