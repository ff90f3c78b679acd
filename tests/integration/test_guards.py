"""B5: what the daemon's role, without the keys, can do to heads, events and signing keys in a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio

from daemon.operator.finishing import finish
from daemon.tables.observed import SEALED, StoredSubscriptions
from events.keys import Keyring
from events.store import COLUMNS, Store
from tests.conftest import OTHER, PRACTICE
from tests.integration.recorder_driver import RecorderDriver


@pytest_asyncio.fixture
async def intruder(dsn: str) -> AsyncIterator[Any]:
    """Somebody who has the daemon's role."""
    connection = await asyncpg.connect(dsn, server_settings={"timezone": "UTC"})
    yield connection
    await connection.close()


REWRITTEN_HEADS = {
    "backwards": "sequence = sequence - 1",
    "far ahead": "sequence = sequence + 1000",
    "another chain": "chain = '\\x00'::bytea",
    "an epoch of before": "epoch = epoch - 1",
    "an epoch nobody reaches": "epoch = epoch + 1000000",
    "a reader that never was": "reader_epoch = epoch + 1",
    "keys forgotten": "keys = keys - 1",
    "shredded": "shredded_at = clock_timestamp()",
    "another practice": "practice = 'somebody'",
}


@pytest.mark.parametrize("change", REWRITTEN_HEADS.values(), ids=list(REWRITTEN_HEADS))
async def test_b5_the_daemons_role_cannot_rewrite_a_head(
    driver: RecorderDriver, intruder: Any, owner: Any, change: str
) -> None:
    question = "SELECT * FROM chartwire.practice_head WHERE practice = $1"
    before = await owner.fetchrow(question, PRACTICE)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await intruder.execute(f"UPDATE chartwire.practice_head SET {change} WHERE practice = $1", PRACTICE)
    assert await owner.fetchrow(question, PRACTICE) == before


async def test_b5_the_daemons_role_cannot_begin_a_practice_in_the_middle(intruder: Any) -> None:
    for columns, values in (
        ("sequence", "7"),
        ("epoch", "7"),
        ("keys", "1"),
        ("chain", "'\\x00'"),
        ("shredded_at", "now()"),
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await intruder.execute(f"INSERT INTO chartwire.practice_head (practice, {columns}) VALUES ('new', {values})")


async def test_b5_a_table_of_one_s_own_session_makes_nobody_the_schema_s_owner(
    driver: RecorderDriver, intruder: Any, owner: Any
) -> None:
    """What the guards ask is asked of the server's own tables, whatever a session has made under the same names."""
    question = "SELECT * FROM chartwire.practice_head WHERE practice = $1"
    before = await owner.fetchrow(question, PRACTICE)
    await intruder.execute(
        "CREATE TEMP TABLE pg_class AS SELECT 'chartwire.practice_head'::regclass::oid AS oid, r.oid AS relowner"
        " FROM pg_catalog.pg_roles AS r WHERE rolname = current_user"
    )
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await intruder.execute("UPDATE chartwire.practice_head SET sequence = 0 WHERE practice = $1", PRACTICE)
    assert await owner.fetchrow(question, PRACTICE) == before


async def test_b5_every_function_of_ours_looks_in_the_server_s_own_schema_first(owner: Any) -> None:
    rows = await owner.fetch(
        "SELECT oid::regprocedure::text AS name, proconfig FROM pg_proc"
        " WHERE pronamespace IN ('chartwire'::regnamespace, 'chartwire_console'::regnamespace)"
    )
    assert len(rows) > 5
    assert {row["name"]: row["proconfig"] for row in rows} == {
        row["name"]: ["search_path=pg_catalog, pg_temp"] for row in rows
    }


@pytest.mark.parametrize(
    ("sequence", "epoch"),
    [(1, 0), (2, 0), (1000, 0), (1, 1), (1, -1)],
    ids=["next", "a gap", "far ahead", "later", "before"],
)
async def test_b5_the_daemons_role_appends_where_the_head_is_and_nowhere_else(
    driver: RecorderDriver, intruder: Any, sequence: int, epoch: int
) -> None:
    head = await intruder.fetchrow("SELECT sequence, epoch FROM chartwire.practice_head WHERE practice = $1", PRACTICE)
    row = dict(await intruder.fetchrow("SELECT * FROM chartwire.event WHERE practice = $1 LIMIT 1", PRACTICE))
    row |= {"event_id": UUID(int=7)}
    row |= {"sequence": head["sequence"] + sequence, "epoch": head["epoch"] + epoch}
    put = intruder.copy_records_to_table(
        "event", schema_name="chartwire", columns=COLUMNS, records=[tuple(row[name] for name in COLUMNS)]
    )
    if (sequence, epoch) == (1, 0):
        await put
        return
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await put


async def test_b5_nobody_appends_to_a_practice_without_a_head(driver: RecorderDriver, intruder: Any) -> None:
    row = dict(await intruder.fetchrow("SELECT * FROM chartwire.event WHERE practice = $1 LIMIT 1", PRACTICE))
    row |= {"practice": "nobody", "sequence": 1, "epoch": 1}
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await intruder.copy_records_to_table(
            "event", schema_name="chartwire", columns=COLUMNS, records=[tuple(row[name] for name in COLUMNS)]
        )


async def test_b5_a_signing_key_put_there_without_the_practices_key_is_not_believed(
    driver: RecorderDriver, store: Store, keyring: Keyring, intruder: Any, owner: Any
) -> None:
    kept = StoredSubscriptions(store.pool, PRACTICE, store.keyring)
    await kept.save("patients", 1, "https://a.test", "theirs")
    await kept.save("bills", 2, "https://b.test", "theirs too")
    assert [one.problem async for one in finish(owner, [PRACTICE], keyring)] == [""]
    stored = await owner.fetch("SELECT signing_key FROM chartwire.subscription")
    assert all(row["signing_key"].startswith(SEALED) for row in stored)
    await store.keyring.refresh([PRACTICE])
    assert await kept.get() == {"patients": (1, "theirs"), "bills": (2, "theirs too")}
    await intruder.execute("UPDATE chartwire.subscription SET signing_key = 'mine' WHERE resource = 'patients'")
    assert await kept.get() == {"bills": (2, "theirs too")}
    await intruder.execute(
        "UPDATE chartwire.subscription SET signing_key = (SELECT signing_key FROM chartwire.subscription WHERE resource = 'bills')"
        " WHERE resource = 'patients'"
    )
    assert await kept.get() == {"bills": (2, "theirs too")}
    await kept.save("patients", 1, "https://a.test", "theirs")
    assert (await kept.get())["patients"] == (1, "theirs")


async def test_a_worker_that_has_not_heard_of_data_keys_reads_a_sealed_signing_key(
    driver: RecorderDriver, store: Store, keyring: Keyring, owner: Any, dsn: str
) -> None:
    await StoredSubscriptions(store.pool, PRACTICE, store.keyring).save("patients", 1, "https://a.test", "theirs")
    another = await Store.open(dsn, Keyring(keyring.keys_of(PRACTICE) | keyring.keys_of(OTHER)))
    assert [one.problem async for one in finish(owner, [PRACTICE], keyring)] == [""]
    assert another.keyring.in_force(PRACTICE) is None
    assert await StoredSubscriptions(another.pool, PRACTICE, another.keyring).get() == {"patients": (1, "theirs")}
    await another.close()
