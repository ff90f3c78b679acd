"""Lists: filters, cursor pages by ascending id, and the older limit/offset."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final, TypeAlias

from yarl import URL

from daemon.sandbox.elation.fields import Record, as_instant, detail, refused
from daemon.sandbox.elation.state import State
from daemon.sandbox.elation.switches import ElationSwitches
from daemon.sandbox.elation.views import legacy_insurances

LARGEST: Final = 100

Test: TypeAlias = Callable[[Record], bool]
Filter: TypeAlias = Callable[[State, str, str], Test]
"""From the state, the parameter's name and its value to a test of a record. Raises Refusal 400 for an unusable value."""


def _ids(key: str) -> Filter:
    """Array parameters take values separated by commas."""

    def build(state: State, name: str, value: str) -> Test:
        try:
            wanted = {int(one) for one in value.split(",") if one.strip()}
        except ValueError:
            raise refused(**{name: "Enter whole numbers separated by commas."}) from None
        return lambda record: record[key] in wanted

    return build


def _text(key: str) -> Filter:
    def build(state: State, name: str, value: str) -> Test:
        return lambda record: (record[key] or "").casefold() == value.casefold()

    return build


def _instant(key: str, holds: Callable[[datetime, datetime], bool]) -> Filter:
    def build(state: State, name: str, value: str) -> Test:
        try:
            # A plus that was not quoted arrives as a space.
            bound = as_instant(value.replace(" ", "+") if "T" in value else value)
        except ValueError:
            raise refused(**{name: "Enter a valid date/time."}) from None
        return lambda record: record[key] is not None and holds(as_instant(record[key]), bound)

    return build


def _changes() -> dict[str, Filter]:
    return {
        "last_modified__gt": _instant("last_modified", lambda one, bound: one > bound),
        "last_modified__gte": _instant("last_modified", lambda one, bound: one >= bound),
        "last_modified__lt": _instant("last_modified", lambda one, bound: one < bound),
        "last_modified__lte": _instant("last_modified", lambda one, bound: one <= bound),
    }


def _window(key: str, start: str, end: str) -> dict[str, Filter]:
    return {
        start: _instant(key, lambda one, bound: one >= bound),
        end: _instant(key, lambda one, bound: one <= bound),
    }


def _phone(state: State, name: str, value: str) -> Test:
    wanted = _digits(value)
    return lambda chart: any(_digits(one["phone"]) == wanted for one in chart["phones"] if one["deleted_date"] is None)


def _insured(key: str) -> Filter:
    def build(state: State, name: str, value: str) -> Test:
        return lambda chart: any(str(one[key]) == value for one in legacy_insurances(state, chart["id"]))

    return build


def _unsigned(state: State, name: str, value: str) -> Test:
    wanted = value.casefold() in {"true", "1"}
    return lambda note: (note["signed_date"] is None) == wanted


def _signer(state: State, name: str, value: str) -> Test:
    notes, physicians = state.tables["visit_notes"], state.tables["physicians"]

    def test(bill: Record) -> bool:
        signer = physicians.get(int(value)) if value.isdigit() else None
        return signer is not None and notes[bill["visit_note_id"]]["signed_by"] == signer["user_id"]

    return test


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


FILTERS: Final[Mapping[str, Mapping[str, Filter]]] = {
    "patients": {
        "first_name": _text("first_name"),
        "last_name": _text("last_name"),
        "dob": _text("dob"),
        "sex": _text("sex"),
        "practice": _ids("caregiver_practice"),
        "phone_number": _phone,
        "member_id": _insured("member_id"),
        "group_id": _insured("group_id"),
        "insurance_company": _insured("insurance_company"),
        "insurance_plan": _insured("insurance_plan"),
        "master_patient": _ids("master_patient"),
        "master": _ids("master_patient"),
        **_changes(),
    },
    "visit_notes": {
        "patient": _ids("patient"),
        "physician": _ids("physician"),
        "practice": _ids("practice"),
        "unsigned": _unsigned,
        **_window("signed_date", "from_signed_date", "to_signed_date"),
        **_changes(),
    },
    "appointments": {
        "patient": _ids("patient"),
        "physician": _ids("physician"),
        "practice": _ids("practice"),
        "time_slot_type": _text("time_slot_type"),
        **_window("scheduled_date", "from_date", "to_date"),
    },
    "bills": {
        "patient": _ids("patient"),
        "practice": _ids("practice"),
        "bill_id": _ids("id"),
        "visit_note_id": _ids("visit_note_id"),
        "assigned_physician": _ids("physician"),
        "signing_physician": _signer,
        **_window("service_date", "from_service_date", "to_service_date"),
    },
    "insurance_companies": {"carrier": _text("carrier"), "practice": _ids("practice")},
    "insurance_plans": {"insurance_company": _ids("insurance_company"), "practice": _ids("practice")},
    "physicians": {"npi": _text("npi"), "first_name": _text("first_name"), "last_name": _text("last_name")},
    "appointment_types": {"name": _text("name"), "practice": _ids("practice")},
    "billing_codes": {"code": _text("code"), "description": _text("description"), "practice": _ids("practice")},
}


