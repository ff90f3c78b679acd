"""How far practices are on their first day, and what going live would do: worked out beside the requests, one practice at a time.

A page waits for it a moment, then shows what was known before. It holds no patient's record but the pairs that somebody decides about and
the first of the writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from daemon.config import PracticeConfig, policy_of
from daemon.operator.onboarding import Onboarding, progress
from daemon.runtime.go_live import first_reads
from events.ids import PracticeId
from events.store import Store
from projections.trial.dry_run import Planned, PlannedKind

log = structlog.get_logger()

PATIENCE_SECONDS = 2.0
"""How long a page waits for a newer one."""

REST = 3.0
"""After one that took a second nothing is worked out anew for so many."""

MOST_WRITES = 2000
"""Writes that are kept to be shown, of however many there would be."""


@dataclass(frozen=True)
class Rehearsed:
    """As of event `at`: how far the practice is and, while it is observed, what going live would write. `writes` are the first of `total`."""

    at: int
    told: Onboarding
    counts: Mapping[PlannedKind, int]
    writes: tuple[Planned, ...] = ()
    total: int = 0

    @property
    def moves(self) -> bool:
        """Whether it goes on without an event: a pass comes to its end, a patient is looked at and nothing follows."""
        return bool(self.told.unread) or self.told.state == "going-live"


class Rehearsals:
    """The last of each practice. `group` runs what is worked out."""

    def __init__(self, store: Store, group: asyncio.TaskGroup) -> None:
        self._store = store
        self._group = group
        self._kept: dict[PracticeId, Rehearsed] = {}
        self._running: dict[PracticeId, asyncio.Task[None]] = {}
        self._rested: dict[PracticeId, float] = {}
        self._one = asyncio.Lock()

    async def of(self, practice: PracticeConfig) -> Rehearsed | None:
        """As of the last event, if that is known in a moment; else the one before, or None while the first is worked out."""
        id_ = PracticeId(practice.id)
        kept = self._kept.get(id_)
        if kept is not None and not kept.moves and kept.at == await self._store.head(id_):
            return kept
        if id_ not in self._running and asyncio.get_running_loop().time() >= self._rested.get(id_, 0.0):
            self._running[id_] = self._group.create_task(self._work_out(practice))
        if id_ in self._running:
            await asyncio.wait([self._running[id_]], timeout=PATIENCE_SECONDS)
        return self._kept.get(id_)

    def stop(self) -> None:
        """Give up what is being worked out."""
        for one in self._running.values():
            one.cancel()

    async def _work_out(self, practice: PracticeConfig) -> None:
        id_, loop = PracticeId(practice.id), asyncio.get_running_loop()
        try:
            async with self._one:
                began = loop.time()
                at = await self._store.head(id_)
                told, run = await progress(self._store, policy_of(practice), datetime.now(UTC), first_reads(practice))
                writes = [] if run is None else run.writes
                counts = {} if run is None else run.counts()
                self._kept[id_] = Rehearsed(at, told, counts, tuple(writes[:MOST_WRITES]), len(writes))
                self._rested[id_] = loop.time() + REST * (loop.time() - began)
        except Exception as error:  # noqa: BLE001 - whatever it is, its text may quote a record; the page says that nothing is known
            log.error("rehearsal_failed", practice=id_, error_type=type(error).__name__)
        finally:
            del self._running[id_]
