"""`chartwire rules`: the tables that act are the tables that are printed."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from unittest.mock import patch

import pytest

from daemon.__main__ import main
from daemon.cli import rules
from events.writes import Resource
from projections.rules.bookings import BOOKINGS
from projections.rules.fields import DEMOGRAPHICS
from projections.rules.tables import TABLES, Rule, RuleTable, direction_in_words
from projections.terms.names import Names, SystemName
from projections.terms.policy import BILLING_LED, PREFERENCES, PROFILES, Direction

OTHERS = Names(ehr=SystemName(label="<Charts>", prefix="charts"), billing=SystemName(label="Bill & Co", prefix="bills"))


def printed(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["rules", *options]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("profile", PROFILES)
def test_every_resource_has_its_rules_and_direction(profile: str, capsys: pytest.CaptureFixture[str]):
    told = json.loads(printed(capsys, "--profile", profile, "--json"))

    assert told["profile"] == profile
    published = [one for one in told["tables"] if not one["extension"]]
    assert {one["resource"]: one["direction"] for one in published} == {
        resource.value: PROFILES[profile][resource].value for resource in Resource
    }
    assert all(one["source"].startswith("guide: ") for table in published for one in table["fields"])


def test_appointments_to_the_billing_side_are_shown_as_our_own_extension(capsys: pytest.CaptureFixture[str]):
    """EHR_LED section 0: ours, not the vendor's, and named so in the product."""
    told = json.loads(printed(capsys, "--profile", "elation-led", "--json"))
    (own,) = [one for one in told["tables"] if one["extension"]]

    assert (own["resource"], own["direction"]) == ("appointment", "elation->kareo")
    assert {one["field"]: one["source"] for one in own["fields"]} == {one.name: "own extension" for one in BOOKINGS}
    assert told["profiles"]["elation-led"]["extensions"] == {"appointment": "elation->kareo"}
    assert told["profiles"]["kareo-led"]["extensions"] == {}
    text = " ".join(printed(capsys, "--profile", "elation-led").split())
    assert "Appointments: not synchronized" in text
    assert "Appointments, an extension of chartwire's own and in no vendor's guide, off unless" in text
    assert "An extension of chartwire's own, off by default: appointment Elation to Kareo." in text
    assert "off unless a practice switches it on" in printed(capsys, "--profile", "elation-led", "--html")
    assert "off unless" not in printed(capsys, "--profile", "kareo-led")


def test_the_rows_are_those_that_act(capsys: pytest.CaptureFixture[str]):
    (table,) = [one for one in json.loads(printed(capsys, "--json"))["tables"] if one["resource"] == "demographics"]

    assert [
        (one["field"], one["label"], one["chart_side"], one["billing_side"], one["source"]) for one in table["fields"]
    ] == [(one.name, one.label, one.ehr.label, one.billing.label, one.source) for one in DEMOGRAPHICS]


def test_text_fits_a_terminal_of_100_columns_and_loses_nothing(capsys: pytest.CaptureFixture[str]):
    text = printed(capsys)

    assert max(map(len, text.splitlines())) <= 100
    assert "Demographics: both ways" in text
    assert "Insurance: Kareo to Elation" in text
    assert "Bills: Elation to Kareo" in text
    words = set(re.findall(r"\S+", text))
    for rule in (rule for table in TABLES for rule in table.rules):
        assert words >= set(f"{rule.label} {rule.ehr} {rule.billing}".split())


def test_a_long_cell_goes_on_below_itself():
    first, second = rules._row(("one", "two", "three " * 5, "four"))

    assert [*first.split(), *second.split()] == ["one", "two", *["three"] * 4, "four", "three"]
    assert second.index("three") == first.index("three")


class Cells(HTMLParser):
    """The text of a page's cells, and what the page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "action", "data")]
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data


def read(page: str) -> Cells:
    cells = Cells()
    cells.feed(page)
    cells.close()
    return cells


def test_the_page_shows_every_rule_and_loads_nothing(capsys: pytest.CaptureFixture[str]):
    page = read(printed(capsys, "--html"))

    assert page.loads == []
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert page.tags.count("tr") == sum(1 + len(table.rules) for table in TABLES)
    shown = {cell.strip() for cell in page.cells}
    assert shown >= {rule.label for table in TABLES for rule in table.rules}


def test_every_text_of_the_page_is_escaped():
    hostile = "<script>alert(\"1\")</script> & 'co'"
    rule = Rule(hostile, hostile, hostile, hostile, f"guide: {hostile}")
    tables = (RuleTable(Resource.BILL, hostile, hostile, (rule,)),)
    with patch.object(rules, "TABLES", tables):
        text = rules.as_page(hostile, BILLING_LED, OTHERS)

    page = read(text)
    assert "script" not in page.tags
    assert text.count("&lt;script&gt;") == 8
    assert [cell.strip() for cell in page.cells][:4] == ["Field", "<Charts>", "Bill & Co", "Source"]
    assert [cell.strip() for cell in page.cells[4:7]] == [hostile] * 3


@pytest.mark.parametrize("direction", Direction)
def test_a_direction_is_said_in_the_practices_names(direction: Direction):
    words = direction_in_words(direction, OTHERS)
    assert words in ("both ways", "Bill & Co to <Charts>", "<Charts> to Bill & Co", "not synchronized")
    assert (words.startswith("<Charts>")) == (direction is Direction.TO_BILLING)


def test_both_profiles_are_shown_with_who_wins(capsys: pytest.CaptureFixture[str]):
    told = json.loads(printed(capsys, "--json"))["profiles"]
    assert {name: one["directions"] for name, one in told.items()} == {
        name: {resource.value: way.value for resource, way in rows.items()} for name, rows in PROFILES.items()
    }
    assert {name: one["preferences"] for name, one in told.items()} == {
        name: {resource.value: side.value for resource, side in rows.items()} for name, rows in PREFERENCES.items()
    }
    for form in ("--profile=kareo-led", "--html"):
        text = " ".join(printed(capsys, form).split())
        assert "elation-led: chart both ways, demographics both ways, insurance both ways, appointment not sync" in text
        assert "these win: demographics Elation, insurance Kareo." in text


def test_what_stays_one_way_where_insurance_goes_both_ways_is_said(capsys: pytest.CaptureFixture[str]):
    """EHR_LED section 2: the dates are not in the guide's table, and the plan's address is Kareo's own."""
    page = printed(capsys, "--profile", "elation-led", "--html")
    assert page.count("(only Kareo to Elation)") == 8
    assert "(only Kareo to" not in printed(capsys, "--html")


def test_an_unknown_profile_is_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as refused:
        main(["rules", "--profile", "nobody-led"])
    assert refused.value.code == 2
    assert "nobody-led" in capsys.readouterr().err
