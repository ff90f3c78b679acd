"""Nothing that is printed moves a terminal, forges a line, or is a spreadsheet's formula or a page's markup."""

from __future__ import annotations

import argparse
import ast
import csv
import io
import json
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from typing import Any, Literal, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import daemon.cli
from daemon.cli import explain, history, history_page, onboard, rules, status, waiting, what_if
from daemon.cli.printing import cell, say, visible, warn
from daemon.history.explain import FieldWhy, Why
from daemon.operator.onboarding import CandidatePair, Matching, Onboarding
from daemon.tables.status import PracticeStatus
from events.ids import EventId, PracticeId
from events.schema import TYPES, Event, Origin, Recorded
from events.writes import CreateEhrChart, Resource, System
from projections.terms.names import NAMES
from projections.terms.policy import PROFILES
from projections.trial.dry_run import DryRun, Planned
from projections.trial.what_if import Comparison, Deviation
from projections.words.known import Known
from projections.words.lines import Entry
from projections.words.shown import EVERYTHING
from projections.words.words import describe
from tests.unit.records import ADA_KEY

T = TypeVar("T")
ZONE = ZoneInfo("America/Denver")
THEN = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
ATTACKS = (
    "\x1b[2J\x1b]0;owned\x07",
    "Ann\r\n2026-03-02 14:30:00  #7  operator  linked",
    "Ann\u202egnp.exe\u2066",
    "\u200e\u200f\u2028\u2029\u0085\x9b31m",
    "\x00\x08\x7f\u00ad\U000e0041",
    '=HYPERLINK("http://evil")',
    " @SUM(A1)",
    "</td><script>alert(1)</script>",
)
HOSTILE = st.one_of(
    st.sampled_from(ATTACKS), st.text(max_size=40), st.text("\r\n\t\x1b\u202e=+-@<\"',\\", min_size=1, max_size=12)
)


def filled(kind: Any, text: str) -> Any:
    """A value of `kind` with `text` wherever text may stand."""
    if isinstance(kind, typing.NewType):
        return filled(kind.__supertype__, text)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind))
    if kind in SIMPLE:
        return text if kind is str else SIMPLE[kind]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return arguments[0]
    if origin in (typing.Union, types.UnionType):
        return filled(arguments[0], text)
    if origin is tuple:
        return tuple(filled(one, text) for one in arguments if one is not ...)
    if origin in (list, Sequence):
        return [filled(arguments[0], text)]
    if origin in (dict, Mapping):
        return {filled(arguments[0], text): filled(arguments[1], text)}
    hints = typing.get_type_hints(kind)
    names = [one.name for one in dataclass_fields(kind)] if is_dataclass(kind) else list(kind.__struct_fields__)
    return kind(**{name: filled(hints[name], text) for name in names})


SIMPLE: dict[Any, Any] = {
    str: "", int: 1, float: 0.5, bool: True, bytes: b"x", datetime: THEN, date: date(2026, 3, 2), UUID: UUID(int=1),
    type(None): None, object: "",
}  # fmt: skip


def entry(body: Any, text: str) -> Entry:
    event = Event(id=EventId(UUID(int=1)), practice=PracticeId("elm"), origin=Origin.OPERATOR, observed=THEN, body=body)
    recorded = Recorded(sequence=7, recorded=THEN, event=event)
    return Entry(recorded, describe(body, EVERYTHING, news=None), (text,), (), 3, text)


ENTRIES = sorted(TYPES)
EVERY = argparse.Namespace(candidates=True, dry_run=True)
PAIR = CandidatePair(ehr=1, billing=2, differ=("sex",))


def onboarding(text: str) -> list[str]:
    matching = Matching(
        candidates=(msgspec.structs.replace(PAIR, names=(text, text), differ=(text,)),), impossible={text: 1}
    )
    told = Onboarding(practice=text, state="live", charts=dict.fromkeys(System, 1), unread=(text,), matching=matching)
    run = DryRun(writes=[Planned(ADA_KEY, text, System.EHR, Resource.CHART, filled(CreateEhrChart, text), text)])
    run.searches[System.BILLING] += 1
    return onboard.lines(told, run, EVERY, EVERYTHING)


def comparison(text: str) -> list[str]:
    write = next(
        one for one in typing.get_args(typing.get_type_hints(Deviation)["write"]) if one.__name__ == "UpdateEhrChart"
    )
    made = Deviation("made", 1, text, text, System.EHR, Resource.DEMOGRAPHICS, filled(write, text), None, text)
    return what_if.lines(Comparison([made]), EVERYTHING)


