"""The insurance table: one row a field of a policy, from the billing side's case to the chart side's policy.

The holder's fields are the patient's own where the case leaves them empty and the patient is the holder. An address that the
chart side keeps with a policy or a carrier is the plan's (guide: Insurance).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from operator import attrgetter
from typing import Any, Generic, TypeVar

from msgspec.structs import replace

from events.records import BillingChart, BillingPolicy
from events.terms import PolicyTerms
from events.writes import System
from projections.terms.codecs import PhoneNumber, Sex, State, Unfit, ZipCode, known_day, last_day, plain_amount, squeeze
from projections.terms.holder import holder_name
from projections.terms.placeholders import is_no_ssn

V = TypeVar("V")

RELATIONSHIPS = {
    "c": "child",
    "child": "child",
    "o": "other",
    "other": "other",
    "s": "self",
    "self": "self",
    "u": "spouse",
    "spouse": "spouse",
}
_MONEY = re.compile(r"\d{1,9}(\.\d{0,9})?", re.ASCII)
_SSN = re.compile(r"\d{9}", re.ASCII)
AMOUNTS = frozenset(("copay", "deductible"))
"""The members that a person has to correct where they are no amounts of money; the policy goes without them."""


def relationship(text: str) -> str:
    """The patient's relationship to the holder in the chart side's words. Nothing said: the patient is the holder."""
    said = text.strip()
    return RELATIONSHIPS.get(said.casefold(), "other") if said else "self"


def money(text: str) -> str | Unfit:
    """An amount as decimal text with two places, rounded half up; "" for none."""
    value = plain_amount(text)
    if not value:
        return ""
    if not _MONEY.fullmatch(value):
        return Unfit("not-an-amount", "is not an amount of money")
    return str(Decimal(value).quantize(Decimal("0.01"), ROUND_HALF_UP))


def ssn(text: str) -> str | Unfit:
    """The nine digits; a number that is masked, cut or made up is none."""
    value = "".join(char for char in text if char not in " -.")
    usable = not value or (_SSN.fullmatch(value) and not is_no_ssn(value))
    return value if usable else Unfit("not-an-ssn", "is not a social security number")


def sex_letter(text: str) -> str:
    """The chart side's legacy letters for the holder's sex."""
    value = {"m": "Male", "f": "Female"}.get(text.strip().casefold(), text)
    return {"Male": "M", "Female": "F"}.get(_SEX.key(value), "N")


def fit_state(text: str) -> str:
    """The postal abbreviation, or nothing: a policy does not wait for a state."""
    fitted = _STATE.fit(_STATE.clean(text), System.EHR)
    return "" if isinstance(fitted, Unfit) else fitted


def fit_phone(text: str) -> str:
    """The ten digits, or nothing: a policy does not wait for a phone."""
    fitted = _PHONE.fit(_PHONE.clean(text), System.EHR)
    return "" if isinstance(fitted, Unfit) else fitted


def fit_zip(text: str) -> str:
    """The ZIP code, or nothing: a policy does not wait for it."""
    fitted = _ZIP.fit(_ZIP.clean(text), System.EHR)
    return "" if isinstance(fitted, Unfit) else fitted


_SEX, _STATE, _PHONE, _ZIP = Sex(), State(), PhoneNumber(), ZipCode()


@dataclass(frozen=True)
class PolicyField(Generic[V]):
    """A row: `read` finds the field in the case's policy, `own` in the chart of a patient who is the holder.

    `ehr` and `billing` are the field's names on the screens of both sides. `otherwise` is written where nothing is said.
    """

    name: str
    label: str
    ehr: str
    billing: str
    read: Callable[[BillingPolicy], V]
    codec: Callable[[V], V | Unfit]
    source: str
    own: Callable[[BillingChart], V] | None = None
    otherwise: V | None = None


@dataclass(frozen=True)
class HolderName(PolicyField[str]):
    """A part of the holder's name, which the billing side gives as one text."""

    part: int = 0


def _joined(first: str, second: str) -> Callable[[BillingPolicy | BillingChart], str]:
    """Both lines of an address as one."""
    read = attrgetter(first, second)
    return lambda record: " ".join(read(record))


def _text(
    name: str,
    label: str,
    ehr: str,
    billing: str,
    member: str,
    source: str,
    codec: Callable[[str], str | Unfit] = squeeze,
    *,
    own: str = "",
    otherwise: str | None = None,
) -> PolicyField[str]:
    read_own = attrgetter(own) if own else None
    return PolicyField(name, label, ehr, billing, attrgetter(member), codec, source, read_own, otherwise)


def _day(
    name: str,
    label: str,
    ehr: str,
    billing: str,
    member: str,
    source: str,
    codec: Callable[[date | None], date | None] = known_day,
    *,
    own: str = "",
) -> PolicyField[date | None]:
    return PolicyField(name, label, ehr, billing, attrgetter(member), codec, source, attrgetter(own) if own else None)


_ROW = "guide: Insurance, row"
_HOLDER_NAME = attrgetter("insured_name")
AnyPolicyField = PolicyField[str] | PolicyField[date | None]

