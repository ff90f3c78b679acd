"""SIGHUP to `chartwire run`: the practices of the new configuration, without a restart and without touching the others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from daemon.config import load
from daemon.demo.rehearsal import prepare, servers
from daemon.sandbox.clinic import Clinic
from daemon.sandbox.day import Day
from daemon.vendors.registry import SECTIONS
from events.store import Store
from tests.conftest import opened_store

MOST_SECONDS = 60.0
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

    async def epochs(self) -> dict[str, int]:
        """How often each practice was taken over."""
        rows = await self.store.pool.fetch("SELECT practice, epoch FROM chartwire.practice_head")
        return {row["practice"]: row["epoch"] for row in rows}

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
        try:
            daemon = Running(process, file, whole, folder / "log", store)
            await until(lambda: bool(daemon.logged("practice_taken")))
            yield daemon
        finally:
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.wait(), MOST_SECONDS)
            await store.close()
            await clinic.stop()


@pytest.mark.slow
async def test_practices_come_change_and_go_while_the_daemon_runs(tmp_path: Path) -> None:
    clinic = Clinic(limits_scale=0.02, seconds=0.2)
    first, second = (office.id for office in clinic.offices)
    async with running(clinic, tmp_path) as daemon:
        alone = daemon.file.read_text()
        assert await daemon.epochs() == {first: 1}

        daemon.file.write_text(daemon.whole)
        await daemon.reload()
        assert await daemon.epochs() == {first: 1, second: 1}, "the second begins, the first is not touched"

        daemon.file.write_text(daemon.whole.replace("poll_seconds", "poll_second", 1))
        (refused,) = await daemon.reload("reload_refused")
        assert refused["key"] == "practice[1].kareo.poll_second"
        assert await daemon.epochs() == {first: 1, second: 1}, "a wrong file changes nothing"

        daemon.file.write_text(daemon.whole.replace("longest_pause = 2.0", "longest_pause = 3.0"))
        (tmp_path / f"{second}.kareo-password").write_text("another")
        await daemon.reload()
        assert await daemon.epochs() == {first: 1, second: 2}, "the second has another password now"
        assert [line["key"] for line in daemon.logged("reload_left_for_restart")] == ["pace"]

        taken = len(daemon.logged("practice_taken"))
        daemon.file.write_text(alone)
        await daemon.reload()
        await daemon.reload()
        assert len(daemon.logged("practice_taken")) == taken, "nothing begins when one goes, or when nothing has changed"
        daemon.process.terminate()
        assert await asyncio.wait_for(daemon.process.wait(), MOST_SECONDS) == 0
        assert daemon.logged("stopping_began")[0]["practices"] == 1, "the second was put down"
