"""What failed is begun again, after growing pauses; meanwhile it is known since when it stands still, and why."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog

from events.backoff import Backoff
from events.formats import OlderVersion
from events.store import AWAY
from events.stray import settled
from projections.words.moment import in_zone_to_the_minute

log = structlog.get_logger()

SHOWN_AFTER = 3
"""Failures in a row after which a practice's standing still is a waiting item."""

STEADY_SECONDS = 60.0
"""A practice that has been at work for so long works again."""

IN_GROUP = " in group "
"""Between an owner's host and process, and its Kafka group."""

HEARD_SECONDS = 60.0
"""An owner that said how a practice is within so many seconds is at work; it says so every 15."""

BEGINNING = Backoff(first=5.0, longest=300.0)
BEGINNING_AWAY = Backoff(first=5.0, longest=10.0)
SIDE_PAUSE = 5.0


class AnotherGroup(Exception):
    """A daemon of another Kafka group is at work on the practice: each would take it from the other for ever."""


def demand_one_group(owner: tuple[str, float | None], group: str) -> None:
    """Raises AnotherGroup when the practice's owner (name, seconds since it was heard of) is at work in another group."""
    name, heard = owner
    theirs = name.rpartition(IN_GROUP)[2] if IN_GROUP in name else group
    if theirs != group and heard is not None and heard < HEARD_SECONDS:
        raise AnotherGroup(f"a daemon of the Kafka group {theirs} has it; one database takes one kafka.group")


async def again_and_again(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """A side task of the worker: whatever it raises is said, and it goes on after a pause."""
    while True:
        try:
            await settled(work())
        except Exception as error:  # noqa: BLE001 - said, and the task goes on
            log.error("side_task_failed", source=name, error_type=type(innermost(error)).__name__)
            await asyncio.sleep(SIDE_PAUSE)


@dataclass(frozen=True)
class Standing:
    """A practice that fails: how often in a row, since when, why, and at which time of the loop it is begun again.

    `defects` are the failures that were not PostgreSQL's being away: that passes for all, and no practice's item says it.
    """

    failures: int
    defects: int
    since: datetime
    reason: str
    again_at: float

    @property
    def shown(self) -> bool:
        """Whether people are told."""
        return self.defects >= SHOWN_AFTER

    def said(self, zone: str) -> str:
        """For people, in the practice's time."""
        since = in_zone_to_the_minute(self.since, ZoneInfo(zone))
        return f"this practice stands still since {since} ({self.reason}); it is begun again by itself"


def failed_again(before: Standing | None, error: BaseException, now: datetime, time: float) -> Standing:
    """The standing after one more failure; `time` is the loop's."""
    cause = innermost(error)
    away = isinstance(cause, AWAY)
    failures = 1 if before is None else before.failures + 1
    return Standing(
        failures=failures,
        defects=(0 if before is None else before.defects) + (not away),
        since=now if before is None else before.since,
        reason=str(cause) if isinstance(cause, AnotherGroup | OlderVersion) else type(cause).__name__,
        again_at=time + (BEGINNING_AWAY if away else BEGINNING).pause(failures),
    )


def innermost(error: BaseException) -> BaseException:
    """The error at the bottom of groups."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return error
