"""What travels through Kafka, and under which names.

`chartwire.changes.v1` carries what connectors observe, keyed by practice: a practice's messages are in one partition, in order.
`chartwire.events.v1` carries recorded events outward.

A message of the changes is signed as a whole with its practice's key. Workers before signatures ignore the two last members, and
publish without them: what nobody signed is believed only where each member is what a worker would write, and no longer once
all workers sign (`Keyring.takes_unsigned`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import structlog

from events.codec import decode_event, encode_event, is_key_of
from events.decoding import decoding, named
from events.ids import EventId, PracticeId, event_id
from events.keyed import hashed, keyed_event
from events.keys import KeyMissing, Keyring, UnreadableEvent
from events.records import Value
from events.schema import Event, MessageUnreadable, Origin
from events.text import LONGEST_NAME, holdable, name
from events.writes import System

log = structlog.get_logger()

CHANGES = "chartwire.changes.v1"
EVENTS = "chartwire.events.v1"


class Note(Value, frozen=True, kw_only=True):
    """What a connector compares with next time: the content hash of a record, and whose it is ("" = gone)."""

    system: System
    resource: str
    record: str
    content_hash: str
    parent: str = ""


class Seen(Value, frozen=True, kw_only=True):
    """What is recorded of a record: the hash of its last content, how many contents it had, whose it is ("" = gone).

    `seen_at` is when it was recorded last that it was read.
    """

    content_hash: str = ""
    revision: int = 0
    parent: str = ""
    seen_at: datetime | None = None


def aside_of(resource: str) -> str:
    """How the resource is called under which it is known that a record of it was set aside."""
    return f"quarantine.{resource}"


def row_of(resource: str) -> str:
    """The resource of the notes of list rows: a row that says what it said last time need not be opened."""
    return f"{resource}.row"


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


class _EncodedMessage(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """`signature` is an encryption of nothing with the key `signed_by`, bound to all members before these two.

    An older worker does not look at the members after `value`: a nudge is to it a change that tells nothing. `key_id` and `plain`
    are for ids of events that are sealed.
    """

    practice: PracticeId
    event: bytes = b""
    notes: tuple[Note, ...] = ()
    source: str = ""
    value: str = ""
    system: str = ""
    what: str = ""
    key_id: str = ""
    plain: bytes = b""
    signed_by: str = ""
    signature: bytes = b""


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_EncodedMessage)
_FIRST = bytes([0x90 + len(_EncodedMessage.__struct_fields__)])
"""MessagePack's first byte of an array is this and the number of members, up to 15 of them."""
_NO_SIGNATURE = b"\xa0\xc4\x00"
"""The two last members, empty."""
_NUDGE_BEFORE = re.compile(r"nudge\.(\w+)\.(.+)")
"""An older worker nudges with a checkpoint of such a name."""
_NUDGED = re.compile(r"[a-z-]{1,40}(:[0-9]{1,18})?")
_SOURCE = re.compile(r"[a-z]{1,20}\.[a-z-]{1,40}")
_MARK = re.compile(r"[0-9]{1,18}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}(\+00:00|Z)")
_RESOURCE = re.compile(r"[A-Za-z_]{1,40}(\.[A-Za-z_]{1,40})?")
_NUMBERED = re.compile(r"(patients|bills|appointments)(\..*)?")
"""Resources whose records are read as numbers."""
_RECORD = re.compile(r"[0-9]{1,18}(@[0-9]{8}T[0-9]{4})?")
_WHOSE = re.compile(r"[0-9]{0,18}")


def encode_message(message: Message, keyring: Keyring) -> bytes:
    """Raises KeyMissing."""
    unsigned = _ENCODER.encode(_wire(message, keyring))[1 : -len(_NO_SIGNATURE)]
    signed_by, signature = keyring.seal(message.practice, _identity(unsigned), b"")
    return _FIRST + unsigned + _encoded(signed_by, signature)


def _wire(message: Message, keyring: Keyring) -> _EncodedMessage:
    match message:
        case Checkpoint():
            return _EncodedMessage(practice=message.practice, source=message.source, value=message.value)
        case Nudge():
            return _EncodedMessage(practice=message.practice, system=message.system.value, what=message.what)
    if keyring.hash_key(message.practice) is not None:
        return _keyed(message, keyring)
    event = encode_event(message.event, keyring) if message.event is not None else b""
    return _EncodedMessage(practice=message.practice, event=event, notes=message.notes)


def _keyed(change: Change, keyring: Keyring) -> _EncodedMessage:
    """A change whose hashes and id tell nothing to those without the practice's keys."""
    notes = tuple(
        msgspec.structs.replace(one, content_hash=hashed(keyring, change.practice, one.content_hash)) for one in change.notes
    )
    if change.event is None:
        return _EncodedMessage(practice=change.practice, notes=notes)
    event = keyed_event(keyring, change.event)
    key_id, plain = "", b""
    if event.id != change.event.id:
        key_id, plain = keyring.seal(change.practice, _plain_identity(event.id), change.event.id.bytes)
    return _EncodedMessage(
        practice=change.practice, event=encode_event(event, keyring), notes=notes, key_id=key_id, plain=plain
    )


def _plain_identity(id_: EventId) -> bytes:
    return b"plain id|" + id_.bytes


def _encoded(signed_by: str, signature: bytes) -> bytes:
    return _ENCODER.encode(signed_by) + _ENCODER.encode(signature)


