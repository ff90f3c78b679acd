"""Appointments: the full set on updates, lengths in steps of five, visit reasons that become types."""

from __future__ import annotations

from typing import Final

from daemon.sandbox.elation.fields import REQUIRED, Record, Refusal, check, refused
from daemon.sandbox.elation.shapes import APPOINTMENT, APPOINTMENT_SET
from daemon.sandbox.elation.state import State

_BLANK: Final[Record] = {
    "appointment_type_id": None,
    "billing_details": None,
    "deleted_date": None,
    "description": None,
    "instructions": None,
    "is_blocking": False,
    "mode": "IN_PERSON",
    "payment": None,
    "reason": None,
    "recurring_event_schedule": None,
    "service_location": None,
    "telehealth_details": None,
    "time_slot_status": None,
    "time_slot_type": "appointment",
    "transportation_details": None,
}


def create(state: State, body: object, *, by: str | None, practices: frozenset[int]) -> Record:
    """A new appointment, open slot or event; without a status it is Scheduled, without a length it takes its type's."""
    values = check(APPOINTMENT, body, partial=False)
    if state.switches.reason_required and by is not None and values.get("reason") is None:
        raise refused(reason=REQUIRED)
    _references(state, _BLANK | values, practices)
    key, stamp = state.new_id(), state.stamp()
    slot: Record = {"id": key, **_BLANK, "created_date": stamp, "status": None}
    if values.get("status") is None and values.get("time_slot_type", "appointment") == "appointment":
        values["status"] = {"status": "Scheduled"}
    _apply(state, slot, values, by)
    if "duration" not in values:
        kind = state.tables["appointment_types"].get(slot["appointment_type_id"] or 0)
        slot["duration"] = kind["default_duration"] if kind is not None else 15
    return state.insert("appointments", slot, by)


def update(state: State, slot: Record, body: object, *, by: str | None, practices: frozenset[int], whole: bool) -> Record:
    """Change an appointment. From an application it must carry the whole set, unless the switch says that part will do."""
    values = check(APPOINTMENT, body, partial=not whole)
    needed = APPOINTMENT_SET if by is not None and not state.switches.partial_appointment_updates else ()
    missing = [name for name in needed if name not in values]
    if missing:
        raise Refusal(400, {name: [REQUIRED] for name in missing})
    if "reason" in needed and state.switches.reason_required and values["reason"] is None:
        raise refused(reason="This field may not be null.")
    _references(state, slot | values, practices)
    _apply(state, slot, values, by)
    return state.save("appointments", slot, by)


def _references(state: State, values: Record, practices: frozenset[int]) -> None:
    practice = values["practice"]
    if practice not in practices:
        raise refused(practice=f'Invalid pk "{practice}" - object does not exist.')
    state.refer("physician", "physicians", values["physician"], practice)
    if values["patient"] is not None:
        state.refer("patient", "patients", values["patient"], practice)
    elif values["time_slot_type"] == "appointment":
        raise refused(patient="This field may not be null.")
    if values["service_location"] is not None:
        state.refer("service_location", "service_locations", values["service_location"], practice)
    if values.get("appointment_type_id") is not None:
        state.refer("appointment_type_id", "appointment_types", values["appointment_type_id"], practice)
    duration = values.get("duration", 15)
    if not 1 <= duration <= 1440 or duration % 5:
        raise refused(duration="Duration must be a multiple of 5 between 1 and 1440.")
    status = values.get("status") or {}
    if status.get("status_detail") and status["status"] != "Not Seen":
        raise Refusal(400, {"status": {"status_detail": ["Only an appointment that was not seen can have a detail."]}})
    if status.get("room") and status["room"] not in state.rooms.get(practice, ()):
        raise Refusal(400, {"status": {"room": ["This room does not exist in the practice."]}})


def _apply(state: State, slot: Record, values: Record, by: str | None) -> None:
    values = dict(values)
    sent = values.pop("metadata", False)
    if sent is not False and by is not None:
        state.write_metadata("appointments", slot["id"], by, sent)
    if values.get("status") is not None:
        before = slot["status"] or {}
        status = {"room": None, "status_detail": None} | values["status"]
        changed = before.get("status") != status["status"]
        values["status"] = status | {"status_date": state.stamp() if changed else before["status_date"]}
    practice: int = values["practice"] if "practice" in values else slot["practice"]
    if values.get("reason"):
        values["appointment_type_id"] = _type_named(state, values["reason"], practice)
    elif "reason" in values and "appointment_type_id" not in values:
        values["appointment_type_id"] = None
    elif values.get("appointment_type_id") is not None:
        values["reason"] = state.tables["appointment_types"][values["appointment_type_id"]]["name"]
    slot.update(values)
    slot["reason"] = slot["reason"] or None


def _type_named(state: State, name: str, practice: int) -> int:
    """The id of the practice's type of that name; an unknown one is created on the spot."""
    for key, kind in state.tables["appointment_types"].items():
        if kind["practice"] == practice and kind["name"] == name and kind["deleted_date"] is None:
            return key
    return int(add_type(state, practice, name=name)["id"])


def add_type(state: State, practice: int, *, name: str, default_duration: int = 15, is_telehealth: bool = False) -> Record:
    """A new appointment type."""
    key = state.new_id()
    state.tables["appointment_types"][key] = {
        "id": key,
        "name": name,
        "practice": practice,
        "default_duration": default_duration,
        "is_telehealth": is_telehealth,
        "abbreviation": name[:4],
        "color": "#6fa8dc",
        "description": "",
        "patient_bookable": False,
        "patient_form_hours_prior": 0,
        "patient_forms": [],
        "elation_note_template_ids": [],
        "sequence": len(state.tables["appointment_types"]) + 1,
        "visit_note_format": None,
        "visit_note_templates": [],
        "visit_note_type": None,
        "created_date": state.stamp(),
        "deleted_date": None,
    }
    return state.tables["appointment_types"][key]
