"""Following a change on its way: from the observation through Kafka and the recording to the write. Here nothing is followed.

Whoever follows (daemon/runtime/tracing.py) is asked at these few places. A trace is told by the id under which its event is recorded, so
nothing has to be carried along but which span led to it; that travels in a header of the message.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from events.schema import Event, Recorded

Headers = list[tuple[str, bytes]]
"""Of one message."""


class ReadBy(NamedTuple):
    """What is being read: a webhook or a pass by its name, never a record. `began` in nanoseconds, None where each record has its own time."""

    name: str
    began: int | None = None


READING: ContextVar[ReadBy | None] = ContextVar("READING", default=None)


@contextmanager
def reading(name: str, *, now: bool = False) -> Iterator[None]:
    """What is published within was read by this; `now` when it began here."""
    token = READING.set(ReadBy(name, time.time_ns() if now else None))
    try:
        yield
    finally:
        READING.reset(token)


class Untraced:
    """Follows nothing."""

    on = False

    def published(self, event: Event) -> Headers:
        """An observation is on its way, under the id that it will be recorded by; what its message carries."""
        return []

    def carried(self, event: Event, headers: Sequence[tuple[str, bytes]]) -> None:
        """A message has come: what it carries of its event."""

    def recorded(self, events: Sequence[Recorded]) -> None:
        """These are recorded: observations, what follows from them, and what became of writes."""

    def called(self, operation: str, outcome: str, seconds: float) -> None:
        """A vendor's call has ended, in the task that makes a write or in any other."""

    def waited(self, operation: str, seconds: float) -> None:
        """A vendor's call has waited for its turn."""

    def close(self) -> None:
        """Hand over what is not handed over yet."""


UNTRACED = Untraced()
