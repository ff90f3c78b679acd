"""Every row, rule and trap of the other configuration (EHR_LED, sections 1 to 8) has a test that names it: elation_led_rules.txt.

There each is said in our own words, and below it stand the tests that hold it, as `folder/file::test`. Keys are section and item, in
order: `3.4` is the fourth of section 3, `3.7a` a further rule of it, `1.a` one of the text between the items.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import SHARED

TESTS = Path(__file__).parents[1]
RULES = TESTS / "contract" / "elation_led_rules.txt"
FACTS = SHARED / "apis" / "ELATION_LED.md"
ABSENT = "the facts of the other configuration are not beside the repository (../shared/apis)"
SECTIONS = range(1, 9)
BAD_INPUTS = 8
"""The section whose items stand in one sentence, with dots between."""


@cache
def rules() -> dict[str, tuple[str, tuple[str, ...]]]:
    """By key, what a rule says and the tests that hold it."""
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    key = ""
    for line in RULES.read_text().splitlines():
        if line.startswith(" "):
            says, tests = found[key]
            found[key] = says, (*tests, line.strip())
            continue
        key, _, says = line.partition(" ")
        assert key not in found, key
        found[key] = says, ()
    return found


@cache
def known_tests(file: str) -> frozenset[str]:
    path = TESTS / f"{file}.py"
    nodes = ast.parse(path.read_text()).body if path.is_file() else []
    return frozenset(one.name for one in nodes if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))


def items(section: int, text: str) -> list[str]:
    """The items of a section: rows of its tables, points of its lists; of the bad inputs each one."""
    lines = text.splitlines()[1:]  # after the heading
    if section == BAD_INPUTS:
        said = "\n".join(line for line in lines if line.strip())
        paragraphs = re.split(r"^(?:[A-Z][\w ]+:)", said, flags=re.MULTILINE)
        return [one for paragraph in paragraphs for one in re.split("·", paragraph) if one.strip()]
    rows = [line for line in lines if line.startswith("|")]
    headings = {at for at, line in enumerate(rows[1:]) if set(line) <= set("|-: ")}
    told = [line for at, line in enumerate(rows) if at not in headings and at - 1 not in headings]
    return told + [line for line in lines if re.match(r"\d+\. |- ", line)]


def sections(text: str) -> dict[int, str]:
    parts = re.split(r"^## (\d+)\. ", text, flags=re.MULTILINE)[1:]
    return {int(number): body for number, body in zip(parts[::2], parts[1::2], strict=True) if int(number) in SECTIONS}


@pytest.mark.parametrize("key", rules())
def test_a_rule_names_tests_that_are_there(key: str) -> None:
    says, tests = rules()[key]
    assert says
    assert tests
    assert [one for one in tests if one.partition("::")[2] not in known_tests(one.partition("::")[0])] == []
    assert len(set(tests)) == len(tests)


def test_a_test_that_is_not_there_would_be_missed() -> None:
    assert "test_a_rule_names_tests_that_are_there" in known_tests("contract/test_elation_led_rules")
    assert known_tests("contract/test_nothing") == frozenset()


@pytest.mark.parametrize("section", SECTIONS)
def test_no_item_of_a_section_is_without_a_rule(section: int) -> None:
    if not FACTS.exists():
        pytest.skip(ABSENT)
    found = items(section, sections(FACTS.read_text())[section])
    keys = {re.sub("[a-z]$", "", key) for key in rules() if re.match(rf"{section}\.\d", key)}
    assert keys == {f"{section}.{at}" for at in range(1, len(found) + 1)}


def test_what_is_said_of_a_rule_is_said_in_our_words() -> None:
    if not FACTS.exists():
        pytest.skip(ABSENT)
    facts = " ".join(FACTS.read_text().split())
    assert [key for key, (says, _) in rules().items() if len(says) > 30 and says in facts] == []
