"""A pooler between chartwire and PostgreSQL is refused at start with a sentence: its sessions are not ours."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio

from daemon.demo.embedded import free_port
from events.keys import Keyring
from events.pool import PoolerBetween
from events.store import Store
from tests.integration.place import Make

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@pytest_asyncio.fixture(params=["session", "transaction"])
async def pooled(request: pytest.FixtureRequest, dsn: str, tmp_path: Path) -> AsyncIterator[str]:
    """The same database behind a real pgbouncer, stopped by its own process."""
    if PGBOUNCER is None:
        assert not os.environ.get("CI"), ".ci/run installs pgbouncer"
        pytest.skip("needs pgbouncer (Debian's package)")
    there, port = urlsplit(dsn), free_port()
    name = there.path.lstrip("/")
    file = tmp_path / "pgbouncer.ini"
    file.write_text(
        f"[databases]\n{name} = host={there.hostname} port={there.port} dbname={name} user={there.username}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        f"pool_mode = {request.param}\n"
    )
    tmp_path.chmod(0o755)
    as_nobody = {"user": pwd.getpwnam("nobody").pw_uid} if os.getuid() == 0 else {}
    process = await asyncio.create_subprocess_exec(PGBOUNCER, "-q", file.name, cwd=tmp_path, **as_nobody)
    address = f"postgresql://{there.username}@127.0.0.1:{port}/{name}"
    try:
        async with asyncio.timeout(30):
            while True:
                try:
                    connection = await asyncpg.connect(address)
                    break
                except OSError:
                    await asyncio.sleep(0.05)
        await connection.close()
        yield address
    finally:
        process.terminate()
        await process.wait()


async def test_a_pooler_is_refused(pooled: str, keyring: Keyring) -> None:
    with pytest.raises(PoolerBetween, match="a pooler stands between"):
        await Store.open(pooled, keyring)


async def test_every_command_says_that_a_pooler_is_in_between(pooled: str, place: Make) -> None:
    where = place(pooled)
    for command in (["status"], ["run", "--no-check"], ["check-config"]):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "daemon", *command, "--config", str(where.config),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(120):
            said, _ = await process.communicate()
        assert process.returncode == 1, said.decode()
        assert "postgres.dsn: " in said.decode()
        assert "a pooler stands between; name PostgreSQL's own port" in said.decode()
        assert "Traceback" not in said.decode()


async def test_postgresql_itself_is_taken(dsn: str, keyring: Keyring) -> None:
    store = await Store.open(dsn, keyring)
    await store.close()
