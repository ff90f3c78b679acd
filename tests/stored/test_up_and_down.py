"""A worker of b260bfb and one of this checkout work on one database in turns, up and down: what one stores the other goes on with.

The older code comes out of the repository's history and runs as processes of its own, against the same servers and sandboxes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.config import load
from daemon.demo.embedded import free_port
from daemon.demo.rehearsal import servers
from daemon.history.compare import verify
from daemon.history.fold import replayed
from daemon.sandbox.clinic import Clinic, Office
from daemon.sandbox.day import GOOD_LINE, Day
from daemon.vendors.registry import SECTIONS
from events.ids import PracticeId
from events.store import Store
from tests.conftest import opened_store, until
from tests.stored.older import ROOT, unpacked

COMMIT = "b260bfb"
MOST_SECONDS = 60.0
MANY = 1_000_000
SOURCES = {
    "elation.catch-up",
    "elation.sweep",
    "kareo.patients",
    "kareo.sweep",
    "kareo.appointments",
    "kareo.appointment-sweep",
}
"""The passes of both connectors, as checkpoints name them."""


@dataclass(frozen=True)
class Version:
    """The product's code in a folder, and how its command line is called."""

    folder: Path
    command: tuple[str, ...] = ("-m", "daemon")

    async def start(self, *arguments: str, log: Path) -> asyncio.subprocess.Process:
        with log.open("ab") as out:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                *self.command,
                *arguments,
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(self.folder)},
                stdout=out,
                stderr=out,
            )

    async def run(self, *arguments: str, log: Path) -> None:
        """A command that has to succeed."""
        process = await self.start(*arguments, log=log)
        code = await asyncio.wait_for(process.wait(), MOST_SECONDS)
        assert code == 0, f"{' '.join(arguments)}: exit code {code}\n{log.read_text()[-2000:]}"


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Version:
    """The code of then, unpacked from the history."""
    folder = unpacked(COMMIT, tmp_path_factory.mktemp("old"), "daemon", "events", "projections")
    where = [sys.executable, "-c", "import daemon, events; print(daemon.__file__, events.__file__)"]
    found = subprocess.run(
        where, cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)}, capture_output=True, check=True, text=True
    )
    assert all(one.startswith(str(folder)) for one in found.stdout.split()), "another version's code would run"
    return Version(folder)


@pytest.fixture(scope="module")
def new() -> Version:
    return Version(ROOT)


