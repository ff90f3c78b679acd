"""Which of two readings of a record of the chart side is the newer one. Observations may arrive late or twice."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from events.schema import Event

AHEAD = timedelta(days=1)
"""A source's time this far behind the reading tells nothing: no clock is so wrong, so it was entered, or made up."""


class ReadAt(Protocol):
    """A record as last read; `modified` is the source's own time of it."""

    @property
    def modified(self) -> datetime | None: ...

    @property
    def read_at(self) -> datetime: ...


def stale(modified: datetime | None, read_at: datetime, known_modified: datetime | None, known_read_at: datetime) -> bool:
    """Whether an Elation record is older than the one known: by its own modified time, on equal times by the reading.

    What came by webhook has no time of reading (its `read_at` is its modified time, by Elation's clock, which may be ahead of
    ours): what was read after its arrival is newer. A time that was not yet come when it was read is none: believed, the record
    would never be seen to change again.
    """
    modified, known_modified = _believed(modified, read_at), _believed(known_modified, known_read_at)
    if modified is not None and known_modified is not None and modified != known_modified:
        return modified < known_modified
    return known_read_at != known_modified and read_at < known_read_at


def _believed(modified: datetime | None, read_at: datetime) -> datetime | None:
    return None if modified is not None and modified - read_at > AHEAD else modified


def same_save(event: Event, known: ReadAt) -> bool:
    """A webhook of the second in which what is known was saved."""
    return event.modified is not None and event.observed == event.modified == known.modified


def not_newer(event: Event, known: ReadAt) -> bool:
    """Whether an observation is to be left alone."""
    return same_save(event, known) or stale(event.modified, event.observed, known.modified, known.read_at)
