"""A clinic of two practices with a worker at work, for tests that break one thing, read the doctor's advice, follow it, and ask again."""

from __future__ import annotations

import asyncio
import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from daemon.config import keyring_of, load
from daemon.demo.rehearsal import Broker, servers
from daemon.findings import Finding
from daemon.operator.doctor import examine
from daemon.runtime import worker as working
from daemon.vendors.sections import SECTIONS
from tests.acceptance.clinic_at_work import ClinicAtWork, at_work
from tests.conftest import until

SQL = re.compile(r"^(GRANT|REVOKE|ALTER ROLE) ")


@dataclass
class Installation(ClinicAtWork):
    """What the doctor looks at. `port` is PostgreSQL's; `ahead` is how far the doctor's clock is off."""

    port: int
    ahead: timedelta = timedelta()

    async def findings(self) -> list[Finding]:
        config = load(self.file, SECTIONS)
        return await examine(config, self.file.parent, now=lambda: datetime.now(UTC) + self.ahead)

    async def found(self, code: str) -> Finding:
        """The first finding of this code: what a worker does and what it reports come a moment after their cause."""
        every: list[Finding] = []

        async def there() -> bool:
            every[:] = await self.findings()
            return code in {one.code for one in every}

        with suppress(TimeoutError):
            await until(there, 60.0)
        assert code in {one.code for one in every}, every
        return next(one for one in every if one.code == code)

    async def gone(self, code: str) -> None:
        async def away() -> bool:
            return code not in {one.code for one in await self.findings()}

        await until(away, 60.0)

    async def value(self, query: str) -> object:
        connection = await asyncpg.connect(self.owner)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    async def reload(self) -> None:
        """What SIGHUP does."""
        config = load(self.file, SECTIONS)
        await self.worker.reload(config, keyring_of(config, self.file.parent))

    def edit(self, old: str, new: str) -> None:
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new))

    async def follow(self, finding: Finding) -> None:
        """Do what the advice says, as it says it: SQL as the owner, a command of chartwire as a process, and a reload of the worker."""
        if SQL.match(finding.repair):
            await self.execute(finding.repair)
            return
        if "systemctl reload chartwire" in finding.repair:
            await self.reload()
            return
        command = re.search(r"`chartwire ([^`]+)`", finding.repair)
        assert command is not None, finding.repair
        words = [*shlex.split(command[1]), *([] if "new-key" in command[1] else ["--config", str(self.file)])]
        done = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-m", "daemon", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


@asynccontextmanager
async def installed(folder: Path, kafka: Broker | None = None) -> AsyncIterator[Installation]:
    """`kafka` is used instead of the embedded broker."""
    async with (
        servers() as (postgres, broker),
        at_work(partial(Installation, port=postgres.port), folder, postgres, kafka or broker) as one,
    ):
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    seconds, working.REPORT_SECONDS = working.REPORT_SECONDS, 0.3
    try:
        async with installed(tmp_path_factory.mktemp("doctor")) as one:
            yield one
    finally:
        working.REPORT_SECONDS = seconds