class Site:
    """One practice with both vendors' sandboxes, and a database that versions take turns on."""

    def __init__(self, clinic: Clinic, config: Path, store: Store) -> None:
        self.clinic = clinic
        self.office: Office = clinic.offices[0]
        self.day = Day(clinic, seed=7, size=1)
        self.store = store
        self._config = config
        self._log = config.parent / "log"
        self._practice = PracticeId(self.office.id)

    @contextlib.asynccontextmanager
    async def turn(self, version: Version) -> AsyncIterator[None]:
        """`version` migrates, and its worker has the practice within the context; after it both versions find nothing wrong."""
        await version.run("migrate", "--config", str(self._config), log=self._log)
        before = await self._epoch()
        worker = await version.start("run", "--config", str(self._config), log=self._log)
        try:
            await until(lambda: self._taken(worker, before), MOST_SECONDS)
            yield
        except BaseException:
            print(self._log.read_text()[-4000:])
            raise
        finally:
            if worker.returncode is None:
                worker.terminate()
            code = await asyncio.wait_for(worker.wait(), MOST_SECONDS)
        assert code == 0
        await Version(ROOT).run("migrate", "--config", str(self._config), log=self._log)  # what verifies is of now
        await self.store.load_keys()
        replay = await replayed(self.store, self._practice)
        assert [str(one) for one in await verify(self.store, replay)] == []

    async def command(self, version: Version, name: str, *more: str) -> None:
        """A command of `version` about the practice, while a worker runs or none does."""
        await version.run(name, *more, "--config", str(self._config), log=self._log)

    async def shredded(self, version: Version) -> None:
        """A worker of `version` starts, says that the practice was shredded, and is up until it is told to stop."""
        worker = await version.start("run", "--config", str(self._config), log=self._log)
        try:
            await until(lambda: "practice_shredded" in self._log.read_text(), MOST_SECONDS)
            assert worker.returncode is None
        finally:
            worker.terminate()
            assert await asyncio.wait_for(worker.wait(), MOST_SECONDS) == 0

    async def prove(self, version: Version) -> None:
        """`version` finds the projections equal to the events, and every event as it was recorded."""
        for command in (("replay", self._practice, "--verify"), ("audit", "verify", self._practice)):
            await version.run(*command, "--config", str(self._config), log=self._log)

    async def head(self) -> int:
        return await self.store.head(self._practice)

    async def recorded_since(self, sequence: int) -> list[str]:
        """The types of the events after `sequence`."""
        query = "SELECT type FROM chartwire.event WHERE practice = $1 AND sequence > $2 ORDER BY sequence"
        return [row["type"] for row in await self.store.pool.fetch(query, self._practice, sequence)]

    async def rest(self) -> None:
        """Wait until every pass has gone round twice and no event has come meanwhile."""
        async with asyncio.timeout(MOST_SECONDS):
            head = -1
            while head != await self.head():
                head = await self.head()
                for _ in range(2):
                    now = await self.store.pool.fetchval("SELECT clock_timestamp()")
                    await until(lambda now=now: self._gone_round(now), MOST_SECONDS)

    async def _gone_round(self, since: datetime) -> bool:
        query = "SELECT source FROM chartwire.checkpoint WHERE practice = $1 AND updated_at > $2"
        return {row["source"] for row in await self.store.pool.fetch(query, self._practice, since)} >= SOURCES

    async def _epoch(self) -> int:
        found = await self.store.pool.fetchval(
            "SELECT epoch FROM chartwire.practice_head WHERE practice = $1", self._practice
        )
        return int(found or 0)

    async def _taken(self, worker: asyncio.subprocess.Process, before: int) -> bool:
        assert worker.returncode is None, "the worker has ended"
        return await self._epoch() > before

    # -- what travels -------------------------------------------------------------------------------------------------

    async def chart_to_kareo(self) -> tuple[int, int]:
        """Somebody is registered in Elation and arrives in Kareo: (chart, patient)."""
        chart = self.day.elation_patient(self.office)
        return chart, await self.arrived(chart)

    async def left_behind(self) -> int:
        """Somebody is registered in Elation, and Kareo fails whoever wants to create them: the write stays open."""
        faults = self.clinic.billing.faults
        faults.add("CreatePatient", "status", times=MANY, status=503)
        chart = self.day.elation_patient(self.office)
        await until(lambda: faults.planned[0].times < MANY, MOST_SECONDS)
        return chart

    async def open_write(self, chart: int) -> str | None:
        """The state in which the creation of the chart's patient lies in the database; None when none is open."""
        query = "SELECT state FROM chartwire.open_intent WHERE patient_key = $1 AND slot = 'chart' AND system = 'kareo'"
        state: str | None = await self.store.pool.fetchval(query, f"E:{chart}")
        return state

    async def arrived(self, chart: int) -> int:
        """The chart's one and only patient in Kareo, as soon as there is one."""
        self.clinic.billing.faults.clear()

        def found() -> list[int]:
            last = self.clinic.ehr.patients[chart]["last_name"]
            return [id_ for id_, one in self.clinic.billing.patients.items() if one.last_name == last]

        await until(found, MOST_SECONDS)
        await until(lambda: self._linked(chart, found()[0]), MOST_SECONDS)
        (patient,) = found()
        return patient

    async def _linked(self, chart: int, patient: int) -> bool:
        query = "SELECT true FROM chartwire.link WHERE elation_chart = $1 AND kareo_patient = $2"
        return bool(await self.store.pool.fetchval(query, chart, patient))

    async def address_to_elation(self, patient: int, chart: int, city: str) -> None:
        self.day.edit_kareo(patient, city=city)
        await until(lambda: self.clinic.ehr.patients[chart]["address"]["city"] == city, MOST_SECONDS)

    async def appointment_to_elation(self, patient: int, chart: int) -> None:
        office, billing = self.office, self.clinic.billing
        start = billing.state.now() + timedelta(days=3)
        billing.people.book_appointment(
            patient, office.providers[0], office.place[1], start.replace(minute=0, second=0, microsecond=0), 20, "Follow-up"
        )
        await until(lambda: [one for one in self.clinic.ehr.appointments.values() if one["patient"] == chart], MOST_SECONDS)

    async def bill_to_kareo(self, chart: int) -> None:
        """A signed bill becomes one encounter, whose number comes back to the bill."""
        office, today = self.office, self.clinic.billing.state.now().date()
        signed = self.clinic.ehr.people.sign_note(chart, office.physicians[0], office.place[0], today, [GOOD_LINE])
        bill = int(signed["bill"]["id"])

        def encounters() -> list[Any]:
            return [one for one in self.clinic.billing.encounters.values() if one.batch_number == str(bill)]

        await until(lambda: self.clinic.ehr.bills[bill]["ref_number"], MOST_SECONDS)
        assert len(encounters()) == 1


