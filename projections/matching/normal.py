"""A person made ready for comparing: everything that is done once a person, and nothing that needs a second one."""

from __future__ import annotations

from datetime import date

import msgspec

from projections.matching.names import PersonNames, names_of
from projections.matching.person import Person
from projections.matching.places import (
    NO_STREET,
    Street,
    city_of,
    email_of,
    phone_of,
    ssn_of,
    state_of,
    street_of,
    zip_of,
)

DEFAULTS = frozenset((date(1900, 1, 1), date(1899, 12, 30), date(1753, 1, 1), date(9999, 12, 31)))
"""What systems write for an empty date."""


class Normal(msgspec.Struct, frozen=True, kw_only=True):
    """A person's values in the one form in which they are compared."""

    id: str
    names: PersonNames
    born: date | None = None
    day: str = ""
    sex: str = ""
    street: Street = NO_STREET
    street2: Street = NO_STREET
    city: str = ""
    state: str = ""
    zip: str = ""
    phones: frozenset[str] = frozenset()
    email: str = ""
    ssn: str = ""

    @property
    def line2(self) -> str:
        return self.street2.line

    @property
    def area(self) -> str:
        """ZIP code and city together: where somebody lives, roughly."""
        return f"{self.zip}|{self.city}"

    @property
    def place(self) -> str:
        """Where somebody lives, as one word; empty without a street and number."""
        if not self.street.number or not self.street.name:
            return ""
        return f"{self.street.number} {self.street.name} {self.zip or self.city}"


def outline(person: Person) -> Normal:
    """`person` as far as `are_two_people` asks: that tells most of who share something apart, and costs little."""
    names = names_of(person.first_name, person.middle_name, person.last_name, person.suffix)
    born = birth_date_of(person.birth_date)
    day = f"{born.year:04}{born.month:02}{born.day:02}" if born else ""
    return Normal(id=person.id, names=names, born=born, day=day, ssn=ssn_of(person.ssn))


def normalize(person: Person) -> Normal:
    """`person` as it is compared."""
    begun = outline(person)
    first, second = street_of(person.address1), street_of(person.address2)
    if not first:
        first, second = second, NO_STREET
    return Normal(
        id=person.id,
        names=begun.names,
        born=begun.born,
        day=begun.day,
        sex=sex_of(person.sex),
        street=first,
        street2=second,
        city=city_of(person.city),
        state=state_of(person.state),
        zip=zip_of(person.zip),
        phones=frozenset(found for one in person.phones if (found := phone_of(one))),
        email=email_of(person.email),
        ssn=begun.ssn,
    )


def birth_date_of(given: date | None) -> date | None:
    """A birth date that can be one."""
    if given is None or given in DEFAULTS or not 1850 <= given.year <= 2150:
        return None
    return given


def sex_of(text: str) -> str:
    """`m`, `f`, or empty for all that says nothing about a person's identity."""
    letter = text.strip().casefold()
    return letter if letter in ("m", "f") else {"male": "m", "female": "f"}.get(letter, "")
