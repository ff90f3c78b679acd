"""Every alert fires and clears: a real worker is driven into trouble, its scrapes become the series that promtool tests the rules with.

What no scenario brings about within a test's time is the last scrape with that one value raised: the series is a real one all the same.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from daemon.config import load
from daemon.demo.rehearsal import prepare, servers
from daemon.instruments import Instruments
from daemon.runtime import worker as working
from daemon.runtime.surroundings import surroundings
from daemon.runtime.worker import Worker
from daemon.sandbox.clinic import Clinic
from daemon.sandbox.front_desk import FrontDesk
from daemon.vendors.sections import SECTIONS
from tests.acceptance.test_metrics import samples
from tests.conftest import until
from tests.promtool import promtool

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "chartwire.rules.yml"
MINUTES = 75
"""How long a stage lasts for Prometheus: longer than the longest window and the longest `for` together."""

LOAD = ("chartwire_event_loop_delay_seconds", "chartwire_database_waiting")
"""What the load of the test's machine decides: nothing, but in the stages that raise it."""

Labels = tuple[tuple[str, str], ...]
Scrape = Mapping[tuple[str, Labels], float]


AT_LEISURE: list[tuple[str, Labels]] = [
    ("chartwire_database_waiting", (("instance", "w1"), ("job", "chartwire"))),
    *(
        ("chartwire_event_loop_delay_seconds_bucket", (("instance", "w1"), ("job", "chartwire"), ("le", le)))
        for le in ("0.001", "0.25", "1.0", "+Inf")
    ),
]


def read(text: str) -> Scrape:
    rows = samples(text)
    return {
        (name, tuple(sorted((labels | {"instance": "w1", "job": "chartwire"}).items()))): value
        for name, found in rows.items()
        for labels, value in found
        if name.startswith("chartwire_") and not name.startswith(LOAD)
    } | dict.fromkeys(AT_LEISURE, 0.0)


def raised(scrape: Scrape, name: str, by: float, **labels: str) -> Scrape:
    """The scrape with one series raised: everything else as it was."""
    wanted = set(labels.items())
    keys = [one for one in scrape if one[0] == name and wanted <= set(one[1])]
    assert keys, f"no series {name} {labels}"
    return {key: value + by * (key in keys) for key, value in scrape.items()}


@dataclass
class Stage:
    """What Prometheus sees for `MINUTES`: from the first scrape to the second, straight; and the alerts that fire at the end."""

    name: str
    first: Scrape
    last: Scrape
    fire: set[str] = field(default_factory=set)
    up: int = 1


def series(stages: Sequence[Stage]) -> list[dict[str, str]]:
    """The stages one after the other, a sample a minute. Counters go on from where the stage before ended."""
    keys = sorted({key for stage in stages for scrape in (stage.first, stage.last) for key in scrape})
    found = []
    for name, labels in keys:
        counter = name.endswith(("_total", "_count", "_sum", "_bucket"))
        values, total = [], 0.0
        for stage in stages:
            low, high = stage.first.get((name, labels)), stage.last.get((name, labels))
            if counter:
                step = max(0.0, (high or 0.0) - (low or 0.0)) / MINUTES
                values.append(f"{total}+{step}x{MINUTES - 1}")
                total += step * MINUTES
            elif not stage.up or high is None:
                values.append(f"_x{MINUTES}")
            else:
                values.append(f"{high}+0x{MINUTES - 1}")
        given = ",".join(f"{label}={json.dumps(value)}" for label, value in labels)
        found.append({"series": f"{name}{{{given}}}", "values": " ".join(values)})
    ups = " ".join(f"{stage.up}+0x{MINUTES - 1}" for stage in stages)
    return [*found, {"series": 'up{instance="w1",job="chartwire"}', "values": ups}]


