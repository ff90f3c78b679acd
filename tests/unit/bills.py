"""Bills on paper: the good one and its changes, and a clinic that has just seen one."""

from __future__ import annotations

from msgspec.structs import replace

from events.records import EhrBill
from tests.unit.clinic import Clinic
from tests.unit.records import GOOD_BILL

SLOT = "bill:4001"
ANSWER = "bill-answer:4001"
(LINE,) = GOOD_BILL.lines


def billed(bill: EhrBill = GOOD_BILL, **rules: object) -> Clinic:
    """A clinic in which Ada is linked and `bill` was just seen."""
    clinic = Clinic(**rules)
    clinic.linked()
    clinic.bill(bill)
    return clinic


def lined(**changes: object) -> EhrBill:
    return replace(GOOD_BILL, lines=(replace(LINE, **changes),))


def codes(count: int, start: int = 0) -> tuple[str, ...]:
    return tuple(f"E{10 + start + at}.9" for at in range(count))
