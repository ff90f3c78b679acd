"""The commands that put things right, as processes of their own, against a running worker: seen in both sandboxes."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from daemon.audit import audit
from daemon.cli.run import surroundings
from daemon.config import load, policy_of
from daemon.rehearsal import Rest, prepare, servers
from daemon.sandbox.clinic import Clinic, Office
from daemon.sandbox.day import Day
from daemon.worker import Worker
from events.bus import Bus
from events.ids import PracticeId
from events.store import Store
from tests.conftest import until

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120.0
ELM = PracticeId("elm")

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Done:
    code: int
    out: str
    err: str


@dataclass
class Town:
    """A practice in both sandboxes, its worker, and the command line."""

    clinic: Clinic
    day: Day
    config: Path
    store: Store
    bus: Bus
    rest: Rest

    @property
    def office(self) -> Office:
        return self.clinic.offices[0]

    async def run(self, *arguments: object, config: Path | None = None) -> Done:
        """A command, to its end."""
        command = [sys.executable, "-m", "daemon", *(str(one) for one in arguments), "--config", str(config or self.config)]
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate()
        return Done(process.returncode or 0, out.decode(), err.decode())

    async def done(self, *arguments: object) -> str:
        """A command that must be done; what it prints."""
        done = await self.run(*arguments)
        assert (done.code, done.err) == (0, ""), done
        return done.out

    async def refused(self, *arguments: object) -> str:
        done = await self.run(*arguments)
        assert done.code == 1, done
        return done.err

    async def waiting(self, *more: object) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (await self.done("waiting", ELM, "--json", *more)).splitlines()]

    async def item(self, slot: str, patient: str = "") -> dict[str, Any]:
        """The one item in a slot of a patient (by any of its charts)."""
        (found,) = [
            one for one in await self.waiting() if one["slot"] == slot and patient in [*one["patient"].split()[:2], ""]
        ]
        return found

    async def waits(self, slot: str, code: str = "") -> bool:
        rows = await self.store.pool.fetch("SELECT code FROM chartwire.waiting WHERE practice = 'elm' AND slot = $1", slot)
        return any(code in ("", row["code"]) for row in rows)

    async def linked(self, **values: object) -> tuple[int, int]:
        """A new person on both sides, linked: (chart, patient)."""
        patient = self.day.kareo_patient(self.office, **values)
        await self.rest.reached()
        return self.day.counterpart(self.office, patient), patient

    async def sound(self) -> None:
        await self.rest.reached()
        config = load(self.config)
        assert (await audit(self.store, policy_of(config.practice[0]))).broken == {}


@asynccontextmanager
async def open_town(folder: Path) -> AsyncIterator[Town]:
    clinic = Clinic(offices=1)
    async with servers() as (postgres, broker):
        await clinic.start()
        file = await prepare(clinic, folder, postgres, broker)
        async with surroundings(load(file), file.parent) as around:
            worker = Worker(around)
            running = asyncio.create_task(worker.run())
            try:
                await until(lambda: running.done() or worker.practices, 60)
                rest = Rest(worker, clinic, around.store)
                yield Town(clinic, Day(clinic), file, around.store, around.bus, rest)
            finally:
                worker.stop()
                await running
        await clinic.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with open_town(tmp_path_factory.mktemp("town")) as opened:
        yield opened


# -- first what is simple -------------------------------------------------------------------------------------------------


async def test_seen_takes_a_conflict_off_the_list(town: Town) -> None:
    chart, patient = await town.linked()
    address = dict(town.clinic.elation.patients[chart]["address"])
    town.day.edit_kareo(patient, city="Kareoville")
    town.day.edit_elation(chart, address={**address, "city": "Elationtown"})
    await town.rest.reached()
    item = await town.item("conflict:city", f"kareo:{patient}")
    assert item["command"] == f"chartwire seen elm kareo:{patient} city"
    assert "no conflict in zip" in await town.refused("seen", ELM, f"kareo:{patient}", "zip")
    out = await town.done(*item["command"].split()[1:])
    assert "conflict seen" in out
    assert not await town.waits("conflict:city")
    assert town.clinic.elation.patients[chart]["address"]["city"] == "Kareoville"
    assert "no conflict in city" in await town.refused("seen", ELM, f"kareo:{patient}", "city")
    await town.sound()


async def test_retry_writes_what_was_refused_before(town: Town) -> None:
    chart, patient = await town.linked()
    town.clinic.elation.faults.add(match=("PATCH", "/patients/{id}/"), kind="status", status=400, times=1)
    town.day.edit_kareo(patient, email="second.try@mail.example")
    await until(lambda: town.waits("demographics:elation", "refused"), 30)
    item = await town.item("demographics:elation", f"kareo:{patient}")
    assert item["command"] == f"chartwire retry elm kareo:{patient} demographics:elation"
    out = await town.done(*item["command"].split()[1:])
    assert "done demographics:elation" in out
    assert town.clinic.elation.patients[chart]["emails"][0]["email"] == "second.try@mail.example"
    assert "no refused write" in await town.refused("retry", ELM, f"kareo:{patient}", "demographics:elation")
    await town.sound()


async def test_resync_reads_both_sides_and_decides_anew(town: Town) -> None:
    """A candidate that kept a chart waiting is not alike any more: only looking again finds that out."""
    person = town.day.person()
    twin = town.day.kareo_patient(town.office, {**person, "birth_date": None})
    chart = town.day.elation_patient(town.office, person)
    await until(lambda: town.waits("chart", "candidates"), 30)
    await town.rest.reached()
    assert {one["code"] for one in await town.waiting("--code", "candidates")} == {"candidates"}
    town.day.edit_kareo(twin, first_name="Zebulon", last_name="Quillfeather")
    await town.rest.reached()
    before = len(town.clinic.kareo.patients)
    out = await town.done("resync", ELM, f"elation:{chart}", "--reason", "the twin was somebody else")
    assert "asked to read it again" in out
    assert f"saw chart {chart}" in out
    assert "to create the patient in Kareo" in out
    await town.rest.reached()
    assert len(town.clinic.kareo.patients) == before + 1
    assert town.day.kareo_of(town.office, chart) != twin
    await town.sound()


async def test_resync_reads_what_says_the_same_as_before(town: Town) -> None:
    chart, patient = await town.linked()
    out = await town.done("resync", ELM, f"kareo:{patient}")
    assert f"saw chart {chart}" in out
    assert f"saw patient {patient}" in out
    await town.sound()
