"""From observations to Kafka: what a connector has read becomes change events, each once.

A record that says what it said last time is dropped here, by content hash against the `observed` table; everything else is
published under a deterministic event id. A record with a modified time of its own is identified by it; one without (or one
whose modified time does not move with every part of it) by how many different contents of it were recorded before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import msgspec

from events.ids import BillingPatientId, EhrChartId, EventId, PracticeId, content_hash, event_id
from events.records import Value, type_of
from events.schema import Body, Event, Origin
from events.topics import Change, Checkpoint, Message, Note, Nudge, Seen, aside_of
from events.writes import System

_ENCODER = msgspec.msgpack.Encoder(order="deterministic")

Publish = Callable[[PracticeId, Sequence[Message]], Awaitable[None]]


KnownRecords = Callable[[Sequence[tuple[str, str]]], Awaitable[dict[tuple[str, str], Seen]]]
NEVER = Seen()


class Observation(Value, frozen=True, kw_only=True):
    """One record as read, identified by `resource` and `record`.

    `notes` are kept in any case: list rows that the record stands for need not be opened again. `notes_if_published` are kept
    only where the record is news. What somebody asked for (`because` of that event) is news though it says what it said last time.
    """

    body: Body
    resource: str
    record: str
    ehr: EhrChartId | None = None
    billing: BillingPatientId | None = None
    modified: datetime | None = None
    read_at: datetime
    parent: str = ""
    notes: tuple[Note, ...] = ()
    notes_if_published: tuple[Note, ...] = ()
    because: EventId | None = None


def _aside(place: tuple[str, str]) -> tuple[str, str]:
    """Where it is known that the record (resource, id) was set aside."""
    resource, record = place
    return aside_of(resource), record


def fingerprint(value: object, modified: datetime | None = None) -> str:
    """Content hash of a record with its modified time: a save that changes nothing else still counts ("touch to resync")."""
    return content_hash(_ENCODER.encode((value, modified)))


class Intake:
    """The way in for one practice and system. `known` looks (resource, record) up: what was recorded.

    `hashed` makes the form in which a hash is stored of the plain one; rows from before that form are still plain.
    """

    def __init__(
        self,
        practice: PracticeId,
        system: System,
        publish: Publish,
        known: KnownRecords,
        hashed: Callable[[str], str] = str,
    ) -> None:
        self.practice = practice
        self.system = system
        self._publish = publish
        self._known = known
        self._hashed = hashed
        self._recorded: dict[str, asyncio.Event] = {}

    async def unknown(self, rows: Sequence[tuple[str, str, str]]) -> set[tuple[str, str]]:
        """Of (resource, record, hash) those whose hash is not the recorded one."""
        known = await self._known([(resource, record) for resource, record, _ in rows])
        return {
            (resource, record)
            for resource, record, hash_ in rows
            if not self._is_stored_as(known.get((resource, record), NEVER).content_hash, hash_)
        }

    async def seen(self, resource: str, record: str) -> Seen:
        """What was recorded last of a record."""
        return (await self._known([(resource, record)])).get((resource, record), NEVER)

    def _is_stored_as(self, stored: str, plain: str) -> bool:
        return stored in (plain, self._hashed(plain))

    async def parent(self, resource: str, record: str) -> str:
        """Whose record this was when it was recorded last, "" when it was not or is gone."""
        return (await self.seen(resource, record)).parent

    async def observe(self, observations: Sequence[Observation]) -> int:
        """Publish what is new in `observations`; returns how many events that were. Returns after the broker has them."""
        if not observations:
            return 0
        places = [(one.resource, one.record) for one in observations]
        known = await self._known([*places, *map(_aside, places)])
        messages: list[Change | Checkpoint] = []
        events = 0
        for one in observations:
            hash_ = fingerprint(one.body, one.modified)
            seen = known.get((one.resource, one.record), NEVER)
            aside = _aside((one.resource, one.record))
            set_aside = known.get(aside, NEVER)
            if set_aside.content_hash:  # it can be read again: nobody has to look at it any more, even if it is what it was
                read = Note(system=self.system, resource=aside[0], record=aside[1], content_hash="")
                one = msgspec.structs.replace(one, notes=(*one.notes, read))
            elif self._is_stored_as(seen.content_hash, hash_) and one.because is None:
                if one.notes:
                    messages.append(Change(practice=self.practice, notes=one.notes))
                continue
            messages.append(self.change(one, hash_, seen.revision, set_aside.content_hash))
            events += 1
        await self._publish(self.practice, messages)
        return events

    def change(self, one: Observation, hash_: str, revision: int, set_aside: str = "") -> Change:
        """The message for one observation. `revision` counts what was recorded of it before (0 where nobody looked).

        It is part of the event's id: a record may come to be again what it was before, within one second of `modified`.
        So is the hash of how it was `set_aside`: it may be the same before that and after it.
        """
        version = f"{one.modified}/{revision}"
        asked = () if one.because is None else (one.because,)
        if set_aside:
            asked = (*asked, set_aside)
        event = Event(
            id=event_id(self.practice, type_of(one.body), one.resource, one.record, version, hash_, *asked),
            practice=self.practice,
            origin=Origin(self.system.value),
            observed=one.read_at,
            body=one.body,
            ehr=one.ehr,
            billing=one.billing,
            modified=one.modified,
            cause=one.because,
            correlation=one.because,
        )
        note = Note(system=self.system, resource=one.resource, record=one.record, content_hash=hash_, parent=one.parent)
        return Change(practice=self.practice, event=event, notes=(note, *one.notes, *one.notes_if_published))

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish as it is; returns after the broker has it."""
        await self._publish(self.practice, messages)

    async def nudge(self, what: str) -> None:
        """Tell the practice's owner, whichever worker that is, that a pass is due (its name) or a record (`patient:ID`)."""
        await self._publish(self.practice, [Nudge(practice=self.practice, system=self.system, what=what)])

    async def checkpoint(self, source: str, value: str, *, within: float) -> bool:
        """Publish the end of a pass and wait until it is recorded; False when that took longer than `within` seconds.

        This is the back-pressure: a connector does not read on while the recorder is behind. After False the next pass
        starts from the old watermark, so that a broker that lost everything costs a re-read and no data.
        """
        recorded = self._recorded.setdefault(source, asyncio.Event())
        recorded.clear()
        await self._publish(self.practice, [Checkpoint(practice=self.practice, source=source, value=value)])
        try:
            async with asyncio.timeout(within):
                await recorded.wait()
        except TimeoutError:
            return False
        return True

    def recorded(self, source: str) -> None:
        """The recorder has come to a checkpoint."""
        if source in self._recorded:
            self._recorded[source].set()
