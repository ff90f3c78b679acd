"""The contract of the vendor port, kept by both vendors and by the invented third."""

from __future__ import annotations

from daemon.vendors.elation.opening import Elation
from daemon.vendors.kareo.opening import Kareo
from tests.contract.stands import ElationStand, KareoStand, LedgerStand
from tests.contract.vendor_case import VendorCase
from tests.third.ledger.opening import Ledger


class TestElation(VendorCase):
    vendor = Elation
    stand = ElationStand


class TestKareo(VendorCase):
    vendor = Kareo
    stand = KareoStand


class TestLedger(VendorCase):
    vendor = Ledger
    stand = LedgerStand
