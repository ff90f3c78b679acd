"""Passwords: how they are kept (argon2id), and what is asked of a new one."""

from __future__ import annotations

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 12, 200
HASHER = PasswordHasher()
"""RFC 9106, low memory: 64 MiB and 3 passes."""
NOBODYS = HASHER.hash("nobody's: what is checked where there is no such user, so that the answer takes as long")
AT_ONCE = 4
"""Each takes 64 MiB for a moment."""


class Passwords:
    """Hashes and checks in threads, a few at once."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(AT_ONCE)

    async def hashed(self, password: str) -> str:
        """What is kept of a password."""
        async with self._room:
            return await asyncio.to_thread(HASHER.hash, password)

    async def fits(self, kept: str, password: str) -> bool:
        """Whether it is the password; an empty `kept` takes as long and fits nothing."""
        async with self._room:
            return await asyncio.to_thread(_fits, kept or NOBODYS, password[: LONGEST + 1]) and bool(kept)


def _fits(kept: str, password: str) -> bool:
    try:
        return HASHER.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False


def too_weak(name: str, password: str) -> str:
    """What is wrong with a new password; "" for one that will do."""
    if len(password) < SHORTEST:
        return f"needs at least {SHORTEST} characters"
    if len(password) > LONGEST:
        return f"may have {LONGEST} characters at most"
    if len(set(password)) < 5 or name.casefold() in password.casefold():
        return "is too easy to guess: a few words that only you would put together are better"
    return ""
