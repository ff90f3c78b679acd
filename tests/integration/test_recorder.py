"""The recorder on a real PostgreSQL: one transaction or nothing, each change once, one writer, and nobody's turn forgotten."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from msgspec.structs import replace

from daemon.tables import documents as tables
from daemon.tables import observed as kept_rows
from events.codec import Keyring
from events.ids import BillingPatientId, PatientKey, event_id
from events.records import BillingChart
from events.schema import (
    BillingAppointmentObserved,
    BillingChartObserved,
    BillingDirectoryObserved,
    ChangeQuarantined,
    ChartLinked,
    EhrChartObserved,
    Origin,
    RevisitDue,
)
from events.store import Fenced, Store
from events.topics import Change, Checkpoint, Note
from events.writes import (
    BillingChartWritten,
    CreateCarrier,
    CreateEhrAppointment,
    CreatePlan,
    PoliciesWritten,
    RecordCreated,
    SyncPolicies,
    System,
    UpdateEhrChart,
)
from tests.conftest import OTHER, PRACTICE
from tests.integration.recorder_driver import (
    LOCUM,
    NOON,
    VISIT,
    Crash,
    RecorderDriver,
    elation_directory,
    everything,
    hinted,
    insured,
)
from tests.unit.records import ADA, ADA_KEY, ADA_THERE, BLUE, BLUE_CARRIER, BLUE_PLAN, PHYSICIANS, PROVIDERS


@pytest_asyncio.fixture
async def driver(store: Store, keyring: Keyring) -> RecorderDriver:
    return RecorderDriver(store, keyring, await store.take_over(PRACTICE))


# -- once, and whole --------------------------------------------------------------------------------------------------


async def test_the_same_batch_again_changes_nothing(driver: RecorderDriver) -> None:
    note = Note(system=System.BILLING, resource="patients", record="901", content_hash="ab", parent="901")
    batch = [
        driver.change(elation_directory()),
        driver.change(BillingDirectoryObserved(providers=PROVIDERS)),
        driver.change(BillingChartObserved(chart=ADA_THERE), notes=[note]),
        driver.change(EhrChartObserved(chart=ADA)),
        Checkpoint(practice=PRACTICE, source="kareo.patients", value="then"),
    ]
    await driver.recorder.record_messages(batch)
    before = await everything(driver.store)
    assert before["open_intent"]
    assert before["observed"]
    for again in (batch, batch[2:3], [*batch, *batch]):
        await driver.recorder.record_messages(again)
        assert await everything(driver.store) == before
    await (await driver.successor()).recorder.record_messages(batch)
    assert await everything(driver.store) == before
    await driver.sound()


@pytest.mark.parametrize("read", [0.0, 0.4], ids=["by another webhook", "by reading, or by a write of ours"])
async def test_of_two_saves_within_one_second_nothing_is_believed_until_the_record_is_read(
    driver: RecorderDriver, read: float
) -> None:
    """The later webhook may be of the earlier save, and the other way round; what it says must not be what the next poll
    compares with."""
    note = Note(system=System.EHR, resource="patients", record=str(ADA.id), content_hash="first", parent=str(ADA.id))
    first = driver.change(EhrChartObserved(chart=ADA), notes=[note])
    other = replace(ADA, city="Macon")
    assert first.event is not None
    saved = first.event.observed
    first = replace(first, event=replace(first.event, modified=saved, observed=saved + timedelta(seconds=read)))
    assert first.event is not None
    tie = replace(first.event, body=EhrChartObserved(chart=other), id=event_id(PRACTICE, "tie"), observed=saved)
    await driver.recorder.record_messages([first])
    assert driver.outcomes[-1].reread == set()
    later = replace(first, event=tie, notes=(replace(note, content_hash="second"),))
    await driver.recorder.record_messages([later])
    assert driver.outcomes[-1].reread == {("patients", str(ADA.id))}
    for again in (later, first):
        await driver.recorder.record_messages([again])
    (kept,) = (
        await kept_rows.lookup_observed(driver.store.pool, PRACTICE, System.EHR, [("patients", str(ADA.id))])
    ).values()
    assert kept.content_hash == "", "whatever is read next is published"
    patient = await driver.patient(PatientKey(f"E:{ADA.id}"))
    assert patient.ehr is not None
    assert patient.ehr.chart == ADA
    await driver.see(EhrChartObserved(chart=other))
    patient = await driver.patient(PatientKey(f"E:{ADA.id}"))
    assert patient.ehr is not None
    assert patient.ehr.chart == other
    await driver.sound()


async def test_a_change_that_is_twice_in_one_batch_counts_once(driver: RecorderDriver) -> None:
    change = driver.change(BillingChartObserved(chart=ADA_THERE))
    await driver.recorder.record_messages([change, change])
    assert sum(isinstance(body, BillingChartObserved) for body in await driver.bodies()) == 1


@pytest.mark.parametrize("table", ["event", "patient", "chart", "link", "open_intent", "waiting", "dependency"])
async def test_all_of_it_or_nothing(driver: RecorderDriver, owner_dsn: str, table: str) -> None:
    """Events, projections and intents are one transaction: wherever it breaks, nothing has happened, and it works later."""
    await driver.open()
    await driver.see(
        BillingAppointmentObserved(appointment=VISIT), BillingChartObserved(chart=replace(ADA_THERE, city="Macon"))
    )
    before = await everything(driver.store)
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute(
        "CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full', MESSAGE = 'no'; END $$"
    )
    await owner.execute(f"CREATE TRIGGER stumble BEFORE INSERT ON chartwire.{table} FOR EACH ROW EXECUTE FUNCTION stumble()")
    seen = EhrChartObserved(chart=hinted(ADA, ADA_THERE))

    async def record() -> None:
        await driver.recorder.record_bodies([seen], ehr=ADA.id, billing=None, cause=None, origin=Origin.EHR)

    with pytest.raises(asyncpg.DiskFullError):
        await record()
    assert await everything(driver.store) == before
    await owner.execute(f"DROP TRIGGER stumble ON chartwire.{table}")
    await owner.close()
    await record()
    assert await tables.links(driver.store.pool, PRACTICE) == [(ADA.id, ADA_THERE.id)]
    assert isinstance((await driver.intents())["demographics:elation"].write, UpdateEhrChart)
    await driver.sound()


async def test_notes_and_checkpoints_are_recorded_with_their_batch(driver: RecorderDriver) -> None:
    notes = [
        Note(system=System.BILLING, resource="patients", record="901", content_hash=hash_, parent="901")
        for hash_ in ("a", "b")
    ]
    batch: list[Change | Checkpoint] = [
        driver.change(BillingChartObserved(chart=ADA_THERE), notes=notes[:1]),
        Change(practice=PRACTICE, notes=(notes[1],)),
        Checkpoint(practice=PRACTICE, source="kareo.patients", value="first"),
        Checkpoint(practice=PRACTICE, source="kareo.patients", value="second"),
    ]
    await driver.recorder.record_messages(batch)
    assert await kept_rows.get_checkpoint(driver.store.pool, PRACTICE, "kareo.patients") == "second"
    assert await kept_rows.observed_records(driver.store.pool, PRACTICE, System.BILLING, "patients") == [("901", "b", "901")]
    assert await kept_rows.get_checkpoint(driver.store.pool, OTHER, "kareo.patients") is None


# -- one writer -------------------------------------------------------------------------------------------------------


async def test_what_a_sink_saw_of_a_kareo_patient_outdates_the_list_row_compared_last(driver: RecorderDriver) -> None:
    """A policy may end before any list shows it, and the list looks as it did before (seed 3893)."""
    record = str(ADA_THERE.id)
    row = Note(system=System.BILLING, resource="patients.row", record=record, content_hash="row")
    await driver.open()
    await driver.link()
    await driver.recorder.record_messages([driver.change(BillingChartObserved(chart=ADA_THERE), notes=[row])])
    await driver.see(EhrChartObserved(chart=replace(hinted(ADA, ADA_THERE), city="Macon")))

    async def compared() -> list[str]:
        kept = await kept_rows.lookup_observed(driver.store.pool, PRACTICE, System.BILLING, [("patients.row", record)])
        return [one.content_hash for one in kept.values()]

    assert await compared() == ["row"]
    await driver.succeed(
        "demographics:kareo", BillingChartWritten(chart=replace(ADA_THERE, city="Macon"), read_at=driver.now)
    )
    assert await compared() == [""]


async def test_who_was_overtaken_writes_nothing_any_more(driver: RecorderDriver) -> None:
    await driver.open()
    successor = await driver.successor()
    before = await everything(driver.store)
    seen = BillingChartObserved(chart=ADA_THERE)
    with pytest.raises(Fenced):
        await driver.see(seen)
    with pytest.raises(Fenced):
        await driver.recorder.record_messages([Checkpoint(practice=PRACTICE, source="kareo.patients", value="late")])
    with pytest.raises(Fenced):
        await driver.recorder.record_bodies([seen], ehr=None, billing=ADA_THERE.id, cause=None)
    with pytest.raises(Fenced):
        await driver.recorder.revisit("late")
    with pytest.raises(Fenced):
        await driver.recorder.load_open()
    assert await everything(driver.store) == before
    await successor.see(seen)
    assert (await successor.patient()).billing is not None


async def test_with_a_condition_the_projections_are_asked_first(driver: RecorderDriver) -> None:
    await driver.open()
    await driver.link()
    before = await everything(driver.store)
    asked: list[tuple[PatientKey, bool]] = []

    async def record(answer: bool) -> bool:
        def only_if(state: Any, key: PatientKey) -> bool:
            asked.append((key, key in state.patients))
            return answer

        return await driver.recorder.record_bodies(
            [EhrChartObserved(chart=replace(hinted(ADA, ADA_THERE), city="Macon"))],
            ehr=ADA.id,
            billing=None,
            cause=None,
            origin=Origin.EHR,
            only_if=only_if,
        )

    assert not await record(answer=False)
    assert await everything(driver.store) == before
    assert await record(answer=True)
    assert asked == [(ADA_KEY, True)] * 2, "the chart is known to be this patient's"
    after = await everything(driver.store)
    assert await record(answer=True), "recorded by the first try, whose answer may have been lost"
    assert await everything(driver.store) == after


async def test_a_second_link_of_a_chart_is_refused_whole_and_shows(driver: RecorderDriver) -> None:
    """I1, if ever a defect should come so far: the database says no, the change waits, and the others go on."""
    await driver.open()
    await tables.replace_links(driver.store.pool, PRACTICE, [(ADA.id, 999)])
    bob = BillingChart(id=BillingPatientId(902), first_name="Bob", last_name="Boole")
    batch = [
        driver.change(BillingChartObserved(chart=ADA_THERE)),
        driver.change(EhrChartObserved(chart=hinted(ADA, ADA_THERE))),
        driver.change(BillingChartObserved(chart=bob)),
    ]
    await driver.recorder.record_messages(batch)
    assert await tables.links(driver.store.pool, PRACTICE) == [(ADA.id, 999)]
    bodies = await driver.bodies()
    assert not any(isinstance(body, ChartLinked | EhrChartObserved) for body in bodies)
    assert [body.reason for body in bodies if isinstance(body, ChangeQuarantined)] == [
        "cannot be folded (LinkTaken); report it"
    ]
    assert "quarantined" in (await driver.waiting()).values()
    assert (await driver.patient(PatientKey("K:902"))).billing is not None


# -- looking again ----------------------------------------------------------------------------------------------------


async def test_an_appointment_goes_out_once_its_provider_has_a_calendar(driver: RecorderDriver) -> None:
    await driver.open()
    await driver.link()
    await driver.see(BillingAppointmentObserved(appointment=VISIT))
    assert "appointment:61" not in await driver.intents()
    assert "appointment:61" in (await driver.patient()).waiting
    await driver.see(elation_directory(physicians=(*PHYSICIANS, LOCUM)))
    write = (await driver.intents())["appointment:61"].write
    assert isinstance(write, CreateEhrAppointment)
    assert write.terms.physician == LOCUM.id
    assert (await driver.patient()).waiting == {}
    assert any(isinstance(body, RevisitDue) for body in await driver.bodies())
    await driver.sound()


async def test_a_directory_that_brings_nothing_wakes_nobody(driver: RecorderDriver) -> None:
    await driver.open()
    await driver.link()
    await driver.see(BillingAppointmentObserved(appointment=VISIT))
    await driver.see(elation_directory(carriers=(BLUE_CARRIER,)))
    assert not any(isinstance(body, RevisitDue) for body in await driver.bodies())
    assert await driver.recorder.revisit("again") == 0


async def test_insurance_goes_out_once_carrier_and_plan_are_there(driver: RecorderDriver) -> None:
    await driver.open()
    await driver.link(there=insured(BLUE))
    (carrier,) = (await driver.intents(PatientKey(""))).items()
    assert isinstance(carrier[1].write, CreateCarrier)
    await driver.succeed(carrier[0], RecordCreated(id=BLUE_CARRIER.id), PatientKey(""))
    (plan,) = (await driver.intents(PatientKey(""))).items()
    assert isinstance(plan[1].write, CreatePlan)
    await driver.succeed(plan[0], RecordCreated(id=BLUE_PLAN.id), PatientKey(""))
    write = (await driver.intents())["policies"].write
    assert isinstance(write, SyncPolicies)
    assert [(one.carrier_id, one.plan_id) for one in write.terms] == [(BLUE_CARRIER.id, BLUE_PLAN.id)]
    await driver.sound()


async def test_whoever_waited_is_looked_at_also_after_a_crash_in_between(driver: RecorderDriver) -> None:
    """The carrier is recorded as created, and before the patients that wait for it are decided about, the process ends."""
    await driver.open()
    await driver.link(there=insured(BLUE))
    ((slot, _),) = (await driver.intents(PatientKey(""))).items()
    with pytest.raises(Crash):
        await driver.succeed(slot, RecordCreated(id=BLUE_CARRIER.id), PatientKey(""), crash=True)
    successor = await driver.successor()
    assert await successor.intents(PatientKey("")) == {}
    while await successor.recorder.revisit("what it waited for has come"):
        pass
    ((_, plan),) = (await successor.intents(PatientKey(""))).items()
    assert isinstance(plan.write, CreatePlan)
    await successor.sound()


async def test_a_policy_is_removed_when_its_last_day_has_passed(driver: RecorderDriver) -> None:
    await driver.open(carriers=(BLUE_CARRIER,), plans=(BLUE_PLAN,))
    last_day = NOON.date() + timedelta(days=1)
    await driver.link(there=insured(replace(BLUE, end=last_day)))
    await driver.succeed("policies", PoliciesWritten(known={"3001": 9001}))
    assert "policies" not in await driver.intents()
    assert await driver.recorder.revisit("nobody is due") == 0
    driver.now += timedelta(days=1)
    assert driver.now.date() == last_day
    await driver.recorder.revisit("a policy ended")
    assert "policies" not in await driver.intents(), "it is in force on its last day"
    driver.now += timedelta(days=1)
    assert await driver.recorder.revisit("a policy ended") == 1
    write = (await driver.intents())["policies"].write
    assert isinstance(write, SyncPolicies)
    assert (write.terms, write.remove) == ((), (9001,))
    assert await driver.recorder.revisit("a policy ended") == 0, "once"
    await driver.sound()


async def test_the_day_is_the_practices_own(driver: RecorderDriver) -> None:
    """23:30 in New York is the next day in UTC: the policy is still in force."""
    driver.now = datetime(2026, 3, 3, 4, 0, tzinfo=UTC)
    await driver.open(carriers=(BLUE_CARRIER,), plans=(BLUE_PLAN,))
    await driver.link(there=insured(replace(BLUE, end=date(2026, 3, 2))))
    assert "policies" in await driver.intents()


async def test_what_the_sinks_start_from_after_a_take_over(driver: RecorderDriver) -> None:
    await driver.open()
    await driver.link()
    await driver.see(EhrChartObserved(chart=replace(hinted(ADA, ADA_THERE), city="Macon")))
    outcome = await (await driver.successor()).recorder.load_open()
    assert list(outcome.patients) == [ADA_KEY]
    assert list(outcome.patients[ADA_KEY].intents) == ["demographics:kareo"]
    assert outcome.directory is not None
