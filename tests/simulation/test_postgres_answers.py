"""The stand-in for PostgreSQL held against the real one: the same operations have the same results on both."""

from __future__ import annotations

import itertools
import random
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from daemon.tables import days, look_ups
from daemon.tables import documents as tables
from daemon.tables import observed as compared
from daemon.tables import open as still_open
from daemon.tables.documents import LinkTaken, PatientRow
from daemon.tables.hashes import hashes_of
from daemon.tables.notices import Told, read_told, save_told, waiting_of_each
from daemon.tables.observed import StoredSubscriptions
from daemon.tables.open import IntentRow, OpenRows, WaitingRow
from daemon.tables.rows import LISTS
from daemon.tables.status import Report, link_of, practice_status, save_reports, waiting_longest, watched
from events.codec import Keyring
from events.ids import IntentId, PatientKey, PracticeId
from events.store import Fenced, Store
from events.topics import Note
from events.writes import System
from tests.conftest import OTHER, PRACTICE
from tests.integration.test_store import append, observed
from tests.simulation.answers import SQL
from tests.simulation.conftest import KEYS, NOW


def patient_rows(chance: random.Random, keys: list[PatientKey], today: date) -> list[PatientRow]:
    return [
        PatientRow(key=key, sequence=chance.randrange(99), doc=chance.randbytes(4), revisit_on=chance.choice([today, None]))
        for key in keys
    ]


def open_rows(chance: random.Random, keys: list[PatientKey]) -> dict[PatientKey, OpenRows]:
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
        key: [WaitingRow(slot=slot, code=chance.choice("xyz")) for slot in chance.sample("abc", chance.randrange(3))]
        for key in keys
    }
    return {key: OpenRows(intents[key], waits[key], chance.choices("pqr", k=2)) for key in keys}


def some_notes(chance: random.Random, system: System, resource: str) -> list[Note]:
    return [
        Note(
            system=system,
            resource=resource,
            record=one,
            content_hash=chance.choice("hij"),
            parent=chance.choice(["", "E:1"]),
        )
        for one in chance.choices(["1", "2", "10", "x:3"], k=3)
    ]


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
    rows, open_ = patient_rows(chance, keys, today), open_rows(chance, keys)
    notes = some_notes(chance, system, resource)
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
        lambda db, ring: tables.stored_directory(db, practice, ring),
        lambda db, ring: tables.save_charts(db, practice, dict(zip(charts, itertools.cycle(keys), strict=False))),
        lambda db, ring: tables.resolve_charts(db, practice, charts),
        lambda db, ring: tables.replace_links(db, practice, list(zip(charts, patients, strict=True))),
        lambda db, ring: tables.links(db, practice),
        lambda db, ring: still_open.replace_open(db, practice, open_, NOW),
        *of_open(practice, keys, code),
        lambda db, ring: still_open.mark_for_revisit(db, practice, depends, today),
        lambda db, ring: still_open.patients_to_revisit(db, practice, today, most),
        lambda db, ring: still_open.count_to_revisit(db, practice, today),
        lambda db, ring: still_open.mark_all_for_revisit(db, practice, today),
        lambda db, ring: compared.save_observed(db, practice, notes),
        lambda db, ring: observed_by(db, practice, system, [(resource, one) for one in records]),
        lambda db, ring: compared.observed_records(db, practice, system, resource),
        lambda db, ring: compared.set_checkpoint(db, practice, resource, value),
        lambda db, ring: compared.get_checkpoint(db, practice, resource),
        lambda db, ring: StoredSubscriptions(db, practice, ring).save(resource, charts[0], "https://a.test", value),
        lambda db, ring: StoredSubscriptions(db, practice, ring).get(),
        lambda db, ring: save_reports(db, reports),
        lambda db, ring: status(db, practice),
        lambda db, ring: looked_through(db, practice),
        *of_days(practice, keys, resource, most),
        *looking_on(practice, chance.choice(["biller", "operator"]), most),
    ]
    return chance.choice(steps)


def of_open(
    practice: PracticeId, keys: list[PatientKey], code: str | None
) -> list[Callable[[Any, Keyring], Awaitable[Any]]]:
    return [
        lambda db, ring: unordered(still_open.list_open_intents(db, practice)),
        lambda db, ring: unordered(still_open.open_in_slot(db, practice, keys, "chart")),
        lambda db, ring: holders(db, practice),
        lambda db, ring: unordered(still_open.waiting_patients(db, practice, code)),
    ]


async def holders(db: Any, practice: PracticeId) -> list[PatientKey | None]:
    intents = sorted(row.intent for row in await still_open.list_open_intents(db, practice))
    return [await still_open.holder_of_intent(db, practice, one) for one in (*intents[:3], "none")]


