"""Servers and stores for the tests: real ones, started on loopback, stopped by their process id."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import pytest_asyncio
import structlog

from daemon.config import Config
from daemon.demo.embedded import EmbeddedBroker, EmbeddedPostgres
from events.codec import Keyring
from events.ids import PracticeId
from events.migrate import migrate
from events.store import Store

TEMPLATE = "chartwire_template"
PRACTICE = PracticeId("elm")
OTHER = PracticeId("oak")
SHARED = Path(__file__).resolve().parents[2] / "shared"
_numbers = itertools.count(1)


CLINIC_DAY, BOTH_WAYS = "the clinic day", "the clinic day both ways"
LONGEST = (
    "tests/simulation",
    CLINIC_DAY,
    "tests/kafka",
    "tests/simulation/test_bugs.py",
    "tests/contract/test_random_bookings.py",
    "tests/crash/test_sigkill.py",
    "tests/crash/test_matrix.py",
    "tests/simulation/test_left_alone.py",
    "tests/stored/test_up_and_down.py",
    "tests/simulation/test_outage.py",
    "tests/crash/test_restart_in_outage.py",
    BOTH_WAYS,
    "tests/integration/test_onboarding.py",
    "tests/acceptance/test_demo_ends.py",
    "tests/acceptance/test_alerts.py",
    "tests/acceptance/test_drift.py",
    "tests/acceptance/test_recovery.py",
    "tests/browser/test_every_page.py",
    "tests/acceptance/test_onboarding_first_day.py",
    "tests/faults/test_day.py",
    "tests/acceptance/test_holding.py",
    "tests/acceptance/test_console.py",
    "tests/simulation/test_poison.py",
    "tests/bench/test_bench.py",
)
"""Groups of half a minute and more on two processors, longest first: most have few tests, so xdist, which counts tests, would begin them last."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item], config: pytest.Config) -> None:
    """For `pytest -n 3 --dist loadgroup --no-loadscope-reorder`: tests that share what takes long to start stay together in one process,
    and the longest groups begin first, so that no processor waits for one of them in the end."""
    groups = {item: group_of(item) for item in items}
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(group))
    if getattr(config.option, "loadgroup", False):
        tests = Counter(groups.values())
        items.sort(key=lambda item: (rank(groups[item]), -tests[groups[item]]))


def group_of(item: pytest.Item) -> str:
    """The tests with which one shares what takes long to start: those of its file, mostly."""
    file = item.nodeid.partition("::")[0]
    if "played_day" in getattr(item, "fixturenames", ()):
        return CLINIC_DAY
    if "played_both_ways" in getattr(item, "fixturenames", ()):
        return BOTH_WAYS
    return file.rpartition("/")[0] if file.startswith(("tests/kafka/", "tests/simulation/test_seeds")) else file


def rank(group: str) -> int:
    return LONGEST.index(group) if group in LONGEST else len(LONGEST)


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A command that ran in this process decides how everything is logged, and its threshold would silence the tests that follow."""
    root, kept = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.configure(**kept)
    root.handlers[:] = handlers
    root.setLevel(level)


def pytest_collection_finish(session: pytest.Session) -> None:
    """pytest 9.2.0 overlooks pytest-xdist's groups without a word (9.1.1 does not, see constraints.txt)."""
    if getattr(session.config.option, "loadgroup", False) and any("@" not in item.nodeid for item in session.items):
        raise pytest.UsageError("this pytest and this pytest-xdist do not keep groups of tests together")
    gc.freeze()  # what was collected stays to the end: the collector would go over all of it again and again


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres() -> AsyncIterator[EmbeddedPostgres]:
    """One server for all tests, with a migrated database to copy."""
    async with EmbeddedPostgres() as server:
        await migrate(await server.create_database(TEMPLATE))
        await server.create_daemon_role()
        await server.create_console_role()
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def broker() -> AsyncIterator[EmbeddedBroker]:
    async with EmbeddedBroker() as server:
        yield server


@pytest_asyncio.fixture
async def database(postgres: EmbeddedPostgres) -> str:
    """The name of a fresh migrated database."""
    name = f"test_{next(_numbers)}"
    await postgres.create_database(name, template=TEMPLATE)
    return name


@pytest.fixture
def dsn(postgres: EmbeddedPostgres, database: str) -> str:
    """As the daemon connects: a role that cannot change events."""
    return postgres.dsn(database, "chartwire")


@pytest.fixture
def console_dsn(postgres: EmbeddedPostgres, database: str) -> str:
    """As the console connects."""
    return postgres.dsn(database, "console")


@pytest.fixture
def owner_dsn(postgres: EmbeddedPostgres, database: str) -> str:
    return postgres.dsn(database)


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    folder = tmp_path / "keys"
    folder.mkdir()
    for practice in (PRACTICE, OTHER):
        Keyring.create_key(folder, practice)
    return Keyring.from_directory(folder)


@pytest_asyncio.fixture
async def store(dsn: str, keyring: Keyring) -> AsyncIterator[Store]:
    opened = await Store.open(dsn, keyring)
    yield opened
    await opened.close()


@asynccontextmanager
async def at_work(work: Coroutine[object, object, object]) -> AsyncIterator[None]:
    """Let it run beside what follows, and end it then."""
    running = asyncio.create_task(work)
    try:
        yield
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def until(condition: object, seconds: float = 15.0) -> None:
    """Wait until `condition()` is true; fails after `seconds`."""
    async with asyncio.timeout(seconds):
        while True:
            answer = condition()  # type: ignore[operator]
            if asyncio.iscoroutine(answer):
                answer = await answer
            if answer:
                return
            await asyncio.sleep(0.01)


async def opened_store(config: Config, folder: Path) -> Store:
    """The store of a rehearsal, for looking."""
    return await Store.open(config.postgres.dsn, Keyring.from_directory(folder / config.keys.directory))
