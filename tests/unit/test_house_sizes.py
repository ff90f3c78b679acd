"""No file of 400 lines, no function of 50; tests are held to it as the product is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE, FUNCTION = 400, 50

ONCE = {"tests/stored/write.py", "tests/stored/evening.py"}
"""Ran once, with the code of another commit; kept as they ran."""

FILES = sorted(
    name
    for folder in ("events", "projections", "daemon", "tests")
    for file in (ROOT / folder).rglob("*.py")
    if (name := str(file.relative_to(ROOT))) not in ONCE
)


def long_functions(source: str) -> Iterator[str]:
    """From `def` to the last line, methods and functions in functions included; decorators do not count."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            lines = node.end_lineno - node.lineno + 1
            if lines >= FUNCTION:
                yield f"{node.name}: {lines} lines"


def test_a_file_is_read_in_one_sitting() -> None:
    sources = {name: (ROOT / name).read_text() for name in FILES}
    assert {name: lines for name, text in sources.items() if (lines := len(text.splitlines())) >= FILE} == {}
    assert {name: found for name, text in sources.items() if (found := list(long_functions(text)))} == {}


def test_the_test_of_sizes_can_fail() -> None:
    body = "\n".join("    x" for _ in range(FUNCTION - 1))
    assert list(long_functions(f"async def f():\n{body}")) == ["f: 50 lines"]
    assert list(long_functions(f"class A:\n  def f():\n{body}\n  def g():\n    x")) == ["f: 50 lines"]
    assert list(long_functions(f"def f():\n{body.removesuffix('    x')}")) == []


def test_what_is_exempt_is_there() -> None:
    assert all((ROOT / name).is_file() for name in ONCE)
