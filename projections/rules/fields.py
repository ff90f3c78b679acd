"""The demographics table: one row a field, with its place on each side, its codec and the source of the rule.

Both charts are read into the same shape, a dict by canonical field name, so that comparing and merging know no vendor.
The provider is canonical as the billing side's id; a physician of the chart side without a counterpart reads as `E:<id>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from events.records import BillingChart, EhrChart, Phone
from events.writes import System
from projections.rules.places import (
    AddressPart,
    Attr,
    Changes,
    Day,
    First,
    PhoneOf,
    RecordId,
    RecordPlace,
    numbers_of,
    with_phone,
)
from projections.state.directory import Directory
from projections.state.maps import physician_for, provider_for
from projections.terms.codecs import (
    CalendarDay,
    Codec,
    Email,
    PhoneNumber,
    Reference,
    Sex,
    State,
    Text,
    Unfit,
    ZipCode,
)
from projections.terms.names import Names
from projections.terms.policy import Policy

PHONE_SLOTS = 2
UNMAPPED = "E:"
Beside = Mapping[str, tuple[str, ...]]
"""Numbers of the same kind as a phone field's that are not ours, by the field's name."""
NOTHING: Beside = MappingProxyType({})


@dataclass(frozen=True)
class Field:
    """A row: a field has one codec for both sides, and a place on each.

    `needed_by` are the sides that refuse to create a chart without the field. `always_to` are the sides that a new chart's
    field is sent to even where it is empty.
    """

    name: str
    label: str
    ehr: RecordPlace
    billing: RecordPlace
    codec: Codec
    source: str
    needed_by: tuple[System, ...] = ()
    always_to: tuple[System, ...] = ()

    def place(self, side: System) -> RecordPlace:
        """Where the field stands in the charts of a side."""
        return self.ehr if side is System.EHR else self.billing


EITHER = (System.EHR, System.BILLING)
DEMOGRAPHICS: tuple[Field, ...] = (
    Field(
        "first_name",
        "First name",
        ehr=Attr("first_name", "Legal first name"),
        billing=Attr("first_name", "First name"),
        codec=Text(70, required=True),
        needed_by=EITHER,
        source="guide: Demographics, row 1",
    ),
    Field(
        "middle_name",
        "Middle name",
        ehr=Attr("middle_name", "Middle name"),
        billing=Attr("middle_name", "M"),
        codec=Text(50),
        source="guide: Demographics, row 2",
    ),
    Field(
        "last_name",
        "Last name",
        ehr=Attr("last_name", "Legal last name"),
        billing=Attr("last_name", "Last name"),
        codec=Text(70, required=True),
        needed_by=EITHER,
        source="guide: Demographics, row 3",
    ),
    Field(
        "birth_date",
        "Date of birth",
        ehr=Day("birth_date", "Date of birth"),
        billing=Day("birth_date", "DOB"),
        codec=CalendarDay(),
        needed_by=(System.EHR,),
        source="guide: Demographics, row 4",
    ),
    Field(
        "sex",
        "Sex at birth",
        ehr=Attr("sex", "Sex at birth"),
        billing=Attr("sex", "Sex"),
        codec=Sex(),
        always_to=(System.EHR,),
        source="guide: Demographics, row 5",
    ),
    Field(
        "home_phone",
        "Home phone",
        ehr=PhoneOf("phones", "Phone of type Home", "Home"),
        billing=Attr("home_phone", "Home phone"),
        codec=PhoneNumber(),
        source="guide: Demographics, row 6",
    ),
    Field(
        "mobile_phone",
        "Mobile phone",
        ehr=PhoneOf("phones", "Phone of type Mobile", "Mobile"),
        billing=Attr("mobile_phone", "Mobile phone"),
        codec=PhoneNumber(),
        source="guide: Demographics, row 6",
    ),
    Field(
        "work_phone",
        "Work phone",
        ehr=PhoneOf("phones", "Phone of type Work", "Work"),
        billing=Attr("work_phone", "Work phone"),
        codec=PhoneNumber(),
        source="guide: Demographics, row 6",
    ),
    Field(
        "email",
        "E-mail",
        ehr=First("emails", "Email"),
        billing=Attr("email", "Personal email"),
        codec=Email(),
        source="guide: Demographics, row 7",
    ),
    Field(
        "address1",
        "Address line 1",
        ehr=AddressPart("address1", "Address"),
        billing=AddressPart("address1", "Address line 1"),
        codec=Text(200),
        source="guide: Demographics, row 8",
    ),
    Field(
        "address2",
        "Suite / address line 2",
        ehr=AddressPart("address2", "Suite"),
        billing=AddressPart("address2", "Address line 2"),
        codec=Text(35),
        source="guide: Demographics, row 9",
    ),
    Field(
        "city",
        "City",
        ehr=AddressPart("city", "City"),
        billing=AddressPart("city", "City"),
        codec=Text(50),
        source="guide: Demographics, row 10",
    ),
    Field(
        "state",
        "State",
        ehr=AddressPart("state", "State"),
        billing=AddressPart("state", "State"),
        codec=State(),
        source="guide: Demographics, row 11",
    ),
    Field(
        "zip",
        "Zip",
        ehr=AddressPart("zip", "Zip"),
        billing=AddressPart("zip", "Zip"),
        codec=ZipCode(),
        source="guide: Demographics, row 12",
    ),
    Field(
        "provider",
        "Primary provider",
        ehr=RecordId("physician", "Provider assigned in practice"),
        billing=RecordId("provider", "Primary provider"),
        codec=Reference(),
        source="guide: Demographics, row 13",
    ),
)
BY_NAME = {field.name: field for field in DEMOGRAPHICS}
NAMES = tuple(BY_NAME)
ADDRESS = tuple(field.name for field in DEMOGRAPHICS if isinstance(field.ehr, AddressPart))
PHONE_KINDS = {field.name: field.ehr.kind for field in DEMOGRAPHICS if isinstance(field.ehr, PhoneOf)}

_EHR = tuple((field.name, field.ehr.reader(), field.codec.clean) for field in DEMOGRAPHICS)
_BILLING = tuple((field.name, field.billing.reader(), field.codec.clean) for field in DEMOGRAPHICS)


def ehr_view(chart: EhrChart, directory: Directory, policy: Policy) -> dict[str, str]:
    """The chart's demographics by canonical name, cleaned, in the table's order."""
    view = {name: (text := read(chart)) and clean(text) for name, read, clean in _EHR}
    if physician := view["provider"]:
        provider = provider_for(int(physician), directory, policy)
        view["provider"] = f"{UNMAPPED}{physician}" if provider is None else str(provider)
    return view


def billing_view(chart: BillingChart) -> dict[str, str]:
    """The patient's demographics by canonical name, cleaned, in the table's order."""
    return {name: (text := read(chart)) and clean(text) for name, read, clean in _BILLING}


def own_phones(chart: EhrChart, known: tuple[Mapping[str, str], ...], beside: Beside) -> dict[str, str]:
    """Of several numbers of a kind the one that is ours: one that is `known`, first of all, else the first of them."""
    found: dict[str, str] = {}
    for name, kind in PHONE_KINDS.items():
        numbers = numbers_of(chart.phones, kind, beside.get(name, ()))
        ours = [number for values in known if (number := values.get(name, "")) in numbers]
        found[name] = next(iter([*ours, *numbers]), "")
    return found


def phones_beside(chart: EhrChart, fields: dict[str, str], current: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """For each phone among the `fields` to write the other numbers of its kind than the `current` one: they are not ours."""
    found: dict[str, tuple[str, ...]] = {}
    for name, kind in PHONE_KINDS.items():
        if name in fields and name in current:
            others = tuple(one for one in numbers_of(chart.phones, kind) if one not in (current[name], fields[name]))
            found |= {name: others} if others else {}
    return found


def told(
    chart: EhrChart | BillingChart, side: System, fields: dict[str, str], provider: int | None, beside: Beside = NOTHING
) -> Changes:
    """The members of `chart` that differ once its system took a write of `fields`; `provider` is the id on that side."""
    changes: Changes = {}
    for field in DEMOGRAPHICS:
        place = field.place(side)
        if isinstance(place, RecordId):
            if provider is not None:
                place.put(chart, str(provider), changes)
        elif isinstance(place, PhoneOf) and field.name in fields:
            place.put_beside(chart, fields[field.name], changes, beside.get(field.name, ()))
        elif field.name in fields:
            place.put(chart, fields[field.name], changes)
    return changes


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
) -> tuple[dict[str, str], dict[str, Unfit]]:
    """Sort `changes` into what `target` can hold, in its own form, and what has to wait."""
    fitting: dict[str, str] = {}
    problems: dict[str, Unfit] = {}
    for name, value in changes.items():
        result = (
            _fit_provider(value, target, directory, policy) if name == "provider" else BY_NAME[name].codec.fit(value, target)
        )
        if isinstance(result, Unfit):
            problems[name] = result
        else:
            fitting[name] = result
    return fitting, problems


def _fit_provider(value: str, target: System, directory: Directory, policy: Policy) -> str | Unfit:
    if not value:
        return Unfit("cannot-clear", "a provider cannot be removed there; assign one")
    names = policy.names
    if target is System.BILLING:
        return unmapped_physician(names) if value.startswith(UNMAPPED) else value
    physician = physician_for(int(value), directory, policy) if value.isdigit() else None
    if physician is None:
        return Unfit("unmapped", f"the {names.billing.label} provider has no counterpart in {names.ehr.label}; map it")
    return str(physician)


def unmapped_physician(names: Names) -> Unfit:
    """Why a physician of the chart side cannot be assigned on the billing side."""
    return Unfit("unmapped", f"the {names.ehr.label} physician has no counterpart in {names.billing.label}; map it")


def place_phones(
    chart: EhrChart, changes: dict[str, str], names: Names, beside: Beside = NOTHING
) -> tuple[dict[str, str], dict[str, Unfit]]:
    """Which phone changes find room in the chart side's two places; no phone that is there is evicted (guide: Demographics).

    Removals and changes of a number in place always fit. New numbers take the room that is left, in the table's order.
    """
    held = {kind for name, kind in PHONE_KINDS.items() if numbers_of(chart.phones, kind, beside.get(name, ()))}
    room = PHONE_SLOTS - len(chart.phones)
    fitting: dict[str, str] = {}
    for name, kind in PHONE_KINDS.items():
        if name in changes and kind in held:
            fitting[name] = changes[name]
            room += not changes[name]
    problems: dict[str, Unfit] = {}
    for name, kind in PHONE_KINDS.items():
        if name in changes and kind not in held:
            if not changes[name]:
                fitting[name] = ""
            elif room > 0:
                fitting[name] = changes[name]
                room -= 1
            else:
                problems[name] = Unfit(
                    "no-room", f"{names.ehr.label} holds two phones and both places are taken; remove one there"
                )
    return fitting, problems


def with_phones(phones: tuple[Phone, ...], changes: dict[str, str], beside: Beside = NOTHING) -> tuple[Phone, ...]:
    """The whole array to send: `changes` carried out on our entry of each kind, all other entries kept as read."""
    for name, number in changes.items():
        phones = with_phone(phones, PHONE_KINDS[name], number, beside.get(name, ()))
    return phones


def hold_address(chart: EhrChart, changes: dict[str, str], names: Names) -> tuple[dict[str, str], dict[str, Unfit]]:
    """The chart side refuses an address without its first line: such changes wait together."""
    after = {name: changes.get(name, getattr(chart, name)) for name in ADDRESS}
    touched = [name for name in ADDRESS if name in changes]
    if touched and not after["address1"] and any(after.values()):
        label = names.ehr.label
        problem = Unfit("no-street", f"{label} needs the first address line before city, state or zip; enter it")
        return {}, dict.fromkeys(touched, problem)
    return {name: changes[name] for name in touched}, {}
