"""How both systems are read, in words: every pass and call that the vendors' code names has its words, and so has every failure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.config import PracticeConfig
from daemon.operator.readings import FAILURES, failure_in_words, operation_in_words, reading_in_words
from daemon.tables.observed import NO_SOURCES
from daemon.vendors.elation.calendar_reading import NEAR_PASS, WHOLE_PASS
from daemon.vendors.elation.policy_reading import OPERATION
from daemon.vendors.elation.section import ElationConfig
from daemon.vendors.kareo.limiter import INTERVALS
from daemon.vendors.kareo.section import KareoConfig
from daemon.vendors.ports import errors
from daemon.vendors.sections import SECTIONS

ROOT = Path(__file__).parents[2]
NAMED = {"NEAR_PASS": NEAR_PASS, "WHOLE_PASS": WHOLE_PASS}
TAKE_A_PASS = {"until_done", "every", "once", "_finish", "checkpoint", "_watermark"}
"""What is told the name of a pass, or of its checkpoint, before all else."""


def named(argument: ast.expr) -> str:
    """The text that an argument begins with; "" where it is none."""
    if isinstance(argument, ast.JoinedStr):
        argument = argument.values[0]
    if isinstance(argument, ast.Name):
        return NAMED.get(argument.id, "")
    return argument.value if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else ""


def called_first(source: str, functions: set[str]) -> Iterator[str]:
    """What these functions are first told, where it is written out."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in functions and (text := named(node.args[0])):
                yield text


def in_folder(prefix: str, functions: set[str]) -> set[str]:
    files = (ROOT / "daemon" / "vendors" / prefix).glob("*.py")
    return {text for file in files for text in called_first(file.read_text(), functions)}


@pytest.mark.parametrize("section", SECTIONS)
def test_every_pass_has_its_words(section: type) -> None:
    prefix = section.system.prefix
    found = {one.removeprefix(f"{prefix}.").partition(":")[0] for one in in_folder(prefix, TAKE_A_PASS)} - {"", *NO_SOURCES}
    assert len(found) > 5
    assert found - section.passes.keys() == set()
    assert {one.removeprefix(f"{prefix}.") for one in section.first_reads} <= section.passes.keys()


def test_the_test_of_passes_can_fail() -> None:
    assert set(called_first("every('sweep', 1); self.once(f'bill:{x}'); a.once(x)", {"every", "once"})) == {"sweep", "bill:"}


def test_every_call_with_a_limit_has_its_words() -> None:
    elation, kareo = SECTIONS
    assert set(INTERVALS) | in_folder("kareo", {"call", "call_with"}) == set(kareo.operations)
    assert set(elation.operations) == {OPERATION}


def test_every_way_to_fail_has_its_words() -> None:
    raised = {
        name
        for name, one in vars(errors).items()
        if isinstance(one, type) and issubclass(one, Exception) and one.__module__ == errors.__name__
    }
    never_seen = {"VendorError", "Unauthorized", "CredentialsRefused"}  # a base; the other two are reported as credentials
    assert raised - never_seen <= FAILURES.keys()
    assert "KeyError" in failure_in_words("KeyError")


PRACTICE = PracticeConfig(
    id="elm",
    name="Elm",
    time_zone="America/Denver",
    ehr=ElationConfig(base_url="x", client_id="x", client_secret_file="x", practice_id=1),
    billing=KareoConfig(wsdl="x", endpoint="x", customer_key_file="x", user="x", password_file="x", practice_name="x"),
)


def test_no_word_of_the_program_is_left() -> None:
    assert reading_in_words("kareo.sweep", PRACTICE) == "Kareo: all patients"
    assert reading_in_words("elation.catch-up", PRACTICE) == "Elation: changes of late"
    assert reading_in_words("recording", PRACTICE) == "what was read is to be recorded"
    assert operation_in_words("GetPatients", PRACTICE) == "listing patients"
    said = [words for one in SECTIONS for words in (*one.passes.values(), *one.operations.values())]
    assert [one for one in said if re.search(r"[._]|[a-z][A-Z]", one)] == []