LINES: dict[str, Callable[[str], list[str]]] = {
    "history": lambda text: history.lines([entry(filled(TYPES[one], text), text) for one in ENTRIES], ZONE, NAMES),
    "history --as-of": lambda text: history.known_lines([filled(Known, text)], NAMES),
    "explain INTENT": lambda text: explain.intent_lines(filled(Why, text), NAMES),
    "explain FIELD": lambda text: explain.field_lines(filled(FieldWhy, text), NAMES),
    "waiting": lambda text: waiting.lines(filled(waiting.Item, text), ZONE),
    "status": lambda text: status.lines(filled(PracticeStatus, text), ZONE, NAMES),
    "onboard": onboarding,
    "what-if": comparison,
}


@pytest.mark.parametrize("command", LINES)
@settings(max_examples=40, deadline=None)
@given(text=HOSTILE)
def test_b2_what_a_command_prints_is_its_lines_and_nothing_a_terminal_obeys(command: str, text: str) -> None:
    lines = LINES[command](text)
    out = io.StringIO()
    say(*lines, to=out)
    printed = out.getvalue().removesuffix("\n").split("\n")
    assert len(printed) == len(lines)
    assert all(one.isprintable() for one in printed)


@settings(max_examples=40, deadline=None)
@given(text=HOSTILE)
def test_b2_the_spreadsheet_has_a_row_an_event_and_no_formula(text: str) -> None:
    told = [entry(filled(TYPES[one], text), text) for one in ENTRIES]
    rows = list(csv.reader(io.StringIO(history.spreadsheet(told, ZONE), newline="")))
    assert len(rows) == len(told) + 1
    for one in (one for row in rows for one in row):
        assert one.isprintable()
        assert not one.lstrip().startswith(("=", "+", "-", "@"))


@settings(max_examples=40, deadline=None)
@given(text=HOSTILE)
def test_b2_the_page_shows_markup_and_marks_and_follows_none(text: str) -> None:
    told = [entry(filled(TYPES[one], text), text) for one in ENTRIES]
    page = history_page.page(text, told, [filled(Known, text)], ZONE, as_of=text, field=text, names=NAMES)
    assert "<script" not in page
    assert all(line.isprintable() for line in page.split("\n"))
    assert page.count("<tr id=") == len(told)


@given(text=HOSTILE)
def test_b2_json_means_the_same_when_printed(text: str) -> None:
    out = io.StringIO()
    say(msgspec.json.encode({"name": text, text: 1}).decode(), to=out)
    (line,) = out.getvalue().splitlines()
    assert json.loads(line) == {"name": text, text: 1}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_b2_a_terminal_without_unicode_gets_every_line(encoding: str) -> None:
    buffer = io.BytesIO()
    out = io.TextIOWrapper(buffer, encoding=encoding, newline="\n")
    say("Zoë Żak \U0001f600", to=out)
    out.flush()
    assert json.loads('"' + buffer.getvalue().decode(encoding).strip() + '"') == "Zoë Żak \U0001f600"


def test_b2_a_line_end_in_a_value_forges_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    say("name: Ann\r\n#8 linked")
    warn("name: \x1b[31mAnn")
    assert capsys.readouterr() == ("name: Ann\\u000d\\u000a#8 linked\n", "name: \\u001b[31mAnn\n")


@pytest.mark.parametrize(("text", "shown"), [("=1+1", "'=1+1"), ("\t=1", "'\\u0009=1"), ("＝1", "'＝1"), ("a=1", "a=1")])
def test_b2_cells(text: str, shown: str) -> None:
    assert cell(text) == shown


def test_b2_ordinary_names_stay_as_they_are() -> None:
    assert visible("María-José O'Brien, 王小明, ") == "María-José O'Brien, 王小明, "


def test_b2_no_command_prints_but_through_say() -> None:
    """`print`, `sys.stdout.write` and the like would pass values on raw."""
    (folder,) = daemon.cli.__path__
    raw = {}
    for file in sorted(Path(folder).glob("*.py")):
        tree = ast.parse(file.read_text())
        used = {one.id for one in ast.walk(tree) if isinstance(one, ast.Name)} & {"print"}
        used |= {one.attr for one in ast.walk(tree) if isinstance(one, ast.Attribute)} & {"writelines"}
        used |= {
            f"{one.value.attr}.write"
            for one in ast.walk(tree)
            if isinstance(one, ast.Attribute) and one.attr == "write" and isinstance(one.value, ast.Attribute)
        } & {"stdout.write", "stderr.write"}
        if used and file.name != "progress.py":
            raw[file.name] = used
    assert raw == {}


def test_every_profile_of_the_rules_is_printable() -> None:
    for profile, directions in PROFILES.items():
        assert all(one.isprintable() for one in rules.as_text(profile, directions, NAMES))
