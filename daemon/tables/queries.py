"""The named queries of the projection tables (`events/sql`)."""

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
