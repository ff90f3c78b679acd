"""A TCP proxy that fails on purpose: what networks do to PostgreSQL and Kafka."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from daemon.demo.embedded import free_port

Kind = Literal["cut_before", "cut_after", "half", "delay"]
"""What the next request meets. `cut_before`: the connection breaks and the server sees nothing of it. `cut_after`: the server
gets it, its answer is lost with the connection. `half`: half of the answer arrives, then it breaks. `delay`: it comes late."""

KINDS: tuple[Kind, ...] = ("cut_before", "cut_after", "half", "delay")
CHUNK = 65536


class Proxy:
    """Listens on `port` for `target`, another loopback port. With `refusing` nobody gets through. What stands in `instead` is replaced
    in answers, by what is as long."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = free_port()
        self.refusing = False
        self.instead: dict[bytes, bytes] = {}
        self.met: list[Kind] = []
        self._planned: deque[tuple[Kind, float] | None] = deque()
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut_all()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def plan(self, kind: Kind, seconds: float = 0.2, skip: int = 0) -> None:
        """The next request on any connection meets this, or one after `skip` others; `seconds` is for delays."""
        self._planned += [None] * skip
        self._planned.append((kind, seconds))

    def clear(self) -> None:
        self._planned.clear()

    def cut_all(self) -> None:
        """Every connection breaks now."""
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            there_reader, there = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, there}
        line = _Line()
        pumps = [
            asyncio.ensure_future(self._requests(reader, there, line)),
            asyncio.ensure_future(self._answers(there_reader, writer, line)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in pumps:
                one.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for end in (writer, there):
                end.transport.abort()
                self._open.discard(end)
            self._tasks.discard(task)

    async def _requests(self, reader: asyncio.StreamReader, there: asyncio.StreamWriter, line: _Line) -> None:
        while chunk := await reader.read(CHUNK):
            if self._planned and (planned := self._planned.popleft()) is not None:
                kind, seconds = planned
                self.met.append(kind)
                if kind == "cut_before":
                    return
                if kind == "delay":
                    await asyncio.sleep(seconds)
                else:
                    line.keeps = 0.0 if kind == "cut_after" else 0.5
            there.write(chunk)
            await there.drain()

    async def _answers(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter, line: _Line) -> None:
        while chunk := await there.read(CHUNK):
            for said, other in self.instead.items():
                chunk = chunk.replace(said, other)
            if line.keeps is not None:
                writer.write(chunk[: int(len(chunk) * line.keeps)])
                with contextlib.suppress(OSError):
                    await writer.drain()
                return
            writer.write(chunk)
            await writer.drain()


class _Line:
    """What of the next answer gets through before the connection breaks: None for all, and no break."""

    keeps: float | None = None


@asynccontextmanager
async def proxy(target: int) -> AsyncIterator[Proxy]:
    one = Proxy(target)
    await one.start()
    try:
        yield one
    finally:
        await one.stop()
