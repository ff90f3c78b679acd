"""Two people field by field: the level of each."""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

from projections.matching.distance import MEMORY, is_cut, is_near, is_one_off, is_similar
from projections.matching.levels import SAID, Compared, Level
from projections.matching.names import PersonNames, is_initial, is_nickname
from projections.matching.normal import Normal
from projections.matching.places import Street

F, L = Compared, Level
Levels = dict[Compared, Level]


class Counted(Protocol):
    """What a comparison asks about how often values are: `Frequencies` answers."""

    def is_shared(self, value: str) -> bool: ...
    def is_default_ssn(self, ssn: str) -> bool: ...
    def is_long_street(self, name: str) -> bool: ...


SAME_GENERATION = frozenset((frozenset(("jr", "ii")), frozenset(("sr", "i"))))


def compared(one: Normal, other: Normal, frequencies: Counted) -> Levels:
    """The level of every field; the order of the two does not matter."""
    here, there = one.names, other.names
    first, last = names_level(here, there)
    return {
        F.FIRST: first,
        F.MIDDLE: middle_level(here, there),
        F.LAST: last,
        F.SUFFIX: suffix_level(here.suffix, there.suffix),
        F.BORN: date_level(one.day, other.day),
        F.SEX: _plain(one.sex, other.sex),
        F.STREET: street_level(one, other, frequencies),
        F.LINE2: _near(one.line2, other.line2),
        F.CITY: _near(one.city, other.city),
        F.STATE: _plain(one.state, other.state),
        F.ZIP: _digit(one.zip, other.zip),
        F.PHONE: phone_level(one.phones, other.phones, frequencies),
        F.EMAIL: email_level(one.email, other.email, frequencies),
        F.SSN: ssn_level(one.ssn, other.ssn, frequencies),
    }


def names_level(here: PersonNames, there: PersonNames) -> tuple[Level, Level]:
    """The levels of first and last name; swapped ones say so in both."""
    first, last = first_level(here, there), last_level(here.last, here.lasts, there.last, there.lasts)
    if (L.OTHER in (first, last) or L.MISSING in (first, last)) and are_swapped(here, there, L.EXACT in (first, last)):
        return L.SWAPPED, L.SWAPPED
    return first, last


def are_swapped(here: PersonNames, there: PersonNames, one_agrees: bool) -> bool:
    """Whether first and last name changed places; one that is missing may be the other where neither agrees."""
    across = (_across(here.first, there.last, there.lasts), _across(there.first, here.last, here.lasts))
    if all(one in SAID or one is L.NEAR for one in across):
        return True
    return L.EXACT in across and L.MISSING in across and not one_agrees


def first_level(here: PersonNames, there: PersonNames) -> Level:
    one, other = here.first, there.first
    if not one or not other:
        return L.MISSING
    if here.placeholder or there.placeholder:
        return L.PLACEHOLDER
    if one == other:
        return L.EXACT
    if is_nickname(one, other):
        return L.NICKNAME
    if _used_middle(here, there) or _used_middle(there, here):
        return L.MIDDLE_USED
    if is_initial(one, other):
        return L.INITIAL
    if len(here.firsts) != len(there.firsts) and _parts_agree(here.firsts, there.firsts):
        return L.PART
    return _misspelt(one, other)


def _used_middle(here: PersonNames, there: PersonNames) -> bool:
    """The middle name of one is the first name of the other, and what else there is agrees."""
    if len(there.first) < 2 or (there.first != here.middle and there.first not in here.middles):
        return here.first + here.middle == there.first and len(here.middle) > 1
    return not there.middle or there.middle in (here.first, here.first[:1])


