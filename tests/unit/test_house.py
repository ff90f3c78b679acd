"""The house: who may import whom inside the daemon, no circles anywhere, and no vendor's name outside its own folder."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("events", "projections", "daemon")

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

VENDOR = re.compile(r"(?<!r)elation|kareo|tebra", re.IGNORECASE)
"""Not `relation` and `correlation`."""

NAMELESS = ("runtime", "operator", "history", "tables", "cli", "console", "vendors/ports")
SETTLED = {
    "projections/terms/names.py": {"Elation", "elation", "Kareo", "kareo"},
    "projections/terms/policy.py": {"kareo->elation", "elation->kareo", "kareo-led", "elation-led"},
    "projections/rules/links.py": {"kareo-patient:"},
}
"""What the pure part says of vendors, all in text: their names by default, what configurations say, and what charts carry by now."""

GROUND = [ROOT / "daemon" / f"{name}.py" for name in ("config", "sections", "servers", "shape", "telemetry")]


def files(*folders: str) -> list[Path]:
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(file): file for file in files(*PACKAGES)}


def imports(source: str) -> set[str]:
    """The modules of this repository that a file imports, wherever in it: under TYPE_CHECKING and in functions, too."""
    found: set[str] = set()
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


GRAPH = {name: imports(file.read_text()) - {name} for name, file in MODULES.items()}


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


def vendors_named(source: str) -> set[str]:
    """The identifiers and strings of a file that name a vendor; docstrings and comments are not looked at."""
    tree = ast.parse(source)
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}
    words: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes) and id(node) not in docs:
            words.add(node.value if isinstance(node.value, str) else node.value.decode("latin-1"))
        for name in ("id", "attr", "arg", "name", "asname", "module", "rest"):
            if isinstance(value := getattr(node, name, None), str):
                words.add(value)
        if isinstance(node, ast.MatchClass):
            words |= set(node.kwd_attrs)
        if isinstance(node, ast.Global | ast.Nonlocal):
            words |= set(node.names)
    return {word for word in words if VENDOR.search(word)}


def test_every_room_has_its_floor() -> None:
    rooms = {room(module) for module in MODULES} - {"", "sandbox"}
    assert rooms <= {name for names in FLOORS for name in names}


def test_imports_inside_the_daemon_never_run_upwards() -> None:
    wrong = {f"{name} -> {other}" for name, others in GRAPH.items() for other in others if climbs(name, other)}
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
    assert circles(GRAPH) == []


def test_the_test_of_circles_can_fail() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == [["b", "c"]]
    guarded = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from daemon.runtime.worker import Worker"
    assert imports(guarded) == {"daemon.runtime.worker"}


@pytest.mark.parametrize(
    "file", [*GROUND, *files(*(f"daemon/{name}" for name in NAMELESS))], ids=lambda file: str(file.relative_to(ROOT))
)
def test_no_vendor_is_named_outside_its_folder(file: Path) -> None:
    assert vendors_named(file.read_text()) == set()
    assert VENDOR.search(file.name) is None


@pytest.mark.parametrize("file", files("projections"), ids=lambda file: str(file.relative_to(ROOT)))
def test_the_pure_part_speaks_of_sides(file: Path) -> None:
    assert vendors_named(file.read_text()) == SETTLED.get(str(file.relative_to(ROOT)), set())


@pytest.mark.parametrize(
    "source",
    [
        "elation = 1",
        "ELATION_LED = {}",
        "x.kareo_client",
        "f(kareo=1)",
        "import daemon.vendors.kareo.client",
        "from daemon.vendors.elation import wire",
        "def elation_client(): ...",
        "x = 'kareo.sweep'",
        "x = f'{y} in Elation'",
        "match x:\n    case Thing(elation=1): ...",
        "async def f(kareo): ...",
    ],
)
def test_the_test_of_names_can_fail(source: str) -> None:
    assert vendors_named(source)


def test_docstrings_and_comments_may_name_a_vendor() -> None:
    assert vendors_named("relationship, RELATION = correlation, 'Relationship'") == set()
    assert vendors_named('"""Elation."""\n\ndef f():\n    """Kareo."""  # Kareo\n') == set()
