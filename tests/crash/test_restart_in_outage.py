"""The daemon killed and started again while both vendors are away: it comes back by itself, and the day ends as in peace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from yarl import URL

from daemon.sandbox.clinic import Clinic
from daemon.sandbox.snapshot import Snapshot, differing, snapshot
from events.store import Store
from tests.crash.test_sigkill import at_rest, living, taken, taken_over

IN_SCENES = ("new patients on both sides", "bills")


@asynccontextmanager
async def both_away(clinic: Clinic) -> AsyncIterator[None]:
    """Connections to both vendors are refused, that for the WSDL included; their webhooks go on."""
    sandboxes = (clinic.ehr, clinic.billing)
    ports = [URL(one.url).port for one in sandboxes]
    for one in sandboxes:
        assert one._runner is not None
        await one._runner.cleanup()
    try:
        yield
    finally:
        for one, port in zip(sandboxes, ports, strict=True):
            one._runner = web.AppRunner(one.application(), access_log=None, shutdown_timeout=1.0)
            await one._runner.setup()
            await web.TCPSite(one._runner, "127.0.0.1", port).start()


async def shown_as_away(store: Store) -> None:
    """Wait until people of every practice are told that both systems cannot be reached."""
    async with asyncio.timeout(90):
        while True:
            rows = await store.pool.fetch("SELECT practice, slot FROM chartwire.waiting WHERE code = 'unreachable'")
            if len(rows) == 2 * len(await taken(store)):
                return
            await asyncio.sleep(0.1)


async def live(folder: Path, *, outage: bool) -> tuple[Snapshot, dict[str, list[str]], int]:
    """One clinic's day; returns what the sandboxes hold, the broken invariants, and how often the daemon was killed."""
    folder.mkdir()
    async with living(folder, "run") as (clinic, day, daemon, store, config):

        async def settle(scene: str) -> None:
            if outage and scene in IN_SCENES:
                async with both_away(clinic):
                    epochs = await taken(store)
                    await daemon.kill()
                    await taken_over(store, epochs)
                    await shown_as_away(store)
            broken.append(await at_rest(store, config, clinic, day))

        broken: list[dict[str, list[str]]] = []
        await day.play(settle)
        return snapshot(clinic), broken[-1], daemon.kills


@pytest.mark.slow
async def test_a1_killed_and_restarted_while_both_vendors_are_away_it_comes_back_by_itself(tmp_path: Path) -> None:
    """Without `--no-check`: a vendor that is away stops no start."""
    undisturbed, disturbed = await asyncio.gather(
        live(tmp_path / "undisturbed", outage=False), live(tmp_path / "disturbed", outage=True)
    )
    assert undisturbed[1] == {}
    assert disturbed[1] == {}
    assert disturbed[2] == len(IN_SCENES)
    assert differing(undisturbed[0], disturbed[0]) == []
