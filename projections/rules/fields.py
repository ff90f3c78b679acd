"""The demographics table: one row a field, with its place in each system, its codec and the source of the rule.

Both charts are read into the same shape, a dict by canonical field name, so that comparing and merging know no vendor.
The provider is canonical as the Kareo id; an Elation physician without a counterpart reads as `E:<id>`.
"""

from __future__ import annotations

from dataclasses import dataclass

from events.records import BillingChart, EhrChart, Phone
from events.writes import System
from projections.state.directory import Directory, physician_for, provider_for
from projections.terms.codecs import (
    CalendarDay,
    Codec,
    Email,
    PhoneNumber,
    Problem,
    Reference,
    Sex,
    State,
    Text,
    ZipCode,
)
from projections.terms.policy import Policy

PHONE_KINDS = {"home_phone": "Home", "mobile_phone": "Mobile", "work_phone": "Work"}
UNMAPPED = "E:"
"""Before the id of a physician who has no counterpart in the billing system: the value of `provider` until one is mapped."""

PHONE_SLOTS = 2
ADDRESS = ("address1", "address2", "city", "state", "zip")


@dataclass(frozen=True)
class Field:
    """`ehr` and `billing` are the vendors' names, for people; `label` is what the screens call it."""

    name: str
    label: str
    ehr: str
    billing: str
    codec: Codec
    source: str = "guide: Demographics"


DEMOGRAPHICS: tuple[Field, ...] = (
    Field("first_name", "First name", "first_name", "FirstName", Text(70, required=True)),
    Field("middle_name", "Middle name", "middle_name", "MiddleName", Text(50)),
    Field("last_name", "Last name", "last_name", "LastName", Text(70, required=True)),
    Field("birth_date", "Date of birth", "dob", "DateofBirth", CalendarDay()),
    Field("sex", "Sex at birth", "sex", "Gender", Sex()),
    Field("home_phone", "Home phone", "phones[Home]", "HomePhone", PhoneNumber()),
    Field("mobile_phone", "Mobile phone", "phones[Mobile]", "MobilePhone", PhoneNumber()),
    Field("work_phone", "Work phone", "phones[Work]", "WorkPhone", PhoneNumber()),
    Field("email", "E-mail", "emails", "EmailAddress", Email()),
    Field("address1", "Address line 1", "address.address_line1", "AddressLine1", Text(200)),
    Field("address2", "Suite / address line 2", "address.address_line2", "AddressLine2", Text(35)),
    Field("city", "City", "address.city", "City", Text(50)),
    Field("state", "State", "address.state", "State", State()),
    Field("zip", "Zip", "address.zip", "ZipCode", ZipCode()),
    Field("provider", "Primary provider", "primary_physician", "DefaultRenderingProvider", Reference()),
)
BY_NAME = {field.name: field for field in DEMOGRAPHICS}
NAMES = tuple(BY_NAME)
_CLEAN = tuple((field.name, field.codec.clean) for field in DEMOGRAPHICS)


def ehr_view(chart: EhrChart, directory: Directory, policy: Policy) -> dict[str, str]:
    """The chart's demographics by canonical name, cleaned."""
    raw = {
        "first_name": chart.first_name,
        "middle_name": chart.middle_name,
        "last_name": chart.last_name,
        "birth_date": chart.birth_date.isoformat() if chart.birth_date else "",
        "sex": chart.sex,
        "email": chart.emails[0] if chart.emails else "",
        "address1": chart.address1,
        "address2": chart.address2,
        "city": chart.city,
        "state": chart.state,
        "zip": chart.zip,
        "provider": _canonical_physician(chart.physician, directory, policy),
    }
    for name, kind in PHONE_KINDS.items():
        raw[name] = next((phone.number for phone in chart.phones if phone.kind == kind), "")
    return _cleaned(raw)


def billing_view(chart: BillingChart) -> dict[str, str]:
    """The patient's demographics by canonical name, cleaned."""
    raw = {name: getattr(chart, name) for name in NAMES if name not in ("birth_date", "provider")}
    raw["birth_date"] = chart.birth_date.isoformat() if chart.birth_date else ""
    raw["provider"] = str(chart.provider) if chart.provider else ""
    return _cleaned(raw)


def _cleaned(raw: dict[str, str]) -> dict[str, str]:
    """The values in the table's order; what is empty is clean."""
    return {name: (text := raw[name]) and clean(text) for name, clean in _CLEAN}


