"""A row of the crash matrix: one kind of write, one victim, and cell after cell another point at which it is struck down.

A clinic with one office and servers of its own; the daemon that takes over after one cell's kill is the next one's victim.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import traceback
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from daemon.config import Config, load
from daemon.demo.embedded import EmbeddedBroker, EmbeddedPostgres
from daemon.demo.rehearsal import judge, prepare, servers
from daemon.sandbox.clinic import Clinic
from daemon.vendors.registry import SECTIONS
from events.codec import Keyring
from events.ids import PracticeId
from events.records import type_of
from events.schema import IntentRequested, IntentSucceeded
from events.store import AWAY, Store
from tests.crash.kill_points import Kill, NextKill, Victim
from tests.crash.scenes import SCENES, Stage, write_of
from tests.kafka.conftest import START_SECONDS, Kafka

PASSES = (
    "elation.catch-up",
    "elation.sweep",
    "kareo.patients",
    "kareo.sweep",
    "kareo.appointments",
    "kareo.appointment-sweep",
)
CALENDAR = "elation.calendar-sweep"
OPEN = ("requested", "attempted", "unknown")
TO_STRIKE = 40.0
TO_REST = 90.0
FOR_A_STEP = 60.0
DOUBLED = "I3"


@contextlib.asynccontextmanager
async def within(seconds: float, what: str) -> AsyncIterator[None]:
    """Raises TimeoutError that says what took too long, and where it stood."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        stood = [frame for frame, _ in traceback.walk_tb(error.__cause__.__traceback__)] if error.__cause__ else []
        where = " < ".join(f"{Path(one.f_code.co_filename).name}:{one.f_lineno}" for one in reversed(stood[-6:]))
        raise TimeoutError(f"{what} ({where})" if where else what) from None


@dataclass
class Cell:
    """What came of one kill: how many changes are lost and how many doubled, and in words what is wrong."""

    victim: Victim
    kind: str
    point: str
    lost: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def green(self) -> bool:
        return not (self.lost or self.doubled or self.wrong)


class Nursery:
    """Forks daemons (tests/crash/victim.py), with a deliberate bug if one is named."""

    def __init__(self, bug: str = "") -> None:
        self._bug = bug
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Nursery:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.crash.victim", self._bug, stdin=pipe, stdout=pipe
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def born(self, config: Path, log: Path, next_kill: Path) -> int:
        """A new daemon's process id."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._turn, within(FOR_A_STEP, "no daemon was born"):
            self._process.stdin.write(f"{config}\t{log}\t{next_kill}\n".encode())
            return int(await self._process.stdout.readline())


@contextlib.asynccontextmanager
async def _servers(victim: Victim, folder: Path) -> AsyncIterator[tuple[EmbeddedPostgres, EmbeddedBroker | Kafka]]:
    """A broker that is to be killed is Apache Kafka, which has its disk to come back with; else the light one will do."""
    if victim != "broker":
        async with servers() as both:
            yield both
        return
    kafka = Kafka(folder / "kafka")
    (folder / "kafka").mkdir()
    async with EmbeddedPostgres() as postgres:
        try:
            await kafka.start()
            yield postgres, kafka
        finally:
            await kafka.stop(kill=True)


def _adapted(text: str, victim: Victim, rules: str) -> str:
    """The configuration with a short session, so that a successor need not wait for it, and with the scene's rules."""
    text = text.replace("[practice.overrides]\n", f"[practice.overrides]\n{rules}\n")
    text = text.replace("session_timeout_seconds = 6", "session_timeout_seconds = 1")
    return text.replace("idempotent = false", "idempotent = true") if victim == "broker" else text


