"""Plain SQL in files, read by name: `-- name: append_events` starts a query, the next name ends it."""

from __future__ import annotations

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def load(file: str) -> dict[str, str]:
    """The queries of `events/sql/<file>.sql` by name."""
    parts = _NAME.split(files("events").joinpath("sql", f"{file}.sql").read_text())
    return dict(zip(parts[1::2], (query.strip() for query in parts[2::2]), strict=True))
