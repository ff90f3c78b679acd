"""What PostgreSQL cannot hold never stops a practice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from daemon.runtime.memory import RecordedMemory, seen_records
from daemon.tables import observed as compared
from events.codec import Keyring, encode_body
from events.schema import ChangeQuarantined, Event
from events.store import Store
from events.topics import Change, Checkpoint, Note
from events.writes import System
from tests.conftest import PRACTICE
from tests.integration.test_recorder_isolation import DIRECTORIES, chart, recorder

NUL = Note(system=System.EHR, resource="patients", record="1001\x00", content_hash="x", parent="1001")
GOOD = Note(system=System.EHR, resource="patients", record="1002", content_hash="y", parent="1002")
END = Checkpoint(practice=PRACTICE, source="kareo.patients", value="9")


async def recorded(store: Store, keyring: Keyring, poison: Change | Checkpoint) -> list[Event]:
    """The events after recording it between others, which are all recorded."""
    writer = await recorder(store, keyring, [])
    good = replace(chart(1002, "Byrne"), notes=(GOOD,))
    await writer.record_messages([*DIRECTORIES, poison, good, END])
    await writer.record_messages([poison])
    events = [one.event async for one in store.read(PRACTICE)]
    assert good.event is not None
    assert good.event.id in {one.id for one in events}
    assert await compared.get_checkpoint(store.pool, PRACTICE, "kareo.patients") == "9"
    return events


async def test_a5_an_event_whose_note_cannot_be_held_is_recorded_without_it(store: Store, keyring: Keyring) -> None:
    poison = replace(chart(1001, "Ames"), notes=(NUL,))
    assert poison.event is not None
    events = await recorded(store, keyring, poison)
    assert [one.id for one in events].count(poison.event.id) == 1
    assert not any(isinstance(one.body, ChangeQuarantined) for one in events)


async def test_a5_notes_that_cannot_be_held_are_nothing_to_stop_for(store: Store, keyring: Keyring) -> None:
    await recorded(store, keyring, Change(practice=PRACTICE, notes=(NUL,)))


@pytest.mark.parametrize(("source", "value"), [("kareo.\x00", "9"), ("kareo.sweep", "\x00")])
async def test_a5_a_checkpoint_that_cannot_be_held_is_passed_over(
    store: Store, keyring: Keyring, source: str, value: str
) -> None:
    await recorded(store, keyring, Checkpoint(practice=PRACTICE, source=source, value=value))


NAMED_WITH_NUL = ChangeQuarantined(system=System.EHR, resource="patients", record="a\x00b", reason="does not fit", raw=b"{}")


@pytest.mark.parametrize(
    "changed", [{"ehr": 2**63}, {"body": NAMED_WITH_NUL, "ehr": None}], ids=["a chart beyond all numbers", "a NUL"]
)
async def test_a5_an_event_that_cannot_be_held_is_set_aside_whole(
    store: Store, keyring: Keyring, changed: dict[str, Any]
) -> None:
    poison = chart(1001, "Ames")
    assert poison.event is not None
    event = replace(poison.event, **changed)
    events = await recorded(store, keyring, replace(poison, event=event))
    (aside,) = [one.body for one in events if isinstance(one.body, ChangeQuarantined)]
    assert (aside.resource, aside.raw) == (event.type, encode_body(event.body))


async def test_a5_nothing_is_set_aside_because_the_practice_cannot_be_read(
    store: Store, keyring: Keyring, owner_dsn: str
) -> None:
    """Then it is not the message: it is offered again, whole."""
    writer = await recorder(store, keyring, [])
    await writer.record_messages(DIRECTORIES)
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute("UPDATE chartwire.directory SET doc = doc || decode('00', 'hex') WHERE practice = $1", PRACTICE)
    await owner.close()
    writer = await recorder(store, keyring, [])
    with pytest.raises(Exception, match="changed after encryption"):
        await writer.record_messages([chart(1001, "Ames")])
    assert not any(isinstance(one.event.body, ChangeQuarantined) for one in [one async for one in store.read(PRACTICE)])


@pytest.mark.parametrize(
    ("record", "parent"),
    [("abc", "7"), ("7", "abc"), ("9" * 30, "7"), ("-7", "7")],
    ids=["abc", "of abc", "huge", "negative"],
)
async def test_a6_a_stored_note_that_is_no_record_is_passed_over(
    store: Store, keyring: Keyring, record: str, parent: str
) -> None:
    def note(record: str, parent: str) -> Note:
        return Note(system=System.EHR, resource="patients", record=record, content_hash="x", parent=parent)

    writer = await recorder(store, keyring, [])
    await writer.record_messages([*DIRECTORIES, Change(practice=PRACTICE, notes=(note(record, parent), note("8", "8")))])
    memory = RecordedMemory(store.pool, PRACTICE, System.EHR, store.keyring, linked=False)
    assert await memory.known("patients") == [("8", "8")]
    pairs: Sequence[tuple[str, str]] = [("patients", record), ("patients", "8")]
    assert list(await seen_records(store.pool, PRACTICE, System.EHR)(pairs)) == [("patients", "8")]
