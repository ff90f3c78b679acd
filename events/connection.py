"""What is used of PostgreSQL's client, and reading page after page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

Row = Mapping[str, Any]
Batches = AsyncGenerator[Sequence[Row], None]
"""Stored events, sealed, in batches."""


ReadRows = Callable[[int, int, int], Coroutine[Any, Any, Sequence[Row]]]
"""The rows after a sequence, up to another, and how many at most."""


class Connection(Protocol):
    """As much of asyncpg's connections and pools as is used here."""

    async def fetch(self, query: str, *args: object) -> Sequence[Any]: ...

    async def fetchrow(self, query: str, *args: object) -> Any: ...

    async def fetchval(self, query: str, *args: object) -> Any: ...

    async def execute(self, query: str, *args: object) -> str: ...

    async def copy_records_to_table(
        self, table_name: str, *, records: Iterable[Sequence[object]], columns: Sequence[str], schema_name: str
    ) -> str: ...


class SingleConnection(Connection, Protocol):
    """One of them, to which transactions and what is listened to belong."""

    def transaction(
        self, *, isolation: str | None = None, readonly: bool = False
    ) -> AbstractAsyncContextManager[object]: ...

    async def add_listener(self, channel: str, callback: Callable[..., None]) -> None: ...

    async def remove_listener(self, channel: str, callback: Callable[..., None]) -> None: ...


class ConnectionPool(Connection, Protocol):
    """All of a process; `waiting` are the tasks that wait for one."""

    @property
    def waiting(self) -> int: ...

    def acquire(self, *, timeout: float | None = None) -> AbstractAsyncContextManager[SingleConnection]: ...

    async def close(self) -> None: ...

    def terminate(self) -> None:
        """Close at once, whatever is under way."""

    def get_size(self) -> int: ...

    def get_idle_size(self) -> int: ...

    def get_max_size(self) -> int: ...


async def pages(page: ReadRows, after: int, up_to: int, batch: int) -> Batches:
    """Page after page; the database prepares the next one while one is worked on."""
    coming = asyncio.ensure_future(page(after, up_to, batch)) if after < up_to else None
    try:
        while coming is not None and (rows := await coming):
            after = rows[-1]["sequence"]
            more = len(rows) == batch and after < up_to
            coming = asyncio.ensure_future(page(after, up_to, batch)) if more else None
            await asyncio.sleep(0)  # the question goes out
            yield rows
    finally:
        if coming is not None:
            await asyncio.gather(coming, return_exceptions=True)
