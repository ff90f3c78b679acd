"""The console's users, sessions and tries in PostgreSQL, and what the console's role may there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from daemon.tables import accounts
from events.pool import open_pool

READS = {
    "event", "practice_head", "patient", "directory", "chart", "link", "open_intent", "waiting", "dependency", "observed", "checkpoint", "least_format",
    "history_term", "history_head",
    "report", "match_key", "match_count", "duplicate", "duplicate_head", "patient_day", "look_up", "data_key", "switch", "schema_migration",
}  # fmt: skip
KEEPS = {
    "account", "account_role", "session", "attempt", "sign_in_link", "second_factor", "recovery_code", "identity", "sign_in_request",
}  # fmt: skip


@pytest_asyncio.fixture
async def pool(console_dsn: str) -> AsyncIterator[Any]:
    opened = await open_pool(console_dsn, min_size=1, max_size=4)
    yield opened
    await opened.close()


async def test_the_console_s_role_has_what_it_needs_and_no_more(pool: Any) -> None:
    expected = {f"chartwire.{one}": "S" for one in READS} | {f"chartwire_console.{one}": "SIUD" for one in KEEPS}
    expected |= {"chartwire_console.access": "S", "chartwire_console.access_head": "S"}
    tables = await pool.fetch(
        "SELECT schemaname || '.' || tablename AS name FROM pg_tables WHERE schemaname LIKE 'chartwire%'"
    )
    for (name,) in tables:
        had = ""
        for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"):
            if await pool.fetchval("SELECT has_table_privilege($1, $2)", name, right):
                had += right[0]
        assert had == expected.get(name, ""), name
    functions = await pool.fetch(
        "SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE n.nspname = 'chartwire_console' AND has_function_privilege(p.oid, 'EXECUTE')"
    )
    assert [one["proname"] for one in functions] == ["record_access"]
    for schema in ("chartwire", "chartwire_console"):
        assert not await pool.fetchval("SELECT has_schema_privilege($1, 'CREATE')", schema)


async def test_the_daemon_s_role_sees_nothing_of_the_console(dsn: str) -> None:
    daemon = await asyncpg.connect(dsn)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await daemon.fetch("SELECT name FROM chartwire_console.account")
    await daemon.close()


async def test_a_name_is_taken_once(pool: Any) -> None:
    assert await accounts.add(pool, "dana", "kept")
    assert not await accounts.add(pool, "dana", "other")
    found = await accounts.account(pool, "dana")
    assert found == accounts.Account(name="dana", password="kept")
    assert await accounts.names(pool) == ["dana"]


async def test_only_a_digest_of_a_session_s_id_is_stored(pool: Any) -> None:
    await accounts.add(pool, "dana", "")
    await accounts.add_session(pool, "an id", "dana", 60)
    (row,) = await pool.fetch("SELECT id_hash FROM chartwire_console.session")
    assert b"an id" not in row["id_hash"]
    found = await accounts.session(pool, "an id")
    assert found is not None
    assert (found.name, found.disabled, found.over) == ("dana", False, False)
    assert await accounts.session(pool, "another") is None


CHANGES = {
    "password": lambda pool: accounts.set_password(pool, "dana", "new"),
    "disabled": lambda pool: accounts.set_disabled(pool, "dana", True),
    "role given": lambda pool: accounts.set_role(pool, "dana", "oak", "biller", held=True),
    "role taken": lambda pool: accounts.set_role(pool, "dana", "elm", "viewer", held=False),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_whatever_changes_what_a_user_may_ends_sessions_and_links_of_that_user_alone(pool: Any, change: str) -> None:
    for name in ("dana", "omar"):
        await accounts.add(pool, name, "")
        await accounts.set_role(pool, name, "elm", "viewer", held=True)
        await accounts.add_session(pool, f"id of {name}", name, 60)
        await accounts.add_link(pool, f"link of {name}", name, 60)
    assert await CHANGES[change](pool)
    assert await accounts.session(pool, "id of dana") is None
    assert await accounts.use_link(pool, "link of dana") is None
    assert await accounts.session(pool, "id of omar") is not None
    assert await accounts.use_link(pool, "link of omar") == "omar"


async def test_a_change_that_changes_nothing_says_so(pool: Any) -> None:
    await accounts.add(pool, "dana", "")
    await accounts.add_session(pool, "id", "dana", 60)
    assert not await accounts.set_role(pool, "dana", "elm", "viewer", held=False)
    assert not await accounts.set_password(pool, "nobody", "new")
    assert await accounts.session(pool, "id") is not None


async def test_a_link_works_once_and_not_after_its_time(pool: Any, owner_dsn: str) -> None:
    await accounts.add(pool, "dana", "")
    await accounts.add_link(pool, "token", "dana", 60)
    assert await accounts.use_link(pool, "token") == "dana"
    assert await accounts.use_link(pool, "token") is None
    await accounts.add_link(pool, "late", "dana", 60)
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute("UPDATE chartwire_console.sign_in_link SET ends_at = ends_at - interval '61 s'")
    await owner.close()
    assert await accounts.use_link(pool, "late") is None


async def test_tries_count_within_their_window(pool: Any, owner_dsn: str) -> None:
    assert [(await accounts.tried(pool, "user:dana", 60)).number for _ in range(3)] == [1, 2, 3]
    one = await accounts.tried(pool, "user:omar", 60)
    await accounts.forgive(pool, "user:omar", one)
    assert (await accounts.tried(pool, "user:omar", 60)).number == 1
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute("UPDATE chartwire_console.attempt SET at = at - interval '61 s'")
    await owner.close()
    assert (await accounts.tried(pool, "user:dana", 60)).number == 1
    await accounts.forget(pool, 60)
    assert await pool.fetchval("SELECT count(*) FROM chartwire_console.attempt") == 1
