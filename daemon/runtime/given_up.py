"""Whether what cannot be recorded is set aside, or waits until it can be.

Nothing is set aside because the world is away: PostgreSQL, a right that was revoked, a key that is missing. What may pass by itself
(no memory left) is the fault of what is recorded only once it has failed a few times in a row.
"""

from __future__ import annotations

from events.codec import KeyMissing
from events.store import Fenced, is_to_blame
from events.stray import Stray

MAY_PASS = (MemoryError, RecursionError, Stray)
SPARED = 3
"""Failures in a row after which even what may pass is given up."""


def is_given_up(error: Exception, failures: int) -> bool:
    """Whether to set aside what met `error`, the `failures`-th in a row."""
    if isinstance(error, KeyMissing | Fenced):
        return False
    if isinstance(error, MAY_PASS):
        return failures >= SPARED
    return is_to_blame(error)
