"""Lines of a benchmark: what was measured in each round, what it is measured against, and whether the aim is met."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FEWEST = 5
"""Rounds below which a verdict is not to be trusted."""

FALLING = frozenset({"s", "ms", "us", "bytes", "kB", "MB", "GB", "core", "calls", "files", "practices", "times"})
"""Units of a cost: a lower value is better. Rates, ratios and shares are better when higher, unless the line says otherwise."""


def rises(unit: str) -> bool:
    """Whether a higher value of this unit is better."""
    return unit not in FALLING


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """The lower and the upper quartile; a single value is both. Raises StatisticsError when there is none."""
    if len(values) == 1:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


@dataclass(frozen=True, kw_only=True)
class Line:
    """A figure of several rounds against `aim`: at least it when `more` is better, else at most.

    Without an aim the figure is information. Without `more` the unit says which way is better.
    """

    subject: str
    what: str
    unit: str
    rounds: tuple[float, ...]
    aim: float | None = None
    more: bool | None = None

    @property
    def rising(self) -> bool:
        return rises(self.unit) if self.more is None else self.more

    @property
    def value(self) -> float:
        """The median."""
        return statistics.median(self.rounds)

    @property
    def met(self) -> bool | None:
        """Whether the worse quartile meets the aim, so that a lucky round proves nothing."""
        if self.aim is None:
            return None
        low, high = quartiles(self.rounds)
        return low >= self.aim if self.rising else high <= self.aim


def merged(rounds: Sequence[Sequence[Line]]) -> list[Line]:
    """The lines of all rounds as one line a figure, in the order of their first."""
    found: dict[tuple[str, str], list[Line]] = {}
    for lines in rounds:
        for line in lines:
            found.setdefault((line.subject, line.what), []).append(line)
    return [
        Line(
            subject=same[0].subject,
            what=same[0].what,
            unit=same[0].unit,
            rounds=tuple(value for line in same for value in line.rounds),
            aim=same[0].aim,
            more=same[0].more,
        )
        for same in found.values()
    ]


def number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def spread(values: Sequence[float]) -> str:
    low, high = quartiles(values)
    return f"{number(low)} .. {number(high)}"


def columns(rows: Sequence[Sequence[str]], right: frozenset[int]) -> str:
    """Rows under each other, the columns numbered in `right` flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def show(lines: Sequence[Line]) -> str:
    """The table for people; it says so when figures with an aim come from too few rounds."""
    rows = [("subject", "figure", "median", "quartiles", "unit", "rounds", "aim", "")]
    for line in lines:
        aim = "" if line.aim is None else f"{'>=' if line.rising else '<='} {line.aim:.3g}"
        verdict = {None: "", True: "met", False: "MISSED"}[line.met]
        rows.append(
            (
                line.subject, line.what, number(line.value), spread(line.rounds), line.unit, str(len(line.rounds)), aim,
                verdict,
            )
        )  # fmt: skip
    text = columns(rows, right=frozenset({2, 3, 5}))
    if any(line.aim is not None and len(line.rounds) < FEWEST for line in lines):
        text += f"\nA verdict from fewer than {FEWEST} rounds is not to be trusted."
    return text


def write(lines: Sequence[Line], file: Path) -> None:
    """The figures as JSON: `value` is the median, `more` says whether a higher value is better."""
    found = [
        {
            "subject": line.subject,
            "what": line.what,
            "value": line.value,
            "quartiles": quartiles(line.rounds),
            "rounds": line.rounds,
            "unit": line.unit,
            "aim": line.aim,
            "more": line.rising,
            "met": line.met,
        }
        for line in lines
    ]
    file.write_text(json.dumps(found, indent=1))


class Clock:
    """Seconds of the wall from its making, or from the last `lap`."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    def lap(self) -> float:
        now = time.perf_counter()
        seconds, self._began = now - self._began, now
        return seconds


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def quantile(values: Sequence[float], point: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(point * len(ordered)))]
