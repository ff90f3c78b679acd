"""Taking connections: how many at once, how long each may take, and what of the machine's files is left for the rest.

Whoever connects has no credentials yet. So a connection that sends nothing, or half a request, is closed after a while, and when
there is no room the one that has waited longest without a request makes way. What is not HTTP is answered in our own words.
"""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import web

log = structlog.get_logger()

HEAD_SECONDS = 10.0
"""From connecting, or from the last answer, to the end of a request's head."""

BODY_SECONDS = 20.0
"""From the end of the head to the end of the body."""

LINGER_SECONDS = 1.0
BACKLOG = 32

RESERVED = 96
"""Files for all that is neither a connection taken nor a call made: logs, libraries, Kafka's, and accepting itself."""

MOST_INCOMING = 128
MOST_OUTGOING = 200
LEAST = 32


@dataclass(frozen=True)
class Budget:
    """How many connections may be open at once: those taken, and those of calls to vendors."""

    incoming: int
    outgoing: int

    @classmethod
    def of(cls, files: int, pool: int) -> Budget:
        """Of so many files that the process may open, `pool` of them for PostgreSQL; calls come first."""
        left = max(files - RESERVED - pool, LEAST)
        outgoing = min(MOST_OUTGOING, left * 2 // 3)
        return cls(incoming=min(MOST_INCOMING, left - outgoing), outgoing=outgoing)

    @classmethod
    def of_process(cls, pool: int) -> Budget:
        """As `of`, after the process's own limit was raised as far as it may."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != hard:
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
                soft = hard
            except (OSError, ValueError):  # not everywhere may the soft limit become as high as the hard one
                log.info("file_limit_kept", count=soft)
        return cls.of(soft if soft != resource.RLIM_INFINITY else 2**20, pool)


class HttpConnection(web.RequestHandler):
    """One connection: closed when no complete head of a request comes in time."""

    def __init__(self, site: Site, manager: web.Server, **more: Any) -> None:
        super().__init__(manager, **more)
        self._site = site
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.rest()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.begin()
        self._site.closed(self)
        super().connection_lost(exc)

    def rest(self) -> None:
        """No request is under way: the next one's head has to come in time."""
        if self.transport is not None:
            self._waiting = asyncio.get_running_loop().call_later(self._site.head_seconds, self.force_close)
            self._site.waits(self)

    def begin(self) -> None:
        """The head of a request has come."""
        if self._waiting is not None:
            self._waiting.cancel()
        self._waiting = None
        self._site.works(self)

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """What aiohttp would say quotes the request or a library; it is logged by its type alone."""
        log.warning("request_unusable", status=status, error_type=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError
        answer = web.Response(status=status, text=WORDS.get(status, WORDS[500]), headers={"Server": "chartwire"})
        answer.force_close()
        return answer


WORDS = {400: "not a valid HTTP request\n", 500: "something is wrong here; try again later\n"}


class NotListening(OSError):
    """An address that cannot be listened at is its `filename`: no server that is away, though asyncio raises the same for both."""

    def __init__(self, address: str, error: OSError) -> None:
        super().__init__(error.errno, os.strerror(error.errno) if error.errno else type(error).__name__, address)


class Site(web.BaseSite):
    """A listening socket with a cap on its connections; add `timed` to the application's middlewares."""

    def __init__(
        self, runner: web.AppRunner, host: str, port: int, *, most: int = MOST_INCOMING, head_seconds: float = HEAD_SECONDS
    ) -> None:
        super().__init__(runner, backlog=BACKLOG)
        self._where = host, port
        self._most = most
        self.head_seconds = head_seconds
        self._idle: dict[HttpConnection, None] = {}
        """In the order in which they began to wait."""
        self._busy: set[HttpConnection] = set()

    @property
    def name(self) -> str:
        return f"http://{self._where[0]}:{self._where[1]}"

    async def start(self) -> None:
        await super().start()
        host, port = self._where
        try:
            self._server = await asyncio.get_running_loop().create_server(self._connection, host, port, backlog=BACKLOG)
        except OSError as error:
            raise NotListening(f"{host}:{port}", error) from None

    def _connection(self) -> HttpConnection:
        manager = self._runner.server
        assert manager is not None
        loop = asyncio.get_running_loop()
        return HttpConnection(self, manager, loop=loop, access_log=None, lingering_time=LINGER_SECONDS)

    def waits(self, connection: HttpConnection) -> None:
        """`connection` has no request under way. Where there are too many, the one that has waited longest is closed."""
        self._busy.discard(connection)
        self._idle[connection] = None
        if len(self._idle) + len(self._busy) > self._most:
            oldest = next(iter(self._idle))
            log.warning("connection_made_way", count=self._most)
            self.closed(oldest)
            oldest.force_close()

    def works(self, connection: HttpConnection) -> None:
        """`connection` has a request under way."""
        self._idle.pop(connection, None)
        self._busy.add(connection)

    def closed(self, connection: HttpConnection) -> None:
        self._idle.pop(connection, None)
        self._busy.discard(connection)


@web.middleware
async def timed(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    """Note that a request is under way on its connection; the handler bounds the time for its body (`body_of`)."""
    connection = request.protocol
    if not isinstance(connection, HttpConnection):
        return await handler(request)
    connection.begin()
    try:
        return await handler(request)
    finally:
        connection.rest()


async def body_of(request: web.Request, seconds: float = BODY_SECONDS) -> bytes:
    """The whole body. Raises TimeoutError when it does not come in time, HTTPRequestEntityTooLarge."""
    async with asyncio.timeout(seconds):
        return await request.read()
