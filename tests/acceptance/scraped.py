"""A worker whose scrapes are looked at while it is driven into trouble, and what a scrape is for that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import aiohttp

from daemon.__main__ import main
from daemon.demo.embedded import EmbeddedPostgres
from daemon.instruments import Instruments
from daemon.runtime.clocks import APART
from daemon.sandbox.front_desk import FrontDesk
from tests.acceptance.clinic_at_work import ClinicAtWork, at_work
from tests.acceptance.test_metrics import samples
from tests.conftest import until
from tests.kafka.conftest import Kafka

LOAD = ("chartwire_event_loop_delay_seconds", "chartwire_database_waiting")
"""What the load of the test's machine decides: nothing, but in the stages that are about it."""

Labels = tuple[tuple[str, str], ...]
Scrape = Mapping[tuple[str, Labels], float]


AT_LEISURE: list[tuple[str, Labels]] = [
    ("chartwire_database_waiting", (("instance", "w1"), ("job", "chartwire"))),
    *(
        ("chartwire_event_loop_delay_seconds_bucket", (("instance", "w1"), ("job", "chartwire"), ("le", le)))
        for le in ("0.001", "0.25", "1.0", "+Inf")
    ),
]


def read(text: str, load: str = "") -> Scrape:
    """A scrape. `load` begins the names of those series of LOAD that are told as they are."""
    rows = samples(text)
    return dict.fromkeys(AT_LEISURE, 0.0) | {
        (name, tuple(sorted((labels | {"instance": "w1", "job": "chartwire"}).items()))): value
        for name, found in rows.items()
        for labels, value in found
        if name.startswith("chartwire_") and (not name.startswith(LOAD) or (load and name.startswith(load)))
    }


STILL = (
    "passes_failing",
    "accounts_refused",
    "writes_queued",
    "oldest_unwritten_seconds",
    "waiting_items",
    "messages_unrecorded",
)


def moving(scrape: Scrape) -> list[tuple[str, dict[str, str], float]]:
    """What is not at rest: series that should be 0 and are not, a practice that is not at work, a system that was not read lately,
    a clock that no answer has put right yet."""
    found = [(name, dict(labels), value) for (name, labels), value in scrape.items() if value]
    rest = [one for one in found if one[0].removeprefix("chartwire_") in STILL or one[1].get("state") == "not_taken"]
    silent = [one for one in found if one[0] == "chartwire_silent_seconds"]
    if len(silent) < 2:
        rest.append(("chartwire_silent_seconds", {}, float(len(silent))))
    clocks = [one for one in found if one[0] == "chartwire_clock_ahead_seconds" and abs(one[2]) > APART]
    return [*rest, *clocks, *(one for one in silent if one[2] >= 60)]


def value_of(scrape: Scrape, name: str, **labels: str) -> float:
    """The highest of a metric's series that have these labels; 0 where there is none."""
    wanted = set(labels.items())
    return max((value for (own, has), value in scrape.items() if own == name and wanted <= set(has)), default=0.0)


@dataclass
class Scraped(ClinicAtWork):
    """A clinic at work whose metrics are asked for. `ahead` is how far the worker's time is moved, `skew` how far the clock is off by which
    it judges the vendors'."""

    broker: Kafka
    http: aiohttp.ClientSession
    ahead: timedelta = timedelta()
    skew: timedelta = timedelta()

    def __post_init__(self) -> None:
        self.desk = FrontDesk(self.clinic)
        self.address = self.around.config.metrics.listen

    async def begin(self) -> None:
        """A worker with instruments of its own, once it can be asked for them."""
        self.around.clocks.now = self.by_its_clock
        self.around = replace(self.around, now=self.now, meter=Instruments())
        await super().begin()
        await until(self.answers, 60.0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def by_its_clock(self) -> datetime:
        return datetime.now(UTC) + self.skew

    async def scrape(self, load: str = "") -> Scrape:
        async with self.http.get(f"http://{self.address}/metrics") as answer:
            return read(await answer.text(), load)

    async def answers(self) -> bool:
        """Whether there is anything to scrape."""
        try:
            await self.scrape()
        except aiohttp.ClientConnectorError:
            return False
        return True

    async def seen(self, name: str, least: float, load: str = "", **labels: str) -> Scrape:
        """The first scrape in which a series with these labels is at least so high."""
        found: Scrape = {}

        async def reached() -> bool:
            nonlocal found
            found = await self.scrape(load)
            return value_of(found, name, **labels) >= least

        await until(reached, 60.0)
        return found

    async def calm(self) -> Scrape:
        """The first scrape in which nothing fails, nothing is queued and nothing was silent for long.

        A person does what the items of set-aside messages say, whenever one appears.
        """
        found: Scrape = {}

        async def reached() -> bool:
            nonlocal found
            found = await self.scrape()
            for office in self.clinic.offices if value_of(found, "chartwire_waiting_items", code="quarantined") else ():
                words = ["redrive", office.id, "--code", "quarantined", "--yes", "--config", str(self.file)]
                await asyncio.to_thread(main, words)
            return not moving(found)

        try:
            await until(reached, 180.0)
        except TimeoutError:
            raise AssertionError(f"the worker does not come to rest: {moving(found)}") from None
        return found


@asynccontextmanager
async def scraped(folder: Path, broker: Kafka) -> AsyncIterator[Scraped]:
    async with (
        EmbeddedPostgres() as postgres,
        aiohttp.ClientSession() as http,
        at_work(partial(Scraped, broker=broker, http=http), folder, postgres, broker) as one,
    ):
        yield one
