"""Two workers, one killed with SIGKILL while its mail hangs at the server: people get one mail, and no second one ever after."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from daemon.config import load
from daemon.demo.embedded import free_port
from daemon.demo.rehearsal import prepare, servers
from daemon.sandbox.clinic import Clinic, write_private
from daemon.vendors.sections import SECTIONS
from events.store import Store
from tests.conftest import opened_store, until
from tests.crash.test_sigkill import Daemon
from tests.post import notify_section, post_office


async def owner(store: Store) -> int:
    """The process id of the worker that has the practice."""
    name = await store.pool.fetchval("SELECT owner FROM chartwire.practice_head WHERE practice = 'elm'")
    return int(str(name or ":0").rpartition(":")[2].partition(" ")[0])


@pytest.mark.slow
async def test_two_workers_and_one_killed_tell_once(tmp_path: Path) -> None:
    clinic = Clinic(offices=1, seconds=0.3)
    async with servers() as (postgres, broker), post_office() as office:
        await clinic.start()
        first = await prepare(clinic, tmp_path, postgres, broker)
        write_private(tmp_path / "notify-secret", "s3cret")
        text = first.read_text().replace(f'listen = "{load(first, SECTIONS).metrics.listen}"', 'listen = ""')
        first.write_text(text + notify_section(office))
        http = load(first, SECTIONS).http.listen
        second = tmp_path / "second.toml"
        second.write_text(first.read_text().replace(f'listen = "{http}"', f'listen = "127.0.0.1:{free_port()}"'))
        store = await opened_store(load(first, SECTIONS), tmp_path)
        workers = [Daemon(one, tmp_path / f"log-{one.stem}") for one in (first, second)]
        try:
            for one in workers:
                await one.start()
            await until(lambda: _has_owner(store), 60.0)
            office.held = asyncio.Event()
            await _waits(store, "conflict")
            await until(lambda: office.seen, 60.0)
            mine = await owner(store)
            killed = next(one for one in workers if one._process is not None and one._process.pid == mine)
            assert killed._process is not None
            killed._process.send_signal(signal.SIGKILL)
            await killed._process.wait()
            office.held.set()
            office.held = None
            await until(lambda: len(office.seen) > 1 and office.mails, 120.0)
            other = next(one for one in workers if one is not killed)
            assert (await owner(store), len(set(office.seen))) == (other._process.pid, 1)  # type: ignore[union-attr]
            await until(lambda: _is_told(store, "conflict"))
            await _waits(store, "refused")
            await until(lambda: _is_told(store, "refused"), 60.0)
            texts = [one.get_content() for one in office.mails if one["Message-ID"] != office.seen[0]]
            assert len([one for one in office.mails if one["Message-ID"] == office.seen[0]]) == 1
            assert len(texts) == 1
            assert "refused" in texts[0]
        finally:
            for one in workers:
                if one._process is not None and one._process.returncode is None:
                    await one.stop()
            await store.close()
            await clinic.stop()


async def _has_owner(store: Store) -> bool:
    return await owner(store) > 0


async def _waits(store: Store, code: str) -> None:
    await store.pool.execute("INSERT INTO chartwire.waiting VALUES ('elm', 'K:1', $1, $1, now())", code)


async def _is_told(store: Store, code: str) -> bool:
    doc = await store.pool.fetchval("SELECT doc::text FROM chartwire.notice WHERE audience = 'front desk'")
    return doc is not None and '"sending": null' in doc and f'"{code}"' in doc
