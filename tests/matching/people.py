"""One person for all tests, and what can be changed about her."""

from __future__ import annotations

from datetime import date

from msgspec.structs import replace

from projections.matching import Decision, Frequencies, Person, match, normalize
from projections.matching.compare import Levels, compared

ADA = Person(
    id="1",
    first_name="Adelaide",
    middle_name="Ruth",
    last_name="Wennerholm",
    birth_date=date(1985, 12, 10),
    sex="Female",
    address1="1207 Peachtree Street",
    city="Augusta",
    state="GA",
    zip="30904",
    phones=("(706) 722-4418",),
    email="dancing.queen@mail.com",
)
NOBODY = Frequencies()


def ada(**changes: object) -> Person:
    return replace(ADA, **changes)  # type: ignore[arg-type]


def elsewhere(**changes: object) -> Person:
    """Of her name and birth date, all else another's."""
    other = {
        "middle_name": "", "address1": "31 Laurel Lane", "city": "Thomson", "zip": "30824", "phones": ("706 595 2200",),
        "email": "gardener@mail.com",
    }  # fmt: skip
    return ada(**{**other, **changes})


def levels(one: Person, other: Person) -> Levels:
    return compared(normalize(one), normalize(other), NOBODY)


def decided(one: Person, other: Person) -> Decision | None:
    """What a pair comes to when there is nobody else."""
    return next(iter(match([one], [replace(other, id="2")]).decisions), None)
