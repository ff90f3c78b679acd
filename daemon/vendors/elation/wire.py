"""Reading Elation's JSON: bytes in, typed values (`resources`) or the path of the bad field out, never its value.

One row that does not fit must not hide the rest of a page: `read_page` gives such a row as a `BadRow`, to be quarantined.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Final, Generic, TypeAlias, TypeVar

import msgspec

from daemon.vendors.elation.resources import (
    Address,
    Appointment,
    AppointmentStatus,
    Bill,
    BillCpt,
    BillLocation,
    Email,
    InsuranceCompany,
    InsurancePlan,
    Metadata,
    Patient,
    PatientStatus,
    Phone,
    Physician,
    Policy,
    Practice,
    PublishedEvent,
    Reference,
    ServiceLocation,
    Subscription,
    Text,
    VisitNote,
    WebhookEnvelope,
    Wire,
)
from daemon.vendors.ports.errors import Malformed
from events.decoding import decoding

__all__ = [
    "Address",
    "Appointment",
    "AppointmentStatus",
    "BadRow",
    "Bill",
    "BillCpt",
    "BillLocation",
    "DecodedRow",
    "Email",
    "InsuranceCompany",
    "InsurancePlan",
    "Metadata",
    "Page",
    "Patient",
    "PatientStatus",
    "Phone",
    "Physician",
    "Policy",
    "Practice",
    "PublishedEvent",
    "ServiceLocation",
    "Subscription",
    "VisitNote",
    "WebhookEnvelope",
    "Wire",
    "decode",
    "decode_appointment",
    "decode_bill",
    "decode_insurance_company",
    "decode_insurance_plan",
    "decode_patient",
    "decode_physician",
    "decode_policy",
    "decode_service_location",
    "decode_visit_note",
    "decode_webhook",
    "peek_id",
    "read_page",
]

T = TypeVar("T", bound=Wire)

RawBody = bytes | msgspec.Raw

_PATH: Final = re.compile(r" - at `([^`]*)`$")
_MISSING: Final = re.compile(r"missing required field `([^`]*)`")

LARGEST_ID: Final = 10**18 - 1

# One's own JSON lives under this key (metadata): its nulls mean something.
_OPAQUE: Final = "data"


class BadRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a list that does not fit: `path` as `$.results[3].dob`, `raw` its JSON (PHI), `id` and `practice` if legible.

    Of a visit note `raw` keeps the known fields only: the clinical text is never stored.
    """

    id: int | None
    path: str
    raw: bytes
    practice: int | None = None


DecodedRow: TypeAlias = T | BadRow


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One page of a list; `next` is the vendor's absolute URL of the following one, None at the end."""

    rows: tuple[T | BadRow, ...]
    next: str | None


class _RawPage(msgspec.Struct, frozen=True, kw_only=True):
    results: list[msgspec.Raw]
    next: str | None = None


class _Misfit(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    known: dict[str, object]


def decode(kind: type[T], body: RawBody, operation: str) -> T:
    """`body` as a `kind`. Raises Malformed with the path of the first field that does not fit."""
    answer = _fit(kind, body)
    if isinstance(answer, _Misfit):
        raise Malformed(operation, answer.path)
    return answer


decode_patient = partial(decode, Patient)
decode_policy = partial(decode, Policy)
decode_appointment = partial(decode, Appointment)
decode_bill = partial(decode, Bill)
decode_visit_note = partial(decode, VisitNote)
decode_insurance_company = partial(decode, InsuranceCompany)
decode_insurance_plan = partial(decode, InsurancePlan)
decode_physician = partial(decode, Physician)
decode_service_location = partial(decode, ServiceLocation)


def decode_webhook(body: RawBody, operation: str) -> WebhookEnvelope:
    """The envelope of a delivery, its `data` still unread. Raises Malformed."""
    with decoding(lambda found: Malformed(operation, _path_of(found))):
        return _ENVELOPE.decode(body)


def peek_id(body: RawBody) -> int | None:
    """The `id` of a record that need not fit otherwise, as in the `data` of a "deleted" event; None if illegible."""
    try:
        with decoding(lambda _: Malformed("elation.peek", "$")):
            return _integer(msgspec.json.decode(body), "id")
    except Malformed:
        return None


def read_page(kind: type[T], body: RawBody, operation: str) -> Page[T]:
    """A list answer, row by row. Raises Malformed if the page itself does not fit."""
    with decoding(lambda found: Malformed(operation, _path_of(found))):
        page = _PAGE.decode(body)
    return Page(rows=tuple(_row(kind, raw, index) for index, raw in enumerate(page.results)), next=page.next)


def _row(kind: type[T], raw: msgspec.Raw, index: int) -> T | BadRow:
    answer = _fit(kind, raw)
    if not isinstance(answer, _Misfit):
        return answer
    known = answer.known
    content = bytes(raw)
    if issubclass(kind, VisitNote):
        content = msgspec.json.encode({name: known[name] for name in kind.__struct_fields__ if name in known})
    return BadRow(
        id=_integer(known, "id"),
        path=f"$.results[{index}]{answer.path.removeprefix('$')}",
        raw=content,
        practice=_integer(known, "practice") or _integer(known, "caregiver_practice"),
    )


def _fit(kind: type[T], body: RawBody) -> T | _Misfit:
    plain: object = None
    try:
        with decoding(lambda found: Malformed("elation", _path_of(found))):
            plain = msgspec.json.decode(body)
            typed = _without_nulls(plain)
            if issubclass(kind, Policy) and isinstance(typed, dict):
                typed["raw"] = plain
            return msgspec.convert(typed, kind, dec_hook=_lenient)
    except Malformed as error:
        return _Misfit(path=error.path, known=plain if isinstance(plain, dict) else {})


def _without_nulls(plain: object) -> object:
    if isinstance(plain, dict):
        return {
            name: _without_nulls(value) if isinstance(value, dict | list) and name != _OPAQUE else value
            for name, value in plain.items()
            if value is not None
        }
    if isinstance(plain, list):
        return [_without_nulls(value) for value in plain]
    return plain


def _lenient(kind: type, value: object) -> object:
    if kind is object:
        return value
    if kind is Text and isinstance(value, str | int | float) and not isinstance(value, bool):
        return Text(value)
    if kind is Reference:
        number = value.get("id") if isinstance(value, dict) else value
        if isinstance(number, int) and not isinstance(number, bool):
            return Reference(number)
    raise ValueError("another type than expected")


def _path_of(error: Exception) -> str:
    if not isinstance(error, msgspec.ValidationError):
        return "$"
    # The message may quote a value; only the path and the name of a missing field, both ours, are taken from it.
    text = str(error)
    path = found.group(1) if (found := _PATH.search(text)) else "$"
    missing = _MISSING.search(text)
    return f"{path}.{missing.group(1)}" if missing else path


def _integer(plain: object, name: str) -> int | None:
    value = plain.get(name) if isinstance(plain, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_ID else None


_PAGE: Final = msgspec.json.Decoder(_RawPage)
_ENVELOPE: Final = msgspec.json.Decoder(WebhookEnvelope, dec_hook=_lenient)
