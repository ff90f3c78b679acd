"""Bookings in a sink: last in priority, one call at a time, and stopped where the account creates none (EHR_LED, sections 4, 6, 7)."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from daemon.history.invariants import audit
from daemon.runtime.circuit import looks_for
from daemon.runtime.holds import Holds
from daemon.runtime.lanes import Lane, Turns
from daemon.runtime.pace import Pace
from daemon.runtime.sink import Sink
from daemon.vendors.ports.errors import NotForAccount, OutcomeUnknown, Unreachable
from events.bookings import (
    BookingTerms,
    CreateBillingAppointment,
    DeleteBillingAppointment,
    EhrAppointmentObserved,
    UpdateBillingAppointment,
)
from events.codec import Keyring
from events.commands import ReleaseRequested
from events.holds import HoldBegan, HoldEnded, hold_slot
from events.ids import BillingPatientId, EhrChartId, IntentId, PatientKey
from events.records import BillingChart, EhrChart
from events.schema import EhrChartObserved, IntentSucceeded
from events.slots import SlotKind, slot_of
from events.store import Store
from events.writes import AnyWrite, BillingChartWritten, Done, RecordCreated, Resource, System, UpdateBillingChart
from projections.rules.holds import creation_rules, is_outdated
from projections.state.open_intents import OpenIntent
from projections.terms.policy import EHR_LED, Direction
from tests.conftest import PRACTICE, at_work, until
from tests.integration.recorder_driver import POLICY, RecorderDriver, hinted
from tests.integration.sink_driver import PACE, ScriptedWriter
from tests.unit.records import ADA, ADA_THERE
from tests.unit.stories import IN_CALENDAR

ON = {**EHR_LED, Resource.APPOINTMENT: Direction.TO_BILLING}
STOP = NotForAccount("kareo.CreateAppointment", vendor_text="ProviderGuids")
HOLD = hold_slot(Resource.APPOINTMENT, System.BILLING)
LOST = OutcomeUnknown("kareo.CreateAppointment")


class BillingSink:
    """A sink for the billing side of a practice with the extension on, its writer answering as a test says."""

    def __init__(self, source: RecorderDriver) -> None:
        self.source = source
        self.writer = ScriptedWriter(lambda: source.now)
        source.recorder.policy = replace(POLICY, table=ON)
        self.sink = Sink(
            System.BILLING,
            self.writer,
            source.recorder,
            workers=3,
            pace=PACE,
            now=lambda: source.now,
            meter=source.meter,
        )
        source.listeners.append(self.sink.offer)

    async def enter(self, *ids: int, patient: int = 0, start: datetime | None = None) -> None:
        """Appointments of a patient in the chart side's calendar, a week apart."""
        first = start or IN_CALENDAR.start
        bodies = [
            EhrAppointmentObserved(
                appointment=replace(
                    IN_CALENDAR, id=id_, patient=EhrChartId(ADA.id + patient), start=first + timedelta(weeks=at)
                )
            )
            for at, id_ in enumerate(ids)
        ]
        changes = []
        for body in bodies:
            change = self.source.change(body)
            changes.append(replace(change, event=replace(change.event, ehr=body.appointment.patient)))
        await self.source.recorder.record_messages(changes)

    def at_work(self) -> AbstractAsyncContextManager[None]:
        return at_work(self.sink.run())

    async def sound(self) -> None:
        assert (await audit(self.source.store, self.source.recorder.policy)).broken == {}

    async def finish(self) -> None:
        async with self.at_work():
            await until(lambda: self.sink.idle)

    def asked(self, kind: type[AnyWrite], what: str = "carry out") -> list[AnyWrite]:
        return [write for did, write in self.writer.asked if did == what and isinstance(write, kind)]


def pair(number: int) -> tuple[EhrChart, BillingChart]:
    """Both charts of one of the fixture's patients."""
    there = replace(ADA_THERE, id=BillingPatientId(ADA_THERE.id + number), last_name=f"Byron{'abcdefghijklm'[number]}")
    return replace(hinted(ADA, there), id=EhrChartId(ADA.id + number), last_name=there.last_name), there


@pytest.fixture
async def billing(store: Store, keyring: Keyring) -> BillingSink:
    source = RecorderDriver(store, keyring, await store.take_over(PRACTICE))
    driver = BillingSink(source)
    await source.open()
    for number in range(4):
        await source.link(*pair(number))
    return driver


async def test_a_series_of_52_is_52_creations_each_once_in_order_of_time(billing: BillingSink) -> None:
    await billing.enter(*range(62000, 62052))
    await billing.finish()
    created = billing.asked(CreateBillingAppointment)
    assert len(created) == 52
    assert [one.terms.start for one in created] == sorted(one.terms.start for one in created)
    await billing.enter(*range(62000, 62052))
    await billing.finish()
    assert len(billing.asked(CreateBillingAppointment)) == 52
    await billing.sound()


