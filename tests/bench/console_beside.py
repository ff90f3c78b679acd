"""`python -m tests.bench.console_beside`: what people at the console cost the daemon, in processor time for each change that it records.

Aim: at most 2 % more with 20 people at it, a request every 5 s each, than with nobody. The daemon's part is a process of its own,
which records changes as fast as it can; every round measures it with and without the people.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from daemon.config import load, without_secrets
from daemon.console.app import opened
from daemon.demo.embedded import EmbeddedPostgres, free_port
from daemon.vendors.sections import SECTIONS
from events.codec import Keyring
from events.store import Store
from tests.bench import table
from tests.bench.console import ROOT, Load, served, signed_in
from tests.bench.console_store import Size, configuration, filled
from tests.bench.material import database
from tests.bench.recording import linked, moved, recorded
from tests.bench.rounds import interleaved, repeated
from tests.bench.table import FEWEST, Line, progress
from tests.conftest import PRACTICE

PATIENTS = 500
"""Of the practice whose changes are recorded."""


async def record(dsn: str, keys: Path) -> None:
    """The daemon's part: for each line of standard input, so many seconds of recording; prints the milliseconds of a change."""
    store, driver = await linked(dsn, keys, PATIENTS)
    try:
        print("ready", flush=True)
        version = 1
        while line := await asyncio.to_thread(sys.stdin.readline):
            ends, spent, count = time.monotonic() + float(line), 0.0, 0
            while time.monotonic() < ends:
                changes = moved(driver, PATIENTS, version)
                began = time.process_time()
                async for _ in recorded(driver, changes):
                    pass
                spent += time.process_time() - began
                count, version = count + PATIENTS, version + 1
            print(spent * 1000 / count, flush=True)
    finally:
        await store.close()


@asynccontextmanager
async def recording(dsn: str, keys: Path) -> AsyncIterator[tuple[asyncio.StreamWriter, asyncio.StreamReader]]:
    """The daemon's part, ready."""
    command = [sys.executable, "-m", "tests.bench.console_beside", "--record", dsn, str(keys)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=PIPE, stdout=PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if await process.stdout.readline() != b"ready\n":
            raise RuntimeError("the recorder has not started")
        yield process.stdin, process.stdout
    finally:
        process.stdin.close()
        await process.wait()


async def beside(folder: Path, size: Size, rounds: int, people: int, seconds: float, every: float) -> list[Line]:
    """The figures of all rounds, on one filled store."""
    async with EmbeddedPostgres() as server:
        await database(server, "console")
        daemon, pages = await server.create_daemon_role(), await server.create_console_role()
        dsn = server.dsn("console", daemon)
        file = configuration(folder, size, dsn, server.dsn("console", pages), free_port())
        Keyring.create_key(folder / "keys", PRACTICE)
        config = load(file, without_secrets(SECTIONS))
        store = await Store.open(dsn, Keyring.from_directory(folder / "keys"))
        try:
            await filled(store, config, size)
            async with (
                recording(dsn, folder / "keys") as (say, hear),
                served(file, config) as (url, _),
                opened(config, file) as console,
                signed_in(console, url, size, people) as crowd,
            ):

                async def nobody() -> float:
                    say.write(f"{seconds}\n".encode())
                    return float(await hear.readline())

                async def visited() -> float:
                    load_ = Load(crowd, store)
                    visiting = asyncio.create_task(load_.work(seconds, every))
                    found = await nobody()
                    await visiting
                    progress(f"{sum(map(len, load_.spent.values())) // 2} pages meanwhile")
                    return found

                async def work(number: int) -> list[Line]:
                    cost = await interleaved(number, {"nobody": nobody, "people": visited})
                    ratio = cost["people"] / cost["nobody"]
                    return [
                        Line(subject="beside", what="a change recorded, nobody at the console", unit="ms", rounds=(cost["nobody"],)),
                        Line(subject="beside", what=f"a change recorded, {people} people at it", unit="ms", rounds=(cost["people"],)),
                        Line(subject="beside", what="ratio of the two", unit="x", rounds=(ratio,), aim=1.02, more=False),
                    ]  # fmt: skip

                await nobody()  # the first changes write what every later round finds
                return await repeated("beside", rounds, work)
        finally:
            await store.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.console_beside", description=__doc__)
    parser.add_argument("--record", nargs=2, metavar=("DSN", "KEYS"), help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    parser.add_argument("--rounds", type=int, default=FEWEST)
    given = parser.parse_args()
    if given.record:
        dsn, keys = given.record
        asyncio.run(record(dsn, Path(keys)))
        return 0
    size, rounds, seconds, every = (
        (Size(3, 90, 60), 1, 2.0, 1.0) if given.quick else (Size(20, 4000, 2000), given.rounds, 20.0, 5.0)
    )
    with tempfile.TemporaryDirectory(prefix="chartwire-bench-") as name:
        lines = asyncio.run(beside(Path(name), size, rounds, 20, seconds, every))
    print(table.show(lines))
    if given.json:
        table.write(lines, given.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
