"""A clinic of two practices with a worker at work, which a test may end and replace by another one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import asyncpg

from daemon.config import load
from daemon.demo.embedded import EmbeddedPostgres
from daemon.demo.rehearsal import Broker, prepare
from daemon.runtime.surroundings import Surroundings, surroundings
from daemon.runtime.worker import Worker
from daemon.sandbox.clinic import Clinic
from daemon.vendors.sections import SECTIONS
from tests.conftest import until

A = TypeVar("A", bound="ClinicAtWork")


async def executed(dsn: str, *queries: str) -> None:
    """One after the other, each on its own."""
    connection = await asyncpg.connect(dsn)
    try:
        for query in queries:
            await connection.execute(query)
    finally:
        await connection.close()


@dataclass
class ClinicAtWork:
    """`file` is its configuration, `owner` the dsn of the schema's owner; a worker begins in `around` and runs in `group`."""

    clinic: Clinic
    file: Path
    owner: str
    around: Surroundings
    group: asyncio.TaskGroup
    worker: Worker = field(init=False)
    running: asyncio.Task[None] = field(init=False)

    async def begin(self) -> None:
        """Another worker, once there is none."""
        self.worker = Worker(self.around)
        self.running = self.group.create_task(self.worker.run())

    async def end(self) -> None:
        self.worker.stop()
        await asyncio.wait([self.running])

    async def owned(self) -> None:
        """Wait until the worker has both practices."""
        await until(lambda: len(self.worker.practices) == 2, 60.0)

    async def restart(self) -> None:
        await self.end()
        await self.begin()
        await self.owned()

    async def execute(self, *queries: str) -> None:
        await executed(self.owner, *queries)


@asynccontextmanager
async def at_work(
    make: Callable[[Clinic, Path, str, Surroundings, asyncio.TaskGroup], A],
    folder: Path,
    postgres: EmbeddedPostgres,
    broker: Broker,
) -> AsyncIterator[A]:
    """What `make` makes of the parts of a `ClinicAtWork`, while its first worker has both practices."""
    clinic = Clinic(seconds=0.3)
    await clinic.start()
    try:
        file = await prepare(clinic, folder, postgres, broker)
        config = load(file, SECTIONS)
        async with surroundings(config, folder) as around, asyncio.TaskGroup() as group:
            made = make(clinic, file, config.postgres.migrate_dsn, around, group)
            await made.begin()
            try:
                await made.owned()
                yield made
            finally:
                await made.end()
    finally:
        await clinic.stop()
