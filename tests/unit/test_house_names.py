"""One word, one meaning: no class name twice, and no vendor's name outside what is a vendor's (STYLE: Names and types)."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TWICE = {
    # the vendors' records are called as the vendors call them (an anti-corruption layer)
    "BadRow", "BillingAppointment", "BillingCase", "BillingPolicy", "Email", "Patient", "Phone", "Policy",
    "Place",
    "Reference", "Text",
    # still to be renamed, each by who changes its file
    "Checkpoint", "Field", "Names", "Reader", "Subscriptions", "Verdict", "Writer",
}  # fmt: skip
"""Only ever gets shorter."""
VENDORS = re.compile("(?<!corr)elation|kareo", re.IGNORECASE)
ROOMS = [
    *(ROOT / "daemon" / "cli").glob("*.py"),
    *(ROOT / "daemon" / "operator").glob("*.py"),
    ROOT / "daemon" / "history" / "explain.py",
    *(ROOT / "projections" / "words").glob("*.py"),
    *(ROOT / "projections" / "deciding").glob("*.py"),
    ROOT / "projections" / "state" / "quarantine.py",
]
NOT_YET = {"daemon/cli/check.py", "daemon/cli/run.py", "daemon/operator/drift.py"}


def classes() -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for room in ("daemon", "projections", "events"):
        for file in sorted((ROOT / room).rglob("*.py")):
            if "sandbox" not in file.parts:
                for node in ast.walk(ast.parse(file.read_text())):
                    if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                        found[node.name].append(str(file.relative_to(ROOT)))
    return found


def vendors_in(source: str) -> set[str]:
    """Identifiers and strings of a source that name a vendor; docstrings and comments aside."""
    tree = ast.parse(source)
    scopes = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    lines = [one for scope in ast.walk(tree) if isinstance(scope, scopes) for one in scope.body]
    docstrings = {id(one.value) for one in lines if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in docstrings:
            continue
        for name in ("id", "attr", "arg", "name", "module", "value"):
            text = getattr(node, name, None)
            if isinstance(text, str) and VENDORS.search(text):
                found.add(text)
    return found


def test_no_class_name_is_defined_twice() -> None:
    twice = {name: files for name, files in classes().items() if len(files) > 1}
    assert {name: files for name, files in twice.items() if name not in TWICE} == {}
    assert TWICE - twice.keys() == set(), "take these off the list"


@pytest.mark.parametrize("file", ROOMS, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_vendor_is_named(file: Path) -> None:
    if str(file.relative_to(ROOT)) in NOT_YET:
        pytest.skip("its vendors are opened by the registry (daemon/vendors/registry.py)")
    assert vendors_in(file.read_text()) == set()


@pytest.mark.parametrize(
    "source", ["kareo = 1", "x = 'elation:1'", "import daemon.vendors.kareo", "f(kareo=1)", "f'{x} Elation'", "a.elation"]
)
def test_the_test_for_vendors_can_fail(source: str) -> None:
    assert vendors_in(source)
    assert not vendors_in('"""Elation"""\nx = 1  # Kareo')
