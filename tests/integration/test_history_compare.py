"""Replay from the events alone: equal to what is stored, byte for byte; what is corrupted is found, with its event."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio
from msgspec.structs import replace

from daemon.history.compare import Difference, verify, verify_patient
from daemon.history.events_of import patient_events
from daemon.history.fold import replayed
from daemon.tables import documents as tables
from events.codec import Keyring
from events.ids import EhrChartId
from events.schema import BillingAppointmentObserved, BillingChartObserved, EhrChartMerged, EhrChartObserved
from events.store import Store
from projections.rules.wants import Moment
from projections.state.patient import decode_patient, encode_patient
from tests.conftest import PRACTICE
from tests.integration.recorder_driver import VISIT, RecorderDriver, insured
from tests.unit.records import ADA, ADA_KEY, ADA_THERE, BLUE

TODAY = date(2026, 3, 2)
MARY = replace(ADA, id=EhrChartId(102), first_name="Mary", last_name="Shelley")


@pytest_asyncio.fixture
async def driver(store: Store, keyring: Keyring) -> RecorderDriver:
    """A morning: two patients, one linked, insured, with an appointment that waits; the other is searched for."""
    driver = RecorderDriver(store, keyring, await store.take_over(PRACTICE))
    await driver.open()
    await driver.link(there=insured(replace(BLUE, end=date(2026, 12, 31))))
    await driver.see(EhrChartObserved(chart=MARY), BillingAppointmentObserved(appointment=VISIT))
    await driver.see(BillingChartObserved(chart=replace(insured(BLUE), city="Macon")))
    return driver


async def differences(store: Store) -> list[Difference]:
    return await verify(store, await replayed(store, PRACTICE), TODAY)


async def test_what_the_recorder_wrote_is_what_the_events_say(driver: RecorderDriver) -> None:
    folded = await replayed(driver.store, PRACTICE)
    assert set(folded.state.patients) == {ADA_KEY, "E:102"}
    assert await verify(driver.store, folded, TODAY) == []
    assert folded.sequence == await driver.store.head(PRACTICE)


async def test_events_recorded_since_the_fold_are_caught_up_with(driver: RecorderDriver) -> None:
    folded = await replayed(driver.store, PRACTICE)
    await driver.see(BillingChartObserved(chart=replace(insured(BLUE), city="Athens")))
    assert await verify(driver.store, folded, TODAY) == []
    assert folded.state.patients[ADA_KEY].billing.chart.city == "Athens"  # type: ignore[union-attr]


async def test_a_merged_chart_that_moved_its_link_replays_equal(driver: RecorderDriver) -> None:
    survivor = replace(ADA, id=EhrChartId(103))
    merged = driver.change(EhrChartMerged(chart=ADA.id, survivor=survivor.id))
    assert merged.event is not None
    merged = replace(merged, event=replace(merged.event, ehr=ADA.id))
    await driver.recorder.record_messages([driver.change(EhrChartObserved(chart=survivor)), merged])
    folded = await replayed(driver.store, PRACTICE)
    assert folded.state.patients[ADA_KEY].link.ehr == survivor.id  # type: ignore[union-attr]
    assert await verify(driver.store, folded, TODAY) == []


BREAK = {
    "chart": ("UPDATE chartwire.chart SET patient_key = 'E:102' WHERE elation_chart = 101", "ElationChartObserved"),
    "link": ("DELETE FROM chartwire.link", "ChartLinked"),
    "open_intent": (
        "UPDATE chartwire.open_intent SET state = 'refused' WHERE slot = 'demographics:elation'",
        "IntentRequested",
    ),
    "waiting": ("UPDATE chartwire.waiting SET since = since - interval '1 day' WHERE code = 'no-calendar'", "WaitingRaised"),
    "dependency": ("DELETE FROM chartwire.dependency WHERE depends_on = 'directory'", "WaitingRaised"),
    "patient": ("UPDATE chartwire.patient SET sequence = 1 WHERE patient_key = 'K:901'", ""),
    "directory": ("DELETE FROM chartwire.directory", "IntentRequested"),
}


@pytest.mark.parametrize("table", sorted(BREAK))
async def test_a_corrupted_row_of_any_table_is_found_with_its_event(
    driver: RecorderDriver, owner_dsn: str, table: str
) -> None:
    statement, type_ = BREAK[table]
    owner = await asyncpg.connect(owner_dsn)
    assert not (await owner.execute(statement)).endswith(" 0")
    await owner.close()
    first = (await differences(driver.store))[0]
    assert first.table == table
    if type_:
        assert first.type == type_
        event = [one async for one in driver.store.read(PRACTICE)][(first.sequence or 0) - 1]
        assert event.event.type == type_


async def test_a_document_that_lags_names_the_event_it_lacks(driver: RecorderDriver) -> None:
    """Ada's document is put back to before her city changed."""
    patient = await driver.patient()
    assert patient.billing is not None
    await _store_document(
        driver, replace(patient, billing=replace(patient.billing, chart=replace(patient.billing.chart, city="Ghosttown")))
    )
    (found,) = await differences(driver.store)
    (changed,) = [
        one.sequence
        async for one in driver.store.read(PRACTICE)
        if isinstance(one.event.body, BillingChartObserved) and one.event.body.chart.city == "Macon"
    ]
    assert (found.table, found.patient, found.what) == ("patient", ADA_KEY, "kareo differs")
    assert (found.sequence, found.type) == (changed, "KareoChartObserved")


