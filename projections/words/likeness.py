"""How alike two charts are, in words that name no value."""

from __future__ import annotations

from collections.abc import Mapping

from events.writes import Likeness
from projections.matching import Level


def how_alike(alike: Likeness, *, rounded: bool = False) -> str:
    """The probability, what agrees, what does not and how, and what forbids a link without a person; `rounded` to what people can use."""
    if rounded:
        return _for_people(alike)
    same = [field for field, level in alike.levels.items() if level == Level.EXACT]
    parts = [f"{alike.probability:.2%} one person"]
    if same:
        parts.append(f"same {', '.join(same)}")
    parts += [f"{field}: {level}" for field, level in alike.levels.items() if level != Level.EXACT]
    parts += [f"not certain: {veto}" for veto in alike.vetoes]
    return "; ".join(parts)


LEVELS: Mapping[Level, str] = {
    Level.EXACT: "same",
    Level.NICKNAME: "a nickname of it",
    Level.MIDDLE_USED: "the middle name is used",
    Level.PART: "one part of it",
    Level.MOVED: "its parts in another order",
    Level.SWAPPED: "first and last name swapped",
    Level.INITIAL: "an initial",
    Level.NEAR: "misspelt",
    Level.SIMILAR: "similar",
    Level.DAY_MONTH: "day and month swapped",
    Level.DIGIT: "one digit is another",
    Level.TWO_OF_THREE: "two of day, month and year agree",
    Level.SHARED: "same, but shared by many",
    Level.ONE_SIDED: "on one side only",
    Level.PLACEHOLDER: "placeholder of a newborn",
    Level.MISSING: "missing",
    Level.OTHER: "different",
}
"""How alike two values are, for who compares two charts on a page."""

_LEVELS = {level.value: words for level, words in LEVELS.items()}


def _for_people(alike: Likeness) -> str:
    """The same in three parts: what agrees, what does not and how, and why a person decides."""
    same = [field for field, level in alike.levels.items() if level == Level.EXACT]
    other = [f"{field} {_LEVELS.get(level, level)}" for field, level in alike.levels.items() if level != Level.EXACT]
    parts = [f"{_rounded(alike.probability)} one person"]
    parts += [f"same {', '.join(same)}"] if same else []
    parts += [", ".join(other)] if other else []
    parts += [f"not certain: {'; '.join(alike.vetoes)}"] if alike.vetoes else []
    return "; ".join(parts)


def _rounded(probability: float) -> str:
    """As exact as it is: neither certain nor impossible because it was rounded."""
    return "over 99%" if probability > 0.99 else "under 1%" if probability < 0.01 else f"{probability:.0%}"