POLICIES: tuple[AnyPolicyField, ...] = (
    _text("plan_name", "Plan", "Plan", "Plan name", "plan_name", f"{_ROW} 1"),
    _text("carrier_name", "Company", "Carrier", "Company name", "company_name", f"{_ROW} 2"),
    _text("member_id", "Policy number", "Member ID", "Policy number", "number", f"{_ROW} 3"),
    _text("group_id", "Group number", "Group ID", "Group number", "group", f"{_ROW} 4"),
    _text("copay", "Copay", "Copay", "Copay", "copay", f"{_ROW} 5", money),
    _text("deductible", "Deductible", "Deductible", "Deductible", "deductible", f"{_ROW} 6", money),
    _text(
        "relationship",
        "Relationship to the holder",
        "Relationship to insured",
        "Relationship to policy holder",
        "relationship",
        f"{_ROW} 7",
        relationship,
        otherwise="self",
    ),
    HolderName(
        "insured_first_name",
        "Holder's first name",
        "First name",
        "Insured name",
        _HOLDER_NAME,
        squeeze,
        f"{_ROW} 8",
        part=0,
    ),
    HolderName(
        "insured_last_name",
        "Holder's last name",
        "Last name",
        "Insured name",
        _HOLDER_NAME,
        squeeze,
        f"{_ROW} 8",
        part=1,
    ),
    PolicyField(
        "insured_address",
        "Holder's street address",
        "Street address",
        "Street address (both lines)",
        _joined("insured_address1", "insured_address2"),
        squeeze,
        f"{_ROW} 9",
        own=_joined("address1", "address2"),
    ),
    _text("insured_city", "Holder's city", "City", "City", "insured_city", f"{_ROW} 10", own="city"),
    _text("insured_state", "Holder's state", "State", "State", "insured_state", f"{_ROW} 11", fit_state, own="state"),
    _text("insured_zip", "Holder's zip", "Zip", "Zip", "insured_zip", f"{_ROW} 12", fit_zip, own="zip"),
    _text("insured_ssn", "Holder's SSN", "SSN", "SSN", "insured_ssn", f"{_ROW} 13", ssn, own="ssn"),
    _day("insured_birth_date", "Holder's birth date", "DOB", "DOB", "insured_birth_date", f"{_ROW} 14", own="birth_date"),
    _text(
        "insured_sex",
        "Holder's sex",
        "Sex at birth",
        "Gender",
        "insured_sex",
        f"{_ROW} 15",
        sex_letter,
        own="sex",
        otherwise="N",
    ),
    _day("start", "In force from", "Start date", "Effective start", "start", "guide: Insurance, active policies"),
    _day("end", "In force until", "End date", "Effective end", "end", "guide: Insurance, active policies", last_day),
)

_PLAN = "guide: Insurance, carriers"
PLAN_ADDRESS: tuple[PolicyField[str], ...] = (
    _text("phone", "Plan's phone", "Phone", "Plan phone", "plan_phone", _PLAN, fit_phone),
    _text("address1", "Plan's address line 1", "Address", "Plan address line 1", "plan_address1", _PLAN),
    _text("address2", "Plan's address line 2", "Suite", "Plan address line 2", "plan_address2", _PLAN),
    _text("city", "Plan's city", "City", "Plan city", "plan_city", _PLAN),
    _text("state", "Plan's state", "State", "Plan state", "plan_state", _PLAN, fit_state),
    _text("zip", "Plan's zip", "Zip", "Plan zip", "plan_zip", _PLAN, fit_zip),
)
CARRIER_MOST = {"address2": 35, "city": 50, "zip": 10}
"""The characters that the chart side keeps of a carrier's address."""
INSURANCE: tuple[AnyPolicyField, ...] = (*POLICIES, *PLAN_ADDRESS)


_NAMES = tuple((row.name, row.part) for row in INSURANCE if isinstance(row, HolderName))
_READ: tuple[tuple[str, Callable[[BillingPolicy], Any], Callable[[Any], Any]], ...] = tuple(
    (row.name, row.read, row.codec) for row in INSURANCE if not isinstance(row, HolderName)
)
_OWN: tuple[tuple[str, Callable[[BillingChart], Any], Callable[[Any], Any]], ...] = tuple(
    (row.name, row.own, row.codec) for row in INSURANCE if row.own is not None
)
_OTHERWISE = tuple((row.name, row.otherwise) for row in INSURANCE if row.otherwise is not None)
"""The rows taken apart once: every decision about a patient asks all of them for each policy."""


def policy_terms(one: BillingPolicy, rank: int, carrier: int, plan: int, person: BillingChart) -> PolicyTerms:
    """The policy as the chart side shall hold it. `person` is the patient, by the names and birth date of the chart there.

    A value that no row can bring there is left out: the chart side keeps what it has.
    """
    own = relationship(one.relationship) == "self"
    values: dict[str, Any] = {name: (raw := read(one)) and codec(raw) for name, read, codec in _READ}
    if own:
        for member, read, codec in _OWN:
            if not values[member] or isinstance(values[member], Unfit):
                values[member] = ((raw := read(person)) and codec(raw)) or values[member]
        values["insured_birth_date"] = person.birth_date or values["insured_birth_date"]
    for member, otherwise in _OTHERWISE:
        values[member] = values[member] or otherwise
    keeps = tuple(name for name, value in values.items() if isinstance(value, Unfit))
    values |= dict.fromkeys(keeps, "")
    family = squeeze(person.last_name)
    name = (squeeze(person.first_name), family) if own else holder_name(one.insured_name, family)
    for member, part in _NAMES:
        values[member] = name[part]
    return PolicyTerms(billing_policy=one.id, rank=rank, carrier_id=carrier, plan_id=plan, keeps=keeps, **values)


def says_the_same(terms: PolicyTerms, written: PolicyTerms) -> bool:
    """Whether a policy that was written as `written` needs no write to become `terms`."""
    if not set(written.keeps) <= set(terms.keeps):
        return False
    kept = {name: getattr(terms, name) for name in terms.keeps}
    return terms == replace(written, keeps=terms.keeps, **kept)


def carrier_address(one: BillingPolicy) -> dict[str, str]:
    """The address of the policy's carrier on the chart side, by the members of a carrier."""
    found = {row.name: row.codec(row.read(one)) for row in PLAN_ADDRESS}
    return {name: text[: CARRIER_MOST.get(name)] for name, text in found.items() if isinstance(text, str)}
