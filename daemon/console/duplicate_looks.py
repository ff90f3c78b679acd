"""Looks for duplicates, worked out beside the requests: the first look at a practice goes through all its charts, a later one through the changed.

A page waits for a look a moment, then says that it goes on. What was found is remembered by ids alone, until the process ends.
"""

from __future__ import annotations

import asyncio

import structlog

from daemon.operator.duplicates import Duplicates, Looks, find_duplicates
from events.ids import PracticeId
from events.store import Store
from projections.terms.policy import Policy

log = structlog.get_logger()

PATIENCE_SECONDS = 0.1
"""How long a page waits for a look."""

MOST = 100
"""Pairs that a page shows."""


class DuplicateLooks:
    """One look at a time for each practice, whoever asks meanwhile. `group` runs them."""

    def __init__(self, store: Store, group: asyncio.TaskGroup, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._store = store
        self._group = group
        self._patience = patience_seconds
        self._looks = Looks()
        self._running: dict[PracticeId, asyncio.Task[Duplicates | Exception]] = {}

    async def of(self, policy: Policy) -> Duplicates | None:
        """The likeliest duplicates of a practice now; None while they are still looked for. Raises what a look raises."""
        task = self._running.get(policy.practice)
        if task is None:
            task = self._running[policy.practice] = self._group.create_task(self._look(policy))
        await asyncio.wait([task], timeout=self._patience)
        if not task.done() or task.cancelled():
            return None
        if isinstance(found := task.result(), Exception):
            raise found
        return found

    def stop(self) -> None:
        """Give up what is being looked for."""
        for one in self._running.values():
            one.cancel()

    async def _look(self, policy: Policy) -> Duplicates | Exception:
        """What was found, or what was raised: whoever waits raises it."""
        try:
            return await find_duplicates(self._store, policy, keep=False, looks=self._looks, most=MOST)
        except Exception as error:  # noqa: BLE001 - whatever it is, its text may quote a record; who waits raises it
            log.error("duplicates_not_found", practice=policy.practice, error_type=type(error).__name__)
            return error
        finally:
            del self._running[policy.practice]
