"""The hash chain of the event store, recomputed from the rows as PostgreSQL gives them back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from events.chain import COVERED, GENESIS, link
from events.store import Store
from tests.integration.test_store import PRACTICE, append, observed


async def rows(store: Store) -> list[Any]:
    found: list[Any] = await store.pool.fetch(
        "SELECT * FROM chartwire.event WHERE practice = $1 ORDER BY sequence", PRACTICE
    )
    return found


OF_NULLABLE = {
    "elation_chart": 1, "kareo_patient": 1, "modified_at": datetime(2026, 1, 1, tzinfo=UTC),
    "cause": UUID(int=1), "correlation": UUID(int=1),
}  # fmt: skip


def another(value: Any) -> Any:
    """A value of the same type, as little different as can be."""
    match value:
        case UUID():
            return UUID(int=value.int ^ 1)
        case datetime():
            return value + timedelta(microseconds=1)
        case int():
            return value + 1
        case str():
            return value + " "
        case bytes():
            return value + b"\0"
    raise TypeError(type(value))


def links(stored: list[Any]) -> list[bytes]:
    """The chain as the rows say that it should be."""
    chain, previous = [], GENESIS
    for row in stored:
        previous = link(previous, [row[name] for name in COVERED])
        chain.append(previous)
    return chain


async def test_the_chain_runs_through_transactions_and_take_overs(store: Store) -> None:
    first = await store.take_over(PRACTICE)
    await append(store, first, observed(1), observed(2))
    await append(store, first, observed(3))
    await append(store, await store.take_over(PRACTICE), observed(4), observed(1))
    stored = await rows(store)
    assert [row["chain"] for row in stored] == links(stored)
    assert len({row["chain"] for row in stored}) == 4
    head = await store.pool.fetchrow("SELECT * FROM chartwire.practice_head WHERE practice = $1", PRACTICE)
    assert head["chain"] == stored[-1]["chain"]


async def test_a_rolled_back_append_leaves_no_link(store: Store) -> None:
    epoch = await store.take_over(PRACTICE)

    async def fail() -> None:
        async with store.writing(PRACTICE, epoch) as tx:
            await tx.append([observed(1)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    await append(store, epoch, observed(2))
    stored = await rows(store)
    assert [row["chain"] for row in stored] == links(stored)


async def test_every_column_is_covered_and_changes_the_link(store: Store, owner_dsn: str) -> None:
    """But for `chain` itself; a column that is added later has to be decided about here."""
    epoch = await store.take_over(PRACTICE)
    await append(store, epoch, observed(1))
    (before,) = await rows(store)
    assert set(before.keys()) == {*COVERED, "chain"}
    connection = await asyncpg.connect(owner_dsn)
    try:
        for index, name in enumerate(COVERED):
            spoiled = [before[each] for each in COVERED]
            spoiled[index] = another(before[name]) if before[name] is not None else OF_NULLABLE[name]
            assert link(GENESIS, spoiled) != before["chain"], name
        await connection.execute(
            "UPDATE chartwire.event SET recorded_at = recorded_at + interval '1 microsecond' WHERE practice = $1", PRACTICE
        )
    finally:
        await connection.close()
    (after,) = await rows(store)
    assert link(GENESIS, [after[each] for each in COVERED]) != before["chain"]