def _parts_agree(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """All of the shorter is in the longer, as it is or as a nickname: `Mary Ann`, `Mary`."""
    fewer, more = sorted((one, other), key=len)
    return all(len(word) > 1 and any(word == each or is_nickname(word, each) for each in more) for word in fewer)


@lru_cache(MEMORY)
def last_level(one: str, ones: tuple[str, ...], other: str, others: tuple[str, ...]) -> Level:
    if not one or not other:
        return L.MISSING
    if one == other:
        return L.EXACT
    if is_cut(one, other):
        return L.NEAR
    if set(ones) == set(others):
        return L.PART if len(ones) == len(others) == 1 else L.MOVED
    if len(ones) + len(others) > 2:
        if set(ones) & set(others):
            return L.PART
        if any(is_near(word, each) for word in ones for each in others if min(len(word), len(each)) > 4):
            return L.PART if not is_near(one, other) else L.NEAR
    return _misspelt(one, other)


@lru_cache(MEMORY)
def _misspelt(one: str, other: str) -> Level:
    if is_near(one, other):
        return L.NEAR
    return L.SIMILAR if is_similar(one, other) else L.OTHER


@lru_cache(MEMORY)
def _across(first: str, last: str, lasts: tuple[str, ...]) -> Level:
    """A first name against the last name of the other."""
    if not first or not last:
        return L.MISSING
    if first == last:
        return L.EXACT
    if is_nickname(first, last):
        return L.NICKNAME
    if first in lasts:
        return L.PART
    return L.NEAR if is_near(first, last) else L.OTHER


def middle_level(here: PersonNames, there: PersonNames) -> Level:
    """A maiden name that became the middle name speaks against nobody."""
    one, other = here.middle, there.middle
    if not one or not other:
        kept = (one and one in there.lasts and one not in here.lasts) or (
            other and other in here.lasts and other not in there.lasts
        )
        return L.OTHER if _are_named_on(here, there) or _are_named_on(there, here) else L.MOVED if kept else L.MISSING
    if one == other:
        return L.EXACT
    if is_initial(one, other) or (len(one) > 1 and len(other) > 1 and set(here.middles) & set(there.middles)):
        return L.INITIAL
    if is_nickname(one, other) or is_near(one, other):
        return L.NEAR
    if {one, *here.middles} & {*there.lasts, there.first} or {other, *there.middles} & {*here.lasts, here.first}:
        return L.MOVED
    return L.OTHER


def _are_named_on(here: PersonNames, there: PersonNames) -> bool:
    """Whether the rest of a first name of several words is another than the other's middle name: `Jose Luis`, and `Jose` Juan."""
    if not there.middle or len(here.firsts) <= len(there.firsts) or not _parts_agree(here.firsts, there.firsts):
        return False
    rest = [word for word in here.firsts if not any(word == each or is_nickname(word, each) for each in there.firsts)]
    if not rest or here.first == there.first:
        return False
    alike = (
        is_initial(word, each) or word == each or is_nickname(word, each) or is_near(word, each)
        for word in rest
        for each in there.middles
    )
    return not any(alike)


def suffix_level(one: str, other: str) -> Level:
    if not one and not other:
        return L.MISSING
    if not one or not other:
        return L.ONE_SIDED
    return L.EXACT if one == other or frozenset((one, other)) in SAME_GENERATION else L.OTHER


def date_level(one: str, other: str) -> Level:
    """Two dates as eight digits."""
    if not one or not other:
        return L.MISSING
    if one == other:
        return L.EXACT
    if one[:4] == other[:4] and one[4:6] == other[6:] and one[6:] == other[4:6]:
        return L.DAY_MONTH
    if is_one_off(one, other) and len(one) == len(other):
        return L.DIGIT
    same = (one[:4] == other[:4]) + (one[4:6] == other[4:6]) + (one[6:] == other[6:])
    return L.TWO_OF_THREE if same == 2 else L.OTHER


def street_level(one: Normal, other: Normal, frequencies: Counted) -> Level:
    """The better of both address lines, which people swap."""
    if not one.street or not other.street:
        return L.MISSING
    best = street_alike(one.street, other.street)
    if best is L.OTHER and (one.street2 or other.street2):
        crossed = (street_alike(one.street, other.street2), street_alike(one.street2, other.street))
        best = next((level for level in (L.EXACT, L.NEAR, L.DIGIT, L.PART) if level in crossed), L.OTHER)
    if best in (L.EXACT, L.NEAR) and (frequencies.is_shared(one.place) or frequencies.is_shared(other.place)):
        return L.SHARED
    if best is L.DIGIT and frequencies.is_long_street(one.street.name):
        return L.PART
    return best


@lru_cache(MEMORY)
def street_alike(one: Street, other: Street) -> Level:
    """Of two streets with their numbers, wherever they are."""
    if not one or not other:
        return L.OTHER
    if one.line == other.line:
        return L.EXACT if one.number or other.number else L.DIGIT
    numbers, same = one.number == other.number, one.name == other.name
    if same:
        near = not one.number or not other.number or is_one_off(one.number, other.number)
        return L.DIGIT if near else L.PART
    if numbers and one.number and (is_near(one.name, other.name) or is_similar(one.name, other.name)):
        return L.NEAR
    return L.NEAR if min(len(one.name), len(other.name)) > 4 and is_one_off(one.line, other.line) else L.OTHER


def phone_level(one: frozenset[str], other: frozenset[str], frequencies: Counted) -> Level:
    if not one or not other:
        return L.MISSING
    if both := one & other:
        return L.SHARED if all(frequencies.is_shared(number) for number in both) else L.EXACT
    pairs = [(here, there) for here in one for there in other]
    if any(len(here) != len(there) and here[-7:] == there[-7:] and min(len(here), len(there)) == 7 for here, there in pairs):
        return L.DIGIT
    return L.DIGIT if any(is_one_off(here, there) for here, there in pairs) else L.OTHER


def email_level(one: str, other: str, frequencies: Counted) -> Level:
    if not one or not other:
        return L.MISSING
    if one == other:
        return L.SHARED if frequencies.is_shared(one) else L.EXACT
    local, elsewhere = one.partition("@")[0], other.partition("@")[0]
    if is_one_off(one, other) or (local == elsewhere and len(local) > 6):
        return L.NEAR
    return L.OTHER


def ssn_level(one: str, other: str, frequencies: Counted) -> Level:
    """A default in more charts than one person has says nothing, neither where it is equal nor where it differs."""
    if one and other and (frequencies.is_default_ssn(one) or frequencies.is_default_ssn(other)):
        return L.SHARED if one == other else L.MISSING
    return _digit(one, other)


def _plain(one: str, other: str) -> Level:
    if not one or not other:
        return L.MISSING
    return L.EXACT if one == other else L.OTHER


def _near(one: str, other: str) -> Level:
    return L.NEAR if (found := _plain(one, other)) is L.OTHER and is_near(one, other) else found


def _digit(one: str, other: str) -> Level:
    return L.DIGIT if (found := _plain(one, other)) is L.OTHER and is_one_off(one, other) else found
