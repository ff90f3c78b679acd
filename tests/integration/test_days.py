"""On which days patients have appointments or bills: kept with every document, rebuilt from the events, filled where an older worker was."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from daemon.history.compare import verify
from daemon.history.fold import Replay
from daemon.history.rebuild import rebuild
from daemon.tables import days
from daemon.tables.hashes import hashes_of
from events.codec import Keyring
from events.ids import BillingPatientId, EhrChartId
from events.records import EhrBill
from events.schema import BillingAppointmentObserved, BillingAppointmentVanished, BillingChartObserved, BillObserved
from events.store import Store
from tests.conftest import OTHER, PRACTICE
from tests.integration.data_keys import finished
from tests.integration.finding import save_as_an_older_worker
from tests.integration.recorder_driver import POLICY, VISIT, RecorderDriver
from tests.unit.records import ADA_KEY, ADA_THERE, GOOD_BILL

DAY = VISIT.start.date()
SERVICE = GOOD_BILL.service_day or date.min


async def opened(store: Store, keyring: Keyring) -> RecorderDriver:
    """Ada has an appointment and a bill, somebody else has none."""
    desk = RecorderDriver(store, keyring, await store.take_over(PRACTICE))
    await desk.open()
    await desk.link()
    await desk.see(BillingChartObserved(chart=replace(ADA_THERE, id=BillingPatientId(950), last_name="Other")))
    await desk.see(BillingAppointmentObserved(appointment=VISIT))
    await bill(desk, GOOD_BILL)
    return desk


async def bill(desk: RecorderDriver, one: EhrBill) -> None:
    change = desk.change(BillObserved(bill=one))
    event = replace(change.event, ehr=EhrChartId(one.patient), modified=desk.now)
    await desk.recorder.record_messages([replace(change, event=event)])


async def who(store: Store, keyring: Keyring, kind: str, first: date, last: date | None = None) -> list[str]:
    return list(await days.patients_of_days(store.pool, PRACTICE, keyring, kind, first, last or first))


async def test_who_has_something_on_a_day_is_found_and_nobody_else(store: Store, keyring: Keyring) -> None:
    await opened(store, keyring)
    assert await who(store, keyring, days.APPOINTMENTS, DAY) == [ADA_KEY]
    assert await who(store, keyring, days.BILLS, SERVICE) == [ADA_KEY]
    for kind, day in ((days.APPOINTMENTS, DAY), (days.BILLS, SERVICE)):
        for far in (timedelta(days=2), timedelta(days=-2)):
            assert await who(store, keyring, kind, day + far) == []
        assert await who(store, keyring, kind, day - timedelta(days=40), day + timedelta(days=40)) == [ADA_KEY]
    assert await days.patients_of_days(store.pool, OTHER, keyring, days.BILLS, SERVICE, SERVICE) == []


async def test_a_day_is_nowhere_in_the_clear(store: Store, keyring: Keyring) -> None:
    await opened(store, keyring)
    rows = await days.stored(store.pool, PRACTICE)
    assert len(rows) == 2
    assert all(len(day) == 16 and SERVICE.isoformat().encode() not in day for day, _ in rows)
    assert len({day for day, _ in rows} | {day for day, _ in days.rows_of([], hashes_of(keyring, OTHER))}) == 2


async def test_what_moves_to_another_day_is_found_there_alone(store: Store, keyring: Keyring) -> None:
    desk = await opened(store, keyring)
    later = VISIT.start + timedelta(days=9)
    await desk.see(BillingAppointmentObserved(appointment=replace(VISIT, start=later)))
    await bill(desk, replace(GOOD_BILL, service_day=SERVICE + timedelta(days=9)))
    assert await who(store, keyring, days.APPOINTMENTS, DAY) == []
    assert await who(store, keyring, days.APPOINTMENTS, later.date()) == [ADA_KEY]
    assert await who(store, keyring, days.BILLS, SERVICE + timedelta(days=9)) == [ADA_KEY]
    await desk.see(BillingAppointmentVanished(key=VISIT.key, patient=VISIT.patient))
    assert await verify(store, Replay(PRACTICE)) == []


async def test_a_bill_without_a_day_is_found_on_the_day_on_which_it_was_seen(store: Store, keyring: Keyring) -> None:
    desk = await opened(store, keyring)
    await bill(desk, replace(GOOD_BILL, id=4002, service_day=None))
    assert await who(store, keyring, days.BILLS, desk.now.date()) == [ADA_KEY]


async def test_the_table_is_compared_and_rebuilt(store: Store, keyring: Keyring) -> None:
    desk = await opened(store, keyring)
    kept = await days.stored(store.pool, PRACTICE)
    assert await verify(store, Replay(PRACTICE)) == []
    await store.pool.execute("DELETE FROM chartwire.patient_day WHERE patient_key <> ''")
    (found,) = await verify(store, Replay(PRACTICE))
    assert (found.table, found.patient) == ("patient_day", ADA_KEY)
    await rebuild(store, POLICY, desk.now)
    assert await days.stored(store.pool, PRACTICE) == kept
    assert await verify(store, Replay(PRACTICE)) == []


async def test_whom_an_older_worker_has_saved_is_opened_for_every_day_until_the_table_is_filled(
    store: Store, keyring: Keyring
) -> None:
    desk = await opened(store, keyring)
    kept = await days.stored(store.pool, PRACTICE)
    await store.pool.execute("DELETE FROM chartwire.patient_day WHERE patient_key <> ''")
    await desk.see(BillingChartObserved(chart=replace(ADA_THERE, id=BillingPatientId(951), last_name="Third")))
    await save_as_an_older_worker(store, ADA_KEY)
    for kind, day in ((days.APPOINTMENTS, DAY), (days.BILLS, SERVICE), (days.BILLS, SERVICE + timedelta(days=77))):
        assert await who(store, keyring, kind, day) == [ADA_KEY]
    assert await verify(store, Replay(PRACTICE)) == []
    later = await desk.successor()
    await later.see(BillingChartObserved(chart=replace(ADA_THERE, id=BillingPatientId(952), last_name="Fourth")))
    assert await days.stored(store.pool, PRACTICE) == kept
    assert await who(store, keyring, days.BILLS, SERVICE + timedelta(days=77)) == []
    await later.sound()


async def test_who_is_at_work_while_the_formats_are_finished_fills_the_table_anew(
    store: Store, keyring: Keyring, owner: Any, folder: Path
) -> None:
    """The practice gets data keys then, and what its days are hashed with becomes another secret."""
    desk = await opened(store, keyring)
    kept = await days.stored(store.pool, PRACTICE)
    await finished(owner, folder)
    await store.load_keys()
    assert await who(store, keyring, days.APPOINTMENTS, DAY) == [ADA_KEY, "K:950"], "meanwhile everybody is opened"
    assert await verify(store, Replay(PRACTICE)) == []
    await desk.see(BillingChartObserved(chart=replace(ADA_THERE, id=BillingPatientId(953), last_name="Fifth")))
    assert len(again := await days.stored(store.pool, PRACTICE)) == len(kept)
    assert not {day for day, _ in again} & {day for day, _ in kept}
    assert await who(store, keyring, days.APPOINTMENTS, DAY) == [ADA_KEY]
    assert await who(store, keyring, days.APPOINTMENTS, DAY + timedelta(days=77)) == []
    await desk.sound()
