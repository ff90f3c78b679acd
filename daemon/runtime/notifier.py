"""Telling people what needs them: a side task of the worker, for the practices that it owns.

What is told is noted in the owner's epoch before it is sent and after (events/migrations/0019_notices.sql). A worker that was killed in
between leaves a message under way: the next owner tries it after its pause, with the same id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Protocol
from zoneinfo import ZoneInfo

import structlog

from daemon.config import PracticeConfig
from daemon.runtime.letters import letter
from daemon.runtime.notices import ESCALATION, decide, is_given_up_by, left_by, needing, sent, trying
from daemon.runtime.postbox import NotSent, Postbox
from daemon.runtime.surroundings import Surroundings
from daemon.tables.notices import Notice, Told, read_told, save_told, waiting_of_each
from events.ids import PracticeId, event_id
from projections.words.remedy import Audience

log = structlog.get_logger()

LOOK_SECONDS = 15.0
AT_ONCE = 8


class Telling(Protocol):
    """A worker, as far as it tells people."""

    @property
    def configs(self) -> Mapping[PracticeId, PracticeConfig]: ...

    @property
    def owned(self) -> Collection[PracticeId]: ...

    @property
    def epochs(self) -> Mapping[PracticeId, int]: ...


class Notifier:
    """See the module's docstring."""

    def __init__(self, worker: Telling, around: Surroundings) -> None:
        self._worker = worker
        self._around = around
        self._config = around.config.notify
        self._postbox = Postbox(self._config, around.beside, around.session, around.now)

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(min(LOOK_SECONDS, self._config.gather_seconds))

    async def look(self) -> None:
        """Look once what is to be told, and send what is due."""
        pool = self._around.store.pool
        mine = [one for one in self._worker.owned if one in self._worker.epochs and one in self._worker.configs]
        waiting, known = await waiting_of_each(pool, mine), await read_told(pool, mine)
        room = asyncio.Semaphore(AT_ONCE)
        jobs = []
        for practice in mine:
            for audience, found in needing(waiting[practice]).items():
                before = known.get((practice, audience.value), Told())
                zone = ZoneInfo(self._worker.configs[practice].time_zone)
                after = decide(before, found, self._config, zone, self._around.now(), self._id(practice, audience, before))
                if after != before or after.sending is not None:
                    jobs.append(self._tell(practice, audience, before, after, room))
        await asyncio.gather(*jobs)

    def _id(self, practice: PracticeId, audience: Audience, before: Told) -> str:
        """The same for two owners that decide the same of the same."""
        return str(
            event_id(
                practice, "notice", audience.value, str(before.at), str(before.changed), str(sorted(before.counts.items()))
            )
        )

    async def _tell(
        self, practice: PracticeId, audience: Audience, before: Told, after: Told, room: asyncio.Semaphore
    ) -> None:
        message, now = after.sending, self._around.now()
        if message is None or message.next_try > now:
            if after != before:
                await self._save(practice, audience, after)
            return
        if is_given_up_by(message, now):
            log.error("notice_given_up", practice=practice, attempt=message.tries, reason=message.kind)
            self._around.meter.count(f"notices.{message.kind}.given_up")
            await self._save(practice, audience, sent(after, now))
            return
        after = trying(after, now)
        if not await self._save(practice, audience, after):
            return  # it has another owner, who tells it
        async with room:
            failure = await self._send(practice, audience, message)
        if failure is None:
            await self._save(practice, audience, sent(after, self._around.now()))
        elif failure.taken != message.taken:
            await self._save(practice, audience, left_by(after, failure.taken))

    async def _send(self, practice: PracticeId, audience: Audience, message: Notice) -> NotSent | None:
        """What kept it from leaving by every way, if anything did."""
        config = self._worker.configs[practice]
        try:
            made = letter(message, config, audience, self._config.console_url)
            await self._postbox.send(made, self._addresses(practice, audience, message.kind), message.taken)
        except NotSent as failure:
            log.warning("notice_delayed", practice=practice, attempt=message.tries + 1, error_type=str(failure))
            self._around.meter.count(f"notices.{message.kind}.delayed")
            return failure
        log.info("notice_sent", practice=practice, reason=message.kind, count=sum(message.counts.values()))
        self._around.meter.count(f"notices.{message.kind}.sent")
        return None

    def _addresses(self, practice: PracticeId, audience: Audience, kind: str) -> list[str]:
        rows = [
            one for one in self._config.to if one.audience == audience.value and practice in (one.practices or (practice,))
        ]
        wanted = [address for one in rows for address in (one.escalate if kind == ESCALATION else one.email)]
        return list(dict.fromkeys(wanted))

    async def _save(self, practice: PracticeId, audience: Audience, told: Told) -> bool:
        epoch = self._worker.epochs[practice]
        return await save_told(self._around.store.pool, practice, audience.value, epoch, told)
