"""The pool of the stand-in for PostgreSQL (tests/simulation/postgres.py)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any

import asyncpg

from tests.simulation.rows import Row

if TYPE_CHECKING:
    from tests.simulation.postgres import MemoryConnection


class MemoryPool:
    """What `asyncpg.Pool` is to the project: at most `max_size` connections, the rest waits its turn."""

    def __init__(self, connect: Callable[[Callable[[], None]], Awaitable[MemoryConnection]], max_size: int) -> None:
        self._opened = connect
        self._size = max_size
        self._room = asyncio.Semaphore(max_size)
        self._idle: list[MemoryConnection] = []
        self._made: list[MemoryConnection] = []
        self._closed = False

    def acquire(self) -> _Acquiring:
        """To be awaited (and given back with `release`), or used as `async with`."""
        return _Acquiring(self)

    async def take(self) -> MemoryConnection:
        self._refuse_closed()
        await self._room.acquire()
        try:
            self._refuse_closed()
            while self._idle:
                if not (connection := self._idle.pop()).is_closed():
                    return connection
            return await self._connect()
        except BaseException:
            self._room.release()
            raise

    async def _connect(self) -> MemoryConnection:
        connection = await self._opened(self._refuse_closed)
        self._made = [one for one in self._made if not one.is_closed()] + [connection]
        return connection

    async def release(self, connection: MemoryConnection) -> None:
        try:
            if not connection.is_closed():
                await connection.reset()
                self._idle.append(connection)
        finally:
            self._room.release()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise asyncpg.InterfaceError("pool is closed")

    async def fetch(self, query: str, *arguments: object) -> list[Row]:
        async with self.acquire() as connection:
            return await connection.fetch(query, *arguments)

    async def fetchrow(self, query: str, *arguments: object) -> Row | None:
        async with self.acquire() as connection:
            return await connection.fetchrow(query, *arguments)

    async def fetchval(self, query: str, *arguments: object) -> Any:
        async with self.acquire() as connection:
            return await connection.fetchval(query, *arguments)

    async def execute(self, query: str, *arguments: object) -> None:
        async with self.acquire() as connection:
            await connection.execute(query, *arguments)

    async def close(self) -> None:
        """Wait until all connections are back, then close them."""
        self._closed = True
        for _ in range(self._size):
            await self._room.acquire()
        self.terminate()
        for _ in range(self._size):
            self._room.release()

    def terminate(self) -> None:
        """Close at once, as when the process that owns the pool is killed: open transactions are rolled back."""
        self._closed = True
        for connection in self._made:
            connection.cut()


class _Acquiring:
    def __init__(self, pool: MemoryPool) -> None:
        self._pool = pool
        self._connection: MemoryConnection | None = None

    def __await__(self) -> Generator[Any, None, MemoryConnection]:
        return self._pool.take().__await__()

    async def __aenter__(self) -> MemoryConnection:
        self._connection = await self._pool.take()
        return self._connection

    async def __aexit__(self, *error: object) -> None:
        assert self._connection is not None
        await self._pool.release(self._connection)
