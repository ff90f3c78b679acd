"""News of a practice for pages that are open: a stream says how far its events have come. It holds numbers only, and ends with its session.

One look for all streams of a process, a few seconds apart, asks PostgreSQL for the heads and for the sessions that still hold. Streams are
bounded in number; a page without one works as well.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import structlog

from daemon.tables.accounts import digest
from daemon.tables.queries import CONSOLE
from events.ids import PracticeId
from events.store import AWAY

log = structlog.get_logger()

LOOK_SECONDS = 2.0
BEAT_SECONDS = 15.0
"""After which a stream without news says so: whoever has gone is noticed by it."""

MOST_STREAMS, MOST_OF_SESSION = 256, 6


class NoRoom(Exception):
    """There are too many streams already, of the process or of the session."""


@dataclass(eq=False)
class Stream:
    """One open page: `head` is the newest that is known, `ended` that its session is over or the process stops."""

    practice: PracticeId
    session: bytes
    beat_seconds: float = BEAT_SECONDS
    head: int | None = None
    ended: bool = False
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, head: int) -> None:
        if head != self.head:
            self.head = head
            self._woken.set()

    def end(self) -> None:
        self.ended = True
        self._woken.set()

    async def texts(self) -> AsyncIterator[bytes]:
        """What is sent, until the stream ends. Heads that come while nobody reads are one."""
        while not self.ended:
            try:
                async with asyncio.timeout(self.beat_seconds):
                    await self._woken.wait()
            except TimeoutError:
                yield b": \n\n"
                continue
            self._woken.clear()
            if self.head is not None and not self.ended:
                yield f"event: head\ndata: {self.head}\n\n".encode()
        yield b"event: ended\ndata: \n\n"


class News:
    """The streams of a process. `run` looks for all of them."""

    def __init__(self, pool: Any, idle_seconds: float) -> None:
        self._pool = pool
        self._idle_seconds = idle_seconds
        self._streams: set[Stream] = set()
        self._any = asyncio.Event()
        self.look_seconds = LOOK_SECONDS
        self.most = MOST_STREAMS

    def join(self, practice: PracticeId, session: str) -> Stream:
        """A stream for a page of this session. Raises NoRoom."""
        key = digest(session)
        if len(self._streams) >= self.most or Counter(one.session for one in self._streams)[key] >= MOST_OF_SESSION:
            raise NoRoom
        stream = Stream(practice, key)
        self._streams.add(stream)
        self._any.set()
        return stream

    def leave(self, stream: Stream) -> None:
        self._streams.discard(stream)
        if not self._streams:
            self._any.clear()

    def end(self) -> None:
        """All streams end: the process stops."""
        for one in self._streams:
            one.end()

    async def run(self) -> None:
        """Look again and again, as long as there are streams."""
        while True:
            await self._any.wait()
            try:
                await self.look()
            except AWAY as error:
                log.warning("news_without_database", error_type=type(error).__name__)
            await asyncio.sleep(self.look_seconds)

    async def look(self) -> None:
        """Tell each stream how far its practice has come; end those whose session holds no more."""
        streams = list(self._streams)
        keys = list({one.session for one in streams})
        rows = await self._pool.fetch(CONSOLE["sessions_that_hold"], keys, self._idle_seconds)
        hold = {row["id_hash"] for row in rows}
        heads = await self._pool.fetch(CONSOLE["heads_of"], list({one.practice for one in streams}))
        known = {row["practice"]: row["sequence"] for row in heads}
        for one in streams:
            if one.session not in hold:
                one.end()
            else:
                one.tell(known.get(one.practice, 0))
