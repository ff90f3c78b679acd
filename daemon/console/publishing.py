"""Deeds go the way that the command line's go: to the practice's owner, over Kafka. One producer a process, made when it is first needed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
from aiokafka.errors import KafkaError

from daemon.config import Config
from daemon.operator.commands import Followed
from daemon.runtime.surroundings import bus_of
from daemon.tables.queries import CONSOLE
from daemon.tables.status import Report
from events.bus import Bus
from events.ids import PracticeId
from events.store import Store
from events.topics import Change

REACH_SECONDS = 10.0


class NotAsked(Exception):
    """Nothing was asked for; the text is for the person."""


class Publishing:
    """The bus, started when somebody asks for something."""

    def __init__(self, config: Config, beside: Path, store: Store) -> None:
        self._config = config
        self._beside = beside
        self._store = store
        self._bus: Bus | None = None
        self._lock = asyncio.Lock()

    async def publish(self, practice: PracticeId, asks: Sequence[Followed]) -> None:
        """Hand commands to Kafka; returns when the broker has them. Raises NotAsked."""
        account = await self._account(practice)
        bus = await self._reached()
        bus.together[practice] = account
        try:
            await bus.publish(practice, [Change(practice=practice, event=one.command) for one in asks])
        except ConnectionError:
            raise NotAsked("The message broker did not take this. Nothing was changed; try again in a minute.") from None

    async def _account(self, practice: PracticeId) -> str:
        """The name by which the practice's partition is found, as its owner says: it is read from a secret that is not read here."""
        rows = await self._store.pool.fetch(CONSOLE["reports_of"], [practice])
        found = msgspec.json.decode(rows[0]["doc"], type=Report).account if rows else ""
        if not found:
            raise NotAsked(
                "No worker has reported on this practice yet. Nothing was changed; try again once one is running."
            )
        return found

    async def _reached(self) -> Bus:
        async with self._lock:
            if self._bus is None:
                bus = bus_of(self._config, self._beside, self._store.keyring, together={})
                try:
                    async with asyncio.timeout(REACH_SECONDS):
                        await bus.start()
                        await bus.find_partitions()
                except (KafkaError, OSError, TimeoutError):
                    await bus.stop()
                    raise NotAsked(
                        "The message broker cannot be reached. Nothing was changed; try again when it is back."
                    ) from None
                self._bus = bus
            return self._bus

    async def close(self) -> None:
        if self._bus is not None:
            await self._bus.stop()
