"""Every alert fires and clears: a real worker is driven into trouble, its scrapes become the series that promtool tests the rules with.

Time alone is not waited for: where an hour has to go by, clocks and checkpoints are moved.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import aiohttp
import asyncpg
import msgspec
import pytest

from daemon.config import load
from daemon.runtime import worker as working
from daemon.vendors.sections import SECTIONS
from events.ids import PracticeId
from events.topics import Checkpoint
from tests.acceptance.scraped import Scrape, Scraped, scraped, value_of
from tests.conftest import until
from tests.kafka.conftest import Kafka, kafka_jars
from tests.promtool import promtool

__all__ = ["kafka_jars"]

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "chartwire.rules.yml"
MINUTES = 75
"""How long a stage lasts for Prometheus: longer than the longest window and the longest `for` together."""


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


@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.usefixtures("kafka_jars")
async def test_every_alert_fires_and_clears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "REPORT_SECONDS", 0.3)
    monkeypatch.setattr("events.bus.PUBLISH_SECONDS", 3.0)
    (tmp_path / "kafka").mkdir()
    async with Kafka(tmp_path / "kafka") as kafka, scraped(tmp_path, kafka) as at:
        begun = await at.calm()
        healthy = await at.calm()
        stages = [Stage("healthy", begun, healthy)]
        for trouble in TROUBLES:
            stage = await trouble(at)
            calm = await at.calm()
            stages += [stage, Stage(f"healthy after {stage.name}", calm, await at.calm())]
    assert set().union(*(stage.fire for stage in stages)) == alerts()
    check(stages, tmp_path)


async def credentials_refused(at: Scraped) -> Stage:
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


async def billing_away(at: Scraped) -> Stage:
    """Nothing answers at Kareo's address while a chart waits to be created there; an hour goes by."""
    before = await at.scrape()
    at.clinic.billing.faults.add("*", "cut_before", times=1_000_000)
    at.desk.elation_patient(at.clinic.offices[0])
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


async def right_revoked(at: Scraped) -> Stage:
    """The daemon's role may not write checkpoints any more: messages cannot be recorded."""
    before = await at.scrape()
    await at.execute("REVOKE INSERT, UPDATE ON chartwire.checkpoint FROM chartwire_daemon")
    await at.seen("chartwire_passes_failing", 1, source="recording")
    after = await at.seen("chartwire_practices", 2, state="not_taken")
    await at.execute("GRANT INSERT, UPDATE ON chartwire.checkpoint TO chartwire_daemon")
    return Stage("a right revoked", before, after, {"ChartwireRecordingFails", "ChartwirePracticesNotAtWork"})


async def events_refused(at: Scraped) -> Stage:
    """A trigger that somebody has put on the table refuses every event: not even that a message is set aside can be recorded."""
    before = await at.scrape()
    await at.execute(
        "CREATE FUNCTION chartwire.refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN RAISE EXCEPTION USING ERRCODE = 'check_violation'; END$$",
        "CREATE TRIGGER refusing BEFORE INSERT ON chartwire.event FOR EACH ROW EXECUTE FUNCTION chartwire.refuse()",
    )
    for office in at.clinic.offices:
        for _ in range(2):
            at.desk.elation_patient(office)
    after = await at.seen("chartwire_messages_dropped_total", 4)
    await at.execute("DROP TRIGGER refusing ON chartwire.event", "DROP FUNCTION chartwire.refuse")
    return Stage("events refused", before, after, {"ChartwireMessageDropped"} | beside(before, after))


async def database_blocked(at: Scraped) -> Stage:
    """Somebody holds a table locked: what has come cannot be recorded, and whoever wants a connection waits for one."""
    before = await at.scrape("chartwire_database_waiting")
    connection = await asyncpg.connect(at.owner)
    office = at.clinic.offices[0]
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE chartwire.checkpoint IN ACCESS EXCLUSIVE MODE")
            done = [Checkpoint(practice=PracticeId(office.id), source="elation.published", value="0")] * 600
            await at.worker._around.bus.publish(PracticeId(office.id), done)
            asking = [
                asyncio.create_task(at.worker._around.store.pool.fetch("SELECT FROM chartwire.checkpoint"))
                for _ in range(20)
            ]
            await at.seen("chartwire_messages_unrecorded", 501)
            after = await at.seen("chartwire_database_waiting", 2, "chartwire_database_waiting")
    finally:
        await connection.close()
    await asyncio.gather(*asking)
    return Stage("database", before, after, {"ChartwireMessagesPileUp", "ChartwireDatabaseStarved"} | beside(before, after))


