"""What a person asks for travels like any change: published to Kafka under the practice's key, recorded by its owner.

So there is one writer whoever asks, in one order. A command waits until the owner has recorded and answered it, then tells
what followed, as long as writes of its own are still under way. Nothing here writes to the store.
"""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from events.bus import Bus
from events.commands import Command
from events.ids import Charts, EventId, IntentId, PracticeId, event_id
from events.records import type_of
from events.schema import (
    Body,
    CommandRefused,
    Event,
    IntentRefused,
    IntentRequested,
    IntentSucceeded,
    IntentSuperseded,
    Origin,
    Outcome,
    Recorded,
)
from events.store import Store
from events.topics import Change

RECORDED_SECONDS = 30.0
FOLLOWED_SECONDS = 20.0
TOLD_SECONDS = 8.0
"""After which somebody who waits is told for what."""


def login() -> str:
    """Who asks: the login name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        return "unknown"


def command(practice: PracticeId, body: Command, charts: Charts, *, once: Sequence[object] = ()) -> Event:
    """The event of a command: asking twice is asking twice, unless `once` names the asking."""
    return Event(
        id=event_id(practice, type_of(body), *(once or (uuid4(),))),
        practice=practice,
        origin=Origin.OPERATOR,
        observed=datetime.now(UTC),
        body=body,
        ehr=charts.ehr,
        billing=charts.billing,
    )


@dataclass
class Followed:
    """What came of a command: the events that it led to, directly or not.

    More is to come while intents are `open` (also those that it asks for again), or systems are still to be read (`reading`).
    `slots` are the practice's own intents that somebody will ask for anew.
    """

    command: Event
    open: set[IntentId] = field(default_factory=set)
    reading: set[Origin] = field(default_factory=set)
    slots: frozenset[str] = frozenset()
    events: list[Recorded] = field(default_factory=list)
    refused: CommandRefused | None = None

    def __post_init__(self) -> None:
        self._causes: set[EventId | None] = {self.command.id}
        self._intents = set(self.open)

    @property
    def recorded(self) -> bool:
        return bool(self.events)

    @property
    def settled(self) -> bool:
        """Whether nothing more is to come."""
        return self.recorded and (self.refused is not None or not (self.open or self.reading))

    def take(self, recorded: Recorded) -> None:
        """Note an event of the practice, if this command led to it."""
        event, body = recorded.event, recorded.event.body
        if not (event.id == self.command.id or event.cause in self._causes or self._is_outcome(body)):
            return
        self._causes.add(event.id)
        self.events.append(recorded)
        self.reading.discard(event.origin)
        match body:
            case CommandRefused() if event.cause == self.command.id:
                self.refused = body
            case IntentRequested():
                self._intents.add(body.intent)
                self.open.add(body.intent)
            case IntentSucceeded() | IntentRefused() | IntentSuperseded():
                self.open.discard(body.intent)

    def _is_outcome(self, body: Body) -> bool:
        if isinstance(body, IntentRequested):
            return self.recorded and body.slot in self.slots
        return isinstance(body, Outcome) and body.intent in self._intents and self.recorded


@asynccontextmanager
async def _telling(followed: Followed, most: float, waits: Callable[[float], None]) -> AsyncIterator[None]:
    def look() -> None:
        if not followed.recorded:
            waits(most - TOLD_SECONDS)

    timer = asyncio.get_running_loop().call_later(TOLD_SECONDS, look)
    try:
        yield
    finally:
        timer.cancel()


async def write(
    bus: Bus,
    store: Store,
    followed: Followed,
    *,
    recorded_seconds: float = RECORDED_SECONDS,
    followed_seconds: float = FOLLOWED_SECONDS,
    waits: Callable[[float], None] = lambda _seconds: None,
) -> None:
    """Publish a command and follow it: until it is recorded, then until it is settled, each for so long at most.

    `waits` is told how long it may still take when it is not recorded soon.

    Raises ConnectionError when Kafka does not take it.
    """
    await write_all(
        bus, store, [followed], recorded_seconds=recorded_seconds, followed_seconds=followed_seconds, waits=waits
    )


async def write_all(
    bus: Bus,
    store: Store,
    several: Sequence[Followed],
    *,
    recorded_seconds: float = RECORDED_SECONDS,
    followed_seconds: float = FOLLOWED_SECONDS,
    waits: Callable[[float], None] = lambda _seconds: None,
) -> None:
    """As `write`, of several commands of one practice at once: the times count anew whenever another one is recorded."""
    if not several:
        return
    practice = several[0].command.practice
    head = await store.head(practice)
    await bus.publish(practice, [Change(practice=practice, event=one.command) for one in several])
    recorded = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(recorded_seconds) as limit, _telling(several[0], recorded_seconds, waits):
            async for batch in store.follow(practice, after=head, poll_seconds=1.0):
                for one in batch:
                    for followed in several:
                        followed.take(one)
                if all(one.settled for one in several):
                    return
                before, recorded = recorded, sum(one.recorded for one in several)
                if recorded > before:
                    limit.reschedule(asyncio.get_running_loop().time() + followed_seconds)
