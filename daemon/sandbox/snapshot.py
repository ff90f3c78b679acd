"""What both sandboxes hold in words that do not depend on ids or on the order of creation: two runs can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daemon.sandbox.clinic import Clinic, Office

Snapshot = dict[str, list[str]]

POLICY = (
    "rank", "carrier_name", "plan_name", "member_id", "group_id", "copay", "deductible", "address",
    "relationship_to_insured", "insured_person_last_name",
)  # fmt: skip


def snapshot(clinic: Clinic) -> Snapshot:
    """By office and kind of record: one sorted line a record, every mapped field in it."""
    found: Snapshot = {}
    for office in clinic.offices:
        for kind, lines in (*_ehr(clinic, office).items(), *_billing(clinic, office).items()):
            found[f"{office.id} {kind}"] = sorted(lines)
    return found


def differing(one: Snapshot, other: Snapshot) -> list[str]:
    """The lines that only one of two snapshots has."""
    return [
        f"{kind}: {sign} {line}"
        for kind in sorted(set(one) | set(other))
        for sign, here, there in (("-", one, other), ("+", other, one))
        for line in here.get(kind, [])
        if here.get(kind, []).count(line) > there.get(kind, []).count(line)
    ]


def _ehr(clinic: Clinic, office: Office) -> dict[str, list[str]]:
    tables = clinic.ehr
    charts = {id_: one for id_, one in tables.patients.items() if one["caregiver_practice"] == office.ehr}
    doctors = {id_: f"{one['first_name']} {one['last_name']}" for id_, one in tables.state.tables["physicians"].items()}

    def who(chart: int) -> str:
        one = charts[chart]
        return f"{one['first_name']} {one['last_name']} {one['dob']}"

    return {
        "charts": [_chart(who(id_), one, doctors) for id_, one in charts.items()],
        "policies": [
            _line(who(one["patient_id"]), *(one[name] for name in POLICY))
            for one in tables.policies.values()
            if one["patient_id"] in charts and one["status"] == "active"
        ],
        "appointments": [
            _appointment(who(one["patient"]), one, doctors)
            for one in tables.appointments.values()
            if one["patient"] in charts
        ],
        "bills": [
            _line(who(one["patient"]), one["billing_status"], one["billing_error"], bool(one["ref_number"]), _cpts(one))
            for one in tables.bills.values()
            if one["practice"] == office.ehr
        ],
        "carriers": [one["carrier"] for one in tables.insurance_companies.values() if one["practice"] == office.ehr],
        "plans": [one["name"] for one in tables.insurance_plans.values() if one["practice"] == office.ehr],
    }


def _chart(who: str, one: dict[str, Any], doctors: Mapping[int, str]) -> str:
    return _line(
        who,
        one["middle_name"],
        one["sex"],
        sorted((phone["phone_type"], phone["phone"]) for phone in one["phones"] if not phone.get("deleted_date")),
        [email["email"] for email in one["emails"] if not email.get("deleted_date")],
        one["address"],
        doctors.get(one["primary_physician"]),
        bool(one["deleted_date"]),
        bool(one["merged_into_chart"]),
    )


def _appointment(who: str, one: dict[str, Any], doctors: Mapping[int, str]) -> str:
    return _line(
        who,
        one["scheduled_date"],
        one["duration"],
        one["description"],
        doctors.get(one["physician"]),
        (one["status"] or {}).get("status"),
        bool(one["deleted_date"]),
    )


def _cpts(bill: dict[str, Any]) -> str:
    return str([(line["cpt"], line["dxs"], line["units"], line["unit_charge"]) for line in bill["cpts"]])


def _billing(clinic: Clinic, office: Office) -> dict[str, list[str]]:
    billing = clinic.billing
    patients = {id_: one for id_, one in billing.patients.items() if one.practice_id == office.billing}

    def who(patient: int | None) -> str:
        one = patients[patient or 0]
        return f"{one.first_name} {one.last_name} {one.dob}"

    return {
        "patients": [
            _line(
                who(id_),
                *(
                    getattr(one, name)
                    for name in ("middle_name", "gender", "home_phone", "mobile_phone", "work_phone", "email")
                ),
                *(getattr(one, name) for name in ("address1", "address2", "city", "state", "zip", "provider_id", "deleted")),
                [(case.name, case.is_primary, case.active) for case in billing.state.cases_of(id_)],
            )
            for id_, one in patients.items()
        ],
        "encounters": [
            _line(
                who(one.patient_id),
                one.status,
                one.service_start,
                one.place_of_service,
                one.rendering_id,
                [(line.procedure_code, line.modifiers, line.diagnoses, line.units, line.unit_charge) for line in one.lines],
                one.orphan_diagnoses,
            )
            for one in billing.encounters.values()
            if one.practice_id == office.billing
        ],
    }


def _line(*parts: object) -> str:
    return " | ".join(str(part) for part in parts)
