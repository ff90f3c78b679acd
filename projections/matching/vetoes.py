"""What forbids that two charts are linked for certain, however probable they are one person's: a person decides then.

Wrong links come from people who share nearly everything: twins, parent and child of one name, namesakes born on one day.
Each veto names what it takes them for.
"""

from __future__ import annotations

from enum import StrEnum

from projections.matching.compare import Levels
from projections.matching.distance import are_said_otherwise, is_slip, sounds_alike
from projections.matching.frequencies import Frequencies, ssn_value
from projections.matching.levels import DATE_MISTYPED, MISTYPED, SAID, Compared, Level
from projections.matching.names import OF_MANY, are_given_to_two
from projections.matching.normal import Normal
from projections.matching.scoring import Score

F, L = Compared, Level


class Veto(StrEnum):
    """Why a pair is not certain."""

    NAME_AND_DATE = "birth date and first name both differ"
    BIRTH_DATE = "birth date differs"
    NO_BIRTH_DATE = "birth date missing"
    GENERATION = "a parent and child of one name?"
    FIRST_NAME = "first name differs"
    NO_FIRST_NAME = "first name missing"
    NEWBORN = "placeholder of a newborn"
    TWINS = "twins?"
    SUFFIX = "Jr and Sr?"
    MIDDLE_NAME = "middle name differs"
    LAST_NAME = "last name differs and no address, phone or e-mail agrees"
    NAMESAKE = "same name and birth date, but no address, phone or e-mail agrees"
    SEX = "sex differs"
    SSN = "SSN differs"
    IMPROBABLE = "too little agrees"
    RIVAL = "another chart looks nearly as much like it"
    LINKED = "looks like a chart that is linked to another"
    TWO_ALIKE = "two charts of one system look like it"
    EDITED = "looked alike before an edit"


APART = 14
"""Years between a parent and a child, at least."""

FAMILY = 5
"""More charts with one phone are rather a practice's or a home's than a family's."""

SECOND = 9.0
"""Bits that must agree beside names and birth date: a place that one in 500 charts has."""


def vetoes(one: Normal, other: Normal, score: Score, frequencies: Frequencies) -> tuple[Veto, ...]:
    """All that forbids a certain link, in the order of the list above."""
    levels = score.levels
    if frequencies.alone:
        return _of_people_alone(levels, is_household(levels) or score.second >= SECOND)
    household = is_household(levels, named=is_named_after(one) or is_named_after(other))
    if levels[F.SSN] is L.EXACT:
        twins = household and _are_twins_with_one_ssn(one, other, levels, frequencies)
        return (*_with_one_ssn(one, other, levels), *([Veto.TWINS] if twins else []))
    found = [
        *_of_birth_date(one, other, levels, frequencies, household),
        *_of_first_name(one, other, levels, frequencies, household),
        *_of_the_rest(levels, household),
        *([Veto.IMPROBABLE] if _rests_on_one_thing(one, other, levels, frequencies) else []),
        *([] if household or (is_bare(one) and is_bare(other) and is_second(levels)) else [Veto.NAMESAKE]),
    ]
    return tuple(veto for veto in Veto if veto in found)


def _of_people_alone(levels: Levels, household: bool) -> tuple[Veto, ...]:
    """Where nobody lives with anybody, three of first name, last name, birth date and place are enough.

    So are birth date and street alone; what one of the two does not say counts half as much as what differs.
    """
    agree = {F.FIRST: SAID | MISTYPED, F.LAST: SAID | MISTYPED, F.BORN: DATE_MISTYPED | {L.EXACT}}
    why = {F.FIRST: Veto.FIRST_NAME, F.LAST: Veto.LAST_NAME, F.BORN: Veto.BIRTH_DATE}
    found = [why[field] for field, levels_of in agree.items() if levels[field] not in levels_of]
    missing = sum(levels[field] is L.MISSING for field in agree)
    at_home = is_household(levels)
    failed = len(found) - (missing / 2 if at_home else 0)
    if not household:
        found, failed = [*found, Veto.NAMESAKE], failed + 1
    if levels[F.SUFFIX] is L.OTHER or (levels[F.SUFFIX] is L.ONE_SIDED and levels[F.BORN] is not L.EXACT):
        return (*found, Veto.SUFFIX)
    most = 1.0 if not at_home else 2.0 if levels[F.BORN] is L.EXACT else 1.5
    return tuple(found) if failed > most else ()


