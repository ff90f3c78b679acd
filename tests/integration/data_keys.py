"""A practice stored the old way, with its files of keys and its database's owner, for tests of finishing, rotating and shredding."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from msgspec.structs import replace

from daemon.operator.finishing import Finished, finish
from daemon.tables import documents as tables
from events.keys import Keyring
from events.schema import BillingChartObserved
from events.store import Store
from tests.conftest import PRACTICE
from tests.integration.recorder_driver import RecorderDriver
from tests.unit.records import ADA_THERE

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(keyring: Keyring, tmp_path: Path) -> Path:
    """Where the fixture `keyring` has its files."""
    return tmp_path / "keys"


@pytest_asyncio.fixture
async def owner(owner_dsn: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(owner_dsn, server_settings={"timezone": "UTC"})
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def driver(store: Store, keyring: Keyring) -> RecorderDriver:
    """A practice with a patient of both sides, stored the old way."""
    driver = RecorderDriver(store, keyring, await store.take_over(PRACTICE))
    await driver.open()
    await driver.link()
    return driver


async def finished(owner: Any, folder: Path, *practices: str) -> list[Finished]:
    return [one async for one in finish(owner, practices or (PRACTICE,), Keyring.from_directory(folder))]


async def fresh(dsn: str, folder: Path) -> Store:
    """What a process sees that starts now."""
    return await Store.open(dsn, Keyring.from_directory(folder), max_size=2)


async def readable(dsn: str, folder: Path) -> int:
    """How many events a process that starts now reads; documents are read too. Raises KeyMissing."""
    store = await fresh(dsn, folder)
    try:
        await tables.read_patients(store.pool, PRACTICE, store.keyring)
        return len([one async for one in store.read(PRACTICE)])
    finally:
        await store.close()


async def killed(what: str, dsn: str, folder: Path, last: str, receipt: Path = Path("none")) -> None:
    """Run it in a process that dies right after the step `last`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.killed", what, dsn, PRACTICE, str(folder), str(receipt), last, cwd=ROOT
    )
    assert await process.wait() == -signal.SIGKILL


async def move(driver: RecorderDriver, city: str) -> None:
    await driver.see(BillingChartObserved(chart=replace(ADA_THERE, city=city)))