def check(stages: Sequence[Stage], folder: Path) -> None:
    """promtool says that at each stage's end its alerts fire, and no other."""
    tool = promtool()
    if tool is None:
        pytest.skip("promtool is not here, and Debian's package cannot be downloaded")
    expected = [
        {
            "expr": 'group by (alertname) (ALERTS{alertstate="firing"})',
            "eval_time": f"{MINUTES * number + MINUTES - 1}m",
            "exp_samples": [{"labels": f'{{alertname="{one}"}}', "value": 1} for one in sorted(stage.fire)],
        }
        for number, stage in enumerate(stages)
    ]
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": series(stages), "promql_expr_test": expected}],
    }
    file = folder / "alerts.json"  # JSON is YAML
    file.write_text(json.dumps(test))
    done = subprocess.run([tool, "test", "rules", file], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def alerts() -> set[str]:
    return set(re.findall(r"- alert: (\w+)", RULES.read_text()))


# -- a real worker in trouble ---------------------------------------------------------------------------------------------


@dataclass
class Stand:
    """A worker at work for two practices; `ahead` is how far its clock is moved."""

    clinic: Clinic
    worker: Worker
    owner: str
    address: str
    http: aiohttp.ClientSession
    ahead: timedelta = timedelta()

    async def scrape(self) -> Scrape:
        async with self.http.get(f"http://{self.address}/metrics") as answer:
            return read(await answer.text())

    async def seen(self, name: str, least: float, **labels: str) -> Scrape:
        """The first scrape in which a series with these labels is at least so high."""
        found: Scrape = {}

        async def reached() -> bool:
            nonlocal found
            found = await self.scrape()
            wanted = set(labels.items())
            return any(key[0] == name and wanted <= set(key[1]) and value >= least for key, value in found.items())

        await until(reached, 60.0)
        return found

    async def calm(self) -> Scrape:
        """The first scrape in which nothing fails, nothing is queued and nothing was silent for long."""
        found: Scrape = {}
        still = ("passes_failing", "accounts_refused", "writes_queued", "oldest_unwritten_seconds", "waiting_items")

        async def reached() -> bool:
            nonlocal found
            found = await self.scrape()
            moving = [value for (name, _), value in found.items() if name.removeprefix("chartwire_") in still and value]
            silent = [value for (name, _), value in found.items() if name == "chartwire_silent_seconds"]
            moving += [value for (_, labels), value in found.items() if ("state", "not_taken") in labels and value]
            return not moving and len(silent) == 2 and max(silent) < 60

        await until(reached, 90.0)
        return found

    async def execute(self, query: str) -> None:
        connection = await asyncpg.connect(self.owner)
        try:
            await connection.execute(query)
        finally:
            await connection.close()


@asynccontextmanager
async def stand(folder: Path) -> AsyncIterator[Stand]:
    clinic = Clinic(seconds=0.3)
    async with servers() as (postgres, broker), aiohttp.ClientSession() as http:
        await clinic.start()
        try:
            file = await prepare(clinic, folder, postgres, broker)
            config = load(file, SECTIONS)
            async with surroundings(config, folder, meter=Instruments()) as around:
                made: list[Stand] = []
                around = replace(around, now=lambda: datetime.now(UTC) + (made[0].ahead if made else timedelta()))
                worker = Worker(around)
                made.append(Stand(clinic, worker, config.postgres.migrate_dsn, config.metrics.listen, http))
                async with asyncio.TaskGroup() as group:
                    running = group.create_task(worker.run())
                    try:
                        await until(lambda: len(worker.practices) == 2, 60.0)
                        yield made[0]
                    finally:
                        worker.stop()
                        await asyncio.wait([running])
        finally:
            await clinic.stop()


async def test_every_alert_fires_and_clears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "REPORT_SECONDS", 0.3)
    async with stand(tmp_path) as at:
        begun = await at.calm()
        healthy = await at.calm()
        stages = [Stage("healthy", begun, healthy)]
        for trouble in (credentials_refused, billing_away, right_revoked):
            stage = await trouble(at)
            calm = await at.calm()
            stages += [stage, Stage("healthy again", calm, await at.calm())]
    stages += [each for stage in raised_stages(stages[-1].last) for each in (stage, Stage("healthy again", calm, calm))]
    assert set().union(*(stage.fire for stage in stages)) == alerts()
    check(stages, tmp_path)


