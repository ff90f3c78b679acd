"""What the access log has recorded, in words: every deed of the pages, fields, slots and kinds of items."""

from __future__ import annotations

import re

import pytest

from daemon.console.pages.deeds import DEEDS
from daemon.console.recorded import DEED_WORDS, REMEDY_WORDS, detail_in_words, recorded_in_words
from events.codes import WaitCode
from projections.rules.fields import BY_NAME
from projections.terms.names import NAMES
from projections.words.remedy import Remedy


def test_every_deed_and_every_remedy_has_its_words() -> None:
    assert set(DEED_WORDS) == set(DEEDS)
    assert set(REMEDY_WORDS) == set(Remedy)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("deed: resync", "deed: read both charts again"),
        ("deed: seen, not possible", "deed: mark as seen, not possible"),
        ("deed: retry for the practice, all at once", "deed: try again for the practice, all at once"),
        ("deed: looked after", "looked what came of a deed"),
        ("work list", "work list"),
    ],
)
def test_a_deed_is_called_as_its_button_is(what: str, said: str) -> None:
    assert recorded_in_words(what) == said


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ("first_name", "First name"),
        ("bill:4001 kareo", "bill 4001 Kareo"),
        ("demographics:elation", "the demographics in Elation"),
        ("12 x kareo-chart-gone", "12 x patient gone in Kareo"),
        ("38647165-e5e6-514d-b9b2-003549a4380a", ""),
        ("as of 3/2/2026", "as of 3/2/2026"),
        ("POST /p/{practice}/deed: 403", "sent to deed"),
        ("GET /p/{practice}/patient/{patient}/why/{field}: 403", "asked for patient, why"),
        ("GET /p/{practice}: 403", "asked for overview"),
    ],
)
def test_what_a_record_was_about_is_said_in_words(detail: str, said: str) -> None:
    assert detail_in_words(detail, NAMES) == said


def test_no_word_of_the_program_is_left() -> None:
    said = [detail_in_words(one, NAMES) for one in (*BY_NAME, *WaitCode)]
    assert [one for one in said if re.search(r"[a-z]_[a-z]|kareo|elation", one)] == []
