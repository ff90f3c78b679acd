"""The source of the three packages, as tests of the house read it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


PACKAGES = ("events", "projections", "daemon")


IMPORTERS = {"import_module", "__import__", "resolve_name", "run_module", "run_path", "exec", "eval", "find_loader"}
"""What imports by a name, or runs what does."""

_IMPORTS = re.compile(rf"\b({'|'.join(IMPORTERS)}|modules)\b")


def files(*folders: str) -> list[Path]:
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(file): file for file in files(*PACKAGES)}


def text_of(node: ast.AST | None) -> str | None:
    """The text that an expression comes to as far as it stands in the source: `"a" + "b"`, `f"a{'b'}{c}"`, `"".join(("a", "b"))`."""
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.Constant(value=bytes() as text):
            return text.decode("latin-1")
        case ast.BinOp(left=left, op=ast.Add() | ast.Mod(), right=right):
            parts = [text_of(left), text_of(right)]
        case ast.JoinedStr(values=values):
            parts = [text_of(one) for one in values]
        case ast.FormattedValue(value=value):
            return text_of(value)
        case ast.Call(
            func=ast.Attribute(value=ast.Constant(value=str() as between), attr="join"),
            args=[ast.Tuple() | ast.List() as given],
        ):
            return between.join(text_of(one) or "" for one in given.elts)
        case _:
            return None
    return "".join(part or "" for part in parts)


def by_name(source: str) -> list[str]:
    """What a file imports by a name, or has run, as far as the source tells."""
    if _IMPORTS.search(source) is None:
        return []
    tree = ast.parse(source)
    renamed = {
        alias.asname: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    named = (
        (getattr(node.func, "attr", getattr(node.func, "id", "")), node.args)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    )
    found = [text_of(args[0] if args else None) or "" for name, args in named if renamed.get(name, name) in IMPORTERS]
    loaded = [
        node for node in ast.walk(tree) if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "sys.modules"
    ]
    return found + [text_of(node.slice) or "" for node in loaded]
