"""One word, one meaning: no type's name twice, be it a class or an alias, private or not; and what is cited is there."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name

import pytest

ROOT = Path(__file__).parents[2]
CITED = re.compile(r"`((?:daemon|projections|events)(?:\.\w+)+)")
"""What a docstring or a comment names of the code."""

TWICE = {
    # the vendors' records are called as the vendors call them (an anti-corruption layer)
    "BillingAppointment", "BillingCase", "BillingPolicy", "Email", "Patient", "Phone", "Policy", "Reference", "Text",
}  # fmt: skip
"""Only ever gets shorter."""


def is_alias(name: str, value: ast.expr) -> bool:
    """Whether an assignment names a type: `Pair = tuple[int, int]`, `Either = A | B`, `Kind = NewType(...)`.

    A type variable is none: it belongs to the signatures of its file, as a parameter does.
    """
    made = ast.unparse(value.func) if isinstance(value, ast.Call) else ""
    return name[:1].isupper() and not (name.isupper() and len(name) > 1) and made not in {"TypeVar", "ParamSpec"}


def types_named(source: str) -> Iterator[str]:
    """Classes, wherever they are defined, and a module's aliases, all without the underscore of what is private."""
    tree = ast.parse(source)
    yield from (node.name.lstrip("_") for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    for node in tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                if is_alias(name.lstrip("_"), value):
                    yield name.lstrip("_")


def types() -> dict[str, list[str]]:
    """Where each name is defined; the sandboxes stand beside and speak as their vendors do."""
    found: dict[str, list[str]] = defaultdict(list)
    for room in ("daemon", "projections", "events"):
        for file in sorted((ROOT / room).rglob("*.py")):
            if "sandbox" not in file.parts:
                for name in types_named(file.read_text()):
                    found[name].append(str(file.relative_to(ROOT)))
    return found


def test_no_types_name_is_defined_twice() -> None:
    twice = {name: files for name, files in types().items() if len(files) > 1}
    assert {name: files for name, files in twice.items() if name not in TWICE} == {}
    assert TWICE - twice.keys() == set(), "take these off the list"


@pytest.mark.parametrize(
    "source",
    [
        "class Thing: ...",
        "class _Thing(Exception): ...",
        "def f():\n    class Thing: ...",
        "Thing = dict[str, int]",
        "_Thing = Callable[[int], str]",
        "Thing: TypeAlias = A | B",
        "Thing = NewType('Thing', int)",
    ],
)
def test_a_types_name_is_seen_however_it_is_defined(source: str) -> None:
    assert list(types_named(source)) == ["Thing"]


@pytest.mark.parametrize("source", ["T = TypeVar('T')", "THINGS = {1}", "_thing = f()", "thing: Any = 1"])
def test_what_is_no_type_may_be_named_twice(source: str) -> None:
    assert list(types_named(source)) == []


def cited() -> set[str]:
    sources = (file for room in ("daemon", "projections", "events") for file in sorted((ROOT / room).rglob("*.py")))
    return {name for file in sources for name in CITED.findall(file.read_text())}


@pytest.mark.parametrize("name", sorted(cited()))
def test_what_a_docstring_names_of_the_code_is_there(name: str) -> None:
    assert resolve_name(name) is not None


def test_the_test_of_names_can_fail() -> None:
    with pytest.raises((ImportError, AttributeError)):
        resolve_name("projections.folding")


ELSEWHERE = re.compile(r"\bFINDINGS\b|\bSTYLE, |\bHOUSE\.md|\b[Ii]ssues? #?\d|\bthe brief\b")
"""How what was written outside of this repository is cited: whoever reads the code has only this."""
PAPER = re.compile(r"(?<![\w/.])((?:[a-z]+/)*[A-Z]+\.md)\b")
ASKED = [
    file
    for file in sorted(ROOT.rglob("*.py"))
    if file.parts[len(ROOT.parts)] in ("daemon", "projections", "events", "tests")
]


def test_only_what_is_in_the_repository_is_cited() -> None:
    sources = {file: file.read_text() for file in ASKED if file != Path(__file__)}
    assert {file: cited for file, source in sources.items() if (cited := ELSEWHERE.findall(source))} == {}
    papers = {(file, name) for file, source in sources.items() for name in PAPER.findall(source)}
    assert {
        (file, name) for file, name in papers if not any((ROOT / at / name).is_file() for at in (".", "deploy"))
    } == set()


def test_the_test_of_what_is_cited_can_fail() -> None:
    cites = ["FINDINGS B6: gone", "(issue 15)", "Issue 4: the seeds", "STYLE, Shape", "see HOUSE.md", "as the brief asks"]
    assert all(ELSEWHERE.search(one) for one in cites)
    assert PAPER.findall("see deploy/NOWHERE.md and LOST.md") == ["deploy/NOWHERE.md", "LOST.md"]


ATTACKS = [*(f"a{number}" for number in range(1, 14)), *(f"b{number}" for number in range(1, 10))]
"""What fell when the daemon was attacked from outside (a) and in what it believed, showed and kept (b)."""


def test_each_attack_that_succeeded_once_has_tests_named_for_it() -> None:
    sources = "\n".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"def test_([ab][0-9]+)_", sources))
    assert named == set(ATTACKS)
