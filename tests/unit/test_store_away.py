"""What PostgreSQL says that passes by itself is told from what does not, by SQLSTATE."""

from __future__ import annotations

import asyncpg
import pytest

from events.store import AWAY

KINDS = [
    one
    for one in vars(asyncpg.exceptions).values()
    if isinstance(one, type) and issubclass(one, asyncpg.PostgresError) and getattr(one, "sqlstate", None)
]
PASSING = ("08", "40", "53", "55", "57")


@pytest.mark.parametrize("kind", KINDS, ids=lambda one: f"{one.sqlstate} {one.__name__}")
def test_what_passes_is_away_and_nothing_else(kind: type[asyncpg.PostgresError]) -> None:
    passing = kind.sqlstate.startswith(PASSING) or kind.sqlstate == "25006"
    assert issubclass(kind, AWAY) is passing


@pytest.mark.parametrize("kind", [asyncpg.InsufficientPrivilegeError, asyncpg.UniqueViolationError, ValueError])
def test_what_stays_as_it_is_is_not(kind: type[Exception]) -> None:
    assert not issubclass(kind, AWAY)