async def test_as_many_series_as_workers_delay_another_patients_write_by_one_call_each_at_most(billing: BillingSink) -> None:
    """Without a lane for what can wait every worker is at a series till its end, and a fourth patient waits for one."""
    order: list[object] = []
    inside, most = 0, 0

    async def one_call(write: AnyWrite) -> object:
        nonlocal inside, most
        order.append(write.patient)
        inside, most = inside + 1, max(most, inside + 1)
        if len(order) == 5:
            await billing.enter(70001, patient=3, start=IN_CALENDAR.start + timedelta(days=300))
        inside -= 1
        return RecordCreated(id=90_000 + len(order))

    billing.writer.answers = [one_call] * 60  # type: ignore[list-item]
    for patient in range(3):
        await billing.enter(*range(62000 + 100 * patient, 62012 + 100 * patient), patient=patient)
    await billing.finish()
    assert len(order) == 37
    assert order.index(BillingPatientId(ADA_THERE.id + 3)) <= 6
    assert most == 1, "the fifth call records meanwhile, and no other begins"


async def test_more_series_than_workers_delay_an_edit_and_an_appointment_of_others_by_one_call_at_most(
    billing: BillingSink,
) -> None:
    """Nine patients' series wait. While a call of theirs is under way, a chart is edited and one appointment is entered."""
    for number in range(4, 11):
        await billing.source.link(*pair(number))
    (chart, there), single = pair(9), BillingPatientId(ADA_THERE.id + 10)
    order: list[AnyWrite] = []

    async def one_call(write: AnyWrite) -> object:
        order.append(write)
        if len(order) == 5:
            await billing.source.see(EhrChartObserved(chart=replace(chart, city="Macon")))
            await billing.enter(70001, patient=10, start=IN_CALENDAR.start + timedelta(days=300))
        if isinstance(write, UpdateBillingChart):
            return BillingChartWritten(chart=replace(there, city="Macon"), read_at=billing.source.now)
        return RecordCreated(id=90_000 + len(order))

    billing.writer.answers = [one_call] * 120  # type: ignore[list-item]
    for patient in range(9):
        await billing.enter(*range(62000 + 100 * patient, 62012 + 100 * patient), patient=patient)
    await billing.finish()
    after = order[5:]
    edit = next(at for at, one in enumerate(after) if isinstance(one, UpdateBillingChart))
    own = next(at for at, one in enumerate(after) if isinstance(one, CreateBillingAppointment) and one.patient == single)
    series = [isinstance(one, CreateBillingAppointment) and one.patient != single for one in after]
    assert sum(series[:edit]) <= 1
    assert sum(series[:own]) <= 1
    assert sum(series) == 9 * 12 - 5
    await billing.sound()


async def test_two_series_do_not_starve_a_single_appointment(billing: BillingSink) -> None:
    order: list[object] = []

    async def one_call(write: AnyWrite) -> object:
        order.append(write.patient)
        if len(order) == 3:
            await billing.enter(70001, patient=2)
        return RecordCreated(id=90_000 + len(order))

    billing.writer.answers = [one_call] * 60  # type: ignore[list-item]
    await billing.enter(*range(62000, 62020))
    await billing.enter(*range(63000, 63020), patient=1)
    await billing.finish()
    assert order.index(BillingPatientId(ADA_THERE.id + 2)) <= 4


async def test_what_pauses_lets_the_others_go_on(billing: BillingSink) -> None:
    """A booking that is tried again and again holds up nobody's but its own."""
    away = True

    async def one_call(write: AnyWrite) -> object:
        if away and write.patient == ADA_THERE.id:
            raise Unreachable("kareo.CreateAppointment")
        return RecordCreated(id=90_000 + len(billing.writer.asked))

    billing.writer.answers = [one_call] * 500  # type: ignore[list-item]
    await billing.enter(61001)
    async with billing.at_work():
        await until(lambda: len(billing.writer.asked) > 2)
        await billing.enter(70001, patient=1)
        other = PatientKey(f"K:{ADA_THERE.id + 1}")
        await until(lambda: any(one.patient != ADA_THERE.id for one in billing.asked(CreateBillingAppointment)))
        away = False
        await until(lambda: billing.sink.idle)
    assert (await billing.source.patient(other)).bookings["70001"].billing is not None
    assert (await billing.source.patient()).bookings["61001"].billing is not None


# -- lost answers ---------------------------------------------------------------------------------------------------------


async def test_a_lost_creation_is_looked_for_until_the_list_must_show_it(billing: BillingSink) -> None:
    """Section 7: look again after 30 s and 120 s, then create once more."""
    billing.writer.answers = [LOST]
    await billing.enter(61001)
    await billing.finish()
    assert billing.writer.did == ["carry out", *["look up"] * len(looks_for(create(), PACE)), "carry out"]
    assert looks_for(create(), Pace(lookups=(1.0, 15.0))) == (1.0, 15.0, 30.0, 120.0)
    assert looks_for(DeleteBillingAppointment(appointment=1), Pace(lookups=(1.0, 15.0))) == (1.0, 15.0)


