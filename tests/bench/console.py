"""`python -m tests.bench.console`: what people wait for at the console, with many practices and many of them at it at once.

Aims: 100,000 patients in 1,000 practices, 20 people with a request every 5 s in the mix below: every page answers within
200 ms at p95, a work list of 10,000 items within 300 ms, beside one indexed read in the same round. The console is a process of its
own, over HTTP; the store is filled through the daemon's own tables, without deciding anything.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import asyncpg

from daemon.config import Config, load, without_secrets
from daemon.console.app import opened
from daemon.console.asked import Console
from daemon.console.guard import SESSION_COOKIE
from daemon.demo.embedded import EmbeddedPostgres, free_port
from daemon.tables import accounts
from daemon.vendors.sections import SECTIONS
from events.codec import Keyring
from events.ids import PatientKey, PracticeId
from events.store import Store
from tests.bench import table
from tests.bench.console_cost import Spending, costs
from tests.bench.console_store import BIG, Size, configuration, filled, person
from tests.bench.material import database
from tests.bench.rounds import repeated
from tests.bench.table import FEWEST, Line, progress
from tests.integration.visiting import TOKEN

ROOT = Path(__file__).parents[2]
MIX = {
    "overview": 14, "work list": 22, "work list, one kind": 6, "my day": 10, "appointments": 5, "find": 12, "patient": 14, "bills": 5,
    "links": 3, "duplicates": 2, "accounts": 3, "practices": 2, "holds": 2,
}  # fmt: skip
"""How often each page is asked for, of a hundred requests: the mix of a day at front desks, billers and operators."""

PATHS = {
    "overview": "", "work list": "/work", "work list, one kind": "/work?code=refused", "my day": "/day", "appointments": "/appointments",
    "bills": "/bills", "links": "/links", "duplicates": "/duplicates", "accounts": "/balance?by=month", "holds": "/holds",
}  # fmt: skip
HALF = 0.5
"""Of the requests that go to the big practice."""


@dataclass
class Person:
    """Somebody signed in, who asks for a page now and then; of the big practice or of another one (`big`), or of either."""

    http: aiohttp.ClientSession
    url: str
    console: Console
    size: Size
    pick: random.Random
    token: str = ""
    big: bool | None = None

    async def asks(self, page: str) -> float:
        """The milliseconds of one page, from the request to its last byte."""
        in_big = self.pick.random() < HALF if self.big is None else self.big
        practice = BIG if in_big else PracticeId(f"p{self.pick.randrange(1, self.size.practices)}")
        number = self.pick.randrange(1, self.size.of(practice) + 1)
        at = f"/p/{practice}"
        if page == "find":
            if not self.token:
                await self._call("GET", f"{at}/find")
            wanted = person(number)
            misspelt = wanted.first_name[0] + wanted.first_name[2:]
            typed = {"token": self.token, "first": misspelt, "last": wanted.last_name, "born": "", "phone": "", "id": ""}
            return await self._call("POST", f"{at}/find", typed)
        if page == "patient":
            return await self._call("GET", f"{at}/patient/{self.console.handles.of(practice, PatientKey(f'K:{number}'))}")
        return await self._call("GET", "/" if page == "practices" else at + PATHS[page])

    async def _call(self, method: str, path: str, form: dict[str, str] | None = None) -> float:
        began = time.perf_counter()
        async with self.http.request(method, self.url + path, data=form, allow_redirects=False) as answer:
            text = await answer.text()
        spent = (time.perf_counter() - began) * 1000
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status}")
        if found := TOKEN.search(text):
            self.token = found[1]
        return spent


@dataclass
class Load:
    """People at work; `spent` are the milliseconds by page, and those of one indexed read after each."""

    people: Sequence[Person]
    store: Store
    spent: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    async def work(self, seconds: float, every: float) -> None:
        async with asyncio.TaskGroup() as group:
            for number, one in enumerate(self.people):
                group.create_task(self._one(one, seconds, every, number * every / len(self.people)))

    async def _one(self, person: Person, seconds: float, every: float, begins: float) -> None:
        ends = time.monotonic() + seconds
        await asyncio.sleep(begins)
        while time.monotonic() < ends:
            began = time.monotonic()
            page = person.pick.choices(list(MIX), list(MIX.values()))[0]
            self.spent[page].append(await person.asks(page))
            self.spent[READ].append(await self._read(person))
            await asyncio.sleep(max(0.0, every - (time.monotonic() - began)))

    async def _read(self, person: Person) -> float:
        number = person.pick.randrange(1, person.size.of(BIG) + 1)
        began = time.perf_counter()
        await self.store.pool.fetchrow(ONE_READ, BIG, f"K:{number}")
        return (time.perf_counter() - began) * 1000


READ = "one indexed read"
ONE_READ = "SELECT sequence, doc FROM chartwire.patient WHERE practice = $1 AND patient_key = $2"


def lines_of(spent: dict[str, list[float]]) -> list[Line]:
    """The median and the 95th percentile of each page, in the order of the mix."""
    found = []
    for page in (*MIX, READ):
        times = sorted(spent.get(page, ()))
        if not times:
            continue
        aim = None if page == READ else 300.0 if page.startswith("work list") else 200.0
        last = times[min(len(times) - 1, int(len(times) * 0.95))]
        found.append(Line(subject="console", what=f"{page}: p50", unit="ms", rounds=(statistics.median(times),)))
        found.append(Line(subject="console", what=f"{page}: p95", unit="ms", rounds=(last,), aim=aim))
    return found


@asynccontextmanager
async def served(file: Path, config: Config) -> AsyncIterator[tuple[str, int]]:
    """A console as `chartwire console` runs it: where it is, and its process."""
    assert config.console is not None
    command = [sys.executable, "-m", "daemon", "console", "--config", str(file)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(120):
            if not (await process.stdout.readline()).startswith(b"console:"):
                raise RuntimeError("the console has not started")
        yield config.console.url, process.pid
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def signed_in(console: Console, url: str, size: Size, people: int) -> AsyncIterator[list[Person]]:
    """That many operators of all practices."""
    pool, found = console.store.pool, []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as first:
        try:
            for number in range(people):
                name = f"person-{number}"
                if await accounts.add(pool, name, ""):
                    await accounts.set_role(pool, name, accounts.EVERYWHERE, "operator", held=True)
                cookie = {SESSION_COOKIE: await console.sessions.begin(name, "127.0.0.1", "signed in")}
                headers = {"Cookie": "; ".join(f"{key}={value}" for key, value in cookie.items())}
                http = aiohttp.ClientSession(
                    connector=first.connector, connector_owner=False, headers=headers, cookie_jar=aiohttp.DummyCookieJar()
                )
                found.append(Person(http, url, console, size, random.Random(number)))
            yield found
        finally:
            for one in found:
                await one.http.close()


async def console(folder: Path, size: Size, rounds: int, people: int, seconds: float, every: float) -> list[Line]:
    """The figures of all rounds, on one filled store."""
    async with EmbeddedPostgres() as server:
        owner = await database(server, "console")
        daemon, pages = await server.create_daemon_role(), await server.create_console_role()
        file = configuration(folder, size, server.dsn("console", daemon), server.dsn("console", pages), free_port())
        config = load(file, without_secrets(SECTIONS))
        store = await Store.open(server.dsn("console", daemon), Keyring.from_directory(folder / "keys"))
        try:
            began = time.monotonic()
            await filled(store, config, size)
            await _analyzed(owner)
            progress(
                f"console: {size.patients} patients in {size.practices} practices after {time.monotonic() - began:.0f} s"
            )

            async def work(_number: int) -> list[Line]:
                async with served(file, config) as (url, process), opened(config, file) as beside:
                    async with signed_in(beside, url, size, people) as crowd:
                        load_ = Load(crowd, store)
                        await load_.work(seconds, every)
                        alone = await costs(crowd[0], list(MIX), await Spending.of(owner, process))
                    return [*lines_of(load_.spent), *alone]

            return await repeated("console", rounds, work)
        finally:
            await store.close()


async def _analyzed(owner: str) -> None:
    connection = await asyncpg.connect(owner)
    try:
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.console", description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    parser.add_argument("--practices", type=int, default=1000)
    parser.add_argument("--patients", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=10_000, help="that wait in the big practice")
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=300.0, help="of each round (300)")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between the requests of a person (5)")
    parser.add_argument("--rounds", type=int, default=FEWEST)
    given = parser.parse_args()
    size = Size(20, 900, 600) if given.quick else Size(given.practices, given.patients, given.items)
    seconds, every, rounds = (20.0, 5.0, 1) if given.quick else (given.seconds, given.every, given.rounds)
    with tempfile.TemporaryDirectory(prefix="chartwire-bench-") as name:
        lines = asyncio.run(console(Path(name), size, rounds, given.people, seconds, every))
    print(table.show(lines))
    if given.json:
        table.write(lines, given.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