def select(state: State, resource: str, rows: Iterable[Record], query: Mapping[str, str]) -> list[Record]:
    """The rows that pass every known filter of `query`; parameters that nobody knows are ignored. Raises Refusal 400."""
    filters = FILTERS.get(resource, {})
    tests = [filters[name](state, name, value) for name, value in query.items() if name in filters and value != ""]
    return [row for row in rows if all(test(row) for test in tests)]


def page(switches: ElationSwitches, rows: list[Record], url: URL, render: Callable[[Record], Record]) -> dict[str, object]:
    """One page of `rows` as an answer to `url`, each row through `render`. Raises Refusal 400 or 404."""
    query = url.query
    limit = _number(query.get("limit"), "limit", switches.default_page) or switches.default_page
    if limit > LARGEST and switches.limit_over_maximum == "refused":
        raise refused(limit=f"Ensure this value is less than or equal to {LARGEST}.")
    limit = min(limit, LARGEST)
    if "offset" in query:
        return _by_offset(switches, rows, url, limit, render)
    rows = sorted(rows, key=lambda row: int(row["id"]))
    side, key = _read_cursor(query["cursor"]) if query.get("cursor") else ("a", 0)
    before = [row for row in rows if row["id"] < key] if side == "b" else [row for row in rows if row["id"] <= key]
    start = max(0, len(before) - limit) if side == "b" else len(before)
    shown = rows[start : start + limit]
    following = _link(switches, url, cursor=_cursor("a", shown[-1]["id"])) if start + limit < len(rows) else None
    previous = _link(switches, url, cursor=_cursor("b", shown[0]["id"])) if shown and start > 0 else None
    return {"next": following, "previous": previous, "results": [render(row) for row in shown]}


def _by_offset(
    switches: ElationSwitches, rows: list[Record], url: URL, limit: int, render: Callable[[Record], Record]
) -> dict[str, object]:
    start = _number(url.query.get("offset"), "offset", 0)
    order = url.query.get("order_by", "id")
    name = order.removeprefix("-")
    if not all(name in row for row in rows):
        name = "id"
    rows = sorted(rows, key=lambda row: (row[name] is None, row[name] if row[name] is not None else 0, row["id"]))
    if order.startswith("-"):
        rows.reverse()
    ahead, back = start + limit, max(0, start - limit)
    return {
        "count": len(rows),
        "next": _link(switches, url, offset=str(ahead), limit=str(limit)) if ahead < len(rows) else None,
        "previous": _link(switches, url, offset=str(back), limit=str(limit)) if start > 0 else None,
        "results": [render(row) for row in rows[start:ahead]],
    }


def _number(text: str | None, name: str, default: int) -> int:
    if text is None or text == "":
        return default
    if not text.isdigit():
        raise refused(**{name: "A valid integer is required."})
    return int(text)


def _cursor(side: str, key: int) -> str:
    return base64.urlsafe_b64encode(f"{side}={key}".encode()).decode()


def _read_cursor(text: str) -> tuple[str, int]:
    try:
        side, _, key = base64.urlsafe_b64decode(text.encode()).decode().partition("=")
        if side not in {"a", "b"}:
            raise ValueError(side)
        return side, int(key)
    except (ValueError, binascii.Error):
        raise detail(404, "Invalid cursor") from None


def _link(switches: ElationSwitches, url: URL, **changes: str) -> str:
    if switches.next_without_slash:
        url = url.with_path(url.path.rstrip("/"), keep_query=True)
    return str(url.update_query(changes))
