"""Imports point one way, and what is pure stays pure."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORBIDDEN = {"events": {"projections", "daemon"}, "projections": {"daemon"}, "daemon": set()}
ENTRANCE = (
    ROOT / "projections" / "entrance.py"
)  # what is installed as `chartwire`: it looks at files, and no projection knows it
PURE = [
    *sorted(file for file in (ROOT / "projections").rglob("*.py") if file != ENTRANCE),
    *(ROOT / "events" / f"{name}.py" for name in ("schema", "records", "writes", "ids")),
]
IMPURE_MODULES = {
    "asyncio", "concurrent", "ctypes", "glob", "http", "io", "logging", "multiprocessing", "os", "pathlib", "random",
    "secrets", "select", "shutil", "signal", "socket", "sqlite3", "ssl", "structlog", "subprocess", "sys", "tempfile",
    "threading", "time", "urllib", "warnings",
    "aiohttp", "aiokafka", "asyncpg", "cryptography", "lxml", "zeep",
}  # fmt: skip
IMPURE_NAMES = {"uuid1", "uuid4", "open", "print", "input", "exec", "eval", "breakpoint", "__import__"}
CLOCKS = {"now", "utcnow", "today", "fromtimestamp", "monotonic", "perf_counter"}
CLOCK_OWNERS = {"datetime", "date", "time"}


def imported(tree: ast.AST) -> set[str]:
    """Top-level packages and modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            found.add((node.module or "").split(".")[0])
    return found


def impurities(source: str) -> set[str]:
    """What in a file does I/O or asks for the time or for chance."""
    tree = ast.parse(source)
    found = imported(tree) & IMPURE_MODULES
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {alias.name for alias in node.names} & IMPURE_NAMES
        elif isinstance(node, ast.Name) and node.id in IMPURE_NAMES:
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and node.attr in IMPURE_NAMES:
            found.add(node.attr)
        elif isinstance(node, ast.Attribute) and node.attr in CLOCKS and owner(node.value) in CLOCK_OWNERS:
            found.add(f"{owner(node.value)}.{node.attr}")
        elif isinstance(node, ast.AsyncFunctionDef | ast.Await):
            found.add("async")
    return found


def owner(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_point_one_way(package: str):
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    wrong = {
        str(file.relative_to(ROOT)): sorted(bad)
        for file in files
        if (bad := imported(ast.parse(file.read_text())) & FORBIDDEN[package])
    }
    assert wrong == {}


@pytest.mark.parametrize("file", PURE, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_pure_part_does_no_io_and_knows_no_clock_and_no_chance(file: Path):
    assert impurities(file.read_text()) == set()


def test_nothing_that_is_pure_imports_the_entrance():
    naming = [file for file in PURE if "projections.entrance" in file.read_text()]
    assert ENTRANCE.is_file()
    assert naming == []


@pytest.mark.parametrize(
    "source",
    [
        "import asyncio",
        "from time import monotonic",
        "import os.path",
        "from uuid import uuid4",
        "import uuid\nuuid.uuid4()",
        "from datetime import datetime\ndatetime.now()",
        "import datetime\ndatetime.datetime.utcnow()",
        "from datetime import date\ndate.today()",
        "open('x')",
        "def f():\n    import random",
        "async def f(): ...",
    ],
)
def test_the_test_for_purity_can_fail(source: str):
    assert impurities(source)
