"""Whether a commit's figures are better or worse than another's, or the same as far as runs on this machine can tell."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tests.bench.table import columns, number, quartiles, rises, spread

NOTICEABLE = 0.05
"""A smaller change of the median is none."""

Key = tuple[str, str]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of one run, in the JSON of any commit's bench; fields that only later benches write are optional."""

    subject: str
    what: str
    value: float
    unit: str
    aim: float | None = None
    more: bool = True
    rounds: tuple[float, ...] | None = None

    @property
    def rising(self) -> bool:
        """Whether a higher value is better. Benches before rounds said so only of figures with an aim."""
        return rises(self.unit) if self.aim is None and self.rounds is None else self.more


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One figure's values in the runs of two commits."""

    subject: str
    what: str
    unit: str
    rising: bool
    a: tuple[float, ...]
    b: tuple[float, ...]

    @property
    def change(self) -> float:
        """From the median of A to the median of B, as a share of A's; infinite where A's is zero and B's is not."""
        before, after = statistics.median(self.a), statistics.median(self.b)
        if before == 0:
            return 0.0 if after == 0 else float("inf") if after > 0 else float("-inf")
        return (after - before) / abs(before)

    @property
    def verdict(self) -> str:
        """Worse or better only by more than NOTICEABLE, and by more than the wider distance between quartiles."""
        moved = statistics.median(self.b) - statistics.median(self.a)
        widest = max(high - low for low, high in (quartiles(self.a), quartiles(self.b)))
        if abs(self.change) <= NOTICEABLE or abs(moved) <= widest:
            return "same"
        return "better" if (moved > 0) == self.rising else "worse"


Runs = Sequence[Mapping[Key, Figure]]


def read(raw: bytes) -> dict[Key, Figure]:
    """The figures of one run. Raises msgspec.ValidationError where they are none."""
    return {(one.subject, one.what): one for one in msgspec.json.decode(raw, type=list[Figure])}


def compared(a: Runs, b: Runs) -> list[Comparison]:
    """The figures that runs of both commits have, in the order of B's bench, whose word on the direction counts."""
    latest = {key: figure for run in b for key, figure in run.items()}
    pairs = {key: tuple(tuple(run[key].value for run in runs if key in run) for runs in (a, b)) for key in latest}
    return [
        Comparison(
            subject=key[0], what=key[1], unit=latest[key].unit, rising=latest[key].rising, a=before, b=after
        )
        for key, (before, after) in pairs.items()
        if before
    ]  # fmt: skip


def alone(runs: Runs, others: Runs) -> list[Key]:
    """The figures that only `runs` have."""
    known = {key for run in others for key in run}
    return list(dict.fromkeys(key for run in runs for key in run if key not in known))


def show(comparisons: Sequence[Comparison]) -> str:
    rows = [("subject", "figure", "A", "quartiles", "B", "quartiles", "unit", "change", "verdict")]
    for one in comparisons:
        rows.append(
            (
                one.subject, one.what, number(statistics.median(one.a)), spread(one.a), number(statistics.median(one.b)), spread(one.b),
                one.unit, f"{one.change:+.1%}", one.verdict,
            )
        )  # fmt: skip
    return columns(rows, right=frozenset({2, 3, 4, 5, 7}))


def as_json(comparisons: Sequence[Comparison]) -> list[dict[str, Any]]:
    return [
        {
            "subject": one.subject,
            "what": one.what,
            "unit": one.unit,
            "more": one.rising,
            "a": _side(one.a),
            "b": _side(one.b),
            "change": one.change,
            "verdict": one.verdict,
        }
        for one in comparisons
    ]


def _side(values: Sequence[float]) -> dict[str, Any]:
    return {"value": statistics.median(values), "quartiles": quartiles(values), "runs": values}
