"""The outward feed: recorded events as they lie in the store, for whoever wants to listen (deploy/DESIGN.md, The flow).

A message of `chartwire.events.v1` is one stored row: the envelope in the clear, the body sealed with the practice's key, the
link of the hash chain. The key of the message is the practice, so a practice's events are in one partition, in order. After
a crash some may be published again: `InOrder` lets each through once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from events.codec import Keyring
from events.decoding import decoding, named
from events.records import stored_type
from events.restarts import HistoryRestarted
from events.schema import Recorded
from events.store import open_row


class NotAnEvent(Exception):
    """A message that is not of this feed."""


ENVELOPE = (
    "practice", "sequence", "recorded_at", "type", "origin", "elation_chart", "kareo_patient", "event_id", "cause", "correlation",
)  # fmt: skip
"""What of a published event is no patient's data, and of use to people."""


class Published(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A row of `chartwire.event`, column by column. `sequence` counts from 1 per practice, without gaps."""

    practice: str
    sequence: int
    event_id: UUID
    type: str
    version: int
    origin: str
    patient_key: str
    elation_chart: int | None
    kareo_patient: int | None
    observed_at: datetime
    modified_at: datetime | None
    recorded_at: datetime
    cause: UUID | None
    correlation: UUID | None
    key_id: str
    body: bytes
    epoch: int
    chain: bytes | None = None

    def open(self, keyring: Keyring) -> Recorded:
        """The event with its body. Raises UnreadableEvent, or KeyMissing without the practice's key."""
        return open_row(msgspec.structs.asdict(self), keyring)


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Published)
_COLUMNS = Published.__struct_fields__


def encode_row(row: Mapping[str, Any]) -> bytes:
    """A stored row as a message."""
    return _ENCODER.encode([row[name].bytes if name in _UUIDS and row[name] else row[name] for name in _COLUMNS])


_UUIDS = frozenset({"event_id", "cause", "correlation"})


def decode_published(message: bytes | None) -> Published:
    """Raises NotAnEvent."""
    with decoding(named(NotAnEvent, "not an event of this feed")):
        return _DECODER.decode(message or b"")


RESTART = stored_type(HistoryRestarted.__name__)
"""The type of the event where a practice's history restarts, because its store was restored to an earlier state: forget every
event of the practice whose sequence is not below its own. What follows takes the numbers of what was lost."""


class InOrder:
    """Lets each event of a practice through once, in order. `last` holds the last sequence by practice, `since` the epoch in which its
    history restarted: keep both beside what you made of the events, and give them back after a restart of yours."""

    def __init__(self, last: Mapping[str, int] | None = None, since: Mapping[str, int] | None = None) -> None:
        self.last = dict(last or {})
        self.since = dict(since or {})

    def accept(self, event: Published) -> bool:
        """False for a repeat, for one that came before its turn (it comes again), and for one of a history that was given up. The first
        of a practice is always accepted, wherever listening began, and so is one where its history restarts (`RESTART`)."""
        last, since = self.last.get(event.practice), self.since.get(event.practice, 0)
        if event.type == RESTART and event.epoch > since and (last is None or event.sequence <= last + 1):
            self.since[event.practice] = event.epoch
        elif (last is not None and event.sequence != last + 1) or event.epoch < since:
            return False
        self.last[event.practice] = event.sequence
        return True
