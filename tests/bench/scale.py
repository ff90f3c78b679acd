"""`python -m tests.bench.scale`: what many practices and several workers cost, on real processes and Apache Kafka.

The sandboxes of both vendors and the load run in this process, on the same processor: with two cores a speed-up by more
workers is bounded by them, and is reported as it is.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import psutil

from daemon.demo.embedded import EmbeddedPostgres
from events.migrate import migrate
from tests.bench import table
from tests.bench.table import Line, progress
from tests.kafka.conftest import RUN, Kafka
from tests.kafka.process import Process
from tests.kafka.world import World, world

PATIENCE = 900.0
SERIAL = itertools.count(1)
HOURS, MANY = 36_000.0, 10_000_000
FIRST_READ = (
    "SELECT count(*) FROM (SELECT practice FROM chartwire.checkpoint GROUP BY practice"
    " HAVING count(DISTINCT split_part(source, '.', 1)) >= 2) AS read"
)
EACH = 3
"""Edits of each practice at once, however many practices there are."""


class Bench:
    """The servers that all parts share; a world of practices for each."""

    def __init__(self, folder: Path, postgres: EmbeddedPostgres, kafka: Kafka) -> None:
        self._folder = folder
        self._postgres = postgres
        self._kafka = kafka
        self._numbers = itertools.count(1)

    @asynccontextmanager
    async def practices(self, count: int, *, workers: int, seconds: float, peopled: bool) -> AsyncIterator[World]:
        name = f"scale_{next(self._numbers)}"
        await migrate(await self._postgres.create_database(name))
        await self._postgres.create_daemon_role()
        folder = self._folder / name
        folder.mkdir()
        progress(f"{count} practices, {workers} workers")
        async with world(
            folder, self._postgres, name, self._kafka, workers=workers, practices=count, seconds=seconds, peopled=peopled
        ) as there:
            yield there


async def quiet(there: World, seconds: float = 5.0) -> None:
    """Wait until nothing has been recorded for this long."""
    heads, since = [-1], time.monotonic()
    until = since + PATIENCE
    while time.monotonic() - since < seconds:
        if (now := await there.heads()) != heads:
            heads, since = now, time.monotonic()
        if time.monotonic() > until:
            raise TimeoutError("the practices do not come to rest")
        await asyncio.sleep(0.5)


def cpu(process: Process) -> float:
    times = psutil.Process(process.pid).cpu_times()
    return float(times.user + times.system)


async def idle(bench: Bench, count: int, seconds: float) -> list[Line]:
    """One worker with practices in which nobody does anything, polled every five minutes, over one cycle of polls."""
    async with bench.practices(count, workers=1, seconds=300.0, peopled=False) as there:
        (worker,) = there.workers
        await worker.start()
        await there.shared(worker, seconds=PATIENCE)
        await quiet(there)
        process, before, began = psutil.Process(worker.pid), cpu(worker), time.monotonic()
        progress(f"idle for {seconds:.0f} s")
        await asyncio.sleep(seconds)
        share = (cpu(worker) - before) / (time.monotonic() - began)
        memory, descriptors = process.memory_info().rss / 1e6, process.num_fds()
    return [
        Line(subject="idle", what=f"{count} practices: resident memory", rounds=(memory,), unit="MB", aim=500.0, more=False),
        Line(subject="idle", what=f"share of a core over {seconds:.0f} s of polls", rounds=(share,), unit="core", aim=0.1, more=False),
        Line(subject="idle", what="open file descriptors", rounds=(descriptors,), unit="files"),
    ]  # fmt: skip


async def start(bench: Bench, count: int, answer: float) -> list[Line]:
    """A worker starts with practices whose vendors need `answer` seconds for everything; one is refused, one gets no answer.

    A practice is at work once its owner says so; it has been read once the first reading of either system is recorded.
    """
    async with bench.practices(count, workers=1, seconds=300.0, peopled=False) as there:
        (worker,) = there.workers
        clinic = there.clinic
        refused, silent, *_ = clinic.offices
        clinic.ehr.faults.add(kind="delay", times=None, seconds=answer)
        clinic.billing.faults.add("*", "delay", seconds=HOURS, times=MANY, holding=silent.customer_key)
        clinic.billing.faults.add("*", "status", status=401, times=MANY, holding=refused.customer_key)
        clinic.billing.faults.add("*", "delay", seconds=answer, times=MANY)
        began = time.monotonic()
        await worker.start()
        await counted(there, "SELECT count(*) FROM chartwire.report WHERE coalesce(doc->>'standing', '') = ''", count)
        working = time.monotonic() - began
        progress(f"{count} practices at work after {working:.1f} s")
        await counted(there, FIRST_READ, count - 2)
        read = time.monotonic() - began
        clinic.billing.faults.clear()
    return [
        Line(subject="start", what=f"{count} practices at work, answers after {answer} s", rounds=(working,), unit="s", aim=90.0, more=False),
        Line(subject="start", what="all but the refused and the silent one read once from both systems", rounds=(read,), unit="s"),
    ]  # fmt: skip


async def counted(there: World, query: str, least: int) -> None:
    """Wait until the query counts so many."""
    until, told = time.monotonic() + PATIENCE, 0.0
    while (found := await there.store.pool.fetchval(query)) < least:
        if time.monotonic() > until:
            raise TimeoutError(f"{found} of {least} practices")
        if time.monotonic() > told + 10.0:
            told = time.monotonic()
            progress(f"{found} of {least} practices")
        await asyncio.sleep(0.2)


async def edits(there: World, each: int) -> float:
    """Everybody's charts are edited in Elation, as fast as it goes; seconds until the last edits have arrived in Kareo."""
    day, clinic = there.day, there.clinic
    wanted: dict[int, str] = {}
    links = {
        (row["practice"], row["elation_chart"]): row["kareo_patient"]
        for row in await there.store.pool.fetch("SELECT practice, elation_chart, kareo_patient FROM chartwire.link")
    }
    began = time.monotonic()
    for number in range(each):
        for office in clinic.offices:
            chart = day.elation_ids[office.id][number % len(day.elation_ids[office.id])]
            email = f"edit{next(SERIAL)}.{chart}@mail.example"
            day.edit_elation(chart, emails=[{"email": email}])
            wanted[links[office.id, chart]] = email
        await asyncio.sleep(0)
    until = began + PATIENCE
    while any(clinic.billing.patients[patient].email != email for patient, email in wanted.items()):
        if time.monotonic() > until:
            raise TimeoutError("the edits do not arrive")
        await asyncio.sleep(0.05)
    return time.monotonic() - began


