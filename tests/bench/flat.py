"""Cost per event in a large store against a small one, both there at once, so that their rounds can be interleaved."""

from __future__ import annotations

import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from daemon.demo.embedded import EmbeddedPostgres
from daemon.history.events_of import patient_events
from daemon.history.fold import replayed
from events.codec import Keyring
from events.store import Store
from tests.bench import material
from tests.bench.rounds import interleaved, repeated
from tests.bench.storage import batches
from tests.bench.table import Clock, Line, progress

BATCHES = 10
"""Batches that a round appends to each store: little beside what is in it."""
HISTORIES = 200
FOREVER = 1_000_000_000


class Grown:
    """A store of one practice that has grown, and grows on with the batches of each round."""

    def __init__(self, store: Store, dsn: str, patients: int) -> None:
        self._store = store
        self._dsn = dsn
        self._patients = patients
        self._owner = material.practice(0)
        self._batches = batches(material.events(self._owner, patients, FOREVER))
        self._epoch = 0
        self._count = 0

    async def grow(self, count: int) -> None:
        self._epoch = await self._store.take_over(self._owner)
        while self._count < count:
            await self._append()
        await material.analyze(self._dsn, "chartwire.event")

    async def _append(self) -> float:
        batch = next(self._batches)
        clock = Clock()
        async with self._store.writing(self._owner, self._epoch) as tx:
            await tx.append(batch)
        self._count += len(batch)
        return clock.lap() / len(batch)

    async def append(self) -> float:
        """Seconds an event: the median of some batches."""
        return statistics.median([await self._append() for _ in range(BATCHES)])

    async def history(self) -> float:
        """Seconds an event of one patient's history: the median of some patients."""
        times = []
        for number in range(1, min(self._patients, HISTORIES) + 1):
            clock = Clock()
            found = await patient_events(self._store, self._owner, billing=[number])
            times.append(clock.lap() / len(found))
        return statistics.median(times)

    async def rebuild(self) -> float:
        """Seconds an event of the whole practice."""
        clock = Clock()
        await replayed(self._store, self._owner)
        return clock.lap() / self._count


@asynccontextmanager
async def grown(server: EmbeddedPostgres, ring: Keyring, count: int, patients: int) -> AsyncIterator[Grown]:
    async with material.databases(server, [f"flat_{count}"]) as (dsn,):
        store = await material.opened(dsn, ring)
        try:
            progress(f"flat: up to {count} events")
            there = Grown(store, dsn, patients)
            await there.grow(count)
            yield there
        finally:
            await store.close()


async def flat(server: EmbeddedPostgres, folder: Path, small: int, large: int, patients: int, rounds: int) -> list[Line]:
    """Append, one history and the whole rebuild."""
    ring = material.keyring(folder / "keys", 1)
    async with grown(server, ring, small, patients) as few, grown(server, ring, large, patients) as many:

        async def work(number: int) -> list[Line]:
            await material.settle(server)
            sides = {
                "append": {"few": few.append, "many": many.append},
                "history": {"few": few.history, "many": many.history},
                "rebuild": {"few": few.rebuild, "many": many.rebuild},
            }
            lines = []
            for name, pair in sides.items():
                cost = await interleaved(number, pair)
                what = f"{name}: cost per event at {large} events against {small}"
                lines.append(
                    Line(subject="flat", what=what, rounds=(cost["many"] / cost["few"],), unit="x", aim=1.2, more=False)
                )
            return lines

        return await repeated("flat", rounds, work)
