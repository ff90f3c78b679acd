"""The named queries of the projection tables and of the web pages (`events/sql`)."""

from __future__ import annotations

from events import queries

SQL = queries.load(
    "documents",
    "links",
    "open",
    "observed",
    "status",
    "lists",
    "matching",
    "days",
    "maps",
    "look_ups",
    "duplicates",
    "metrics",
    "notices",
    "history",
    "server",
)

CONSOLE = queries.load("console")
"""Those of the web pages, which the console's own role may ask: who is signed in, what waits and how much was written."""
