"""Every code of what waits has a heading of its own, in words and with the systems as the practice calls them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from events.codes import WaitCode
from events.records import Provider
from events.writes import Likeness
from projections.matching import Level
from projections.state.directory import Directory
from projections.words.headings import HEADINGS, heading_of
from projections.words.known import provider_names
from projections.words.likeness import LEVELS, how_alike
from tests.unit.clinic import Clinic

NAMES = Clinic().policy.names


def test_each_code_has_a_heading_of_its_own() -> None:
    assert set(HEADINGS) == set(WaitCode)
    assert len(set(HEADINGS.values())) == len(HEADINGS)


def test_a_heading_is_short_and_names_no_system_by_itself() -> None:
    for code, heading in HEADINGS.items():
        assert len(heading) <= 50, code
        assert "-" not in heading.replace("e-mail", ""), code
        for name in ("elation", "kareo"):
            assert name not in heading.lower(), code


def test_the_systems_are_named_as_the_practice_calls_them() -> None:
    names = replace(NAMES, billing=replace(NAMES.billing, label="Tebra"))
    assert heading_of("kareo-chart-gone", names) == "patient gone in Tebra"


def test_a_code_of_a_later_version_is_shown_as_it_is() -> None:
    assert heading_of("from-the-future", NAMES) == "from the future"


@pytest.mark.parametrize(
    ("probability", "said"), [(0.2291, "23%"), (0.9999, "over 99%"), (0.004, "under 1%"), (0.01, "1%"), (0.99, "99%")]
)
def test_how_alike_two_are_is_never_rounded_to_certain(probability: float, said: str) -> None:
    assert how_alike(Likeness(per_million=round(probability * 1_000_000)), rounded=True).startswith(f"{said} one person")


def test_a_provider_has_a_name_and_one_without_counterpart_says_where_it_is() -> None:
    directory = Directory(
        physicians=(Provider(id=7, first_name="Ada", last_name="Grey"),),
        providers=(Provider(id=11, full_name="Grey, Meredith"), Provider(id=12)),
    )
    assert provider_names(directory, NAMES) == {
        "E:7": "Ada Grey (in Elation only)",
        "11": "Grey, Meredith",
        "12": "12",
    }


def test_on_a_page_what_differs_and_why_a_person_decides_are_each_said_once() -> None:
    assert set(LEVELS) == set(Level)
    alike = Likeness(
        per_million=230_000,
        levels={"last name": "same", "street": "other", "zip": "one digit", "of a later version": "odd"},
        vetoes=("twins?", "too little agrees"),
    )
    said = "23% one person; same last name; street different, zip one digit is another, of a later version odd; not certain: twins?; too little agrees"
    assert how_alike(alike, rounded=True) == said
