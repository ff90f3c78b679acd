"""Events as bytes: every body comes back, whoever changes a byte is noticed, old versions are brought up to date."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events import codec
from events.codec import (
    Envelope,
    KeyMissing,
    Keyring,
    UnreadableEvent,
    decode_body,
    decode_event,
    encode_body,
    encode_event,
    identity,
    open_event,
    seal_event,
    upcaster,
)
from events.ids import BillingPatientId, EhrChartId, EventId, PatientKey, PracticeId
from events.records import stored_type
from events.schema import TYPES, VERSIONS, Body, Event, Origin, RevisitDue
from events.text import holdable
from events.topics import Change, Checkpoint, Note, Nudge, decode_message, encode_message
from events.writes import System

ELM, OAK = PracticeId("elm"), PracticeId("oak")
KEYS = Keyring({"elm.1": b"1" * 32, "elm.2": b"2" * 32, "oak.1": b"3" * 32})
MOMENT = datetime(2026, 3, 2, 9, 15, 0, 123456, tzinfo=UTC)

INTEGERS = st.integers(-(2**63), 2**63 - 1)
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=20),
    int: INTEGERS,
    bool: st.booleans(),
    bytes: st.binary(max_size=20),
    datetime: MOMENTS,
    UUID: st.uuids(),
    type(None): st.none(),
}


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of any type that events are made of, found by its annotations: a new body is tested without being listed."""
    kind = getattr(kind, "__supertype__", kind)
    if kind in PLAIN:
        return PLAIN[kind]
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return st.one_of([values(one) for one in inner])
    if origin is tuple:
        return st.lists(values(inner[0]), max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(values(inner[0]), values(inner[1]), max_size=2)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return st.deferred(lambda: st.builds(kind, **{name: values(each) for name, each in get_type_hints(kind).items()}))
    return st.from_type(kind)


def events(body: st.SearchStrategy[Any]) -> st.SearchStrategy[Event]:
    hints = get_type_hints(Event)
    members = {name: values(kind) for name, kind in hints.items() if name not in ("body", "practice")}
    return st.builds(Event, body=body, practice=st.sampled_from([ELM, OAK]), **members)


def event(**changed: Any) -> Event:
    full = Event(
        id=EventId(UUID(int=1)),
        practice=ELM,
        origin=Origin.EHR,
        observed=MOMENT,
        body=RevisitDue(reason="a policy ended"),
        ehr=EhrChartId(11),
        billing=BillingPatientId(22),
        patient=PatientKey("K:22"),
        modified=MOMENT - timedelta(hours=1),
        cause=EventId(UUID(int=2)),
        correlation=EventId(UUID(int=3)),
    )
    return msgspec.structs.replace(full, **changed)


# -- round trips ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(TYPES))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_body_comes_back(name: str, data: st.DataObject) -> None:
    one: Event = data.draw(events(values(TYPES[name])))
    assert decode_body(name, VERSIONS[name], encode_body(one.body)) == one.body
    assert decode_event(encode_event(one, KEYS), KEYS) == one


def test_every_body_has_a_version_and_its_class_name_is_its_type() -> None:
    assert set(VERSIONS) == set(TYPES) == {stored_type(kind.__name__) for kind in get_args(Body)}


def holdable_note(note: Note) -> bool:
    return all(map(holdable, (note.resource, note.record, note.content_hash, note.parent)))


@given(one=events(values(RevisitDue)), notes=st.lists(values(Note).filter(holdable_note), max_size=3))
def test_a_change_comes_back_with_its_notes(one: Event, notes: list[Note]) -> None:
    change = Change(practice=one.practice, event=one, notes=tuple(notes))
    assert decode_message(encode_message(change, KEYS), KEYS) == change


def test_notes_without_an_event_and_checkpoints_come_back() -> None:
    note = Note(system=System.BILLING, resource="patients", record="7", content_hash="ab", parent="K:7")
    for message in (Change(practice=ELM, notes=(note,)), Checkpoint(practice=ELM, source="kareo.patients", value="2026")):
        assert decode_message(encode_message(message, KEYS), KEYS) == message


class WireBefore(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A message as a worker of before there were nudges reads and writes it."""

    practice: PracticeId
    event: bytes = b""
    notes: tuple[Note, ...] = ()
    source: str = ""
    value: str = ""


NUDGE = Nudge(practice=ELM, system=System.EHR, what="patient:7")


def test_a_nudge_comes_back_and_tells_an_older_worker_nothing() -> None:
    encoded = encode_message(NUDGE, KEYS)
    assert decode_message(encoded, KEYS) == NUDGE
    assert msgspec.msgpack.decode(encoded, type=WireBefore) == WireBefore(practice=ELM)


def test_the_nudge_of_an_older_worker_is_one() -> None:
    before = WireBefore(practice=ELM, source="nudge.elation.patient:7", value="2026-03-02T09:15:00+00:00")
    assert decode_message(msgspec.msgpack.encode(before), KEYS) == NUDGE


def test_other_messages_are_read_by_older_workers_as_they_were() -> None:
    checkpoint = Checkpoint(practice=ELM, source="kareo.patients", value="2026")
    before = WireBefore(practice=ELM, source="kareo.patients", value="2026")
    assert msgspec.msgpack.decode(encode_message(checkpoint, KEYS), type=WireBefore) == before


def test_a_nudge_of_a_system_that_nobody_knows_is_unreadable() -> None:
    before = WireBefore(practice=ELM, source="nudge.athena.catch-up")
    with pytest.raises(UnreadableEvent):
        decode_message(msgspec.msgpack.encode(before), KEYS)


# -- secrecy --------------------------------------------------------------------------------------------------------------

OTHERS: dict[str, object] = {
    "id": EventId(UUID(int=9)),
    "practice": OAK,
    "type": "ChartLinked",
    "version": 2,
    "origin": Origin.BILLING,
    "observed": MOMENT + timedelta(microseconds=1),
    "ehr": 12,
    "billing": None,
    "patient": PatientKey("K:23"),
    "modified": None,
    "cause": None,
    "correlation": EventId(UUID(int=4)),
}


def test_the_cases_below_are_all_members_of_the_envelope() -> None:
    assert set(OTHERS) == set(Envelope.__struct_fields__)
    assert set(OTHERS) == set(Event.__struct_fields__) - {"body"} | {"type", "version"}


@pytest.mark.parametrize("member", sorted(OTHERS))
def test_a_changed_envelope_is_noticed(member: str) -> None:
    version, key_id, sealed = seal_event(event(), KEYS)
    known = {name: getattr(event(), name) for name in Event.__struct_fields__ if name != "body"}
    clear = Envelope(type=event().type, version=version, **known)
    assert open_event(clear, key_id, sealed, KEYS) == event()
    changed = msgspec.structs.replace(clear, **{member: OTHERS[member]})
    with pytest.raises(UnreadableEvent, match="changed after encryption"):
        open_event(changed, key_id, sealed, KEYS)


def test_a_changed_byte_is_noticed_wherever_it_is() -> None:
    version, key_id, sealed = seal_event(event(), KEYS)
    bound = identity(event(), version)
    for place in range(len(sealed)):
        altered = bytearray(sealed)
        altered[place] ^= 1
        with pytest.raises(UnreadableEvent):
            KEYS.open_sealed(key_id, bound, bytes(altered))


def test_a_body_cut_short_anywhere_is_unreadable_and_nothing_else() -> None:
    """Anything else than UnreadableEvent would end the consumer, and again after its restart."""
    version, key_id, sealed = seal_event(event(), KEYS)
    for length in range(len(sealed)):
        with pytest.raises(UnreadableEvent):
            KEYS.open_sealed(key_id, identity(event(), version), sealed[:length])


@given(garbage=st.binary(max_size=200))
def test_garbage_is_unreadable_and_nothing_else(garbage: bytes) -> None:
    with pytest.raises((UnreadableEvent, KeyMissing)):
        decode_event(garbage, KEYS)


def test_a_message_without_a_value_is_unreadable() -> None:
    with pytest.raises(UnreadableEvent):
        decode_message(None, KEYS)


def test_a_change_cannot_carry_another_practices_event() -> None:
    smuggled = encode_message(Change(practice=OAK, event=event()), KEYS)
    with pytest.raises(UnreadableEvent, match="another practice"):
        decode_message(smuggled, KEYS)


def test_what_is_encrypted_does_not_show_and_never_looks_the_same() -> None:
    first, second = encode_event(event(), KEYS), encode_event(event(), KEYS)
    assert b"policy" not in first
    assert first != second


def test_the_same_moment_in_another_zone_is_the_same_identity() -> None:
    elsewhere = MOMENT.astimezone(timezone(timedelta(hours=-5)))
    assert identity(event(observed=elsewhere), 1) == identity(event(), 1)


def test_the_identity_never_changes() -> None:
    """Bodies in the store are bound to these bytes: were they to change, no stored event could be read any more."""
    assert identity(event(), 1).hex() == (
        "9cd92430303030303030302d303030302d303030302d303030302d303030303030303030303031a3656c6daa5265766973697444756501"
        "a7656c6174696f6ed7ff1d6f280069a555140b16a44b3a3232d7ff1d6f280069a54704"
        "d92430303030303030302d303030302d303030302d303030302d303030303030303030303032"
        "d92430303030303030302d303030302d303030302d303030302d303030303030303030303033"
    )


# -- versions -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def third_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """RevisitDue as if it were at version 3: `why` (1) became `cause` (2) became `reason` (3)."""
    monkeypatch.setattr(codec, "UPCASTERS", {})
    monkeypatch.setitem(VERSIONS, "RevisitDue", 3)

    @upcaster("RevisitDue", 1)
    def first(body: dict[str, object]) -> dict[str, object]:
        return {"cause": body["why"]}

    @upcaster("RevisitDue", 2)
    def second(body: dict[str, object]) -> dict[str, object]:
        return {"reason": f"{body['cause']}!"}


@pytest.mark.parametrize(("version", "stored"), [(1, {"why": "ended"}), (2, {"cause": "ended"}), (3, {"reason": "ended!"})])
def test_older_versions_are_brought_up_step_by_step(third_version: None, version: int, stored: dict[str, str]) -> None:
    assert decode_body("RevisitDue", version, msgspec.msgpack.encode(stored)) == RevisitDue(reason="ended!")


@pytest.mark.parametrize("name", sorted(TYPES))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_upcasting_keeps_what_the_upcaster_leaves_alone(name: str, data: st.DataObject) -> None:
    """An old body goes through plain values (dates, moments, bytes, unions): nothing of it may be lost there."""
    body = data.draw(values(TYPES[name]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "UPCASTERS", {(name, 1): dict})
        patch.setitem(VERSIONS, name, 2)
        assert decode_body(name, 1, encode_body(body)) == body


@pytest.mark.parametrize(
    ("name", "version"), [("RevisitDue", 2), ("RevisitDue", 0), ("NeverHeardOf", 1)], ids=["newer", "ancient", "unknown"]
)
def test_what_this_version_does_not_know_is_said_by_type_and_version(name: str, version: int) -> None:
    with pytest.raises(UnreadableEvent, match=f"{name} version {version}"):
        decode_body(name, version, encode_body(RevisitDue(reason="Jane Doe")))


def test_an_upcaster_that_fails_is_an_unreadable_event_without_content(third_version: None) -> None:
    with pytest.raises(UnreadableEvent, match="RevisitDue version 1") as raised:
        decode_body("RevisitDue", 1, msgspec.msgpack.encode(["Jane Doe"]))
    assert "Jane" not in str(raised.value)
    assert raised.value.__suppress_context__


def test_newer_members_are_ignored() -> None:
    stored = msgspec.msgpack.encode({"reason": "ended", "urgency": {"level": 3}})
    assert decode_body("RevisitDue", 1, stored) == RevisitDue(reason="ended")


# -- keys -----------------------------------------------------------------------------------------------------------------


def test_the_newest_key_writes_and_all_read(tmp_path: Path) -> None:
    assert Keyring.create_key(tmp_path, ELM).name == "elm.1.key"
    before = Keyring.from_directory(tmp_path)
    old = encode_event(event(), before)
    for _ in range(9):
        Keyring.create_key(tmp_path, ELM)
    after = Keyring.from_directory(tmp_path)
    assert after.seal(ELM, b"", b"")[0] == "elm.10", "by number, not by name"
    assert decode_event(old, after) == event()
    with pytest.raises(KeyMissing, match=re.escape("elm.10.key")):
        decode_event(encode_event(event(), after), before)


def test_a_keyring_in_use_takes_new_keys_in_and_forgets_none(tmp_path: Path) -> None:
    first = Keyring.create_key(tmp_path, ELM)
    in_use = Keyring.from_directory(tmp_path)
    old = in_use.seal(ELM, b"who", b"what")
    Keyring.create_key(tmp_path, ELM)
    first.unlink()
    in_use.renew(Keyring.from_directory(tmp_path))
    key_id, sealed = in_use.seal(ELM, b"who", b"more")
    assert key_id == f"{ELM}.2"
    assert in_use.open_sealed(key_id, b"who", sealed) == b"more"
    assert in_use.open_sealed(old[0], b"who", old[1]) == b"what"


def test_a_key_file_is_for_its_owner_only_and_never_overwritten(tmp_path: Path) -> None:
    file = Keyring.create_key(tmp_path, ELM)
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(base64.b64decode(file.read_text())) == 32
    assert Keyring.create_key(tmp_path, ELM) != file


def test_a_key_is_numbered_among_its_own_practices_only(tmp_path: Path) -> None:
    Keyring.create_key(tmp_path, PracticeId("elm.north"))
    (tmp_path / "elm.spare.key").touch()
    assert Keyring.create_key(tmp_path, ELM).name == "elm.1.key"
    assert Keyring.create_key(tmp_path, PracticeId("elm.north")).name == "elm.north.2.key"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("elm.1.key", "dG9vIHNob3J0"),
        ("elm.1.key", "not base64 at all"),
        ("elm.1.key", ""),
        ("elm.key", base64.b64encode(b"k" * 32).decode()),
        ("elm.².key", base64.b64encode(b"k" * 32).decode()),
    ],
)
def test_a_file_that_holds_no_key_is_named_but_not_shown(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=f"^{re.escape(name)}: must be") as raised:
        Keyring.from_directory(tmp_path)
    assert not content or content not in str(raised.value)


def test_a_practice_without_a_key_is_told_which_file_is_missing() -> None:
    with pytest.raises(KeyMissing, match=r"fir\.1\.key"):
        encode_event(event(practice=PracticeId("fir")), KEYS)