def of_days(
    practice: PracticeId, keys: list[PatientKey], resource: str, most: int
) -> list[Callable[[Any, Keyring], Awaitable[Any]]]:
    return [
        lambda db, ring: days.replace_all(db, practice, {(ring_day(key), key) for key in keys}, hashes_of(ring, practice)),
        lambda db, ring: day_of(db, practice, keys[0]),
        lambda db, ring: days.are_complete(db, practice, hashes_of(ring, practice)),
        lambda db, ring: look_ups.save_look_up(db, practice, resource, look_ups.LookUp(encounters=most), ring),
        lambda db, ring: looked_up(db, practice, resource, ring),
    ]


def looking_on(practice: PracticeId, audience: str, most: int) -> list[Callable[[Any, Keyring], Awaitable[Any]]]:
    return [
        lambda db, ring: looked_on(db, practice, most),
        lambda db, ring: save_told(db, practice, audience, most - 1, Told(counts={"x": most})),
        lambda db, ring: read_told(db, [PRACTICE, OTHER]),
    ]


def ring_day(key: PatientKey) -> bytes:
    """A day that some of the keys share."""
    return key[-1:].encode()


MARK = b"another secret's"


async def day_of(db: Any, practice: str, key: PatientKey) -> object:
    found = await db.fetch(SQL["patients_of_days"], practice, [ring_day(key)], MARK)
    return sorted(row["patient_key"] for row in found), sorted(await days.stored(db, PracticeId(practice)))


async def looked_up(db: Any, practice: PracticeId, period: str, ring: Keyring) -> object:
    """Without the moment, for which the clocks differ."""
    found = await look_ups.last_look_up(db, practice, period, ring)
    return None if found is None else found.encounters


async def unordered(rows: Awaitable[list[Any]]) -> list[Any]:
    return sorted(await rows, key=repr)


async def observed_by(db: Any, practice: str, system: Any, records: list[tuple[str, str]]) -> object:
    """Without the moments, for which the clocks differ."""
    rows = await compared.lookup_observed(db, practice, system, records)  # type: ignore[arg-type]
    return {key: (row.content_hash, row.revision, row.parent) for key, row in rows.items()}


async def status(db: Any, practice: PracticeId) -> object:
    """Without the ages, for which the clocks differ."""
    row = await practice_status(db, practice)
    taken, reported = row.taken_at is not None, row.report_age is not None
    known = await watched(db, [practice, OTHER])
    heard = {one: sorted(ages) for one, ages in known.silent.items()}
    return msgspec.structs.replace(row, sources=list(row.sources), taken_at=taken, report_age=reported), known.waiting, heard  # type: ignore[arg-type]


async def looked_on(db: Any, practice: PracticeId, most: int) -> object:
    """Without the moments and ages, for which the clocks differ."""
    seen = await watched(db, [practice])
    each = await waiting_of_each(db, [practice, OTHER])
    link = await link_of(db, practice, most)
    return (
        seen.waiting, {name: set(ages) for name, ages in seen.silent.items()},
        [(one.code, one.count) for one in await waiting_longest(db, practice)],
        {name: {code: count for code, (count, _) in codes.items()} for name, codes in each.items()}, link is None,
    )  # fmt: skip


async def looked_through(db: Any, practice: PracticeId) -> list[object]:
    """What replays and audits read of the projections."""
    said: list[object] = []
    for one in LISTS:
        rows = await db.fetch(SQL[one.read], practice)
        said.append(sorted(repr(dict(row)) for row in rows))
    await db.execute(SQL["mark_rebuilt"], practice, 2)
    for name, arguments in (("read_patients", ("", 500)), ("load_directory", ())):
        rows = await db.fetch(SQL[name], practice, *arguments)
        said += [{key: row[key] for key in row.keys() if key != "doc"} for row in rows]  # noqa: SIM118
    said.append([dict(row) for row in await db.fetch(SQL["heads"])])
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
    await db.execute(SQL["save_charts"], PRACTICE, [3, 3], ["E:1", "E:2"])


async def nothing_where_something_must_be(db: Any) -> None:
    await db.execute(SQL["save_charts"], PRACTICE, [3], [None])


ATTEMPTS = (
    same_event, same_sequence, go_on_after_an_error, commit_after_an_error, twice_in_a_statement,
    nothing_where_something_must_be,
)  # fmt: skip


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

    for what in ATTEMPTS:
        await attempt(what)
    said.append(await tables.resolve_charts(store.pool, PRACTICE, [1, 2, 3]))
    for name, arguments in (
        ("read_one", (PRACTICE, observed(2).id)),
        ("read_types", (PRACTICE, 0, 9, 1, ["ElationChartObserved"])),
        ("read_types", (PRACTICE, 1, 9, 9, ["ElationChartObserved", "x"])),
        ("read_types", (PRACTICE, 0, 1, 9, ["ElationChartObserved"])),
        ("read_types", (PRACTICE, 0, 9, 9, ["x"])),
        ("read_practice", (PRACTICE, 0, 9, 9)),
        ("beyond", (PRACTICE,)),
        ("lock_head", (PRACTICE,)),
    ):
        rows = await store.pool.fetch(SQL[name], *arguments)
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
