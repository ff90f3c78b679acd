"""The event store on a real PostgreSQL: idempotent, gap-free, fenced, followed without gaps, append-only for the daemon."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from events.codec import Keyring, UnreadableEvent
from events.ids import BillingPatientId, EhrChartId, PatientKey, PracticeId, event_id
from events.records import EhrChart
from events.schema import ChartLinked, EhrChartObserved, Event, Origin
from events.store import Fenced, Store

PRACTICE = PracticeId("elm")
START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def observed(number: int, practice: PracticeId = PRACTICE) -> Event:
    chart = EhrChartId(1000 + number % 7)
    return Event(
        id=event_id(practice, "ElationChartObserved", number),
        practice=practice,
        origin=Origin.EHR,
        observed=START + timedelta(seconds=number),
        modified=START,
        body=EhrChartObserved(chart=EhrChart(id=chart, first_name=f"Name{number}")),
        ehr=chart,
        patient=PatientKey(f"E:{chart}"),
    )


async def append(store: Store, epoch: int, *events: Event) -> list[int]:
    async with store.writing(PRACTICE, epoch) as tx:
        return [one.sequence for one in await tx.append(events)]


async def test_the_same_event_is_stored_once(store: Store) -> None:
    epoch = await store.take_over(PRACTICE)
    assert await append(store, epoch, observed(1), observed(2), observed(1)) == [1, 2]
    assert await append(store, epoch, observed(2), observed(3)) == [3]
    read = [one async for one in store.read(PRACTICE)]
    assert [one.event for one in read] == [observed(1), observed(2), observed(3)]
    assert [one.sequence for one in read] == [1, 2, 3]


async def test_sequences_have_no_gaps_under_concurrent_writers(store: Store) -> None:
    epoch = await store.take_over(PRACTICE)
    await asyncio.gather(*(append(store, epoch, *(observed(n * 10 + i) for i in range(10))) for n in range(8)))
    assert [row["sequence"] async for rows in store.sealed(PRACTICE, batch=7) for row in rows] == list(range(1, 81))


async def test_another_practices_event_is_refused_and_takes_no_number(store: Store) -> None:
    epoch = await store.take_over(PRACTICE)
    with pytest.raises(ValueError, match="another practice"):
        await append(store, epoch, observed(1), observed(2, PracticeId("oak")))
    assert await store.head(PRACTICE) == 0
    assert await append(store, epoch, observed(1)) == [1]


async def test_a_failed_transaction_leaves_no_gap(store: Store) -> None:
    epoch = await store.take_over(PRACTICE)

    async def fail() -> None:
        async with store.writing(PRACTICE, epoch) as tx:
            await tx.append([observed(1)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await append(store, epoch, observed(2)) == [1]


async def test_a_writer_that_was_overtaken_is_fenced(store: Store) -> None:
    old = await store.take_over(PRACTICE)
    new = await store.take_over(PRACTICE)
    with pytest.raises(Fenced):
        await append(store, old, observed(1))
    assert await append(store, new, observed(1)) == [1]


async def test_who_takes_over_a_restored_store_fences_owners_that_the_store_has_forgotten(store: Store) -> None:
    assert await store.take_over(PRACTICE) == 1
    assert await store.take_over(PRACTICE, above=41) == 42
    for forgotten in (2, 41):
        with pytest.raises(Fenced):
            await append(store, forgotten, observed(1))
    assert await store.take_over(PRACTICE, above=7) == 43


async def test_a_writer_whose_store_has_gone_back_is_fenced(store: Store) -> None:
    """Restored while its owner was at work: the epoch may be the same."""
    epoch = await store.take_over(PRACTICE)
    await append(store, epoch, observed(1))
    async with store.writing(PRACTICE, epoch, after=1) as tx:
        assert tx.sequence == 1
    with pytest.raises(Fenced):
        async with store.writing(PRACTICE, epoch, after=2):
            pass


async def test_a_chart_is_read_from_either_id(store: Store) -> None:
    epoch = await store.take_over(PRACTICE)
    link = Event(
        id=event_id(PRACTICE, "ChartLinked", 1),
        practice=PRACTICE,
        origin=Origin.CHARTWIRE,
        observed=START,
        body=ChartLinked(ehr=EhrChartId(1001), billing=BillingPatientId(7), how="test"),
        ehr=EhrChartId(1001),
        billing=BillingPatientId(7),
        patient=PatientKey("K:7"),
        cause=observed(1).id,
    )
    await append(store, epoch, observed(1), observed(2), link, observed(8))
    assert [one.sequence async for one in store.read_chart(PRACTICE, ehr=[1001])] == [1, 3, 4]
    assert [one.sequence async for one in store.read_chart(PRACTICE, billing=[7])] == [3]
    assert [one.sequence async for one in store.read_chart(PRACTICE, ehr=[1001], billing=[7])] == [1, 3, 4]


async def test_following_misses_nothing_while_others_commit(store: Store) -> None:
    epoch = await store.take_over(PRACTICE)
    seen: list[int] = []

    async def follow() -> None:
        async for batch in store.follow(PRACTICE, after=0, poll_seconds=0.2):
            seen.extend(one.sequence for one in batch)
            if len(seen) == 60:
                return

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(follow())
        for number in range(60):
            group.create_task(append(store, epoch, observed(number)))
    assert seen == list(range(1, 61))


@pytest.mark.parametrize(
    "statement", ["UPDATE chartwire.event SET type = 'x'", "DELETE FROM chartwire.event", "TRUNCATE chartwire.event"]
)
async def test_the_daemons_role_cannot_change_events(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_a_body_moved_to_another_event_is_noticed(store: Store, owner_dsn: str) -> None:
    epoch = await store.take_over(PRACTICE)
    await append(store, epoch, observed(1), observed(2))
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute(
        "UPDATE chartwire.event SET body = (SELECT body FROM chartwire.event WHERE sequence = 1) WHERE sequence = 2"
    )
    await owner.close()
    with pytest.raises(UnreadableEvent, match=r"elm, sequence 2: ElationChartObserved version 1: .* changed"):
        _ = [one async for one in store.read(PRACTICE)]


async def test_bodies_at_rest_are_not_readable(store: Store, owner_dsn: str, keyring: Keyring) -> None:
    epoch = await store.take_over(PRACTICE)
    await append(store, epoch, observed(1))
    owner = await asyncpg.connect(owner_dsn)
    row = await owner.fetchrow("SELECT event::text AS everything, body FROM chartwire.event")
    await owner.close()
    assert row is not None
    assert b"Name1" not in row["body"]
    assert "Name1" not in row["everything"]


async def test_what_was_left_open_on_a_connection_is_undone_before_it_is_used_again(store: Store) -> None:
    async with store.pool.acquire() as connection:
        await connection.execute("BEGIN")
        used = connection.get_server_pid()
    async with store.pool.acquire() as connection:
        assert connection.get_server_pid() == used
        assert not connection.is_in_transaction()
