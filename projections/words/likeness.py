"""How alike two charts are, in words that name no value."""

from __future__ import annotations

from events.writes import Likeness
from projections.matching import Level


def how_alike(alike: Likeness, *, rounded: bool = False) -> str:
    """The probability, what agrees, what does not and how, and what forbids a link without a person; `rounded` to what people can use."""
    same = [field for field, level in alike.levels.items() if level == Level.EXACT]
    parts = [f"{_rounded(alike.probability) if rounded else format(alike.probability, '.2%')} one person"]
    if same:
        parts.append(f"same {', '.join(same)}")
    parts += [f"{field}: {level}" for field, level in alike.levels.items() if level != Level.EXACT]
    parts += [f"not certain: {veto}" for veto in alike.vetoes]
    return "; ".join(parts)


def _rounded(probability: float) -> str:
    """As exact as it is: neither certain nor impossible because it was rounded."""
    return "over 99%" if probability > 0.99 else "under 1%" if probability < 0.01 else f"{probability:.0%}"
