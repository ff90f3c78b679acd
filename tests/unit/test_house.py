"""The house: who may import whom inside the daemon, by whatever way, and no circles anywhere."""

from __future__ import annotations

import ast
from functools import cache

import pytest

from daemon.cli.commands import COMMANDS
from tests.unit.source import MODULES, ROOT, by_name

FLOORS = (
    ("sections", "telemetry", "findings"),
    ("servers", "shape", "instruments"),
    ("notify", "file_lines"),
    ("config",),
    ("tables",),
    ("history", "vendors"),
    ("runtime",),
    ("operator",),
    ("cli", "console", "demo", "__main__"),
)
"""Rooms of the daemon from the ground up: each may import what lies below it, and its own."""


BESIDE = {"cli": {"demo", "console"}, "__main__": {"cli"}}
"""Imports on one floor: the commands show the rehearsal and start the web pages, and the entry point the commands."""


VISITORS = {"cli", "demo", "sandbox"}
"""Who may import the sandbox."""


BY_NAME = {"daemon/cli/commands.py": "daemon.cli.", "projections/entrance.py": "daemon.__main__"}
"""Who imports by a name that is put together or looked up, and what: the commands as they are asked for, and the program's entrance."""

CALLED = {f"daemon.cli.{module}" for module in COMMANDS}


def imports(source: str) -> set[str]:
    """The modules of this repository that a file imports, wherever in it: under TYPE_CHECKING, in functions and by name, too."""
    found = {
        name
        for start in by_name(source)
        for name in (CALLED if start == "daemon.cli." else MODULES)
        if start and (name == start or (start[-1] == "." and name.startswith(start)))
    }
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = inside & MODULES.keys()
            found |= modules
            if len(modules) < len(inside):
                found.add(node.module)
    return found & MODULES.keys()


@cache
def graph() -> dict[str, set[str]]:
    """What each module imports of this repository."""
    return {name: with_packages(name, imports(file.read_text())) - {name} for name, file in MODULES.items()}


def with_packages(importing: str, imported: set[str]) -> set[str]:
    """And the packages that it runs by that: importing `a.b.c` runs `a` and `a.b`, but for those that the importing module is in."""
    return imported | {
        package
        for one in imported
        for end in range(len(one))
        if one[end] == "." and (package := one[:end]) in MODULES and not f"{importing}.".startswith(f"{package}.")
    }


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if parts[0] == "daemon" and len(parts) > 1 else ""


def floor(name: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if name in rooms)


def climbs(importing: str, imported: str) -> bool:
    """Whether an import inside the daemon runs upwards, or across a floor."""
    here, there = room(importing), room(imported)
    if "" in (here, there) or here == there:
        return False
    if there == "sandbox":
        return here not in VISITORS
    if here == "sandbox":
        return True
    return floor(there) >= floor(here) and there not in BESIDE.get(here, set())


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import each other (strongly connected, by Tarjan)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        number[name] = low[name] = len(number)
        stack.append(name)
        for other in graph[name]:
            if other not in number:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], number[other])
        if low[name] == number[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1 or name in graph[name]:
                found.append(sorted(group))

    for name in graph:
        if name not in number:
            visit(name)
    return found


def test_every_room_has_its_floor() -> None:
    rooms = {room(module) for module in MODULES} - {"", "sandbox"}
    assert rooms <= {name for names in FLOORS for name in names}


def test_imports_inside_the_daemon_never_run_upwards() -> None:
    wrong = {f"{name} -> {other}" for name, others in graph().items() for other in others if climbs(name, other)}
    assert wrong == set()


@pytest.mark.parametrize(
    ("importing", "imported"),
    [
        ("daemon.tables.documents", "daemon.runtime.reporter"),
        ("daemon.config", "daemon.vendors.registry"),
        ("daemon.vendors.elation.opening", "daemon.history.chain"),
        ("daemon.demo.rehearsal", "daemon.cli.run"),
        ("daemon.console.passwords", "daemon.cli.common"),
        ("daemon.runtime.worker", "daemon.sandbox.clinic"),
        ("daemon.sandbox.elation.server", "daemon.vendors.elation.wire"),
    ],
)
def test_the_test_of_floors_can_fail(importing: str, imported: str) -> None:
    assert climbs(importing, imported)


def test_nothing_imports_in_a_circle() -> None:
    assert circles(graph()) == []


def test_the_test_of_circles_can_fail() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == [["b", "c"]]
    assert circles({"a": {"a"}}) == [["a"]]
    guarded = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from daemon.runtime.worker import Worker"
    assert imports(guarded) == {"daemon.runtime.worker"}


def test_nothing_is_imported_by_name_but_commands_and_the_program() -> None:
    found = {str(file.relative_to(ROOT)): by_name(file.read_text()) for file in MODULES.values()}
    assert {path: names for path, names in found.items() if names} == {path: [name] for path, name in BY_NAME.items()}


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("def f():\n    import daemon.runtime.worker", {"daemon.runtime.worker"}),
        ("def f():\n    from daemon.runtime import worker", {"daemon.runtime.worker"}),
        ("importlib.import_module('daemon.runtime.worker')", {"daemon.runtime.worker"}),
        ("from importlib import import_module as im\nim('daemon.' + 'runtime.worker')", {"daemon.runtime.worker"}),
        ("__import__('daemon.runtime.worker')", {"daemon.runtime.worker"}),
        ("sys.modules['daemon.runtime.worker']", {"daemon.runtime.worker"}),
        ("import_module(f'daemon.runtime.{name}')", {one for one in MODULES if one.startswith("daemon.runtime.")}),
    ],
)
def test_an_import_is_seen_however_it_is_written(source: str, what: set[str]) -> None:
    assert imports(source) == what


def test_a_name_that_nobody_can_read_is_an_import_by_name() -> None:
    assert by_name("import_module(name)") == [""]
    assert by_name("exec(text)") == [""]


def test_a_circle_through_a_package_is_one() -> None:
    """Importing a module runs its package first."""
    assert with_packages("projections.words.known", {"projections.matching.weights"}) == {
        "projections.matching", "projections.matching.weights"
    }  # fmt: skip
    assert with_packages("projections.matching.weights", {"projections.matching.person"}) == {"projections.matching.person"}
