"""A directory that an older worker has folded, which left in quarantine what was cleared: its next owner folds it anew."""

from __future__ import annotations

from msgspec.structs import replace

from daemon.tables import documents as tables
from events.codec import Keyring
from events.schema import BillingChartObserved, ChangeQuarantined, WaitingCleared, WaitingDismissed
from events.store import Store
from events.writes import System
from projections.rules.holds import FirstDay
from projections.state.directory import Directory, encode_directory
from tests.conftest import PRACTICE
from tests.integration.recorder_driver import RecorderDriver
from tests.integration.test_history_compare import differences
from tests.unit.records import ADA_THERE

SLOT = "quarantine:elation:bills:9"
UNREAD = ChangeQuarantined(system=System.EHR, resource="bills", record="9", reason="not a number", path="$.id")
ACCEPTED = WaitingDismissed(slot=SLOT, code="quarantined", text="a bill", about_digest="d", who="grace", reason="known")
OLDER = """
INSERT INTO chartwire.directory (practice, sequence, key_id, doc) VALUES ($1, $2, $3, $4)
ON CONFLICT (practice) DO UPDATE SET sequence = excluded.sequence, key_id = excluded.key_id, doc = excluded.doc
"""


async def keep_as_an_older_worker(store: Store, keyring: Keyring, directory: Directory) -> None:
    """By its own statement, which knows nothing of the column `folded`; its sequence has moved on by the clearing."""
    key_id, sealed = keyring.seal(PRACTICE, tables.document_identity(PRACTICE, ""), encode_directory(directory))
    await store.pool.execute(OLDER, PRACTICE, await store.head(PRACTICE), key_id, sealed)


async def test_its_next_owner_folds_it_anew(store: Store, keyring: Keyring) -> None:
    driver = RecorderDriver(store, keyring, await store.take_over(PRACTICE))
    await driver.open()
    await driver.recorder.record_practice([UNREAD, ACCEPTED])
    waiting = await tables.directory(store.pool, PRACTICE, keyring)
    assert set(waiting.quarantined) == set(waiting.dismissed) == {SLOT}
    assert await differences(store) == []

    for turn in range(2):  # workers old and new in turns
        before = await tables.directory(store.pool, PRACTICE, keyring)
        await driver.recorder.record_practice([WaitingCleared(slot=SLOT)])
        await keep_as_an_older_worker(store, keyring, replace(before, waiting={}, quarantined=waiting.quarantined))
        await store.pool.execute("UPDATE chartwire.directory SET folded = $1", turn)
        assert {one.table for one in await differences(store)} == {"directory"}

        driver = await driver.successor()
        assert await driver.recorder.first_day() is FirstDay.OVER
        assert (await tables.directory(store.pool, PRACTICE, keyring)).quarantined == {}
        assert await differences(store) == []
        await driver.see(BillingChartObserved(chart=replace(ADA_THERE, city=f"Macon {turn}")))
        assert await differences(store) == []


async def test_one_that_is_folded_as_it_should_be_is_left_alone(store: Store, keyring: Keyring) -> None:
    driver = RecorderDriver(store, keyring, await store.take_over(PRACTICE))
    await driver.open()
    before = await store.pool.fetchrow("SELECT * FROM chartwire.directory")
    successor = await driver.successor()
    await successor.recorder.first_day()
    assert await store.pool.fetchrow("SELECT * FROM chartwire.directory") == before
