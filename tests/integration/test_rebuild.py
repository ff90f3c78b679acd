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
from tests.integration.recorder_driver import LOCUM, POLICY, VISIT, RecorderDriver, elation_directory, everything, insured
from tests.integration.test_history_compare import TODAY, differences
from tests.unit.records import ADA, ADA_KEY, ADA_THERE, BLUE, PHYSICIANS

TABLES = ("patient", "chart", "link", "open_intent", "waiting", "dependency")
MARY = replace(ADA, id=EhrChartId(102), first_name="Mary", last_name="Shelley")


@pytest_asyncio.fixture
async def driver(store: Store, keyring: Keyring) -> RecorderDriver:
    driver = RecorderDriver(store, keyring, await store.take_over(PRACTICE))
    await driver.open()
    await driver.link(there=insured(replace(BLUE, end=TODAY + timedelta(days=90))))
    await driver.see(EhrChartObserved(chart=MARY), BillingAppointmentObserved(appointment=VISIT))
    return driver


async def rows(store: Store) -> dict[str, list[Any]]:
    """What is stored, but how far documents say they go and when who waits is looked at again."""
    found = await everything(store)
    found["patient"] = [
        (row["patient_key"],) for row in await store.pool.fetch("SELECT patient_key FROM chartwire.patient ORDER BY 1")
    ]
    return {table: found[table] for table in TABLES}


async def test_a_rebuild_writes_the_rows_that_the_recorder_wrote(driver: RecorderDriver) -> None:
    before = await rows(driver.store)
    assert all(before.values())
    await rebuild(driver.store, POLICY, driver.now)
    assert await rows(driver.store) == before
    assert await differences(driver.store) == []
    expiring = await driver.store.pool.fetch("SELECT patient_key, revisit_on FROM chartwire.patient ORDER BY 1")
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
async def test_what_is_corrupt_is_found_and_repaired(driver: RecorderDriver, owner_dsn: str, statement: str) -> None:
    owner = await asyncpg.connect(owner_dsn)
    assert not (await owner.execute(statement)).endswith(" 0")
    await owner.close()
    assert await differences(driver.store) != []
    await rebuild(driver.store, POLICY, driver.now)
    assert await differences(driver.store) == []
    await driver.see(BillingChartObserved(chart=replace(ADA_THERE, city="Macon")))
    await driver.sound()


async def test_the_owner_forgets_a_directory_that_was_corrupt(driver: RecorderDriver) -> None:
    """It had been read from a row that told of no providers; after the rebuild the events' own counts."""
    successor = await driver.successor()
    good = await driver.store.pool.fetchrow("SELECT * FROM chartwire.directory")
    empty = encode_directory(Directory(ehr_seen=True, billing_seen=True))
    await tables.save_directory(driver.store.pool, PRACTICE, good["sequence"], empty, driver.store.keyring)
    await successor.see(BillingChartObserved(chart=replace(ADA_THERE, city="Macon")))
    assert [one.table for one in await differences(driver.store)] == ["directory"]
    await rebuild(driver.store, POLICY, driver.now)
    await successor.see(elation_directory((*PHYSICIANS, replace(LOCUM, id=13))))
    await successor.sound()
    assert "appointment:61" in await successor.intents(), "the appointment's provider has a calendar now"


async def test_intents_that_were_lost_are_offered_again(driver: RecorderDriver) -> None:
    await driver.see(BillingChartObserved(chart=replace(ADA_THERE, city="Macon")))
    (slot,) = (await driver.patient()).intents
    await driver.store.pool.execute("DELETE FROM chartwire.patient WHERE patient_key = $1", ADA_KEY)
    await driver.store.pool.execute("DELETE FROM chartwire.open_intent WHERE patient_key = $1", ADA_KEY)
    await rebuild(driver.store, POLICY, driver.now)
    driver.outcomes.clear()
    other = replace(ADA_THERE, id=BillingPatientId(950), first_name="Percy", cases=())
    await driver.see(BillingChartObserved(chart=other))
    offered = [one.patients[ADA_KEY].intents for one in driver.outcomes if ADA_KEY in one.patients]
    assert {tuple(one) for one in offered} == {(slot,)}
    assert await driver.store.pool.fetchval("SELECT epoch FROM chartwire.practice_head") == driver.recorder.epoch


async def test_work_goes_on_while_projections_are_rebuilt(driver: RecorderDriver) -> None:
    """Rebuilt again and again while another goes on recording: nothing is lost, nobody is fenced, all is equal."""
    done = asyncio.Event()
    rebuilds = 0

    async def again_and_again() -> None:
        nonlocal rebuilds
        while not done.is_set():
            await rebuild(driver.store, POLICY, driver.now)
            rebuilds += 1

    task = asyncio.create_task(again_and_again())
    number = 0
    while rebuilds < 4 or number < 40:
        number += 1
        there = replace(ADA_THERE, id=BillingPatientId(1000 + number % 9), first_name=f"Percy{number}", cases=())
        await driver.see(BillingChartObserved(chart=there), EhrChartObserved(chart=replace(MARY, city=f"Town {number}")))
        assert not task.done()
    done.set()
    await task
    assert await differences(driver.store) == []
    await driver.sound()
    seen = [body for body in await driver.bodies() if isinstance(body, BillingChartObserved)]
    assert len(seen) == number + 1
    assert await driver.store.pool.fetchval("SELECT rebuilt FROM chartwire.practice_head") == rebuilds


async def test_what_was_recorded_during_the_fold_is_caught_up_with(
    driver: RecorderDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change arrives between the fold and the switch."""

    async def folded_then_changed(*arguments: Any, **options: Any) -> Any:
        replay = await replayed(*arguments, **options)
        await driver.see(BillingChartObserved(chart=replace(ADA_THERE, city="Rome")))
        return replay

    monkeypatch.setattr("daemon.history.rebuild.replayed", folded_then_changed)
    replay = await rebuild(driver.store, POLICY, driver.now)
    assert replay.sequence == await driver.store.head(PRACTICE)
    patient = await driver.patient()
    assert patient.billing is not None
    assert patient.billing.chart.city == "Rome"
    assert await verify(driver.store, replay, TODAY) == []


async def test_other_practices_rows_are_left_alone(driver: RecorderDriver) -> None:
    await driver.store.pool.execute(
        "INSERT INTO chartwire.waiting VALUES ($1, 'K:1', 'x', 'y', now()), ($1, 'K:2', 'x', 'y', now())", OTHER
    )
    await rebuild(driver.store, POLICY, driver.now)
    assert await driver.store.pool.fetchval("SELECT count(*) FROM chartwire.waiting WHERE practice = $1", OTHER) == 2
