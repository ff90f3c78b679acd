"""Queries are in files, and nothing is pasted into one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from events.queries import load
from tests.unit.source import text_of

ROOT = Path(__file__).parents[2]
FILES = sorted(
    str(file.relative_to(ROOT))
    for room in ("events", "projections", "daemon")
    for file in (ROOT / room).rglob("*.py")
    if "sandbox" not in file.parts
)
QUERY = re.compile(
    r"^\s*((SELECT|SHOW|TRUNCATE)\s|(WITH \w+ AS|INSERT INTO|UPDATE [\w.]+ (AS \w+ )?SET|DELETE FROM|CREATE (TABLE|SCHEMA))\b|(?i:(select|delete)\s.*\sfrom|insert into|update [\w.]+ set)\s)"
)
PART = re.compile(r"\b(INSERT INTO|DELETE FROM|WHERE|RETURNING|ORDER BY|GROUP BY|ON CONFLICT|VALUES) *(\(|\w|\*|\$|$)")
"""What stands in a query and in no sentence."""

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
    """The queries that are put together: from an f-string, with `+`, `%`, `format` or `join`; and those of a file that are altered."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.JoinedStr() | ast.BinOp():
                text = text_of(node) or ""
            case ast.Call(func=ast.Attribute(value=ast.Constant(value=str() as between), attr="format" | "join"), args=args):
                text = " ".join([between, *(text_of(one) or "" for each in args for one in getattr(each, "elts", [each]))])
            case _:
                text = ""
        if QUERY.match(text) or PART.search(text):
            found.append(text)
        parts = [getattr(node, name, None) for name in ("left", "right")] if isinstance(node, ast.BinOp) else []
        if isinstance(node, ast.Attribute | ast.FormattedValue):
            parts = [node.value]
        found += [
            ast.unparse(node) for part in parts if isinstance(part, ast.Subscript) and "SQL" in ast.unparse(part.value)
        ]
    return found


def test_every_query_is_in_a_file() -> None:
    found = {name for name in FILES if queries_in((ROOT / name).read_text())}
    assert found == IN_CODE.keys()


def test_no_query_is_put_together() -> None:
    assert {name: found for name in FILES if (found := pasted_in((ROOT / name).read_text()))} == {}


@pytest.mark.parametrize(
    "source", ["f'SELECT {x}'", "'SELECT ' + x", "'DELETE FROM %s' % x", "'INSERT INTO {}'.format(x)", "f'SHOW {x} now'"]
)
def test_the_test_of_queries_can_fail(source: str) -> None:
    assert queries_in(source)
    assert pasted_in(source)


@pytest.mark.parametrize(
    "source",
    [
        "f'select {x} from t'",
        "f'{x} WHERE practice = 1'",
        "' '.join(['SELECT', x])",
        "' WHERE '.join([x, y])",
        "SQL['save_holds'] + x",
        "SQL['save_holds'].replace('a', x)",
        "f\"{_SQL['save_holds']} LIMIT 1\"",
        "x + ' ORDER BY sequence'",
    ],
)
def test_a_query_in_parts_is_seen(source: str) -> None:
    assert pasted_in(source)


def test_a_sentence_is_no_query() -> None:
    assert queries_in("'SELECTED' 'it UPDATEs'; f'GRANT SELECT ON {x}'; 'DELETE BY HAND'; 'UPDATE'") == []


def test_every_query_has_a_name_of_its_own_and_a_line_that_says_what_it_is_for() -> None:
    """One without the line would be a part of the query before it."""
    folder = ROOT / "events" / "sql"
    named = [
        name
        for file in sorted(folder.glob("*.sql"))
        for name in re.findall(r"^-- name: *(\S*)", file.read_text(), re.MULTILINE)
    ]
    assert len(named) > 100
    assert sorted(named) == sorted(load(*(file.stem for file in folder.glob("*.sql"))))