async def kafka_away(at: Scraped) -> Stage:
    """The broker ends while a write is under way: its outcome is recorded, and cannot be published."""
    before = await at.scrape()
    at.clinic.billing.faults.add("CreatePatient", "delay", times=1, seconds=3.0)
    at.desk.elation_patient(at.clinic.offices[0])
    await at.seen("chartwire_writes_queued", 1, system="kareo")
    await at.broker.stop(kill=True)
    after = await at.seen("chartwire_passes_failing", 1, source="feed")
    await at.broker.start()
    return Stage("Kafka away", before, after, {"ChartwirePublishingFails"} | beside(before, after))


async def replaced_while_kafka_is_away(at: Scraped) -> Stage:
    """A worker that begins while the broker is away is given nothing."""
    await at.end()
    await at.broker.stop(kill=True)
    await at.begin()
    before = await at.seen("chartwire_worker_healthy", 1)
    after = await at.scrape()
    await at.broker.start()
    return Stage("nothing owned", before, after, {"ChartwireNothingOwned"})


async def ended(at: Scraped) -> Stage:
    """The worker is not there, and a scrape fails; another one begins."""
    before = await at.scrape()
    await at.end()
    with pytest.raises(aiohttp.ClientConnectorError):
        await at.scrape()
    await at.begin()
    return Stage("ended", before, before, {"ChartwireWorkerDown"}, up=0)


async def stalled(at: Scraped) -> Stage:
    """What counts as standing still is moved instead of the loops."""
    before = await at.scrape()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(working, "STALLED", -1.0)
        after = await at.scrape()
    return Stage("loops", before, after, {"ChartwireLoopsStandStill"})


async def moved_again_and_again(at: Scraped) -> Stage:
    """Something has the worker reload a changed configuration all the time: each time both practices are drained and begun anew."""
    before = await at.scrape()
    config = load(at.file, SECTIONS)
    for number in range(12):
        changed = tuple(
            msgspec.structs.replace(one, ehr=msgspec.structs.replace(one.ehr, sweep_seconds=0.3 + number / 100))  # type: ignore[call-arg]
            for one in config.practice
        )
        found = await at.worker.reload(msgspec.structs.replace(config, practice=changed), at.worker._around.keyring)
        assert len(found.changed) == 2
        await until(lambda: len(at.worker.practices) == 2, 60.0)
    after = await at.seen("chartwire_epoch_changes_total", value_of(before, "chartwire_epoch_changes_total") + 24)
    return Stage("moved", before, after, {"ChartwirePracticesMoveAgainAndAgain"} | beside(before, after))


async def clock_apart(at: Scraped) -> Stage:
    """This machine's clock is two minutes ahead of what both vendors' answers say, until it is put right."""
    before = await at.scrape()
    at.skew = timedelta(minutes=2)
    for vendor in ("elation", "kareo"):
        after = await at.seen("chartwire_clock_ahead_seconds", 100, vendor=vendor)
    at.skew = timedelta()
    return Stage("clock", before, after, {"ChartwireClockApart"})


async def loop_blocked(at: Scraped) -> Stage:
    """Something computes for most of a second in the worker's loop, again and again."""
    delay = "chartwire_event_loop_delay_seconds"
    before = await at.scrape(delay)
    for _ in range(6):
        time.sleep(0.8)
        await asyncio.sleep(0.1)
    after = await at.scrape(delay)
    return Stage("loop", before, after, {"ChartwireEventLoopSlow"})


def beside(before: Scrape, after: Scrape) -> set[str]:
    """What a trouble may bring along or not, by the moment of the scrape: said of the values, not of the rules."""
    found = set()
    if value_of(after, "chartwire_passes_failing", source="recording") > 0:
        found.add("ChartwireRecordingFails")
    if value_of(after, "chartwire_practices", state="not_taken") > 0:
        found.add("ChartwirePracticesNotAtWork")
    if failing(before, after):
        found.add("ChartwireVendorCallsFail")
    return found


TROUBLES = (
    credentials_refused,
    billing_away,
    right_revoked,
    events_refused,
    database_blocked,
    kafka_away,
    replaced_while_kafka_is_away,
    ended,
    stalled,
    moved_again_and_again,
    clock_apart,
    loop_blocked,
)
"""Each drives the worker into a trouble and out of it again."""
