"""A stand-in for PostgreSQL on one asyncio loop, for the deterministic simulation; it quacks like asyncpg.

`MemoryDatabase.pool()` is what `events.store.Store` and `daemon.tables` use. Transactions are real: what is written is seen
by others when it is committed and gone when it is rolled back, rows and unique values that a transaction has written or
locked make other writers wait until it ends, constraints raise what PostgreSQL raises, the statement after an error is
refused. There is no real time, no thread and no chance in it: how long a journey takes, what time it is and what fails is
said by the three callables. tests/simulation/test_postgres*.py holds it against the real one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any

import asyncpg

from events.store import AWAY
from tests.simulation import answers, heads, lookers, matches, replays, schema  # noqa: F401 - they register their answers
from tests.simulation.postgres_pool import MemoryPool
from tests.simulation.rows import Row, Statement, Values, Written

COMMAND_SECONDS = 60.0
Listener = Callable[..., None]


class UnknownQuery(Exception):
    """The stand-in has no function for this text: add it to tests/simulation/answers.py."""


class _Work:
    """One transaction: what it has written, which locks it holds, what it will say when it is committed."""

    def __init__(self) -> None:
        self.written: Written = {}
        self.notifications: dict[tuple[str, str], None] = {}
        self.failed = False
        self.over = False
        self.waits_for: Hashable | None = None
        self.waiting: asyncio.Future[None] | None = None


class MemoryDatabase:
    """One database. `clock` says the time, `latency` how many (virtual) seconds a journey to the server or back takes.

    `fault` is called with the name of every step and may raise: "connect", "begin", the name of a query (that of its
    `-- name:`, or "copy_event"), "listen", "rollback", "commit" (nothing
    is committed yet) and "committed" (it is, but the client will not hear of it; also after a single statement that changed
    something). An error of `events.store.AWAY` cuts the connection, any other fails the transaction.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        latency: Callable[[], float] = lambda: 0.0,
        fault: Callable[[str], None] = lambda name: None,
    ) -> None:
        self.clock = clock
        self.latency = latency
        self.fault = fault
        self.up = True
        self.tables = schema.tables()
        self.connections: list[MemoryConnection] = []
        """Those that are open, in the order in which they were made."""
        self._held: dict[Hashable, _Work] = {}
        self._released: list[asyncio.Future[None]] = []

    def pool(self, *, max_size: int = 8) -> MemoryPool:
        return MemoryPool(self.connect, max_size)

    async def connect(self, refuse: Callable[[], None]) -> MemoryConnection:
        """A new connection; `refuse` raises where nobody wants one any more by then."""
        await asyncio.sleep(self.latency())
        if not self.up:
            raise ConnectionRefusedError("the server is away")
        self.fault("connect")
        refuse()
        connection = MemoryConnection(self)
        self.connections.append(connection)
        return connection

    def rows(self, table: str, practice: str | None = None) -> list[dict[str, Any]]:
        """What is committed, for a test to look at: of one practice, or of all."""
        everything = self.tables[table].rows
        chosen = everything if practice is None else {practice: everything.get(practice, {})}
        return [dict(row) for rows in chosen.values() for row in rows.values()]

    def stop(self) -> None:
        """The server goes away: all connections are cut, none can be made until `start`."""
        self.up = False
        for connection in list(self.connections):
            connection.cut()

    def start(self) -> None:
        self.up = True

    # -- one statement ----------------------------------------------------------------------------------------------------

    async def perform(self, work: _Work, function: Callable[[Statement], list[Values] | None]) -> list[Values]:
        """Run one statement within `work`; it waits for locks, and then looks again, as PostgreSQL does."""
        while True:
            at = Statement(self.tables, work.written, self.clock)
            error: asyncpg.PostgresError | None = None
            found: list[Values] | None = None
            try:
                found = function(at)
            except asyncpg.PostgresError as raised:
                error = raised
            if at.locks and await self._lock(work, at.locks):
                continue
            if error is not None:
                raise error
            work.written.update(at.changes)
            work.notifications.update(at.notifications)
            return found or []

    async def _lock(self, work: _Work, names: Iterable[Hashable]) -> bool:
        """Take the locks; True when one had to be waited for, so that what was seen may be old."""
        waited = False
        for name in names:
            while (holder := self._held.get(name)) is not None and holder is not work:
                self._refuse_deadlock(work, holder)
                waited = True
                work.waits_for, work.waiting = name, asyncio.get_running_loop().create_future()
                self._released.append(work.waiting)
                try:
                    async with asyncio.timeout(COMMAND_SECONDS):
                        await work.waiting
                finally:
                    work.waits_for = work.waiting = None
                if work.over:
                    raise _lost()
            self._held[name] = work
        return waited

    def _refuse_deadlock(self, work: _Work, holder: _Work | None) -> None:
        while holder is not None:
            if holder is work:
                raise asyncpg.DeadlockDetectedError("deadlock detected")
            holder = self._held.get(holder.waits_for) if holder.waits_for is not None else None

    def end(self, work: _Work, *, commit: bool) -> None:
        """Make what was written visible to all, or forget it; give the locks back, and let listeners hear of it."""
        work.over = True
        if commit:
            for (table, key), row in work.written.items():
                self.tables[table].write(key, row)
            for channel, payload in work.notifications:
                for connection in self.connections:
                    connection.hear(channel, payload)
        work.written, work.notifications = {}, {}
        for name in [name for name, holder in self._held.items() if holder is work] if self._held else ():
            del self._held[name]
        released, self._released = self._released, []
        for waiting in released:
            if not waiting.done():
                waiting.set_result(None)