@contextlib.asynccontextmanager
async def opened_site(old: Version, folder: Path) -> AsyncIterator[Site]:
    """The servers, and a database that the older version has made."""
    clinic = Clinic(limits_scale=0.02, seconds=0.2, offices=1)
    async with servers() as (postgres, broker):
        owner = await postgres.create_database("chartwire")
        await clinic.start()
        config = clinic.write_config(
            folder,
            dsn=postgres.dsn("chartwire", "chartwire"),
            migrate_dsn=owner,
            bootstrap_servers=broker.bootstrap_servers,
            listen=f"127.0.0.1:{free_port()}",
        )
        await old.run("migrate", "--config", str(config), log=folder / "log")
        await postgres.create_daemon_role("chartwire")
        store = await opened_store(load(config, SECTIONS), folder)
        try:
            yield Site(clinic, config, store)
        finally:
            await store.close()
            await clinic.stop()


@pytest.mark.slow
async def test_two_versions_work_on_one_database_in_turns(old: Version, new: Version, tmp_path: Path) -> None:
    """Changes travel under each; what one leaves open, because Kareo fails, the next one carries out, once."""
    async with opened_site(old, tmp_path) as site:
        async with site.turn(old):
            chart, patient = await site.chart_to_kareo()
            left = await site.left_behind()
        assert await site.open_write(left)
        async with site.turn(new):
            await site.arrived(left)
            await site.address_to_elation(patient, chart, "Upton")
            left = await site.left_behind()
        await site.prove(old)
        assert await site.open_write(left)
        async with site.turn(old):
            await site.arrived(left)
            await site.appointment_to_elation(patient, chart)
            await site.address_to_elation(patient, chart, "Downham")
            left = await site.left_behind()
        await site.prove(new)
        assert await site.open_write(left)
        async with site.turn(new):
            await site.arrived(left)
            await site.bill_to_kareo(chart)
            await site.chart_to_kareo()
        await site.prove(new)
        await site.prove(old)


@pytest.mark.slow
async def test_a_version_that_takes_over_sees_nothing_new_where_nothing_has_changed(
    old: Version, new: Version, tmp_path: Path
) -> None:
    """Both make the same of a record: one that was observed under the other is not recorded again, and nothing is written.

    Only the directory is: its carriers have an address, which the older version does not read.
    """
    async with opened_site(old, tmp_path) as site:
        site.day.prepare()
        async with site.turn(old):
            chart, patient = await site.chart_to_kareo()
            await site.appointment_to_elation(patient, chart)
            await site.bill_to_kareo(chart)
            await site.rest()
        for version in (new, old, new):
            head = await site.head()
            async with site.turn(version):
                await site.rest()
            assert set(await site.recorded_since(head)) <= {"ElationDirectoryObserved"}


@pytest.mark.slow
async def test_a_worker_goes_on_while_its_practice_is_finished_and_rotated_and_starts_after_it_was_shredded(
    old: Version, new: Version, tmp_path: Path
) -> None:
    """What the older version has observed is not observed anew under keyed hashes."""
    async with opened_site(old, tmp_path) as site:
        practice, keys = site.office.id, tmp_path / "keys"
        async with site.turn(old):
            chart, patient = await site.chart_to_kareo()
            await site.rest()
        async with site.turn(new):
            await site.command(new, "migrate", "--finish")
            head = await site.head()
            await site.rest()
            assert await site.recorded_since(head) == []
            await site.address_to_elation(patient, chart, "Upton")
            await site.command(new, "rotate-key", practice)
            await site.appointment_to_elation(patient, chart)
            await site.command(new, "rotate-key", practice, "--delete-old")
            await site.address_to_elation(patient, chart, "Downham")
            await site.rest()
            head = await site.head()
        assert [one.name for one in keys.iterdir()] == [f"{practice}.3.key"]
        async with site.turn(new):
            await site.rest()
            assert await site.recorded_since(head) == []
        await site.prove(new)
        await site.command(new, "shred", practice, "--confirm", practice, "--receipt", str(tmp_path / "receipt.json"))
        assert list(keys.iterdir()) == []
        await site.command(new, "audit", "verify", practice)
        await site.shredded(new)
