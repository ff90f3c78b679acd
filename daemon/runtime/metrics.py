"""`GET /metrics` on a listener of its own: what the worker's instruments counted, and its state at the moment of asking.

Nothing here names a patient, a record or a vendor's words. Series of single practices are those that somebody would be woken for;
`[metrics] per_practice = false` leaves them out where there are thousands.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

import structlog
from aiohttp import web
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry

from daemon.config import PracticeConfig
from daemon.instruments import Instruments
from daemon.runtime.listening import NotListening, Site, timed
from daemon.runtime.reporter import AtWork
from daemon.servers import MetricsConfig, host_and_port
from daemon.tables.status import Watched
from daemon.telemetry import Meter
from events.codes import WaitCode
from events.connection import ConnectionPool
from events.ids import PracticeId

log = structlog.get_logger()

MOST_CONNECTIONS = 8
LOOP_SECONDS = 0.5
CODES = frozenset(code.value for code in WaitCode)
OTHER = "other"
"""The code of items that only a later version knows."""


class Scrapable(Protocol):
    """A worker, as far as its metrics ask."""

    @property
    def configs(self) -> Mapping[PracticeId, PracticeConfig]: ...

    @property
    def practices(self) -> Mapping[PracticeId, AtWork]: ...

    @property
    def owned(self) -> Collection[PracticeId]: ...

    @property
    def standing(self) -> Mapping[PracticeId, str]: ...

    @property
    def healthy(self) -> bool: ...

    @property
    def unrecorded(self) -> Mapping[PracticeId, int]: ...

    @property
    def clocks(self) -> Mapping[str, float]: ...

    @property
    def seen(self) -> tuple[Watched, float]:
        """What the database knew last, and at which time of the loop."""


class ScrapedState(Collector):
    """The worker's state as gauges. `look` is called in the worker's loop, `collect` wherever they are rendered."""

    def __init__(self, worker: Scrapable, pool: ConnectionPool, *, per_practice: bool) -> None:
        self._worker = worker
        self._pool = pool
        self._per_practice = per_practice
        self._looked: list[Metric] = []
        try:
            self._version = version("chartwire")
        except PackageNotFoundError:
            self._version = "unknown"

    def look(self, now: datetime, time: float) -> None:
        """Take the state down; `time` is the loop's."""
        self._looked = [*self._of_process(), *self._of_practices(now, time)]

    def collect(self) -> Iterable[Metric]:
        return self._looked

    def _of_process(self) -> Iterator[Metric]:
        pool, worker = self._pool, self._worker
        size, idle = pool.get_size(), pool.get_idle_size()
        yield gauge("build_info", "The version at work.", ("version",), {(self._version,): 1})
        yield gauge("worker_healthy", "Whether the worker's loops turn.", (), {(): worker.healthy})
        yield gauge(
            "database_connections", "Connections to PostgreSQL.", ("state",), {("busy",): size - idle, ("idle",): idle}
        )
        yield gauge("database_connections_limit", "Connections that there may be.", (), {(): pool.get_max_size()})
        about = "How far this machine's clock is ahead of a vendor's, by the Date of its answers."
        yield gauge("clock_ahead_seconds", about, ("vendor",), {(one,): value for one, value in worker.clocks.items()})
        yield gauge("database_waiting", "Tasks that wait for a connection.", (), {(): pool.waiting})

    def _of_practices(self, now: datetime, time: float) -> Iterator[Metric]:
        worker = self._worker
        standing = worker.standing
        failures = {name: found for name, one in worker.practices.items() if (found := _failures(one))}
        owned = set(worker.owned)
        counts: dict[tuple[str, ...], float] = {
            ("owned",): len(owned),
            ("at_work",): len(owned - standing.keys()),
            ("failing",): len(failures.keys() - standing.keys()),
            ("not_taken",): len(owned & standing.keys()),
        }
        yield gauge("practices", "Practices of this worker by state.", ("state",), counts)
        reasons = Counter[tuple[str, ...]](one for found in failures.values() for one in found)
        yield gauge("passes_failing", "Passes whose last try failed.", ("source", "error"), reasons)
        shut = {id(one.gate): system for system, one in self._opened() if one.gate is not None and one.gate.shut}
        yield gauge(
            "accounts_refused",
            "Accounts whose credentials were refused.",
            ("vendor",),
            Counter((one,) for one in shut.values()),
        )
        yield from self._of_writes(now)
        yield from self._of_database(time)
        if self._per_practice:
            at_work: dict[tuple[str, ...], float] = {(one,): one not in standing for one in owned}
            yield gauge("practice_at_work", "Whether the practice is at work.", ("practice",), at_work)

    def _of_writes(self, now: datetime) -> Iterator[Metric]:
        queued: Counter[tuple[str, ...]] = Counter()
        oldest: defaultdict[tuple[str, ...], float] = defaultdict(float)
        own: dict[tuple[str, ...], float] = {}
        for name, one in self._worker.practices.items():
            for system, sink in one.sinks.items():
                key = self._class(name), system.value
                queued[key] += sink.queued
                since = sink.oldest
                age = 0.0 if since is None else max((now - since).total_seconds(), 0.0)
                oldest[key] = max(oldest[key], age)
                own[name,] = max(own.get((name,), 0.0), age)
        labels = ("class", "system")
        yield gauge("writes_queued", "Writes that wait for their turn or are under way.", labels, queued)
        yield gauge("oldest_unwritten_seconds", "Age of the oldest change that is not written yet.", labels, oldest)
        if self._per_practice:
            about = "As chartwire_oldest_unwritten_seconds, by practice."
            yield gauge("practice_oldest_unwritten_seconds", about, ("practice",), own)

    def _of_database(self, time: float) -> Iterator[Metric]:
        """What was asked of the database a while ago; how long ago something was has grown since."""
        seen, at = self._worker.seen
        items: Counter[tuple[str, ...]] = Counter()
        silent: defaultdict[tuple[str, ...], float] = defaultdict(float)
        own: dict[tuple[str, ...], float] = {}
        unrecorded: Counter[tuple[str, ...]] = Counter()
        for code, count in seen.waiting.items():
            items[code if code in CODES else OTHER,] += count
        queued = self._worker.unrecorded
        for name in self._worker.owned:
            unrecorded[self._class(name),] += queued.get(name, 0)
            for vendor, age in seen.silent.get(name, {}).items():
                age += time - at
                silent[self._class(name), vendor] = max(silent[self._class(name), vendor], age)
                own[name,] = max(own.get((name,), 0.0), age)
        yield gauge("messages_unrecorded", "Messages that were read and are not recorded yet.", ("class",), unrecorded)
        yield gauge("waiting_items", "Items that wait for a person, by code.", ("code",), items)
        about = "Since a vendor was last read to the end of a pass, of the practice where that is longest."
        yield gauge("silent_seconds", about, ("class", "vendor"), silent)
        if self._per_practice:
            about = "As chartwire_silent_seconds, by practice, of the vendor where that is longest."
            yield gauge("practice_silent_seconds", about, ("practice",), own)

    def _class(self, practice: PracticeId) -> str:
        """What practices are told apart by where none is named: `live` or `observe`."""
        config = self._worker.configs.get(practice)
        return "live" if config is None else config.mode

    def _opened(self) -> Iterator[tuple[str, Any]]:
        for one in self._worker.practices.values():
            for role, opened in one.opened.items():
                yield one.config.section(role).system.prefix, opened


