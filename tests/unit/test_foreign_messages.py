"""What lies on the changes topic and was not written there by a worker."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.codec import KeyMissing, Keyring, UnreadableEvent, decode_body, decode_event
from events.feed import NotAnEvent, decode_published
from events.ids import EventId, PracticeId
from events.schema import Event, MessageUnreadable, Origin, RevisitDue
from events.topics import Change, Checkpoint, Message, Note, Nudge, decode_message, encode_message, unreadable
from events.watermarks import read_position, read_watermark
from events.writes import System

ELM, OAK = PracticeId("elm"), PracticeId("oak")
KEYS = Keyring({"elm.1": b"1" * 32, "oak.1": b"3" * 32})
NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
BAD_TEXT = b"\xff\xfe\xfd\xfc\xfb"
encode = msgspec.msgpack.encode


class SignedKeyring(Keyring):
    """Of a practice whose workers all sign."""

    def takes_unsigned(self, practice: str) -> bool:
        return False


def nested(depth: int) -> bytes:
    return b"\x91" * depth + b"\x90"


FOREIGN = {
    "no UTF-8 in a text": b"\x91\xa5" + BAD_TEXT,
    "no UTF-8 in a note": b"\x93\xa3elm\xc4\x00\x91\x81\xa6system\xa5" + BAD_TEXT,
    "arrays nested 5,000 deep": b"\x9c"
    + encode("elm")
    + b"\xc4\x00\x90"
    + b"\xa0" * 6
    + b"\xc4\x00\xa0\xc4\x00"
    + nested(5000),
    "an array of four billion": b"\xdd\xff\xff\xff\xff",
    "nothing": b"",
    "a number": b"\x01",
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a4_whatever_bytes_come_every_decoder_of_messages_has_one_error(what: str) -> None:
    with pytest.raises(UnreadableEvent):
        decode_message(FOREIGN[what], KEYS)
    with pytest.raises(UnreadableEvent):
        decode_event(FOREIGN[what], KEYS)
    with pytest.raises(NotAnEvent):
        decode_published(FOREIGN[what])
    with pytest.raises(UnreadableEvent):
        decode_body("RevisitDue", 1, FOREIGN[what])


@given(encoded=st.binary(max_size=300))
def test_a4_any_bytes_are_unreadable_and_nothing_else(encoded: bytes) -> None:
    with pytest.raises((UnreadableEvent, KeyMissing)):
        decode_message(encoded, KEYS)


@pytest.mark.parametrize("timestamp", [-1, 2**62, -(2**62), None])
def test_a4_an_unreadable_message_is_kept_whole_whenever_it_says_it_was_written(timestamp: int | None) -> None:
    record = Record(timestamp=timestamp)
    kept = unreadable(record, UnreadableEvent("no"), quiet=True).event
    assert kept is not None
    assert isinstance(kept.body, MessageUnreadable)
    assert (kept.body.raw, kept.body.offset) == (record.value, record.offset)
    assert "\x00" not in kept.practice


class Record(msgspec.Struct):
    topic: str = "chartwire.changes.v1"
    partition: int = 0
    offset: int = 7
    key: bytes = b"el\x00m"
    value: bytes = BAD_TEXT
    timestamp: Any = 0


# -- A6 -------------------------------------------------------------------------------------------------------------------

NOTE = Note(system=System.EHR, resource="patients", record="7", content_hash="ab", parent="7")
EVENT = Event(id=EventId(UUID(int=1)), practice=ELM, origin=Origin.EHR, observed=NOW, body=RevisitDue(reason="x"))
MESSAGES: dict[str, Message] = {
    "a change": Change(practice=ELM, event=EVENT, notes=(NOTE,)),
    "notes": Change(practice=ELM, notes=(NOTE,)),
    "a checkpoint": Checkpoint(practice=ELM, source="kareo.patients", value="2026-03-02T09:00:00+00:00"),
    "a nudge": Nudge(practice=ELM, system=System.EHR, what="patient:7"),
}


@pytest.mark.parametrize("what", MESSAGES)
def test_a6_a_message_is_signed_as_a_whole(what: str) -> None:
    encoded = encode_message(MESSAGES[what], KEYS)
    assert decode_message(encoded, KEYS) == MESSAGES[what]
    assert decode_message(encoded, SignedKeyring({"elm.1": b"1" * 32})) == MESSAGES[what]
    for place in range(len(encoded)):
        altered = bytearray(encoded)
        altered[place] ^= 1
        with pytest.raises((UnreadableEvent, KeyMissing)):
            decode_message(bytes(altered), SignedKeyring({"elm.1": b"1" * 32}))


def test_a6_no_practice_signs_for_another() -> None:
    members = msgspec.msgpack.decode(encode_message(MESSAGES["a checkpoint"], KEYS))
    members[0] = "oak"
    with pytest.raises(UnreadableEvent, match="not signed by its practice"):
        decode_message(encode(members), KEYS)


@pytest.mark.parametrize("what", MESSAGES)
def test_a6_what_an_older_worker_writes_is_read_until_all_workers_sign(what: str) -> None:
    members = msgspec.msgpack.decode(encode_message(MESSAGES[what], KEYS))
    for length in (7, 5) if what != "a nudge" else (7,):
        unsigned = encode(members[:length])
        assert decode_message(unsigned, KEYS) == MESSAGES[what]
        with pytest.raises(UnreadableEvent, match="not signed"):
            decode_message(unsigned, SignedKeyring({"elm.1": b"1" * 32}))
        assert decode_message(unsigned, SignedKeyring({"elm.1": b"1" * 32}), by_hand=True) == MESSAGES[what]


def unsigned_checkpoint(source: str, value: str) -> bytes:
    return encode(["elm", b"", [], source, value])


def unsigned_note(**changed: str) -> bytes:
    note = {"system": "elation", "resource": "patients", "record": "7", "content_hash": "ab", "parent": "7"} | changed
    return encode(["elm", b"", [note], "", ""])


FORGED = {
    "a watermark that is none": unsigned_checkpoint("kareo.patients", "garbage"),
    "a watermark without a zone": unsigned_checkpoint("kareo.patients", "2026-03-02T09:15:00"),
    "the place of the outward feed": unsigned_checkpoint("feed", "9999999"),
    "a source with a NUL": unsigned_checkpoint("kareo.\x00", "5"),
    "a watermark with a NUL": unsigned_checkpoint("kareo.patients", "5\x00"),
    "no watermark": unsigned_checkpoint("kareo.patients", ""),
    "a record that is no number": unsigned_note(record="abc"),
    "a record of twenty digits": unsigned_note(record="9" * 20),
    "a patient that is no number": unsigned_note(parent="abc"),
    "a resource of another kind": unsigned_note(resource="patients; --"),
    "a hash of control characters": unsigned_note(content_hash="\x1b[2J"),
    "a hash without end": unsigned_note(content_hash="a" * 5000),
    "a nudge for a chart abc": encode(["elm", b"", [], "", "", "elation", "patient:abc"]),
    "a nudge of nobody": encode(["elm", b"", [], "", "", "athena", "sweep"]),
    "an older nudge for a chart abc": unsigned_checkpoint("nudge.elation.patient:abc", "2026-03-02T09:15:00+00:00"),
    "a checkpoint with notes": encode(["elm", b"", [msgspec.to_builtins(NOTE)], "kareo.patients", "5"]),
}


@pytest.mark.parametrize("what", FORGED)
def test_a6_an_unsigned_message_is_believed_only_where_every_member_is_a_workers(what: str) -> None:
    with pytest.raises(UnreadableEvent):
        decode_message(FORGED[what], KEYS)


@pytest.mark.parametrize("text", [None, "", "garbage", "2026", "2026-03-02", "2026-03-02T09:15:00", "9999-12-31T23:59:59+00:00",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-03-02T10:15:00+00:00", "1999-12-31T00:00:00+00:00"])  # fmt: skip
def test_a6_a_watermark_that_cannot_be_true_counts_as_none(text: str | None) -> None:
    assert read_watermark(text, NOW) is None


@pytest.mark.parametrize("ahead", [timedelta(), timedelta(minutes=4), -timedelta(days=9000)])
def test_a6_a_watermark_of_a_worker_whose_clock_is_a_little_ahead_counts(ahead: timedelta) -> None:
    assert read_watermark((NOW + ahead).isoformat(), NOW) == NOW + ahead


@pytest.mark.parametrize(
    ("text", "position"), [(None, 0), ("", 0), ("x", 0), ("-5", 0), ("²", 0), ("9" * 5000, 0), ("12", 12)]
)
def test_a6_a_position_that_cannot_be_read_counts_as_none(text: str | None, position: int) -> None:
    assert read_position(text) == position
