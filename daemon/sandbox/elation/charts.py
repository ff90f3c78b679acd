"""The rules of charts: required fields, two phones, one e-mail, the refusal of duplicates, merging."""

from __future__ import annotations

import copy
from typing import Final

from daemon.sandbox.elation.fields import Record, Refusal, check, refused
from daemon.sandbox.elation.shapes import PATIENT
from daemon.sandbox.elation.state import State

_BLANK: Final[Record] = {
    "actual_name": None,
    "address": None,
    "consents": [],
    "deleted_date": None,
    "emails": [],
    "emergency_contact": None,
    "employer": None,
    "ethnicity": "No ethnicity specified",
    "gender_identity": "unknown",
    "guarantor": None,
    "legal_gender_marker": None,
    "legal_gender_marker_display": None,
    "master_patient": None,
    "merged_into_chart": None,
    "middle_name": "",
    "mothers_maiden_name": None,
    "notes": None,
    "occupation": None,
    "phones": [],
    "preference": None,
    "preferred_contact": None,
    "preferred_language": None,
    "preferred_service_location": None,
    "previous_address": None,
    "previous_first_name": None,
    "previous_last_name": None,
    "previous_name": None,
    "primary_care_provider": None,
    "primary_care_provider_npi": None,
    "pronouns": None,
    "pronouns_display": None,
    "race": "No race specified",
    "sexual_orientation": "unknown",
    "sms_opt_in_status": None,
    "ssn": None,
    "suffix": "",
    "tags": [],
    "timezone": None,
    "verified": True,
    "vip": False,
}


def create(state: State, body: object, *, by: str | None, practices: frozenset[int], force: bool = False) -> Record:
    """A new chart. `force` is a person who clicked through the warning; an application gets a 409 for a likely duplicate."""
    values = check(PATIENT, body, partial=False)
    _references(state, values, practices)
    _contacts(values)
    if not force:
        _refuse_duplicate(state, values)
    key, stamp = state.new_id(), state.stamp()
    chart: Record = {
        "id": key,
        **_BLANK,
        "patient_status": {
            "status": "active",
            "inactive_reason": None,
            "deceased_date": None,
            "notes": None,
            "last_status_change": stamp,
        },
        "created_date": stamp,
    }
    for name in ("consents", "emails", "phones", "tags"):
        chart[name] = []
    _apply(state, chart, values, by)
    return state.insert("patients", chart, by)


def update(
    state: State, chart: Record, body: object, *, by: str | None, practices: frozenset[int], partial: bool = True
) -> Record:
    """Change a chart; arrays come whole. Any save moves `last_modified`, also one that changes nothing."""
    values = check(PATIENT, body, partial=partial)
    _references(state, {name: chart[name] for name in ("caregiver_practice", "primary_physician")} | values, practices)
    _contacts(values)
    _apply(state, chart, values, by)
    return state.save("patients", chart, by)


def find_duplicate(state: State, values: Record) -> Record | None:
    """The chart that Elation would take for the same person: names, sex and birth date, in the same practice."""
    compared = ("dob", "last_name", "first_name") + (() if state.switches.duplicates_ignore_sex else ("sex",))
    wanted = {name: _folded(values[name]) for name in compared}
    for chart in state.tables["patients"].values():
        merged = chart["merged_into_chart"] is not None
        hidden = not state.switches.duplicates_include_merged if merged else chart["deleted_date"] is not None
        if hidden or chart["caregiver_practice"] != values["caregiver_practice"]:
            continue
        if all(_folded(chart[name]) == text for name, text in wanted.items()):
            return chart
    return None


