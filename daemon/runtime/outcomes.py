"""Recording what comes of a write: until it is recorded, whatever PostgreSQL does; what cannot be folded is set aside, whole."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import structlog

from daemon.runtime.attempt import Attempt
from daemon.runtime.given_up import is_given_up
from daemon.runtime.pace import Pace
from daemon.runtime.recorder import OnlyIf, PracticeRecorder
from daemon.runtime.set_aside import defect
from events.codec import encode_body
from events.holds import HoldBegan
from events.ids import Charts
from events.records import type_of
from events.schema import (
    Body,
    ChangeQuarantined,
    IntentOutcomeUnknown,
    IntentRefused,
    IntentSucceeded,
    IntentSuperseded,
    Origin,
)
from events.store import Fenced
from events.writes import System

log = structlog.get_logger()


class Outcomes:
    """Of one sink."""

    def __init__(self, system: System, recorder: PracticeRecorder, pace: Pace) -> None:
        self._system = system
        self._recorder = recorder
        self._pace = pace

    async def record(
        self,
        body: Body,
        attempt: Attempt,
        *,
        only_if: OnlyIf | None = None,
        origin: Origin = Origin.CHARTWIRE,
        observed: datetime | None = None,
        modified: datetime | None = None,
    ) -> bool:
        """Record until it is recorded: an outcome must not be lost because PostgreSQL is away for a while."""
        try:
            return await self._until_recorded(
                body, attempt, attempt.charts, only_if=only_if, origin=origin, observed=observed, modified=modified
            )
        except Fenced:
            raise
        except Exception as error:
            log.error("outcome_not_folded", practice=self._recorder.practice, system=self._system, exc_info=error)
            await self._set_aside(body, attempt, error)
            return False

    async def _until_recorded(self, body: Body, attempt: Attempt, charts: Charts, **more: Any) -> bool:
        failures = 0
        while True:
            try:
                return await self._recorder.record_bodies(
                    [body],
                    ehr=charts.ehr,
                    billing=charts.billing,
                    cause=attempt.job.cause,
                    parts=(attempt.job.intent, attempt.number),
                    **more,
                )
            except Fenced:
                raise
            except Exception as error:
                failures += 1
                if is_given_up(error, failures):
                    raise
                log.error(
                    "recording_failed", practice=self._recorder.practice, error_type=type(error).__name__, attempt=failures
                )
                await asyncio.sleep(self._pace.pause(failures))

    async def _set_aside(self, body: Body, attempt: Attempt, error: Exception) -> None:
        """Keep whole what cannot be folded, and show it: the practice goes on.

        The intent counts as unknown, so the next owner looks what became of it. An attempt that cannot be folded is not made
        until its item is tried again or accepted, or its patient changes.
        """
        aside = ChangeQuarantined(
            system=self._system,
            resource=type_of(body),
            record=attempt.job.intent,
            path=attempt.key,
            reason=defect(error),
            raw=encode_body(body),
        )
        await self._until_recorded(aside, attempt, Charts())
        if isinstance(body, IntentSucceeded | IntentRefused | IntentSuperseded):
            unknown = IntentOutcomeUnknown(intent=attempt.job.intent, slot=attempt.slot, attempt=attempt.number)
            try:
                await self._until_recorded(unknown, attempt, attempt.charts)
            except Fenced:
                raise
            except Exception as again:
                log.error("outcome_not_folded", practice=self._recorder.practice, system=self._system, exc_info=again)

    async def hold(self, began: HoldBegan, attempt: Attempt) -> None:
        """A hold begins, because of what came of an attempt."""
        await self._until_recorded(began, attempt, Charts())
