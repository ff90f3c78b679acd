"""The weights: how often each level is among charts of one person (m) and of two (u). The one table of numbers.

Source: `python -m tests.matching estimate`, which counts the pairs of one person in FEBRL set 1 and in mix 1 of the tests'
generator for m, and random pairs of two persons for u; then rounded. Where one of the two lacks a field, the other decides.
Assumed are suffixes, of which there are too few, and what a level must not prove: shared values, placeholders, and an e-mail,
phone or SSN that is nearly the same (namesakes, sequential numbers, twins).

Values that are equal count by the frequency of the value (`Frequencies`) in place of u.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log2

from projections.matching.levels import Compared, Level

F, L = Compared, Level

WEIGHTS: Mapping[Compared, Mapping[Level, tuple[float, float]]] = {
    F.FIRST: {
        L.PLACEHOLDER: (0.005, 0.005),
        L.EXACT: (0.8, 0.0049),
        L.NICKNAME: (0.019, 0.0012),
        L.MIDDLE_USED: (0.0061, 0.0016),
        L.PART: (0.002, 0.000087),
        L.SWAPPED: (0.05, 0.000019),
        L.INITIAL: (0.0032, 0.0002),
        L.NEAR: (0.076, 0.0015),
        L.SIMILAR: (0.0021, 0.0012),
        L.OTHER: (0.049, 0.99),
    },
    F.MIDDLE: {
        L.MOVED: (0.01, 0.01),
        L.EXACT: (0.79, 0.0048),
        L.INITIAL: (0.21, 0.015),
        L.NEAR: (0.002, 0.0023),
        L.OTHER: (0.002, 0.97),
    },
    F.LAST: {
        L.EXACT: (0.79, 0.0028),
        L.PART: (0.01, 0.00057),
        L.MOVED: (0.002, 0.00001),
        L.SWAPPED: (0.048, 0.000018),
        L.NEAR: (0.11, 0.0019),
        L.SIMILAR: (0.0041, 0.00055),
        L.OTHER: (0.034, 0.99),
    },
    F.SUFFIX: {
        L.EXACT: (0.75, 0.1),
        L.ONE_SIDED: (0.3, 0.5),
        L.OTHER: (0.005, 0.8),
    },
    F.BORN: {
        L.EXACT: (0.96, 0.000029),
        L.DAY_MONTH: (0.0025, 0.00001),
        L.DIGIT: (0.013, 0.00099),
        L.TWO_OF_THREE: (0.002, 0.003),
        L.OTHER: (0.028, 0.999),
    },
    F.SEX: {
        L.EXACT: (0.99, 0.5),
        L.OTHER: (0.009, 0.5),
    },
    F.STREET: {
        L.SHARED: (0.01, 0.01),
        L.EXACT: (0.7, 0.0002),
        L.NEAR: (0.12, 0.00016),
        L.DIGIT: (0.077, 0.000093),
        L.PART: (0.026, 0.0011),
        L.OTHER: (0.083, 0.999),
    },
    F.LINE2: {
        L.EXACT: (0.87, 0.0082),
        L.NEAR: (0.1, 0.14),
        L.OTHER: (0.031, 0.86),
    },
    F.CITY: {
        L.EXACT: (0.84, 0.11),
        L.NEAR: (0.1, 0.04),
        L.OTHER: (0.055, 0.85),
    },
    F.STATE: {
        L.EXACT: (0.97, 0.47),
        L.OTHER: (0.026, 0.53),
    },
    F.ZIP: {
        L.EXACT: (0.88, 0.047),
        L.DIGIT: (0.097, 0.13),
        L.OTHER: (0.023, 0.83),
    },
    F.PHONE: {
        L.DIGIT: (0.013, 0.0001),
        L.SHARED: (0.02, 0.02),
        L.EXACT: (0.91, 0.0004),
        L.OTHER: (0.079, 0.999),
    },
    F.EMAIL: {
        L.NEAR: (0.02, 0.002),
        L.SHARED: (0.02, 0.02),
        L.EXACT: (0.96, 0.00001),
        L.OTHER: (0.02, 0.999),
    },
    F.SSN: {
        L.SHARED: (0.01, 0.01),
        L.DIGIT: (0.01, 0.0001),
        L.EXACT: (0.99, 0.00001),
        L.OTHER: (0.002, 0.999),
    },
}

ASSUMED: frozenset[tuple[Compared, Level]] = frozenset(
    (
        *((F.SUFFIX, level) for level in WEIGHTS[F.SUFFIX]),
        *((field, L.SHARED) for field in (F.STREET, F.PHONE, F.EMAIL, F.SSN)),
        (F.FIRST, L.PLACEHOLDER),
        (F.MIDDLE, L.MOVED),
        (F.PHONE, L.DIGIT),
        (F.EMAIL, L.NEAR),
        (F.SSN, L.DIGIT),
    )
)
"""What the command does not estimate: see above."""

BITS: Mapping[Compared, Mapping[Level, float]] = {
    field: {level: log2(m / u) for level, (m, u) in levels.items()} for field, levels in WEIGHTS.items()
}
