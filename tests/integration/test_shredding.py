"""A practice shredded is unreadable for ever, backups included; killed after each step it is shredded when tried again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from daemon.history.chain import inspect
from daemon.operator.key_rotation import rotate
from daemon.operator.shredding import OtherReceipt, Places, Receipt, shred
from events.data_keys import NotFinished
from events.keys import KeyMissing, Keyring
from events.store import Fenced
from tests.conftest import OTHER, PRACTICE
from tests.integration.data_keys import finished, fresh, killed, move, readable
from tests.integration.recorder_driver import RecorderDriver


@pytest.fixture
def places(folder: Path, tmp_path: Path) -> Places:
    return Places(keys=folder, receipt=tmp_path / "receipt.json")


@pytest.mark.parametrize("step", ["receipt", "database", "files"])
async def test_b6_a_practice_shredded_is_unreadable_in_backups_too(
    step: str, driver: RecorderDriver, owner: Any, owner_dsn: str, folder: Path, dsn: str, places: Places
) -> None:
    """Killed after any step and called again. The backup holds bodies of before and after data keys."""
    await finished(owner, folder, PRACTICE, OTHER)
    await move(driver, "Macon")
    kept = {name: await owner.fetch(f"SELECT * FROM chartwire.{name}") for name in ("data_key", "event")}
    chain = (await inspect(driver.store, PRACTICE, {})).chain
    await killed("shred", owner_dsn, folder, step, places.receipt)
    receipt = await shred(owner, PRACTICE, places)
    assert (receipt.state, receipt.events, receipt.chain) == ("finished", len(kept["event"]), chain.hex())
    assert msgspec.json.decode(places.receipt.read_bytes(), type=Receipt) == receipt
    assert not list(folder.glob("elm.*.key"))
    with pytest.raises(KeyMissing, match="was shredded"):
        await readable(dsn, folder)
    with pytest.raises(Fenced):
        await move(driver, "Rome")
    await restore(owner, kept["data_key"])
    with pytest.raises(KeyMissing, match=r"expected the file elm\.1\.key"):
        await readable(dsn, folder)


async def restore(owner: Any, data_keys: list[Any]) -> None:
    """Make the database what it was in a backup: not marked, with its wrapped keys."""
    await owner.execute("UPDATE chartwire.practice_head SET shredded_at = NULL WHERE practice = $1", PRACTICE)
    await owner.executemany(
        "INSERT INTO chartwire.data_key VALUES ($1, $2, $3, $4, $5, $6)",
        [tuple(row.values()) for row in data_keys if row["practice"] == PRACTICE],
    )


async def test_the_chain_the_start_and_other_practices_do_not_care(
    driver: RecorderDriver, owner: Any, folder: Path, dsn: str, places: Places
) -> None:
    await finished(owner, folder, PRACTICE, OTHER)
    await move(driver, "Macon")
    await shred(owner, PRACTICE, places)
    seen_ = await inspect(driver.store, PRACTICE, {})
    assert (seen_.problem, seen_.sequence) == (None, await driver.store.head(PRACTICE))
    store = await fresh(dsn, folder)
    assert (store.keyring.shredded(PRACTICE), store.keyring.has(OTHER)) == (True, True)
    key_id, sealed = store.keyring.seal(OTHER, b"", b"body")
    assert store.keyring.open_sealed(key_id, b"", sealed) == b"body"
    await store.close()
    assert await finished(owner, folder, PRACTICE, OTHER), "finishing again makes it no keys"
    assert await owner.fetchval("SELECT count(*) FROM chartwire.data_key WHERE practice = $1", PRACTICE) == 0


async def test_a_new_key_file_does_not_raise_the_dead(
    driver: RecorderDriver, owner: Any, folder: Path, dsn: str, places: Places
) -> None:
    await finished(owner, folder)
    await shred(owner, PRACTICE, places)
    Keyring.create_key(folder, PRACTICE)
    with pytest.raises(KeyMissing, match="was shredded"):
        await readable(dsn, folder)


async def test_a_key_file_that_cannot_be_deleted_is_named(
    driver: RecorderDriver, owner: Any, folder: Path, places: Places
) -> None:
    """A folder that is read-only to the service, or credentials of systemd. A link stands for it: it is not followed."""
    await finished(owner, folder)
    file, elsewhere = folder / "elm.1.key", folder.parent / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    receipt = await shred(owner, PRACTICE, places)
    assert (receipt.state, receipt.to_delete) == ("unfinished", (str(file),))
    assert f"DELETE BY HAND, then run the command again: {file}" in places.text.read_text()
    file.unlink()
    receipt = await shred(owner, PRACTICE, places)
    assert (receipt.state, receipt.to_delete) == ("finished", ())
    assert "elm.1.key" in places.text.read_text(), "copies are still to be deleted"


async def test_a_receipt_names_every_file_there_ever_was(
    driver: RecorderDriver, owner: Any, folder: Path, places: Places
) -> None:
    """A file that was rotated away opens backups from before the rotation."""
    await finished(owner, folder)
    done = await rotate(owner, PRACTICE, folder)
    for name in done.retired:
        (folder / f"{name}.key").unlink()
    receipt = await shred(owner, PRACTICE, places)
    assert (receipt.key_files, receipt.destroyed) == (("elm.1", "elm.2"), ("elm.2",))
    text = places.text.read_text()
    for said in ("elm.1.key, elm.2.key", "Archives of the practice", "listeners", "Copies of the key files"):
        assert said in text


async def test_a_receipt_overwrites_nothing(driver: RecorderDriver, owner: Any, folder: Path, places: Places) -> None:
    await finished(owner, folder)
    places.receipt.write_text('{"somebody": "else"}')
    with pytest.raises(OtherReceipt):
        await shred(owner, PRACTICE, places)
    assert places.receipt.read_text() == '{"somebody": "else"}'
    assert (folder / "elm.1.key").exists()
    places.receipt.unlink()
    places.receipt.symlink_to(folder.parent / "nowhere")
    with pytest.raises(FileExistsError):
        await shred(owner, PRACTICE, places)
    assert (folder / "elm.1.key").exists()


async def test_before_finish_nothing_is_shredded(driver: RecorderDriver, owner: Any, folder: Path, places: Places) -> None:
    """An older worker would go on with the key in its memory."""
    with pytest.raises(NotFinished):
        await shred(owner, PRACTICE, places)
    assert ((folder / "elm.1.key").exists(), places.receipt.exists()) == (True, False)
