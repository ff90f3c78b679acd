"""FINDINGS A7: an outcome that cannot be folded is set aside and shown, and the practice goes on."""

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
from projections.rules.insurance import next_expiry
from projections.state.patient import BillingSide
from tests.conftest import PRACTICE
from tests.integration.desk import hinted, insured
from tests.integration.ward import SLOT, Ward, opened
from tests.unit.records import ADA, ADA_THERE


@pytest_asyncio.fixture
async def ward(store: Store, keyring: Keyring) -> Ward:
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


async def moved(ward: Ward) -> str:
    """Ada moves; what comes of it cannot be folded. Returns the slot in which it waits."""
    await ward.move_to("Macon")
    intent = (await ward.desk.intents())[SLOT].intent
    await ward.finish()
    return f"quarantine:elation:IntentSucceeded:{intent}"


async def test_it_is_shown_and_the_others_are_served(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    Defect(monkeypatch)
    slot = await moved(ward)
    assert await ward.desk.waiting() == {slot: "quarantined"}
    (aside,) = await ward.recorded(ChangeQuarantined)
    assert "own words" not in str(aside)
    assert (await ward.desk.intents())[SLOT].state == "unknown"
    await ward.move_to("Savannah", 1)
    await ward.finish()
    assert len(await ward.recorded(IntentSucceeded)) == 1, "the other patient's"
    assert ward.writer.did == ["carry out"] * 2, "nothing is written twice"


async def test_the_next_owner_looks_and_it_waits_no_longer(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    defect = Defect(monkeypatch)
    await moved(ward)
    defect.lasts = False
    successor = Ward(await ward.desk.successor())
    successor.sink.offer(await successor.desk.recorder.load_open(), resume=True)
    successor.writer.found = [EhrChartWritten(chart=replace(hinted(ADA, ADA_THERE), city="Macon"), read_at=ward.desk.now)]
    await successor.finish()
    assert successor.writer.did == ["look up"]
    assert await successor.desk.waiting() == {}
    assert (await successor.desk.patient()).intents == {}
    await successor.desk.sound()


async def test_a_person_may_have_it_tried_again(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    defect = Defect(monkeypatch)
    slot = await moved(ward)
    defect.lasts = False
    body = RedriveRequested(slot=slot, who="ada")
    command = Event(
        id=event_id(PRACTICE, "redrive"), practice=PRACTICE, origin=Origin.OPERATOR, observed=ward.desk.now, body=body
    )
    await ward.desk.recorder.record_messages([Change(practice=PRACTICE, event=command)])
    assert await ward.desk.waiting() == {}
    patient = await ward.desk.patient()
    assert patient.intents == {}
    assert patient.base["city"] == "Macon"
    await ward.desk.sound()


async def test_a_policy_without_an_end_overflows_nothing(ward: Ward) -> None:
    """The finding itself: 12/31/9999, then any edit of the chart."""
    policy = BillingPolicy(id=81, end=date(9999, 12, 31))
    chart = insured(policy)
    assert next_expiry(BillingSide(chart=chart, read_at=ward.desk.now), date(2026, 3, 2)) is None
    await ward.desk.see(BillingChartObserved(chart=chart))
    await ward.desk.see(BillingChartObserved(chart=replace(insured(policy), city="Macon")))
    await ward.finish()
    assert await ward.recorded(ChangeQuarantined) == []
    await ward.desk.sound()
