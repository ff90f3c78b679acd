"""What is recorded where a restored store is older than what was known of it: where its history restarts, and when that is over."""

from __future__ import annotations

from datetime import datetime

from events.records import Value


class HistoryRestarted(Value, frozen=True, kw_only=True):
    """The store was restored to an earlier state. Of what was recorded before, only the events up to `kept` remain.

    `witnessed` is the last event that was known outside of the store, recorded in `epoch`, known since `until`. Whoever listens
    forgets what was recorded after `kept`: this event and those after it take the numbers of lost ones.
    """

    kept: int
    witnessed: int
    epoch: int
    until: datetime


class HistoryResumed(Value, frozen=True, kw_only=True):
    """Both systems were read over the lost time, and the writes that followed from it are settled."""


OfRestart = HistoryRestarted | HistoryResumed
