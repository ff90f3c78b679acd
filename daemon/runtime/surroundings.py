"""What the practices of a worker share: opened and closed in one place, for the daemon, `verify` and rehearsals alike."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from daemon.config import Config, keyring_of
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
    patience: float = 60.0

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
    config: Config, beside: Path, *, meter: Meter | None = None, vendors: Registry | None = None
) -> AsyncIterator[Surroundings]:
    """Everything a worker shares, opened and closed."""
    keyring = keyring_of(config, beside)
    store = await Store.open(config.postgres.dsn, keyring, min_size=1, max_size=config.postgres.pool)
    bus = bus_of(config, beside, keyring)
    try:
        await bus.start()
        await bus.ensure_topics(config.kafka.partitions, config.kafka.replication)
        async with session(Budget.of_process(config.postgres.pool).outgoing) as http:
            yield Surroundings(
                config=config,
                beside=beside,
                store=store,
                keyring=keyring,
                bus=bus,
                session=http,
                vendors=vendors or Registry(),
                meter=meter or Meter(),
                now=lambda: datetime.now(UTC),
                pace=Pace(first=config.pace.first_pause, longest=config.pace.longest_pause, lookups=config.pace.looks),
                patience=config.pace.patience,
            )
    finally:
        await bus.stop()
        await store.close()


def session(most: int = MOST_OUTGOING) -> aiohttp.ClientSession:
    """The HTTP session of a worker, with `most` connections: redirects are never followed on their own, cookies never kept."""
    return aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(limit=most))


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
