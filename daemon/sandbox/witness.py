"""An independent witness: do the two sandboxes agree, and was anything created twice?

It compares what the two products hold, by the guide's tables, with code of its own: nothing of the daemon is used, so that an
error there cannot hide here. `links` are the pairs that the daemon says belong together; `waiting` the fields and records
that it says wait (a difference is only allowed where it does); `left` the Elation appointments that it says an unlinking has
left behind for a person to see to.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from daemon.sandbox import witness_bookings
from daemon.sandbox.clinic import Clinic, Office

Waiting = dict[int, set[str]]
"""By Kareo patient id: the slots that wait."""

STATES = {"colorado": "CO"}


def differences(
    clinic: Clinic,
    office: Office,
    links: Iterable[tuple[int, int]],
    waiting: Waiting,
    edited: set[int],
    left: Collection[int] = (),
    booked: Collection[int] = (),
) -> list[str]:
    """Everything about linked patients that disagrees without a visible reason (I6); names records and fields, no values.

    `left` are appointments in Elation, and `booked` bookings in Kareo, that stand where they are and somebody was told of.
    """
    found: list[str] = []
    for chart_id, patient_id in links:
        chart, patient = clinic.ehr.patients[chart_id], clinic.billing.patients[patient_id]
        slots = waiting.get(patient_id, set())
        if "link" in slots or patient.deleted:
            continue
        where = f"elation {chart_id} / kareo {patient_id}"
        refused = any(slot.startswith("demographics:") for slot in slots)
        differ = [] if refused else _demographics(clinic, chart, patient)
        found += [f"{where}: {name}" for name in differ if f"field:{name}" not in slots]
        found += [f"{where}: {what}" for what in _insurance(clinic, office, chart_id, patient_id, slots)]
        found += [f"{where}: {what}" for what in _appointments(clinic, office, chart_id, patient_id, slots, edited, left)]
        if office.books:
            differing = witness_bookings.differences(
                clinic, office, chart_id, patient_id, slots, booked, (_doctor, _provider)
            )
            found += [f"{where}: {what}" for what in differing]
    return found


def in_elation(clinic: Clinic, chart: dict[str, Any]) -> dict[str, str]:
    """A chart's demographics by the names of the guide's fields, written in one way for both systems."""
    phones = {one["phone_type"]: one["phone"] for one in reversed(chart["phones"]) if not one.get("deleted_date")}
    emails = [one["email"] for one in chart["emails"] if not one.get("deleted_date")]
    address = chart["address"] or {}
    return _tidy(
        {
            "first_name": chart["first_name"],
            "middle_name": chart["middle_name"],
            "last_name": chart["last_name"],
            "birth_date": chart["dob"],
            "sex": _sex(chart["sex"]),
            "home_phone": _digits(phones.get("Home", "")),
            "mobile_phone": _digits(phones.get("Mobile", "")),
            "work_phone": _digits(phones.get("Work", "")),
            "email": (emails or [""])[0].lower(),
            "address1": address.get("address_line1"),
            "address2": address.get("address_line2"),
            "city": address.get("city"),
            "state": address.get("state"),
            "zip": _digits(address.get("zip") or ""),
            "provider": _doctor(clinic, chart["primary_physician"]),
        }
    )


def in_billing(clinic: Clinic, patient: Any) -> dict[str, str]:
    """A patient's demographics, as `in_elation` gives a chart's."""
    return _tidy(
        {
            "first_name": patient.first_name,
            "middle_name": patient.middle_name,
            "last_name": patient.last_name,
            "birth_date": patient.dob.isoformat() if patient.dob else "",
            "sex": _sex(patient.gender),
            "home_phone": _digits(patient.home_phone),
            "mobile_phone": _digits(patient.mobile_phone),
            "work_phone": _digits(patient.work_phone),
            "email": patient.email.lower(),
            "address1": patient.address1,
            "address2": patient.address2,
            "city": patient.city,
            "state": STATES.get(patient.state.lower(), patient.state),
            "zip": _digits(patient.zip),
            "provider": _provider(clinic, patient.provider_id),
        }
    )


def _tidy(values: dict[str, str | None]) -> dict[str, str]:
    return {name: _spaced(value or "") for name, value in values.items()}


@lru_cache(8_192)
def _spaced(text: str) -> str:
    return " ".join(text.split())


def _demographics(clinic: Clinic, chart: dict[str, Any], patient: Any) -> list[str]:
    here, there = in_elation(clinic, chart), in_billing(clinic, patient)
    return [name for name in here if here[name] != there[name]]


@lru_cache(8_192)
def _digits(text: str) -> str:
    return text if re.search("[A-Za-z]", text) else re.sub(r"\D", "", text)


def _sex(text: str) -> str:
    return text if text in ("Female", "Male") else "Unknown"


def _doctor(clinic: Clinic, physician: int | None) -> str:
    one = clinic.ehr.state.tables["physicians"].get(physician or 0)
    return f"{one['first_name']} {one['last_name']}" if one else ""


def _provider(clinic: Clinic, provider: int | None) -> str:
    one = clinic.billing.providers.get(provider or 0)
    return f"{one.first_name} {one.last_name}" if one else ""


def _insurance(clinic: Clinic, office: Office, chart_id: int, patient_id: int, slots: set[str]) -> list[str]:
    """The primary case's active policies, by rank, against the chart's active ones; all of them may wait together."""
    if "policies" in slots or (office.both_ways and slots & {"case-policies", "conflict:insurance"}):
        return []
    billing = clinic.billing
    case = billing.state.primary_case(patient_id)
    today = billing.state.now().date()
    wanted = []
    for policy in billing.state.policies_of(case.id) if case else []:
        ended = policy.end is not None and policy.end < today
        if policy.active and not ended and f"policy:{policy.id}" not in slots:
            plan = billing.plans[policy.plan_id]
            wanted.append(
                (
                    billing.companies[plan.company_id].name,
                    plan.name,
                    policy.number,
                    policy.group,
                    _money(policy.copay),
                    _money(policy.deductible),
                    "" if office.both_ways else plan.address1,
                    policy.relationship.lower(),
                    "" if policy.relationship == "Self" else policy.insured.last_name,
                )
            )
    held = []
    for one in clinic.ehr.policies.values():
        waits = f"chart-policy:{one['id']}" in slots
        if one["patient_id"] == chart_id and one["status"] == "active" and not waits:
            held.append(
                (
                    one["carrier_name"],
                    one["plan_name"],
                    one["member_id"],
                    one["group_id"] or "",
                    _money(one["copay"]),
                    _money(one["deductible"]),
                    "" if office.both_ways else one["address"],
                    one["relationship_to_insured"],
                    "" if one["relationship_to_insured"] == "self" else one["insured_person_last_name"],
                )
            )
    return [] if sorted(wanted) == sorted(held) else [f"insurance ({len(wanted)} in Kareo, {len(held)} in Elation)"]


def _money(text: str | None) -> str:
    return f"{float(text):.2f}" if text else ""


def _appointments(
    clinic: Clinic,
    office: Office,
    chart_id: int,
    patient_id: int,
    slots: set[str],
    edited: set[int],
    left: Collection[int],
) -> list[str]:
    """Each of the patient's appointments against the one in Elation that carries its id."""
    if office.both_ways:
        return _none_copied(clinic, office, chart_id)
    found = []
    ours = [
        (name, one)
        for one in clinic.ehr.appointments.values()
        if one["id"] not in left
        and (name := hint(clinic, "appointments", one["id"], office)).startswith("kareo-appointment:")
    ]
    ours.sort(key=lambda pair: not pair[1]["deleted_date"])  # of two in one chart the one that is not deleted counts
    theirs = {name: one for name, one in ours if one["patient"] == chart_id}
    elsewhere = {name for name, one in ours if one["patient"] != chart_id and _stands(clinic, one)}
    for one in clinic.billing.appointments.values():
        if one.patient_id != patient_id or f"appointment:{one.id}" in slots:
            continue
        reason = clinic.billing.reasons[one.reason_id].name if one.reason_id else ""
        there = theirs.get(f"kareo-appointment:{one.id}")
        if f"kareo-appointment:{one.id}" in elsewhere:
            found.append(f"appointment {one.id}: in another chart")
        gone = one.deleted or one.status == "Cancelled"
        if there is None:
            found += [] if gone else [f"appointment {one.id} is missing in Elation"]
            continue
        if one.deleted != bool(there["deleted_date"]):
            found.append(f"appointment {one.id}: deleted on one side")
        elif not one.deleted and (one.status == "Cancelled") != ((there["status"] or {}).get("status") == "Cancelled"):
            found.append(f"appointment {one.id}: cancelled on one side")
        elif not gone and there["id"] not in edited:
            minutes = round((one.end - one.start).total_seconds() / 60)
            expected = (f"{one.start:%Y-%m-%dT%H:%M:%SZ}", -(-minutes // 5) * 5, reason, _provider(clinic, one.provider_id))
            shown = (there["scheduled_date"], there["duration"], there["description"], _doctor(clinic, there["physician"]))
            found += [] if expected == shown else [f"appointment {one.id}: time, length, reason or provider"]
    return found


def _none_copied(clinic: Clinic, office: Office, chart_id: int) -> list[str]:
    """Where appointments are not synchronized, each stays where it was booked: none in either is of the daemon's making."""
    ours = [one["id"] for one in clinic.ehr.appointments.values() if one["patient"] == chart_id]
    return [f"appointment {id_} was copied to Elation" for id_ in ours if hint(clinic, "appointments", id_, office)]


def _stands(clinic: Clinic, appointment: dict[str, Any]) -> bool:
    """Is it in the calendar? Nothing is written to the records of a deleted chart (guide: Links), so those may be out of date."""
    chart = clinic.ehr.patients.get(appointment["patient"])
    return not appointment["deleted_date"] and not (chart and chart["deleted_date"])


def hint(clinic: Clinic, resource: str, id_: int, office: Office) -> str:
    """What this office's application has noted as the record's counterpart, "" for nothing."""
    kept = clinic.ehr.metadata(resource, id_, f"client-{office.id}") or {}
    return str(kept.get("object_id") or "")


def _of_deleted(clinic: Clinic, office: Office) -> set[int]:
    """The Kareo patients whose charts are deleted, by the ids that both systems were given."""
    charts = [one["id"] for one in clinic.ehr.patients.values() if one["deleted_date"]]
    hinted = {int(there) for one in charts if (there := hint(clinic, "patients", one, office)).isdigit()}
    vendors = clinic.billing.vendors.values()
    return hinted | {vendor.ids[str(one)] for vendor in vendors for one in charts if str(one) in vendor.ids}


def doubled(
    clinic: Clinic, office: Office, *, resting: bool = True, left: Collection[int] = (), booked: Collection[int] = ()
) -> list[str]:
    """Whatever exists twice though it was wanted once (I3): charts, appointments, carriers, plans, policies, encounters.

    `left` and `booked` as in `differences`.
    While not `resting`, an appointment that moved to another patient may stand in the calendar twice: one is removed by and by.
    """
    ehr, billing = clinic.ehr, clinic.billing
    charts = [one for one in ehr.patients.values() if one["caregiver_practice"] == office.ehr]
    patients = [one for one in billing.patients.values() if one.practice_id == office.billing]
    counts: dict[str, Counter[object]] = {
        "Elation charts of one Kareo patient": Counter(hint(clinic, "patients", one["id"], office) for one in charts),
        "Elation appointments of one Kareo appointment": Counter(
            hint(clinic, "appointments", one["id"], office)
            for one in ehr.appointments.values()
            if resting and one["practice"] == office.ehr and one["id"] not in left and _stands(clinic, one)
        ),
        "bookings in Kareo of one Elation appointment": witness_bookings.doubled(
            clinic, office, resting=resting, of_deleted=_of_deleted(clinic, office), told=booked
        ),
        "carriers of one Kareo company": Counter(
            one["external_vendor_id"] for one in ehr.insurance_companies.values() if one["practice"] == office.ehr
        ),
        "plans of one name and carrier": Counter(
            (one["insurance_company"], one["name"]) for one in ehr.insurance_plans.values() if one["practice"] == office.ehr
        ),
        "active policies of one chart, carrier and number": Counter(
            (one["patient_id"], one["carrier_id"], one["member_id"])
            for one in ehr.policies.values()
            if one["status"] == "active"
        ),
        "encounters of one bill": Counter(
            one.batch_number for one in billing.encounters.values() if one.practice_id == office.billing
        ),
        "Kareo patients of one name and birth date": Counter(
            (one.first_name, one.last_name, one.dob)
            for one in patients
            if not one.deleted and one.entered_as == (one.first_name, one.last_name, one.dob)
        ),
    }
    return [
        f"{count} {what}"
        for what, each in counts.items()
        for value, count in each.items()
        if count > 1 and value not in ("", None)
    ]


def unbilled(clinic: Clinic, office: Office, waiting_bills: set[int]) -> list[str]:
    """Signed bills that neither became exactly one encounter nor wait visibly."""
    by_batch = {one.batch_number: one for one in clinic.billing.encounters.values() if one.practice_id == office.billing}
    found = []
    for bill in clinic.ehr.bills.values():
        if bill["practice"] != office.ehr:
            continue
        encounter = by_batch.get(str(bill["id"]))
        if encounter is not None and bill["billing_status"] == "Billed" and bill["ref_number"] == str(encounter.id):
            if bill["id"] not in waiting_bills:
                found += [f"bill {bill['id']}: other {what} in the encounter" for what in _unlike(clinic, bill, encounter)]
        elif encounter is not None and bill["id"] not in waiting_bills:
            found.append(f"bill {bill['id']}: sent, but not marked billed")
        elif encounter is None and bill["id"] not in waiting_bills:
            found.append(f"bill {bill['id']}: neither sent nor waiting")
    return found


def _unlike(clinic: Clinic, bill: dict[str, Any], encounter: Any) -> list[str]:
    """What an encounter has otherwise than its bill: money, codes, the day or who it was (guide: Bills)."""
    codes = list(dict.fromkeys(code for line in bill["cpts"] for code in line["dxs"]))[:12]
    lines = [
        (
            line["cpt"],
            [code for code in line["modifiers"] or [] if code],
            [code for code in dict.fromkeys(line["dxs"]) if code in codes][:4],
            float(line["units"] or 1),
            float(line["unit_charge"]),
        )
        for line in bill["cpts"]
    ]
    further = [code for code in codes if not any(code in line[2] for line in lines)]
    day = datetime.fromisoformat(bill["service_date"]).astimezone(ZoneInfo(bill["service_date_timezone"])).date()
    sent = [(line.procedure_code, line.modifiers, line.diagnoses, line.units, line.unit_charge) for line in encounter.lines]
    differing = {
        "lines": sent != lines,
        "further diagnoses": encounter.orphan_diagnoses != further,
        "provider": _provider(clinic, encounter.rendering_id)
        != _doctor(clinic, bill["rendering_provider"] or bill["physician"]),
        "case": clinic.billing.cases[encounter.case_id].patient_id != encounter.patient_id,
        "day of service": encounter.service_start != day or any(line.start != day for line in encounter.lines),
    }
    return [what for what, differs in differing.items() if differs]
