"""Schema migrations: forward only, numbered, each in a transaction, one runner at a time."""

from __future__ import annotations

from importlib.resources import files

import asyncpg

from events import queries

SQL = queries.load("server")
LOCK = 0x63686172  # "char"


async def migrate(dsn: str) -> list[str]:
    """Apply what is missing, as the schema's owner; returns the names of the migrations applied, in order."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        await connection.execute(
            """
            CREATE SCHEMA IF NOT EXISTS chartwire;
            CREATE TABLE IF NOT EXISTS chartwire.schema_migration (
                name text PRIMARY KEY,
                applied_at timestamptz NOT NULL DEFAULT now()
            );
            """
        )
        done = {row["name"] for row in await connection.fetch(SQL["migrations_done"])}
        applied = []
        for script in sorted(files("events").joinpath("migrations").iterdir(), key=lambda one: one.name):
            if not script.name.endswith(".sql") or script.name in done:
                continue
            async with connection.transaction():
                await connection.execute(script.read_text())
                await connection.execute("INSERT INTO chartwire.schema_migration (name) VALUES ($1)", script.name)
            applied.append(script.name)
        return applied
    finally:
        await connection.close()
