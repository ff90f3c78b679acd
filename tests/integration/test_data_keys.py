"""Data keys on a real PostgreSQL: finishing, rotating and shredding beside workers that go on, killed after each step."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from daemon.history.chain import inspect
from daemon.operator.finishing import Finished, OlderOwners
from daemon.operator.key_rotation import KeyElsewhere, rotate
from daemon.tables import observed
from daemon.vendors.ports.intake import Intake, Observation, fingerprint
from events.data_keys import NotFinished, is_switched
from events.ids import PracticeId
from events.keyed import hashed, is_keyed
from events.keys import KeyMissing, Keyring
from events.schema import BillingChartObserved, EhrChartObserved
from events.store import Store
from events.topics import Change, Message, Seen, decode_message, encode_message
from events.writes import System
from projections.deciding.batch import Batch
from tests.conftest import OTHER, PRACTICE
from tests.integration.data_keys import finished, fresh, killed, move, readable
from tests.integration.recorder_driver import NOON, RecorderDriver
from tests.unit.records import ADA, ADA_THERE


async def key_ids(owner: Any) -> list[str]:
    rows = await owner.fetch("SELECT key_id FROM chartwire.event WHERE practice = $1 ORDER BY sequence", PRACTICE)
    return [row["key_id"] for row in rows]


# -- finishing ------------------------------------------------------------------------------------------------------------


async def test_before_finish_everything_is_written_the_old_way(driver: RecorderDriver, owner: Any) -> None:
    assert set(await key_ids(owner)) == {"elm.1"}
    assert not any(is_keyed(one.event.id) for one in [one async for one in driver.store.read(PRACTICE)])
    assert not await is_switched(owner)


async def test_after_finish_new_bodies_have_data_keys_and_old_ones_are_read(
    driver: RecorderDriver, owner: Any, folder: Path, dsn: str
) -> None:
    """The recorder that was there before learns of it within its next transaction."""
    before = await key_ids(owner)
    (one,) = await finished(owner, folder)
    assert one == Finished(practice=PRACTICE, wrapped_by="elm.1")
    await move(driver, "Macon")
    assert set((await key_ids(owner))[len(before) :]) == {"elm.d1"}
    assert await readable(dsn, folder) == await driver.store.head(PRACTICE)
    await driver.sound()
    assert (await inspect(driver.store, PRACTICE, {})).problem is None
    assert await finished(owner, folder) == [one], "the same again changes nothing"


async def test_b4_finish_keys_what_is_stored_as_a_hash(driver: RecorderDriver, owner: Any, folder: Path) -> None:
    """For rows from before: replaced without their records, and still compared with."""
    intake, sent = await intake_of(driver)
    await intake.observe([seen("Macon")])
    await driver.recorder.record_messages(sent)
    plain = await owner.fetchval("SELECT content_hash FROM chartwire.observed WHERE resource = 'patients'")
    assert plain == fingerprint(seen("Macon").body, NOON)
    (one,) = await finished(owner, folder)
    assert one.hashes == 1
    keyed = await owner.fetchval("SELECT content_hash FROM chartwire.observed WHERE resource = 'patients'")
    assert keyed.startswith("k.")
    assert plain not in keyed
    await move(driver, "Macon")  # the recorder has read the keys
    sent.clear()
    assert await intake.observe([seen("Macon")]) == 0
    assert await intake.observe([seen("Rome")]) == 1


async def test_a_practice_whose_key_is_missing_does_not_hold_up_the_others(
    driver: RecorderDriver, owner: Any, folder: Path, dsn: str
) -> None:
    shutil.move(folder / "oak.1.key", folder.parent / "oak.1.key")
    elm, oak = await finished(owner, folder, PRACTICE, OTHER)
    assert (elm.problem, oak.problem) == ("", "practice oak needs the file oak.1.key, which is not in the folder")
    assert await readable(dsn, folder)
    shutil.move(folder.parent / "oak.1.key", folder / "oak.1.key")
    assert [one.problem for one in await finished(owner, folder, PRACTICE, OTHER)] == ["", ""]


async def test_a_key_that_rows_need_is_demanded(driver: RecorderDriver, owner: Any, folder: Path) -> None:
    """Without the old file the old rows would never be readable again: nothing is made of what is there."""
    Keyring.create_key(folder, PRACTICE)
    (folder / "elm.1.key").unlink()
    (one,) = await finished(owner, folder)
    assert "needs the file elm.1.key" in one.problem
    assert await owner.fetchval("SELECT count(*) FROM chartwire.data_key") == 0


async def test_finish_waits_for_the_last_older_owner(
    driver: RecorderDriver, owner: Any, folder: Path, owner_dsn: str
) -> None:
    """A worker of before raises the epoch alone."""
    await owner.execute("UPDATE chartwire.practice_head SET epoch = epoch + 1, owner = 'old:7'")
    with pytest.raises(OlderOwners, match=r"elm \(old:7\)"):
        await finished(owner, folder)
    assert not await is_switched(owner)
    await driver.successor()
    assert (await finished(owner, folder))[0].problem == ""


async def test_old_files_are_not_needed_after_finish(driver: RecorderDriver, owner: Any, folder: Path, dsn: str) -> None:
    Keyring.create_key(folder, PRACTICE)
    (one,) = await finished(owner, folder)
    assert (one.wrapped_by, one.retired) == ("elm.2", ("elm.1",))
    (folder / "elm.1.key").unlink()
    assert await readable(dsn, folder) == await driver.store.head(PRACTICE)


# -- one identity ---------------------------------------------------------------------------------------------------------


def seen(city: str) -> Observation:
    return Observation(
        body=EhrChartObserved(chart=replace(ADA, city=city)),
        resource="patients",
        record=str(ADA.id),
        ehr=ADA.id,
        modified=NOON,
        read_at=NOON,
        parent=str(ADA.id),
    )


async def intake_of(driver: RecorderDriver) -> tuple[Intake, list[Change]]:
    """An intake as practices have it; the list is what it has published, as it comes back from Kafka."""
    sent: list[Change] = []
    ring = driver.store.keyring

    async def publish(_practice: PracticeId, messages: Any) -> None:
        for one in messages:
            come: Message = decode_message(encode_message(one, ring), ring)
            assert isinstance(come, Change)
            sent.append(come)

    async def known(records: Any) -> dict[tuple[str, str], Seen]:
        rows = await observed.lookup_observed(driver.store.pool, PRACTICE, System.EHR, records)
        return {key: Seen(content_hash=row.content_hash, revision=row.revision) for key, row in rows.items()}

    return Intake(PRACTICE, System.EHR, publish, known, partial(hashed, ring, PRACTICE)), sent


@pytest.mark.parametrize("first", ["before", "after"])
@pytest.mark.parametrize("again", ["before", "after"])
async def test_one_redelivered_change_is_one_event_before_and_after_an_upgrade(
    first: str, again: str, driver: RecorderDriver, owner: Any, folder: Path
) -> None:
    """A webhook is delivered twice. Its messages come from workers that know of the upgrade, or do not yet."""
    intake, sent = await intake_of(driver)
    told = seen("Rome")
    messages = {"before": [intake.change(told, fingerprint(told.body, told.modified), 0)]}
    if first == "before":
        await driver.recorder.record_messages(messages["before"])
    await finished(owner, folder)
    await move(driver, "Macon")
    await intake.publish(messages["before"])
    messages["after"] = sent
    assert sent[0].event is not None
    assert is_keyed(sent[0].event.id)
    if first == "after":
        await driver.recorder.record_messages(messages["after"])
    head = await driver.store.head(PRACTICE)
    for _ in range(2):
        await driver.recorder.record_messages(messages[again])
    assert await driver.store.head(PRACTICE) == head
    charts = [one.event async for one in driver.store.read(PRACTICE) if one.event.body == told.body]
    assert [is_keyed(one.id) for one in charts] == [first == "after"]
    await driver.sound()


async def test_what_cannot_be_folded_is_set_aside_once_before_and_after(
    driver: RecorderDriver, owner: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake, sent = await intake_of(driver)
    told = seen("Rome")
    before = intake.change(told, fingerprint(told.body, told.modified), 0)
    take = Batch.take

    def poisoned(self: Batch, event: Any, *rest: Any) -> Any:
        if event.body == told.body:
            raise OverflowError
        return take(self, event, *rest)

    monkeypatch.setattr(Batch, "take", poisoned)
    await driver.recorder.record_messages([before])
    await finished(owner, folder)
    await move(driver, "Macon")
    await intake.publish([before])
    for messages in ([before], sent):
        await driver.recorder.record_messages(messages)
    types = [row["type"] for row in await owner.fetch("SELECT type FROM chartwire.event")]
    assert types.count("ChangeQuarantined") == 1


# -- rotating -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["file", "rewrapped"])
async def test_a_rotation_killed_after_any_step_goes_on_beside_two_workers(
    step: str, driver: RecorderDriver, owner: Any, owner_dsn: str, folder: Path, dsn: str
) -> None:
    """Events are not touched; both workers go on all the while; afterwards the old file alone opens nothing new."""
    await finished(owner, folder)
    other = await fresh(dsn, folder)
    await move(driver, "Macon")
    events = [tuple(row.values()) for row in await owner.fetch("SELECT * FROM chartwire.event ORDER BY sequence")]

    async def both_work(city: str) -> None:
        """The owner records what the other worker publishes, each with the keys that it knows."""
        change = driver.change(BillingChartObserved(chart=replace(ADA_THERE, city=city)))
        encoded = encode_message(change, other.keyring)
        await driver.recorder.record_messages([await decoded(driver.store, encoded)])
        back = encode_message(
            driver.change(BillingChartObserved(chart=replace(ADA_THERE, city=f"{city} again"))), driver.store.keyring
        )
        await decoded(other, back)

    await both_work("Rome")
    await killed("rotate", owner_dsn, folder, step)
    await both_work("Athens")
    assert await readable(dsn, folder) == await driver.store.head(PRACTICE)
    done = await rotate(owner, PRACTICE, folder)
    await both_work("Upton")
    assert await readable(dsn, folder) == await driver.store.head(PRACTICE)
    after = [tuple(row.values()) for row in await owner.fetch("SELECT * FROM chartwire.event ORDER BY sequence")]
    assert after[: len(events)] == events
    assert done.retired[0] == "elm.1"
    for name in done.retired:
        (folder / f"{name}.key").rename(folder.parent / f"{name}.key")
    assert await readable(dsn, folder) == len(after), "only the new file is needed"
    done.file.rename(folder.parent / done.file.name)
    for name in done.retired:
        (folder.parent / f"{name}.key").rename(folder / f"{name}.key")
    with pytest.raises(KeyMissing, match=rf"expected the file {done.file.stem}\.key"):
        await readable(dsn, folder)
    await other.close()
    assert (await inspect(driver.store, PRACTICE, {})).problem is None


async def decoded(store: Store, encoded: bytes) -> Change:
    """As the consumer does it: what is not known here is read again."""
    try:
        message = decode_message(encoded, store.keyring)
    except KeyMissing as error:
        await store.keyring.refresh([error.practice])
        message = decode_message(encoded, store.keyring)
    assert isinstance(message, Change)
    return message


async def test_a_rotation_takes_the_file_that_was_carried_to_all_machines(
    driver: RecorderDriver, owner: Any, folder: Path
) -> None:
    await finished(owner, folder)
    await owner.execute("UPDATE chartwire.practice_head SET owner = 'elsewhere:7'")
    with pytest.raises(KeyElsewhere, match=r"is at work on elsewhere: make its next key with `chartwire new-key elm`"):
        await rotate(owner, PRACTICE, folder)
    made = Keyring.create_key(folder, PRACTICE)
    assert (await rotate(owner, PRACTICE, folder)).file == made


async def test_a_rotation_before_finish_says_so(driver: RecorderDriver, owner: Any, folder: Path) -> None:
    with pytest.raises(NotFinished):
        await rotate(owner, PRACTICE, folder)
    assert [one.name for one in sorted(folder.iterdir())] == ["elm.1.key", "oak.1.key"]


async def test_the_daemon_may_neither_change_nor_delete_data_keys(driver: RecorderDriver, owner: Any, folder: Path) -> None:
    await finished(owner, folder)
    for statement in ("DELETE FROM chartwire.data_key", "UPDATE chartwire.data_key SET wrapped = ''"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await driver.store.pool.execute(statement)
