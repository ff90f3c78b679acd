"""What a person reads calls a system as the practice's configuration does: never by a default, never by its stored name."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = (
    *(f"daemon/{name}" for name in ("cli", "console", "history", "operator", "runtime", "tables")),
    *(f"projections/{name}" for name in ("deciding", "rules", "trial", "words")),
)
FILES = sorted(str(file.relative_to(ROOT)) for room in ROOMS for file in (ROOT / room).rglob("*.py"))

OF_NO_PRACTICE = {
    "daemon/cli/common.py": "help texts",
    "daemon/cli/link.py": "help texts",
    "daemon/cli/repair.py": "help texts",
    "daemon/cli/manual.py": "the manual",
    "daemon/cli/rules.py": "the tables of a profile",
    "daemon/cli/demo.py": "the invented clinic",
    "daemon/cli/sandbox.py": "the invented systems",
    "projections/words/shown.py": "where nothing is said of the practice",
}
"""Who may name the products that the project was made for, and for what."""

STORED_NAME = re.compile(r"(?:^|\.)(?:system|winner|System\.[A-Z]+)(?:\.value)?$")
"""An expression that is a system: written into a sentence it is its stored name."""

NOT_SAID = {
    ("daemon/cli/demo.py", "system"): "of the report, by direction",
    ("daemon/operator/doctor_practices.py", "system"): "the prefix of a source, which is the vendor's own",
    ("daemon/runtime/practice.py", "system"): "the name of a task",
    ("daemon/runtime/sink.py", "self.system"): "the name of a metric",
    ("projections/rules/appointments.py", "System.BILLING.value"): "the hint that appointments carry, stored",
}
"""What looks like it and is none, by file and expression."""


def takes_the_default(source: str) -> bool:
    """Whether a file imports the names of the products by default."""
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "projections.terms.names"
        and any(alias.name == "NAMES" for alias in node.names)
        for node in ast.walk(ast.parse(source))
    )


def stored_names_said(source: str) -> set[str]:
    """The systems that a file writes into text as they are stored."""
    values = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FormattedValue)]
    return {text for text in map(ast.unparse, values) if STORED_NAME.search(text)}


def test_only_what_is_of_no_practice_names_the_products_by_default() -> None:
    found = {name for name in FILES if takes_the_default((ROOT / name).read_text())}
    assert found == OF_NO_PRACTICE.keys()


def test_no_sentence_calls_a_system_by_its_stored_name() -> None:
    found = {(name, text) for name in FILES for text in stored_names_said((ROOT / name).read_text())}
    assert found == NOT_SAID.keys()


@pytest.mark.parametrize("text", ["system", "System.BILLING.value", "one.winner.value", "row.system"])
def test_a_stored_name_in_a_sentence_is_seen(text: str) -> None:
    assert stored_names_said(f'said = f"{{count}} writes to {{{text}}}"') == {text}


def test_a_name_that_was_asked_for_is_none() -> None:
    assert stored_names_said('said = f"writes to {names.label(one.system)}, of {names.of(system).prefix}"') == set()
    assert takes_the_default("from projections.terms.names import NAMES, Names")
    assert not takes_the_default("from projections.terms.names import Names\nfrom projections.rules.fields import NAMES")
