"""SIGHUP to `chartwire run`: the practices of the new configuration, without a restart and without touching the others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from daemon.config import load
from daemon.demo.embedded import free_port
from daemon.demo.rehearsal import prepare, servers
from daemon.sandbox.clinic import Clinic, Office
from daemon.sandbox.day import Day
from daemon.vendors.registry import SECTIONS
from events.store import Store
from tests.conftest import opened_store

MOST_SECONDS = 60.0
TOGETHER = 0.5
"""Seconds between calls that were under way together; one that a pause did not hold back would be a poll later, after a second."""

SEVERAL = 8
"""Calls of a practice that polls: more than one round of them."""

MARK = "[[practice]]"


class Running:
    """The daemon, its configuration file, and what it has logged."""

    def __init__(self, process: asyncio.subprocess.Process, file: Path, whole: str, log: Path, store: Store) -> None:
        self.process = process
        self.file = file
        self.whole = whole
        self.store = store
        self._log = log

    def logged(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == event]

    async def again(self) -> None:
        """Start the daemon that has ended once more, with the same log."""
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "daemon", "run", "--config", str(self.file), stdout=log, stderr=log
            )

    async def epochs(self) -> dict[str, int]:
        """How often each practice was taken over."""
        rows = await self.store.pool.fetch("SELECT practice, epoch FROM chartwire.practice_head")
        return {row["practice"]: row["epoch"] for row in rows}

    async def begun(self, practice: str, times: int) -> None:
        """Wait until the practice has been begun so often."""
        await until(lambda: sum(line["practice"] == practice for line in self.logged("practice_taken")) == times)

    async def reload(self, event: str = "configuration_reloaded") -> list[dict[str, Any]]:
        """Send the signal; returns the lines of `event` that it led to."""
        before = len(self.logged(event))
        self.process.send_signal(signal.SIGHUP)
        await until(lambda: len(self.logged(event)) > before)
        return self.logged(event)[before:]


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(MOST_SECONDS):
        while not reached():
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def running(clinic: Clinic, folder: Path) -> AsyncIterator[Running]:
    """`chartwire run` with the first practice of the clinic; `whole` is the configuration with all of them."""
    async with servers() as (postgres, broker):
        await clinic.start()
        Day(clinic, seed=7, size=1).prepare()
        file = await prepare(clinic, folder, postgres, broker)
        store = await opened_store(load(file, SECTIONS), folder)
        whole = file.read_text()
        file.write_text(MARK.join(whole.split(MARK)[:2]))
        with (folder / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "daemon", "run", "--config", str(file), stdout=log, stderr=log
            )
        daemon = Running(process, file, whole, folder / "log", store)
        try:
            await until(lambda: bool(daemon.logged("practice_taken")))
            yield daemon
        finally:
            process = daemon.process
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.wait(), MOST_SECONDS)
            await store.close()
            await clinic.stop()


@pytest.mark.slow
async def test_practices_come_change_and_go_while_the_daemon_runs(tmp_path: Path) -> None:
    """Practices begin beside whatever else happens: the reload is over when they are asked to, not when they are at
    work. What counts is that each began as often as it had to, and no other did."""
    clinic = Clinic(limits_scale=0.02, seconds=0.2)
    first, second = (office.id for office in clinic.offices)
    async with running(clinic, tmp_path) as daemon:
        alone = daemon.file.read_text()
        assert await daemon.epochs() == {first: 1}

        daemon.file.write_text(daemon.whole)
        await daemon.reload()
        await daemon.begun(second, 1)
        assert await daemon.epochs() == {first: 1, second: 1}, "the second begins, the first is not touched"

        daemon.file.write_text(daemon.whole.replace("poll_seconds", "poll_second", 1))
        (refused,) = await daemon.reload("reload_refused")
        assert refused["key"] == "practice[1].kareo.poll_second"

        daemon.file.write_text(daemon.whole.replace("longest_pause = 2.0", "longest_pause = 3.0"))
        (tmp_path / f"{second}.kareo-password").write_text("another")
        await daemon.reload()
        await daemon.begun(second, 2)
        assert await daemon.epochs() == {first: 1, second: 2}, (
            "the second has another password now; a wrong file changed nothing"
        )
        assert [line["key"] for line in daemon.logged("reload_left_for_restart")] == ["pace"]

        daemon.file.write_text(alone)
        await daemon.reload()
        await daemon.reload()
        daemon.process.terminate()
        assert await asyncio.wait_for(daemon.process.wait(), MOST_SECONDS) == 0
        assert daemon.logged("stopping_began")[0]["practices"] == 1, "the second was put down"
        assert await daemon.epochs() == {first: 1, second: 2}, "nothing begins when one goes, or when nothing has changed"


@pytest.mark.slow
async def test_two_daemons_of_different_groups_do_not_take_a_practice_from_each_other(tmp_path: Path) -> None:
    """The second says why it stands still, and leaves the practice where it is."""
    clinic = Clinic(limits_scale=0.02, seconds=0.2)
    first = clinic.offices[0].id
    async with running(clinic, tmp_path) as daemon:
        other, said = tmp_path / "other.toml", tmp_path / "other.log"
        text = daemon.file.read_text().replace("[kafka]\n", '[kafka]\ngroup = "another"\n')
        other.write_text(re.sub("^listen = .*$", f'listen = "127.0.0.1:{free_port()}"', text, flags=re.MULTILINE))
        asked = "SELECT count(*) FROM chartwire.report WHERE practice = $1"
        async with asyncio.timeout(MOST_SECONDS):
            while not await daemon.store.pool.fetchval(asked, first):
                await asyncio.sleep(0.05)
        with said.open("wb") as log:
            second = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "daemon", "run", "--config", str(other), stdout=log, stderr=log
            )
        try:
            await until(lambda: "a daemon of the Kafka group" in said.read_text())
            assert await daemon.epochs() == {first: 1}, "it was not taken from the first"
        finally:
            second.terminate()
            await asyncio.wait_for(second.wait(), MOST_SECONDS)


@pytest.mark.slow
async def test_a_reload_ends_the_pause_after_refused_credentials(tmp_path: Path) -> None:
    """The next try would be ten minutes later. Whether the vendor takes the password now, or the file has another one: at once."""
    clinic = Clinic(limits_scale=0.02, seconds=1.0)
    first, second = clinic.offices
    password, user = tmp_path / f"{second.id}.kareo-password", f"sync@{second.id}.example"
    day = Day(clinic, seed=8, size=1)

    def refused() -> int:
        """Tries that were refused. Calls that were under way together are one (`daemon.vendors.ports.gate`)."""
        at = [call.at for call in clinic.billing.calls if call.outcome == "unauthorized"]
        return sum(one - before > TOGETHER for before, one in pairwise([float("-inf"), *at]))

    def done() -> int:
        return sum(call.outcome == "done" for call in clinic.billing.calls)

    async with running(clinic, tmp_path) as daemon:
        daemon.file.write_text(daemon.whole)
        await daemon.reload()
        await daemon.begun(second.id, 1)
        right = password.read_text()
        password.write_text("another")
        await daemon.reload()
        await daemon.begun(second.id, 2)
        await until(lambda: refused() == 1)

        clinic.billing.add_customer(second.customer_key, user, "another")
        patient = day.kareo_patient(second)
        await daemon.reload()
        await until(lambda: is_charted(day, second, patient))
        assert await daemon.epochs() == {first.id: 1, second.id: 2}, "no practice has changed: none was begun anew"

        clinic.billing.add_customer(second.customer_key, user, right)
        patient = day.kareo_patient(second)
        await until(lambda: refused() > 1)
        polls = done()
        await until(lambda: done() > polls + SEVERAL)  # of the other practice: time enough to try again
        password.write_text(right)
        await daemon.reload()
        await daemon.begun(second.id, 3)
        await until(lambda: is_charted(day, second, patient))
        assert refused() == 2, "one try for each time that it was wrong"
        assert await daemon.epochs() == {first.id: 1, second.id: 3}


def is_charted(day: Day, office: Office, patient: int) -> bool:
    """Whether the Kareo patient is in Elation."""
    try:
        return bool(day.counterpart(office, patient))
    except LookupError:
        return False
