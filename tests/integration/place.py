"""A folder with a configuration, keys and a database where something was recorded, for tests of commands that run in this process."""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import pytest_asyncio

from daemon.demo.embedded import EmbeddedPostgres, free_port
from daemon.operator.commands import Followed
from daemon.sandbox.clinic import Clinic
from events.codec import Keyring
from events.store import Store
from tests.conftest import OTHER, PRACTICE, TEMPLATE
from tests.integration.recorder_driver import RecorderDriver, insured
from tests.unit.records import ADA_THERE, BLUE

CHART = f"kareo:{ADA_THERE.id}"
NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Place:
    """A folder with a configuration and keys, and what was recorded there."""

    folder: Path
    request: int

    @property
    def config(self) -> Path:
        return self.folder / "chartwire.toml"


@asynccontextmanager
async def recording(
    postgres: EmbeddedPostgres, factory: pytest.TempPathFactory, prefix: str
) -> AsyncIterator[tuple[RecorderDriver, str, Path]]:
    """A new database with keys, and who records in it: (driver, name of the database, folder of keys)."""
    folder = factory.mktemp("recorded") / "keys"
    folder.mkdir()
    for practice in (PRACTICE, OTHER):
        Keyring.create_key(folder, practice)
    keyring, name = Keyring.from_directory(folder), f"{prefix}_{next(NUMBERS)}"
    await postgres.create_database(name, template=TEMPLATE)
    store = await Store.open(postgres.dsn(name, "chartwire"), keyring)
    try:
        desk = RecorderDriver(store, keyring, await store.take_over(PRACTICE))
        await desk.open()
        yield desk, name, folder
    finally:
        await store.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def recorded(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, int]:
    """A database with a linked patient whose chart differs: (name, folder of keys, sequence of a request)."""
    async with recording(postgres, tmp_path_factory, "failing") as (desk, name, folder):
        await desk.link(there=insured(BLUE))
        requests = [one.sequence async for one in desk.store.by_type(PRACTICE, "IntentRequested")]
    return name, folder, requests[0]


@pytest.fixture(scope="module")
def nobody() -> str:
    """Where no server listens."""
    return f"127.0.0.1:{free_port()}"


Make = Callable[[str], Place]


@pytest.fixture
def place(tmp_path: Path, recorded: tuple[str, Path, int], nobody: str) -> Make:
    """A place whose configuration has this dsn, with the keys of what was recorded; Kafka and the vendors are away."""

    def make(dsn: str) -> Place:
        shutil.copytree(recorded[1], tmp_path / "keys")
        clinic = Clinic()
        file = clinic.write_config(
            tmp_path,
            dsn=dsn,
            bootstrap_servers=nobody,
            listen="127.0.0.1:8440",
            console=(dsn.replace("//chartwire@", "//console@"), f"127.0.0.1:{free_port()}"),
        )
        vendor = rf'\1 = "http://{nobody}/x"'
        file.write_text(re.sub(r'^(base_url|wsdl|endpoint) = ".*"$', vendor, file.read_text(), flags=re.MULTILINE))
        file.chmod(0o600)
        (tmp_path / "other.toml").write_text("[overrides]\nbatch_numbers = true\n")
        (tmp_path / "passphrase").write_text("correct horse battery staple\n")
        (tmp_path / "a.csv").write_text("id,last_name\n1,Byron\n")
        assert file == Place(tmp_path, 0).config
        return Place(tmp_path, recorded[2])

    return make


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Followed]:
    """What would have been published: Kafka is away here."""
    asked: list[Followed] = []

    async def take(_bus: object, _store: object, several: Sequence[Followed], **_more: object) -> None:
        asked.extend(several)

    async def nothing(*_any: object) -> None: ...

    monkeypatch.setattr("daemon.cli.asking.bus_of", lambda *_any: SimpleNamespace(stop=nothing))
    monkeypatch.setattr("daemon.cli.asking._reach", nothing)
    monkeypatch.setattr("daemon.cli.asking.write_all", take)
    return asked
