"""The search for Ada before she is linked, and what it shows of a chart."""

from __future__ import annotations

from datetime import date

from events.records import ElationChart, KareoChart
from events.writes import Candidate, SearchKareo
from tests.unit.records import ADA_THERE

HERE = "E:101"
WANTED = SearchKareo(first_name="Ada", last_name="Byron", birth_date=date(1985, 12, 10), sex="Female")


def candidate(chart: ElationChart | KareoChart) -> Candidate:
    """What a search shows of a chart."""
    return Candidate(
        id=chart.id,
        first_name=chart.first_name,
        middle_name=chart.middle_name,
        last_name=chart.last_name,
        birth_date=chart.birth_date,
        sex=chart.sex,
    )


SAME = candidate(ADA_THERE)
