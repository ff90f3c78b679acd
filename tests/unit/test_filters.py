"""How pages write times, numbers, durations and what an item is about."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from daemon.console.filters import about, ago, clock, sentence, thousands
from projections.terms.names import Names
from projections.words.kept_aside import waiting_in_words
from projections.words.subject import spelled_out, winners_named

NAMES = Names()


def test_what_an_item_is_about_is_a_field_a_system_or_a_number() -> None:
    assert [about(one, NAMES) for one in ("elation", "kareo", "last_name", "140000000000336")] == [
        "Elation", "Kareo", "Last name", "140000000000336",
    ]  # fmt: skip
    assert about("kareo:patients:12", NAMES) == ""


@pytest.mark.parametrize(("hour", "said"), [(0, "12:05 AM"), (9, "9:05 AM"), (12, "12:05 PM"), (23, "11:05 PM")])
def test_the_time_of_day_is_that_of_the_trade(hour: int, said: str) -> None:
    assert clock(datetime(2026, 3, 2, hour, 5, tzinfo=ZoneInfo("America/Denver"))) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(3, "3 s"), (600, "10 min"), (7200, "2 h"), (86_400, "24 h"), (4 * 86_400, "4 days")]
)
def test_how_long_ago_is_said_in_the_largest_unit(seconds: float, said: str) -> None:
    assert ago(seconds) == said


def test_numbers_and_sentences() -> None:
    assert (thousands(999), thousands(10_000)) == ("999", "10,000")
    assert [sentence(one) for one in ("it waits", "Why?", "")] == ["It waits.", "Why?", ""]


def test_a_stored_sentence_says_the_products_of_its_practice() -> None:
    told = "city of elation:12 and kareo:7 was changed on both sides; kareo won, not kareo.example"
    assert spelled_out(told, NAMES) == (
        "city of Elation chart 12 and Kareo patient 7 was changed on both sides; Kareo won, not kareo.example"
    )


def test_the_command_line_names_the_side_that_won_too_and_charts_as_it_takes_them() -> None:
    """What is stored stays as it was written; whoever reads it, in a list or in a history, reads the product's name."""
    stored = "City was changed on both sides; kareo won. Look at kareo:7, kareo.example and mark it seen"
    shown = "City was changed on both sides; Kareo won. Look at kareo:7, kareo.example and mark it seen"
    assert winners_named(stored, NAMES) == shown
    assert waiting_in_words("conflict:city", stored, NAMES) == shown
