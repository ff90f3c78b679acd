"""The row: what a practice may have when Ledger is there, too."""

from __future__ import annotations

from daemon.vendors.registry import VENDORS
from tests.third.ledger.opening import Ledger

WITH_LEDGER = (*VENDORS, Ledger)
SECTIONS = tuple(one.section for one in WITH_LEDGER)
