"""STYLE, SQL: queries are in files, and nothing is pasted into one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(
    str(file.relative_to(ROOT))
    for room in ("events", "projections", "daemon")
    for file in (ROOT / room).rglob("*.py")
    if "sandbox" not in file.parts
)
QUERY = re.compile(
    r"^\s*((SELECT|SHOW|TRUNCATE)\s|(WITH \w+ AS|INSERT INTO|UPDATE [\w.]+ (AS \w+ )?SET|DELETE FROM|CREATE (TABLE|SCHEMA))\b)"
)

IN_CODE = {
    "events/migrate.py": "the lock and the table that come before any file was run",
    "daemon/demo/embedded.py": "a database that is thrown away",
}
"""Where a query is beside the code that asks it, and why."""


def queries_in(source: str) -> list[str]:
    """The texts of a file that are queries (names of roles and databases cannot be parameters of one: they are not meant); docstrings are texts, too, but begin otherwise. An f-string is what it begins with."""
    texts = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    return [text for text in texts if isinstance(text, str) and QUERY.match(text)]


def pasted_in(source: str) -> list[str]:
    """The queries that are put together: from an f-string, with `+`, `%` or `format`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.JoinedStr(values=[ast.Constant(value=str() as text), *_, _]) if QUERY.match(text):
                found.append(text)
            case (
                ast.BinOp(left=ast.Constant(value=str() as text))
                | ast.Call(func=ast.Attribute(value=ast.Constant(value=str() as text), attr="format"))
            ) if QUERY.match(text):
                found.append(text)
    return found


def test_every_query_is_in_a_file() -> None:
    found = {name for name in FILES if queries_in((ROOT / name).read_text())}
    assert found == IN_CODE.keys()


@pytest.mark.parametrize("name", FILES)
def test_no_query_is_put_together(name: str) -> None:
    assert pasted_in((ROOT / name).read_text()) == []


@pytest.mark.parametrize(
    "source", ["f'SELECT {x}'", "'SELECT ' + x", "'DELETE FROM %s' % x", "'INSERT INTO {}'.format(x)", "f'SHOW {x} now'"]
)
def test_the_test_of_queries_can_fail(source: str) -> None:
    assert queries_in(source)
    assert pasted_in(source)


def test_a_sentence_is_no_query() -> None:
    assert queries_in("'SELECTED' 'it UPDATEs'; f'GRANT SELECT ON {x}'; 'DELETE BY HAND'; 'UPDATE'") == []
