"""What goes wrong at the stand-in for PostgreSQL: errors, lost connections, a server that stops, a killed process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import asyncpg
import pytest

from daemon.tables import documents as tables
from events.codec import Keyring
from events.store import AWAY, Store
from tests.conftest import PRACTICE
from tests.integration.test_store import append, observed
from tests.simulation.answers import SQL
from tests.simulation.conftest import KEYS
from tests.simulation.postgres import MemoryDatabase


def failing(database: MemoryDatabase, name: str, error: Exception) -> None:
    """The next step of this name fails, once."""

    def fault(step: str) -> None:
        if step == name:
            database.fault = lambda step: None
            raise error

    database.fault = fault


STEPS = ("begin", "lock_head", "stamp", "copy_event", "advance_head", "commit")


@pytest.mark.parametrize("step", STEPS)
async def test_away_before_the_commit_nothing_has_happened(step: str, database: MemoryDatabase, memory: Store) -> None:
    epoch = await memory.take_over(PRACTICE)
    failing(database, step, ConnectionResetError())
    with pytest.raises(AWAY):
        await append(memory, epoch, observed(1))
    assert database.rows("event") == []
    assert await append(memory, epoch, observed(2)) == [1]


async def test_away_after_the_commit_all_has_happened(database: MemoryDatabase, memory: Store) -> None:
    epoch = await memory.take_over(PRACTICE)
    failing(database, "committed", ConnectionResetError())
    with pytest.raises(AWAY):
        await append(memory, epoch, observed(1))
    assert await memory.head(PRACTICE) == 1
    assert await append(memory, epoch, observed(1)) == []
    failing(database, "committed", ConnectionResetError())
    with pytest.raises(AWAY):
        await memory.take_over(PRACTICE)
    assert await memory.take_over(PRACTICE) == epoch + 2


async def test_another_error_fails_the_transaction_and_keeps_the_connection(database: MemoryDatabase, memory: Store) -> None:
    epoch = await memory.take_over(PRACTICE)
    connections = list(database.connections)
    failing(database, "copy_event", asyncpg.CheckViolationError("a row that must not be"))
    with pytest.raises(asyncpg.CheckViolationError):
        await append(memory, epoch, observed(1))
    assert database.connections == connections
    assert await append(memory, epoch, observed(1)) == [1]


async def losses(store: Store, cut: Callable[[Any], Awaitable[None]]) -> list[object]:
    """What one hears of a connection that is lost between two statements, by what one does next."""
    said: list[object] = []

    async def lose(then: Callable[[Any], Awaitable[object]]) -> None:
        try:
            async with store.pool.acquire() as db, db.transaction():
                await tables.save_charts(db, PRACTICE, {1: KEYS[0]})
                await cut(db)
                await then(db)
            said.append("committed")
        except (asyncio.CancelledError, Exception) as error:  # noqa: BLE001 - compared
            said.append(type(error))
        said.append(await tables.resolve_charts(store.pool, PRACTICE, [1]))

    async def commit(db: Any) -> None:
        pass

    async def fail(db: Any) -> None:
        raise ZeroDivisionError

    async def be_cancelled(db: Any) -> None:
        raise asyncio.CancelledError

    for then in (lambda db: tables.links(db, PRACTICE), commit, fail, be_cancelled):
        await lose(then)
    return said


async def test_a_lost_connection_is_heard_of_alike(real: Store, memory: Store) -> None:
    async def terminate(db: Any) -> None:
        pid = db.get_server_pid()
        await real.pool.execute("SELECT pg_terminate_backend($1)", pid)
        while not db.is_closed():
            await asyncio.sleep(0.01)

    async def cut(db: Any) -> None:
        db.cut()

    expected = await losses(real, terminate)
    assert await losses(memory, cut) == expected
    assert expected[1::2] == [{}] * 4


async def lose_while_holding(memory: Store, epoch: int) -> None:
    with pytest.raises(asyncpg.InterfaceError):  # noqa: PT012
        async with memory.writing(PRACTICE, epoch) as tx:
            await tx.append([observed(1)])
            for _ in range(40):
                await asyncio.sleep(0)
            tx.connection.cut()


async def test_a_cut_connection_rolls_back_and_frees_what_it_held(database: MemoryDatabase, memory: Store) -> None:
    epoch = await memory.take_over(PRACTICE)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        holder = group.create_task(lose_while_holding(memory, epoch))
        for _ in range(10):
            await asyncio.sleep(0)
        waiter = group.create_task(append(memory, epoch, observed(2)))
        await holder
    assert waiter.result() == [1]
    assert [row["event_id"] for row in database.rows("event")] == [observed(2).id]


async def test_a_server_that_stops_is_away_until_it_starts(database: MemoryDatabase, memory: Store) -> None:
    epoch = await memory.take_over(PRACTICE)
    stopped = asyncio.Event()

    async def hold() -> None:
        async with memory.writing(PRACTICE, epoch) as tx:
            await tx.append([observed(1)])
            await stopped.wait()

    holder, waiter = asyncio.create_task(hold()), asyncio.create_task(append(memory, epoch, observed(2)))
    for _ in range(20):
        await asyncio.sleep(0)
    database.stop()
    stopped.set()
    for task in (holder, waiter):
        with pytest.raises(AWAY):
            await task
    with pytest.raises(ConnectionRefusedError):
        await memory.head(PRACTICE)
    database.start()
    assert await append(memory, epoch, observed(3)) == [1]


async def test_a_killed_process_leaves_nothing_open(database: MemoryDatabase, memory: Store, keyring: Keyring) -> None:
    epoch = await memory.take_over(PRACTICE)
    victim = database.pool()
    with suppress(asyncpg.InterfaceError):
        async with victim.acquire() as connection, connection.transaction():
            await connection.fetchrow(SQL["lock_head"], PRACTICE)
            victim.terminate()
    assert await append(memory, epoch, observed(1)) == [1]
    with pytest.raises(asyncpg.InterfaceError):
        await victim.fetch(SQL["head"], PRACTICE)
