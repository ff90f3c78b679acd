"""What `chartwire status` shows: reports of owners, shares of Kareo's limits, and who shares them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from daemon.cli.status import lines
from daemon.config import load
from daemon.demo.embedded import EmbeddedBroker, free_port
from daemon.runtime.practice import PracticeRuntime, prepare
from daemon.runtime.reporter import Reporter
from daemon.runtime.surroundings import surroundings
from daemon.runtime.taking import Taken
from daemon.runtime.vendor_accounts import accounts
from daemon.sandbox.clinic import Clinic
from daemon.tables import observed as compared
from daemon.tables.status import PracticeStatus, Report, practice_status, save_reports
from daemon.vendors.ports.vendor import Limits
from daemon.vendors.registry import SECTIONS
from events.ids import PracticeId
from events.store import Store
from events.writes import System
from projections.terms.names import NAMES
from tests.conftest import OTHER, PRACTICE
from tests.integration.test_store import append, observed


async def test_a_practice_shows_its_owner_and_what_it_says(store: Store) -> None:
    assert await practice_status(store.pool, PRACTICE) == PracticeStatus(practice=PRACTICE)
    await store.take_over(PRACTICE, "old:1")
    epoch = await store.take_over(PRACTICE, "new:2")
    await append(store, epoch, observed(1), observed(2))
    await compared.set_checkpoint(store.pool, PRACTICE, "feed", "1")
    await compared.set_checkpoint(store.pool, PRACTICE, "kareo.patients", "x")
    report = Report(failing={"kareo.patients": "Unreachable"}, queued={System.BILLING: 2}, budget={"GetPatients": 0.5})
    await save_reports(store.pool, {PRACTICE: (epoch, report)})
    await save_reports(store.pool, {PRACTICE: (epoch - 1, Report())})
    row = await practice_status(store.pool, PRACTICE)
    assert (row.events, row.epoch, row.owner, row.unfed, list(row.sources)) == (2, 2, "new:2", 1, ["kareo.patients"])
    assert row.report == report, "a worker that was overtaken does not overwrite its successor's report"
    text = "\n".join(lines(row, ZoneInfo("America/Denver"), NAMES))
    for words in (
        f"owner new:2 since {row.taken_at.astimezone(ZoneInfo('America/Denver')):%Y-%m-%d %H:%M:%S %Z}",
        "1 events not published outward yet",
        "kareo.patients 0 s ago",
        "GetPatients 50%",
    ):
        assert words in text
    for words in ("2 writes to Kareo", "failing: kareo.patients: Unreachable", "nothing open, nothing waits"):
        assert words in text


async def test_a_report_of_an_earlier_epoch_is_not_shown(store: Store) -> None:
    epoch = await store.take_over(PRACTICE, "old:1")
    await save_reports(store.pool, {PRACTICE: (epoch, Report(queued={System.BILLING: 2}))})
    await store.take_over(PRACTICE, "new:2")
    assert (await practice_status(store.pool, PRACTICE)).report is None


@pytest_asyncio.fixture
async def practices(tmp_path: Path, dsn: str, broker: EmbeddedBroker) -> AsyncIterator[dict[PracticeId, PracticeRuntime]]:
    """Three as their owner has them, not begun: nobody calls but the tests. The first two share a customer key of Kareo."""
    clinic = Clinic(limits_scale=1.0, offices=3)
    await clinic.start()
    file = clinic.write_config(
        tmp_path, dsn=dsn, bootstrap_servers=broker.bootstrap_servers, listen=f"127.0.0.1:{free_port()}"
    )
    (tmp_path / "oak.kareo-key").write_text((tmp_path / "elm.kareo-key").read_text())
    async with surroundings(load(file, SECTIONS), tmp_path) as around:
        yield {
            PracticeId(one.id): PracticeRuntime(one, around, await prepare(one, around), Taken(1))
            for one in around.config.practice
        }
    await clinic.stop()


def limits(practice: PracticeRuntime) -> Limits:
    found = practice.opened[System.BILLING].limits
    assert found is not None
    return found


async def test_the_share_of_a_limit_is_that_of_the_whole_key(practices: dict[PracticeId, PracticeRuntime]) -> None:
    shared, other, own = practices.values()
    assert limits(shared) is limits(other)
    reporter = Reporter()
    assert reporter.report(practices, 100.0)[PRACTICE].budget == {}, "no rate before a second look"
    limits(shared).calls["GetPatients"] = 8  # one in 1.25 s is all that fits
    limits(own).calls["GetPatients"] = 2
    for connector in shared.connectors.values():
        connector.passes.failing["chart:12"] = "Malformed"
    made = reporter.report(practices, 110.0)
    assert [made[one].budget["GetPatients"] for one in practices] == [1.0, 1.0, 0.25]
    assert made[PRACTICE].failing == {"elation.chart": "Malformed", "kareo.chart": "Malformed"}, "no chart ids"
    assert made[OTHER].failing == {}, "what fails is one practice's"
    assert reporter.report(practices, 120.0)[PRACTICE].budget == {"GetPatients": 0.5}, (
        "half of what fitted since the first look"
    )


async def test_the_share_of_a_limit_is_that_of_the_last_five_minutes(practices: dict[PracticeId, PracticeRuntime]) -> None:
    """As long as the usual time between two polls, so that status shows them whenever it is asked."""
    reporter, mine = Reporter(), {PRACTICE: practices[PRACTICE]}
    reporter.report({}, 0.0)
    limits(mine[PRACTICE]).calls["GetPatients"] = 6
    assert reporter.report(mine, 15.0)[PRACTICE].budget == {"GetPatients": 0.5}, "new since the last look"
    for now in range(30, 315, 15):
        assert reporter.report(mine, float(now))[PRACTICE].budget
    assert reporter.report(mine, 315.0)[PRACTICE].budget == {}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    clinic = Clinic()
    asyncio.run(_started(clinic))
    return clinic.write_config(
        tmp_path, dsn="postgresql://localhost/x", bootstrap_servers="127.0.0.1:1", listen="127.0.0.1:1"
    )


async def _started(clinic: Clinic) -> None:
    await clinic.start()
    await clinic.stop()


def test_practices_with_one_customer_key_are_one_account(config: Path) -> None:
    """Whoever owns one owns all of them, so that one limiter sees every call of the key."""
    folder = config.parent
    assert accounts(load(config, SECTIONS), folder) == {}
    (folder / "oak.kareo-key").write_text((folder / "elm.kareo-key").read_text())
    assert accounts(load(config, SECTIONS), folder) == {"oak": "elm"}
