"""The clinic day, played once for all tests that look at what came of it: `pytest_plugins = ("tests.played_day",)`.

The daemon runs in this process, on a thread with a loop of its own, from a configuration file, against real servers. At the
end of the day the worker is stopped, so that nothing moves any more; PostgreSQL, the broker and both sandboxes stay up until
the tests are done, for the commands that look.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog

from daemon.config import Config
from daemon.demo.rehearsal import Rehearsal, RehearsalReport, practices
from daemon.sandbox.clinic import Clinic, Office
from daemon.sandbox.day import Day
from daemon.sandbox.kareo.records import Encounter
from daemon.tables import documents as tables
from daemon.telemetry import configure_logging
from events.schema import Recorded
from events.store import Store
from tests.conftest import opened_store, until

SECONDS = 600.0
SIZE = 8


@dataclass(kw_only=True)
class PlayedDay:
    """What is left of the day. `log` is all that was logged; `events` and `links` (Kareo patient to Elation chart) are what
    the store holds, by practice. `config` is the file that commands can still be run with."""

    report: RehearsalReport
    clinic: Clinic
    day: Day
    config: Path
    log: str
    scrape: str
    """What Prometheus was told at the end of the day, the worker still at work."""
    events: dict[str, list[Recorded]]
    links: dict[str, dict[int, int]]

    @property
    def offices(self) -> list[Office]:
        return self.clinic.offices

    def waiting(self, code: str) -> list[dict[str, str]]:
        """The waiting items of a code."""
        return [one for one in self.report["waiting"] if one["code"] == code]

    def chart(self, office: Office, patient: int) -> dict[str, Any]:
        """The Elation chart that is linked with a Kareo patient, as Elation holds it."""
        return self.clinic.ehr.patients[self.links[office.id][patient]]

    def appointment(self, office: Office, key: int) -> dict[str, Any] | None:
        """The Elation appointment that carries a Kareo appointment's id; None when there is none."""
        ehr, application = self.clinic.ehr, f"client-{office.id}"
        for id_, one in ehr.appointments.items():
            kept = ehr.metadata("appointments", id_, application) or {}
            if kept.get("object_id") == f"kareo-appointment:{key}":
                return one
        return None

    def policies(self, office: Office, patient: int) -> list[dict[str, Any]]:
        """The active policies of the linked chart, by rank."""
        chart = self.links[office.id][patient]
        held = [one for one in self.clinic.ehr.policies.values() if one["patient_id"] == chart]
        return sorted((one for one in held if one["status"] == "active"), key=lambda one: str(one.get("rank")))

    def bill(self, office: Office, name: str) -> tuple[dict[str, Any], list[Encounter]]:
        """A bill of the script by its name there, and what became of it in Kareo."""
        bill = self.clinic.ehr.bills[self.day._bills[office.id][name]]
        encounters = self.clinic.billing.encounters.values()
        return bill, [one for one in encounters if one.batch_number == str(bill["id"])]


class _Kept(Rehearsal):
    """Keeps the report, which `hold` is not given."""

    report: RehearsalReport

    async def _play(self, store: Store) -> RehearsalReport:
        self.report = await super()._play(store)
        return self.report


@contextlib.contextmanager
def _logged_to(file: Path) -> Iterator[None]:
    """Everything that is logged goes to `file`, as the daemon would write it to stderr, at every level."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with file.open("w") as stream:
        with contextlib.redirect_stderr(stream):
            configure_logging(json=True, level="DEBUG")
        try:
            yield
        finally:
            structlog.reset_defaults()
            root.handlers[:] = handlers
            root.setLevel(level)


@pytest.fixture
def logged_to() -> Callable[[Path], contextlib.AbstractContextManager[None]]:
    return _logged_to


@pytest.fixture(scope="session")
def played_day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayedDay]:
    """The day of two practices, as `chartwire demo` plays it. Tests that change anything play their own (`played`)."""
    with played(tmp_path_factory.mktemp("rehearsal") / "log.jsonl") as day:
        yield day


@pytest.fixture(scope="session")
def played_both_ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayedDay]:
    """The day of one practice with the profile elation-led."""
    with played(tmp_path_factory.mktemp("both-ways") / "log.jsonl", Clinic(offices=0, both_ways=1)) as day:
        yield day


async def _recorded(config: Config, folder: Path) -> tuple[dict[str, list[Recorded]], dict[str, dict[int, int]]]:
    """Events and links by practice."""
    store = await opened_store(config, folder)
    events: dict[str, list[Recorded]] = {}
    links: dict[str, dict[int, int]] = {}
    for practice in practices(config):
        events[practice] = [one async for one in store.read(practice)]
        links[practice] = {int(billing): int(ehr) for ehr, billing in await tables.links(store.pool, practice)}
    await store.close()
    return events, links


@contextlib.contextmanager
def played(file: Path, clinic: Clinic | None = None) -> Iterator[PlayedDay]:
    """A day played to its end, logged to `file`; the servers stay up within the context."""
    clinic = clinic or Clinic()
    day = Day(clinic, size=SIZE)
    rehearsal = _Kept(clinic, day, lambda _line: None)
    over: Future[PlayedDay] = Future()
    release = threading.Event()

    async def hold(name: str) -> None:
        assert rehearsal.worker is not None
        assert rehearsal.config is not None
        worker = rehearsal.worker
        async with aiohttp.ClientSession() as http, http.get(f"http://{rehearsal.config.metrics.listen}/metrics") as answer:
            scrape = await answer.text()
        worker.stop()
        await until(lambda: not worker.practices)
        config = Path(name)
        events, links = await _recorded(rehearsal.config, config.parent)
        over.set_result(
            PlayedDay(
                report=rehearsal.report,
                clinic=clinic,
                day=day,
                config=config,
                log=file.read_text(),
                scrape=scrape,
                events=events,
                links=links,
            )
        )
        await asyncio.to_thread(release.wait)

    def play() -> None:
        try:
            asyncio.run(rehearsal.run(hold=hold))
        except BaseException as error:
            if over.done():
                raise
            over.set_exception(error)

    playing = threading.Thread(target=play, name="rehearsal")
    try:
        with _logged_to(file):
            playing.start()
            played_day = over.result(timeout=SECONDS)
        yield played_day
    finally:
        release.set()
        playing.join(timeout=60)