async def test_a_lost_creation_that_is_found_is_made_no_second_time(billing: BillingSink) -> None:
    billing.writer.answers, billing.writer.found = [LOST], [None, RecordCreated(id=9001)]
    await billing.enter(61001)
    await billing.finish()
    assert len(billing.asked(CreateBillingAppointment)) == 1
    (done,) = [one for one in await billing.source.bodies() if isinstance(one, IntentSucceeded)]
    assert (done.result, done.settled_by) == (RecordCreated(id=9001), "lookup")


# -- the circuit ----------------------------------------------------------------------------------------------------------


async def test_where_the_account_creates_none_one_call_tells_and_everybody_waits(billing: BillingSink) -> None:
    """Section 4: stop creating for that practice, do not retry; a clear item that says what to do."""
    billing.writer.answers = [STOP]
    await billing.enter(*range(62000, 62010))
    await billing.enter(63001, patient=1)
    await billing.finish()
    assert len(billing.asked(CreateBillingAppointment)) == 1
    assert await billing.source.waiting() == {HOLD: "on-hold"}
    (held,) = [one for one in await billing.source.bodies() if isinstance(one, HoldBegan)]
    assert "then release this" in held.text
    assert held.reason == "it says: ProviderGuids"
    await billing.sound()


async def test_released_by_a_person_they_all_go_out(billing: BillingSink) -> None:
    billing.writer.answers = [STOP]
    await billing.enter(*range(62000, 62010))
    await billing.finish()
    await billing.source.see(ReleaseRequested(slot=HOLD, who="ann"))
    billing.sink.offer(await billing.source.recorder.load_open(), resume=True)
    await billing.finish()
    assert len(billing.asked(CreateBillingAppointment)) == 11
    assert await billing.source.waiting() == {}


async def test_released_too_early_it_stops_again_after_one_call(billing: BillingSink) -> None:
    billing.writer.answers = [STOP, STOP]
    await billing.enter(*range(62000, 62010))
    await billing.finish()
    await billing.source.see(ReleaseRequested(slot=HOLD, who="ann"))
    billing.sink.offer(await billing.source.recorder.load_open(), resume=True)
    await billing.finish()
    assert len(billing.asked(CreateBillingAppointment)) == 2
    assert await billing.source.waiting() == {HOLD: "on-hold"}


async def test_another_configuration_ends_it(billing: BillingSink) -> None:
    billing.writer.answers = [STOP]
    await billing.enter(61001)
    await billing.finish()
    recorder = billing.source.recorder
    directory = (await recorder.load_open()).directory
    assert directory is not None
    (held,) = directory.holds.values()
    assert not is_outdated(held, recorder.policy)
    assert held.rules == creation_rules(recorder.policy)
    recorder.policy = replace(recorder.policy, providers={11: 501})
    holds = Holds(recorder, lambda: billing.source.now)
    holds.note(directory)
    billing.source.listeners.append(lambda recording: holds.note(recording.directory))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(holds.run())
        await until(lambda: any(isinstance(one, HoldEnded) for one in recorded(billing)))
        task.cancel()
    assert await billing.source.waiting() == {}


async def test_what_is_booked_already_is_changed_all_the_same(billing: BillingSink) -> None:
    """Only creations are stopped."""
    await billing.enter(61001)
    await billing.finish()
    billing.writer.answers = [STOP]
    await billing.enter(61002)
    await billing.finish()
    billing.writer.answers = [Done()]
    await billing.enter(61001, start=IN_CALENDAR.start + timedelta(hours=1))
    await billing.finish()
    assert len(billing.asked(UpdateBillingAppointment)) == 1


def recorded(billing: BillingSink) -> list[object]:
    return [one.event.body for outcome in billing.source.outcomes for one in outcome.recorded]


# -- lanes ----------------------------------------------------------------------------------------------------------------


def create(start: datetime = IN_CALENDAR.start) -> CreateBillingAppointment:
    terms = BookingTerms(start=start, minutes=20, provider=1, location=2)
    return CreateBillingAppointment(patient=ADA_THERE.id, terms=terms)


def job(write: AnyWrite) -> OpenIntent:
    return OpenIntent(
        intent=IntentId(repr(write)), system=System.BILLING, resource=Resource.APPOINTMENT, write=write, rule="r"
    )


def test_in_a_lane_bookings_come_last_and_the_soonest_first() -> None:
    late, soon = create(IN_CALENDAR.start + timedelta(days=9)), create()
    edit = UpdateBillingChart(patient=ADA_THERE.id, fields={"city": "Macon"})
    lane = Lane(jobs={slot_of(SlotKind.BOOKING, at): job(one) for at, one in enumerate((late, soon, edit))})
    assert not lane.waits
    assert [lane.take()[1].write for _ in range(3)] == [edit, soon, late]


async def test_of_lanes_that_wait_the_one_with_the_least_goes_first() -> None:
    turns = Turns()
    lanes = {PatientKey(f"K:{size}"): Lane(jobs={str(at): job(create()) for at in range(size)}) for size in (5, 1, 3)}
    for key, lane in lanes.items():
        turns.put(key, lane)
    assert [turns.take_waiting() for _ in range(4)] == ["K:1", "K:3", "K:5", None]
