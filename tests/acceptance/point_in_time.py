"""Base backup, archive and point-in-time recovery of an embedded PostgreSQL, with the lines of deploy/postgres/README.md."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import subprocess
import tarfile
from datetime import datetime
from pathlib import Path

import asyncpg

from daemon.demo.embedded import EmbeddedPostgres, _as_user, _postgres
from tests.conftest import until

README = (Path(__file__).resolve().parents[2] / "deploy" / "postgres" / "README.md").read_text()


def line_of(beginning: str) -> str:
    """The README's line that begins so."""
    found = re.search(rf"^{re.escape(beginning)}.*$", README, re.MULTILINE)
    assert found is not None, beginning
    return found[0]


class Archive:
    """The archive and the base backups of one server, in a folder beside its data."""

    def __init__(self, postgres: EmbeddedPostgres) -> None:
        self._postgres = postgres
        self._folder = postgres._folder / "backup"
        for one in (self._folder, self._folder / "wal", self._folder / "base"):
            one.mkdir()
            _give(one)

    def _here(self, line: str) -> str:
        return line.replace("/srv/backup", str(self._folder))

    def _setting(self, name: str) -> str:
        """A setting of the README."""
        return self._here(line_of(f"{name} = ").partition(" = ")[2].strip("'"))

    async def begin(self) -> None:
        """Archive from now on, and make the role of the README."""
        connection = await asyncpg.connect(self._postgres.dsn())
        for name in ("wal_level", "archive_mode", "archive_command", "archive_timeout"):
            value = self._setting(name).replace("'", "''")
            await connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        await connection.execute(line_of("CREATE ROLE chartwire_backup"))
        await connection.close()
        await self._postgres.restart()

    async def back_up(self) -> None:
        """A base backup by the README's line, from the running server."""
        command = self._here(line_of("pg_basebackup")).replace("$(date +%F)", "now")
        program, *arguments = shlex.split(command)
        where = ("--host=127.0.0.1", f"--port={self._postgres.port}")
        await asyncio.to_thread(self._run, [str(_postgres()[0] / program), *arguments, *where])

    def _run(self, command: list[str]) -> None:
        subprocess.run(command, check=True, capture_output=True, cwd="/", timeout=120, **_as_user())  # type: ignore[call-overload]

    async def archived(self) -> None:
        """Everything that is committed now has come into the archive."""
        connection = await asyncpg.connect(self._postgres.dsn())
        segment = await connection.fetchval("SELECT pg_walfile_name(pg_switch_wal())")
        await until(lambda: (self._folder / "wal" / segment).exists(), 60)
        await connection.close()

    async def restore(self, to: datetime) -> None:
        """The server is lost with its data; its base backup is unpacked and brought to this moment."""
        await self._postgres.stop(kill=True)
        data = self._postgres._data
        await asyncio.to_thread(self._unpack, data)
        settings = (line_of("restore_command = "), f"recovery_target_time = '{to.isoformat(sep=' ')}'")
        with (data / "postgresql.auto.conf").open("a") as conf:
            conf.write("\n".join((*map(self._here, settings), line_of("recovery_target_action"), "")))
        (data / "recovery.signal").touch()
        _give(data / "recovery.signal")
        await self._postgres.start()
        await until(self._promoted, 60)

    def _unpack(self, data: Path) -> None:
        shutil.rmtree(data)
        data.mkdir(mode=0o700)
        for name, folder in (("base.tar.gz", data), ("pg_wal.tar.gz", data / "pg_wal")):
            with tarfile.open(self._folder / "base" / "now" / name) as tar:
                tar.extractall(folder, filter="tar")
        for one in (data, *data.rglob("*")):
            _give(one)

    async def _promoted(self) -> bool:
        connection = await asyncpg.connect(self._postgres.dsn())
        recovering = await connection.fetchval("SELECT pg_is_in_recovery()")
        await connection.close()
        return not recovering


def _give(path: Path) -> None:
    """To the user that the server runs as."""
    user = _postgres()[1]
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)
