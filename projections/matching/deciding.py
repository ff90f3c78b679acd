"""Who is who: which pairs are certain, which a person decides, and why.

Certain is one to one, probable enough, far enough before every other pair of the two on both sides, and without a veto.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from projections.matching.compare import Levels, are_swapped, date_level, first_level
from projections.matching.frequencies import Frequencies
from projections.matching.keys import LargeBlock, pairs, pairs_within
from projections.matching.levels import DATE_MISTYPED, MISTYPED, SAID, Compared, Level
from projections.matching.normal import Normal, normalize
from projections.matching.person import Person
from projections.matching.scoring import Score, score
from projections.matching.vetoes import Veto, vetoes

F, L = Compared, Level

CERTAIN = 0.999
CANDIDATE = 0.02
MARGIN = 5.0
"""Bits between a certain pair and the next best of either chart."""

RANGE = 12.0
"""Bits below a chart's best candidate where no other one is shown."""

DATES_ALIKE = DATE_MISTYPED | {L.EXACT}
OTHER_PERSON = frozenset((Veto.SSN, Veto.SUFFIX, Veto.MIDDLE_NAME, Veto.SEX, Veto.GENERATION, Veto.NAMESAKE))
"""What says that a linked chart's double is somebody else."""

TWO_PEOPLE = (OTHER_PERSON - {Veto.NAMESAKE}) | {
    Veto.FIRST_NAME,
    Veto.NO_FIRST_NAME,
    Veto.NEWBORN,
    Veto.NAME_AND_DATE,
    Veto.BIRTH_DATE,
}
"""What says that two charts of one system are of two people; a person who moved is entered again with another address."""

TWICE = 0.9
"""The probability from which two charts of one system are shown as one person's."""


class MatchVerdict(StrEnum):
    CERTAIN = "certain"
    CANDIDATE = "candidate"


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Two charts that may be one person's, before the other pairs are looked at."""

    left: str
    right: str
    score: Score
    vetoes: tuple[Veto, ...]

    @property
    def free(self) -> bool:
        return not self.vetoes

    @property
    def identical(self) -> bool:
        return all(self.score.levels[field] is L.EXACT for field in (F.FIRST, F.LAST, F.BORN))


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What a pair comes to: its probability, the level of each field that both have, and what forbids certainty."""

    left: str
    right: str
    verdict: MatchVerdict
    probability: float
    levels: tuple[tuple[Compared, Level], ...]
    vetoes: tuple[Veto, ...] = ()

    @property
    def differences(self) -> tuple[str, ...]:
        """In words that name no value."""
        return tuple(f"{field}: {level}" for field, level in self.levels if level is not L.EXACT)


class Matched(msgspec.Struct, frozen=True, kw_only=True):
    """Two lists matched: the decisions by ids, and the charts that stay alone."""

    decisions: tuple[Decision, ...]
    only_left: tuple[str, ...]
    only_right: tuple[str, ...]
    large: tuple[LargeBlock, ...] = ()
    compared: int = 0

    def of(self, verdict: MatchVerdict) -> list[Decision]:
        return [one for one in self.decisions if one.verdict is verdict]


def pair_of(one: Normal, other: Normal, frequencies: Frequencies) -> Pair | None:
    """Two charts compared; None where they are two persons."""
    if not frequencies.alone and are_two_people(one, other):
        return None
    found = score(one, other, frequencies)
    if found.probability < CANDIDATE and not found.levels[F.SSN] is found.levels[F.BORN] is L.EXACT:  # under a new name
        return None
    against = vetoes(one, other, found, frequencies)
    if found.probability < CERTAIN and Veto.IMPROBABLE not in against:
        against = (*against, Veto.IMPROBABLE)
    return Pair(left=one.id, right=other.id, score=found, vetoes=against)


def looked_at(one: Normal, other: Normal, frequencies: Frequencies) -> Decision:
    """Two charts that a person compares: also where they are two persons, and never certain."""
    found = score(one, other, frequencies)
    against = vetoes(one, other, found, frequencies)
    if found.probability < CERTAIN and Veto.IMPROBABLE not in against:
        against = (*against, Veto.IMPROBABLE)
    return _decision(Pair(left=one.id, right=other.id, score=found, vetoes=against), MatchVerdict.CANDIDATE)


def are_two_people(one: Normal, other: Normal) -> bool:
    """First name and birth date are both another's, or neither says anything; and no SSN says the opposite."""
    if one.names.placeholder and other.names.placeholder and not (one.day and other.day):
        return True
    if (one.day == other.day and one.day) or (one.names.first == other.names.first and one.names.first):
        return False
    if one.ssn and one.ssn == other.ssn:
        return False
    born = L.MISSING if _is_a_year(one.day, other.day) else date_level(one.day, other.day)
    if born not in (L.OTHER, L.MISSING):
        return False
    first = first_level(one.names, other.names)
    another = first is L.OTHER or (born is L.OTHER and first in (L.MISSING, L.SIMILAR))
    return another and not are_swapped(one.names, other.names, one_agrees=one.names.last == other.names.last)


