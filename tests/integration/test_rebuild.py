"""Rebuilding the projections beside a recorder at work: the same rows, nobody fenced, and nothing corrupt is kept."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from msgspec.structs import replace

from daemon.history.compare import verify
from daemon.history.fold import replayed
from daemon.history.rebuild import rebuild
from daemon.tables import documents as tables
from events.codec import Keyring
from events.ids import BillingPatientId, EhrChartId
from events.schema import BillingAppointmentObserved, BillingChartObserved, EhrChartObserved
from events.store import Store
from projections.state.directory import Directory, encode_directory
from tests.conftest import OTHER, PRACTICE
from tests.integration.desk import LOCUM, POLICY, VISIT, Desk, elation_directory, everything, insured
from tests.integration.test_replay import TODAY, differences
from tests.unit.records import ADA, ADA_KEY, ADA_THERE, BLUE, PHYSICIANS

TABLES = ("patient", "chart", "link", "open_intent", "waiting", "dependency")
MARY = replace(ADA, id=EhrChartId(102), first_name="Mary", last_name="Shelley")


@pytest_asyncio.fixture
async def desk(store: Store, keyring: Keyring) -> Desk:
    desk = Desk(store, keyring, await store.take_over(PRACTICE))
    await desk.open()
    await desk.link(there=insured(replace(BLUE, end=TODAY + timedelta(days=90))))
    await desk.see(EhrChartObserved(chart=MARY), BillingAppointmentObserved(appointment=VISIT))
    return desk


async def rows(store: Store) -> dict[str, list[Any]]:
    """What is stored, but how far documents say they go and when who waits is looked at again."""
    found = await everything(store)
    found["patient"] = [
        (row["patient_key"],) for row in await store.pool.fetch("SELECT patient_key FROM chartwire.patient ORDER BY 1")
    ]
    return {table: found[table] for table in TABLES}


async def test_a_rebuild_writes_the_rows_that_the_recorder_wrote(desk: Desk) -> None:
    before = await rows(desk.store)
    assert all(before.values())
    await rebuild(desk.store, POLICY, desk.now)
    assert await rows(desk.store) == before
    assert await differences(desk.store) == []
    expiring = await desk.store.pool.fetch("SELECT patient_key, revisit_on FROM chartwire.patient ORDER BY 1")
    assert [(row["patient_key"], row["revisit_on"]) for row in expiring] == [("E:102", None), (ADA_KEY, TODAY)]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM chartwire.patient",
        "UPDATE chartwire.patient SET doc = set_byte(doc, 15, get_byte(doc, 15) # 1)",
        "DELETE FROM chartwire.directory",
        "UPDATE chartwire.chart SET patient_key = 'K:1'",
        "UPDATE chartwire.link SET kareo_patient = 1",
        "DELETE FROM chartwire.open_intent",
        "INSERT INTO chartwire.waiting VALUES ('elm', 'K:5', 'x', 'y', now())",
        "DELETE FROM chartwire.dependency",
    ],
)
async def test_what_is_corrupt_is_found_and_repaired(desk: Desk, owner_dsn: str, statement: str) -> None:
    owner = await asyncpg.connect(owner_dsn)
    assert not (await owner.execute(statement)).endswith(" 0")
    await owner.close()
    assert await differences(desk.store) != []
    await rebuild(desk.store, POLICY, desk.now)
    assert await differences(desk.store) == []
    await desk.see(BillingChartObserved(chart=replace(ADA_THERE, city="Macon")))
    await desk.sound()


async def test_the_owner_forgets_a_directory_that_was_corrupt(desk: Desk) -> None:
    """It had been read from a row that told of no providers; after the rebuild the events' own counts."""
    successor = await desk.successor()
    good = await desk.store.pool.fetchrow("SELECT * FROM chartwire.directory")
    empty = encode_directory(Directory(ehr_seen=True, billing_seen=True))
    await tables.save_directory(desk.store.pool, PRACTICE, good["sequence"], empty, desk.store.keyring)
    await successor.see(BillingChartObserved(chart=replace(ADA_THERE, city="Macon")))
    assert [one.table for one in await differences(desk.store)] == ["directory"]
    await rebuild(desk.store, POLICY, desk.now)
    await successor.see(elation_directory((*PHYSICIANS, replace(LOCUM, id=13))))
    await successor.sound()
    assert "appointment:61" in await successor.intents(), "the appointment's provider has a calendar now"


