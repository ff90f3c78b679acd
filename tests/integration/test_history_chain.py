"""Tampering directly in PostgreSQL: any byte of any column of any event, removed, inserted, swapped or moved events."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest_asyncio
from msgspec.structs import replace

from daemon.history.chain import inspect
from events.chain import COVERED
from events.codec import Keyring
from events.evidence import ChainProblem, Inspection
from events.schema import BillingChartObserved
from events.store import Store
from tests.conftest import OTHER, PRACTICE
from tests.integration.recorder_driver import RecorderDriver
from tests.unit.records import ADA_THERE, BLUE

NO_KEYS = Keyring({})


@pytest_asyncio.fixture
async def tampering(store: Store, keyring: Keyring, owner_dsn: str) -> AsyncIterator[Any]:
    """The owner's connection to a database with a practice's morning in it."""
    driver = RecorderDriver(store, keyring, await store.take_over(PRACTICE))
    await driver.open()
    await driver.link()
    for city in ("Macon", "Rome"):
        await driver.see(BillingChartObserved(chart=replace(ADA_THERE, city=city)))
    connection = await asyncpg.connect(owner_dsn)
    yield connection
    await connection.close()


class _Undo(Exception):
    pass


async def tampered(
    connection: Any, *statements: tuple[Any, ...], marks: dict[int, bytes] | None = None
) -> ChainProblem | None:
    """What is found after the statements; they are undone."""
    found: list[Inspection] = []
    try:
        async with connection.transaction():
            for statement, *values in statements:
                assert not (await connection.execute(statement, *values)).endswith(" 0"), statement
            found.append(await inspect(Store(connection, NO_KEYS), PRACTICE, marks or {}))
            raise _Undo
    except _Undo:
        return found[0].problem


async def test_what_was_not_touched_is_found_whole(tampering: Any, store: Store) -> None:
    seen = await inspect(Store(tampering, NO_KEYS), PRACTICE, {})
    assert (seen.problem, seen.sequence) == (None, await store.head(PRACTICE))
    assert await Store(tampering, NO_KEYS).heads() == {PRACTICE: seen.sequence}
    assert seen.chain == await tampering.fetchval("SELECT chain FROM chartwire.practice_head")


FLIPS = {
    "text": "overlay({column} placing chr(((ascii(substr({column}, {place}, 1)) - 31) % 90) + 33) from {place} for 1)",
    "bytea": "set_byte({column}, {place} - 1, get_byte({column}, {place} - 1) # {bit})",
    "bigint": "{column} # ({bit}::bigint << (8 * {place}))",
    "smallint": "{column} # {bit}::smallint",
    "timestamp with time zone": "{column} + {bit} * (256 ^ {place}) * interval '1 microsecond'",
    "uuid": "overlay({column}::text placing CASE substr({column}::text, {hex}, 1) WHEN '3' THEN '4' ELSE '3' END from {hex} for 1)::uuid",
}
ABSENT = {"bigint": "7", "timestamp with time zone": "now()", "uuid": "gen_random_uuid()"}


async def test_any_byte_of_any_column_of_every_event_is_found_and_located(tampering: Any) -> None:
    """One random byte of each column of each event; a column without a value gets one."""
    picked = random.Random(5)
    kinds = dict(
        await tampering.fetch(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'chartwire' AND table_name = 'event'"
        )
    )
    assert set(kinds) == {*COVERED, "chain"}
    tried = 0
    for row in await tampering.fetch("SELECT * FROM chartwire.event ORDER BY sequence"):
        for column, kind in kinds.items():
            change = _change(column, kind, row[column], picked)
            problem = await tampered(
                tampering, (f"UPDATE chartwire.event SET {column} = {change} WHERE sequence = $1", row["sequence"])
            )
            assert problem is not None, (row["sequence"], column, change)
            assert problem.practice == PRACTICE
            assert problem.sequence == row["sequence"], (column, change, problem)
            tried += 1
    assert tried == len(kinds) * await tampering.fetchval("SELECT count(*) FROM chartwire.event") > 150


def _change(column: str, kind: str, value: Any, picked: random.Random) -> str:
    if value is None:
        return ABSENT[kind]
    if value == "":
        return "'x'"
    if column == "sequence":
        return f"sequence + {2 ** picked.randrange(8, 40)}"
    length = len(value) if kind in ("text", "bytea") else {"bigint": 6, "timestamp with time zone": 4}.get(kind, 1)
    place = picked.randint(1, length)
    hex_ = picked.choice([number for number in range(1, 37) if number not in (9, 14, 19, 24)])
    return FLIPS[kind].format(column=column, place=place, bit=1 << picked.randrange(7), hex=hex_)


async def test_every_byte_of_a_body(tampering: Any) -> None:
    length = await tampering.fetchval("SELECT length(body) FROM chartwire.event WHERE sequence = 3")
    for place in range(0, length, max(1, length // 100)):
        problem = await tampered(
            tampering,
            (f"UPDATE chartwire.event SET body = set_byte(body, {place}, get_byte(body, {place}) # 1) WHERE sequence = 3",),
        )
        assert problem == ChainProblem(PRACTICE, 3, "was changed")


async def test_removed_inserted_and_reordered_events(tampering: Any, store: Store) -> None:
    head = await store.head(PRACTICE)
    for sequence in range(1, head + 1):
        problem = await tampered(tampering, ("DELETE FROM chartwire.event WHERE sequence = $1", sequence))
        assert problem is not None
        assert (problem.sequence, "is missing" in problem.what) == (sequence, True)
    copied = ", ".join(column for column in (*COVERED, "chain") if column not in ("sequence", "event_id"))
    for sequence in (-3, 0, head + 1, head + 50):
        problem = await tampered(
            tampering,
            (
                f"INSERT INTO chartwire.event (sequence, event_id, {copied}) "
                f"SELECT $1, gen_random_uuid(), {copied} FROM chartwire.event WHERE sequence = 4",
                sequence,
            ),
        )
        assert problem is not None
        assert problem.sequence == (1 if sequence < 1 else sequence)
    for one, other in ((2, 3), (1, head), (4, head - 1)):
        swap = "UPDATE chartwire.event SET sequence = $2 WHERE sequence = $1"
        problem = await tampered(tampering, (swap, one, -9), (swap, other, one), (swap, -9, other))
        assert problem is not None
        assert problem.sequence == one
    moved = await tampered(tampering, ("UPDATE chartwire.event SET practice = $1 WHERE sequence = 5", OTHER))
    assert moved is not None
    assert (moved.sequence, "is missing" in moved.what) == (5, True)


async def test_the_head_is_checked_too(tampering: Any, store: Store) -> None:
    head = await store.head(PRACTICE)
    cut = ("DELETE FROM chartwire.event WHERE sequence = $1", head)
    back = (
        "UPDATE chartwire.practice_head SET sequence = $1, chain = (SELECT chain FROM chartwire.event WHERE sequence = $1)",
        head - 1,
    )
    assert await tampered(tampering, cut) == ChainProblem(
        PRACTICE, head, f"is missing (the practice's last event is #{head})"
    )
    assert await tampered(tampering, back) == ChainProblem(
        PRACTICE, head, f"was inserted after the practice's last event, #{head - 1}"
    )
    wrong = await tampered(tampering, ("UPDATE chartwire.practice_head SET chain = '\\x00'",))
    assert wrong is not None
    assert "head holds another link" in wrong.what
    gone = await tampered(tampering, ("DELETE FROM chartwire.practice_head",))
    assert gone is not None
    assert "was inserted" in gone.what
    last = await tampering.fetchval("SELECT chain FROM chartwire.practice_head")
    assert await tampered(tampering, cut, back) is None, "who cuts off the end and says so in the head is found only by"
    checked = await tampered(tampering, cut, back, marks={head: last})
    assert checked == ChainProblem(PRACTICE, head, f"is missing (a checkpoint knows #{head})")


async def test_events_recorded_meanwhile_are_no_problem(tampering: Any, store: Store, keyring: Keyring) -> None:
    """The owner records between the look at the head and the reading of the events."""
    successor = RecorderDriver(store, keyring, await store.take_over(PRACTICE))

    class Busy:
        async def fetchrow(self, *arguments: Any) -> Any:
            row = await tampering.fetchrow(*arguments)
            await successor.see(BillingChartObserved(chart=replace(ADA_THERE, city=f"after {BLUE.id}")))
            return row

        def __getattr__(self, name: str) -> Any:
            return getattr(tampering, name)

    before = await store.head(PRACTICE)
    seen = await inspect(Store(Busy(), NO_KEYS), PRACTICE, {})
    assert (seen.problem, seen.sequence) == (None, before)
    assert await store.head(PRACTICE) > before
