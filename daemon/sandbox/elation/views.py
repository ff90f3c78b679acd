"""Read forms: how each record looks in an answer and in a webhook (its published openapi.json, corrected by what it really answers)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from daemon.sandbox.elation.fields import Record, copied
from daemon.sandbox.elation.shapes import PLACES_OF_SERVICE
from daemon.sandbox.elation.state import State

_WITH_METADATA: Final = frozenset({"patients", "appointments", "bills", "practices", "physicians"})
_RANKS: Final = {1: "primary", 2: "secondary", 3: "tertiary"}
_PROGRAMS: Final = {
    "medicare_part_b": "Medicare Part B",
    "medicare_advantage": "Medicare Advantage",
    "medicaid": "Medicaid",
    "commercial_hmsa": "Commercial - HMSA",
    "commercial_sfhp": "Commercial - SFHP",
    "commercial_other": "Commercial - Other",
    "workers_compensation": "Worker's Compensation",
}
_COPIED: Final = (
    "member_id",
    "group_id",
    "copay",
    "deductible",
    "start_date",
    "end_date",
    "phone",
    "extension",
    "address",
    "suite",
    "city",
    "state",
    "zip",
    "insured_person_first_name",
    "insured_person_last_name",
    "insured_person_address",
    "insured_person_city",
    "insured_person_state",
    "insured_person_zip",
    "insured_person_id",
    "insured_person_dob",
    "insured_person_ssn",
)


def read_form(state: State, resource: str, key: int, application: str | None, *, single: bool = True) -> Record:
    """A record as GET gives it to `application`; lists of insurers and plans (`single` false) leave the references out."""
    record: Record = copied(state.tables[resource][key])
    if resource in _WITH_METADATA:
        record["metadata"] = copied(state.metadata.get((resource, key, application or "")))
    if resource in _VIEWS:
        _VIEWS[resource](state, record, single)
    return record


def legacy_insurances(state: State, patient: int) -> list[Record]:
    """The chart's old copy of its active policies: other names for ranks and relations."""
    return [
        {
            "id": policy["id"],
            "rank": _RANKS[policy["rank"]],
            "carrier": policy["carrier_name"],
            "plan": policy["plan_name"],
            "insurance_company": policy["carrier_id"],
            "insurance_plan": policy["plan_id"],
            "insured_person_gender": None,
            "relationship_to_insured": _relation(policy["relationship_to_insured"]),
            "payment_program": _PROGRAMS.get(policy["payment_program"] or "", "Commercial - Other"),
            "created_date": None,
            "deleted_date": None,
            **{name: policy[name] for name in _COPIED},
        }
        for policy in state.policies_of(patient)
        if policy["status"] == "active" and policy["rank"] is not None
    ]


def _relation(relation: str | None) -> str | None:
    return relation.capitalize() if relation not in (None, "self") else None


def _patient(state: State, record: Record, single: bool) -> None:
    record["insurances"] = legacy_insurances(state, record["id"])
    record["deleted_insurances"] = []
    if state.switches.untidy_dates:
        for entry in (*record["phones"], *(record["emails"] or ())):
            _bare(entry, "created_date", "deleted_date")
        _bare(record["patient_status"] or {}, "last_status_change")


def _appointment(state: State, record: Record, single: bool) -> None:
    place = state.tables["service_locations"].get(record["service_location"] or 0)
    if place is None:
        record["service_location"] = None
    else:
        kept = (
            "id",
            "name",
            "address_line1",
            "address_line2",
            "city",
            "state",
            "zip",
            "phone",
            "is_primary",
            "deleted_date",
        )
        record["service_location"] = {name: place[name] for name in kept} | {
            "place_of_service": place["place_of_service_code"],
            "created_date": _micro(state, place["created_date"]),
        }
    if state.switches.untidy_dates:
        _bare(record["status"] or {}, "status_date")


def _bill(state: State, record: Record, single: bool) -> None:
    place = state.tables["service_locations"].get(record["service_location"] or 0)
    record["service_location"] = None
    if place is not None:
        record["service_location"] = dict(place)
        _service_location(state, record["service_location"], single)
        if state.switches.bill_place_code_text:
            record["service_location"]["place_of_service_code"] = str(place["place_of_service_code"])


def bill_write_form(state: State, key: int, application: str) -> Record:
    """What a PATCH of a bill answers: the write form, without `id` and status."""
    bill = state.tables["bills"][key]
    place = state.tables["service_locations"].get(bill["service_location"] or 0)
    same = (
        "billing_date",
        "billing_error",
        "billing_raw_error",
        "billing_provider",
        "rendering_provider",
        "supervising_provider",
    )
    more = (
        "referring_provider",
        "ordering_provider",
        "notes",
        "prior_authorization",
        "ref_number",
        "practice",
        "service_location",
    )
    return {name: bill[name] for name in same + more} | {
        "visit_note": bill["visit_note_id"],
        "place_of_service": str(place["place_of_service_code"]) if place is not None else None,
        "payment_amount": (bill["payment"] or {}).get("amount", "0.00"),
        "metadata": state.metadata.get(("bills", key, application)),
        "cpts": [
            {
                "cpt": line["cpt"],
                "dxs": [{"icd10_code": code, "icd9_codes": []} for code in line["dxs"]],
                "units": line["units"],
                "unit_charge": line["unit_charge"],
                **{f"modifier_{at + 1}": (line["modifiers"][at : at + 1] or [None])[0] for at in range(4)},
            }
            for line in bill["cpts"]
        ],
    }


def _visit_note(state: State, record: Record, single: bool) -> None:
    record["last_modified"] = _micro(state, record["last_modified"])


def _service_location(state: State, record: Record, single: bool) -> None:
    record["place_of_service"] = PLACES_OF_SERVICE[record["place_of_service_code"]]
    record["created_date"] = _micro(state, record["created_date"])


def _practice(state: State, record: Record, single: bool) -> None:
    mine = [place for place in state.tables["service_locations"].values() if place["practice"] == record["id"]]
    record["physicians"] = [key for key, one in state.tables["physicians"].items() if one["practice"] == record["id"]]
    record["service_locations"] = copied(mine)
    for place in record["service_locations"]:
        _service_location(state, place, single)


def _company(state: State, record: Record, single: bool) -> None:
    if single:
        plans = state.tables["insurance_plans"]
        record["patients"] = _holders(state, "carrier_id", record["id"])
        record["plans"] = [key for key, plan in plans.items() if plan["insurance_company"] == record["id"]]


def _plan(state: State, record: Record, single: bool) -> None:
    if single:
        record["patients"] = _holders(state, "plan_id", record["id"])


def _holders(state: State, field: str, key: int) -> list[int]:
    return sorted({policy["patient_id"] for policy in state.tables["policies"].values() if policy[field] == key})


def _subscription(state: State, record: Record, single: bool) -> None:
    if state.switches.untidy_dates:
        _bare(record, "created_date", "deleted_date")


def _bare(record: Record, *names: str) -> None:
    """Take the zone off, as seen in samples."""
    for name in names:
        if isinstance(record.get(name), str):
            record[name] = record[name].removesuffix("Z")


def _micro(state: State, text: str | None) -> str | None:
    return text.replace("Z", ".000000Z") if text and state.switches.untidy_dates else text


_VIEWS: Final[Mapping[str, Callable[[State, Record, bool], None]]] = {
    "patients": _patient,
    "appointments": _appointment,
    "bills": _bill,
    "visit_notes": _visit_note,
    "service_locations": _service_location,
    "practices": _practice,
    "insurance_companies": _company,
    "insurance_plans": _plan,
    "subscriptions": _subscription,
}
