"""What a worker does beside its practices where the configuration asks for it; a fault of one ends neither the worker nor the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from daemon.runtime.indexer import Indexer
from daemon.runtime.metrics import MetricsEndpoint, Scrapable
from daemon.runtime.notifier import Notifier, Telling
from daemon.runtime.surroundings import Surroundings


class SelfTelling(Scrapable, Telling, Protocol):
    """A worker, as far as its side tasks ask."""


def side_tasks(worker: SelfTelling, around: Surroundings) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
    """Each with its name for the log."""
    config = around.config
    tasks: list[tuple[str, Callable[[], Awaitable[None]]]] = []
    if config.metrics.listen:
        endpoint = MetricsEndpoint(worker, around.store.pool, around.meter, config.metrics)
        tasks.append(("metrics", lambda: endpoint.run(around.now)))
    if config.notify.smtp or config.notify.webhook:
        tasks.append(("notices", Notifier(worker, around).run))
    if config.console is not None:
        tasks.append(("history", Indexer(worker, around).run))
    return tasks