def gauge(name: str, about: str, labels: Sequence[str], values: Mapping[tuple[str, ...], float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"chartwire_{name}", about, labels=labels)
    for key, value in values.items():
        family.add_metric(key, float(value))
    return family


def _failures(practice: AtWork) -> list[tuple[str, str]]:
    """The passes of a practice that fail, without the records that they are about, each with the name of its error."""
    found = [
        (f"{practice.config.section(role).system.prefix}.{name.partition(':')[0]}", why.partition(" ")[0])
        for role, one in practice.opened.items()
        for name, why in one.connector.passes.failing.items()
        if why
    ]
    return [*found, *practice.failing.items()]


class MetricsEndpoint:
    """Serves the registry of `meter`, where that has one, with the worker's state."""

    def __init__(self, worker: Scrapable, pool: ConnectionPool, meter: Meter, config: MetricsConfig) -> None:
        self._config = config
        self._meter = meter
        self._registry = meter.registry if isinstance(meter, Instruments) else CollectorRegistry()
        self._state = ScrapedState(worker, pool, per_practice=config.per_practice)
        self._registry.register(self._state)

    async def run(self, now: Any) -> None:
        """Serve until cancelled, and measure the event loop meanwhile. Raises NotListening when the address cannot be had."""
        app = web.Application(middlewares=[timed])

        async def scraped(request: web.Request) -> web.Response:
            self._state.look(now(), asyncio.get_running_loop().time())
            encode, kind = choose_encoder(request.headers.get("Accept", ""))
            body = await asyncio.to_thread(encode, self._registry)
            answer = web.Response(body=body, headers={"Content-Type": kind})
            answer.enable_compression()
            return answer

        app.router.add_get("/metrics", scraped)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            where = host_and_port(self._config.listen)
            assert where is not None, "checked with the configuration"
            try:
                await Site(runner, *where, most=MOST_CONNECTIONS).start()
            except NotListening as error:
                log.error("metrics_not_opened", key="metrics.listen", address=error.filename, reason=error.strerror)
                raise
            log.info("metrics_opened", address=self._config.listen)
            await self._measure_loop()
        finally:
            await runner.cleanup()

    async def _measure_loop(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LOOP_SECONDS
            await asyncio.sleep(LOOP_SECONDS)
            self._meter.took("loop_delay", loop.time() - due)
