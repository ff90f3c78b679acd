"""How often values are in a practice's own charts, as of a time: what is frequent says little about who somebody is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import msgspec

from projections.matching.distance import is_near
from projections.matching.names import is_initial, is_listed, is_nickname
from projections.matching.normal import Normal
from projections.matching.sample import beside_each_other

FEWEST = 5_000
"""Charts as if there were so many: a small practice's own counts say little."""

DAYS = 30_000
"""Birth dates that are about equally frequent."""

SHARED_BY = 8
"""More charts of one list with one phone, e-mail or street are no household."""

ONE_SSN = 3
"""More charts of one list with one SSN are a default, or a holder's whole family: then it tells nobody apart."""

LOW = 0.002
"""A household with two people who could be taken for one is out of the question below this share of the charts."""

STRANGERS = 0.01
"""Of one last name and address, with another first name and birth date, are relatives: below this share both are mistyped."""


FREQUENT = 0.02
"""The share of the charts from which a first name is one that a bride may bring into a family that has it already."""

REPLACED = 0.25
"""For one field that is wholly another, people mistype more than four."""


class Frequencies(msgspec.Struct, frozen=True, kw_only=True):
    """Counts over the charts of all lists; for what a household shares, the most in one list.

    `relatives` counts charts beside which their own list has somebody of the same last name and household. In `near_twins` that somebody was
    also born on the same day and has nearly the same first name. `strangers` are pairs from different lists who share last name and
    household and nothing else. In `replaced` pairs of them the first name or birth date is wholly another. In `mistyped` ones the name,
    birth date or street is nearly the same. `bare` lists have names, birth dates and addresses only.
    """

    charts: int = 0
    longest: int = 0
    names: Mapping[str, int] = {}
    lasts: Mapping[str, int] = {}
    middles: Mapping[str, int] = {}
    dates: Mapping[str, int] = {}
    zips: Mapping[str, int] = {}
    cities: Mapping[str, int] = {}
    areas: Mapping[str, int] = {}
    lines: Mapping[str, int] = {}
    states: Mapping[str, int] = {}
    shared: Mapping[str, int] = {}
    streets: Mapping[str, int] = {}
    near_twins: int = 0
    relatives: int = 0
    strangers: int = 0
    replaced: int = 0
    mistyped: int = 0
    shortest: int = 0
    bare: bool = False

    @classmethod
    def of(cls, *lists: Sequence[Normal]) -> Frequencies:
        """The counts of one or more lists."""
        people = [one for each in lists for one in each]
        shared: Counter[str] = Counter()
        for each in lists:
            for value, count in Counter(value for one in each for value in shared_values(one)).items():
                shared[value] = max(shared[value], count)
        streets: Counter[str] = Counter()
        for each in lists:
            for value, count in Counter(one.street.name for one in each if one.street).items():
                streets[value] = max(streets[value], count)
        households = [_households(each) for each in lists]
        bare = not any(
            one.sex or one.phones or one.email or one.ssn or one.names.suffix or len(one.names.middle) > 1 for one in people
        )
        beside = [beside_each_other(one, other) for one, other in combinations(lists, 2)] if bare else []
        return cls(
            charts=len(people),
            longest=max((len(each) for each in lists), default=0),
            names=Counter(one.names.first for one in people if one.names.first),
            lasts=Counter(one.names.last for one in people if one.names.last),
            middles=Counter(one.names.middle for one in people if one.names.middle),
            dates=Counter(one.day for one in people if one.day),
            zips=Counter(one.zip for one in people if one.zip),
            cities=Counter(one.city for one in people if one.city),
            areas=Counter(one.area for one in people if one.zip and one.city),
            lines=Counter(one.line2 for one in people if one.line2),
            states=Counter(one.state for one in people if one.state),
            shared={value: count for value, count in shared.items() if count > 1},
            streets={value: count for value, count in streets.items() if count > SHARED_BY},
            near_twins=sum(near for near, _ in households),
            relatives=sum(all_ for _, all_ in households),
            strangers=sum(counts[0] for counts in beside),
            replaced=sum(counts[1] for counts in beside),
            mistyped=sum(counts[2] for counts in beside),
            shortest=min((len(each) for each in lists), default=0),
            bare=bare,
        )

    def share(self, counts: Mapping[str, int], value: str, usual: float, fewest: int = FEWEST) -> float:
        """The share of charts with `value`; `usual` is what a value has that nobody knows more about."""
        return (counts.get(value, 0) + usual * fewest) / (self.charts + fewest)

    def share_of_place(self, counts: Mapping[str, int], value: str, usual: float) -> float:
        """As `share`; where people live a practice soon knows itself."""
        return self.share(counts, value, usual, 20)

    def share_of_household(self, value: str) -> float:
        """The share of the people of one list with this phone, e-mail or street."""
        return max(self.shared.get(value, 1), 1) / max(self.longest, FEWEST)

    def is_shared(self, value: str) -> bool:
        """Whether more people have it than live together: the practice's own number, a nursing home."""
        return self.shared.get(value, 1) > SHARED_BY

    def is_default_ssn(self, ssn: str) -> bool:
        """Whether more charts have this SSN than a person has by mistake."""
        return self.shared.get(ssn_value(ssn), 1) > ONE_SSN

    def is_long_street(self, name: str) -> bool:
        """Whether so many live in a street of this name that two house numbers nearly the same are chance."""
        return self.streets.get(name, 1) > max(SHARED_BY, self.longest // 50)

    def share_of_date(self, day: str) -> float:
        """The share of the charts born on `day`; the first of January is a default more often than a birth date."""
        usual = (10 if day.endswith("0101") else 1) / DAYS
        return self.share(self.dates, day, usual)

    def is_name(self, first: str) -> bool:
        """Whether it is a first name, as far as lists and this practice tell; else it may be a misspelt one."""
        return is_listed(first) or self.names.get(first, 0) > 2 + self.charts // 10_000

    def is_frequent_name(self, first: str) -> bool:
        """Whether so many are called so that two of a household may be."""
        return self.names.get(first, 0) > max(2, self.charts * FREQUENT)

    def are_both_names(self, one: str, other: str) -> bool:
        """Whether two names of which one can be short for the other are as well two names: Lisa and Elizabeth.

        A small practice cannot tell by counting; there Anna and Anne are two.
        """
        fewer, more = sorted((self.names.get(one, 0), self.names.get(other, 0)))
        return fewer > 2 + more / 12 or (self.charts < FEWEST and is_near(one, other))

    def may_be_two_names(self, one: str, other: str) -> bool:
        """Whether two names of one short form may be those of twins: both are names here, and not one as it is said short.

        A small practice cannot tell by counting.
        """
        fewer, more = sorted((self.names.get(one, 0), self.names.get(other, 0)))
        return fewer > 2 + more / 50 or self.charts < FEWEST

    @property
    def few_near_twins(self) -> bool:
        """Twins of nearly the same name are 1 in 2,000 charts as long as a practice's own say nothing."""
        return (self.near_twins + 1) / (self.charts + 2_000) < LOW

    @property
    def alone(self) -> bool:
        """Whether nobody lives with anybody, as in a sample of a population: there an address tells a person.

        A practice's own lists are never like this: families come together, and what they fill in is more than an address.
        Nor is a sample of them: it has parents, children and couples of whom each is in another list. Of two in one place
        whose first names or birth dates are wholly different, one is a twin, parent or child of the other. That holds unless so much is
        mistyped in the lists that these are mistyped, too.
        """
        few = (self.relatives + 1) / (self.charts + 100) < LOW and (self.strangers + 1) / (self.shortest + 100) < STRANGERS
        return self.bare and few and self.replaced <= self.mistyped * REPLACED


def household_values(one: Normal) -> Iterable[str]:
    """What people who live together share: phones, e-mail, street."""
    yield from one.phones
    if one.email:
        yield one.email
    if one.place:
        yield one.place


def shared_values(one: Normal) -> Iterable[str]:
    """The values of which too many with one say that they are nobody's own."""
    yield from household_values(one)
    if one.ssn:
        yield ssn_value(one.ssn)


def ssn_value(ssn: str) -> str:
    """An SSN as it is counted: never taken for a phone."""
    return f"ssn {ssn}"


def _households(people: Iterable[Normal]) -> tuple[int, int]:
    """Charts with a twin of nearly the same first name, and with anybody, beside them in one household."""
    groups: defaultdict[tuple[str, str], list[Normal]] = defaultdict(list)
    for one in people:
        for value in household_values(one):
            groups[one.names.last, value].append(one)
    near: set[str] = set()
    relatives: set[str] = set()
    for group in groups.values():
        if not 1 < len(group) <= SHARED_BY:
            continue
        relatives.update(one.id for one in group)
        for one, other in combinations(group, 2):
            if one.born is not None and one.born == other.born and _alike(one.names.first, other.names.first):
                near |= {one.id, other.id}
    return len(near), len(relatives)


def _alike(one: str, other: str) -> bool:
    return (
        bool(one and other)
        and one != other
        and (is_near(one, other) or is_initial(one, other))
        and not is_nickname(one, other)
    )
