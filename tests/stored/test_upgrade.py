"""deploy/UPGRADE.md says what the formats are, and no migration takes away what an older worker uses."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from daemon.demo.embedded import EmbeddedPostgres
from events.formats import FORMAT, require_format
from events.keys import Keyring
from tests.conftest import PRACTICE, TEMPLATE
from tests.stored.older import OLDER, ROOT, TAKE, unpacked
from tests.stored.shape import digest

ROWS = re.compile(r"^\| (\d+) \| `(\w+)` \| `?(\w+)`? \|", re.MULTILINE)
MIGRATIONS = {
    one.name: one.read_text() for one in files("events").joinpath("migrations").iterdir() if one.name.endswith(".sql")
}
BODY = re.compile(r"\$\$.*?\$\$", re.DOTALL)
REMARK = re.compile(r"--[^\n]*")
MADE = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?([\w.]+)")
UNSAFE = {
    "takes something away": re.compile(r"\bDROP\b|\bTRUNCATE\b"),
    "gives something another name": re.compile(r"\bRENAME\b"),
    "narrows a column": re.compile(r"ALTER COLUMN|SET NOT NULL|ADD CHECK|ADD CONSTRAINT|ADD UNIQUE|ADD FOREIGN|ADD PRIMARY"),
    "adds a column that an older worker does not fill": re.compile(r"ADD COLUMN(?!.*\bDEFAULT\b).*NOT NULL"),
    "takes a right from the daemon": re.compile(r"\bREVOKE\b.*\bFROM\b.*chartwire_daemon"),
    "changes what is stored": re.compile(r"^(?:UPDATE|DELETE)\b"),
    "forbids rows that an older worker may write": re.compile(
        r"CREATE (?:UNIQUE INDEX|TRIGGER|RULE|POLICY)|ROW LEVEL SECURITY"
    ),
}
"""What a migration's statement may not do to a table that an older worker knows."""

SAFE_ALL_THE_SAME = {
    ("0023_formats.sql", "CREATE TRIGGER guard_formats"): "refuses an older worker after `migrate --finish` only",
}


def statements(text: str) -> list[str]:
    """A migration's statements, each in one line, without the bodies of functions and remarks."""
    plain = REMARK.sub("", BODY.sub("$$", text))
    return [" ".join(one.split()) for one in plain.split(";") if one.strip()]


def unsafe(text: str) -> list[tuple[str, str]]:
    """(statement, why) of everything that an older worker could trip over; what is about the migration's own tables is not."""
    own = {name for one in statements(text) for name in MADE.findall(one)}
    found = []
    for one in statements(text):
        about_own = any(re.search(rf"\b{re.escape(name)}\b", one) for name in own)
        found += [(one, why) for why, pattern in UNSAFE.items() if pattern.search(one) and not about_own]
    return found


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The older version's events: its migrations and queries."""
    return unpacked(OLDER, tmp_path_factory.mktemp("older"), "events", "projections", "daemon") / "events"


def test_the_table_of_formats_is_what_the_code_says() -> None:
    rows = ROWS.findall((ROOT / "deploy" / "UPGRADE.md").read_text())
    assert [version for _, _, version in rows] == ["this", OLDER]
    (number, shape, _), (before, shape_before, _) = rows
    assert int(number) == FORMAT
    assert int(before) < FORMAT
    assert digest() == shape, (
        "a stored type or a migration has changed: put the new shape into deploy/UPGRADE.md (Formats), and read there whether "
        "this is a new format"
    )
    assert shape != shape_before