def _identity(unsigned: bytes) -> bytes:
    """What a signature is bound to: that it is one of this topic, and the members as they are encoded."""
    return CHANGES.encode() + b"\x00" + unsigned


def decode_message(encoded: bytes | None, keyring: Keyring, *, by_hand: bool = False) -> Message:
    """Raises KeyMissing, or UnreadableEvent for anything that is not a message as its practice's workers write it.

    `by_hand`: a person has it read again, so it need not be signed.
    """
    if encoded is None:
        raise UnreadableEvent("not a message (no value)")
    with decoding(named(UnreadableEvent, "not a message"), UnreadableEvent, KeyMissing):
        wire = _DECODER.decode(encoded)
        before = _NUDGE_BEFORE.fullmatch(wire.source)
        if before is not None:
            system, what = before.groups()
            wire = msgspec.structs.replace(wire, source="", value="", system=system, what=what)
        _check(wire)
        if wire.signature:
            _check_signature(encoded, wire, keyring)
        elif by_hand or keyring.takes_unsigned(wire.practice):
            _check_unsigned(wire)
        else:
            raise UnreadableEvent("the message is not signed")
        return _message(wire, keyring)


def _message(wire: _EncodedMessage, keyring: Keyring) -> Message:
    if wire.system:
        return Nudge(practice=wire.practice, system=System(wire.system), what=wire.what)
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


def _check(wire: _EncodedMessage) -> None:
    """Raise UnreadableEvent for what nothing can be done with, whoever wrote it."""
    notes = [text for note in wire.notes for text in (note.resource, note.record, note.content_hash, note.parent)]
    if not all(holdable(text) for text in (wire.practice, wire.source, wire.value, *notes)):
        raise UnreadableEvent("the message holds a text that cannot be stored")
    if wire.system and not (wire.system in set(System) and _NUDGED.fullmatch(wire.what)):
        raise UnreadableEvent("the message nudges what nobody here knows")


def _check_signature(encoded: bytes, wire: _EncodedMessage, keyring: Keyring) -> None:
    end = len(encoded) - len(_encoded(wire.signed_by, wire.signature))
    if encoded[:1] != _FIRST or not is_key_of(wire.signed_by, wire.practice):
        raise UnreadableEvent("the message is not signed by its practice")
    keyring.open_sealed(wire.signed_by, _identity(encoded[1:end]), wire.signature)


def _check_unsigned(wire: _EncodedMessage) -> None:
    """Raise UnreadableEvent for a member that no worker before signatures would write. An event is sealed by itself."""
    told = [wire.event or wire.notes, wire.source, wire.system]
    if sum(map(bool, told)) > 1 or bool(wire.source) != bool(wire.value) or not all(map(_is_note, wire.notes)):
        raise UnreadableEvent("the message is not signed, and not as an older worker writes it")
    if wire.source and not (_SOURCE.fullmatch(wire.source) and _MARK.fullmatch(wire.value)):
        raise UnreadableEvent("the message is not signed, and no checkpoint of an older worker")


def _is_note(note: Note) -> bool:
    plain = all(len(text) <= LONGEST_NAME and text.isprintable() for text in (note.record, note.content_hash))
    return plain and _RESOURCE.fullmatch(note.resource) is not None and is_record(note.resource, note.record, note.parent)


def is_record(resource: str, record: str, parent: str) -> bool:
    """Whether this can be a record of the resource, and whose it is: what is read as a number is one."""
    numbered = _NUMBERED.fullmatch(resource) is None or _RECORD.fullmatch(record) is not None
    return numbered and _WHOSE.fullmatch(parent) is not None


def unreadable(record: Any, error: Exception, *, quiet: bool) -> Change:
    """The quarantine of a message that nobody can read, under the practice of its key; the same again is the same event."""
    reason = type(error).__name__
    if not quiet:
        log.error("message_unreadable", topic=CHANGES, partition=record.partition, offset=record.offset, error_type=reason)
    practice = PracticeId(name((record.key or b"").decode(errors="replace")))
    raw = record.value or b""
    event = Event(
        id=event_id(practice, "MessageUnreadable", record.topic, record.partition, record.offset, raw),
        practice=practice,
        origin=Origin.CHARTWIRE,
        observed=_written(record),
        body=MessageUnreadable(topic=record.topic, partition=record.partition, offset=record.offset, reason=reason, raw=raw),
    )
    return Change(practice=practice, event=event)


def read_again(messages: Sequence[Message], keyring: Keyring) -> list[Message]:
    """The messages, those among them that lacked nothing but a key as they were read with the keys of now.

    A practice records nothing while its key files are away, so what came meanwhile is unreadable and waits. It is no longer unreadable
    once they are back.
    """
    return [_read_again(one, keyring) for one in messages]


def _read_again(message: Message, keyring: Keyring) -> Message:
    event = message.event if isinstance(message, Change) else None
    if event is not None and isinstance(event.body, MessageUnreadable) and event.body.reason == KeyMissing.__name__:
        with suppress(KeyMissing, UnreadableEvent):
            found = decode_message(event.body.raw, keyring)
            if found.practice == message.practice:
                return found
    return message


def _written(record: Any) -> datetime:
    """When the broker or the message's producer says that it was written; 1970 where that is no moment."""
    try:
        return datetime.fromtimestamp(record.timestamp / 1000, UTC)
    except (ValueError, OverflowError, OSError, TypeError):
        return datetime.fromtimestamp(0, UTC)