def _canonical_physician(physician: int | None, directory: Directory, policy: Policy) -> str:
    if physician is None:
        return ""
    provider = provider_for(physician, directory, policy)
    return str(provider) if provider is not None else f"{UNMAPPED}{physician}"


def is_unmapped(provider: str) -> bool:
    """Whether the value of the field `provider` is a physician without a counterpart."""
    return provider.startswith(UNMAPPED)


def same(name: str, one: str, other: str) -> bool:
    """Whether two values of a field say the same."""
    if one == other:
        return True
    codec = BY_NAME[name].codec
    return codec.key(one) == codec.key(other)


def agreed(ehr: dict[str, str], billing: dict[str, str]) -> dict[str, str]:
    """The fields that say the same on both sides, by name: the base of the next three-way merge."""
    return {name: billing[name] for name in NAMES if same(name, ehr[name], billing[name])}


def fit(
    changes: dict[str, str], target: System, directory: Directory, policy: Policy
) -> tuple[dict[str, str], dict[str, Problem]]:
    """Sort `changes` into what `target` can hold, in its own form, and what has to wait."""
    fitting: dict[str, str] = {}
    problems: dict[str, Problem] = {}
    for name, value in changes.items():
        result = (
            _fit_provider(value, target, directory, policy) if name == "provider" else BY_NAME[name].codec.fit(value, target)
        )
        if isinstance(result, Problem):
            problems[name] = result
        else:
            fitting[name] = result
    return fitting, problems


def _fit_provider(value: str, target: System, directory: Directory, policy: Policy) -> str | Problem:
    if not value:
        return Problem("cannot-clear", "a provider cannot be removed there; assign one")
    if target is System.BILLING:
        return (
            Problem("unmapped", "the Elation physician has no counterpart in Kareo; map it") if is_unmapped(value) else value
        )
    physician = physician_for(int(value), directory, policy) if value.isdigit() else None
    return (
        Problem("unmapped", "the Kareo provider has no counterpart in Elation; map it")
        if physician is None
        else str(physician)
    )


def place_phones(chart: EhrChart, changes: dict[str, str]) -> tuple[dict[str, str], dict[str, Problem]]:
    """Which phone changes find room in Elation's two slots; nothing that is there is evicted (NOTES: Patients).

    Removals and changes of a number in place always fit; new ones take the room that is left, Home before Mobile before
    Work.
    """
    held = {phone.kind for phone in chart.phones}
    room = PHONE_SLOTS - len(chart.phones)
    fitting: dict[str, str] = {}
    for name, kind in PHONE_KINDS.items():
        if name in changes and kind in held:
            fitting[name] = changes[name]
            room += not changes[name]
    problems: dict[str, Problem] = {}
    for name, kind in PHONE_KINDS.items():
        if name in changes and kind not in held:
            if not changes[name]:
                fitting[name] = ""
            elif room > 0:
                fitting[name] = changes[name]
                room -= 1
            else:
                problems[name] = Problem("no-room", "Elation holds two phones and both places are taken; remove one there")
    return fitting, problems


def with_phones(phones: tuple[Phone, ...], changes: dict[str, str]) -> tuple[Phone, ...]:
    """The whole array to send: `changes` carried out on the first entry of each kind, all other entries kept as read."""
    remaining = dict(changes)
    result: list[Phone] = []
    for phone in phones:
        name = next((name for name, kind in PHONE_KINDS.items() if kind == phone.kind and name in remaining), None)
        if name is None:
            result.append(phone)
        elif number := remaining.pop(name):
            result.append(Phone(kind=phone.kind, number=number))
    result += [Phone(kind=PHONE_KINDS[name], number=number) for name, number in remaining.items() if number]
    return tuple(result)


def hold_address(chart: EhrChart, changes: dict[str, str]) -> tuple[dict[str, str], dict[str, Problem]]:
    """Elation refuses an address without its first line: such changes wait together (NOTES: Patients)."""
    after = {name: changes.get(name, getattr(chart, name)) for name in ADDRESS}
    touched = [name for name in ADDRESS if name in changes]
    if touched and not after["address1"] and any(after.values()):
        problem = Problem("no-street", "Elation needs the first address line before city, state or zip; enter it")
        return {}, dict.fromkeys(touched, problem)
    return {name: changes[name] for name in touched}, {}