class Row:
    """Open with `opened`; `cell` strikes once and judges."""

    def __init__(self, victim: Victim, kind: str, nursery: Nursery, folder: Path, stage: Stage) -> None:
        self.victim: Victim = victim
        self.kind = kind
        self.stage = stage
        self._nursery = nursery
        self._folder = folder
        self._next_kill = NextKill(folder / "next_kill")
        self._practice = PracticeId(stage.office.id)
        self._sources = (*PASSES, CALENDAR) if SCENES[kind].calendar else PASSES
        self._number = 0
        self._pid = 0
        self._postgres: EmbeddedPostgres
        self._broker: EmbeddedBroker | Kafka
        self._store: Store
        self._config: Config

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, victim: Victim, kind: str, cells: int, nursery: Nursery, folder: Path) -> AsyncIterator[Row]:
        """Servers, sandboxes and a daemon that has come to rest, with what so many cells need."""
        both_ways = int(SCENES[kind].both_ways)
        clinic = Clinic(
            limits_scale=0.02, seconds=0.1, offices=1 - both_ways, both_ways=both_ways, books=SCENES[kind].calendar
        )
        stage = Stage(clinic)
        SCENES[kind].prepare(stage, cells)
        row = cls(victim, kind, nursery, folder, stage)
        async with _servers(victim, folder) as (row._postgres, row._broker):
            await clinic.start()
            try:
                async with within(FOR_A_STEP, "the clinic is not prepared"):
                    file = await prepare(clinic, folder, row._postgres, row._broker)  # type: ignore[arg-type]
                    file.write_text(_adapted(file.read_text(), victim, SCENES[kind].rules))
                    stage.config, row._config = file, load(file, SECTIONS)
                    keyring = Keyring.from_directory(folder / row._config.keys.directory)
                    row._store = await Store.open(row._config.postgres.dsn, keyring, min_size=0)
                await row._bear()
                await row._rest()
                yield row
            finally:
                async with within(FOR_A_STEP, "the clinic does not close"):
                    await row._end()
                    await clinic.stop()

    # -- one cell ---------------------------------------------------------------------------------------------------------

    async def cell(self, point: str) -> Cell:
        """Strike at this point of the next write's way, repair what was struck, wait for rest, and judge."""
        loop = asyncio.get_running_loop()
        began, cell = loop.time(), Cell(self.victim, self.kind, point)
        async with within(FOR_A_STEP, "the head of the history cannot be read"):
            head = await self._store.head(self._practice)
        self._next_kill.order(Kill(self.victim, point, write_of(self.kind), self._server()))
        SCENES[self.kind].act(self.stage, self._number)
        self._number += 1
        before = self.stage.counts()
        try:
            await self._struck()
            await self._repair()
            await self._rest()
        except TimeoutError as error:
            cell.wrong.append(str(error))
        self._next_kill.clear()
        try:
            if cell.wrong and self.victim != "daemon":
                await self._repair()  # struck too late or not at all: what comes next needs a server
            async with within(FOR_A_STEP, "no judgement"):
                await self._judge(cell, head, before)
        except TimeoutError as error:
            cell.wrong.append(str(error))
        cell.seconds = loop.time() - began
        return cell

    def _server(self) -> int:
        if self.victim == "daemon":
            return 0
        server: Any = self._postgres if self.victim == "postgres" else self._broker
        return int(server._process.pid)

    async def _struck(self) -> None:
        async with within(TO_STRIKE, "the work never came to this point"):
            while self._next_kill.kill is not None:
                await asyncio.sleep(0.005)
            while self.victim == "daemon" and psutil.pid_exists(self._pid):
                await asyncio.sleep(0.005)

    async def _repair(self) -> None:
        """What an operator's machine does: start again what has died."""
        async with within(START_SECONDS + FOR_A_STEP, f"the {self.victim} does not start again"):
            if self.victim == "daemon":
                await self._bear()
            elif self.victim == "postgres":
                await self._postgres.restart(kill=True)
            else:
                await self._broker.stop(kill=True)
                await self._broker.start()

    # -- the daemon -------------------------------------------------------------------------------------------------------

    async def _bear(self) -> None:
        self._pid = await self._nursery.born(self._config_file, self._folder / "log", self._folder / "next_kill")

    @property
    def _config_file(self) -> Path:
        return self._folder / "chartwire.toml"

    async def _end(self) -> None:
        """Kill the daemon: nothing after this row needs it to say goodbye."""
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            while psutil.pid_exists(self._pid):
                await asyncio.sleep(0.005)
        if hasattr(self, "_store"):
            await self._store.close()

    async def _rest(self) -> None:
        """Every pass gone round twice, webhooks delivered, nothing open, and no event since."""
        moving = "nothing has been looked at"
        try:
            async with asyncio.timeout(TO_REST):
                while True:
                    if not psutil.pid_exists(self._pid):  # systemd's Restart=on-failure
                        await self._bear()
                    with contextlib.suppress(*AWAY):
                        head, passes = await self._store.head(self._practice), await self._passes()
                        for _ in range(2):
                            passes = await self._gone_round(passes)
                        await self.stage.clinic.ehr.webhooks.quiet(timeout=TO_REST)
                        open_ = await self._open()
                        if head and head == await self._store.head(self._practice) and not open_:
                            return
                        moving = ", ".join(open_) or "events keep coming"
        except TimeoutError:
            raise TimeoutError(f"no rest: {moving}") from None

    async def _passes(self) -> dict[str, Any]:
        rows = await self._store.pool.fetch(
            "SELECT source, updated_at FROM chartwire.checkpoint WHERE practice = $1", self._practice
        )
        return {row["source"]: row["updated_at"] for row in rows if row["source"] in self._sources}

    async def _gone_round(self, before: dict[str, Any]) -> dict[str, Any]:
        while True:
            if not psutil.pid_exists(self._pid):
                await self._bear()
            now = await self._passes()
            if all(name in now and now[name] != before.get(name) for name in self._sources):
                return now
            await asyncio.sleep(0.02)

    async def _open(self) -> list[str]:
        rows = await self._store.pool.fetch(
            "SELECT slot, state FROM chartwire.open_intent WHERE practice = $1 AND state = ANY($2::text[])",
            self._practice,
            list(OPEN),
        )
        return [f"{row['slot']} {row['state']}" for row in rows]

    # -- judging ----------------------------------------------------------------------------------------------------------

    async def _judge(self, cell: Cell, head: int, before: Any) -> None:
        """By what the sandboxes hold, by the invariants, and by the events: the write came about, each record once."""
        after, makes = self.stage.counts(), SCENES[self.kind].makes
        for name in after:
            surplus = after[name] - before[name] - makes.get(name, 0)
            cell.lost += max(0, -surplus)
            cell.doubled += max(0, surplus)
            if surplus:
                cell.wrong.append(f"{surplus:+d} {name}")
        wanted: set[object] = set()
        done: set[object] = set()
        async for one in self._store.read(self._practice, after=head):
            body = one.event.body
            if isinstance(body, IntentRequested) and type_of(body.write) == write_of(self.kind):
                wanted.add(body.intent)
            elif isinstance(body, IntentSucceeded):
                done.add(body.intent)
        if not wanted & done:
            cell.lost += 1
            cell.wrong.append("the write did not come about")
        report = await judge(self._config, self._store, self.stage.clinic, self.stage.day)
        for name, problems in report["invariants"].items():
            cell.doubled += len(problems) if name == DOUBLED else 0
            cell.lost += len(problems) if name in ("I4", "I6") else 0
            cell.wrong += [f"{name}: {one}" for one in problems]