def _is_a_year(one: str, other: str) -> bool:
    """Whether of two dates one only says the year of the other: whoever does not know his birthday is given the first of January."""
    return one[:4] == other[:4] and any(day.endswith("0101") for day in (one, other))


def decide(found: Iterable[Pair]) -> tuple[Decision, ...]:
    """The verdict on each pair; the order in which pairs come does not matter.

    A pair is looked at again once a rival turned out to be linked to somebody else.
    """
    known = {(one.left, one.right): one for one in found}
    sides = _by_chart(known.values())
    certain: dict[str, Pair] = {}
    while True:
        new = [
            one
            for one in known.values()
            if one.free
            and f"<{one.left}" not in certain
            and f">{one.right}" not in certain
            and not _rivalled(one, sides, certain)
        ]
        if not new:
            break
        certain.update({chart: one for one in new for chart in (f"<{one.left}", f">{one.right}")})
    done = [_decision(one, MatchVerdict.CERTAIN) for one in {id(one): one for one in certain.values()}.values()]
    waiting = [one for one in known.values() if not any(chart in certain for chart in _charts(one))]
    best: defaultdict[str, float] = defaultdict(float)
    for one in waiting:
        for chart in _charts(one):
            best[chart] = max(best[chart], one.score.bits)
    for one in waiting:
        if (
            one.score.probability >= CERTAIN
            or _alike(one)
            or one.score.bits >= max(best[chart] for chart in _charts(one)) - RANGE
        ):
            why = _rivalled(one, sides, certain) if one.free else None
            done.append(_decision(one, MatchVerdict.CANDIDATE, *([why] if why else [])))
    half = [one for one in known.values() if sum(chart in certain for chart in _charts(one)) == 1]
    again = [one for one in half if may_be_again(one)]
    done += [_decision(one, MatchVerdict.CANDIDATE, Veto.LINKED) for one in again]
    return tuple(sorted(done, key=lambda one: (one.verdict, one.left, one.right)))


def is_again(one: Pair) -> bool:
    """Whether a chart without a counterpart looks like the person of a linked chart: entered twice."""
    return _alike(one) and one.score.probability >= CERTAIN and not _speaking(one) & OTHER_PERSON


def may_be_again(one: Pair) -> bool:
    """As `is_again`, also of somebody who has moved or is called otherwise. Where there is a certain counterpart, that is the person."""
    return _is_moved(one) or is_renamed(one)


def _is_moved(one: Pair) -> bool:
    """Whether names and birth date agree, perhaps nothing beside them, and the middle name does not differ."""
    return _alike(one) and one.score.probability >= TWICE and not _speaking(one) & (OTHER_PERSON - {Veto.NAMESAKE})


def _speaking(one: Pair) -> set[Veto]:
    """The vetoes of a pair without a `Jr` that only one of two says whose birth dates are nearly the same: a parent's is years away."""
    levels = one.score.levels
    unsaid = levels[F.SUFFIX] is L.ONE_SIDED and levels[F.BORN] in DATES_ALIKE
    return set(one.vetoes) - ({Veto.SUFFIX} if unsaid else set())


def twice(one: Normal, other: Normal, frequencies: Frequencies) -> Decision | None:
    """Two charts of one system that are likely of one person, as good as certain where nothing speaks against it; else None."""
    pair = pair_of(one, other, frequencies)
    if pair is None or pair.score.probability < TWICE or _speaking(pair) & TWO_PEOPLE:
        return None
    return _decision(pair, MatchVerdict.CERTAIN if pair.free else MatchVerdict.CANDIDATE)


def is_renamed(one: Pair) -> bool:
    """As `is_again`, with another last name as after a marriage, another middle name in one household, or another's birth date.

    Who is reached by the same phone or e-mail may have a mistyped birth date or another sex beside a new name.
    """
    levels = one.score.levels
    reached = levels[F.PHONE] is L.EXACT or levels[F.EMAIL] is L.EXACT
    if reached and (_is_called_otherwise(levels) or _is_born_otherwise(levels)):
        return one.score.probability >= CERTAIN and not _speaking(one) & OTHER_PERSON
    born = levels[F.BORN] is L.EXACT or (reached and levels[F.BORN] in DATES_ALIKE)
    known = levels[F.FIRST] in SAID and born and one.score.probability >= CERTAIN
    two = (OTHER_PERSON - {Veto.MIDDLE_NAME}) | {Veto.LAST_NAME, Veto.TWINS}
    return known and not _speaking(one) & (two - {Veto.LAST_NAME, Veto.SEX} if reached else two)


