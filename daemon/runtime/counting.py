"""What a recording adds to the meter: what was seen and decided, and how long its parts took."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TypeVar

from daemon.telemetry import Meter
from events.schema import ConflictRecorded, IntentRefused, Origin
from projections.deciding.batch import Batch

T = TypeVar("T")


class Stopwatch:
    """The seconds of each part of one recording; a part that is measured several times is their sum."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        began = perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += perf_counter() - began

    def timed(self, name: str, work: Callable[[], T]) -> T:
        """Do `work` as a part."""
        with self.part(name):
            return work()

    def tell(self, meter: Meter) -> None:
        for part, seconds in self.seconds.items():
            meter.took(part, seconds)


def count_batch(meter: Meter, batch: Batch, repeated: int) -> None:
    """Count what was recorded; `repeated` events had been recorded before."""
    meter.count("changes_repeated", repeated)
    meter.count("echoes_suppressed", batch.echoes)
    for event in batch.events:
        if event.origin in (Origin.EHR, Origin.BILLING):
            meter.count("changes_seen")
        elif isinstance(event.body, ConflictRecorded):
            meter.count("conflicts", len(event.body.conflicts))
        elif isinstance(event.body, IntentRefused):
            meter.count("refusals")
    meter.count("events_recorded", len(batch.events))
