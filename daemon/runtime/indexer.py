"""Keeping the history of a worker's practices searchable: a side task, so that nothing that is recorded waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Protocol

import structlog

from daemon.history.searchable import catch_up
from daemon.runtime.surroundings import Surroundings
from events.codec import KeyMissing, UnreadableEvent
from events.ids import PracticeId
from events.store import AWAY

log = structlog.get_logger()

LOOK_SECONDS = 5.0


class Owning(Protocol):
    """A worker, as far as it has practices."""

    @property
    def owned(self) -> Collection[PracticeId]: ...


class Indexer:
    """Looks again and again what was recorded in the practices that the worker owns."""

    def __init__(self, worker: Owning, around: Surroundings) -> None:
        self._worker = worker
        self._around = around

    async def run(self) -> None:
        """Until cancelled; a practice that cannot be read keeps no other from being searchable."""
        while True:
            for practice in sorted(self._worker.owned):
                try:
                    await catch_up(self._around.store, practice)
                except (*AWAY, KeyMissing, UnreadableEvent) as error:
                    log.warning("history_not_indexed", practice=practice, error_type=type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)
