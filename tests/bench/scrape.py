"""What a scrape of a worker with 1,000 practices costs, and how many series it is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import aiohttp

from daemon.demo.embedded import free_port
from daemon.instruments import COUNTED, TIMED, Instruments
from daemon.runtime.metrics import MetricsEndpoint
from daemon.servers import MetricsConfig
from daemon.tables.status import Watched
from daemon.vendors.elation.connector import RESOURCES
from daemon.vendors.elation.section import ElationConfig
from daemon.vendors.kareo.limiter import INTERVALS
from daemon.vendors.kareo.section import KareoConfig
from events.codes import WaitCode
from events.ids import PracticeId
from events.writes import Resource, System
from tests.bench.rounds import repeated
from tests.bench.table import Clock, Line

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
PRACTICES = 1000
TEMPLATES = 30
"""More than Elation's client has (`METHOD /path/{id}/`)."""

OUTCOMES = ("ok", "throttled", "unauthorized", "refused", "not_found", "outcome_unknown", "unreachable", "malformed")
SECTIONS = {System.EHR: ElationConfig, System.BILLING: KareoConfig}


class Pool:
    waiting = 0

    def get_size(self) -> int:
        return 8

    get_max_size = get_size

    def get_idle_size(self) -> int:
        return 5


def practice(number: int) -> Any:
    """A practice at work as its metrics see it: half of them have a pass that fails, and something queued."""
    busy = number % 2 == 0
    failing = {"patients": "Unreachable", f"chart:{number}": "Malformed (1,234)"} if busy else {}
    connector = SimpleNamespace(passes=SimpleNamespace(failing=failing))
    sink = SimpleNamespace(queued=3 * busy, oldest=NOW - timedelta(seconds=number) if busy else None)
    return SimpleNamespace(
        config=SimpleNamespace(section=SECTIONS.__getitem__),
        opened={role: SimpleNamespace(connector=connector, gate=SimpleNamespace(shut=number == 2)) for role in System},
        sinks=dict.fromkeys(System, sink),
        failing={},
    )


@dataclass
class ManyPractices:
    """A worker with many practices, of which nine out of ten are at work."""

    count: int = PRACTICES
    healthy: bool = True
    clocks: Mapping[str, float] = field(default_factory=lambda: {"elation": 0.2, "kareo": -0.4})
    standing: dict[PracticeId, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [PracticeId(f"practice-{number:04}") for number in range(self.count)]
        self.owned = set(names)
        self.configs: Mapping[PracticeId, Any] = {
            name: SimpleNamespace(mode="observe" if number % 10 == 1 else "live") for number, name in enumerate(names)
        }
        at_work = [name for number, name in enumerate(names) if number % 10]
        self.standing = {name: "KeyMissing" for name in names if name not in set(at_work)}
        self.practices = {name: practice(number) for number, name in enumerate(at_work)}
        self.unrecorded = dict.fromkeys(names, 7)
        waiting = {code.value: 2 * self.count for code in WaitCode} | {"of-a-later-version": 1}
        silent = {name: {"elation": 10.0, "kareo": 40.0} for name in names}
        self.seen = Watched(waiting=waiting, silent=silent), 0.0


def heard() -> Instruments:
    """Instruments that have heard of everything that they can hear of."""
    instruments = Instruments()
    templates = [f"elation.GET /path-{number}/{{id}}/" for number in range(TEMPLATES)]
    for operation in (*templates, *(f"kareo.{name}" for name in INTERVALS)):
        instruments.waited(operation, 0.1)
        for outcome in OUTCOMES:
            instruments.call(operation, outcome, 0.2)
    for resource in (*RESOURCES, "unknown"):
        for status in (200, 400, 401, 404, 408, 413, 503):
            instruments.count(f"webhooks.{resource}.{status}")
    for system in System:
        instruments.took(f"change_to_write.{system}", 3.0)
        for resource in Resource:
            for write in ("create", "update", "delete"):
                instruments.count(f"written.{system}.{resource}.{write}")
    for kind in ("waiting", "escalation", "over"):
        for outcome in ("sent", "delayed", "given_up"):
            instruments.count(f"notices.{kind}.{outcome}")
    for name in [one for one in COUNTED if one not in ("webhooks", "written", "notices")]:
        instruments.count(name)
    for name in [one for one in TIMED if one != "change_to_write"]:
        instruments.took(name, 0.01)
    return instruments


async def served(worker: ManyPractices, config: MetricsConfig, times: int = 1) -> tuple[str, list[float]]:
    """The text of a scrape, and the seconds of so many of them."""
    endpoint = MetricsEndpoint(worker, Pool(), heard(), config)
    running = asyncio.create_task(endpoint.run(lambda: NOW))
    seconds, text = [], ""
    try:
        async with aiohttp.ClientSession() as http:
            while len(seconds) < times:
                clock = Clock()
                try:
                    async with http.get(f"http://{config.listen}/metrics") as answer:
                        text = await answer.text()
                except aiohttp.ClientConnectorError:
                    await asyncio.sleep(0.01)
                    continue
                seconds.append(clock.lap())
    finally:
        running.cancel()
        await asyncio.wait([running])
    return text, seconds


def series(text: str) -> int:
    return sum(1 for line in text.splitlines() if line and not line.startswith("#"))


async def scrape(rounds: int, practices: int = PRACTICES) -> list[Line]:
    worker = ManyPractices(practices)

    async def work(_number: int) -> list[Line]:
        text, seconds = await served(worker, MetricsConfig(listen=f"127.0.0.1:{free_port()}"), times=5)
        return [
            Line(subject="scrape", what="a scrape", unit="ms", rounds=(min(seconds[1:]) * 1000,), aim=100.0, more=False),
            Line(subject="scrape", what="series", unit="series", rounds=(float(series(text)),), aim=5000.0, more=False),
        ]

    return await repeated("scrape", rounds, work)
