"""The tables of bills: a row a field of the encounter that a bill becomes, and a row a field of its service lines.

The rows are checked in order, and the first thing to fix is said in words for the provider. Of the diagnoses the first 12
distinct codes travel in the order entered, at most 4 on a service line (guide: Bills).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from events.calendar import local_day
from events.maps import MapKind
from events.records import BillingCase, BillLine, EhrBill, Value
from events.terms import EncounterTerms
from events.writes import CreateEncounter
from projections.state.directory import Directory
from projections.state.maps import location_for, place_of_service_of, provider_for
from projections.state.patient import BillingSide, BillState, bill_content
from projections.terms.codecs import Unfit, plain_amount
from projections.terms.policy import BillPrices, Policy

A = TypeVar("A")

DIAGNOSES = 12
DIAGNOSES_A_LINE = 4
MODIFIERS = 4
UNITS_MOST = 999

_CPT = re.compile(r"\d{4}[0-9A-Z]|[A-Z]\d{4}", re.ASCII)
_MODIFIER = re.compile(r"[0-9A-Z]{2}")
_ICD10 = re.compile(r"[A-Z]\d[0-9A-Z](\.?[0-9A-Z]{1,4})?", re.ASCII)
_AMOUNT = re.compile(r"\d{1,7}(\.\d{1,4})?", re.ASCII)
_PLACE = re.compile(r"[0-9]{1,2}")


@dataclass(frozen=True)
class BillField(Generic[A]):
    """A row: `value` is what the billing side gets, or what to fix. `ehr` and `billing` are the field's names on the screens."""

    name: str
    label: str
    ehr: str
    billing: str
    value: Callable[[A], object | Unfit]
    source: str


def _filled(rows: Iterable[BillField[A]], about: A) -> dict[str, Any] | Unfit:
    """The values of all rows by name, or the first thing to fix."""
    values: dict[str, Any] = {}
    for row in rows:
        value = row.value(about)
        if isinstance(value, Unfit):
            return value
        values[row.name] = value
    return values


# -- service lines --------------------------------------------------------------------------------------------------------


class EnteredLine(Value, frozen=True):
    """A line as it was entered, its number on the bill, its procedure code cleaned, and what of the bill travels."""

    number: int
    cpt: str
    line: BillLine
    travelling: tuple[str, ...]
    prices: BillPrices = BillPrices.BOTH

    @property
    def where(self) -> str:
        """The line in words for the provider."""
        return f"Line {self.number} ({self.cpt or 'no code'})"


def _cpt(one: EnteredLine) -> str | Unfit:
    if not one.cpt:
        return Unfit("no-cpt", f"Line {one.number} has no CPT code")
    return one.cpt if _CPT.fullmatch(one.cpt) else Unfit("bad-cpt", f"{one.where}: not a CPT or HCPCS code")


def _modifiers(one: EnteredLine) -> tuple[str, ...] | Unfit:
    codes = tuple(code.strip().upper() for code in one.line.modifiers if code.strip())
    if len(codes) > MODIFIERS or not all(_MODIFIER.fullmatch(code) for code in codes):
        return Unfit("bad-modifier", f"{one.where}: modifiers must be up to {MODIFIERS} codes of 2 characters")
    return codes


def _dxs(one: EnteredLine) -> tuple[str, ...] | Unfit:
    dxs = distinct(one.line.dxs)
    if not dxs:
        return Unfit("no-diagnosis", f"{one.where} has no diagnosis: add an ICD-10 code")
    bad = next((code for code in dxs if not _ICD10.fullmatch(code)), None)
    if bad is not None:
        return Unfit("bad-diagnosis", f"{one.where}: diagnosis {bad[:10]} is not an ICD-10 code")
    spelled = {_undotted(code): code for code in one.travelling}
    dxs = tuple(spelled[bare] for code in dxs if (bare := _undotted(code)) in spelled)[:DIAGNOSES_A_LINE]
    if not dxs:
        text = f"{one.where}: none of its diagnoses is among the bill's first {DIAGNOSES}"
        return Unfit("too-many-diagnoses", text)
    return dxs


def _units(one: EnteredLine) -> str | Unfit:
    if one.prices is BillPrices.NONE:
        return ""
    units = plain_amount(one.line.units) or "1"
    if not _AMOUNT.fullmatch(units) or not 0 < float(units) <= UNITS_MOST:
        return Unfit("bad-units", f"{one.where}: units must be a number from 1 to {UNITS_MOST}")
    return units


