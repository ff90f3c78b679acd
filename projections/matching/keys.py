"""Finding: whoever may be one person shares at least one key; the keys of one person are few strings.

The same keys serve whole lists (`pairs`) and a live search by one person (as keyed hashes in a table).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import jellyfish
import msgspec

from projections.matching.distance import MEMORY
from projections.matching.names import PersonNames
from projections.matching.normal import Normal

LARGEST = 500
"""A block of more charts is not compared whole, but only where a second key agrees as well."""


class LargeBlock(msgspec.Struct, frozen=True):
    """A block that was not compared whole: the kind of its key (never the key), its charts, and how many parts were left out."""

    kind: str
    charts: int
    left_out: int


@lru_cache(MEMORY)
def sound(name: str) -> str:
    """How a name begins to sound: what misspelling it mostly keeps."""
    return (jellyfish.metaphone(name) or name)[:4]


def keys_of(one: Normal) -> tuple[str, ...]:
    """All keys of a person; each begins with its kind."""
    found = list(_keys_of_name(one.names, one.day))
    found += [f"phone:{number[-7:]}" for number in one.phones]
    if one.email:
        found.append(f"e-mail:{one.email}")
        found.append(f"local:{one.email.partition('@')[0]}")
    if one.ssn:
        found += [f"ssn:{one.ssn[:5]}", f"ssn:{one.ssn[4:]}/"]
    for street in (one.street, one.street2):
        if street and street.number:
            found.append(f"street:{street.number}{street.name[:3]}{(one.zip or one.city)[:3]}")
        if street and (one.zip or one.city) and not street.name[0].isdigit():
            found.append(f"road:{street.name[:8]}{one.zip or one.city}{one.names.last[:1]}")
    return tuple(dict.fromkeys(found))


@lru_cache(8_192)
def _keys_of_name(names: PersonNames, day: str) -> tuple[str, ...]:
    """The keys that a move leaves as they are."""
    found: list[str] = []
    if day:
        found.append(f"born:{day[:4]}{''.join(sorted((day[4:6], day[6:])))}")
    firsts = {word for word in (names.first, *names.firsts[:2], names.middle) if len(word) > 1}
    lasts = {word for word in (names.last, *names.lasts) if len(word) > 1}
    for last in lasts:
        for first in firsts:
            found.append("name:" + "|".join(sorted((sound(first), sound(last)))))
    if day:
        initials = {word[0] for word in (names.first, names.middle) if word} or {""}
        for last in lasts or firsts:
            found += [f"year:{sound(last)}{initial}{day[:4]}" for initial in initials]
            found.append(f"date:{sound(last)}{day[4:]}")
        for first in firsts:
            found += [f"year:{sound(first)}{last[0]}{day[:4]}" for last in lasts]
            found.append(f"date:{sound(first)}{day[4:]}")
    return tuple(found)


def pairs(left: Sequence[Normal], right: Sequence[Normal]) -> tuple[Iterator[tuple[int, int]], list[LargeBlock]]:
    """The places of all pairs that share a key, each once; the large blocks are told once the pairs were taken."""
    large: list[LargeBlock] = []
    return _pairs(left, right, large), large


def pairs_within(people: Sequence[Normal]) -> tuple[Iterator[tuple[int, int]], list[LargeBlock]]:
    """As `pairs`, of one list with itself."""
    large: list[LargeBlock] = []
    return _pairs(people, people, large), large


def _pairs(left: Sequence[Normal], right: Sequence[Normal], large: list[LargeBlock]) -> Iterator[tuple[int, int]]:
    here = _blocks(left)
    there = here if left is right else _blocks(right)
    seen: set[int] = set()
    width, within = len(right), left is right
    for key, lefts in here.items():
        rights = there.get(key)
        if rights is None:
            continue
        for ours, theirs in _narrowed(key, lefts, rights, left, right, large):
            for one in ours:
                base = one * width
                for other in theirs:
                    if base + other not in seen and (other > one or not within):
                        seen.add(base + other)
                        yield one, other


def _blocks(people: Sequence[Normal]) -> dict[str, list[int]]:
    blocks: defaultdict[str, list[int]] = defaultdict(list)
    for place, one in enumerate(people):
        for key in keys_of(one):
            blocks[key].append(place)
    return dict(blocks)


def _narrowed(
    key: str, lefts: list[int], rights: list[int], left: Sequence[Normal], right: Sequence[Normal], large: list[LargeBlock]
) -> Iterator[tuple[list[int], list[int]]]:
    """A block, or of a large one the parts in which a second thing agrees and that are small enough."""
    charts = len(lefts) + (0 if left is right else len(rights))
    if charts <= LARGEST:
        yield lefts, rights
        return
    left_out = 0
    for ways in (_by_year, _by_sounds):
        parts: defaultdict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for side, places, people in ((0, lefts, left), (1, rights, right)):
            for place in places:
                parts[ways(people[place])][side].append(place)
        for ours, theirs in parts.values():
            if len(ours) + len(theirs) <= LARGEST:
                yield ours, theirs
            else:
                left_out += 1
    large.append(LargeBlock(kind=key.partition(":")[0], charts=charts, left_out=left_out))


def _by_year(one: Normal) -> str:
    return one.day[:4] + one.names.first[:1]


def _by_sounds(one: Normal) -> str:
    return f"{sound(one.names.first)}|{sound(one.names.last)}"


def told(large: Iterable[LargeBlock]) -> tuple[str, ...]:
    """The large blocks as lines, by kind."""
    counts = Counter(one.kind for one in large)
    most = {one.kind: max(each.charts for each in large if each.kind == one.kind) for one in large}
    return tuple(
        f"{count} blocks by {kind} of up to {most[kind]} charts were compared only where a second key agrees"
        for kind, count in sorted(counts.items())
    )