def test_no_migration_since_then_takes_away_what_an_older_worker_uses(older: Path) -> None:
    known = {one.name for one in (older / "migrations").glob("*.sql")}
    assert known < MIGRATIONS.keys()
    for name in known:
        assert (older / "migrations" / name).read_text() == MIGRATIONS[name], (
            f"{name} was applied already: a new one, please"
        )
    found = [
        (name, one, why)
        for name in sorted(MIGRATIONS.keys() - known)
        for one, why in unsafe(MIGRATIONS[name])
        if not any(name == where and one.startswith(what) for where, what in SAFE_ALL_THE_SAME)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("why", "statement"),
    [
        ("takes something away", "ALTER TABLE chartwire.patient DROP COLUMN doc"),
        ("takes something away", "DROP INDEX chartwire.event_by_chart"),
        ("gives something another name", "ALTER TABLE chartwire.observed RENAME TO chartwire.seen"),
        ("narrows a column", "ALTER TABLE chartwire.event ALTER COLUMN patient_key SET NOT NULL"),
        ("narrows a column", "ALTER TABLE chartwire.link ADD CONSTRAINT one CHECK (kareo_patient > 0)"),
        ("adds a column that an older worker does not fill", "ALTER TABLE chartwire.patient ADD COLUMN form integer NOT NULL"),
        ("takes a right from the daemon", "REVOKE UPDATE ON chartwire.report FROM chartwire_daemon"),
        ("changes what is stored", "UPDATE chartwire.checkpoint SET value = ''"),
        ("forbids rows that an older worker may write", "CREATE UNIQUE INDEX once ON chartwire.waiting (practice, code)"),
        ("forbids rows that an older worker may write", "CREATE TRIGGER no BEFORE INSERT ON chartwire.report EXECUTE FUNCTION x()"),
    ],
)  # fmt: skip
def test_a_migration_that_an_older_worker_could_trip_over_is_found_by_its_words(why: str, statement: str) -> None:
    assert unsafe(f"-- Fine in itself.\n{statement};\n") == [(statement, why)]


def test_what_a_migration_does_to_its_own_tables_and_what_only_adds_is_safe() -> None:
    text = """
    CREATE TABLE chartwire.once (practice text NOT NULL, number integer NOT NULL);
    CREATE UNIQUE INDEX once_number ON chartwire.once (number);
    ALTER TABLE chartwire.patient ADD COLUMN form integer NOT NULL DEFAULT 0;
    CREATE INDEX patient_form ON chartwire.patient (form);
    GRANT SELECT ON chartwire.once TO chartwire_daemon;
    CREATE FUNCTION chartwire.f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM x; DROP TABLE y; END $$;
    """
    assert unsafe(text) == []


async def test_the_older_version_itself_takes_a_practice_until_the_database_is_finished(
    older: Path, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    """By its own code, in a process of its own; this version has it in between."""
    owner = await postgres.create_database("older_takes", template=TEMPLATE)
    dsn = postgres.dsn("older_takes", "chartwire")
    Keyring.create_key(tmp_path, PRACTICE)

    async def take(folder: Path) -> str:
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", TAKE, dsn, str(tmp_path), PRACTICE],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert [await take(folder) for folder in (older.parent, ROOT, older.parent, ROOT)] == ["1", "2", "3", "4"]
    connection = await asyncpg.connect(owner)
    try:
        await require_format(connection)
    finally:
        await connection.close()
    sentence = (
        "since chartwire migrate --finish this database takes workers of format {} or newer, and this one has format 1"
    )
    assert [await take(folder) for folder in (older.parent, ROOT)] == [sentence.format(FORMAT), "5"]


async def refused(connection: Any, folder: Path) -> dict[str, str]:
    """The queries of the older version that the database does not take, with what it says."""
    found: dict[str, str] = {}
    texts = [one.read_text() for one in sorted((folder / "sql").glob("*.sql"))]
    queries = dict(re.findall(r"^-- name: (\w+)\n-- .+\n((?:(?!-- name: ).*\n?)+)", "\n".join(texts), re.MULTILINE))
    assert len(queries) > 100
    for name, query in queries.items():
        try:
            await connection.prepare(query)
        except asyncpg.PostgresError as error:
            found[name] = type(error).__name__
    return found


async def test_the_migrated_database_takes_every_query_of_an_older_worker(older: Path, postgres: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(await postgres.create_database("queries_of_then", template=TEMPLATE))
    try:
        assert await refused(connection, older) == {}
        await connection.execute("ALTER TABLE chartwire.observed DROP COLUMN parent")
        assert "UndefinedColumnError" in (await refused(connection, older)).values(), "a planted one is found"
    finally:
        await connection.close()
