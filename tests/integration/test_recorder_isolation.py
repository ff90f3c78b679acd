"""One bad message or one defect stops nothing else: it is recorded, shown, and the practice's other work goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from daemon.runtime.pace import Pace
from daemon.runtime.recorder import PracticeRecorder
from daemon.runtime.recording import Recording
from daemon.runtime.sink import Sink
from daemon.tables import documents as tables
from daemon.tables import observed as compared
from daemon.tables import open as still_open
from daemon.tables.documents import PatientRow
from daemon.tables.status import practice_status
from daemon.telemetry import Meter
from events.codec import Keyring, UnreadableEvent
from events.ids import EhrChartId, PatientKey, event_id
from events.records import EhrChart, type_of
from events.schema import (
    BillingDirectoryObserved,
    ChangeQuarantined,
    EhrChartObserved,
    EhrDirectoryObserved,
    Event,
    IntentRefused,
    IntentRequested,
    Origin,
    Recorded,
)
from events.store import Store
from events.topics import Change, Checkpoint, Note
from events.writes import AnyResult, AnyWrite, SearchBilling, Searched, System
from projections.terms.policy import Policy
from tests.conftest import OTHER, PRACTICE, until
from tests.integration.test_store import observed

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
DIRECTORIES = [
    Change(
        practice=PRACTICE,
        event=Event(
            id=event_id(PRACTICE, type_of(body), 1),
            practice=PRACTICE,
            origin=origin,
            observed=NOW,
            body=body,
        ),
    )
    for origin, body in ((Origin.EHR, EhrDirectoryObserved()), (Origin.BILLING, BillingDirectoryObserved()))
]


async def recorder(store: Store, keyring: Keyring, outcomes: list[Recording]) -> PracticeRecorder:
    return PracticeRecorder(
        store,
        keyring,
        Policy(practice=PRACTICE),
        await store.take_over(PRACTICE),
        now=lambda: NOW,
        meter=Meter(),
        on_recorded=outcomes.append,
    )


async def test_a_message_that_cannot_be_recorded_is_set_aside_and_the_rest_of_its_batch_goes_on(
    store: Store, keyring: Keyring
) -> None:
    writer = await recorder(store, keyring, [])
    note = Note(system=System.EHR, resource="patients", record="1001", content_hash="x", parent="1001")
    strange = Change(practice=PRACTICE, event=observed(3, OTHER))
    good = Change(practice=PRACTICE, event=observed(1), notes=(note,))
    await writer.record_messages([*DIRECTORIES, strange, good, Checkpoint(practice=PRACTICE, source="pass", value="9")])

    events = [one.event async for one in store.read(PRACTICE)]
    assert observed(1).body in [one.body for one in events]
    aside = [one.body for one in events if isinstance(one.body, ChangeQuarantined)]
    assert [one.resource for one in aside] == ["ElationChartObserved"]
    assert await compared.get_checkpoint(store.pool, PRACTICE, "pass") == "9"
    status = await practice_status(store.pool, PRACTICE)
    assert ("quarantined", 1) in status.waiting
    assert [one async for one in store.read(OTHER)] == []


async def test_a_patient_whose_row_is_damaged_keeps_nobody_else_from_being_decided_about(
    store: Store, keyring: Keyring
) -> None:
    """What they wait for comes: the others go on, the one is shown, and what was recorded counts as recorded."""
    writer = await recorder(store, keyring, [])
    await writer.record_messages([chart(number, "Byrne") for number in (1001, 1002, 1003)])
    flipped = "UPDATE chartwire.patient SET doc = set_byte(doc, 40, get_byte(doc, 40) # 1) WHERE patient_key = 'E:1002'"
    assert await store.pool.execute(flipped) == "UPDATE 1"

    await writer.record_messages(DIRECTORIES)

    asked = {one.event.ehr for one in await recorded(store) if isinstance(one.event.body, IntentRequested)}
    assert asked == {1001, 1003}
    aside = [one.event.body for one in await recorded(store) if isinstance(one.event.body, ChangeQuarantined)]
    assert [(one.resource, one.record) for one in aside] == [("patients", "1002")]
    head = await store.head(PRACTICE)
    async with writer.catching_up():
        while await writer.revisit("looked at again"):
            pass
    assert await store.head(PRACTICE) == head, "shown once"

    assert await store.pool.execute(flipped) == "UPDATE 1", "put right"
    async with writer.catching_up():
        assert await writer.revisit("looked at again") == 1
    asked = {one.event.ehr for one in await recorded(store) if isinstance(one.event.body, IntentRequested)}
    assert asked == {1001, 1002, 1003}


async def test_who_cannot_be_opened_keeps_nobody_else_from_being_shown(store: Store, keyring: Keyring) -> None:
    one, two = PatientKey("E:1"), PatientKey("K:2")
    rows = [PatientRow(key=key, sequence=7, doc=b"Jane Doe") for key in (one, two)]
    await tables.save_patients(store.pool, PRACTICE, rows, keyring)
    flipped = "UPDATE chartwire.patient SET doc = set_byte(doc, 30, get_byte(doc, 30) # 1) WHERE patient_key = 'E:1'"
    assert await store.pool.execute(flipped) == "UPDATE 1"

    assert await tables.shown_patients(store.pool, PRACTICE, [one, two], keyring) == {two: (7, b"Jane Doe")}
    with pytest.raises(UnreadableEvent):
        await tables.load_patients(store.pool, PRACTICE, [one, two], keyring)


async def recorded(store: Store) -> list[Recorded]:
    return [one async for one in store.read(PRACTICE)]


class Defective:
    """Hands that fall over one person and serve all others."""

    async def write(self, wanted: Callable[[], AnyWrite]) -> AnyResult:
        write = wanted()
        assert isinstance(write, SearchBilling)
        if write.last_name == "Stumble":
            raise KeyError("a patient's own words")
        return Searched()

    async def look_up(self, write: AnyWrite) -> AnyResult | None:
        return None


def chart(number: int, last_name: str) -> Change:
    id_ = EhrChartId(number)
    body = EhrChartObserved(chart=EhrChart(id=id_, first_name="Ada", last_name=last_name))
    event = Event(
        id=event_id(PRACTICE, "chart", number),
        practice=PRACTICE,
        origin=Origin.EHR,
        observed=NOW,
        body=body,
        ehr=id_,
    )
    return Change(practice=PRACTICE, event=event)


async def test_a_write_that_meets_a_defect_is_shown_and_the_others_are_carried_out(store: Store, keyring: Keyring) -> None:
    outcomes: list[Recording] = []
    writer = await recorder(store, keyring, outcomes)
    sink = Sink(System.BILLING, Defective(), writer, workers=1, pace=Pace(), now=lambda: NOW, meter=Meter())
    await writer.record_messages([*DIRECTORIES, chart(1, "Stumble"), chart(2, "Fine")])
    for outcome in outcomes:
        sink.offer(outcome)
    running = asyncio.create_task(sink.run())
    await until(lambda: sink.idle)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    events = [one.event async for one in store.read(PRACTICE)]
    refused = [one for one in events if isinstance(one.body, IntentRefused)]
    assert [(one.ehr, one.body.code) for one in refused] == [(1, "defect")]
    assert "own words" not in refused[0].body.text
    wanted = await still_open.list_open_intents(store.pool, PRACTICE)
    assert {row.patient_key for row in wanted if row.state == "requested"} == {"E:2"}, "the other chart's creation is next"
