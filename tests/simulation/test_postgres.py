"""The stand-in for PostgreSQL held against the real one: the same operations have the same results on both."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from daemon import tables
from daemon.report import Report
from daemon.tables import IntentRow, LinkTaken, OpenRows, PatientRow, Subscriptions, WaitingRow
from events.codec import Keyring
from events.ids import IntentId, PatientKey, PracticeId
from events.store import AWAY, SQL, Fenced, Store
from events.topics import Note
from events.writes import System
from tests.conftest import OTHER, PRACTICE
from tests.integration import test_chain, test_reports, test_store, test_tables
from tests.integration.test_store import append, observed
from tests.simulation import answers, schema
from tests.simulation.postgres import MemoryDatabase, UnknownQuery

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
KEYS = [PatientKey(key) for key in ("E:1", "E:2", "E:10", "K:1", "K:2", "")]


def ticking() -> Callable[[], datetime]:
    """A clock that is later each time it is asked."""
    ticks = itertools.count()
    return lambda: NOW + timedelta(milliseconds=next(ticks))


@pytest.fixture
def database() -> MemoryDatabase:
    return MemoryDatabase(clock=ticking())


@pytest_asyncio.fixture
async def memory(database: MemoryDatabase, keyring: Keyring) -> AsyncIterator[Store]:
    store = Store(database.pool(), keyring)
    yield store
    async with asyncio.timeout(5):
        await store.close()


@pytest_asyncio.fixture
async def real(postgres: Any, keyring: Keyring) -> AsyncIterator[Store]:
    name = f"contract_{next(_numbers)}"
    await postgres.create_database(name, template="chartwire_template")
    store = await Store.open(postgres.dsn(name, "chartwire"), keyring)
    yield store
    await store.close()


_numbers = itertools.count(1)

# -- it knows everything that is asked ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("file", "name"), answers.SQL)
def test_every_named_query_is_known(file: str, name: str) -> None:
    text = answers.SQL[file, name]
    assert answers.ANSWERS[text][0] in {other for (_, other), same in answers.SQL.items() if same == text}


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
    "test_a_document_moved_to_another_patient_is_noticed",
    "test_the_daemons_role_has_what_it_needs_and_no_more",
    "test_the_chain_runs_through_transactions_and_take_overs",
    "test_a_rolled_back_append_leaves_no_link",
    "test_what_was_left_open_on_a_connection_is_undone_before_it_is_used_again",
}
BORROWED = [
    pytest.param(function, id=name)
    for module in (test_store, test_tables, test_chain, test_reports)
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


# -- both, side by side ---------------------------------------------------------------------------------------------------


def a_step(chance: random.Random) -> Callable[[Any, Keyring], Awaitable[Any]]:
    """One call of daemon.tables with arguments of the chance's choosing, small enough that they meet each other."""
    practice: PracticeId = chance.choice([PRACTICE, PRACTICE, PRACTICE, OTHER])
    keys = chance.sample(KEYS, chance.randrange(1, 4))
    charts = chance.sample(range(1, 7), chance.randrange(1, 4))
    patients = chance.sample(range(1, 7), len(charts))
    today = NOW.date() + timedelta(days=chance.randrange(-2, 3))
    system = chance.choice(list(System))
    records = chance.sample(["1", "2", "10", "x:3"], 2)
    resource = chance.choice(["patients", "appointments"])
    rows = [
        PatientRow(key=key, sequence=chance.randrange(99), doc=chance.randbytes(4), revisit_on=chance.choice([today, None]))
        for key in keys
    ]
    intents = {
        key: [
            IntentRow(
                intent=IntentId(f"{key}-{slot}"),
                slot=slot,
                system=chance.choice(list(System)),
                state=chance.choice(["requested", "attempted"]),
                since=chance.choice([None, NOW - timedelta(hours=chance.randrange(9))]),
            )
            for slot in chance.sample("abc", chance.randrange(3))
        ]
        for key in keys
    }
    waits = {
        key: [
            WaitingRow(slot=slot, code=chance.choice("xyz"), depends_on=tuple(chance.choices("pqr", k=2)))
            for slot in chance.sample("abc", chance.randrange(3))
        ]
        for key in keys
    }
    open_ = {key: OpenRows(intents[key], waits[key]) for key in keys}
    notes = [
        Note(
            system=system,
            resource=resource,
            record=one,
            content_hash=chance.choice("hij"),
            parent=chance.choice(["", "E:1"]),
        )
        for one in chance.choices(["1", "2", "10", "x:3"], k=3)
    ]
    value, depends, most = str(chance.randrange(9)), [*chance.sample("pqr", 1)], chance.randrange(1, 4)
    code = chance.choice([None, "x"])
    reports = {
        one: (chance.randrange(3), Report(queued={"kareo": most})) for one in chance.sample([PRACTICE, OTHER], most % 3)
    }
    steps: list[Callable[[Any, Keyring], Awaitable[Any]]] = [
        lambda db, ring: tables.save_patients(db, practice, rows, ring),
        lambda db, ring: tables.load_patients(db, practice, keys, ring),
        lambda db, ring: tables.read_patients(db, practice, ring, batch=2),
        lambda db, ring: tables.delete_patients(db, practice, keys[:1]),
        lambda db, ring: tables.save_directory(db, practice, 3, rows[0].doc, ring),
        lambda db, ring: tables.load_directory(db, practice, ring),
        lambda db, ring: tables.save_charts(db, practice, dict(zip(charts, itertools.cycle(keys), strict=False))),
        lambda db, ring: tables.resolve_charts(db, practice, charts),
        lambda db, ring: tables.replace_links(db, practice, list(zip(charts, patients, strict=True))),
        lambda db, ring: tables.links(db, practice),
        lambda db, ring: tables.replace_open(db, practice, open_, NOW),
        lambda db, ring: unordered(tables.list_open_intents(db, practice)),
        lambda db, ring: unordered(tables.waiting_patients(db, practice, code)),
        lambda db, ring: tables.mark_for_revisit(db, practice, depends, today),
        lambda db, ring: tables.patients_to_revisit(db, practice, today, most),
        lambda db, ring: tables.count_to_revisit(db, practice, today),
        lambda db, ring: tables.mark_all_for_revisit(db, practice, today),
        lambda db, ring: tables.save_observed(db, practice, notes),
        lambda db, ring: tables.lookup_observed(db, practice, system, [(resource, one) for one in records]),
        lambda db, ring: tables.observed_records(db, practice, system, resource),
        lambda db, ring: tables.set_checkpoint(db, practice, resource, value),
        lambda db, ring: tables.get_checkpoint(db, practice, resource),
        lambda db, ring: Subscriptions(db, practice).put(resource, charts[0], "https://a.test", value),
        lambda db, ring: Subscriptions(db, practice).get(),
        lambda db, ring: tables.save_reports(db, reports),
        lambda db, ring: status(db, practice),
        lambda db, ring: looked_through(db, practice),
    ]
    return chance.choice(steps)


