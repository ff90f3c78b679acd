"""What a page costs by itself: processor time of the console and of PostgreSQL, which a busy machine does not change."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import asyncpg
import psutil

from tests.bench.table import Line

TIMES = 8
"""Requests of each page, after one that counts for nothing."""


class Asking(Protocol):
    """Who asks for a page of the big practice or of another one."""

    big: bool | None

    async def asks(self, page: str) -> float: ...


@dataclass(frozen=True)
class Spending:
    """The processes that pages are made by."""

    console: psutil.Process
    postgres: psutil.Process

    @classmethod
    async def of(cls, owner: str, console: int) -> Spending:
        """The server that `owner` connects to, and the console of this process."""
        connection = await asyncpg.connect(owner)
        try:
            server = psutil.Process(await connection.fetchval("SELECT pg_backend_pid()")).parent()
        finally:
            await connection.close()
        assert server is not None
        return cls(psutil.Process(console), server)

    def so_far(self) -> tuple[float, float]:
        """Milliseconds of the console, and of the server with its backends, also of those that ended."""
        mine, server = self.console.cpu_times(), self.postgres.cpu_times()
        spent = server.user + server.system + server.children_user + server.children_system
        for one in self.postgres.children():
            with suppress(psutil.NoSuchProcess):
                times = one.cpu_times()
                spent += times.user + times.system
        return (mine.user + mine.system) * 1000, spent * 1000


async def costs(person: Asking, pages: Sequence[str], spending: Spending) -> list[Line]:
    """Each page by itself, in the big practice and in the others."""
    found = []
    try:
        for person.big, where in ((True, "the big practice"), (False, "another practice")):
            for page in pages:
                await person.asks(page)
                console, postgres = spending.so_far()
                for _ in range(TIMES):
                    await person.asks(page)
                mine, theirs = (now - then for now, then in zip(spending.so_far(), (console, postgres), strict=True))
                found.append(Line(subject="alone", what=f"{page} of {where}: console", unit="ms", rounds=(mine / TIMES,)))
                found.append(
                    Line(subject="alone", what=f"{page} of {where}: PostgreSQL", unit="ms", rounds=(theirs / TIMES,))
                )
    finally:
        person.big = None
    return found
