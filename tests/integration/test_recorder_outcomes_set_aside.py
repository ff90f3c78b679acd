"""An outcome that cannot be folded is set aside and shown, and the practice goes on."""

from __future__ import annotations

from datetime import date

import pytest
import pytest_asyncio
from msgspec.structs import replace

from daemon.tables import rows
from events.codec import Keyring
from events.commands import RedriveRequested
from events.ids import event_id
from events.records import BillingPolicy
from events.schema import BillingChartObserved, ChangeQuarantined, Event, IntentSucceeded, Origin
from events.store import Store
from events.topics import Change
from events.writes import EhrChartWritten
from projections.rules.insurance import next_revisit
from projections.state.patient import BillingSide
from tests.conftest import PRACTICE
from tests.integration.recorder_driver import hinted, insured
from tests.integration.sink_driver import SLOT, SinkDriver, opened
from tests.unit.records import ADA, ADA_THERE


@pytest_asyncio.fixture
async def driver(store: Store, keyring: Keyring) -> SinkDriver:
    return await opened(store, keyring, patients=2)


class Defect:
    """While it lasts, no document of Ada's can be made once her chart in Elation shows that she moved to Macon."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lasts = True
        made = rows.patient_row

        def broken(patient: object, sequence: int, today: date) -> object:
            side = patient.ehr  # type: ignore[attr-defined]
            if self.lasts and side is not None and (side.chart.id, side.chart.city) == (ADA.id, "Macon"):
                raise OverflowError("a patient's own words")
            return made(patient, sequence, today)  # type: ignore[arg-type]

        monkeypatch.setattr(rows, "patient_row", broken)


async def moved(driver: SinkDriver) -> str:
    """Ada moves; what comes of it cannot be folded. Returns the slot in which it waits."""
    await driver.move_to("Macon")
    intent = (await driver.source.intents())[SLOT].intent
    await driver.finish()
    return f"quarantine:elation:IntentSucceeded:{intent}"


async def test_it_is_shown_and_the_others_are_served(driver: SinkDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    Defect(monkeypatch)
    slot = await moved(driver)
    assert await driver.source.waiting() == {slot: "quarantined"}
    (aside,) = await driver.recorded(ChangeQuarantined)
    assert "own words" not in str(aside)
    assert (await driver.source.intents())[SLOT].state == "unknown"
    await driver.move_to("Savannah", 1)
    await driver.finish()
    assert len(await driver.recorded(IntentSucceeded)) == 1, "the other patient's"
    assert driver.writer.did == ["carry out"] * 2, "nothing is written twice"


async def test_the_next_owner_looks_and_it_waits_no_longer(driver: SinkDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    defect = Defect(monkeypatch)
    await moved(driver)
    defect.lasts = False
    successor = SinkDriver(await driver.source.successor())
    successor.sink.offer(await successor.source.recorder.load_open(), resume=True)
    successor.writer.found = [
        EhrChartWritten(chart=replace(hinted(ADA, ADA_THERE), city="Macon"), read_at=driver.source.now)
    ]
    await successor.finish()
    assert successor.writer.did == ["look up"]
    assert await successor.source.waiting() == {}
    assert (await successor.source.patient()).intents == {}
    await successor.source.sound()


async def test_a_person_may_have_it_tried_again(driver: SinkDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    defect = Defect(monkeypatch)
    slot = await moved(driver)
    defect.lasts = False
    body = RedriveRequested(slot=slot, who="ada")
    command = Event(
        id=event_id(PRACTICE, "redrive"), practice=PRACTICE, origin=Origin.OPERATOR, observed=driver.source.now, body=body
    )
    await driver.source.recorder.record_messages([Change(practice=PRACTICE, event=command)])
    assert await driver.source.waiting() == {}
    patient = await driver.source.patient()
    assert patient.intents == {}
    assert patient.base["city"] == "Macon"
    await driver.source.sound()


async def test_a_policy_without_an_end_overflows_nothing(driver: SinkDriver) -> None:
    """The finding itself: 12/31/9999, then any edit of the chart."""
    policy = BillingPolicy(id=81, end=date(9999, 12, 31))
    chart = insured(policy)
    assert next_revisit(BillingSide(chart=chart, read_at=driver.source.now), date(2026, 3, 2)) is None
    await driver.source.see(BillingChartObserved(chart=chart))
    await driver.source.see(BillingChartObserved(chart=replace(insured(policy), city="Macon")))
    await driver.finish()
    assert await driver.recorded(ChangeQuarantined) == []
    await driver.source.sound()
