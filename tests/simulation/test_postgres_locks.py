"""The stand-in for PostgreSQL held against the real one: who waits for whom, and who is refused."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import asyncpg

from daemon.tables import documents as tables
from daemon.tables.documents import LinkTaken
from events.store import Fenced, Store
from tests.conftest import OTHER, PRACTICE
from tests.integration.test_store import observed
from tests.simulation.answers import SQL
from tests.simulation.conftest import KEYS


async def locks(store: Store) -> list[str]:
    """Who gets on when: writers of a practice and of another, a take-over, and looking."""
    said: list[str] = []
    epoch = await store.take_over(PRACTICE)
    other = await store.take_over(OTHER)

    async def writer(name: str, number: int) -> None:
        try:
            async with store.writing(PRACTICE, epoch) as tx:
                said.append(f"{name} after {tx.sequence}")
                await tx.append([observed(number)])
        except Fenced:
            said.append(f"{name} fenced")

    async def taker() -> None:
        said.append(f"taken over as {await store.take_over(PRACTICE) - epoch}")

    for waiter in (writer("the next", 2), taker(), writer("the next", 3)):
        async with asyncio.timeout(20), asyncio.TaskGroup() as group, store.pool.acquire() as holder, holder.transaction():
            row = await holder.fetchrow(SQL["lock_head"], PRACTICE)
            said.append(f"held at {row['sequence']}")
            group.create_task(waiter)
            await blocked(store)
            said.append(f"head seen {await store.head(PRACTICE)}")
            async with store.writing(OTHER, other) as elsewhere:
                said.append(f"elsewhere after {elsewhere.sequence}")
            said.append("ending")
    said.append(f"head seen {await store.head(PRACTICE)}")
    return said


async def blocked(store: Store) -> None:
    """Until somebody waits for a lock: the real server says so itself, at the stand-in it takes a few turns."""
    if isinstance(store.pool, asyncpg.Pool):
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        while await store.pool.fetchval(query) == 0:
            await asyncio.sleep(0.01)
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_head_is_locked_until_its_holder_ends(real: Store, memory: Store) -> None:
    expected = await locks(real)
    assert await locks(memory) == expected
    assert [one for one in expected if "seen" not in one and "elsewhere" not in one] == [
        "held at 0", "ending", "the next after 0", "held at 1", "ending", "taken over as 1", "held at 1", "ending",
        "the next fenced",
    ]  # fmt: skip


async def races(store: Store) -> list[object]:
    """Two transactions insert what only one may have; two take each other's rows."""
    said: list[object] = []
    async with store.pool.acquire() as one, store.pool.acquire() as two:

        async def late(pairs: list[tuple[int, int]]) -> None:
            try:
                await tables.replace_links(two, PRACTICE, pairs)
                said.append("linked")
            except LinkTaken:
                said.append("taken")

        for ends_well in (True, False):
            async with asyncio.timeout(20), asyncio.TaskGroup() as group:
                with suppress(ZeroDivisionError):
                    async with one.transaction():
                        await tables.replace_links(one, PRACTICE, [(1 + 10 * ends_well, 5)])
                        group.create_task(late([(1 + 10 * ends_well, 6)]))
                        await blocked(store)
                        said.append("ending")
                        if not ends_well:
                            raise ZeroDivisionError
            said.append(await tables.links(store.pool, PRACTICE))
    return said


async def test_unique_values_wait_for_the_one_who_came_first(real: Store, memory: Store) -> None:
    expected = await races(real)
    assert await races(memory) == expected
    assert expected == ["ending", "taken", [(11, 5)], "ending", "linked", [(11, 5), (1, 6)]]


async def deadlock(store: Store) -> list[str]:
    """Two transactions that want each other's row: one of them is refused, the other goes on."""
    said: list[str] = []
    await tables.save_charts(store.pool, PRACTICE, {1: KEYS[0], 2: KEYS[1]})
    both = asyncio.Barrier(2)

    async def move(first: int, second: int) -> None:
        try:
            async with store.pool.acquire() as db, db.transaction():
                await tables.save_charts(db, PRACTICE, {first: KEYS[3]})
                await both.wait()
                await tables.save_charts(db, PRACTICE, {second: KEYS[3]})
            said.append("moved")
        except asyncpg.DeadlockDetectedError:
            said.append("refused")

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(move(1, 2))
        group.create_task(move(2, 1))
    return [*sorted(said), str(await tables.resolve_charts(store.pool, PRACTICE, [1, 2]))]


async def test_a_deadlock_is_refused(real: Store, memory: Store) -> None:
    assert await deadlock(memory) == await deadlock(real)
