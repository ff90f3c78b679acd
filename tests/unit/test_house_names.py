"""One word, one meaning: no class name twice, and no vendor's name outside what is a vendor's."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path
from pkgutil import resolve_name

import pytest

ROOT = Path(__file__).parents[2]
CITED = re.compile(r"`((?:daemon|projections|events)(?:\.\w+)+)")
"""What a docstring or a comment names of the code."""

TWICE = {
    # the vendors' records are called as the vendors call them (an anti-corruption layer)
    "BadRow", "BillingAppointment", "BillingCase", "BillingPolicy", "Email", "Patient", "Phone", "Policy",
    "Place",
    "Reference", "Text",
}  # fmt: skip
"""Only ever gets shorter."""


def classes() -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for room in ("daemon", "projections", "events"):
        for file in sorted((ROOT / room).rglob("*.py")):
            if "sandbox" not in file.parts:
                for node in ast.walk(ast.parse(file.read_text())):
                    if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                        found[node.name].append(str(file.relative_to(ROOT)))
    return found


def test_no_class_name_is_defined_twice() -> None:
    twice = {name: files for name, files in classes().items() if len(files) > 1}
    assert {name: files for name, files in twice.items() if name not in TWICE} == {}
    assert TWICE - twice.keys() == set(), "take these off the list"


def cited() -> set[str]:
    sources = (file for room in ("daemon", "projections", "events") for file in sorted((ROOT / room).rglob("*.py")))
    return {name for file in sources for name in CITED.findall(file.read_text())}


@pytest.mark.parametrize("name", sorted(cited()))
def test_what_a_docstring_names_of_the_code_is_there(name: str) -> None:
    assert resolve_name(name) is not None


def test_the_test_of_names_can_fail() -> None:
    with pytest.raises((ImportError, AttributeError)):
        resolve_name("projections.folding")
