"""How one mapped value is cleaned, compared and fitted to each system.

A codec never guesses: a value that does not fit is a `Unfit` that says what to do, and the field waits. Values are text;
"" means empty. `clean` gives the form that is stored and written, `key` the form that is compared, so that a value is
never written back merely because it is formatted differently (guide: Demographics).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Protocol
from unicodedata import normalize

from events.writes import System
from projections.terms.placeholders import is_no_phone

_NOT_A_DIGIT = re.compile(r"\D")
_ZIP = re.compile(r"(\d{5})[\s_-]*(\d{4})?[\s_-]*", re.ASCII)
_LETTER = re.compile(r"[^\W\d_]")
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d*)?", re.ASCII)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")

STATES = {
    "alabama": "AL", "alaska": "AK", "arizona": "AZ", "arkansas": "AR", "california": "CA", "colorado": "CO",
    "connecticut": "CT", "delaware": "DE", "district of columbia": "DC", "florida": "FL", "georgia": "GA", "hawaii": "HI",
    "idaho": "ID", "illinois": "IL", "indiana": "IN", "iowa": "IA", "kansas": "KS", "kentucky": "KY", "louisiana": "LA",
    "maine": "ME", "maryland": "MD", "massachusetts": "MA", "michigan": "MI", "minnesota": "MN", "mississippi": "MS",
    "missouri": "MO", "montana": "MT", "nebraska": "NE", "nevada": "NV", "new hampshire": "NH", "new jersey": "NJ",
    "new mexico": "NM", "new york": "NY", "north carolina": "NC", "north dakota": "ND", "ohio": "OH", "oklahoma": "OK",
    "oregon": "OR", "pennsylvania": "PA", "rhode island": "RI", "south carolina": "SC", "south dakota": "SD",
    "tennessee": "TN", "texas": "TX", "utah": "UT", "vermont": "VT", "virginia": "VA", "washington": "WA",
    "west virginia": "WV", "wisconsin": "WI", "wyoming": "WY", "puerto rico": "PR", "guam": "GU", "virgin islands": "VI",
    "american samoa": "AS", "northern mariana islands": "MP", "federated states of micronesia": "FM", "micronesia": "FM",
    "marshall islands": "MH", "palau": "PW",
}  # fmt: skip
ABBREVIATIONS = frozenset(STATES.values()) | {"AA", "AE", "AP"}


@dataclass(frozen=True)
class Unfit:
    """Why a value cannot be written: a stable code, and words for a person that do not repeat the value."""

    code: str
    text: str


class Codec(Protocol):
    def clean(self, text: str) -> str: ...
    def key(self, text: str) -> str: ...
    def fit(self, text: str, system: System) -> str | Unfit: ...


_UNSEEN = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u200b\u2060\ufeff]")
"""Control characters that are no white space, and what copying brings along: they are in no name, and no system takes them."""


def squeeze(text: str) -> str:
    """Outer spaces off, inner runs of white space to one space, accents composed, what nobody sees left out: one form for what
    reads the same."""
    words = " ".join(text.split())
    if words.isascii() and words.isprintable():
        return words
    return normalize("NFC", " ".join(_UNSEEN.sub("", words).split()))


NO_DAYS = frozenset((date(1, 1, 1), date(1900, 1, 1)))
"""How .NET and SQL Server write an empty date."""
OPEN_END = date(9999, 1, 1)
"""Ends from here on mean that no end is known: 12/31/9999 is how some systems write it."""


def is_no_birth(day: date) -> bool:
    """Whether nobody was born on this day: it stands for none, or for the end of time."""
    return day in NO_DAYS or day >= OPEN_END


def known_day(day: date | None) -> date | None:
    """The day, or None for the dates that only stand for an empty one."""
    return None if day in NO_DAYS else day


def last_day(day: date | None) -> date | None:
    """The last day of something, or None for an open end."""
    return None if day is None or day in NO_DAYS or day >= OPEN_END else day


def plain_amount(text: str) -> str:
    """The amount as people write it, without a dollar sign and the commas of thousands, and with a digit before the point."""
    value = text.strip().removeprefix("$").lstrip()
    if _THOUSANDS.fullmatch(value):
        value = value.replace(",", "")
    return f"0{value}" if value.startswith(".") and len(value) > 1 else value


@dataclass(frozen=True)
class Text:
    """Free text up to `most` characters; `required` refuses to clear it (names)."""

    most: int
    required: bool = False

    def clean(self, text: str) -> str:
        return squeeze(text)

    def key(self, text: str) -> str:
        return squeeze(text)

    def fit(self, text: str, system: System) -> str | Unfit:
        if self.required and not text:
            return Unfit("required", "may not be empty")
        if len(text) > self.most:
            return Unfit("too-long", f"is longer than the {self.most} characters that fit; shorten it")
        return text


_NO_DAYS = frozenset(day.isoformat() for day in NO_DAYS)


@dataclass(frozen=True)
class CalendarDay:
    """A date as ISO text; an empty date of .NET or SQL Server is none. Neither system can clear one."""

    def clean(self, text: str) -> str:
        value = text.strip()
        return "" if value in _NO_DAYS else value

    def key(self, text: str) -> str:
        return self.clean(text)

    def fit(self, text: str, system: System) -> str | Unfit:
        if not text:
            return Unfit("cannot-clear", "a date cannot be cleared there; enter the right one")
        try:
            plain = date.fromisoformat(text).isoformat() == text
        except ValueError:
            plain = False
        return text if plain else Unfit("not-a-date", "is not a date; correct it")


@dataclass(frozen=True)
class Sex:
    """Sex at birth: the chart side also knows Other, which the billing side can only call Unknown."""

    def clean(self, text: str) -> str:
        return text.strip().capitalize()

    def key(self, text: str) -> str:
        value = self.clean(text)
        return "Unknown" if value in ("", "Other") else value

    def fit(self, text: str, system: System) -> str | Unfit:
        value = self.key(text) if system is System.BILLING else text or "Unknown"
        if value not in ("Female", "Male", "Other", "Unknown"):
            return Unfit("unknown-sex", "is none of Female, Male, Other, Unknown")
        return value


@dataclass(frozen=True)
class PhoneNumber:
    """A North American number, kept as its ten digits; anything with letters is left to a person, and zeros are no number."""

    def clean(self, text: str) -> str:
        if len(text) == 10 and text.isascii() and text.isdigit() and text.strip("0"):
            return text
        if _LETTER.search(text):
            return squeeze(text)
        digits = _NOT_A_DIGIT.sub("", text)
        if len(digits) == 11 and digits.startswith("1"):
            digits = digits[1:]
        return digits if digits.strip("0") else ""

    def key(self, text: str) -> str:
        return self.clean(text)

    def fit(self, text: str, system: System) -> str | Unfit:
        if text and not (text.isascii() and text.isdigit() and len(text) == 10):
            return Unfit("not-a-phone", "is not a ten-digit phone number; correct it")
        if text and is_no_phone(text):
            return Unfit("not-a-phone", "stands for no phone number; enter the right one")
        return text


@dataclass(frozen=True)
class Email:
    most: int = 254

    def clean(self, text: str) -> str:
        return text.strip()

    def key(self, text: str) -> str:
        return text.strip().casefold()

    def fit(self, text: str, system: System) -> str | Unfit:
        if text and (len(text) > self.most or not _EMAIL.fullmatch(text)):
            return Unfit("not-an-email", "is not an e-mail address that fits; correct it")
        return text


@dataclass(frozen=True)
class State:
    """The postal abbreviation; the chart side accepts nothing else."""

    def clean(self, text: str) -> str:
        value = squeeze(text)
        return STATES.get(value.casefold().replace(".", ""), value.upper() if len(value) == 2 else value)

    def key(self, text: str) -> str:
        return self.clean(text)

    def fit(self, text: str, system: System) -> str | Unfit:
        if text and text not in ABBREVIATIONS:
            return Unfit("not-a-state", "is not a state that has a postal abbreviation; correct it")
        return text


@dataclass(frozen=True)
class ZipCode:
    """Five digits, or nine with a dash; what an entry mask leaves behind (`02139-____`) is no part of it."""

    def clean(self, text: str) -> str:
        value = squeeze(text)
        found = _ZIP.fullmatch(value)
        return "-".join(part for part in found.groups() if part) if found else value

    def key(self, text: str) -> str:
        return self.clean(text)

    def fit(self, text: str, system: System) -> str | Unfit:
        if len(text) > 10:
            return Unfit("too-long", "is longer than the 10 characters that fit; correct it")
        if text and not _ZIP.fullmatch(text):
            return Unfit("not-a-zip", "is not a ZIP code of five or nine digits; correct it")
        return text


@dataclass(frozen=True)
class Reference:
    """The id of a record of the practice's directory, as text; mapped before it is written, never cleared."""

    def clean(self, text: str) -> str:
        return text

    def key(self, text: str) -> str:
        return text

    def fit(self, text: str, system: System) -> str | Unfit:
        return text
