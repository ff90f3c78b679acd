"""No function, class or constant of a module that nothing names: what a merge or a rewriting left over."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = sorted(file for room in ("events", "projections", "daemon") for file in (ROOT / room).rglob("*.py"))
OTHERS = [
    *(file for file in (ROOT / "tests").rglob("*.py") if "stored" not in file.parts),
    *(ROOT / "daemon").rglob("*.html"),
    ROOT / "pyproject.toml",
]
WORD = re.compile(r"\w+")


def defined(source: str) -> Iterator[str]:
    """What a module names at its top."""
    for node in ast.parse(source).body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Assign(targets=targets):
                yield from (one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name


def unused(sources: dict[str, str], others: str = "") -> set[str]:
    """`file: name` of what is written once and nowhere else."""
    words = Counter(WORD.findall(others))
    for source in sources.values():
        words.update(WORD.findall(source))
    return {f"{file}: {name}" for file, source in sources.items() for name in defined(source) if words[name] == 1}


def test_everything_at_the_top_of_a_module_is_named_elsewhere() -> None:
    sources = {str(file.relative_to(ROOT)): file.read_text() for file in FILES}
    assert unused(sources, "\n".join(file.read_text() for file in OTHERS)) == set()


def test_the_test_of_what_is_unused_can_fail() -> None:
    one = "NOTE = 'x'\n\ndef lost(): ...\n\nclass Gone: ...\n\nkept: int = 1\n"
    assert unused({"a": one, "b": "print(kept)"}) == {"a: NOTE", "a: lost", "a: Gone"}
    assert unused({"a": one, "b": "NOTE, lost, Gone, kept"}) == set()


OF_THE_CODE = {"stored_type", "_decoder_of", "_pattern", "_to_be_plain"}
"""What is remembered for good by a name or type that stands in the code; all else comes from messages and may be without end."""


def test_no_memory_of_what_is_read_is_without_a_bound() -> None:
    """A daemon runs for months, and what it remembers of patients is theirs: only what takes nothing is kept for good."""
    kept = {
        node.name
        for room in ("daemon", "projections", "events")
        for file in (ROOT / room).rglob("*.py")
        if "cache" in (source := file.read_text())
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.args.args or node.args.kwonlyargs)
        for how in node.decorator_list
        if ast.unparse(how) in ("cache", "functools.cache", "lru_cache(None)", "lru_cache(maxsize=None)")
    }
    assert kept == OF_THE_CODE
