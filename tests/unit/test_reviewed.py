"""A list of reviewed pairs: what can be used, and what is wrong where."""

from __future__ import annotations

import pytest

from daemon.operator.reviewed import NotReviewed, ReviewedPair, read_reviewed
from events.ids import BillingPatientId, EhrChartId
from projections.terms.names import NAMES


def pair(line: int, ehr: int, billing: int, *, force: bool = False, reason: str = "") -> ReviewedPair:
    return ReviewedPair(line=line, ehr=EhrChartId(ehr), billing=BillingPatientId(billing), force=force, reason=reason)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_ids_are_read_with_and_without_their_system(delimiter: str, end: str) -> None:
    rows = [["kareo", "elation", "force", "reason"], ["kareo:7", "1", "Yes", "called her"], [""], ["8", "elation:2", "", ""]]
    read = read_reviewed(end.join(delimiter.join(row) for row in rows), NAMES)
    assert read.pairs == (pair(2, 1, 7, force=True, reason="called her"), pair(4, 2, 8))
    assert read.problems == ()


def test_a_chart_in_several_rows_is_left_out_of_all() -> None:
    read = read_reviewed("elation,kareo\n1,7\n1,8\n2,9\n3,9\n4,10\n", NAMES)
    assert read.pairs == (pair(6, 4, 10),)
    assert [line for line, _ in read.problems] == [2, 3, 4, 5]
    assert "elation:1 is in 2 rows" in read.problems[0][1]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("kareo:1,7", "elation: "),
        ("1,elation:7", "kareo: "),
        (",7", "elation: "),
        ("1,7,yes,why,more", "more cells"),
        ("-1,7", "elation: "),
    ],
)
def test_a_bad_row_is_named(row: str, why: str) -> None:
    read = read_reviewed(f"elation,kareo,force,reason\n{row}\n2,8\n", NAMES)
    assert read.pairs == (pair(3, 2, 8),)
    ((line, text),) = read.problems
    assert line == 2
    assert text.startswith(why)


@pytest.mark.parametrize("header", ["", "elation", "elation,kareo,kareo", "elation,kareo,name"])
def test_a_list_without_its_columns_is_refused(header: str) -> None:
    with pytest.raises(NotReviewed, match="column") as caught:
        read_reviewed(f"{header}\n1,2\n", NAMES)
    assert caught.value.line == 1