def _unit_charge(one: EnteredLine) -> str | Unfit:
    if one.prices is not BillPrices.BOTH:
        return ""
    charge = plain_amount(one.line.unit_charge)
    return (
        charge if _AMOUNT.fullmatch(charge) else Unfit("bad-charge", f"{one.where}: the charge must be an amount of money")
    )


SERVICE_LINES: tuple[BillField[EnteredLine], ...] = (
    BillField("cpt", "Procedure", "CPT", "Procedure code", _cpt, "guide: Bills, row 1"),
    BillField("modifiers", "Modifiers", "Modifiers", "Modifiers 1 to 4", _modifiers, "guide: Bills, row 2"),
    BillField("dxs", "Diagnoses", "Dx", "Diagnosis codes 1 to 4", _dxs, "guide: Bills, row 5"),
    BillField("units", "Quantity", "Quantity", "Units", _units, "guide: Bills, row 4"),
    BillField("unit_charge", "Charge", "Charge", "Unit charge", _unit_charge, "guide: Bills, row 3"),
)


def _service_lines(bill: EhrBill, prices: BillPrices) -> tuple[EncounterTerms, ...] | Unfit:
    """The lines of the encounter, or the first thing to fix."""
    travelling = all_diagnoses(bill)[:DIAGNOSES]
    lines: list[EncounterTerms] = []
    for number, line in enumerate(bill.lines, start=1):
        entered = EnteredLine(number=number, cpt=line.cpt.strip().upper(), line=line, travelling=travelling, prices=prices)
        values = _filled(SERVICE_LINES, entered)
        if isinstance(values, Unfit):
            return values
        lines.append(EncounterTerms(**values))
    return tuple(lines)


# -- the encounter --------------------------------------------------------------------------------------------------------


class Charging(Value, frozen=True):
    """A bill that is to become an encounter, and what its fields are mapped by."""

    bill: EhrBill
    directory: Directory
    policy: Policy

    @property
    def unmapped(self) -> str:
        """The end of a sentence about a record that has no counterpart."""
        return f"is not mapped to {self.policy.names.billing.label}: ask the office to map it"


def _service_day(one: Charging) -> date | Unfit:
    return one.bill.service_day or Unfit("no-date", "The bill has no date of service")


def _entered_lines(one: Charging) -> tuple[BillLine, ...] | Unfit:
    return one.bill.lines or Unfit("no-lines", "The bill has no procedure: add a CPT code")


def _location(one: Charging) -> int | Unfit:
    if one.bill.location is None:
        return Unfit("no-location", "The bill has no service location: choose one")
    location = location_for(one.bill.location, one.directory, one.policy)
    if location is None:
        return Unfit("unmapped-location", f'Service location "{one.bill.location_name}" {one.unmapped}')
    return location


def _place_of_service(one: Charging) -> str | Unfit:
    configured = place_of_service_of(one.bill.location, one.directory, one.policy)
    place = one.bill.place_of_service if configured is None else configured
    if not _PLACE.fullmatch(place):
        return Unfit("no-place", f'Service location "{one.bill.location_name}" has no place of service code')
    return place.zfill(2)


def _rendering_provider(one: Charging) -> int | Unfit:
    physician = one.bill.rendering_provider or one.bill.physician
    provider = provider_for(physician, one.directory, one.policy) if physician is not None else None
    return Unfit("unmapped-provider", f"The rendering provider {one.unmapped}") if provider is None else provider


def _supervising_provider(one: Charging) -> int | None:
    physician = one.bill.supervising_provider
    return provider_for(physician, one.directory, one.policy) if physician else None


def _notes(one: Charging) -> str:
    return one.bill.notes


def _prior_authorization(one: Charging) -> str:
    return one.bill.prior_authorization


