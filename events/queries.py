"""Plain SQL in files, read by name: `-- name: append_events` starts a query, a line says what it is for, the next name ends it."""

from __future__ import annotations

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)\n-- .+\n", re.MULTILINE)


def load(*names: str) -> dict[str, str]:
    """The queries of `events/sql/<name>.sql` by name."""
    found: dict[str, str] = {}
    for name in names:
        parts = _NAME.split(files("events").joinpath("sql", f"{name}.sql").read_text())
        found |= zip(parts[1::2], (query.strip() for query in parts[2::2]), strict=True)
    return found
