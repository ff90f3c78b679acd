"""How a worker is: `/health/live` for the watchdog, `/health/ready` for proxies and people, with reasons.

Neither says whose: no practice's name, no patient's data, so neither asks who wants to know.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Protocol

import asyncpg
from aiohttp import web

from daemon.tables.queries import SQL
from events.bus import Bus
from events.ids import PracticeId
from events.store import AWAY, Store

PATIENCE = 3.0
"""Seconds that PostgreSQL and Kafka have to answer."""

FRESH = 2.0
"""Seconds that an answer is given again: whoever asks, and however often, the servers are asked this seldom."""


class Working(Protocol):
    """A worker, as far as its health is asked."""

    @property
    def healthy(self) -> bool:
        """Whether its loops turn."""

    @property
    def owned(self) -> Collection[PracticeId]:
        """Practices of its partitions."""

    @property
    def standing(self) -> Mapping[PracticeId, str]:
        """Owned practices that are not at work, each with the reason (the name of an error)."""

    @property
    def joined(self) -> bool:
        """Whether Kafka has given it its share (which may be none)."""


class HealthEndpoint:
    """`GET /health/live`, `GET /health/ready` and its older name `GET /health`."""

    def __init__(self, worker: Working, store: Store, bus: Bus) -> None:
        self._worker = worker
        self._store = store
        self._bus = bus
        self._asking = asyncio.Lock()
        self._said: tuple[float, list[str]] | None = None

    def routes(self, app: web.Application) -> None:
        app.router.add_get("/health/live", self.live)
        for path in ("/health/ready", "/health"):
            app.router.add_get(path, self.ready)

    async def live(self, _request: web.Request) -> web.Response:
        """200 while the loops turn: what the watchdog asks, too. Nothing outside the process counts."""
        alive = self._worker.healthy
        return web.json_response({"live": alive}, status=200 if alive else 503)

    async def ready(self, _request: web.Request) -> web.Response:
        """200 while this worker can take a webhook: it has PostgreSQL, Kafka and its share, and some practice of it is at work.

        Practices that stand still are told as well. Alone they are no reason for 503, as long as any other is at work.
        """
        owned, standing = set(self._worker.owned), self._worker.standing
        taken = len(owned - set(standing))
        reasons = [] if self._worker.healthy else ["the worker's loops stand still"]
        if not self._worker.joined:
            reasons.append("Kafka has not given the worker its practices yet")
        reasons += await self._servers()
        if owned and not taken:
            reasons.append("no practice of this worker is at work")
        causes = Counter(standing[one] for one in owned & set(standing))
        told = [f"{count} of {len(owned)} practices not at work: {cause}" for cause, count in sorted(causes.items())]
        answer = {"ready": not reasons, "practices": taken, "owned": len(owned), "reasons": reasons + told}
        return web.json_response(answer, status=503 if reasons else 200)

    async def _servers(self) -> list[str]:
        """What is wrong with PostgreSQL and Kafka."""
        loop = asyncio.get_running_loop()
        async with self._asking:
            if self._said is None or self._said[0] + FRESH < loop.time():
                both = await asyncio.gather(
                    _problem("PostgreSQL", lambda: self._store.pool.fetchval(SQL["server_answers"])),
                    _problem("Kafka", self._bus.reach),
                )
                self._said = loop.time(), [one for one in both if one]
            return self._said[1]


async def _problem(server: str, ask: Callable[[], Awaitable[object]]) -> str:
    try:
        async with asyncio.timeout(PATIENCE):
            await ask()
    except TimeoutError:
        return f"{server} does not answer within {PATIENCE:.0f} s"
    except AWAY as error:
        return f"{server} cannot be reached ({type(error).__name__})"
    except asyncpg.PostgresError as error:
        return f"{server} refuses the worker ({type(error).__name__})"
    return ""
