"""Bars as inline SVG of shapes alone, no style and no script: above the line what was written, below it what waits since then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from daemon.operator.activity import Span
from projections.words.subject import counted

WIDTH, ABOVE, BELOW = 480, 84, 34
"""The plot in its own units: its width, and the most of a bar on either side of the line."""
GAP = 0.2


@dataclass(frozen=True)
class Bar:
    """A bar's place. `kind` is the class that colours it, `said` what it says to whoever points at it."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    said: str


@dataclass(frozen=True)
class Plot:
    """Bars, the words below the line, and what somebody who cannot see them is told."""

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]
    written: str
    waiting: str
    said: str
    width: int = WIDTH
    line: int = ABOVE
    height: int = ABOVE + BELOW


def plot_of(spans: Sequence[Span], name: Callable[[Span], str], every: int, about: str, unit: str) -> Plot:
    """The plot of these hours or days; `name` names one, and every so many of them have their name below."""
    step = WIDTH / max(1, len(spans))
    most, waits = max((one.written for one in spans), default=0), max((one.waiting for one in spans), default=0)
    bars: list[Bar] = []
    for at, one in enumerate(spans):
        x, width = round(at * step + step * GAP / 2, 2), round(step * (1 - GAP), 2)
        if one.written:
            height = _tall(one.written, most, ABOVE)
            bars.append(Bar(x, round(ABOVE - height, 2), width, height, "written", f"{name(one)}: {one.written:,} written"))
        if one.waiting:
            height = _tall(one.waiting, waits, BELOW)
            bars.append(Bar(x, ABOVE, width, height, "waiting", f"{name(one)}: {one.waiting:,} still waiting"))
    ticks = tuple(
        (round(at * step, 2), name(one)) for at, one in enumerate(spans) if (len(spans) - 1 - at) % every == every - 1
    )
    written, waiting = _written(sum(one.written for one in spans), most, unit), _waiting(sum(one.waiting for one in spans))
    return Plot(tuple(bars), ticks, written, waiting, f"{about}: {written}; {waiting}")


def _written(count: int, most: int, unit: str) -> str:
    if not count:
        return "nothing written"
    return counted(count, "change") + " written" + (f", at most {most:,} in one {unit}" if most < count else "")


def _waiting(count: int) -> str:
    if not count:
        return "nothing of it waits"
    return f"{counted(count, 'item')} began to wait and still {'does' if count == 1 else 'do'}"


def _tall(count: int, most: int, room: int) -> float:
    """At least so tall that it is seen."""
    return round(max(2.0, room * count / most), 2)


def hour_name(one: Span) -> str:
    """9 AM."""
    return f"{one.start.hour % 12 or 12} {one.start:%p}"


def day_name(one: Span) -> str:
    """11/3."""
    return f"{one.start.month}/{one.start.day}"