def is_household(levels: Levels, *, named: bool = False) -> bool:
    """Whether something beyond names and birth date agrees that few people share.

    An e-mail that is made of the names (`named`) says half, and so does what is nearly the same; two halves are enough.
    """
    street, phone, mail = levels[F.STREET], levels[F.PHONE], levels[F.EMAIL]
    area = L.EXACT in (levels[F.ZIP], levels[F.CITY])
    here = street is L.EXACT and not is_elsewhere(levels)
    if here or phone is L.EXACT or (mail is L.EXACT and not named) or (street in (L.NEAR, L.DIGIT) and area):
        return True
    halves = (
        mail is L.EXACT,
        phone is L.DIGIT,
        street in (L.NEAR, L.DIGIT) or (street is L.PART and area),
        levels[F.LINE2] is L.EXACT and levels[F.ZIP] is L.EXACT,
    )
    return sum(halves) > 1


def is_elsewhere(levels: Levels) -> bool:
    """Whether one street and number are in two towns: something of the area differs, and none of it is nearly the same."""
    area = {levels[F.ZIP], levels[F.CITY]}
    return L.OTHER in area | {levels[F.STATE]} and not area & {L.EXACT, L.NEAR, L.DIGIT}


def is_named_after(one: Normal) -> bool:
    """Whether an e-mail is made of the names, as a namesake's may be as well."""
    local = one.email.partition("@")[0]
    return any(len(name) > 2 and name in local for name in (one.names.first, *one.names.lasts))


def is_bare(one: Normal) -> bool:
    """Whether a chart says nothing beyond names and birth date: only how frequent they are can count then."""
    return not (one.street or one.phones or one.email)


def is_second(levels: Levels) -> bool:
    """Whether two bare charts say one more thing that is the same, and none of another town: a namesake's is rarely so."""
    area = {levels[F.ZIP], levels[F.CITY]}
    return not is_elsewhere(levels) and (L.EXACT in area or levels[F.MIDDLE] in (L.EXACT, L.INITIAL))


def _with_one_ssn(one: Normal, other: Normal, levels: Levels) -> list[Veto]:
    """A holder's number on a dependent's chart: one of name and birth date must agree fully, the other nearly."""
    first, born = levels[F.FIRST], levels[F.BORN]
    found = []
    if first not in SAID | MISTYPED:
        found.append(Veto.FIRST_NAME if first is L.OTHER else Veto.NEWBORN if first is L.PLACEHOLDER else Veto.NO_FIRST_NAME)
    if born not in DATE_MISTYPED | {L.EXACT}:
        found.append(Veto.BIRTH_DATE if born is L.OTHER else Veto.NO_BIRTH_DATE)
    if levels[F.SUFFIX] is L.OTHER:
        found.append(Veto.SUFFIX)
    if first in MISTYPED and born is not L.EXACT:
        found.append(Veto.NAME_AND_DATE)
    if _are_generations(one, other):
        found.append(Veto.GENERATION)
    if levels[F.MIDDLE] is L.OTHER:
        found.append(Veto.MIDDLE_NAME)
    if levels[F.SEX] is L.OTHER and first is not L.EXACT:
        found.append(Veto.SEX)
    return found


def _are_twins_with_one_ssn(one: Normal, other: Normal, levels: Levels, frequencies: Frequencies) -> bool:
    """Whether a parent's number may be on the charts of twins: their names are nearly the same, and neither is a misspelt one.

    Two forms of a name are one child's unless others have the number, too.
    """
    if levels[F.MIDDLE] is L.EXACT:
        return False
    if levels[F.FIRST] is L.NICKNAME and frequencies.shared.get(ssn_value(one.ssn), 1) > 1:
        return are_given_to_two(one.names.first, other.names.first)
    if levels[F.FIRST] not in (L.NEAR, L.SIMILAR):
        return False
    return not _is_misspelt(one.names.first, other.names.first, frequencies)


