"""How often refused credentials are tried again: vendors lock accounts that keep trying.

One gate per account and secret, shared by all who use it. After a refusal the next tries are 10 and 40 minutes later, then one an hour:
three in the first hour. It opens at once when a person says so (SIGHUP, `chartwire retry`), or for another secret.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import blake2b

from daemon.vendors.ports.errors import CredentialsRefused, Refused

WAITS = (600.0, 1800.0, 3600.0)
"""Seconds until the next try after each refusal in a row; the last one for all further ones."""


class AccountGate:
    """`clock` is monotonic, in seconds (the event loop's own).

    `one_at_first`: each call carries the credentials, so until one is accepted there is one call at a time. Where a token is asked
    for first, its holder sees to that.
    """

    def __init__(self, clock: Callable[[], float] | None = None, *, one_at_first: bool = True) -> None:
        self._clock = clock or _loop_time
        self._known_good = not one_at_first
        self._refusals = 0
        self._shut_until: float | None = None
        self._trying = asyncio.Lock()

    @asynccontextmanager
    async def turn(self, operation: str) -> AsyncIterator[None]:
        """One call with the credentials, held while it is under way and no longer: a call made within another's turn would wait for
        itself. After a refusal there is one at a time until they are accepted.

        Raises CredentialsRefused without any call while the gate is shut.
        """
        alone = not self._known_good and await self._trying.acquire()
        if alone and self._known_good:  # while it waited
            self._trying.release()
            alone = False
        try:
            if alone:
                self.admit(operation)
            async with self._noting():
                yield
        finally:
            if alone:
                self._trying.release()

    def admit(self, operation: str) -> None:
        """Raises CredentialsRefused while the gate is shut: asked before anything else is waited for."""
        if self._shut_until is not None and self._clock() < self._shut_until:
            raise CredentialsRefused(operation, "refused before; not tried again yet")

    @asynccontextmanager
    async def _noting(self) -> AsyncIterator[None]:
        try:
            yield
        except CredentialsRefused:
            self._refused()
            raise
        except Refused:
            self._accepted()
            raise
        self._accepted()

    def _accepted(self) -> None:
        self._known_good, self._refusals, self._shut_until = True, 0, None

    def _refused(self) -> None:
        now = self._clock()
        if self._shut_until is None or now >= self._shut_until:  # what was under way together is one try
            self._shut_until = now + WAITS[min(self._refusals, len(WAITS) - 1)]
            self._refusals += 1
        self._known_good = False

    @property
    def shut(self) -> bool:
        """Whether the credentials were refused and nothing has been accepted since."""
        return self._shut_until is not None

    def reopen(self) -> None:
        """A person says that it may work now: the next call is made."""
        self._refusals, self._shut_until = 0, None


class AccountGates:
    """One gate per account and secret; neither is kept."""

    def __init__(self, *, one_at_first: bool = True) -> None:
        self._one_at_first = one_at_first
        self._gates: dict[str, AccountGate] = {}

    def of(self, *account: str) -> AccountGate:
        name = blake2b("\0".join(account).encode(), digest_size=16).hexdigest()
        return self._gates.setdefault(name, AccountGate(one_at_first=self._one_at_first))


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