async def unordered(rows: Awaitable[list[Any]]) -> list[Any]:
    return sorted(await rows, key=repr)


async def status(db: Any, practice: PracticeId) -> object:
    """Without the ages, for which the clocks differ."""
    row = await tables.practice_status(db, practice)
    taken, reported = row.taken_at is not None, row.report_age is not None
    return msgspec.structs.replace(row, sources=list(row.sources), taken_at=taken, report_age=reported)  # type: ignore[arg-type]


async def looked_through(db: Any, practice: PracticeId) -> list[object]:
    """What replays and audits read of the projections."""
    said: list[object] = []
    for name in ("chart", "link", "open_intent", "waiting", "dependency"):
        rows = await db.fetch(answers.SQL["replay", name], practice)
        said.append(sorted(repr(dict(row)) for row in rows))
    await db.execute(answers.SQL["replay", "mark_rebuilt"], practice)
    for name in ("patients", "directory"):
        rows = await db.fetch(answers.SQL["replay", name], practice)
        said += [{key: row[key] for key in row.keys() if key != "doc"} for row in rows]  # noqa: SIM118
    said.append([dict(row) for row in await db.fetch(answers.SQL["replay", "heads"])])
    return said


async def play(store: Store, keyring: Keyring, seed: int) -> list[object]:
    """Steps alone and in transactions, some of which are rolled back; what each of them answered or raised."""
    chance = random.Random(seed)
    said: list[object] = []
    await store.take_over(PRACTICE, "host:1")
    async with store.pool.acquire() as db:
        for _ in range(60):
            together = [a_step(chance) for _ in range(chance.choice([1, 1, 1, 4]))]
            undone = chance.random() < 0.3
            try:
                if len(together) == 1:
                    said.append(await together[0](db, keyring))
                    continue
                async with db.transaction():
                    for step in together:
                        said.append(await step(db, keyring))
                    if undone:
                        raise ZeroDivisionError
            except (LinkTaken, ZeroDivisionError, asyncpg.PostgresError) as error:
                said.append(type(error))
    return said


