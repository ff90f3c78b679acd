"""A deed that somebody looks after later: it is done once the systems have answered that are read for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from daemon.operator.deeds import asked_before
from events.commands import Command, RedriveRequested, ResyncRequested
from events.ids import Charts
from events.schema import Origin, Recorded
from events.slots import SlotKind, slot_of
from tests.conftest import PRACTICE
from tests.integration.recorder_driver import RecorderDriver
from tests.unit.records import ADA, ADA_THERE


async def asked(driver: RecorderDriver, body: Command, charts: Charts) -> Recorded:
    change = driver.change(body)
    event = replace(change.event, origin=Origin.OPERATOR, ehr=charts.ehr, billing=charts.billing)
    await driver.recorder.record_messages([replace(change, event=event)])
    found = await driver.store.by_id(PRACTICE, event.id)
    assert found is not None
    return replace(found, recorded=datetime.now(UTC))


@pytest.mark.parametrize("charts", [Charts(ehr=ADA.id), Charts(billing=ADA_THERE.id)], ids=["chart", "patient"])
async def test_a_patient_who_is_read_again_is_done_when_both_systems_have_answered(
    driver: RecorderDriver, charts: Charts
) -> None:
    await driver.link()
    command = await asked(driver, ResyncRequested(who="ann"), charts)
    followed = await asked_before(driver.store, PRACTICE, command)
    followed.take(command)
    assert (followed.reading, followed.settled) == ({Origin.EHR, Origin.BILLING}, False)
    for origin in (Origin.EHR, Origin.BILLING):
        assert not followed.settled
        followed.take(replace(command, event=replace(command.event, id=f"{origin}", origin=origin, cause=command.event.id)))
    assert followed.settled
    long_ago = replace(command, recorded=command.recorded - timedelta(minutes=10))
    assert (await asked_before(driver.store, PRACTICE, long_ago)).reading == set(), "a chart that is gone says nothing"


async def test_what_is_tried_again_from_quarantine_is_done_when_its_system_has_answered(driver: RecorderDriver) -> None:
    slot = slot_of(SlotKind.QUARANTINE, "kareo", "patients", "7")
    command = await asked(driver, RedriveRequested(slot=slot, who="ann"), Charts())
    assert (await asked_before(driver.store, PRACTICE, command)).reading == {Origin.BILLING}
