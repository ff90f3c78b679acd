"""Notes and the life of bills: signed, sent or failed, corrected and sent again, frozen once billed."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from daemon.sandbox.elation.fields import Record, as_instant, as_text, check, detail, refused
from daemon.sandbox.elation.shapes import BILL
from daemon.sandbox.elation.state import State

_EMPTY: Final = (None, "")
_UNBILLED: Final[Record] = {
    "payment": None,
    "prior_authorization": None,
    "ref_number": None,
    "billing_date": None,
    "billing_error": None,
    "billing_raw_error": None,
    "billing_status": "Unbilled",
}


def sign_note(
    state: State,
    *,
    patient: Record,
    physician: int,
    service_location: int | None,
    service_date: str | datetime | date,
    cpts: list[Record],
    notes: str | None,
    deferred: bool,
) -> tuple[Record, Record]:
    """A signed visit note and its bill, Unbilled. `service_date` is an instant, or a day (then noon at the place)."""
    practice = patient["caregiver_practice"]
    signer = state.refer("physician", "physicians", physician, practice)
    zone = _zone(state, practice, service_location)
    moment = _moment(service_date, zone)
    note_id, bill_id, stamp = state.new_id(), state.new_id(), state.stamp()
    shared: Record = {"patient": patient["id"], "physician": physician, "practice": practice}
    note: Record = {"id": note_id, **shared, **_signed(moment, stamp, signer["user_id"])}
    bill: Record = {
        "id": bill_id,
        **shared,
        "visit_note_id": note_id,
        "visit_note_signed_date": stamp,
        "visit_note_deleted_date": None,
        "billing_provider": physician,
        "rendering_provider": physician,
        "supervising_provider": None,
        "referring_provider": None,
        "ordering_provider": None,
        "service_date": moment,
        "service_date_timezone": zone,
        "service_location": service_location,
        "cpts": [_line(state, practice, line) for line in cpts],
        "notes": notes,
        **_UNBILLED,
        "deferred_bill": deferred,
        "created_date": stamp,
    }
    state.insert("visit_notes", note, None)
    state.insert("bills", bill, None)
    return note, bill


def _signed(moment: str, stamp: str, signer: int) -> Record:
    """What a visit note has beside its patient: signed at once, by its author."""
    return {
        "document_date": moment,
        "chart_date": moment,
        "created_date": stamp,
        "deleted_date": None,
        "signed_date": stamp,
        "signed_by": signer,
        "signatures": [],
        "amendment_request": None,
        "clinical_summary_link": None,
        "visit_summary_link": None,
        "template": "SOAP",
        "type": "Office Visit Note",
        "confidential": False,
        "edits": [],
        "checklists": {},
        "bullets": [
            {"category": "Assessment", "text": "Rehearsal: clinical text that a sync must never keep.", "version": 1}
        ],
    }


def patch(state: State, bill: Record, body: object, *, by: str) -> Record:
    """What a billing application reports: processed (number and date) or failed (an error), never both. Raises Refusal."""
    values = check(BILL, body, partial=True)
    if bill["billing_status"] == "Billed" and state.switches.billed_bill_immutable:
        raise detail(400, "This bill has been billed and can no longer be updated.")
    if isinstance(body, dict) and "cpts" in body:
        raise refused(cpts="The sandbox takes no service lines from an application.")
    number, day = values.get("ref_number"), values.get("billing_date")
    failed = [values[name] for name in ("billing_error", "billing_raw_error") if values.get(name) not in _EMPTY]
    if failed and (number not in _EMPTY or day is not None):
        raise detail(400, "A bill is either processed or failed: send ref_number and billing_date, or billing_error.")
    sent = values.pop("metadata", False)
    if sent is not False:
        state.write_metadata("bills", bill["id"], by, sent)
    bill.update(values)
    if number not in _EMPTY and day is not None:
        bill.update({"billing_status": "Billed", "billing_error": None, "billing_raw_error": None})
    elif failed:
        bill["billing_status"] = "UnresolvedError"
    return state.save("bills", bill, by)


def release(state: State, bill: Record, *, by: str | None) -> Record:
    """Send to PMS: the end of Delayed Billing for this bill."""
    if state.switches.release_clears_deferred:
        bill["deferred_bill"] = False
    return state.save("bills", bill, by)


def edit(state: State, bill: Record, changes: Record, *, resend: bool) -> Record:
    """A user's edit of a bill; `resend` is "Save & Re-send", after which nothing but the cleared error tells."""
    allowed = {"cpts", "notes", "service_location", "service_date", "prior_authorization", "physician", "rendering_provider"}
    if not changes.keys() <= allowed:
        raise refused(**dict.fromkeys(changes.keys() - allowed, "A user cannot change this field of a bill."))
    changes = dict(changes)
    if "cpts" in changes:
        changes["cpts"] = [_line(state, bill["practice"], line) for line in changes["cpts"]]
    if changes.get("service_location") is not None:
        state.refer("service_location", "service_locations", changes["service_location"], bill["practice"])
    for name in ("physician", "rendering_provider"):
        if changes.get(name) is not None:
            state.refer(name, "physicians", changes[name], bill["practice"])
    if "service_date" in changes:
        changes["service_date"] = _moment(changes["service_date"], bill["service_date_timezone"])
    bill.update(changes)
    if resend and bill["billing_status"] != "Billed":
        bill.update({"billing_error": None, "billing_raw_error": None, "billing_status": state.switches.resaved_status})
    return state.save("bills", bill, None)


def delete_note(state: State, note: Record) -> None:
    """The note goes, its bill stays in sight and says so."""
    state.delete("visit_notes", note, None)
    for bill in state.tables["bills"].values():
        if bill["visit_note_id"] == note["id"]:
            bill["visit_note_deleted_date"] = note["deleted_date"]
            state.save("bills", bill, None)


def _zone(state: State, practice: int, service_location: int | None) -> str:
    place: Record = {}
    if service_location is not None:
        place = state.refer("service_location", "service_locations", service_location, practice)
    return str(place.get("timezone") or state.tables["practices"][practice]["timezone"])


def _moment(given: str | datetime | date, zone: str) -> str:
    if isinstance(given, str):
        given = as_instant(given) if len(given) > 10 else date.fromisoformat(given)
    if not isinstance(given, datetime):
        given = datetime.combine(given, time(12), ZoneInfo(zone))
    return as_text(given)


def _line(state: State, practice: int, line: Record) -> Record:
    """The read form of a service line; `ndc` and its kin are absent, as in the vendor's samples."""
    modifiers = [str(modifier) for modifier in line.get("modifiers") or ()]
    if len(modifiers) > 4:
        raise refused(cpts="A service line has at most four modifiers.")
    codes = state.tables["billing_codes"].values()
    known = next((one["description"] for one in codes if one["practice"] == practice and one["code"] == line["cpt"]), None)
    return {
        "cpt": str(line["cpt"]),
        "description": line.get("description", known),
        "modifiers": modifiers,
        "dxs": [str(code) for code in line.get("dxs") or ()],
        "alt_dxs": [str(code) for code in line.get("alt_dxs") or ()],
        "units": _decimal(line.get("units", 1), places="0.1"),
        "unit_charge": _decimal(line.get("unit_charge"), places="0.01"),
    }


def _decimal(value: object, *, places: str) -> str | None:
    return None if value is None else str(Decimal(str(value)).quantize(Decimal(places)))