@pytest.mark.parametrize("seed", range(8))
async def test_any_steps_have_the_same_answers(real: Store, memory: Store, keyring: Keyring, seed: int) -> None:
    expected = await play(real, keyring, seed)
    for number, (here, there) in enumerate(zip(await play(memory, keyring, seed), expected, strict=True)):
        assert here == there, f"step {number}"


async def refusals(store: Store) -> list[object]:
    """What is refused, and that it leaves nothing behind."""
    said: list[object] = []
    epoch = await store.take_over(PRACTICE)
    await append(store, epoch, observed(1), observed(2))

    async def attempt(what: Callable[[Any], Awaitable[object]]) -> None:
        try:
            async with store.pool.acquire() as db, db.transaction():
                said.append(await what(db))
        except Exception as error:  # noqa: BLE001 - compared
            said.append(type(error))

    async def same_event(db: Any) -> None:
        (row,) = await db.fetch(SQL["read"], PRACTICE, 0, 1, 1)
        columns = list(row.keys())
        record = [3 if name == "sequence" else row[name] for name in columns]
        await db.copy_records_to_table("event", schema_name="chartwire", columns=columns, records=[record])

    async def same_sequence(db: Any) -> None:
        (row,) = await db.fetch(SQL["read"], PRACTICE, 0, 1, 1)
        await db.copy_records_to_table("event", schema_name="chartwire", columns=list(row.keys()), records=[tuple(row)])

    async def go_on_after_an_error(db: Any) -> None:
        await tables.save_charts(db, PRACTICE, {1: KEYS[0]})
        try:
            await tables.replace_links(db, PRACTICE, [(1, 5), (1, 6)])
        except LinkTaken:
            await tables.links(db, PRACTICE)

    async def commit_after_an_error(db: Any) -> str:
        await tables.save_charts(db, PRACTICE, {2: KEYS[0]})
        try:
            await tables.replace_links(db, PRACTICE, [(1, 5), (1, 6)])
        except LinkTaken:
            return "goes on"
        return "linked"

    async def twice_in_a_statement(db: Any) -> None:
        await db.execute(answers.SQL["tables", "save_charts"], PRACTICE, [3, 3], ["E:1", "E:2"])

    async def nothing_where_something_must_be(db: Any) -> None:
        await db.execute(answers.SQL["tables", "save_charts"], PRACTICE, [3], [None])

    for what in (
        same_event, same_sequence, go_on_after_an_error, commit_after_an_error, twice_in_a_statement,
        nothing_where_something_must_be,
    ):  # fmt: skip
        await attempt(what)
    said.append(await tables.resolve_charts(store.pool, PRACTICE, [1, 2, 3]))
    for name, arguments in (
        ("by_id", (PRACTICE, observed(2).id)),
        ("by_type", (PRACTICE, 0, ["ElationChartObserved"], 1)),
        ("by_type", (PRACTICE, 1, ["ElationChartObserved", "x"], 9)),
        ("by_type", (PRACTICE, 0, ["x"], 9)),
        ("practice_events", (PRACTICE, 0, 9, 9)),
        ("beyond", (PRACTICE,)),
        ("lock_head", (PRACTICE,)),
    ):
        rows = await store.pool.fetch(answers.SQL["replay", name], *arguments)
        said.append([[row.get("sequence", "none"), list(row.keys())] for row in rows])
    said.append([one.sequence async for one in store.read(PRACTICE)])
    try:
        await append(store, epoch + 1, observed(3))
    except Fenced:
        said.append("fenced")
    said.append(await store.head(PRACTICE))
    said.append(await store.head(OTHER))
    return said


async def test_the_same_things_are_refused(real: Store, memory: Store) -> None:
    expected = await refusals(real)
    assert await refusals(memory) == expected
    assert expected[-1] == 0
    assert asyncpg.UniqueViolationError in expected


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


# -- what goes wrong ------------------------------------------------------------------------------------------------------


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
    failing(database, "copy_event", asyncpg.DiskFullError("no space left"))
    with pytest.raises(asyncpg.DiskFullError):
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
