"""Streets, cities, states, ZIP codes, phones, e-mails and SSNs for comparing; a placeholder is nothing."""

from __future__ import annotations

import re
from functools import cache, lru_cache

import msgspec
import phonenumbers
import us

from projections.matching.distance import MEMORY
from projections.matching.names import words
from projections.terms.placeholders import LOCAL, is_no_phone, is_no_ssn

SHORT = {
    "street": "st", "avenue": "ave", "av": "ave", "road": "rd", "drive": "dr", "lane": "ln", "court": "ct", "circuit": "cct",
    "place": "pl", "boulevard": "blvd", "terrace": "ter", "crescent": "cres", "highway": "hwy", "parkway": "pkwy",
    "square": "sq", "trail": "trl", "circle": "cir", "close": "cl", "north": "n", "south": "s", "east": "e", "west": "w",
    "northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw", "saint": "st", "mount": "mt", "fort": "ft",
    "first": "1st", "second": "2nd", "third": "3rd", "fourth": "4th", "fifth": "5th",
}  # fmt: skip
UNITS = frozenset(str.split("apt apartment unit suite ste lot rm room fl floor bldg building trlr"))
NOWHERE = frozenset(
    str.split("unknown none na homeless same sameasabove generaldelivery noaddress unk null refused declined test")
)
NO_EMAIL = frozenset(
    str.split(
        "none noemail na no nomail unknown unk declined refused noreply donotreply x xx xxx test null nobody noone patient"
    )
)
NO_DOMAIN = frozenset(
    str.split("none.com noemail.com na.com no.com nomail.com unknown.com email.com none.none test.com x.com")
)
NOTED = re.compile(r"(?:[^\d+]*[^\W\d_][^\d+(]*)?(\+?[\d\s().\-/]*\d)(?:[^\d]*[^\W\d_].*)?", re.DOTALL)
WHOLE = 10
"""Digits of a number with its area."""
PHONE = re.compile(r"\+?[\d\s().\-/]+")


class Street(msgspec.Struct, frozen=True):
    """House number and street name; either may be empty."""

    number: str = ""
    name: str = ""

    def __bool__(self) -> bool:
        return bool(self.name)

    @property
    def line(self) -> str:
        return self.number + self.name


NO_STREET = Street()


@lru_cache(MEMORY)
def street_of(text: str) -> Street:
    """Number and street of an address line, without unit, case and abbreviation."""
    parts = re.split(r"#", text, maxsplit=1)[0] if not text.strip().startswith("#") else text
    found = [SHORT.get(word, word) for word in words(parts)]
    if "".join(found) in NOWHERE:
        return NO_STREET
    for at, word in enumerate(found):
        if word in UNITS and at > 1:
            found = found[:at]
            break
    number = ""
    if found[:2] == ["po", "box"] or found[:3] == ["p", "o", "box"]:
        return Street("".join(found[found.index("box") + 1 :]), "pobox")
    if found and found[0][0].isdigit() and len(found) > 1:
        number = found.pop(0)
    return Street(number, "".join(found))


@lru_cache(MEMORY)
def city_of(text: str) -> str:
    found = "".join(SHORT.get(word, word) for word in words(text))
    return "" if found in NOWHERE else found


@lru_cache(MEMORY)
def state_of(text: str) -> str:
    """A state's two letters; a foreign one as its text."""
    found = "".join(words(text))
    return _states().get(found, found)


@cache
def _states() -> dict[str, str]:
    """The states by name, as it is written and not as it sounds: Menia is none."""
    return {"".join(words(one.name)): one.abbr.casefold() for one in (*us.states.STATES_AND_TERRITORIES, us.states.DC)}


@lru_cache(MEMORY)
def zip_of(text: str) -> str:
    """The five digits of a ZIP code; a foreign postcode as its letters and digits."""
    plain = re.sub(r"[^0-9a-z]", "", text.split("-")[0].casefold())
    if plain.isdigit() and len(plain) == 9:
        plain = plain[:5]
    if len(set(plain)) <= 1 or plain == "12345":
        return ""
    return plain.zfill(5) if plain.isdigit() and len(plain) == 4 else plain


@lru_cache(MEMORY)
def phone_of(text: str) -> str:
    """A number's digits with its country, or empty where it is none or a placeholder."""
    plain = PHONE.fullmatch(text.strip()) is not None
    if not plain:
        text = _without_note(text)
        plain = PHONE.fullmatch(text.strip()) is not None
    digits = re.sub("[^0-9]", "", text)
    if plain and len(digits) == 11 and digits[0] == "1":
        digits = digits[1:]
    elif not (plain and len(digits) == 10 and "+" not in text):
        try:
            parsed = phonenumbers.parse(text, "US")
        except phonenumbers.NumberParseException:
            return ""
        national = str(parsed.national_number)
        digits = national if parsed.country_code == 1 else f"{parsed.country_code}{national}"
    return "" if len(digits) < LOCAL or is_no_phone(digits) else digits


def _without_note(text: str) -> str:
    """A number without the words before or behind it (mom, cell, ext. 5); the letters of 1-800-FLOWERS are a part of it."""
    found = NOTED.fullmatch(text.strip()) if len(text) < 100 else None
    return found[1] if found and sum(char.isdecimal() for char in found[1]) >= WHOLE else text


@lru_cache(MEMORY)
def email_of(text: str) -> str:
    """An address without case, tag and Gmail's dots, or empty where it is none."""
    local, at, domain = text.strip().casefold().partition("@")
    local = local.split("+")[0]
    if domain in ("gmail.com", "googlemail.com"):
        local, domain = local.replace(".", ""), "gmail.com"
    plain = re.sub(r"[^a-z0-9]", "", local)
    if not (at and local and "." in domain) or plain in NO_EMAIL or domain in NO_DOMAIN:
        return ""
    return f"{local}@{domain}"


def ssn_of(text: str) -> str:
    """Nine digits that the Social Security Administration may have given, or empty."""
    if not text:
        return ""
    digits = re.sub(r"[\s\-.]", "", text)
    return digits if re.fullmatch(r"[0-9]{9}", digits) and not is_no_ssn(digits) else ""