def _are_generations(one: Normal, other: Normal) -> bool:
    return one.born is not None and other.born is not None and abs(one.born.year - other.born.year) >= APART


def _of_birth_date(one: Normal, other: Normal, levels: Levels, frequencies: Frequencies, household: bool) -> list[Veto]:
    born, first, last = levels[F.BORN], levels[F.FIRST], levels[F.LAST]
    if born is L.EXACT:
        return []
    found = []
    if levels[F.SUFFIX] is not L.MISSING and levels[F.SUFFIX] is not L.EXACT:
        found.append(Veto.SUFFIX)
    if born is L.MISSING:
        return [*found, Veto.NO_BIRTH_DATE]
    if first not in SAID:
        found.append(Veto.NAME_AND_DATE)
    if _are_generations(one, other):
        found.append(Veto.GENERATION)
    if born is L.OTHER:
        return [*found, Veto.BIRTH_DATE]
    if not household:
        found.append(Veto.NAMESAKE)
    far = born is L.DIGIT and one.day[:3] != other.day[:3]
    default = one.day.endswith("0101") and other.day.endswith("0101")
    often = born is L.DIGIT and any(frequencies.is_frequent_name(each.names.first) for each in (one, other))
    moved = levels[F.STREET] is L.OTHER
    # brothers and cousins of one name live in one household, and so do sisters-in-law of a frequent one
    if (far or default or often or moved or born is L.TWO_OF_THREE) and not _has_own(one, levels):
        found.append(Veto.IMPROBABLE)
    if last not in SAID | MISTYPED:
        found.append(Veto.LAST_NAME)
    return found


def _of_first_name(one: Normal, other: Normal, levels: Levels, frequencies: Frequencies, household: bool) -> list[Veto]:
    """Twins share all but the first name; only a name that is none can be a misspelt one."""
    first = levels[F.FIRST]
    if first in (L.NICKNAME, L.NEAR, L.SIMILAR) and _are_said_alike(one, other, levels):
        return []
    match first:
        case L.NICKNAME:
            twins = frequencies.are_both_names(one.names.first, other.names.first) or (
                household
                and levels[F.BORN] is L.EXACT
                and _may_be_twins_names(one.names.first, other.names.first, frequencies)
                and not _is_only_one(one, other, levels, frequencies)
            )
            return [Veto.TWINS] if twins else []
        case L.MIDDLE_USED if not (one.names.middle and other.names.middle) and not _has_own_phone(one, other, frequencies):
            return [Veto.TWINS]
        case _ if first in SAID:
            return []
        case L.INITIAL if levels[F.BORN] is L.EXACT and household and levels[F.MIDDLE] in (L.EXACT, L.INITIAL):
            return []
        case L.OTHER:
            return [Veto.FIRST_NAME, *([Veto.TWINS] if levels[F.BORN] is not L.OTHER and household else [])]
        case L.PLACEHOLDER:
            return [Veto.NEWBORN]
        case L.MISSING:
            return [Veto.NO_FIRST_NAME]
        case L.NEAR if frequencies.few_near_twins and _is_misspelt(one.names.first, other.names.first, frequencies):
            return []
        case L.NEAR if frequencies.few_near_twins and _is_misspelt_beside(one, other, levels, frequencies):
            return []
        case _:
            return [Veto.TWINS]


def _are_said_alike(one: Normal, other: Normal, levels: Levels) -> bool:
    """Whether two names are one by their sound; Toni and Tony are two unless both are known to be of one sex."""
    here, there = one.names.first, other.names.first
    of_each_sex = {here[-1:], there[-1:]} == {"i", "y"} and levels[F.SEX] is not L.EXACT
    return sounds_alike(here, there) and not of_each_sex


