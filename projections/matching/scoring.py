"""How probable it is that two charts are of one person (Fellegi and Sunter, 1969): the weights of all levels, added up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import log2, pow

import msgspec

from projections.matching.compare import Levels, compared
from projections.matching.distance import is_cut
from projections.matching.frequencies import FEWEST, Frequencies
from projections.matching.levels import Compared, Level
from projections.matching.normal import Normal
from projections.matching.weights import BITS, WEIGHTS

F, L = Compared, Level
SECOND = (F.STREET, F.LINE2, F.CITY, F.ZIP, F.PHONE, F.EMAIL)


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """A pair's probability of being one person, its bits of evidence, and the levels behind them.

    `second` are the bits of what agrees beside names and birth date.
    """

    probability: float
    bits: float
    second: float
    levels: Levels


def score(one: Normal, other: Normal, frequencies: Frequencies) -> Score:
    """Symmetric: the order of the two does not matter."""
    levels = compared(one, other, frequencies)
    each = {
        field: evidence(field, level, one, other, frequencies) for field, level in levels.items() if level is not L.MISSING
    }
    if levels[F.CITY] is levels[F.ZIP] is L.EXACT:
        each[F.CITY], each[F.ZIP] = 0.0, _joint(one.area, frequencies)
    if levels[F.STREET] is L.OTHER and L.EXACT in (levels[F.PHONE], levels[F.EMAIL], levels[F.SSN]):
        each |= {field: max(each[field], 0.0) for field in (F.CITY, F.ZIP, F.STATE) if field in each}  # one move, told once
    bits = sum(each.values())
    second = sum(max(each.get(field, 0.0), 0.0) for field in SECOND)
    return Score(probability=probability_of(bits, frequencies), bits=round(bits, 3), second=round(second, 3), levels=levels)


def _joint(area: str, frequencies: Frequencies) -> float:
    """A city and its ZIP code say one thing; they agree together."""
    return log2(WEIGHTS[F.ZIP][L.EXACT][0] / frequencies.share_of_place(frequencies.areas, area, 0.05))


def probability_of(bits: float, frequencies: Frequencies) -> float:
    """Any two charts are of one person as often as a list is long: each chart has at most one counterpart."""
    odds = bits - log2(max(frequencies.longest, FEWEST))
    return round(1 / (1 + pow(2.0, -min(max(odds, -60.0), 60.0))), 6)


def evidence(field: Compared, level: Level, one: Normal, other: Normal, frequencies: Frequencies) -> float:
    """The weight of one field that both have, in bits; equal values by how frequent the value is."""
    whole = level is L.EXACT or (level is L.NEAR and _is_cut(field, one, other))
    share = _share(field, one, other, frequencies) if whole else None
    if share is None:
        return BITS[field][level]
    return log2(WEIGHTS[field][L.EXACT][0] / min(share, 1.0))


def _is_cut(field: Compared, one: Normal, other: Normal) -> bool:
    """Whether a long name agrees as far as a column goes: that says as much as the whole name."""
    names = {F.FIRST: (one.names.first, other.names.first), F.LAST: (one.names.last, other.names.last)}.get(field)
    return names is not None and is_cut(*names)


def _share(field: Compared, one: Normal, other: Normal, frequencies: Frequencies) -> float | None:
    """The share of charts with the value that both have; None where the table's u is as good."""
    share = SHARES.get(field)
    return None if share is None else share(one, other, frequencies)


def _share_of_middle(one: Normal, other: Normal, frequencies: Frequencies) -> float:
    return frequencies.share(frequencies.middles, one.names.middle, 0.002 if len(one.names.middle) > 1 else 0.05)


def _share_of_street(one: Normal, other: Normal, frequencies: Frequencies) -> float | None:
    return _rarest((place for place in (one.place, other.place) if place), frequencies)


SHARES: Mapping[Compared, Callable[[Normal, Normal, Frequencies], float | None]] = {
    F.FIRST: lambda one, _, known: known.share(known.names, one.names.first, 0.0005),
    F.LAST: lambda one, other, known: max(known.share(known.lasts, each.names.last, 0.0002) for each in (one, other)),
    F.MIDDLE: _share_of_middle,
    F.BORN: lambda one, _, known: known.share_of_date(one.day),
    F.LINE2: lambda one, _, known: known.share_of_place(known.lines, one.line2, 0.05),
    F.CITY: lambda one, _, known: known.share_of_place(known.cities, one.city, 0.1),
    F.STATE: lambda one, _, known: known.share_of_place(known.states, one.state, 0.9),
    F.ZIP: lambda one, _, known: known.share_of_place(known.zips, one.zip, 0.05),
    F.PHONE: lambda one, other, known: _rarest(one.phones & other.phones, known),
    F.EMAIL: lambda one, _, known: known.share_of_household(one.email),
    F.STREET: _share_of_street,
}
"""How frequent an equal value is, by field; the last number is the share of a value of which nobody knows more."""


def _rarest(values: Iterable[str], frequencies: Frequencies) -> float | None:
    return min((frequencies.share_of_household(value) for value in values), default=None)
