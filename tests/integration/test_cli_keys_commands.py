"""The commands about keys and archives as people call them, on a real PostgreSQL: what they say, what they leave, how they end."""

from __future__ import annotations

import asyncio
import base64
import re
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from daemon.__main__ import main
from daemon.cli.check import without_key
from daemon.config import load
from daemon.sandbox.clinic import Clinic
from daemon.vendors.registry import SECTIONS
from events.archive import MAGIC, ArchiveReader, Recipient
from events.keys import Keyring
from events.store import Store
from tests.conftest import PRACTICE
from tests.integration.recorder_driver import RecorderDriver

PHRASE = "correct horse battery staple"


class Office:
    """A practice's folder with its configuration, and the commands called there."""

    def __init__(self, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.config = config
        self.keys = config.parent / "keys"
        self.folder = config.parent
        self._capsys = capsys
        (self.folder / "phrase").write_text(PHRASE)

    async def run(self, *arguments: object, code: int = 0) -> str:
        """All that the command said."""
        given = [*(str(one) for one in arguments), "--config", str(self.config)]
        ended = await asyncio.to_thread(main, given)
        said = "".join(self._capsys.readouterr())
        assert ended == code, said
        return said

    async def export(self, *more: object, code: int = 0) -> str:
        phrase = ("--passphrase-file", self.folder / "phrase")
        return await self.run("export", PRACTICE, "--out", self.folder / "elm.archive", *(more or phrase), code=code)


@pytest_asyncio.fixture
async def office(
    store: Store, keyring: Keyring, dsn: str, owner_dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Office:
    config = Clinic(offices=1).write_config(
        tmp_path, dsn=dsn, migrate_dsn=owner_dsn, bootstrap_servers="127.0.0.1:9", listen="127.0.0.1:9"
    )
    text = config.read_text()
    for name in ("base_url", "endpoint", "wsdl"):  # nobody calls them
        text = re.sub(rf'^{name} = ".*"$', f'{name} = "http://127.0.0.1:9/"', text, flags=re.MULTILINE)
    config.write_text(text)
    assert [one.id for one in load(config, SECTIONS).practice] == [PRACTICE]
    driver = RecorderDriver(store, keyring, await store.take_over(PRACTICE))
    await driver.open()
    await driver.link()
    return Office(config, capsys)


async def test_finish_rotate_and_shred_say_what_to_do(office: Office, store: Store) -> None:
    for command in (("rotate-key", PRACTICE), ("shred", PRACTICE, "--confirm", PRACTICE, "--receipt", "receipt.json")):
        assert "elm: its data keys are not in the database yet: run `chartwire migrate --finish`" in await office.run(
            *command, code=1
        )
    Keyring.create_key(office.keys, PRACTICE)
    said = await office.run("migrate", "--finish")
    assert "elm: its data keys are wrapped by elm.2.key" in said
    assert "elm.1.key is not needed any more and can be deleted, with all its copies" in said
    said = await office.run("rotate-key", PRACTICE)
    assert "elm.3.key: back it up apart from the database, and copy it to every machine" in said
    assert f"still to be deleted: {office.keys}/elm.1.key" in said
    said = await office.run("rotate-key", PRACTICE, "--delete-old")
    assert f"deleted: {office.keys}/elm.3.key" in said
    assert "a copy of elm.2.key still opens what elm stored before" in said
    assert sorted(one.name for one in office.keys.glob("elm.*")) == ["elm.4.key"]
    assert "equal, byte for byte" in await office.run("replay", PRACTICE, "--verify")


async def test_shred_asks_and_leaves_a_receipt(office: Office, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await office.run("migrate", "--finish")
    receipt = office.folder / "receipt.json"
    for typed in ("oak", "", "ELM"):
        assert "not confirmed: nothing was done" in await office.run(
            "shred", PRACTICE, "--confirm", typed, "--receipt", receipt, code=2
        )
    monkeypatch.setattr("builtins.input", lambda prompt: "yes")
    assert "not confirmed" in await office.run("shred", PRACTICE, "--receipt", receipt, code=2)
    assert (receipt.exists(), (office.keys / "elm.1.key").exists()) == (False, True)
    monkeypatch.setattr("builtins.input", lambda prompt: " elm ")
    said = await office.run("shred", PRACTICE, "--receipt", receipt)
    assert "Shredding of practice elm: finished" in said
    assert "key file destroyed: elm.1.key" in said
    assert receipt.with_suffix(".txt").read_text() in said
    assert f"elm: {await store.head(PRACTICE)} events as they were recorded" in await office.run("audit", "verify")
    assert "was shredded on" in await office.run("replay", PRACTICE, code=1)
    assert "bodies could not be opened: the archive proves them" in await office.export()
    shredded = Keyring.from_directory(office.keys)
    assert [key for key, _ in without_key(load(office.config, SECTIONS), shredded)] == ["keys.directory"]
    assert without_key(load(office.config, SECTIONS), shredded, {PRACTICE}) == []


async def test_a_command_that_cannot_reach_postgresql_says_so(office: Office) -> None:
    """Which server, that it is away, what to do; exit code 3 is that of a server that is away."""
    text = office.config.read_text()
    office.config.write_text(text.replace("migrate_dsn = ", 'migrate_dsn = "postgresql://127.0.0.1:9/none" # '))
    for command in (("rotate-key", PRACTICE), ("shred", PRACTICE, "--confirm", PRACTICE, "--receipt", "receipt.json")):
        said = await office.run(*command, code=3)
        assert "postgres.dsn: PostgreSQL at 127.0.0.1:9, database none cannot be reached (ConnectionRefusedError)" in said
        assert "try again when it is back" in said
        assert "Traceback" not in said


# -- archives -------------------------------------------------------------------------------------------------------------


def archived(file: Path) -> tuple[dict[str, bytes], list[dict[str, Any]], list[dict[str, Any]]]:
    """(its keys, the rows as stored, the rows as shown)."""
    found: list[list[dict[str, Any]]] = []
    for way in (ArchiveReader.stored, ArchiveReader.rows):
        with file.open("rb") as stream:
            reader = ArchiveReader(stream, Recipient(passphrase=PHRASE))
            found.append([row for batch in way(reader) for row in batch])
    return reader.manifest.keys, found[0], found[1]


@pytest.mark.parametrize("finished", [False, True], ids=["before finish", "after finish"])
async def test_b6_an_archive_opens_nothing_that_is_stored_later(office: Office, owner_dsn: str, finished: bool) -> None:
    """It has a key of its own; what it holds of the live keys opens no row, stored before or later."""
    if finished:
        await office.run("migrate", "--finish")
    said = await office.export()
    keys, stored, shown = archived(office.folder / "elm.archive")
    assert f"{len(stored)} events of elm" in said
    alone = Keyring(keys)
    owner = await asyncpg.connect(owner_dsn)
    live = await owner.fetch("SELECT key_id, body FROM chartwire.event")
    await owner.close()
    files = [base64.b64decode(one.read_text()) for one in office.keys.glob("*.key")]
    assert not set(files) & set(keys.values())
    assert not {one["key_id"] for one in live} & set(keys)
    assert [one["body"] for one in stored] == [one["body"] for one in live]
    assert all(one["key_id"] in keys for one in shown)
    (office.keys / "elm.1.key").unlink()
    there = ("--archive", office.folder / "elm.archive", "--passphrase-file", office.folder / "phrase")
    assert f"{len(stored)} events as they were recorded" in await office.run("audit", "verify", *there)
    assert f"elm as of #{len(stored)}" in await office.run("replay", PRACTICE, *there)
    assert alone.has(PRACTICE)


async def test_b6_an_archive_is_not_locked_with_a_live_key(office: Office) -> None:
    said = await office.export("--key-file", office.keys / "elm.1.key", code=2)
    assert "is the key of a practice; an archive has a key of its own" in said
    assert [one.name for one in office.folder.glob("elm.archive*")] == []
    own = Keyring.create_key(office.folder, PRACTICE)
    await office.export("--key-file", own)


async def test_b6_a_partial_archive_follows_no_link(office: Office) -> None:
    """Neither to a file, which would be emptied, nor to where there is none yet."""
    partial, victim = office.folder / "elm.archive.partial", office.folder / "victim"
    victim.write_text("precious")
    for target in (victim, office.folder / "nowhere"):
        partial.symlink_to(target)
        assert f"{partial}: cannot be made" in await office.export(code=1)
        partial.unlink()
    assert (victim.read_text(), (office.folder / "nowhere").exists()) == ("precious", False)
    partial.write_text("of another export")
    assert "another export is making it, or one was killed: delete it" in await office.export(code=1)
    assert partial.read_text() == "of another export"
    partial.unlink()
    await office.export()
    assert not partial.exists()
    assert (office.folder / "elm.archive").read_bytes().startswith(MAGIC)
