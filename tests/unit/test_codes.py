"""The closed sets: codes of what waits, codes of refused commands, slots, and the keys of patients (events/codes, slots, ids)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from events.codes import CommandCode, WaitCode
from events.ids import (
    PRACTICE,
    BillingPatientId,
    Charts,
    EhrChartId,
    PracticeId,
    billing_key,
    charts_of,
    ehr_key,
    is_billing_key,
    number_of,
)
from events.slots import RESTART_SLOT, SlotKind, is_slot, parse_slot, set_aside_in, slot_of
from projections.state.patient import Patient
from projections.terms.names import NAMES
from projections.words.remedy import MEANINGS, UNKNOWN, Audience, Remedy, meaning_of, remedy

ROOT = Path(__file__).parents[2]
SOURCES = [file for room in ("events", "projections", "daemon") for file in sorted((ROOT / room).rglob("*.py"))]
SOURCES = [file for file in SOURCES if "sandbox" not in file.parts]
MADE = re.compile(r"field-.*|(carrier|plan)-(pending|refused)")
"""Codes that are put together from a field's problem, or from what is created."""
WORDS_OF_THE_PROGRAM = re.compile(
    r"\b(epoch|slots?|intents?|fold(s|ed)?|projections?|watermarks?|decod\w+)\b", re.IGNORECASE
)
TELLS = {"wait": 2, "failed": 1, "Unfit": 1}
"""Calls that hold the text of an item, and where in them it stands."""


def calls() -> Iterator[tuple[Path, ast.AST, ast.Call, str]]:
    """Every call in the sources, with the function it is in and the name called."""
    for file in SOURCES:
        for scope in ast.walk(ast.parse(file.read_text())):
            if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in ast.walk(scope):
                    if isinstance(node, ast.Call):
                        called = node.func
                        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                        yield file, scope, node, name


def literals(node: ast.AST, scope: ast.AST) -> Iterator[str]:
    """The text of an expression; of a name what its function puts into it."""
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value
        elif isinstance(one, ast.Name):
            for assigned in ast.walk(scope):
                if isinstance(assigned, ast.Assign) and any(getattr(t, "id", "") == one.id for t in assigned.targets):
                    yield from (c.value for c in ast.walk(assigned.value) if isinstance(getattr(c, "value", None), str))


def texts() -> list[str]:
    """What people read of waiting items, as far as it stands in the sources."""
    found: list[str] = []
    for _, scope, call, name in calls():
        place = TELLS.get(name)
        if place is not None and len(call.args) > place:
            found += literals(call.args[place], scope)
        if name in ("Verdict", "Waiting", "WaitingRaised"):
            found += [one for word in call.keywords if word.arg in ("reason", "text") for one in literals(word.value, scope)]
    return found


def test_every_code_has_a_row() -> None:
    assert list(MEANINGS) == list(WaitCode)


def test_every_audience_and_every_remedy_is_somebody_s() -> None:
    assert {one.audience for one in MEANINGS.values()} == set(Audience)
    assert {one.remedy for one in MEANINGS.values()} == set(Remedy)


def test_every_code_is_used_and_every_code_in_use_is_a_member() -> None:
    source = "\n".join(file.read_text() for file in SOURCES if file.name not in ("codes.py", "remedy.py"))
    quoted = set(re.findall(r'"([a-z-]+)"', source))
    unused = [
        one for one in WaitCode if f"WaitCode.{one.name}" not in source and one not in quoted and not MADE.fullmatch(one)
    ]
    assert unused == []
    raised = [(call, name) for _, _, call, name in calls() if name in ("wait", "failed", "Waiting", "WaitingRaised")]
    codes = {one.value for call, _ in raised for one in call.args[:2] if isinstance(one, ast.Constant)}
    codes |= {
        w.value.value for call, _ in raised for w in call.keywords if w.arg == "code" and isinstance(w.value, ast.Constant)
    }
    assert {one for one in codes if isinstance(one, str) and re.fullmatch(r"[a-z]+(-[a-z]+)*", one)} <= set(WaitCode)


def test_every_problem_of_a_field_has_a_code() -> None:
    of_fields = [
        call.args[0].value
        for file, _, call, name in calls()
        if name == "Unfit"
        and file.stem not in ("bills", "bookings", "encounters", "policies")
        and isinstance(call.args[0], ast.Constant)
    ]
    assert {f"field-{one}" for one in of_fields} == {one.value for one in WaitCode if one.startswith("field-")}


