"""What a sentence is about, as the trade calls it (projections/words/subject.py): a table a closed set, each whole."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from events.ids import BillingPatientId, Charts, EhrChartId
from events.schema import Origin
from events.slots import SlotKind, slot_of
from events.writes import Resource
from projections.rules.bookings import BOOKINGS
from projections.terms.names import Names, SystemName
from projections.terms.policy import Direction, Policy, row
from projections.words.shown import EVERYTHING, Shown
from projections.words.subject import (
    APPOINTMENT_FIELDS,
    FIELDS,
    RESOURCES,
    SLOTS,
    chart_in_words,
    counted,
    field_in_words,
    origin_in_words,
    quoted,
    rule_in_words,
    slot_in_words,
)
from projections.words.terms_of import SEARCHABLE
from tests.conftest import PRACTICE

NAMES = Names(ehr=SystemName(label="Slate", prefix="slate"), billing=SystemName(label="Till", prefix="till"))
OF_THE_PROGRAM = re.compile(r"[a-z]_[a-z]|:|->|elation|kareo|slate|till")


def test_the_tables_have_a_row_for_each() -> None:
    assert set(SLOTS) == set(SlotKind)
    assert set(RESOURCES) == set(Resource)
    assert set(FIELDS) >= set(SEARCHABLE)
    assert set(APPOINTMENT_FIELDS) == {one.name for one in BOOKINGS}


@pytest.mark.parametrize("kind", SlotKind)
def test_no_slot_is_said_as_it_is_stored(kind: SlotKind) -> None:
    ids = {
        SlotKind.DEMOGRAPHICS: ("kareo",),
        SlotKind.SYSTEM: ("kareo",),
        SlotKind.FIELD: ("first_name",),
        SlotKind.CONFLICT: ("home_phone",),
        SlotKind.QUARANTINE: ("kareo", "patients", 7),
        SlotKind.HOLD: ("bill", "kareo"),
    }
    said = slot_in_words(slot_of(kind, *ids.get(kind, (77,))), NAMES)
    assert not OF_THE_PROGRAM.search(said), said
    assert not re.search(r"[{}]", said), said


@pytest.mark.parametrize(
    ("slot", "said"),
    [
        ("bill:4001", "bill 4001"),
        ("demographics:elation", "the demographics in Slate"),
        ("conflict:birth_date", "Date of birth"),
        ("quarantine:kareo:patients:7", "chart 7 of Till"),
        ("quarantine:kareo:IntentSucceeded:7", "an answer of Till"),
        ("quarantine:kafka:3:12", "a message that cannot be read"),
        ("hold:bill:kareo", "the hold of bill writes to Till"),
        ("hold:all:both:E:101", "the hold of all writes of one patient"),
        ("of-a-later-version:1", "of-a-later-version:1"),
    ],
)
def test_what_stands_in_a_slot(slot: str, said: str) -> None:
    assert slot_in_words(slot, NAMES) == said


def test_who_an_event_comes_from() -> None:
    assert [origin_in_words(one, NAMES) for one in Origin] == ["Slate", "Till", "chartwire", "a person"]


@pytest.mark.parametrize("direction", Direction)
def test_a_rule_is_its_table_and_where_it_goes(direction: Direction) -> None:
    policy = Policy(practice=PRACTICE, table=dict.fromkeys(Resource, direction))
    for resource in Resource:
        said = rule_in_words(f"guide: Bills ({row(policy, resource)})", NAMES)
        assert said.startswith("Bills, ")
        assert not OF_THE_PROGRAM.search(said), said
    assert rule_in_words("guide: Bills, row 3 (bill: elation->kareo)", NAMES) == "Bills, row 3, Slate to Till"
    assert rule_in_words("an older one", NAMES) == "an older one"


def test_what_is_counted_has_its_plural() -> None:
    assert [counted(one, "case") for one in (0, 1, 2, 1200)] == ["0 cases", "1 case", "2 cases", "1,200 cases"]
    assert counted(2, "policy", "policies") == "2 policies"


def test_charts_and_holds_are_called_by_their_systems() -> None:
    assert chart_in_words(Charts(EhrChartId(12), BillingPatientId(9)), NAMES) == "Slate chart 12"
    assert chart_in_words(Charts(billing=BillingPatientId(9)), NAMES) == "Till patient 9"
    assert chart_in_words(Charts(), NAMES) == "the practice"


def test_a_field_of_a_later_version_is_called_as_it_is_stored() -> None:
    assert (field_in_words("pronouns"), field_in_words("zip")) == ("pronouns", "Zip")
    assert (quoted(""), quoted("Macon")) == ("nothing", "“Macon”")


def test_on_a_page_dates_and_times_are_those_of_the_trade_and_elsewhere_they_sort() -> None:
    noon = datetime(2026, 3, 2, 21, 30, tzinfo=UTC)
    zone = ZoneInfo("America/Denver")
    spoken = Shown(values=True, names=True, zone=zone, spoken=True, providers={"509": "Meredith Grey"})
    assert (spoken.time(noon), Shown(zone=zone).time(noon)) == ("3/2/2026 2:30 PM MST", "2026-03-02 14:30 MST")
    assert (spoken.day(date(2026, 3, 2)), EVERYTHING.day(date(2026, 3, 2))) == ("3/2/2026", "2026-03-02")
    assert spoken.written("birth_date", "1961-03-14") == "“3/14/1961”"
    assert EVERYTHING.written("birth_date", "1961-03-14") == "“1961-03-14”"
    assert spoken.written("provider", "509") == "“Meredith Grey”"
    assert Shown().written("city", "Macon") == "•••"
    assert Shown().written("city", "") == spoken.written("city", "") == "nothing"
