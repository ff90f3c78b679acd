"""What of a bill was edited after it was sent, field by field: the billing system keeps what was sent (guide: Bills)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest

from events.records import BillLine, EhrBill, Value

FIELDS = (
    ("service_day", "Date of service"),
    ("location", "Service location"),
    ("place_of_service", "Place of service"),
    ("rendering_provider", "Rendering provider"),
    ("supervising_provider", "Supervising provider"),
    ("physician", "Physician"),
    ("notes", "Notes"),
    ("prior_authorization", "Prior authorization"),
)
LINE_FIELDS = (
    ("cpt", "procedure"),
    ("modifiers", "modifiers"),
    ("dxs", "diagnoses"),
    ("units", "units"),
    ("unit_charge", "unit charge"),
)


class BillDifference(Value, frozen=True, kw_only=True):
    """A field that is not as it was sent; the values are a patient's data, "" where there is none."""

    field: str
    sent: str
    now: str


def differences(sent: EhrBill, now: EhrBill) -> tuple[BillDifference, ...]:
    """The fields in which a bill differs from what was sent, in the order of the screen; lines by their number."""
    found = [_difference(label, getattr(sent, name), getattr(now, name)) for name, label in FIELDS]
    for number, (before, after) in enumerate(zip_longest(sent.lines, now.lines), start=1):
        found += _of_line(number, before, after)
    return tuple(one for one in found if one is not None)


def _of_line(number: int, before: BillLine | None, after: BillLine | None) -> Iterable[BillDifference | None]:
    if before is None or after is None:
        yield _difference(f"Line {number}", _line(before), _line(after))
        return
    for name, label in LINE_FIELDS:
        yield _difference(f"Line {number}, {label}", getattr(before, name), getattr(after, name))


def _line(line: BillLine | None) -> str:
    return "" if line is None else " ".join(filter(None, (_said(getattr(line, name)) for name, _ in LINE_FIELDS)))


def _difference(field: str, sent: object, now: object) -> BillDifference | None:
    return None if sent == now else BillDifference(field=field, sent=_said(sent), now=_said(now))


def _said(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