def test_every_command_code_is_used() -> None:
    source = "\n".join(file.read_text() for file in SOURCES if file.name != "codes.py")
    assert [one for one in CommandCode if f"CommandCode.{one.name}" not in source and f'"{one}"' not in source] == []


def test_no_word_of_the_program_is_in_a_text_for_people() -> None:
    found = texts()
    assert len(found) > 60
    assert [one for one in found if WORDS_OF_THE_PROGRAM.search(one)] == []


@pytest.mark.parametrize("text", ["the slot is taken", "fenced by epoch 4", "an intent is open"])
def test_the_test_for_words_can_fail(text: str) -> None:
    assert WORDS_OF_THE_PROGRAM.search(text)


def test_a_code_of_a_later_version_has_a_general_remedy() -> None:
    assert meaning_of("of-a-later-version") is UNKNOWN
    patient = Patient(key=ehr_key(EhrChartId(101)))
    assert remedy(PracticeId("north"), patient, "new:1", "of-a-later-version", NAMES) == "chartwire resync north elation:101"


@pytest.mark.parametrize("code", WaitCode)
def test_every_remedy_is_a_command_that_names_the_practice(code: WaitCode) -> None:
    patient = Patient(key=billing_key(BillingPatientId(901)))
    slot = slot_of(SlotKind.BILL, 7)
    command = remedy(PracticeId("north"), patient, slot, code, NAMES)
    assert command.startswith("chartwire ")
    assert "north" in command.split()


@pytest.mark.parametrize("kind", SlotKind)
def test_a_slot_is_read_as_it_was_made(kind: SlotKind) -> None:
    assert parse_slot(slot_of(kind)) == (kind, "")
    assert parse_slot(slot_of(kind, "7@2026-03-02T14:30", "x")) == (kind, "7@2026-03-02T14:30:x")
    assert is_slot(slot_of(kind, 7), kind)
    assert not any(is_slot(slot_of(kind, 7), other) for other in SlotKind if other is not kind)


@pytest.mark.parametrize("text", ["later:7", "chart@E:12", ""])
def test_a_slot_of_a_later_version_stays_whole(text: str) -> None:
    assert parse_slot(text) == (None, text)


def test_slots_are_written_in_one_file() -> None:
    """No other file takes a slot apart or puts one together."""
    kinds = "|".join(kind.value for kind in SlotKind)
    made = re.compile(rf'f"({kinds}):\{{|"({kinds}):"|slot\w*(\[\w+\])?\.(partition|split|startswith|removeprefix)')
    depends = re.compile(r'f"(chart|bill|patient):\{')
    wrong = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in SOURCES
        if file.name != "slots.py"
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        if made.search(depends.sub("", line))
    ]
    assert [one for one in wrong if not one.startswith(ALLOWED)] == []


ALLOWED = ("daemon/demo/", "daemon/operator/drift.py")
"""Still to be changed, by those who are changing them."""


def test_what_is_set_aside_is_read_from_its_slot() -> None:
    assert set_aside_in("quarantine:kareo:appointments:7@2026-03-02T14:30") == (
        "kareo",
        "appointments",
        "7@2026-03-02T14:30",
    )
    assert set_aside_in("bill:7") is None


def test_a_patient_s_key_names_its_chart() -> None:
    assert charts_of(ehr_key(EhrChartId(101))) == Charts(ehr=EhrChartId(101))
    assert charts_of(billing_key(BillingPatientId(901))) == Charts(billing=BillingPatientId(901))
    assert charts_of(PRACTICE) == Charts()
    assert is_billing_key(billing_key(BillingPatientId(901)))
    assert not is_billing_key(ehr_key(EhrChartId(101)))
    assert number_of(ehr_key(EhrChartId(101))) == 101


def test_keys_of_patients_are_written_in_one_file() -> None:
    made = re.compile(r'f?"[EK]:|key\[:?[12]:?\]|PatientKey\(""\)')
    wrong = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in SOURCES
        if (file.name, file.parent.name) not in (("ids.py", "events"), ("codec.py", "events"), ("schema.py", "events"))
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        if made.search(line) and "UNMAPPED =" not in line
    ]
    assert wrong == []


def test_a_restored_database_is_looked_into_by_audit() -> None:
    assert (
        remedy(PracticeId("north"), None, RESTART_SLOT, WaitCode.HISTORY_RESTARTED, NAMES) == "chartwire audit verify north"
    )
