"""What counts as a word of the program on a page (tests/browser/speech.py): each kind is seen, and what practices write is not."""

from __future__ import annotations

import pytest

from tests.browser.speech import PROGRAM, of_the_program

SEEN = {
    "a name of the code": "first_name was changed",
    "an id as the command line takes it, or a source": "kareo.patients 3 s ago",
    "a slot": "done demographics:elation",
    "a type": "GetPatients 8%",
    "a code": "12 x kareo-chart-gone",
    "a value of the language": "base None",
    "a term of the program": "attempt 1 at chart (epoch 1)",
    "an arrow": "first_name '' -> 'X'",
    "an ISO time": "since 2026-03-02T14:30",
    "an event's number": "deed 38647165-e5e6-514d-b9b2-003549a4380a",
    "a wrong plural": "1 cases",
}


def test_each_kind_is_tried() -> None:
    assert SEEN.keys() == PROGRAM.keys()


@pytest.mark.parametrize("kind", SEEN)
def test_a_word_of_the_program_is_seen(kind: str) -> None:
    assert kind in {what.rpartition(": ")[0] for what, _ in of_the_program([SEEN[kind]])}


@pytest.mark.parametrize(
    "text",
    [
        "Bill 4001: (303) 555-0142, ann_lee@mail.example, 3/14/1961 2:30 PM MST",
        "Kareo patient 501002: 21 items, 101 patients",
        "McDonald, DeAnna; Front desk, bill error; no calendar for the appointment",
        "Nonesuch Lane, Truesdale, waits: chart not read yet",
    ],
)
def test_what_practices_write_is_none(text: str) -> None:
    assert list(of_the_program([text])) == []
