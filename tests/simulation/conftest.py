"""`--seed N` replays one seed and nothing else; `--seeds N` is how many are run (200, as in CI).

And a store on the stand-in for PostgreSQL, `memory`, beside one on the real one, `real`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from events.codec import Keyring
from events.ids import PatientKey
from events.store import Store
from tests.simulation.crowd import crowd
from tests.simulation.postgres import MemoryDatabase

SEEDS = 200
CHUNK = 25
ONCE_FELL = (
    481,
    662,
    669,
    791,
    796,
    798,
    1491,
    2499,
    2599,
    3007,
    3084,
    3178,
    3255,
    3419,
    4203,
    4306,
    4605,
    4811,
    5355,
    6270,
    6362,
    6545,
    3893,
    7737,
    1544,
    438,
    660,
    834,
    3322,
    6054,
    130211,
    231821,
    232310,
    241409,
)
"""Days beyond the first ones that found something, in the daemon or in its judge."""

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
KEYS = [PatientKey(key) for key in ("E:1", "E:2", "E:10", "K:1", "K:2", "")]
_numbers = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=None, help="replay this seed of the simulation, with its story")
    parser.addoption("--seeds", type=int, default=SEEDS, help="how many seeds of the simulation to run")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seeds" in metafunc.fixturenames:
        one = metafunc.config.getoption("seed", default=None)
        most = metafunc.config.getoption("seeds", default=SEEDS)
        many = [*(tuple(range(at, at + CHUNK)) for at in range(1, most + 1, CHUNK)), ONCE_FELL]
        chunks = many if one is None else [(one,)]
        metafunc.parametrize("seeds", chunks, ids=[f"{chunk[0]}-{chunk[-1]}" for chunk in chunks])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --seed only the test of that seed."""
    if config.getoption("seed", default=None) is not None:
        items[:] = [item for item in items if item.name.startswith("test_no_invariant_is_violated")]


@pytest.fixture(scope="session")
def processes() -> Iterator[ProcessPoolExecutor]:
    """Child processes for seeds."""
    with crowd() as pool:
        yield pool


def ticking() -> Callable[[], datetime]:
    """A clock that is later each time it is asked."""
    ticks = itertools.count()
    return lambda: NOW + timedelta(milliseconds=next(ticks))


@pytest.fixture
def database() -> MemoryDatabase:
    return MemoryDatabase(clock=ticking())


@pytest_asyncio.fixture
async def memory(database: MemoryDatabase, keyring: Keyring) -> AsyncIterator[Store]:
    store = Store(database.pool(), keyring)
    yield store
    async with asyncio.timeout(5):
        await store.close()


@pytest_asyncio.fixture
async def real(postgres: Any, keyring: Keyring) -> AsyncIterator[Store]:
    name = f"contract_{next(_numbers)}"
    await postgres.create_database(name, template="chartwire_template")
    store = await Store.open(postgres.dsn(name, "chartwire"), keyring)
    yield store
    await store.close()
