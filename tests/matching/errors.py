"""How charts of one person differ: the table of kinds and rates, and what each kind does to a chart.

Kinds after Christen's FEBRL (typing, swapped and missing fields) and Just et al. 2016, "Why Patient Matching Is a Challenge"
(Perspectives in Health Information Management: misspelt, swapped and changed names, default values).
The rates are assumed, of their order of magnitude for registration desks, and differ between the mixes on purpose.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from msgspec.structs import replace

from projections.matching import Person
from projections.matching.names import formal_of, nicknames_of
from tests.matching.pools import LASTS, OTHER_TOWNS, STREETS, TOWNS, WAYS

Change = Callable[[Person, random.Random], Person]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
NEIGHBOURS = {
    "a": "qsz",
    "e": "wr",
    "i": "uo",
    "o": "ip",
    "n": "bm",
    "m": "n",
    "r": "et",
    "s": "ad",
    "t": "ry",
    "l": "k",
    "c": "xv",
}


def typed(text: str, pick: random.Random) -> str:
    """One slip of the fingers."""
    if len(text) < 3:
        return text
    at = pick.randrange(1, len(text) - 1)
    match pick.randrange(4):
        case 0:
            return text[:at] + text[at + 1 :]
        case 1:
            return text[:at] + text[at] + text[at:]
        case 2:
            return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        case _:
            return text[:at] + pick.choice(NEIGHBOURS.get(text[at].lower(), LETTERS)) + text[at + 1 :]


def heard(text: str, pick: random.Random) -> str:
    """Written as it sounds."""
    ways = [("ie", "y"), ("y", "ie"), ("ph", "f"), ("c", "k"), ("k", "c"), ("ll", "l"), ("nn", "n"), ("ei", "ie"), ("son", "sen"), ("z", "s"), ("th", "t")]  # fmt: skip
    fit = [(old, new) for old, new in ways if old in text]
    return text.replace(*pick.choice(fit), 1) if fit else typed(text, pick)


def _field(name: str, change: Callable[[str, random.Random], str]) -> Change:
    return lambda one, pick: replace(one, **{name: change(getattr(one, name), pick)})


def _nickname(one: Person, pick: random.Random) -> Person:
    known = sorted(nicknames_of(one.first_name.casefold()) or formal_of(one.first_name.casefold()))
    return replace(one, first_name=pick.choice(known).capitalize()) if known else one


def _swapped(one: Person, _: random.Random) -> Person:
    return replace(one, first_name=one.last_name, last_name=one.first_name)


def _middle_used(one: Person, _: random.Random) -> Person:
    return replace(one, first_name=one.middle_name, middle_name="") if len(one.middle_name) > 1 else one


def _married(one: Person, pick: random.Random) -> Person:
    new = pick.choice(LASTS)
    kept = pick.random() < 0.35
    return replace(one, last_name=f"{one.last_name}-{new}" if kept else new) if one.sex[:1] == "F" else one


def _part_left_out(one: Person, pick: random.Random) -> Person:
    parts = one.last_name.replace("-", " ").split()
    return (
        replace(one, last_name=pick.choice((parts[0], parts[-1], "-".join(parts), "".join(parts))))
        if len(parts) > 1
        else one
    )


def _second_surname(one: Person, pick: random.Random) -> Person:
    return replace(one, last_name=f"{one.last_name} {pick.choice(LASTS)}")


def _suffix_in_name(one: Person, pick: random.Random) -> Person:
    written = pick.choice((f"{one.last_name} {one.suffix}", f"{one.last_name}, {one.suffix}.", one.last_name))
    return replace(one, last_name=written, suffix="") if one.suffix else one


def _day_month(one: Person, _: random.Random) -> Person:
    born = one.birth_date
    return replace(one, birth_date=date(born.year, born.day, born.month)) if born and born.day <= 12 else one


def _date_digit(one: Person, pick: random.Random) -> Person:
    if one.birth_date is None:
        return one
    text = f"{one.birth_date:%Y%m%d}"
    for _ in range(20):
        at = pick.choice((2, 3, 3, 5, 6, 7, 7))
        new = text[:at] + pick.choice("0123456789") + text[at + 1 :]
        try:
            changed = date(int(new[:4]), int(new[4:6]), int(new[6:]))
        except ValueError:
            continue
        if changed != one.birth_date and changed.year <= 2026:
            return replace(one, birth_date=changed)
    return one


def _date_default(one: Person, _: random.Random) -> Person:
    return replace(one, birth_date=one.birth_date.replace(month=1, day=1)) if one.birth_date else one


def _moved(one: Person, pick: random.Random) -> Person:
    around = TOWNS if (one.city, one.state, one.zip) in TOWNS else OTHER_TOWNS
    city, state, zip_ = pick.choice(around)
    street = f"{pick.randrange(1, 9999)} {pick.choice(STREETS)} {pick.choice(WAYS)}"
    return replace(one, address1=street, address2="", city=city, state=state, zip=zip_)


def _new_phone(one: Person, pick: random.Random) -> Person:
    return replace(
        one, phones=(f"({pick.choice((706, 803, 614))}) {pick.randrange(200, 999)}-{pick.randrange(10_000):04d}",)
    )


def _phone_digit(one: Person, pick: random.Random) -> Person:
    if not one.phones:
        return one
    at = len(one.phones[0]) - pick.randrange(1, 4)
    return replace(one, phones=(one.phones[0][:at] + pick.choice("0123456789") + one.phones[0][at + 1 :],))


def _ssn_digit(one: Person, pick: random.Random) -> Person:
    return replace(one, ssn=one.ssn[:-2] + pick.choice("0123456789") + one.ssn[-1]) if one.ssn else one


def _abbreviated(one: Person, _: random.Random) -> Person:
    text = one.address1
    for old, new in (
        ("Street", "St."),
        ("Avenue", "Ave"),
        ("Road", "Rd"),
        ("Drive", "DR"),
        ("Lane", "Ln"),
        ("Boulevard", "Blvd"),
    ):
        text = text.replace(old, new)
    return replace(one, address1=text)


def _emptied(*names: str) -> Change:
    empty: dict[str, object] = {"birth_date": None, "phones": ()}
    return lambda one, pick: replace(one, **{name: empty.get(name, "") for name in names})


@dataclass(frozen=True)
class Error:
    """A kind with its rate in the mix for estimating and in the mix for judging; `slight` ones are the same to any reader."""

    kind: str
    change: Change
    estimating: float
    judging: float
    slight: bool = False


ERRORS = (
    Error("capitals", lambda one, _: replace(one, first_name=one.first_name.upper(), last_name=one.last_name.upper()), 0.2, 0.1, slight=True),
    Error("street abbreviated", _abbreviated, 0.3, 0.4, slight=True),
    Error("first name typed", _field("first_name", typed), 0.02, 0.010),
    Error("first name heard", _field("first_name", heard), 0.01, 0.006),
    Error("nickname", _nickname, 0.03, 0.04),
    Error("first name's initial", lambda one, _: replace(one, first_name=one.first_name[:1]), 0.003, 0.002),
    Error("middle name used", _middle_used, 0.01, 0.004),
    Error("middle name's initial", lambda one, _: replace(one, middle_name=one.middle_name[:1]), 0.15, 0.25),
    Error("middle name missing", _emptied("middle_name"), 0.25, 0.2),
    Error("last name typed", _field("last_name", typed), 0.02, 0.025),
    Error("last name heard", _field("last_name", heard), 0.01, 0.015),
    Error("married", _married, 0.02, 0.03),
    Error("part of the last name", _part_left_out, 0.3, 0.25),
    Error("second surname", _second_surname, 0.004, 0.006),
    Error("suffix in the last name", _suffix_in_name, 0.3, 0.4),
    Error("first and last swapped", _swapped, 0.006, 0.004),
    Error("day and month swapped", _day_month, 0.006, 0.008),
    Error("birth date digit", _date_digit, 0.012, 0.010),
    Error("birth date default", _date_default, 0.002, 0.001),
    Error("birth date missing", _emptied("birth_date"), 0.003, 0.002),
    Error("sex wrong", lambda one, _: replace(one, sex="Male" if one.sex == "Female" else "Female"), 0.004, 0.003),
    Error("sex missing", _emptied("sex"), 0.02, 0.03),
    Error("moved", _moved, 0.06, 0.08),
    Error("street typed", _field("address1", typed), 0.03, 0.04),
    Error("address missing", _emptied("address1", "city", "state", "zip"), 0.02, 0.01),
    Error("city typed", _field("city", typed), 0.02, 0.02),
    Error("ZIP digit", _field("zip", lambda text, pick: text[:4] + pick.choice("0123456789")), 0.02, 0.01),
    Error("new phone", _new_phone, 0.06, 0.08),
    Error("phone digit", _phone_digit, 0.01, 0.015),
    Error("phone placeholder", lambda one, _: replace(one, phones=("999-999-9999",)), 0.01, 0.01),
    Error("phone missing", _emptied("phones"), 0.04, 0.03),
    Error("e-mail missing", _emptied("email"), 0.2, 0.3),
    Error("e-mail placeholder", lambda one, _: replace(one, email="none@none.com"), 0.03, 0.02),
    Error("e-mail typed", _field("email", typed), 0.01, 0.01),
    Error("SSN missing", _emptied("ssn"), 0.5, 0.6),
    Error("SSN digit", _ssn_digit, 0.01, 0.008),
    Error("SSN placeholder", lambda one, _: replace(one, ssn="000-00-0000"), 0.02, 0.01),
)  # fmt: skip
UNTOLD = frozenset(("middle name missing", "middle name's initial", "e-mail missing", "SSN missing"))
"""What half of all charts lack: no error."""

LIFE = frozenset(("moved", "new phone", "married", "second surname"))
"""What befalls people, whoever writes it down."""

CARELESS, TIMES = 0.4, 2.5
"""The share of charts that a careless desk made, and how much more often it errs."""


def mistaken(one: Person, pick: random.Random, *, judging: bool) -> tuple[Person, tuple[str, ...]]:
    """The chart that a second desk makes of a person, and the kinds of error that are seen in it."""
    kinds = []
    careless = pick.random() < CARELESS
    for error in ERRORS:
        rate = (error.judging if judging else error.estimating) * (TIMES if careless and error.kind not in LIFE else 1)
        if pick.random() < rate:
            changed = error.change(one, pick)
            if changed != one and not error.slight and error.kind not in UNTOLD:
                kinds.append(error.kind)
            one = changed
    return one, tuple(kinds)