def _may_be_twins_names(one: str, other: str, frequencies: Frequencies) -> bool:
    """Whether twins may be called by these two forms of a name."""
    return are_said_otherwise(one, other) or (are_given_to_two(one, other) and frequencies.may_be_two_names(one, other))


def _is_only_one(one: Normal, other: Normal, levels: Levels, frequencies: Frequencies) -> bool:
    """Whether something agrees that twins do not share.

    That is the middle name, an e-mail with her first name in it, or a phone that nobody else of a household has that others live in.
    """
    if levels[F.MIDDLE] is L.EXACT and one.names.middle not in OF_MANY:
        return True
    local = one.email.partition("@")[0]
    if levels[F.EMAIL] is L.EXACT and any(len(name) > 2 and name in local for name in (one.names.first, other.names.first)):
        return True
    return _has_own_phone(one, other, frequencies)


def _has_own_phone(one: Normal, other: Normal, frequencies: Frequencies) -> bool:
    """Whether a phone that both have is nobody else's in a household of which others have charts."""
    if max(frequencies.shared.get(place, 1) for place in (one.place, other.place)) < 2:
        return False
    return any(frequencies.shared.get(number, 1) <= 1 for number in one.phones & other.phones)


def _is_misspelt(one: str, other: str, frequencies: Frequencies) -> bool:
    """Whether only one of two first names is a name, and the other is a slip from it; twins often rhyme."""
    return is_slip(one, other) and frequencies.is_name(one) != frequencies.is_name(other)


def _is_misspelt_beside(one: Normal, other: Normal, levels: Levels, frequencies: Frequencies) -> bool:
    """Whether a first name is misspelt beside the same middle name in full: one of the two is no name then, or neither is."""
    here, there = one.names.first, other.names.first
    same = (
        levels[F.MIDDLE] is L.EXACT and len(one.names.middle) > 1 and one.names.middle not in OF_MANY and here[0] == there[0]
    )
    return same and not (frequencies.is_name(here) and frequencies.is_name(there))


def _has_own(one: Normal, levels: Levels) -> bool:
    """Whether a middle name or an e-mail agrees: what two of one name in one household do not share."""
    middle = levels[F.MIDDLE] in (L.EXACT, L.INITIAL) and one.names.middle not in OF_MANY
    return middle or levels[F.EMAIL] is L.EXACT


def _of_the_rest(levels: Levels, household: bool) -> list[Veto]:
    found = []
    if levels[F.SSN] is L.OTHER:
        found.append(Veto.SSN)
    if levels[F.SUFFIX] is L.OTHER:
        found.append(Veto.SUFFIX)
    if levels[F.MIDDLE] is L.OTHER:
        found.append(Veto.MIDDLE_NAME)
    if levels[F.LAST] in (L.OTHER, L.MISSING) and not household:
        found.append(Veto.LAST_NAME)
    firm = household and levels[F.FIRST] is L.EXACT and levels[F.BORN] is L.EXACT and levels[F.LAST] in SAID
    if levels[F.SEX] is L.OTHER and not firm:
        found.append(Veto.SEX)
    return found


def _rests_on_one_thing(one: Normal, other: Normal, levels: Levels, frequencies: Frequencies) -> bool:
    """Whether all that agrees beside a date that may be a default, or a phone of more than a family, is that one thing.

    One of street, phone and e-mail agrees then, and another is somebody else's; or the last name is.
    """
    second = [levels[field] for field in (F.STREET, F.PHONE, F.EMAIL)]
    if levels[F.MIDDLE] in (L.EXACT, L.INITIAL):
        return False
    if levels[F.LAST] is L.OTHER and one.day == other.day and one.day.endswith("0101"):
        return True
    if second.count(L.EXACT) != 1 or L.OTHER not in second:
        return False
    numbers = one.phones & other.phones
    crowd = levels[F.PHONE] is L.EXACT and all(frequencies.shared.get(number, 1) > FAMILY for number in numbers)
    return crowd or one.day.endswith("0101") or other.day.endswith("0101")
