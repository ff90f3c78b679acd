"""D4: a healthy start logs nothing at the level of an error, from the first line until every practice is at work and was read."""

from __future__ import annotations

import json
from pathlib import Path

from daemon.config import load
from daemon.demo.rehearsal import prepare, servers
from daemon.sandbox.clinic import Clinic
from daemon.vendors.sections import SECTIONS
from tests.conftest import opened_store, until
from tests.crash.test_sigkill import Daemon

FIRST_READS = ("elation.sweep", "kareo.sweep", "kareo.appointment-sweep")


async def test_d4_the_first_log_of_a_healthy_start_is_clean(tmp_path: Path) -> None:
    clinic = Clinic(seconds=0.3)
    async with servers() as (postgres, broker):
        await clinic.start()
        file = await prepare(clinic, tmp_path, postgres, broker)
        store = await opened_store(load(file, SECTIONS), tmp_path)
        daemon = Daemon(file, tmp_path / "log", "run")
        await daemon.start()
        try:

            async def read() -> bool:
                rows = await store.pool.fetch("SELECT practice, source FROM chartwire.checkpoint")
                found = {(row["practice"], row["source"]) for row in rows}
                return {(office.id, source) for office in clinic.offices for source in FIRST_READS} <= found

            await until(read, 120.0)
        finally:
            code = await daemon.stop()
            await store.close()
            await clinic.stop()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [one["practice"] for one in lines if one["event"] == "practice_taken"]
    assert [one for one in lines if one["level"] in ("error", "critical")] == []
    assert code == 0
