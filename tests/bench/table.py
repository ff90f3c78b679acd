"""Lines of a benchmark: what was measured, what it is measured against, and whether the aim is met."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Line:
    """`value` against `aim`: at least it when `more`, else at most; without an aim it is information."""

    subject: str
    what: str
    value: float
    unit: str
    aim: float | None = None
    more: bool = True

    @property
    def met(self) -> bool | None:
        if self.aim is None:
            return None
        return self.value >= self.aim if self.more else self.value <= self.aim

    def __str__(self) -> str:
        aim = "" if self.aim is None else f"{'>=' if self.more else '<='} {self.aim:g}"
        verdict = {None: "", True: "met", False: "MISSED"}[self.met]
        return f"{self.subject:10} {self.what:76} {self.value:12,.3g} {self.unit:9} {aim:10} {verdict}"


def show(lines: list[Line]) -> str:
    return "\n".join(map(str, lines))


def write(lines: list[Line], file: Path) -> None:
    file.write_text(json.dumps([asdict(line) | {"met": line.met} for line in lines], indent=1))


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


def quantile(values: list[float], point: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(point * len(ordered)))]
