"""An invented practice: families with charts in two systems, and the cases that lead to wrong links."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta

from msgspec.structs import replace

from projections.matching import Person
from tests.matching.errors import mistaken
from tests.matching.lists import Lists
from tests.matching.pools import (
    HISPANIC,
    LASTS,
    MEN,
    OTHER_TOWNS,
    STREETS,
    SYLLABLES,
    TOWNS,
    WAYS,
    WOMEN,
)

OFFICE_PHONE, OFFICE_EMAIL = "(706) 555-0100", "frontdesk@augustafamily.com"


class Town:
    """Grows family by family; every person may get a chart in the left, the right or both systems."""

    def __init__(self, seed: int, *, judging: bool) -> None:
        self.pick = random.Random(seed)
        self.judging = judging
        self.lists = Lists(left=[], right=[], truth=set())
        self.places = OTHER_TOWNS if judging else TOWNS
        self._rare = [self._invented() for _ in range(4_000)]

    def _invented(self) -> str:
        return "".join(self.pick.choice(SYLLABLES) for _ in range(self.pick.choice((2, 2, 3)))).capitalize()

    # -- people -------------------------------------------------------------------------------------------------------

    def first(self, sex: str) -> str:
        """A few names are very frequent, as they are."""
        pool = WOMEN if sex == "Female" else MEN
        return pool[min(int(self.pick.expovariate(1 / 45)), len(pool) - 1)]

    def last(self) -> str:
        if self.pick.random() < 0.55:
            return self.pick.choice(self._rare)
        name = LASTS[min(int(self.pick.expovariate(1 / 40)), len(LASTS) - 1)]
        if name in HISPANIC and self.pick.random() < 0.4:
            return f"{name} {self.pick.choice(sorted(HISPANIC - {name}))}"
        return f"{name}-{self.pick.choice(self._rare)}" if self.pick.random() < 0.02 else name

    def born(self, after: int = 1930, before: int = 2026) -> date:
        return date(after, 1, 1) + timedelta(days=self.pick.randrange(max((before - after) * 365, 1)))

    def phone(self) -> str:
        return (
            f"({self.pick.choice((706, 803, 614, 740))}) {self.pick.randrange(200, 999)}-{self.pick.randrange(10_000):04d}"
        )

    def home(self) -> dict[str, object]:
        pick = self.pick
        city, state, zip_ = pick.choice(self.places)
        street = f"{pick.randrange(1, 6_000)} {pick.choice(STREETS)} {pick.choice(WAYS)}"
        unit = f"Apt {pick.randrange(1, 60)}" if pick.random() < 0.2 else ""
        return {"address1": street, "address2": unit, "city": city, "state": state, "zip": zip_, "phones": (self.phone(),)}

    def person(self, home: dict[str, object], **fixed: object) -> Person:
        pick = self.pick
        sex = str(fixed.get("sex") or pick.choice(("Female", "Male")))
        values: dict[str, object] = {
            "first_name": self.first(sex),
            "middle_name": self.first(sex) if pick.random() < 0.7 else "",
            "last_name": self.last(),
            "birth_date": self.born(),
            "sex": sex,
            "ssn": f"{pick.randrange(100, 665)}-{pick.randrange(1, 99):02d}-{pick.randrange(1, 9999):04d}",
            **home,
            **fixed,
        }
        one = Person(id="", **values)  # type: ignore[arg-type]
        if one.birth_date is not None and one.birth_date.year < 2008:
            mobile = (self.phone(),) if pick.random() < 0.6 else ()
            mail = f"{one.first_name}.{one.last_name}{pick.randrange(100)}@mail{pick.randrange(4)}.com".replace(
                " ", ""
            ).lower()
            one = replace(one, phones=(*one.phones, *mobile), email=one.email or (mail if pick.random() < 0.6 else ""))
        return one

    # -- charts -------------------------------------------------------------------------------------------------------

    def both(self, one: Person, other: Person | None = None, kind: str = "") -> None:
        """A chart in each system; what the second desk wrote has its errors, unless `other` is what it wrote."""
        left = self._filed(self.lists.left, "a", self._office(one), kind)
        copied, errors = mistaken(self._office(one), self.pick, judging=self.judging) if other is None else (other, ())
        right = self._filed(self.lists.right, "b", copied, kind)
        self.lists.truth.add((left, right))
        self.lists.errors[left, right] = errors

    def one_side(self, one: Person, side: int, kind: str = "") -> None:
        changed, _ = mistaken(one, self.pick, judging=self.judging)
        self._filed(*((self.lists.left, "a") if side == 0 else (self.lists.right, "b")), changed, kind)

    def apart(self, one: Person, other: Person, kind: str) -> None:
        """Two who are taken for one: both in both systems, one in one only, or each in one."""
        match self.pick.randrange(3):
            case 0:
                self.both(one, kind=kind)
                self.both(other, kind=kind)
            case 1:
                self.both(one, kind=kind)
                self.one_side(other, self.pick.randrange(2), kind)
            case _:
                self.one_side(one, 0, kind)
                self.one_side(other, 1, kind)

    def _office(self, one: Person) -> Person:
        """Where nothing was said, the front desk wrote its own number or address."""
        if self.pick.random() < 0.01:
            one = replace(one, phones=(OFFICE_PHONE,))
        return replace(one, email=OFFICE_EMAIL) if self.pick.random() < 0.01 else one

    def _filed(self, charts: list[Person], letter: str, one: Person, kind: str) -> str:
        id_ = f"{letter}{len(charts) + 1}"
        charts.append(replace(one, id=id_))
        if kind:
            self.lists.kinds[id_] = kind
        return id_

    # -- cases --------------------------------------------------------------------------------------------------------

    def family(self) -> None:
        home, last, pick = self.home(), self.last(), self.pick
        eldest = pick.randrange(1930, 1995)
        members = [self.person(home, last_name=last, birth_date=self.born(eldest, eldest + 8))]
        if pick.random() < 0.5:
            sex = "Male" if members[0].sex == "Female" else "Female"
            name = last if pick.random() < 0.7 else self.last()
            members.append(self.person(home, last_name=name, sex=sex, birth_date=self.born(eldest, eldest + 8)))
        for _ in range(pick.choice((0, 0, 1, 2, 3))):
            members.append(self.person(home, last_name=last, birth_date=self.born(eldest + 20, min(eldest + 40, 2026))))
        for one in members:
            if pick.random() < 0.93:
                self.both(one)
            else:
                self.one_side(one, pick.randrange(2))

    def twins(self) -> None:
        home, sex = self.home(), self.pick.choice(("Female", "Male"))
        one = self.person(home, sex=sex, birth_date=self.born(1960, 2026))
        other_sex = sex if self.pick.random() < 0.7 else self.pick.choice(("Female", "Male"))
        first = self.first(other_sex)
        if self.pick.random() < 0.15:
            first = self.pick.choice([name for name in WOMEN + MEN if name[0] == one.first_name[0]])
        if first == one.first_name:
            return
        fixed = {"first_name": first, "last_name": one.last_name, "birth_date": one.birth_date, "email": one.email}
        self.apart(one, self.person(home, sex=other_sex, **fixed), "twins")

    def generations(self) -> None:
        """Parent and child of one name in one household; Jr and Sr are written by some."""
        home, sex = self.home(), self.pick.choice(("Female", "Male", "Male"))
        parent = self.person(home, sex=sex, birth_date=self.born(1935, 1985))
        year = parent.birth_date.year + self.pick.randrange(17, 41)  # type: ignore[union-attr]
        born = self.born(year, year + 1)
        if self.pick.random() < 0.25:
            born = parent.birth_date.replace(year=year, day=min(parent.birth_date.day, 28))  # type: ignore[union-attr]
        shared: dict[str, object] = {
            "first_name": parent.first_name,
            "last_name": parent.last_name,
            "sex": sex,
            "birth_date": born,
        }
        middle = parent.middle_name if self.pick.random() < 0.6 else self.first(sex)
        child = self.person(home, middle_name=middle, **shared)
        if sex == "Male" and self.pick.random() < 0.5:
            child = replace(child, suffix="Jr")
            parent = replace(parent, suffix=self.pick.choice(("Sr", "")))
        self.apart(parent, child, "generations")

    def deceased_namesake(self) -> None:
        """A grandparent's old chart is in one system only."""
        home = self.home()
        one = self.person(home, birth_date=self.born(1975, 2015))
        old = self.born(1915, 1940)
        named = {"first_name": one.first_name, "last_name": one.last_name, "sex": one.sex, "birth_date": old}
        elder = self.person(home, **named)
        self.one_side(elder, 0, "deceased namesake")
        if self.pick.random() < 0.5:
            self.one_side(one, 1, "deceased namesake")
        else:
            self.both(one, kind="deceased namesake")

    def cousins(self) -> None:
        """One name, other families, birth dates that may be near."""
        one = self.person(self.home(), birth_date=self.born(1950, 2020))
        near = one.birth_date.replace(day=one.birth_date.day % 28 + 1)  # type: ignore[union-attr]
        born = self.pick.choice((near, self.born(1950, 2020), near.replace(year=near.year + 1)))
        shared = {"first_name": one.first_name, "last_name": one.last_name, "sex": one.sex, "birth_date": born}
        self.apart(one, self.person(self.home(), **shared), "cousins")

    def same_day(self) -> None:
        """One name and birth date, all else different."""
        one = self.person(self.home())
        shared = {"first_name": one.first_name, "last_name": one.last_name, "sex": one.sex, "birth_date": one.birth_date}
        if self.pick.random() < 0.4:
            shared["middle_name"] = one.middle_name
        self.apart(one, self.person(self.home(), **shared), "same name and birth date")

    def newborn(self) -> None:
        one = self.person(self.home(), birth_date=self.born(2024, 2026))
        word = self.pick.choice(
            ("Baby Boy", "Babyboy", "BB", "Newborn") if one.sex == "Male" else ("Baby Girl", "BG", "Newborn")
        )
        self.both(one, replace(one, first_name=word, middle_name="", ssn=""), "newborn")

    def foundling(self) -> None:
        """Nothing but an invented name, a sex and the shelter's address."""
        for side in range(2):
            one = Person(
                id="", first_name="Baby", last_name="Doe", sex=self.pick.choice(("Male", "Female")), address1="1 Shelter Way"
            )
            self.one_side(one, side, "foundling")

    def registered_twice(self) -> None:
        one = self.person(self.home())
        self.both(one, kind="registered twice")
        side = self.pick.randrange(2)
        self.one_side(one, side, "registered twice")
        left, right = f"a{len(self.lists.left)}", f"b{len(self.lists.right)}"
        self.lists.truth.add((left, f"b{len(self.lists.right)}") if side == 0 else (f"a{len(self.lists.left)}", right))


HARD: tuple[tuple[Callable[[Town], None], float, float], ...] = (
    (Town.twins, 0.006, 0.010),
    (Town.generations, 0.006, 0.010),
    (Town.deceased_namesake, 0.001, 0.003),
    (Town.cousins, 0.003, 0.005),
    (Town.same_day, 0.003, 0.005),
    (Town.newborn, 0.003, 0.002),
    (Town.foundling, 0.0005, 0.0005),
    (Town.registered_twice, 0.004, 0.003),
)
"""Cases a chart of each list, in the mix for estimating and in the one for judging; assumed, far more than a practice has."""


def town(size: int, *, seed: int, judging: bool) -> Lists:
    """Two lists of about `size` charts each, in any order."""
    grown = Town(seed, judging=judging)
    for case, estimating, judged_ in HARD:
        for _ in range(max(1, int(size * (judged_ if judging else estimating)))):
            case(grown)
    while min(len(grown.lists.left), len(grown.lists.right)) < size:
        grown.family()
    grown.pick.shuffle(grown.lists.left)
    grown.pick.shuffle(grown.lists.right)
    return grown.lists
