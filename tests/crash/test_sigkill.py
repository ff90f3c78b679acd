"""The daemon killed with SIGKILL in the middle of the clinic day, again and again: nothing lost, nothing doubled.

Two clinics live the same day: one with a daemon left in peace, one whose daemon is killed at moments spread over the writes.
Afterwards both have to look the same, field by field.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemon.config import Config, load
from daemon.demo.rehearsal import judge, practices, prepare, servers
from daemon.sandbox.clinic import Clinic
from daemon.sandbox.day import Day
from daemon.sandbox.snapshot import Snapshot, differing, snapshot
from daemon.vendors.registry import SECTIONS
from events.store import Store
from tests.conftest import opened_store

QUIET_SECONDS = 3.0
REST_SECONDS = 240.0
SESSION_SECONDS = 2
"""Kafka gives a killed daemon's partitions away only after that long: each kill waits for it."""

KILLS_A_SCENE = {"new patients on both sides": 2, "insurance": 1, "appointments": 1, "bills": 2}


class Daemon:
    """`chartwire run` as a process of its own; `command` is what it is asked for."""

    def __init__(self, config: Path, log: Path, *command: str) -> None:
        self._command = command or ("run", "--no-check")
        self._config = config
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self.kills = 0

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "daemon", *self._command, "--config", str(self._config), stdout=log, stderr=log
            )

    async def kill(self) -> None:
        """As if the machine had lost power, then started anew."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        await self._process.wait()
        self.kills += 1
        await self.start()

    async def stop(self) -> int:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.terminate()
        async with asyncio.timeout(60):
            return await self._process.wait()


async def writes_reach(clinic: Clinic, number: int) -> None:
    """Wait until the daemon has made so many more calls: kills hit between any two steps of its work."""
    start = len(clinic.billing.calls) + len(clinic.ehr.calls)
    async with asyncio.timeout(60):
        while len(clinic.billing.calls) + len(clinic.ehr.calls) < start + number:
            await asyncio.sleep(0.002)


async def taken(store: Store) -> dict[str, int]:
    """The epoch of every practice: it rises when a daemon takes the practice over."""
    rows = await store.pool.fetch("SELECT practice, epoch FROM chartwire.practice_head")
    return {row["practice"]: row["epoch"] for row in rows}


async def taken_over(store: Store, before: dict[str, int]) -> None:
    """Wait until the daemon that was started anew has every practice."""
    async with asyncio.timeout(90):
        while any(epoch <= before.get(practice, 0) for practice, epoch in (await taken(store)).items()):
            await asyncio.sleep(0.1)


async def at_rest(store: Store, config: Config, clinic: Clinic, day: Day) -> dict[str, list[str]]:
    """Every webhook delivered, and no new event for a while in which every pass goes round; returns the invariants that are broken
    then. A daemon that is busy or waits for its next try may be silent for as long: broken ones may hold after some more waiting."""
    loop = asyncio.get_running_loop()
    heads, since, limit = [0], loop.time(), loop.time() + REST_SECONDS
    while True:
        await clinic.ehr.webhooks.quiet(timeout=120)
        now = [await store.head(practice) for practice in practices(config)]
        if now != heads or not all(now):
            heads, since = now, loop.time()
        elif loop.time() - since >= QUIET_SECONDS:
            report = await judge(config, store, clinic, day)
            broken = {name: each for name, each in report["invariants"].items() if each}
            if not broken or loop.time() > limit:
                return broken
            since = loop.time()
        assert loop.time() < limit + QUIET_SECONDS * 10, f"events keep coming: {heads}"
        await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def living(folder: Path, *command: str) -> AsyncIterator[tuple[Clinic, Day, Daemon, Store, Config]]:
    clinic = Clinic(limits_scale=0.02, seconds=0.2)
    day = Day(clinic, seed=7, size=4)
    async with servers() as (postgres, broker):
        await clinic.start()
        day.prepare()
        file = await prepare(clinic, folder, postgres, broker)
        file.write_text(
            file.read_text().replace("session_timeout_seconds = 6", f"session_timeout_seconds = {SESSION_SECONDS}")
        )
        config = load(file, SECTIONS)
        daemon = Daemon(file, folder / "log", *command)
        store = await opened_store(config, folder)
        await daemon.start()
        try:
            yield clinic, day, daemon, store, config
        finally:
            await daemon.stop()
            await store.close()
            await clinic.stop()


async def live(folder: Path, *, kill: bool) -> tuple[Snapshot, dict[str, list[str]], int]:
    """One clinic's day; returns what the sandboxes hold, the broken invariants, and how often the daemon was killed."""
    folder.mkdir()
    moments = random.Random(20260323)
    async with living(folder) as (clinic, day, daemon, store, config):

        async def settle(scene: str) -> None:
            for _ in range(KILLS_A_SCENE.get(scene, 0) if kill else 0):
                await writes_reach(clinic, moments.randrange(5, 60))
                epochs = await taken(store)
                await daemon.kill()
                await taken_over(store, epochs)
            broken.append(await at_rest(store, config, clinic, day))

        broken: list[dict[str, list[str]]] = []
        await day.play(settle)
        return snapshot(clinic), broken[-1], daemon.kills


@pytest.mark.slow
async def test_a_daemon_killed_again_and_again_ends_like_one_left_in_peace(tmp_path: Path) -> None:
    undisturbed, killed = await asyncio.gather(
        live(tmp_path / "undisturbed", kill=False), live(tmp_path / "killed", kill=True)
    )
    assert undisturbed[1] == {}
    assert killed[1] == {}
    assert killed[2] == sum(KILLS_A_SCENE.values())
    assert differing(undisturbed[0], killed[0]) == []
