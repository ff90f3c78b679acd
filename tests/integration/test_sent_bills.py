"""A bill that was edited after it was sent says what differs, field by field, and no value unasked."""

from __future__ import annotations

import argparse
from datetime import timedelta

import pytest
from msgspec.structs import replace

from daemon.cli.waiting import complete, items, lines
from daemon.operator.sent_bills import edited_after_sent
from events.codec import Keyring
from events.records import BillingCase, BillLine, EhrBill
from events.schema import BillObserved
from events.store import Store
from events.writes import RecordCreated
from projections.rules.sent import BillDifference, differences
from projections.words.moment import UTC
from projections.words.shown import EVERYTHING, MASK, NOTHING
from tests.conftest import PRACTICE
from tests.integration.recorder_driver import POLICY, RecorderDriver
from tests.unit.records import ADA_THERE, GOOD_BILL

LINE = GOOD_BILL.lines[0]
EDITED = replace(
    GOOD_BILL,
    notes="call first",
    lines=(replace(LINE, unit_charge="999.00", dxs=(*LINE.dxs, "J45.909")), BillLine(cpt="99214", units="2")),
)


def said(one: BillDifference) -> tuple[str, str, str]:
    return one.field, one.sent, one.now


def test_every_field_that_travels_is_compared_and_no_other() -> None:
    assert differences(GOOD_BILL, replace(GOOD_BILL, status="Billed", ref_number="6001", deferred=True)) == ()
    changed = {
        "service_day": GOOD_BILL.service_day + timedelta(days=1) if GOOD_BILL.service_day else None,
        "location": 9,
        "place_of_service": "02",
        "rendering_provider": 9,
        "supervising_provider": 9,
        "physician": 9,
        "notes": "other",
        "prior_authorization": "A-1",
    }
    for name, value in changed.items():
        assert len(differences(GOOD_BILL, replace(GOOD_BILL, **{name: value}))) == 1, name
    for name, value in {"cpt": "99214", "modifiers": ("59",), "dxs": ("J45.998",), "units": "9", "unit_charge": "9"}.items():
        (one,) = differences(GOOD_BILL, replace(GOOD_BILL, lines=(replace(LINE, **{name: value}), *GOOD_BILL.lines[1:])))
        assert one.field.startswith("Line 1, ")


def test_a_line_more_and_a_line_less() -> None:
    more = differences(GOOD_BILL, replace(GOOD_BILL, lines=(*GOOD_BILL.lines, BillLine(cpt="99214", units="2"))))
    assert [said(one) for one in more] == [(f"Line {len(GOOD_BILL.lines) + 1}", "", "99214 2")]
    less: EhrBill = replace(GOOD_BILL, lines=GOOD_BILL.lines[:-1])
    assert [one.now for one in differences(GOOD_BILL, less)] == [""]


async def test_d9_the_waiting_item_names_the_fields(store: Store, keyring: Keyring) -> None:
    desk = RecorderDriver(store, keyring, await store.take_over(PRACTICE))
    await desk.open()
    await desk.link(there=replace(ADA_THERE, cases=(BillingCase(id=71, name="Primary", is_primary=True),)))
    await bill(desk, GOOD_BILL)
    await desk.succeed(f"bill:{GOOD_BILL.id}", RecordCreated(id=6001))
    await bill(desk, EDITED)
    (item,) = [one for one in await items(store, POLICY) if one.code == "differs-after-sent"]
    assert {one.field for one in item.differs} >= {"Notes", "Line 1, unit charge", "Line 1, diagnoses"}
    shy = " ".join(lines(complete(item, NOTHING, argparse.Namespace(config=None)), UTC))
    assert "Line 1, unit charge: sent •••, now •••" in shy
    assert [one for one in ("999.00", "call first", "J45.909") if one in shy] == []
    assert MASK in shy
    told = " ".join(lines(complete(item, EVERYTHING, argparse.Namespace(config=None)), UTC))
    assert f"Line 1, unit charge: sent {LINE.unit_charge}, now 999.00" in told
    assert await edited_after_sent(store, PRACTICE, await desk.patient(), 1) == ()


async def bill(desk: RecorderDriver, one: EhrBill) -> None:
    change = desk.change(BillObserved(bill=one))
    event = replace(change.event, ehr=one.patient, modified=desk.now)
    await desk.recorder.record_messages([replace(change, event=event)])


@pytest.mark.parametrize("value", [None, "", ()])
def test_nothing_is_said_of_what_is_empty_on_both_sides(value: object) -> None:
    assert differences(replace(GOOD_BILL, notes=value), replace(GOOD_BILL, notes=value)) == ()
