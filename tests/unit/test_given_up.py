"""What cannot be recorded is set aside only where it is to blame itself."""

from __future__ import annotations

import asyncpg
import pytest

from daemon.runtime.given_up import SPARED, is_given_up
from events.codec import KeyMissing
from events.ids import PracticeId
from events.store import Fenced
from events.stray import Stray

WORLD = [
    asyncpg.InsufficientPrivilegeError("x"),
    asyncpg.UndefinedTableError("x"),
    asyncpg.ReadOnlySQLTransactionError("x"),
    asyncpg.DiskFullError("x"),
    ConnectionResetError(),
    TimeoutError(),
    KeyMissing("x"),
    Fenced(PracticeId("elm")),
]
OWN = [
    ValueError("x"),
    OverflowError("x"),
    asyncpg.CharacterNotInRepertoireError("x"),
    asyncpg.UniqueViolationError("x"),
    asyncpg.ProgramLimitExceededError("x"),
]


@pytest.mark.parametrize("error", WORLD, ids=lambda error: type(error).__name__)
def test_nothing_is_set_aside_because_the_world_is_away(error: Exception) -> None:
    assert not any(is_given_up(error, failures) for failures in (1, SPARED, 100))


@pytest.mark.parametrize("error", OWN, ids=lambda error: type(error).__name__)
def test_what_is_to_blame_is_set_aside_at_once(error: Exception) -> None:
    assert is_given_up(error, 1)


@pytest.mark.parametrize("error", [MemoryError(), RecursionError(), Stray()], ids=lambda error: type(error).__name__)
def test_what_may_pass_is_spared_a_few_times(error: Exception) -> None:
    assert [is_given_up(error, failures) for failures in (1, SPARED - 1, SPARED)] == [False, False, True]
