"""What travels through Kafka, and under which names.

`chartwire.changes.v1` carries what connectors observe, keyed by practice: a practice's messages are in one partition, in order.
`chartwire.events.v1` carries recorded events outward.
"""

from __future__ import annotations

import re
from uuid import UUID

import msgspec

from events.codec import decode_event, encode_event
from events.ids import EventId, PracticeId
from events.keyed import hashed, keyed_event
from events.keys import Keyring, UnreadableEvent
from events.records import Value
from events.schema import Event
from events.writes import System

CHANGES = "chartwire.changes.v1"
EVENTS = "chartwire.events.v1"

BILLING_ROW = "patients.row"
"""The resource under which the list row of a patient of the billing side is kept that was compared last."""


class Note(Value, frozen=True, kw_only=True):
    """What a connector compares with next time: the content hash of a record, and whose it is ("" = gone)."""

    system: System
    resource: str
    record: str
    content_hash: str
    parent: str = ""


class Change(Value, frozen=True, kw_only=True):
    """An observation and the notes that come with it; without an event only the notes are kept.

    `plain` is the event's plain id where it travels under its keyed one (events/keyed.py).
    """

    practice: PracticeId
    event: Event | None = None
    notes: tuple[Note, ...] = ()
    plain: EventId | None = None


class Checkpoint(Value, frozen=True, kw_only=True):
    """The end of a complete pass: once it is recorded, everything before it in its partition is."""

    practice: PracticeId
    source: str
    value: str


class Nudge(Value, frozen=True, kw_only=True):
    """Whoever owns the practice is to run a pass of `system` now: `what` is a pass's name, or one record. Never stored."""

    practice: PracticeId
    system: System
    what: str


Message = Change | Checkpoint | Nudge


class _Wire(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    practice: PracticeId
    event: bytes = b""
    notes: tuple[Note, ...] = ()
    source: str = ""
    value: str = ""


class _NudgeWire(_Wire, frozen=True, kw_only=True, array_like=True):
    """An older worker does not look at the last two members: it reads a change that tells nothing, and records nothing."""

    system: str = ""
    what: str = ""


class _ChangeWire(_NudgeWire, frozen=True, kw_only=True, array_like=True):
    """`plain` is the event's plain id, sealed with the key `key_id`."""

    key_id: str = ""
    plain: bytes = b""


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_ChangeWire)
_NUDGE_BEFORE = re.compile(r"nudge\.(\w+)\.(.+)")
"""An older worker nudges with a checkpoint of such a name."""


def encode_message(message: Message, keyring: Keyring) -> bytes:
    if isinstance(message, Checkpoint):
        return _ENCODER.encode(_Wire(practice=message.practice, source=message.source, value=message.value))
    if isinstance(message, Nudge):
        return _ENCODER.encode(_NudgeWire(practice=message.practice, system=message.system.value, what=message.what))
    if keyring.hash_key(message.practice) is not None:
        return _ENCODER.encode(_keyed(message, keyring))
    event = encode_event(message.event, keyring) if message.event is not None else b""
    return _ENCODER.encode(_Wire(practice=message.practice, event=event, notes=message.notes))


def _keyed(change: Change, keyring: Keyring) -> _ChangeWire:
    """A change whose hashes and id tell nothing to those without the practice's keys."""
    notes = tuple(
        msgspec.structs.replace(one, content_hash=hashed(keyring, change.practice, one.content_hash)) for one in change.notes
    )
    if change.event is None:
        return _ChangeWire(practice=change.practice, notes=notes)
    event = keyed_event(keyring, change.event)
    key_id, plain = "", b""
    if event.id != change.event.id:
        key_id, plain = keyring.seal(change.practice, _plain_identity(event.id), change.event.id.bytes)
    return _ChangeWire(practice=change.practice, event=encode_event(event, keyring), notes=notes, key_id=key_id, plain=plain)


def _plain_identity(id_: EventId) -> bytes:
    return b"plain id|" + id_.bytes


def decode_message(encoded: bytes | None, keyring: Keyring) -> Message:
    """Raises UnreadableEvent, also for a message without a value and for a change that carries another practice's event."""
    if encoded is None:
        raise UnreadableEvent("not a message (no value)")
    try:
        wire = _DECODER.decode(encoded)
    except msgspec.DecodeError as error:
        raise UnreadableEvent(f"not a message ({type(error).__name__})") from None
    before = _NUDGE_BEFORE.fullmatch(wire.source)
    system, what = before.groups() if before is not None else (wire.system, wire.what)
    if system:
        return _nudge(wire.practice, system, what)
    if wire.source:
        return Checkpoint(practice=wire.practice, source=wire.source, value=wire.value)
    event = decode_event(wire.event, keyring) if wire.event else None
    if event is not None and event.practice != wire.practice:
        raise UnreadableEvent("the message carries an event of another practice")
    plain = None
    if event is not None and wire.plain:
        opened = keyring.open_sealed(wire.key_id, _plain_identity(event.id), wire.plain)
        plain = EventId(UUID(bytes=opened))
    return Change(practice=wire.practice, event=event, notes=wire.notes, plain=plain)


def _nudge(practice: PracticeId, system: str, what: str) -> Nudge:
    try:
        return Nudge(practice=practice, system=System(system), what=what)
    except ValueError:
        raise UnreadableEvent("the message nudges a system that nobody here knows") from None