async def credentials_refused(at: Stand) -> Stage:
    """Elation refuses every token request of one practice; then a person puts it right and says so."""
    before = await at.scrape()
    at.clinic.ehr.faults.add(match=("POST", "/oauth2/token/"), kind="status", status=401, times=None)
    at.clinic.ehr.faults.add(match=("*", ".*"), kind="status", status=401, times=None)
    await at.seen("chartwire_accounts_refused", 2, vendor="elation")
    after = await at.seen("chartwire_waiting_items", 2, code="credentials")
    at.clinic.ehr.faults.clear()
    for practice in at.worker.practices.values():
        practice.hurry()
    return Stage("credentials", before, after, {"ChartwireCredentialsRefused", "ChartwireOperatorIsWaitedFor"})


async def billing_away(at: Stand) -> Stage:
    """Nothing answers at Kareo's address while a chart waits to be created there; an hour goes by."""
    before = await at.scrape()
    at.clinic.billing.faults.add("*", "cut_before", times=1_000_000)
    FrontDesk(at.clinic).elation_patient(at.clinic.offices[0])
    await at.seen("chartwire_writes_queued", 1, system="kareo")
    at.ahead = timedelta(hours=1)
    await at.execute(
        "UPDATE chartwire.checkpoint SET updated_at = updated_at - interval '1 hour' WHERE source LIKE 'kareo.%'"
    )
    await at.seen("chartwire_silent_seconds", 1801, vendor="kareo")
    await at.seen("chartwire_passes_failing", 1, source="kareo.patients")
    after = await at.seen("chartwire_oldest_unwritten_seconds", 1801, system="kareo")
    at.ahead = timedelta()
    at.clinic.billing.faults.clear()
    for practice in at.worker.practices.values():
        practice.hurry()
    calls = {"ChartwireVendorCallsFail"} if failing(before, after) else set()
    return Stage("billing away", before, after, {"ChartwireVendorSilent", "ChartwireChangesUnwritten"} | calls)


def failing(before: Scrape, after: Scrape) -> bool:
    """Whether more than a fifth of a vendor's calls failed between two scrapes; said of the counts, not of the rule."""
    ended = {key: value - before.get(key, 0.0) for key, value in after.items() if key[0] == "chartwire_vendor_calls_total"}
    kareo = {dict(labels)["outcome"]: 0.0 for _, labels in ended if dict(labels)["vendor"] == "kareo"}
    for (_, labels), value in ended.items():
        if dict(labels)["vendor"] == "kareo":
            kareo[dict(labels)["outcome"]] += value
    return kareo.get("unreachable", 0.0) + kareo.get("outcomeunknown", 0.0) > 0.2 * sum(kareo.values())


async def right_revoked(at: Stand) -> Stage:
    """The daemon's role may not write checkpoints any more: messages cannot be recorded."""
    before = await at.scrape()
    await at.execute("REVOKE INSERT, UPDATE ON chartwire.checkpoint FROM chartwire_daemon")
    await at.seen("chartwire_passes_failing", 1, source="recording")
    after = await at.seen("chartwire_practices", 2, state="not_taken")
    await at.execute("GRANT INSERT, UPDATE ON chartwire.checkpoint TO chartwire_daemon")
    return Stage("a right revoked", before, after, {"ChartwireRecordingFails", "ChartwirePracticesNotAtWork"})


def raised_stages(calm: Scrape) -> list[Stage]:
    """The rest: one value of a real scrape is another."""

    def of(alert: str, name: str, by: float, **labels: str) -> Stage:
        return Stage(alert, calm, raised(calm, f"chartwire_{name}", by, **labels), {alert})

    slow = raised(calm, "chartwire_event_loop_delay_seconds_bucket", 100.0, le="+Inf")
    return [
        Stage("ChartwireWorkerDown", calm, calm, {"ChartwireWorkerDown"}, up=0),
        of("ChartwireLoopsStandStill", "worker_healthy", -1),
        of("ChartwireNothingOwned", "practices", -2, state="owned"),
        of("ChartwirePracticesNotAtWork", "practices", 1, state="not_taken"),
        of("ChartwireMessagesPileUp", "messages_unrecorded", 501),
        of("ChartwireMessageDropped", "messages_dropped_total", 4),
        of("ChartwirePracticesMoveAgainAndAgain", "epoch_changes_total", 40),
        of("ChartwireDatabaseStarved", "database_waiting", 3),
        Stage("ChartwireEventLoopSlow", calm, slow, {"ChartwireEventLoopSlow"}),
    ]