class MemoryConnection:
    """What `asyncpg.Connection` is to the project."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._closed = False
        self._busy = False
        self._work: _Work | None = None
        self._single: _Work | None = None
        self._listeners: list[tuple[str, Listener]] = []

    def is_closed(self) -> bool:
        return self._closed

    def cut(self) -> None:
        """The connection is lost: its transaction is rolled back, whoever waits for an answer hears that, now or later."""
        if self._closed:
            return
        self._closed = True
        self._database.connections.remove(self)
        for work in (self._work, self._single):
            if work is not None:
                if work.waiting is not None and not work.waiting.done():
                    work.waiting.set_exception(_lost())
                self._database.end(work, commit=False)
        self._listeners = []

    async def close(self) -> None:
        self.cut()

    # -- queries ----------------------------------------------------------------------------------------------------------

    async def fetch(self, query: str, *arguments: object) -> list[Row]:
        name, function = _known(query)
        return [Row(row) for row in await self._run(name, lambda at: function(at, *arguments))]

    async def fetchrow(self, query: str, *arguments: object) -> Row | None:
        rows = await self.fetch(query, *arguments)
        return rows[0] if rows else None

    async def fetchval(self, query: str, *arguments: object) -> Any:
        row = await self.fetchrow(query, *arguments)
        return None if row is None else row[0]

    async def cursor(self, query: str, *arguments: object, prefetch: int = 50) -> AsyncIterator[Row]:
        """The rows one by one; all are fetched at once."""
        for row in await self.fetch(query, *arguments):
            yield row

    async def execute(self, query: str, *arguments: object) -> None:
        """Unlike asyncpg it does not say how many rows there were: nobody asks."""
        await self.fetch(query, *arguments)

    async def copy_records_to_table(
        self, table_name: str, *, records: Iterable[Sequence[object]], columns: Sequence[str], schema_name: str
    ) -> None:
        if schema_name != "chartwire":
            raise UnknownQuery(f"a copy to the schema {schema_name}")
        rows = [dict(zip(columns, record, strict=True)) for record in records]

        def copy(at: Statement) -> None:
            for row in rows:
                at.insert(table_name, **row)

        await self._run(f"copy_{table_name}", copy)

    async def _run(self, name: str, function: Callable[[Statement], list[Values] | None]) -> list[Values]:
        self._begin_operation()
        work = self._work or _Work()
        self._single = None if work is self._work else work
        try:
            await self._step(name)
            if work.failed:
                raise asyncpg.InFailedSQLTransactionError("current transaction is aborted")
            found = await self._database.perform(work, function)
            if self._single is not None:
                changed = bool(work.written)
                self._database.end(work, commit=True)
                if changed:
                    self._fail("committed")
            await self._journey()
            return found
        except BaseException:
            work.failed = True
            raise
        finally:
            if self._single is not None:
                self._database.end(self._single, commit=False)
                self._single = None
            self._busy = False

    async def _step(self, name: str) -> None:
        """A request on its way to the server, which may not be there."""
        await self._journey()
        self._fail(name)

    async def _journey(self) -> None:
        await asyncio.sleep(self._database.latency())
        if self._closed:
            raise _lost()

    def _fail(self, name: str) -> None:
        try:
            self._database.fault(name)
        except AWAY:
            self.cut()
            raise

    def _begin_operation(self) -> None:
        if self._closed:
            raise asyncpg.InterfaceError("connection is closed")
        if self._busy:
            raise asyncpg.InterfaceError("cannot perform operation: another operation is in progress")
        self._busy = True

    @contextmanager
    def _operation(self) -> Iterator[None]:
        self._begin_operation()
        try:
            yield
        finally:
            self._busy = False

    # -- transactions -----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def transaction(self, *, isolation: str = "read_committed", readonly: bool = False) -> AsyncIterator[None]:
        """Not to be nested: nobody does. Every transaction reads what is committed, whatever its `isolation`."""
        with self._operation():
            if self._work is not None:
                raise UnknownQuery("a transaction in a transaction")
            await self._step("begin")
            self._work = _Work()
        try:
            yield
        except BaseException:
            await self._end(commit=False)
            raise
        await self._end(commit=True)

    async def _end(self, *, commit: bool) -> None:
        work, self._work = self._work, None
        assert work is not None
        self._single = work  # a cut while it ends rolls it back
        try:
            with self._operation():
                if commit and not work.failed:
                    await self._step("commit")
                    self._database.end(work, commit=True)
                    self._fail("committed")
                else:
                    await self._step("rollback")
                    self._database.end(work, commit=False)
                await self._journey()
        finally:
            self._single = None
            self._database.end(work, commit=False)

    # -- notifications ----------------------------------------------------------------------------------------------------

    async def add_listener(self, channel: str, callback: Listener) -> None:
        with self._operation():
            await self._step("listen")
            self._listeners.append((channel, callback))

    async def remove_listener(self, channel: str, callback: Listener) -> None:
        if (channel, callback) in self._listeners:
            self._listeners.remove((channel, callback))

    def hear(self, channel: str, payload: str) -> None:
        for listener in self._listeners:
            if listener[0] == channel:
                asyncio.get_running_loop().call_soon(self._deliver, listener, payload)

    def _deliver(self, listener: tuple[str, Listener], payload: str) -> None:
        if listener in self._listeners:
            listener[1](self, 0, listener[0], payload)

    async def reset(self) -> None:
        """What a pool does with a connection that comes back."""
        self._listeners = []
        if self._work is not None:
            await self._end(commit=False)


def _known(query: str) -> tuple[str, Callable[..., list[Values] | None]]:
    try:
        return answers.ANSWERS[query]
    except KeyError:
        raise UnknownQuery(query) from None


def _lost() -> Exception:
    error: Exception = asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
    return error
