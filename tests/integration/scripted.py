"""Records of the two systems whose every text is what a browser must not obey."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from events.ids import BillingPatientId, EhrChartId
from events.records import BillingCase, BillLine, Phone
from events.schema import BillingAppointmentObserved, BillObserved, Body, ChangeQuarantined
from events.writes import System
from tests.integration.recorder_driver import VISIT
from tests.unit.records import ADA, ADA_THERE, BLUE, GOOD_BILL

SCRIPT = "<script>alert(1)</script>'\"><img src=x onerror=alert(2)>"
HERE, THERE = EhrChartId(192), BillingPatientId(902)
KEPT = {"status", "payer_scenario", "link_hint"}
"""Words of a system's own that say what a record is; no person types them."""

Record = Any


def scripted(record: Record, **kept: object) -> Record:
    """The record with the script in every text of it, also within; numbers, days and what is `kept` stay."""
    changed = {
        one.name: _scripted(getattr(record, one.name)) for one in msgspec.structs.fields(record) if one.name not in KEPT
    }
    return replace(record, **changed | kept)


def _scripted(value: object) -> object:
    if isinstance(value, str):
        return SCRIPT
    if isinstance(value, tuple):
        return tuple(_scripted(one) for one in value)
    return scripted(value) if isinstance(value, msgspec.Struct) else value


CHART = scripted(replace(ADA, phones=(Phone(kind="", number=""),), emails=("",)), id=HERE)
PATIENT = scripted(replace(ADA_THERE, cases=(BillingCase(id=72, is_primary=True, policies=(BLUE,)),)), id=THERE)
BILL = scripted(replace(GOOD_BILL, lines=(BillLine(cpt="", modifiers=("",), dxs=("",)),)), id=4192, patient=HERE, error="")


def bodies() -> list[Body]:
    """What is seen of the two once they are linked, and a record that nobody could read."""
    return [
        BillingAppointmentObserved(appointment=scripted(VISIT, patient=THERE, id=62)),
        BillObserved(bill=BILL),
        ChangeQuarantined(system=System.BILLING, resource="patients", record=SCRIPT, path=SCRIPT, reason=SCRIPT, raw=b"x"),
    ]
