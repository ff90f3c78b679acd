"""Two lists with the truth about them, and what a matching of them comes to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from projections.matching import Matched, MatchVerdict, Person


@dataclass
class Lists:
    """The charts of two systems; `truth` has the pairs of one person, `kinds` what is hard about a chart."""

    left: list[Person]
    right: list[Person]
    truth: set[tuple[str, str]]
    kinds: dict[str, str] = field(default_factory=dict)
    errors: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)


@dataclass
class Judged:
    """A matching against the truth, as shares of the persons in both lists.

    A person is missed whose two charts are neither linked nor shown together; `shown` are candidate pairs per 1,000 charts.
    """

    persons: int
    certain: float
    wrong: int
    missed: float
    to_a_person: float
    shown: float
    wrong_pairs: list[tuple[str, str]]
    missed_pairs: list[tuple[str, str]]

    def line(self) -> str:
        return (
            f"{self.persons} persons: certain {self.certain:.2%}, wrong {self.wrong}, missed {self.missed:.2%}, "
            f"to a person {self.to_a_person:.2%}, {self.shown:.1f} candidate pairs per 1,000 charts"
        )


def judged(lists: Lists, matched: Matched) -> Judged:
    """A person who has several charts counts once for each pair of them; those wait rightly and are never missed if shown."""
    certain = {(one.left, one.right) for one in matched.of(MatchVerdict.CERTAIN)}
    candidates = {(one.left, one.right) for one in matched.of(MatchVerdict.CANDIDATE)}
    copies = Counter(chart for pair in lists.truth for chart in pair)
    linked = {chart for pair in certain & lists.truth for chart in pair}
    missed = sorted(
        pair
        for pair in lists.truth - certain - candidates
        if not (any(copies[chart] > 1 for chart in pair) and any(chart in linked for chart in pair))
    )
    persons = len(lists.truth)
    wrong = sorted(certain - lists.truth)
    return Judged(
        persons=persons,
        certain=len(certain & lists.truth) / persons,
        wrong=len(wrong),
        missed=len(missed) / persons,
        to_a_person=len(candidates & lists.truth) / persons,
        shown=1000 * len(candidates) / (len(lists.left) + len(lists.right)),
        wrong_pairs=wrong,
        missed_pairs=missed,
    )
