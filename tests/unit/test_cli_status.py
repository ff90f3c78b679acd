"""`chartwire status` ends in 1 when a practice passes a limit that was given."""

from __future__ import annotations

import pytest

from daemon.cli.status import document, lines, passed
from daemon.tables.status import PracticeStatus, Report
from events.writes import System
from projections.terms.names import NAMES, Names, SystemName
from projections.words.moment import UTC

WELL = PracticeStatus(practice="elm", lag=3, report_age=10.0, waiting=(("conflict", 2), ("refused", 1)))
UNKNOWN = PracticeStatus(practice="elm")


@pytest.mark.parametrize("limits", [(None, None, None), (3, 10.0, 3), (100, 60.0, 100)])
def test_a12_within_the_limits_nothing_is_said(limits: tuple[int | None, float | None, int | None]) -> None:
    assert passed(WELL, *limits) == []


@pytest.mark.parametrize(
    ("row", "limits", "said"),
    [
        (WELL, (2, None, None), "elm: 3 messages behind (--fail-lag 2)"),
        (WELL, (None, 9.0, None), "elm: its owner was not heard of for 10 s (--fail-silent 9)"),
        (WELL, (None, None, 2), "elm: 3 items wait for a person (--fail-waiting 2)"),
        (UNKNOWN, (5, None, None), "elm: an unknown number of messages behind (--fail-lag 5)"),
        (UNKNOWN, (None, 60.0, None), "elm: its owner was never heard of (--fail-silent 60)"),
    ],
)
def test_a12_each_limit_that_is_passed_is_named(
    row: PracticeStatus, limits: tuple[int | None, float | None, int | None], said: str
) -> None:
    assert passed(row, *limits) == [said]


def test_a12_all_limits_together() -> None:
    assert len(passed(WELL, 0, 0.0, 0)) == 3


def test_a_restored_database_is_said_for_as_long_as_it_matters() -> None:
    row = PracticeStatus(practice="elm", waiting=(("history-restarted", 1),))
    said = "  the database was restored: both systems are read again, and each creation is looked for before it is made"
    assert said in lines(row, UTC, NAMES)
    assert said not in lines(WELL, UTC, NAMES)


def test_the_systems_are_called_as_the_practice_calls_them() -> None:
    ledger = Names(billing=SystemName(label="Ledger", prefix="ledger"))
    report = Report(queued={System.BILLING: 2}, budget={"post": 0.5})
    row = PracticeStatus(practice="elm", open_intents=((System.BILLING, "refused", 3, None),), report=report, report_age=1.0)
    text = lines(row, UTC, ledger)
    assert "  3 writes to Ledger refused" in text
    assert "  in hand: 2 writes to Ledger" in text
    assert "  Ledger's limits used: post 50%" in text
    told = document(row, ledger)
    assert (told["open_intents"], told["report"]["queued"]) == ([("ledger", "refused", 3, None)], {"ledger": 2})  # type: ignore[index]
    assert document(row, NAMES)["open_intents"] == [("kareo", "refused", 3, None)]
