"""A practice with years of charts on both sides, and who is really whom: seeded, with everything that makes matching hard.

Most people have a chart in both systems; some in one only. A share of them is told apart with difficulty: twins, a father and
a son of one name, a changed last name, day and month swapped, a nickname, a typing error, two people of one name and birth
date, somebody entered twice in one system. Names and birth dates collide as they do in a town: few last names are common,
many are rare.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

import msgspec

from events.ids import BillingPatientId, EhrChartId
from events.records import BillingCase, BillingChart, EhrChart, Phone
from projections.rules.links import NICKNAMES
from tests.invented_names import COMMON, MEN, SYLLABLES, WOMEN
from tests.unit.records import GREY, HOUSE, KAREO_GREY, KAREO_HOUSE

FIRST_ELATION, FIRST_KAREO = 100_000, 500_000


@dataclass(frozen=True)
class Person:
    """Who somebody is; `number` tells people apart whatever their charts say."""

    number: int
    first: str
    last: str
    born: date
    sex: str
    middle: str = ""


@dataclass
class Town:
    """The charts of both systems, and the people they are of. `kinds` counts the difficult cases by name."""

    ehr: list[EhrChart] = field(default_factory=list)
    billing: list[BillingChart] = field(default_factory=list)
    people: dict[tuple[str, int], int] = field(default_factory=dict)
    kinds: Counter[str] = field(default_factory=Counter)

    @property
    def pairs(self) -> set[tuple[int, int]]:
        """Every (Elation, Kareo) pair of charts that are one person."""
        here: dict[int, list[int]] = {}
        for (system, id_), person in self.people.items():
            if system == "elation":
                here.setdefault(person, []).append(id_)
        return {
            (chart, id_)
            for (system, id_), person in self.people.items()
            if system == "kareo"
            for chart in here.get(person, ())
        }


class _Founder:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.town = Town()
        self._people = 0

    # -- people -------------------------------------------------------------------------------------------------------

    def person(self, **fixed: object) -> Person:
        pick = self.random
        self._people += 1
        sex = str(fixed.get("sex") or pick.choice(("Female", "Male")))
        rare = "".join(pick.choice(SYLLABLES) for _ in range(pick.choice((2, 2, 3)))).capitalize()
        middle = pick.choice("ABCDEJLMRST") if pick.random() < 0.4 else ""
        values = {
            "first": pick.choice(WOMEN if sex == "Female" else MEN),
            "last": pick.choice(COMMON) if pick.random() < 0.35 else rare,
            "born": date(1930, 1, 1) + timedelta(days=pick.randrange(33_000)),
            "sex": sex,
            "middle": middle,
        }
        return Person(number=self._people, **{**values, **fixed})  # type: ignore[arg-type]

    # -- charts -------------------------------------------------------------------------------------------------------

    def ehr(self, one: Person, **shown: object) -> None:
        number = len(self.town.ehr)
        chart = EhrChart(
            id=EhrChartId(FIRST_ELATION + number),
            first_name=one.first,
            middle_name=one.middle,
            last_name=one.last,
            birth_date=one.born,
            sex=one.sex,
            phones=(Phone(kind="Home", number=f"706{one.number:07d}"),),
            address1=f"{one.number} Main Street",
            city="Augusta",
            state="GA",
            zip="30901",
            physician=(GREY, HOUSE)[one.number % 2],
        )
        self.town.ehr.append(msgspec.structs.replace(chart, **shown))
        self.town.people["elation", chart.id] = one.number

    def billing(self, one: Person, **shown: object) -> None:
        number = len(self.town.billing)
        chart = BillingChart(
            id=BillingPatientId(FIRST_KAREO + number),
            first_name=one.first.upper() if number % 20 == 0 else one.first,
            middle_name=one.middle,
            last_name=one.last.upper() if number % 20 == 0 else one.last,
            birth_date=one.born,
            sex=one.sex,
            home_phone=f"(706) {one.number // 10_000:03d}-{one.number % 10_000:04d}",
            address1=f"{one.number} Main Street",
            city="Augusta",
            state="GA",
            zip="30901",
            provider=(KAREO_GREY, KAREO_HOUSE)[one.number % 2],
            cases=(BillingCase(id=1_000_000 + number, name="Primary", is_primary=True),),
        )
        self.town.billing.append(msgspec.structs.replace(chart, **shown))
        self.town.people["kareo", chart.id] = one.number

    def both(self, one: Person, **in_billing: object) -> None:
        self.ehr(one)
        self.billing(one, **in_billing)

    # -- difficult cases ----------------------------------------------------------------------------------------------

    def twins(self) -> None:
        """Same last name, birth date and address; first names often alike; now and then one is missing on a side."""
        sex = self.random.choice(("Female", "Male"))
        one = self.person(sex=sex)
        first = self.random.choice((one.first + "a", one.first[:-1] + "y", self.person(sex=sex).first))
        if first == one.first:
            first += "e"
        other = self.person(first=first, last=one.last, born=one.born, sex=sex)
        match self.random.randrange(4):
            case 0:
                self.ehr(one)
                self.billing(other)
            case 1:
                self.both(one)
                self.billing(other)
            case _:
                self.both(one)
                self.both(other)

    def father_and_son(self) -> None:
        """One name, two birth dates, the suffix written in one system or in both; the father may be in one only."""
        son = self.person(sex="Male")
        born = son.born.replace(year=son.born.year - self.random.randrange(20, 40), day=min(son.born.day, 28))
        if self.random.random() < 0.3:
            born = born + timedelta(days=self.random.randrange(300))
        father = self.person(first=son.first, last=son.last, sex="Male", middle=son.middle, born=born)
        written = self.random.choice((f"{son.last} Jr", f"{son.last}, Jr.", son.last))
        self.both(son, last_name=written)
        if self.random.random() < 0.5:
            self.both(father)
        else:
            self.ehr(father, last_name=f"{father.last} Sr")

    def namesake_son_in_kareo_only(self) -> None:
        """The father has a chart in Elation, the son in Kareo, and their birth dates are near."""
        father = self.person(sex="Male", born=date(1950, 3, 4))
        self.ehr(father)
        self.billing(self.person(first=father.first, last=father.last, sex="Male", born=date(1975, 3, 4), middle=""))

    def married(self) -> None:
        one = self.person(sex="Female")
        self.both(one, last_name=self.random.choice((self.person().last, f"{one.last}-{self.person().last}")))

    def swapped(self) -> None:
        day, month = self.random.sample(range(1, 13), 2)
        self.both(self.person(born=date(1960, month, day)), birth_date=date(1960, day, month))

    def nickname(self) -> None:
        sex = self.random.choice(("Female", "Male"))
        known = [
            names for names in NICKNAMES if any(name.capitalize() in (WOMEN if sex == "Female" else MEN) for name in names)
        ]
        names = sorted(self.random.choice(known))
        formal, short = self.random.sample(names, 2)
        self.both(self.person(first=formal.capitalize(), sex=sex), first_name=short.capitalize())

    def mistyped(self) -> None:
        one = self.person()
        name = one.first if self.random.random() < 0.5 else one.last
        at = self.random.randrange(1, len(name) - 1)
        wrong = self.random.choice(
            (
                name[:at] + name[at + 1 :],
                name[:at] + name[at] + name[at:],
                name[:at] + name[at + 1] + name[at] + name[at + 2 :],
            )
        )
        self.both(one, **{"first_name" if name == one.first else "last_name": wrong})

    def mistyped_birth_date(self) -> None:
        pick = self.random
        born = date(pick.randrange(1935, 2005), pick.randrange(1, 13), pick.randrange(1, 29))
        self.both(
            self.person(born=born),
            birth_date=pick.choice((born.replace(year=born.year - 10), born.replace(day=born.day % 28 + 1))),
        )

    def same_name_other_sex(self) -> None:
        one = self.person(first="Jordan", sex="Female")
        other = self.person(first="Jordan", last=one.last, born=one.born, sex="Male", middle=one.middle)
        if self.random.random() < 0.5:
            self.both(one)
            self.both(other)
        else:
            self.ehr(one)
            self.billing(other)

    def doubles(self) -> None:
        """Two people of one name, birth date and sex: both in one system, one of them, or both, in the other."""
        one = self.person(middle="")
        other = self.person(first=one.first, last=one.last, born=one.born, sex=one.sex, middle="")
        crowded, sparse = self.random.choice(((self.ehr, self.billing), (self.billing, self.ehr)))
        crowded(one)
        crowded(other)
        sparse(self.random.choice((one, other)))
        if self.random.random() < 0.3:
            sparse(other)

    def entered_twice(self) -> None:
        one = self.person()
        self.both(one)
        self.random.choice((self.ehr, self.billing))(one)

    def middle_names(self) -> None:
        """Told apart by the middle name only."""
        one = self.person(middle="Anne")
        self.ehr(one)
        self.billing(self.person(first=one.first, last=one.last, born=one.born, sex=one.sex, middle="Louise"))


DIFFICULT: tuple[Callable[[_Founder], None], ...] = (
    _Founder.twins,
    _Founder.father_and_son,
    _Founder.namesake_son_in_kareo_only,
    _Founder.married,
    _Founder.swapped,
    _Founder.nickname,
    _Founder.mistyped,
    _Founder.mistyped_birth_date,
    _Founder.same_name_other_sex,
    _Founder.doubles,
    _Founder.entered_twice,
    _Founder.middle_names,
)


def found(size: int, *, seed: int = 1, share: float = 0.03, one_side: float = 0.05) -> Town:
    """A town with `size` charts in each system, of which `share` are difficult and `one_side` in one system only."""
    founder = _Founder(seed)
    town = founder.town
    cases = max(len(DIFFICULT), int(size * share))
    for number in range(cases):
        case = DIFFICULT[number % len(DIFFICULT)]
        case(founder)
        town.kinds[case.__name__] += 1
    for _ in range(int(size * one_side)):
        founder.ehr(founder.person())
        founder.billing(founder.person())
    while min(len(town.ehr), len(town.billing)) < size:
        founder.both(founder.person())
    while len(town.ehr) < size or len(town.billing) < size:
        (founder.ehr if len(town.ehr) < size else founder.billing)(founder.person())
    del town.ehr[size:], town.billing[size:]
    kept = {("elation", one.id) for one in town.ehr} | {("kareo", one.id) for one in town.billing}
    town.people = {key: person for key, person in town.people.items() if key in kept}
    founder.random.shuffle(town.ehr)
    founder.random.shuffle(town.billing)
    return town
