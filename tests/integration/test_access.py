"""The access log: rows come in by the function alone, each chained to the one before."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from daemon.tables import access
from events.ids import PatientKey
from events.pool import open_pool

ADA = PatientKey("K:901")


@pytest_asyncio.fixture
async def pool(console_dsn: str) -> AsyncIterator[Any]:
    opened = await open_pool(console_dsn, min_size=1, max_size=8)
    yield opened
    await opened.close()


async def fill(pool: Any) -> None:
    await access.record(pool, "elm", "dana", "patient", patient=ADA, address="127.0.0.1")
    await access.record(pool, "elm", "omar", "waiting", detail="é\n\u2028 ' \\")
    await access.record(pool, "oak", "dana", "overview")
    await access.record(pool, "elm", "omar", "patient", patient=ADA)


async def test_records_have_a_sequence_a_practice_and_come_back_as_written(pool: Any) -> None:
    await fill(pool)
    found = await access.last(pool, "elm")
    assert [(one.sequence, one.who, one.what) for one in found] == [
        (3, "omar", "patient"), (2, "omar", "waiting"), (1, "dana", "patient"),
    ]  # fmt: skip
    assert found[1].detail == "é\n\u2028 ' \\"
    assert [one.sequence for one in await access.last(pool, "elm", before=3, most=1)] == [2]
    assert [one.who for one in await access.of_patient(pool, "elm", ADA)] == ["omar", "dana"]
    assert [one.sequence for one in await access.last(pool, "oak")] == [1]


async def test_the_chain_of_the_database_is_the_one_of_the_program(pool: Any) -> None:
    await fill(pool)
    assert await access.broken_at(pool, "elm") is None
    assert await access.broken_at(pool, "oak") is None
    assert await access.broken_at(pool, "nobody's") is None


async def test_records_made_at_once_are_one_chain(pool: Any) -> None:
    await asyncio.gather(*(access.record(pool, "elm", f"user {n}", "patient") for n in range(40)))
    assert [one.sequence for one in await access.last(pool, "elm")] == list(range(40, 0, -1))
    assert await access.broken_at(pool, "elm") is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE chartwire_console.access SET who = 'x'",
        "DELETE FROM chartwire_console.access",
        "TRUNCATE chartwire_console.access",
        "INSERT INTO chartwire_console.access VALUES ('elm', 9, now(), 'a', 'b', 'c', 'd', 'e', 'f')",
        "UPDATE chartwire_console.access_head SET sequence = 0",
        "DROP FUNCTION chartwire_console.record_access",
        "DELETE FROM chartwire.event",
        "INSERT INTO chartwire.checkpoint VALUES ('elm', 's', 'v')",
    ],
)
async def test_the_console_s_role_cannot_touch_the_log_otherwise(pool: Any, statement: str) -> None:
    await fill(pool)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute(statement)


@pytest.mark.parametrize(
    ("tampering", "first"),
    [
        ("UPDATE chartwire_console.access SET who = 'nobody' WHERE practice = 'elm' AND sequence = 2", 2),
        ("UPDATE chartwire_console.access SET at = at + interval '1 us' WHERE practice = 'elm' AND sequence = 1", 1),
        ("DELETE FROM chartwire_console.access WHERE practice = 'elm' AND sequence = 2", 2),
        ("DELETE FROM chartwire_console.access WHERE practice = 'elm' AND sequence = 3", 3),
        (
            "INSERT INTO chartwire_console.access SELECT practice, 4, at, who, address, patient_key, what, detail, chain"
            " FROM chartwire_console.access WHERE practice = 'elm' AND sequence = 3",
            4,
        ),
    ],
)
async def test_what_the_owner_of_the_tables_changes_is_found(pool: Any, owner_dsn: str, tampering: str, first: int) -> None:
    await fill(pool)
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute(tampering)
    await owner.close()
    assert await access.broken_at(pool, "elm") == first
    assert await access.broken_at(pool, "oak") is None


async def test_what_is_too_long_is_cut_and_still_chained(pool: Any) -> None:
    await access.record(pool, "elm", "x" * 9000, "a\0b", detail="y" * 9000)
    (one,) = await access.last(pool, "elm")
    assert (len(one.who), one.what, len(one.detail)) == (500, "ab", 500)
    assert await access.broken_at(pool, "elm") is None


async def test_a_temporary_type_does_not_run_as_the_owner_of_the_log(pool: Any, owner_dsn: str) -> None:
    """A session's own types come before the server's by themselves, in a function of the owner too, unless its search path says otherwise."""
    await fill(pool)
    connection = await asyncpg.connect(owner_dsn.replace("postgres@", "console@"))
    ran_as: set[str] = set()
    connection.add_log_listener(lambda _, message: ran_as.add(str(message)))
    planted = """
        CREATE FUNCTION pg_temp.planted() RETURNS boolean LANGUAGE plpgsql AS $$
        BEGIN RAISE NOTICE 'ran as %', current_user; RETURN true; END $$;
        CREATE DOMAIN pg_temp.timestamptz AS pg_catalog.timestamptz CHECK (pg_temp.planted());
        CREATE DOMAIN pg_temp.bytea AS pg_catalog.bytea CHECK (pg_temp.planted());
        CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (pg_temp.planted())
    """
    with contextlib.suppress(asyncpg.InsufficientPrivilegeError):
        await connection.execute(planted)
    await connection.execute("SELECT chartwire_console.record_access('elm', 'a', 'b', 'c', 'd', 'e')")
    await connection.close()
    assert ran_as == set()
    assert await access.broken_at(pool, "elm") is None
