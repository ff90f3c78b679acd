"""Formats: an older worker is let in until `chartwire migrate --finish`, and told why it is not afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from daemon.operator.finishing import OlderOwners, finish
from daemon.runtime.renewal import renew
from daemon.tables import documents as tables
from events.data_keys import is_switched
from events.formats import FORMAT, OlderVersion, demand_format, is_projected, least_format, require_format
from events.keys import Keyring
from events.store import Store
from projections.state.patient import decode_patient, encode_patient
from tests.conftest import PRACTICE, until
from tests.integration.data_keys import finished
from tests.integration.recorder_driver import POLICY, RecorderDriver
from tests.integration.test_history_compare import differences

BEFORE_FORMATS = """
INSERT INTO chartwire.practice_head AS head (practice, epoch, reader_epoch, owner, taken_at)
VALUES ($1, 1, 1, $2, clock_timestamp())
ON CONFLICT (practice) DO UPDATE
SET epoch = head.epoch + 1, reader_epoch = head.epoch + 1, owner = excluded.owner, taken_at = excluded.taken_at
RETURNING epoch
"""
"""How a worker of before formats takes a practice."""


async def take_as_older(store: Store, practice: str = PRACTICE) -> int:
    return int(await store.pool.fetchval(BEFORE_FORMATS, practice, "old:7"))


async def test_an_older_worker_takes_a_practice_in_turns_until_it_is_finished(
    store: Store, owner: Any, folder: Path
) -> None:
    assert await take_as_older(store) == 1
    assert await store.take_over(PRACTICE, "new:8") == 2
    assert await take_as_older(store) == 3
    with pytest.raises(OlderOwners, match=r"elm \(old:7\)"):
        await finished(owner, folder)
    assert not await is_switched(owner)
    assert await least_format(store.pool) == 1
    assert await store.take_over(PRACTICE, "new:8") == 4
    assert (await finished(owner, folder))[0].problem == ""
    assert await least_format(store.pool) == FORMAT


async def test_the_database_refuses_an_older_worker_with_a_sentence_and_its_owner_goes_on(
    store: Store, owner: Any, folder: Path
) -> None:
    epoch = await store.take_over(PRACTICE, "new:8")
    await finished(owner, folder)
    for practice in (PRACTICE, "oak"):  # one with an owner, and one that nobody ever had
        with pytest.raises(asyncpg.InsufficientPrivilegeError) as refused:
            await take_as_older(store, practice)
        assert refused.value.message == (
            f"since chartwire migrate --finish this database takes workers of format {FORMAT} or newer, and this one has format 1"
        )
        assert refused.value.hint == "Start the version that finished it, or a newer one."
    async with store.writing(PRACTICE, epoch):
        pass
    assert await store.take_over(PRACTICE, "new:9") == epoch + 1


async def test_the_database_goes_by_what_the_taker_says_and_not_by_what_stood_there(
    store: Store, owner: Any, folder: Path
) -> None:
    """A worker that says nothing leaves the last owner's format in its row."""
    await store.take_over(PRACTICE, "new:8")
    assert await owner.fetchval("SELECT format FROM chartwire.practice_head") == FORMAT
    await take_as_older(store)
    assert await owner.fetchval("SELECT format FROM chartwire.practice_head") == FORMAT
    with pytest.raises(OlderOwners):
        await finished(owner, folder)


async def test_a_practice_that_is_not_configured_any_more_keeps_nothing_from_being_finished(
    store: Store, owner: Any, keyring: Keyring
) -> None:
    """An older worker had it last, and its data keys are there: nobody will start in that worker's place."""
    await store.take_over(PRACTICE, "new:8")
    assert [one.problem async for one in finish(owner, [PRACTICE], keyring)] == [""]
    await owner.execute("DELETE FROM chartwire.least_format")
    await take_as_older(store)
    with pytest.raises(OlderOwners):
        _ = [one async for one in finish(owner, [PRACTICE], keyring)]
    assert [one.problem async for one in finish(owner, [], keyring)] == [""]


async def test_a_version_that_is_older_than_the_database_says_so_and_cannot_finish_it(
    store: Store, owner: Any, folder: Path
) -> None:
    await require_format(owner)
    await demand_format(store.pool)
    await owner.execute("UPDATE chartwire.least_format SET format = $1", FORMAT + 1)
    sentence = (
        rf"takes workers of format {FORMAT + 1} or newer, and this version has format {FORMAT}: start the version that"
    )
    with pytest.raises(OlderVersion, match=sentence):
        await demand_format(store.pool)
    with pytest.raises(OlderVersion, match=sentence):
        await finished(owner, folder)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match=f"and this one has format {FORMAT}\n"):
        await store.take_over(PRACTICE, "late:9")
    await require_format(owner)
    assert await least_format(store.pool) == FORMAT + 1, "it is never lowered"


async def test_what_an_older_owner_left_out_is_there_again_after_it(store: Store, driver: RecorderDriver) -> None:
    """Made anew once, beside the practice at work: the next owner of this format finds it so."""
    turn = asyncio.Semaphore(1)

    async def renewed() -> int:
        working = asyncio.create_task(renew(store, POLICY, lambda: driver.now, turn))
        try:
            await until(lambda: is_projected(store.pool, PRACTICE))
        finally:
            working.cancel()
        rebuilt: int = await store.pool.fetchval("SELECT rebuilt FROM chartwire.practice_head")
        return rebuilt

    assert await renewed() == 0
    for turns in (1, 2):
        await take_as_older(store)
        await leave_out_the_birth_date(store)
        assert {one.table for one in await differences(store)} == {"patient"}
        assert await is_projected(store.pool, PRACTICE), "an older worker does not tell"
        await driver.successor()
        assert not await is_projected(store.pool, PRACTICE)
        await driver.successor()
        assert not await is_projected(store.pool, PRACTICE), "one that ended before it was done"
        assert await renewed() == turns
        assert await differences(store) == []
    await driver.successor()
    assert await renewed() == 2


async def leave_out_the_birth_date(store: Store) -> None:
    """As an older version would, if it did not know of it."""
    for key, (_, doc) in (await tables.read_patients(store.pool, PRACTICE, store.keyring)).items():
        patient = decode_patient(doc)
        assert patient.billing is not None
        less = replace(patient, billing=replace(patient.billing, chart=replace(patient.billing.chart, birth_date=None)))
        key_id, sealed = store.keyring.seal(PRACTICE, tables.document_identity(PRACTICE, key), encode_patient(less))
        query = "UPDATE chartwire.patient SET key_id = $2, doc = $3 WHERE patient_key = $1"
        await store.pool.execute(query, key, key_id, sealed)


async def test_a_database_that_is_still_to_be_migrated_takes_everybody(postgres: Any) -> None:
    connection = await asyncpg.connect(await postgres.create_database("before_formats"))
    try:
        assert await least_format(connection) == 1
    finally:
        await connection.close()