async def test_a_document_as_it_once_was_names_the_first_event_it_lacks(driver: RecorderDriver) -> None:
    stale = await driver.patient()
    for city in ("Athens", "Rome", "Troy"):
        await driver.see(BillingChartObserved(chart=replace(insured(BLUE), city=city)))
    await _store_document(driver, replace(await driver.patient(), billing=stale.billing))
    (found,) = await differences(driver.store)
    event = [one async for one in driver.store.read(PRACTICE)][(found.sequence or 0) - 1].event
    assert isinstance(event.body, BillingChartObserved)
    assert event.body.chart.city == "Athens"


async def test_a_document_that_cannot_be_decrypted_is_found(driver: RecorderDriver, owner_dsn: str) -> None:
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute(
        "UPDATE chartwire.patient SET doc = set_byte(doc, 20, get_byte(doc, 20) # 1) WHERE patient_key = $1", ADA_KEY
    )
    await owner.close()
    (found,) = await differences(driver.store)
    assert (found.patient, found.what) == (ADA_KEY, "the stored document cannot be decrypted")


async def test_one_patient_is_verified_from_either_id(driver: RecorderDriver) -> None:
    store = driver.store
    for ids in ({"ehr": [int(ADA.id)]}, {"billing": [int(ADA_THERE.id)]}):
        story = await patient_events(store, PRACTICE, **ids)
        assert await verify_patient(store, PRACTICE, story) == (1, [])
    patient = await driver.patient()
    await _store_document(driver, replace(patient, base={**patient.base, "city": "elsewhere"}))
    _, (found,) = await verify_patient(store, PRACTICE, story)
    assert (found.what, found.type) == ("base differs", "ChartLinked")


async def test_as_of_a_moment(driver: RecorderDriver) -> None:
    """By sequence and by time of recording; the time of an event includes it."""
    events = [one async for one in driver.store.read(PRACTICE)]
    (linked,) = [one for one in events if one.event.type == "ChartLinked"]
    before = await replayed(driver.store, PRACTICE, moment=linked.sequence - 1)
    assert before.sequence == linked.sequence - 1
    assert before.state.patients[ADA_KEY].link is None
    after = await replayed(driver.store, PRACTICE, moment=linked.recorded)
    assert after.sequence == max(one.sequence for one in events if one.recorded <= linked.recorded)
    assert after.state.patients[ADA_KEY].link is not None
    earlier = await replayed(driver.store, PRACTICE, moment=events[0].recorded - timedelta(microseconds=1))
    assert (earlier.sequence, earlier.state.patients) == (0, {})
    assert before.digest() != after.digest()


async def _store_document(driver: RecorderDriver, patient: object) -> None:
    row = tables.PatientRow(key=ADA_KEY, sequence=await driver.store.head(PRACTICE), doc=encode_patient(patient))  # type: ignore[arg-type]
    stored = await driver.store.pool.fetchrow("SELECT revisit_on FROM chartwire.patient WHERE patient_key = $1", ADA_KEY)
    assert decode_patient(row.doc) == patient
    row = replace(row, revisit_on=stored["revisit_on"])
    await tables.save_patients(driver.store.pool, PRACTICE, [row], driver.store.keyring)


def test_dates_are_the_practices_own() -> None:
    assert Moment.at(datetime(2026, 3, 3, 3, 0, tzinfo=UTC), "America/Denver").today == date(2026, 3, 2)