def _is_called_otherwise(levels: Levels) -> bool:
    """Whether nothing of the names agrees, and birth date and two of street, phone and e-mail do, and sex is not another.

    A new last name entered where the first name belongs looks so. Twins have one last name. Of a mistyped birth date all three and the
    sex have to agree.
    """
    if levels[F.FIRST] is not L.OTHER or levels[F.LAST] is not L.OTHER:
        return False
    same = [levels[field] for field in (F.STREET, F.PHONE, F.EMAIL)].count(L.EXACT)
    if levels[F.BORN] is L.EXACT:
        return same > 1 and levels[F.SEX] is not L.OTHER
    return levels[F.BORN] in DATE_MISTYPED and same == 3 and levels[F.SEX] is L.EXACT


def _is_born_otherwise(levels: Levels) -> bool:
    """Whether the birth date alone is another's, as where it was read off the wrong line. A parent's is years away (`Veto.GENERATION`)."""
    named = levels[F.FIRST] is levels[F.LAST] is L.EXACT
    return named and levels[F.BORN] is L.OTHER and levels[F.STREET] is L.EXACT and levels[F.SEX] is not L.OTHER


def _alike(one: Pair) -> bool:
    """Whether names and birth date agree, as people write them."""
    levels = one.score.levels
    return levels[F.FIRST] in SAID | MISTYPED and levels[F.LAST] in SAID | MISTYPED and levels[F.BORN] in DATES_ALIKE


def _charts(one: Pair) -> tuple[str, str]:
    return f"<{one.left}", f">{one.right}"


def _by_chart(found: Iterable[Pair]) -> dict[str, list[Pair]]:
    sides: defaultdict[str, list[Pair]] = defaultdict(list)
    for one in found:
        for chart in _charts(one):
            sides[chart].append(one)
    return dict(sides)


def _rivalled(one: Pair, sides: dict[str, list[Pair]], certain: dict[str, Pair]) -> Veto | None:
    """What another pair of one of the two charts has against `one`."""
    why = None
    for rival in (rival for chart in _charts(one) for rival in sides[chart] if rival is not one):
        if rival.free:
            return Veto.TWO_ALIKE
        elsewhere = any(certain.get(chart) not in (None, rival) for chart in _charts(rival))
        before = rival.score.bits < one.score.bits and one.identical and not rival.identical
        if not elsewhere and not before and rival.score.bits > one.score.bits - MARGIN:
            why = Veto.RIVAL
    return why


def _decision(one: Pair, verdict: MatchVerdict, *more: Veto) -> Decision:
    return Decision(
        left=one.left,
        right=one.right,
        verdict=verdict,
        probability=one.score.probability,
        levels=tuple((field, level) for field, level in one.score.levels.items() if level is not L.MISSING),
        vetoes=(*one.vetoes, *more),
    )


def match(left: Sequence[Person], right: Sequence[Person]) -> Matched:
    """Two whole lists; ids are unique in each."""
    ours, theirs = [normalize(one) for one in left], [normalize(one) for one in right]
    frequencies = Frequencies.of(ours, theirs)
    places, large = pairs(ours, theirs)
    compared = 0
    found = []
    for here, there in places:
        compared += 1
        if (pair := pair_of(ours[here], theirs[there], frequencies)) is not None:
            found.append(pair)
    decisions = decide(found)
    lefts, rights = {one.left for one in decisions}, {one.right for one in decisions}
    return Matched(
        decisions=decisions,
        only_left=tuple(one.id for one in left if one.id not in lefts),
        only_right=tuple(one.id for one in right if one.id not in rights),
        large=tuple(large),
        compared=compared,
    )


def decisions_about(
    one: Normal, theirs: Sequence[Normal], ours: Sequence[Normal], frequencies: Frequencies
) -> tuple[Decision, ...]:
    """A live search: `one` against the free charts of the other system that share a key with it.

    `ours` are free charts of its own system that share a key with one of `theirs`: what may be a rival.
    """
    found = [pair for other in theirs if (pair := pair_of(one, other, frequencies)) is not None]
    alike = {pair.right for pair in found}
    rivals = [
        pair
        for other in theirs
        if other.id in alike
        for rival in ours
        if rival.id != one.id and (pair := pair_of(rival, other, frequencies)) is not None
    ]
    return tuple(decision for decision in decide([*found, *rivals]) if decision.left == one.id)


def duplicates(people: Sequence[Person], at_least: float = 0.5) -> tuple[Decision, ...]:
    """The pairs of one list that may be one person twice, the most probable first; never more than candidates."""
    ready = [normalize(one) for one in people]
    frequencies = Frequencies.of(ready)
    places, _ = pairs_within(ready)
    found = [pair for here, there in places if (pair := pair_of(ready[here], ready[there], frequencies)) is not None]
    alike = [_decision(one, MatchVerdict.CANDIDATE) for one in found if one.score.probability >= at_least]
    return tuple(sorted(alike, key=lambda one: (bool(one.vetoes), -one.probability, one.left, one.right)))
