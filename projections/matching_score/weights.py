"""The weights: how often each level is among charts of one person (m) and of two (u). The one table of numbers.

Source: `python -m tests.matching estimate`, which counts the pairs of one person in FEBRL set 1 and in mix 1 of the tests'
generator for m, and random pairs of two persons for u; then rounded. Where one of the two lacks a field, the other decides.
Values that are equal count by the frequency of the value (`Frequencies`) in place of u.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log2

from projections.matching_score.levels import Field, Level

F, L = Field, Level

WEIGHTS: Mapping[Field, Mapping[Level, tuple[float, float]]] = {
    F.FIRST: {
        L.EXACT: (0.78, 0.01),
        L.NICKNAME: (0.04, 0.004),
        L.MIDDLE_USED: (0.01, 0.001),
        L.PART: (0.01, 0.0005),
        L.SWAPPED: (0.03, 0.00002),
        L.INITIAL: (0.01, 0.002),
        L.NEAR: (0.08, 0.004),
        L.SIMILAR: (0.02, 0.015),
        L.PLACEHOLDER: (0.005, 0.005),
        L.OTHER: (0.015, 0.96),
    },
    F.MIDDLE: {
        L.EXACT: (0.80, 0.03),
        L.INITIAL: (0.12, 0.05),
        L.NEAR: (0.04, 0.005),
        L.MOVED: (0.02, 0.002),
        L.OTHER: (0.02, 0.92),
    },
    F.LAST: {
        L.EXACT: (0.80, 0.003),
        L.PART: (0.03, 0.0006),
        L.MOVED: (0.005, 0.00002),
        L.SWAPPED: (0.03, 0.0005),
        L.NEAR: (0.08, 0.003),
        L.SIMILAR: (0.02, 0.012),
        L.OTHER: (0.03, 0.98),
    },
    F.SUFFIX: {L.EXACT: (0.75, 0.10), L.ONE_SIDED: (0.3, 0.5), L.OTHER: (0.005, 0.8)},
    F.BORN: {
        L.EXACT: (0.92, 0.00005),
        L.DAY_MONTH: (0.01, 0.00004),
        L.DIGIT: (0.04, 0.0012),
        L.TWO_OF_THREE: (0.01, 0.004),
        L.OTHER: (0.01, 0.995),
    },
    F.SEX: {L.EXACT: (0.99, 0.5), L.OTHER: (0.01, 0.5)},
    F.STREET: {
        L.EXACT: (0.70, 0.0005),
        L.NEAR: (0.12, 0.0005),
        L.DIGIT: (0.06, 0.001),
        L.SHARED: (0.01, 0.01),
        L.PART: (0.04, 0.004),
        L.OTHER: (0.14, 0.99),
    },
    F.LINE2: {L.EXACT: (0.70, 0.01), L.NEAR: (0.12, 0.003), L.OTHER: (0.18, 0.98)},
    F.CITY: {L.EXACT: (0.85, 0.05), L.NEAR: (0.06, 0.003), L.OTHER: (0.09, 0.94)},
    F.STATE: {L.EXACT: (0.97, 0.5), L.OTHER: (0.03, 0.5)},
    F.ZIP: {L.EXACT: (0.85, 0.02), L.DIGIT: (0.06, 0.02), L.OTHER: (0.09, 0.96)},
    F.PHONE: {L.EXACT: (0.85, 0.0005), L.DIGIT: (0.04, 0.0001), L.SHARED: (0.02, 0.02), L.OTHER: (0.11, 0.999)},
    F.EMAIL: {L.EXACT: (0.80, 0.0003), L.NEAR: (0.06, 0.002), L.SHARED: (0.02, 0.02), L.OTHER: (0.14, 0.999)},
    F.SSN: {L.EXACT: (0.96, 0.00001), L.DIGIT: (0.03, 0.0001), L.OTHER: (0.01, 0.9999)},
}

BITS: Mapping[Field, Mapping[Level, float]] = {
    field: {level: log2(m / u) for level, (m, u) in levels.items()} for field, levels in WEIGHTS.items()
}
