"""A rehearsal on one machine: embedded PostgreSQL and broker, both sandboxes, the daemon, and the clinic day.

`chartwire demo` shows it; tests use the same parts. The daemon runs from a configuration file exactly as `chartwire run` does.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Protocol

from daemon.config import Config, load, policy_of
from daemon.demo.embedded import EmbeddedBroker, EmbeddedPostgres, free_port
from daemon.history import invariants as audit
from daemon.instruments import Instruments
from daemon.runtime.surroundings import surroundings
from daemon.runtime.worker import Worker
from daemon.sandbox import witness
from daemon.sandbox.clinic import Clinic
from daemon.sandbox.day import Day
from daemon.vendors.sections import SECTIONS
from events.ids import PracticeId
from events.migrate import migrate
from events.slots import SlotKind, parse_slot
from events.store import AWAY, Store
from events.writes import System
from projections.words.remedy import SHOWN_ELSEWHERE

PASSES = {
    System.EHR: ("catch-up", "sweep"),
    System.BILLING: ("patients", "appointments", "sweep", "appointment-sweep"),
}
CHECKED = ("I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I10")

RehearsalReport = dict[str, Any]


@contextlib.asynccontextmanager
async def servers() -> AsyncIterator[tuple[EmbeddedPostgres, EmbeddedBroker]]:
    """Both embedded servers, started together; where one does not start the other is not left running."""
    async with contextlib.AsyncExitStack() as stack:
        postgres = asyncio.ensure_future(stack.enter_async_context(EmbeddedPostgres()))
        broker = asyncio.ensure_future(stack.enter_async_context(EmbeddedBroker()))
        try:
            started = await asyncio.gather(postgres, broker)
        except BaseException:
            for starting in (postgres, broker):
                if not starting.cancelling():  # a second time would cut short what the first one made it do
                    starting.cancel()
            await asyncio.wait([postgres, broker])
            raise
        yield started


class Broker(Protocol):
    """Any that can be reached."""

    @property
    def bootstrap_servers(self) -> str:
        """Its address."""


async def prepare(clinic: Clinic, folder: Path, postgres: EmbeddedPostgres, broker: Broker) -> Path:
    """Database, roles, keys and configuration; returns the configuration file."""
    owner = await postgres.create_database("chartwire")
    await migrate(owner)
    role, console = await postgres.create_daemon_role(), await postgres.create_console_role()
    listen = f"127.0.0.1:{free_port()}"
    return clinic.write_config(
        folder,
        dsn=postgres.dsn("chartwire", role),
        migrate_dsn=owner,
        bootstrap_servers=broker.bootstrap_servers,
        listen=listen,
        metrics=f"127.0.0.1:{free_port()}",
        console=(postgres.dsn("chartwire", console), f"127.0.0.1:{free_port()}"),
    )


REST_SECONDS = 180.0


class Rest:
    """Knows when an in-process worker has come to rest: webhooks delivered, every pass gone round again, sinks idle, and no
    event since."""

    def __init__(self, worker: Worker, clinic: Clinic, store: Store) -> None:
        self._worker = worker
        self._clinic = clinic
        self._store = store

    async def reached(self) -> None:
        """Wait for it. Raises TimeoutError naming what still moves."""
        try:
            async with asyncio.timeout(REST_SECONDS):
                while True:
                    with contextlib.suppress(*AWAY):
                        heads = await self._heads()
                        await self._clinic.ehr.webhooks.quiet(timeout=REST_SECONDS)
                        await self._go_round()
                        if heads == await self._heads() and self._idle():
                            return
        except TimeoutError:
            raise TimeoutError(f"the rehearsal does not come to rest: {self._moving()}") from None

    async def _heads(self) -> list[int]:
        return [await self._store.head(practice) for practice in self._worker.practices]

    def _idle(self) -> bool:
        practices = self._worker.practices.values()
        at_work = len(practices) == len(self._clinic.offices) and all(practice.running for practice in practices)
        hinted = any(one.passes.hinted for practice in practices for one in practice.connectors.values())
        return at_work and not hinted and all(sink.idle for practice in practices for sink in practice.sinks.values())

    def _done(self) -> dict[tuple[PracticeId, System, str], int]:
        return {
            (id_, system, name): connector.passes.done.get(name, 0)
            for id_, practice in self._worker.practices.items()
            for system, connector in practice.connectors.items()
            for name in PASSES[system]
        }

    async def _go_round(self) -> None:
        """Every pass ends twice: the second one began after now."""
        before = self._done()
        while late := [key for key, count in self._done().items() if count < before.get(key, 0) + 2]:
            for practice, system, name in late:
                self._worker.practices[practice].connectors[system].nudge(name)
            await asyncio.sleep(0.05)

    def _moving(self) -> str:
        busy = [
            f"{id_} {system.value} sink"
            for id_, practice in self._worker.practices.items()
            for system, sink in practice.sinks.items()
            if not sink.idle
        ]
        failing = [
            f"{id_} {name}: {why}"
            for id_, practice in self._worker.practices.items()
            for connector in practice.connectors.values()
            for name, why in connector.passes.failing.items()
        ]
        return ", ".join(busy + failing) or "events keep coming"


class Rehearsal:
    """Everything running; `tell` is told what happens, a line at a time."""

    def __init__(self, clinic: Clinic, day: Day, tell: Callable[[str], None]) -> None:
        self.clinic = clinic
        self.day = day
        self.meter = Instruments()
        self.config: Config | None = None
        self.worker: Worker | None = None
        self._tell = tell

    async def run(self, *, hold: Callable[[str], Any] | None = None) -> RehearsalReport:
        """The whole of it; `hold` is awaited at the end with the addresses, everything still running (--keep)."""
        with tempfile.TemporaryDirectory(prefix="chartwire-demo-") as folder:
            async with servers() as (postgres, broker):
                await self.clinic.start()
                try:
                    file = await prepare(self.clinic, Path(folder), postgres, broker)
                    self.config = load(file, SECTIONS)
                    self._tell(
                        f"PostgreSQL on {postgres.port}, broker on {broker.port}, Elation {self.clinic.ehr.url}, "
                        f"Kareo {self.clinic.billing.url}"
                    )
                    async with surroundings(self.config, file.parent, meter=self.meter) as around:
                        self.worker = Worker(around)
                        async with asyncio.TaskGroup() as group:
                            running = group.create_task(self.worker.run())
                            try:
                                report = await self._play(around.store)
                                if hold is not None:
                                    await hold(str(file))
                            finally:
                                self.worker.stop()
                                await asyncio.wait([running])
                    return report
                finally:
                    await self.clinic.stop()

    async def _play(self, store: Store) -> RehearsalReport:
        assert self.worker is not None
        assert self.config is not None
        rest = Rest(self.worker, self.clinic, store)

        async def settle(scene: str) -> None:
            await rest.reached()
            counts = self.meter.counts
            written = sum(number for name, number in counts.items() if name.startswith("written."))
            self._tell(f"{scene}: {self.day.actions} actions, {counts['changes_seen']} changes seen, {written} writes")

        self.day.prepare()
        while len(self.worker.practices) < len(self.clinic.offices):  # noqa: ASYNC110 - nobody tells when the last one is taken
            await asyncio.sleep(0.05)
        await self.day.play(settle)
        before = self._writes()
        await rest.reached()
        report = await judge(self.config, store, self.clinic, self.day)
        if self._writes() != before:
            report["invariants"]["I5"] = ["writes go on though nobody changes anything"]
        report |= self._numbers()
        report["ok"] = not any(report["invariants"].values())
        return report

    def _writes(self) -> int:
        return sum(number for name, number in self.meter.counts.items() if name.startswith("written."))

    def _numbers(self) -> RehearsalReport:
        counts = self.meter.counts
        writes: dict[str, Counter[str]] = {"elation": Counter(), "kareo": Counter()}
        for name, number in counts.items():
            if name.startswith("written."):
                _, system, resource, _ = name.split(".")
                writes[system][resource] += number
        calls: Counter[str] = Counter()
        for (operation, _), number in self.meter.calls.items():
            calls[operation] += number
        return {
            "actions": self.day.actions,
            "changes_seen": counts["changes_seen"],
            "events_recorded": counts["events_recorded"],
            "writes": {system: dict(sorted(each.items())) for system, each in writes.items()},
            "echoes_suppressed": counts["echoes_suppressed"],
            "conflicts": counts["conflicts"],
            "refusals": counts["refusals"],
            "calls": dict(sorted(calls.items())),
            "limiter_violations": len(self.clinic.billing.violations),
            "seconds_from_change_to_write": {
                f"to {system}": self.meter.quantiles(f"change_to_write.{system}") for system in ("elation", "kareo")
            },
        }


async def judge(config: Config, store: Store, clinic: Clinic, day: Day) -> RehearsalReport:
    """Check every invariant of every practice; lists what waits and why."""
    broken: dict[str, list[str]] = {name: [] for name in CHECKED}
    waiting: list[dict[str, str]] = []
    agreeing = 0
    for practice, office in zip(config.practice, clinic.offices, strict=True):
        found = await audit.audit(store, policy_of(practice))
        for name, problems in found.broken.items():
            broken[name] += [f"{practice.id}: {one}" for one in problems]
        slots = {one.link.billing: set(one.waiting) for one in found.patients.values() if one.link is not None}
        links = [(int(one.link.ehr), int(one.link.billing)) for one in found.patients.values() if one.link is not None]
        differing = witness.differences(clinic, office, links, slots, day.elation_edits)  # type: ignore[arg-type]
        bills = {
            int(slot.id)
            for one in found.patients.values()
            for slot in map(parse_slot, one.waiting)
            if slot.kind is SlotKind.BILL
        }
        differing += witness.unbilled(clinic, office, bills)
        broken["I6"] += [f"{practice.id}: {one}" for one in differing]
        broken["I3"] += [f"{practice.id}: {one}" for one in witness.doubled(clinic, office)]
        agreeing += len(links)
        for key, items in [(one.key, one.waiting) for one in found.patients.values()] + [("", found.directory.waiting)]:
            waiting += [
                {"practice": practice.id, "patient": key, "slot": slot, "code": one.code, "reason": one.text}
                for slot, one in sorted(items.items())
                if one.code not in SHOWN_ELSEWHERE
            ]
    broken["I10"] += [f"{operation} was called too fast" for _, _, operation in clinic.billing.violations]
    return {"invariants": broken, "linked_patients": agreeing, "waiting": waiting}


def practices(config: Config) -> list[PracticeId]:
    return [PracticeId(one.id) for one in config.practice]
