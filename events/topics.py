"""What travels through Kafka, and under which names.

`chartwire.changes.v1` carries what connectors observe, keyed by practice: a practice's messages are in one partition, in order.
`chartwire.events.v1` carries recorded events outward.
"""

from __future__ import annotations

import msgspec

from events.codec import Keyring, UnreadableEvent, decode_event, encode_event
from events.ids import PracticeId
from events.records import Value
from events.schema import Event
from events.writes import System

CHANGES = "chartwire.changes.v1"
EVENTS = "chartwire.events.v1"


class Note(Value, frozen=True, kw_only=True):
    """What a connector compares with next time: the content hash of a record, and whose it is ("" = gone)."""

    system: System
    resource: str
    record: str
    content_hash: str
    parent: str = ""


class Change(Value, frozen=True, kw_only=True):
    """An observation and the notes that come with it; without an event only the notes are kept."""

    practice: PracticeId
    event: Event | None = None
    notes: tuple[Note, ...] = ()


class Checkpoint(Value, frozen=True, kw_only=True):
    """The end of a complete pass: once it is recorded, everything before it in its partition is."""

    practice: PracticeId
    source: str
    value: str


Message = Change | Checkpoint


class _Wire(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    practice: PracticeId
    event: bytes = b""
    notes: tuple[Note, ...] = ()
    source: str = ""
    value: str = ""


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Wire)


def encode_message(message: Message, keyring: Keyring) -> bytes:
    if isinstance(message, Checkpoint):
        return _ENCODER.encode(_Wire(practice=message.practice, source=message.source, value=message.value))
    event = encode_event(message.event, keyring) if message.event is not None else b""
    return _ENCODER.encode(_Wire(practice=message.practice, event=event, notes=message.notes))


def decode_message(encoded: bytes | None, keyring: Keyring) -> Message:
    """Raises UnreadableEvent, also for a message without a value and for a change that carries another practice's event."""
    if encoded is None:
        raise UnreadableEvent("not a message (no value)")
    try:
        wire = _DECODER.decode(encoded)
    except msgspec.DecodeError as error:
        raise UnreadableEvent(f"not a message ({type(error).__name__})") from None
    if wire.source:
        return Checkpoint(practice=wire.practice, source=wire.source, value=wire.value)
    event = decode_event(wire.event, keyring) if wire.event else None
    if event is not None and event.practice != wire.practice:
        raise UnreadableEvent("the message carries an event of another practice")
    return Change(practice=wire.practice, event=event, notes=wire.notes)
