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


class InOrder:
    """Lets each event of a practice through once, in order. `last` holds the last sequence by practice: keep it beside what you
    made of the events, and give it back after a restart."""

    def __init__(self, last: Mapping[str, int] | None = None) -> None:
        self.last = dict(last or {})

    def accept(self, event: Published) -> bool:
        """False for a repeat, and for one that came before its turn (it comes again). The first of a practice is always
        accepted, wherever listening began."""
        last = self.last.get(event.practice)
        if last is not None and event.sequence != last + 1:
            return False
        self.last[event.practice] = event.sequence
        return True
