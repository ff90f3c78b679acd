"""The search for Ada before she is linked, and what it shows of a chart."""

from __future__ import annotations

from datetime import date

from events.writes import SearchBilling
from projections.rules.people import candidate
from tests.unit.records import ADA_THERE

HERE = "E:101"
WANTED = SearchBilling(first_name="Ada", last_name="Byron", birth_date=date(1985, 12, 10), sex="Female")
SAME = candidate(ADA_THERE)