ENCOUNTER: tuple[BillField[Charging], ...] = (
    BillField(
        "service_day", "Date of service", "Date of service", "Service dates", _service_day, "guide: Bills, on signing"
    ),
    BillField("lines", "Procedures", "Billing codes", "Service lines", _entered_lines, "guide: Bills, row 1"),
    BillField("location", "Service location", "Service location", "Service location", _location, "guide: Bills, row 6"),
    BillField(
        "place_of_service",
        "Place of service",
        "Place of service (POS)",
        "Place of service",
        _place_of_service,
        "guide: Bills, row 6",
    ),
    BillField(
        "rendering_provider",
        "Rendering provider",
        "Rendering provider",
        "Rendering provider",
        _rendering_provider,
        "guide: Bills, providers",
    ),
    BillField(
        "supervising_provider",
        "Supervising provider",
        "Supervising provider",
        "Supervising provider",
        _supervising_provider,
        "guide: Bills, providers",
    ),
    BillField("notes", "Notes", "Additional billing notes", "Notes", _notes, "guide: Bills, row 7"),
    BillField(
        "prior_authorization",
        "Prior authorization",
        "Prior authorization",
        "Authorization number",
        _prior_authorization,
        "guide: Bills, authorization",
    ),
)


MISSED = {
    "unmapped-location": MapKind.LOCATION,
    "no-place": MapKind.PLACE,
    "unmapped-provider": MapKind.PROVIDER,
}
"""What is wrong with a bill that a row of the practice's maps makes good."""


def unmapped(bill: EhrBill, directory: Directory, policy: Policy) -> Unfit | None:
    """What of the bill has no counterpart, the first of it in the table's order: nobody can correct that on the bill."""
    return next(iter(_unmapped(bill, directory, policy)), None)


def rows_missed_by(bill: EhrBill, directory: Directory, policy: Policy) -> list[tuple[MapKind, int]]:
    """The rows of the maps that the bill misses, by kind and record."""
    physician = bill.rendering_provider or bill.physician
    records = {MapKind.LOCATION: bill.location, MapKind.PLACE: bill.location, MapKind.PROVIDER: physician}
    kinds = [MISSED[one.code] for one in _unmapped(bill, directory, policy)]
    return [(kind, record) for kind in kinds if (record := records[kind]) is not None]


def _unmapped(bill: EhrBill, directory: Directory, policy: Policy) -> list[Unfit]:
    one = Charging(bill=bill, directory=directory, policy=policy)
    values = [row.value(one) for row in ENCOUNTER]
    return [value for value in values if isinstance(value, Unfit) and value.code in MISSED]


def encounter(
    entry: BillState, billing: BillingSide, case: BillingCase, directory: Directory, policy: Policy
) -> CreateEncounter | Unfit:
    """The encounter a bill becomes, or the first thing to fix, in words for the provider (guide: Bills)."""
    bill = entry.bill
    values = _filled(ENCOUNTER, Charging(bill=bill, directory=directory, policy=policy))
    if isinstance(values, Unfit):
        return values
    lines = _service_lines(bill, policy.bill_prices)
    if isinstance(lines, Unfit):
        return lines
    values |= {
        "bill": bill.id,
        "content": bill_content(bill),
        "patient": billing.chart.id,
        "case_id": case.id,
        "post_day": local_day(entry.first_seen, ZoneInfo(policy.time_zone)),
        "lines": lines,
        "further_dxs": further_diagnoses(bill, lines),
        "batch": str(bill.id) if policy.batch_numbers else "",
        "status": policy.encounter_status,
    }
    return CreateEncounter(**values)


def _undotted(code: str) -> str:
    """A diagnosis code as it is compared: `E11.9` and `E119` are one."""
    return code.replace(".", "")


def distinct(codes: tuple[str, ...]) -> tuple[str, ...]:
    """Codes cleaned, the first of each kept in the order entered and as it was entered."""
    found: dict[str, str] = {}
    for code in codes:
        if clean := code.strip().upper():
            found.setdefault(_undotted(clean), clean)
    return tuple(found.values())


def all_diagnoses(bill: EhrBill) -> tuple[str, ...]:
    """The bill's distinct codes in the order entered, of which the first 12 travel."""
    return distinct(tuple(code for line in bill.lines for code in line.dxs))


def further_diagnoses(bill: EhrBill, lines: Iterable[EncounterTerms]) -> tuple[str, ...]:
    """The codes of the bill's first 12 distinct ones that no line has room for (guide: Bills)."""
    carried = {code for line in lines for code in line.dxs}
    return tuple(code for code in all_diagnoses(bill)[:DIAGNOSES] if code not in carried)
