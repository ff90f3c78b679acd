"""No vendor is named outside its own folder, nor told from another without its name."""

from __future__ import annotations

import ast
import re

import pytest

from tests.unit.source import ROOT, files, text_of

VENDOR = re.compile(r"(?<!r)elation|kareo|tebra", re.IGNORECASE)
"""Not `relation` and `correlation`."""


NAMELESS = ("runtime", "operator", "history", "tables", "cli", "console", "vendors/ports")


SETTLED = {
    "projections/terms/names.py": {"Elation", "elation", "Kareo", "kareo"},
    "projections/terms/policy.py": {"kareo->elation", "elation->kareo", "kareo-led", "elation-led"},
    "projections/rules/links.py": {"kareo-patient:"},
}
"""What the pure part says of vendors, all in text: their names by default, what configurations say, and what charts carry by now."""


GROUND = sorted((ROOT / "daemon").glob("*.py"))


SPOKEN_OF = [
    *GROUND,
    *(one for name in NAMELESS for one in sorted((ROOT / "daemon" / name).rglob("*")) if one.suffix != ".pyc"),
]
"""Every file that names no vendor, and every folder."""


OPEN = {"daemon.vendors.registry": {"Registry"}, "daemon.vendors.sections": {"SECTIONS"}}
"""What those files may import of the vendors beside the ports: it holds them all, and tells none from another."""


def vendors_named(source: str) -> set[str]:
    """The identifiers and strings of a file that name a vendor; docstrings and comments are not looked at."""
    tree = ast.parse(source)
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}
    words: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes) and id(node) not in docs:
            words.add(node.value if isinstance(node.value, str) else node.value.decode("latin-1"))
        elif isinstance(node, ast.BinOp | ast.JoinedStr | ast.Call) and (text := text_of(node)) is not None:
            words.add(text)
        for name in ("id", "attr", "arg", "name", "asname", "module", "rest"):
            if isinstance(value := getattr(node, name, None), str):
                words.add(value)
        if isinstance(node, ast.MatchClass):
            words |= set(node.kwd_attrs)
        if isinstance(node, ast.Global | ast.Nonlocal):
            words |= set(node.names)
    return {word for word in words if VENDOR.search(word)}


def told_apart(source: str) -> list[str]:
    """Where a file branches on which vendor it is, without naming one: on what only one of them is called, or on its place in the row."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Compare(left=left, comparators=others):
                sides = [left, *others]
                if any(is_product(one) for one in sides) and any(is_fixed(one) for one in sides):
                    found.append(ast.unparse(node))
            case ast.Match(subject=subject) if is_product(subject):
                found.append(ast.unparse(subject))
            case ast.Subscript(value=value) | ast.Assign(targets=[ast.Tuple()], value=value) if ast.unparse(value) in {
                "SECTIONS",
                "VENDORS",
            }:
                found.append(ast.unparse(value))
            case ast.ImportFrom(module=str() as module, names=names) if module.split(".")[:2] == ["daemon", "vendors"]:
                others_of = {alias.name for alias in names} - OPEN.get(module, set())
                if others_of and not module.startswith("daemon.vendors.ports."):
                    found += others_of
            case ast.Import(names=names):
                found += [alias.name for alias in names if alias.name.startswith("daemon.vendors")]
    return found


def is_product(node: ast.expr) -> bool:
    """Whether it is how a system is called, or the defaults of that."""
    return (isinstance(node, ast.Attribute) and node.attr in {"label", "prefix"}) or "Names()" in ast.unparse(node)


def is_fixed(node: ast.expr) -> bool:
    """Whether it stands in the code: a text, a constant, or several; "" is how nobody is called."""
    if isinstance(node, ast.Constant):
        return bool(node.value)
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(is_fixed(one) for one in node.elts)
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name.isupper() or "Names()" in ast.unparse(node)


def test_no_vendor_is_named_or_told_apart_outside_its_folder() -> None:
    assert [file for file in SPOKEN_OF if VENDOR.search(str(file.relative_to(ROOT)))] == []
    sources = {file: file.read_text() for file in SPOKEN_OF if file.suffix == ".py"}
    assert {file: named for file, source in sources.items() if (named := vendors_named(source))} == {}
    assert {file: apart for file, source in sources.items() if (apart := told_apart(source))} == {}
    shown = [file for file in SPOKEN_OF if file.suffix in {".html", ".css", ".js"}]
    assert [file for file in shown if VENDOR.search(file.read_text())] == []


def test_the_pure_part_speaks_of_sides() -> None:
    found = {str(file.relative_to(ROOT)): vendors_named(file.read_text()) for file in files("projections")}
    assert {file: named for file, named in found.items() if named} == SETTLED


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
        "x = 'ela' 'tion'",
        "x = 'ela' + 'tion'",
        "x = 'ka' + f'{y}' + 'reo'",
        "x = f\"{'ka'}reo\"",
        "x = ''.join(['ela', 'tion'])",
        "x = b'Kareo'",
        "x = '\\x6bareo'",
        "def f():\n    from daemon.vendors.kareo import wire",
        "import_module('daemon.vendors.kareo.wire')",
        "class ElationThing: ...",
        "global kareo",
    ],
)
def test_the_test_of_names_can_fail(source: str) -> None:
    assert vendors_named(source)


def test_docstrings_and_comments_may_name_a_vendor() -> None:
    assert vendors_named("relationship, RELATION = correlation, 'Relationship'") == set()
    assert vendors_named('"""Elation."""\n\ndef f():\n    """Kareo."""  # Kareo\n') == set()


@pytest.mark.parametrize(
    "source",
    [
        "if policy.names.ehr.label == FIRST: ...",
        "if 'X' == section.system.prefix: ...",
        "if one.label in (A_LABEL, B_LABEL): ...",
        "if policy.names == Names(): ...",
        "match names.billing.label:\n    case _: ...",
        "first = SECTIONS[0]",
        "first, second = SECTIONS",
        "from daemon.vendors.registry import VENDORS",
        "from daemon.vendors.registry import Kind as Registry",
        "from daemon.vendors import registry",
        "def f():\n    import daemon.vendors.registry as r",
    ],
)
def test_the_test_of_branches_can_fail(source: str) -> None:
    assert told_apart(source)


def test_who_has_a_prefix_may_be_asked() -> None:
    assert told_apart("if section.system.prefix == prefix or not one.label == '': ...") == []
    assert (
        told_apart(
            "from daemon.vendors.ports.vendor import Side\nfrom daemon.vendors.sections import SECTIONS\nload(SECTIONS)"
        )
        == []
    )
