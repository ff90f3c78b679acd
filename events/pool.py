"""The connections to PostgreSQL that the store works with, and what it looks like when it is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from events import queries
from events.connection import ConnectionPool, SingleConnection

SQL = queries.load("server")

AWAY = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.OperatorInterventionError,
)
"""What PostgreSQL being away looks like, and what else passes by itself: try again later.

By SQLSTATE: 08 (connection), 25006 (read-only, as after a failover), 40 (rolled back), 53 (connections, memory, disk), 55 (not in the
state for it, locks) and 57 (shut down, starting, cancelled by a time-out).
"""


class PoolerBetween(Exception):
    """A pooler such as pgbouncer stands between us and PostgreSQL. The message says what to do."""

    def __init__(self) -> None:
        super().__init__(
            "a pooler stands between; name PostgreSQL's own port: LISTEN and prepared statements need its sessions"
        )


async def demand_session(connection: Any) -> None:
    """Raises PoolerBetween when the server process is not the one of the greeting, which poolers make up, or knows statements already."""
    try:
        answering = await connection.fetchval(SQL["server_process"])
    except (asyncpg.DuplicatePreparedStatementError, asyncpg.InvalidSQLStatementNameError):
        raise PoolerBetween from None
    if answering != connection.get_server_pid():
        raise PoolerBetween


class _Pool(asyncpg.Pool):  # type: ignore[misc]
    """A cancellation stays one where the connection breaks in the same moment: asyncpg raises only the latter (one of `AWAY`) then,
    and whoever waits for PostgreSQL to come back would go on for ever instead of ending. `waiting` is how many tasks wait for one."""

    waiting = 0

    @asynccontextmanager
    async def acquire(self, *, timeout: float | None = None) -> AsyncIterator[SingleConnection]:
        task = asyncio.current_task()
        assert task is not None
        before = task.cancelling()
        self.waiting += 1
        got = False
        try:
            async with super().acquire(timeout=timeout) as connection:
                self.waiting -= 1
                got = True
                yield connection
        except AWAY as error:
            if task.cancelling() > before:
                raise asyncio.CancelledError from error
            raise
        finally:
            self.waiting -= not got


async def open_pool(dsn: str, *, min_size: int, max_size: int) -> ConnectionPool:
    """Connect. Raises OSError or asyncpg.PostgresError when that fails, and PoolerBetween."""
    pool: ConnectionPool = await _Pool(
        dsn,
        min_size=min_size,
        max_size=max_size,
        max_queries=50_000,
        max_inactive_connection_lifetime=300.0,
        loop=None,
        connection_class=asyncpg.Connection,
        record_class=asyncpg.Record,
        command_timeout=60,
        server_settings={"timezone": "UTC"},
        init=demand_session,
        reset=_keep_session,
    )
    return pool


async def _keep_session(_connection: Any) -> None:
    """A connection goes back to the pool without a round trip: nobody here sets session variables or session locks, asyncpg
    itself has rolled back what was open, and whoever listened has stopped."""