async def growing(bench: Bench, practices: int, each: int) -> list[Line]:
    """The same load on 1, 2 and 4 workers; what moves when workers are added, and how long the others pause."""
    seconds: dict[int, float] = {}
    moved: list[str] = []
    pauses: list[float] = []
    async with bench.practices(practices, workers=4, seconds=30.0, peopled=True) as there:
        running: list[Process] = []
        for number in (1, 2, 4):
            before = await there.taken() if running else {}
            since: datetime = await there.store.pool.fetchval("SELECT clock_timestamp()")
            async with there.load(0.05):
                for worker in there.workers[len(running) : number]:
                    await worker.start()
                    running.append(worker)
                await there.shared(*running, seconds=PATIENCE)
            if before:
                after = await there.taken()
                stayed = [practice for practice, epoch in after.items() if before[practice] == epoch]
                moved.append(str(len(after) - len(stayed)))
                pauses.append(await pause(there, stayed, since))
            await quiet(there)
            seconds[number] = await edits(there, each)
            progress(f"{number} workers: {practices * each} edits in {seconds[number]:.1f} s")
    return [
        Line(subject="workers", what=f"1 worker: {practices * each} edits written through", rounds=(seconds[1],), unit="s"),
        Line(subject="workers", what="2 workers: speed-up", rounds=(seconds[1] / seconds[2],), unit="x"),
        Line(subject="workers", what="4 workers: speed-up", rounds=(seconds[1] / seconds[4],), unit="x"),
        Line(subject="workers", what=f"practices moved, 1 to 2 and 2 to 4 of {practices}: {', '.join(moved)}", rounds=(float(moved[-1]),), unit="practices"),
        Line(subject="workers", what="in a rebalance, practices that stay: longest from a save to its recording (+1 s)", rounds=(max(pauses),), unit="s", aim=2.0, more=False),
    ]  # fmt: skip


async def pause(there: World, stayed: Sequence[str], since: datetime) -> float:
    """The longest time from a save in Elation, which its webhook tells to the second, to its recording in one of these
    practices. Raises ValueError when nothing was recorded."""
    rows = await there.store.pool.fetch(
        "SELECT extract(epoch FROM recorded_at - modified_at)::float8 AS seconds FROM chartwire.event"
        " WHERE practice = ANY($1::text[]) AND recorded_at > $2 AND origin = 'elation' AND observed_at = modified_at",
        stayed,
        since,
    )
    return max(float(row["seconds"]) for row in rows)


async def flat(bench: Bench, counts: Sequence[int], changes: int) -> list[Line]:
    """The worker's processor time for the same number of changes, in ever more practices.

    Polls cost by time and not by change, which `idle` measures; here they are too far apart to fall among the changes.
    """
    costs = {}
    for count in counts:
        async with bench.practices(count, workers=1, seconds=3600.0, peopled=True) as there:
            (worker,) = there.workers
            await worker.start()
            await there.shared(worker, seconds=PATIENCE)
            await quiet(there, 10.0)
            rounds = max(1, changes // (count * EACH))
            before = cpu(worker)
            for _ in range(rounds):
                await edits(there, EACH)
            await quiet(there, 2.0)
            costs[count] = (cpu(worker) - before) / (count * EACH * rounds) * 1000
            progress(f"{count} practices: {costs[count]:.2f} ms of processor time a change")
    first, last = counts[0], counts[-1]
    return [
        *(Line(subject="cost", what=f"{count} practices: processor time a change", rounds=(costs[count],), unit="ms") for count in counts),
        Line(subject="cost", what=f"{last} practices against {first}", rounds=(costs[last] / costs[first],), unit="x", aim=1.2, more=False),
    ]  # fmt: skip


async def run(arguments: argparse.Namespace) -> list[Line]:
    quick = arguments.quick
    lines: list[Line] = []
    with tempfile.TemporaryDirectory(prefix="chartwire-scale-") as name:
        folder = Path(name)
        (folder / "kafka").mkdir()
        async with Kafka(folder / "kafka") as kafka, EmbeddedPostgres() as postgres:
            bench = Bench(folder, postgres, kafka)
            parts = {
                "idle": lambda: idle(bench, 5 if quick else 1000, 3.0 if quick else 300.0),
                "start": lambda: start(bench, 6 if quick else 1000, 0.1 if quick else 0.5),
                "growing": lambda: growing(bench, 8 if quick else 60, 3 if quick else 30),
                "flat": lambda: flat(bench, (2, 4) if quick else (10, 100, 1000), 20 if quick else 3000),
            }
            for part, work in parts.items():
                if not arguments.only or part in arguments.only:
                    lines += await work()
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale", description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    parser.add_argument("--only", nargs="*", help="idle start growing flat")
    arguments = parser.parse_args()
    subprocess.run([str(RUN), "resolve"], check=True)
    lines = asyncio.run(run(arguments))
    print(table.show(lines))
    if arguments.json:
        table.write(lines, arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