def merge(state: State, absorbed: Record, survivor: Record) -> None:
    """A user's merge: `absorbed` points to `survivor`, which takes over its data and so changes as well."""
    if absorbed["id"] == survivor["id"] or absorbed["caregiver_practice"] != survivor["caregiver_practice"]:
        raise refused(survivor="Two different charts of one practice are needed.")
    for name in ("address", "ssn", "middle_name", "suffix", "emails", "phones"):
        if not survivor[name]:
            survivor[name] = copy.deepcopy(absorbed[name])
    for resource, field in (("appointments", "patient"), ("visit_notes", "patient"), ("bills", "patient")):
        for record in state.tables[resource].values():
            if record[field] == absorbed["id"]:
                record[field] = survivor["id"]
                state.save(resource, record, None)
    taken = {one["rank"] for one in _active(state, survivor["id"])}
    for policy in state.tables["policies"].values():
        if policy["patient_id"] == absorbed["id"]:
            if policy["status"] == "active" and policy["rank"] in taken:
                policy["status"], policy["rank"] = "inactive", None
            state.remember_policy(policy["id"], None)
            policy["patient_id"] = survivor["id"]
            state.remember_policy(policy["id"], policy)
    absorbed["merged_into_chart"] = survivor["id"]
    if state.switches.merge_deletes:
        absorbed["deleted_date"] = state.stamp()
    state.save("patients", absorbed, None, state.switches.merged_action)
    state.save("patients", survivor, None)


def _active(state: State, patient: int) -> list[Record]:
    policies = state.tables["policies"].values()
    return [
        one for one in policies if one["patient_id"] == patient and one["status"] == "active" and one["rank"] is not None
    ]


def _folded(value: str) -> str:
    return " ".join(value.split()).casefold()


def _refuse_duplicate(state: State, values: Record) -> None:
    found = find_duplicate(state, values)
    if found is not None:
        key = found["id"]
        redirect = key if state.switches.redirect_form == "number" else f"/api/2.0/patients/{key}"
        raise Refusal(409, {"detail": "Duplicated object", "redirect": redirect})


def _references(state: State, values: Record, practices: frozenset[int]) -> None:
    practice = values["caregiver_practice"]
    if practice not in practices:
        raise refused(caregiver_practice=f'Invalid pk "{practice}" - object does not exist.')
    state.refer("primary_physician", "physicians", values["primary_physician"], practice)


def _contacts(values: Record) -> None:
    if len(values.get("phones") or ()) > 2:
        raise refused(phones="A patient can have at most two phone numbers.")
    if len(values.get("emails") or ()) > 1:
        raise refused(emails="A patient can have only one email address.")
    status = values.get("patient_status") or {}
    if status.get("inactive_reason") is not None and status.get("status") != "inactive":
        raise Refusal(
            400, {"patient_status": {"inactive_reason": ["Only an inactive patient can have an inactive reason."]}}
        )


def _apply(state: State, chart: Record, values: Record, by: str | None) -> None:
    values = dict(values)
    sent = values.pop("metadata", False)
    if sent is not False and by is not None:
        state.write_metadata("patients", chart["id"], by, sent)
    if state.switches.phone_digits_only:
        for entry in values.get("phones", ()):
            entry["phone"] = "".join(filter(str.isdigit, entry["phone"]))
    for name in ("phones", "emails"):
        if name in values:
            chart[name] = _replaced(state, chart[name] or [], values.pop(name) or [])
    for name in ("address", "previous_address"):
        if values.get(name) is not None:
            values[name] = {"address_line2": None, "city": "", "state": "", "zip": ""} | values[name]
    status = values.pop("patient_status", None)
    if status is not None:
        changed = status.get("status", chart["patient_status"]["status"]) != chart["patient_status"]["status"]
        chart["patient_status"] |= {"inactive_reason": None, **status} if changed else status
        if changed:
            chart["patient_status"]["last_status_change"] = state.stamp()
    chart.update(values)


def _replaced(state: State, old: list[Record], new: list[Record]) -> list[Record]:
    """The array as it was sent; entries that were there before keep their date of creation."""
    stamp = state.stamp()
    entries = []
    for entry in new:
        same = next((one for one in old if one["deleted_date"] is None and entry.items() <= one.items()), None)
        entries.append({**entry, "created_date": same["created_date"] if same else stamp, "deleted_date": None})
    if state.switches.replaced_entries_stay:
        sent = [tuple(entry.items()) for entry in new]
        for one in old:
            if tuple((name, value) for name, value in one.items() if not name.endswith("_date")) not in sent:
                entries.append({**one, "deleted_date": one["deleted_date"] or stamp})
    return entries