async def test_intents_that_were_lost_are_offered_again(desk: Desk) -> None:
    await desk.see(BillingChartObserved(chart=replace(ADA_THERE, city="Macon")))
    (slot,) = (await desk.patient()).intents
    await desk.store.pool.execute("DELETE FROM chartwire.patient WHERE patient_key = $1", ADA_KEY)
    await desk.store.pool.execute("DELETE FROM chartwire.open_intent WHERE patient_key = $1", ADA_KEY)
    await rebuild(desk.store, POLICY, desk.now)
    desk.outcomes.clear()
    other = replace(ADA_THERE, id=BillingPatientId(950), first_name="Percy", cases=())
    await desk.see(BillingChartObserved(chart=other))
    offered = [one.patients[ADA_KEY].intents for one in desk.outcomes if ADA_KEY in one.patients]
    assert [list(one) for one in offered] == [[slot]]
    assert await desk.store.pool.fetchval("SELECT epoch FROM chartwire.practice_head") == desk.recorder.epoch


async def test_work_goes_on_while_projections_are_rebuilt(desk: Desk) -> None:
    """Rebuilt again and again while another goes on recording: nothing is lost, nobody is fenced, all is equal."""
    done = asyncio.Event()
    rebuilds = 0

    async def again_and_again() -> None:
        nonlocal rebuilds
        while not done.is_set():
            await rebuild(desk.store, POLICY, desk.now)
            rebuilds += 1

    task = asyncio.create_task(again_and_again())
    number = 0
    while rebuilds < 4 or number < 40:
        number += 1
        there = replace(ADA_THERE, id=BillingPatientId(1000 + number % 9), first_name=f"Percy{number}", cases=())
        await desk.see(BillingChartObserved(chart=there), EhrChartObserved(chart=replace(MARY, city=f"Town {number}")))
        assert not task.done()
    done.set()
    await task
    assert await differences(desk.store) == []
    await desk.sound()
    seen = [body for body in await desk.bodies() if isinstance(body, BillingChartObserved)]
    assert len(seen) == number + 1
    assert await desk.store.pool.fetchval("SELECT rebuilt FROM chartwire.practice_head") == rebuilds


async def test_what_was_recorded_during_the_fold_is_caught_up_with(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change arrives between the fold and the switch."""

    async def folded_then_changed(*arguments: Any, **options: Any) -> Any:
        replay = await replayed(*arguments, **options)
        await desk.see(BillingChartObserved(chart=replace(ADA_THERE, city="Rome")))
        return replay

    monkeypatch.setattr("daemon.history.rebuild.replayed", folded_then_changed)
    replay = await rebuild(desk.store, POLICY, desk.now)
    assert replay.sequence == await desk.store.head(PRACTICE)
    patient = await desk.patient()
    assert patient.billing is not None
    assert patient.billing.chart.city == "Rome"
    assert await verify(desk.store, replay, TODAY) == []


async def test_other_practices_rows_are_left_alone(desk: Desk) -> None:
    await desk.store.pool.execute(
        "INSERT INTO chartwire.waiting VALUES ($1, 'K:1', 'x', 'y', now()), ($1, 'K:2', 'x', 'y', now())", OTHER
    )
    await rebuild(desk.store, POLICY, desk.now)
    assert await desk.store.pool.fetchval("SELECT count(*) FROM chartwire.waiting WHERE practice = $1", OTHER) == 2
