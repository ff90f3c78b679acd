"""The stand-in for PostgreSQL knows what the real one is asked and has, and passes its tests."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable

import pytest

from events.codec import Keyring
from events.store import Store
from tests.integration import test_documents, test_events_chain, test_reporter, test_store
from tests.simulation import answers, schema
from tests.simulation.postgres import UnknownQuery

# -- it knows everything that is asked ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", answers.SQL)
def test_every_named_query_is_known(name: str) -> None:
    assert answers.ANSWERS[answers.SQL[name]][0] == name


async def test_a_query_it_does_not_know_is_named(memory: Store) -> None:
    with pytest.raises(UnknownQuery, match="SELECT 42"):
        await memory.pool.fetch("SELECT 42")


async def test_its_tables_are_those_of_the_migrations(real: Store) -> None:
    rows = await real.pool.fetch(
        "SELECT table_name, column_name, is_nullable = 'YES' AS nullable, column_default IS NOT NULL AS filled"
        " FROM information_schema.columns WHERE table_schema = 'chartwire' ORDER BY table_name, ordinal_position"
    )
    there: dict[str, list[tuple[str, bool, bool]]] = {}
    for row in rows:
        there.setdefault(row["table_name"], []).append((row["column_name"], row["nullable"], row["filled"]))
    del there["schema_migration"]
    here = {
        table.name: [(name, name in table.nullable, name in table.defaults) for name in table.columns]
        for table in schema.tables().values()
    }
    assert here == there


async def test_its_constraints_are_those_of_the_migrations(real: Store) -> None:
    rows = await real.pool.fetch(
        "SELECT c.relname, o.contype::text AS kind, array_agg(a.attname::text ORDER BY k.n) AS columns FROM pg_constraint o"
        " JOIN pg_class c ON c.oid = o.conrelid CROSS JOIN unnest(o.conkey) WITH ORDINALITY AS k(attnum, n)"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum"
        " WHERE o.connamespace = 'chartwire'::regnamespace AND o.contype IN ('p', 'u') AND c.relname <> 'schema_migration'"
        " GROUP BY o.oid, c.relname, o.contype"
    )
    here = {(one.name, "p", one.key) for one in schema.tables().values()}
    here |= {(one.name, "u", columns) for one in schema.tables().values() for columns in one.unique}
    assert here == {(row["relname"], row["kind"], tuple(row["columns"])) for row in rows}


# -- the tests of the real one, on the stand-in ---------------------------------------------------------------------------

WRITTEN_IN_SQL = {
    "test_documents_come_back_and_are_sealed_at_rest",
    "test_a_directory_that_an_older_worker_has_folded_is_outdated",
    "test_a_document_moved_to_another_patient_is_noticed",
    "test_the_daemons_role_has_what_it_needs_and_no_more",
    "test_the_chain_runs_through_transactions_and_take_overs",
    "test_a_rolled_back_append_leaves_no_link",
    "test_what_was_left_open_on_a_connection_is_undone_before_it_is_used_again",
}
BORROWED = [
    pytest.param(function, id=name)
    for module in (test_store, test_documents, test_events_chain, test_reporter)
    for name, function in vars(module).items()
    if name.startswith("test_")
    and name not in WRITTEN_IN_SQL
    and {"store", "db"} & set(inspect.signature(function).parameters)
    and set(inspect.signature(function).parameters) <= {"store", "db", "keyring"}
]


@pytest.mark.parametrize("test", BORROWED)
async def test_the_stand_in_passes(test: Callable[..., Awaitable[None]], memory: Store, keyring: Keyring) -> None:
    async with memory.pool.acquire() as connection:
        given = {"store": memory, "db": connection, "keyring": keyring}
        await test(**{name: given[name] for name in inspect.signature(test).parameters})


def test_enough_is_borrowed() -> None:
    assert len(BORROWED) >= 14
