"""What the practices of a worker share: opened and closed in one place, for the daemon, `verify` and rehearsals alike."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from daemon.config import Config, keyring_of
from daemon.runtime.clocks import Clocks, clocks_of
from daemon.runtime.kafka import bus_of as bus_of
from daemon.runtime.listening import MOST_OUTGOING, Budget
from daemon.runtime.pace import Pace
from daemon.telemetry import Meter
from daemon.vendors.ports.vendor import Means
from daemon.vendors.registry import Registry
from events.bus import Bus
from events.codec import Keyring
from events.data_keys import is_switched, make_keys
from events.ids import PracticeId
from events.store import Store
from events.traces import UNTRACED, Untraced


@dataclass(frozen=True)
class Surroundings:
    """What all practices of a worker share. `beside` is the configuration's folder."""

    config: Config
    beside: Path
    store: Store
    keyring: Keyring
    bus: Bus
    session: aiohttp.ClientSession
    vendors: Registry
    meter: Meter
    now: Callable[[], datetime]
    pace: Pace
    clocks: Clocks
    patience: float = 60.0
    renewing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """Projections are made anew one practice at a time: all patients of one are in memory meanwhile."""

    @property
    def means(self) -> Means:
        """What of it a vendor is given."""
        return Means(
            session=self.session,
            folder=self.beside,
            now=self.now,
            meter=self.meter,
            public_url=self.config.http.public_url,
            patience=self.patience,
        )


@contextlib.asynccontextmanager
async def surroundings(
    config: Config,
    beside: Path,
    *,
    meter: Meter | None = None,
    vendors: Registry | None = None,
    traces: Untraced | None = None,
) -> AsyncIterator[Surroundings]:
    """Everything a worker shares, opened and closed. `traces` follow changes, those of the configuration where none are given."""
    keyring = keyring_of(config, beside)
    meter = meter or Meter()
    traces = meter.traces = traces or traces_of(config)
    store = await Store.open(config.postgres.dsn, keyring, min_size=1, max_size=config.postgres.pool)
    bus = bus_of(config, beside, keyring)
    bus.traces = traces
    try:
        await bus.start()
        await bus.ensure_topics(config.kafka.partitions, config.kafka.replication)
        clocks = clocks_of(config, lambda: datetime.now(UTC))
        async with session(Budget.of_process(config.postgres.pool).outgoing, clocks) as http:
            yield Surroundings(
                config=config,
                beside=beside,
                store=store,
                keyring=keyring,
                bus=bus,
                session=http,
                vendors=vendors or Registry(),
                meter=meter,
                now=clocks.now,
                clocks=clocks,
                pace=Pace(first=config.pace.first_pause, longest=config.pace.longest_pause, lookups=config.pace.looks),
                patience=config.pace.patience,
            )
    finally:
        await bus.stop()
        await store.close()
        await asyncio.to_thread(traces.close)  # a collector that is away is waited for, briefly


def traces_of(config: Config) -> Untraced:
    """What follows changes as configured; nothing of OpenTelemetry is loaded where that is nothing."""
    if not config.traces.endpoint:
        return UNTRACED
    from daemon.runtime.tracing import exporting

    resource = {"service.instance.id": f"{socket.gethostname()}:{os.getpid()}"}
    return exporting(config.traces.endpoint, resource, share=config.traces.share)


def session(most: int = MOST_OUTGOING, clocks: Clocks | None = None) -> aiohttp.ClientSession:
    """The HTTP session of a worker, with `most` connections: redirects are never followed on their own, cookies never kept."""
    heard = [] if clocks is None else [clocks.trace]
    connector = aiohttp.TCPConnector(limit=most)
    return aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), connector=connector, trace_configs=heard)


async def bring_keys(store: Store, practice: PracticeId) -> bool:
    """Bring the practice's data keys up to date, and make them where it begins after `chartwire migrate --finish`.

    False for one that was shredded.
    """
    await store.load_keys(practice)
    if store.keyring.in_force(practice) is None and await is_switched(store.pool):
        async with store.pool.acquire() as connection:
            await make_keys(connection, practice, store.keyring)
        await store.load_keys(practice)
    return not store.keyring.shredded(practice)
