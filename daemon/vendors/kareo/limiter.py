"""Kareo's published limits: a least time between two calls of one operation, per customer key.

One limiter serves every practice of a key in this process. Calls of one operation queue in order and never overlap, so that a
slow network cannot bring two of them closer together at the server than they were sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from hashlib import blake2b

INTERVALS: dict[str, float] = {
    "GetAllPatients": 5.0,
    "GetThrottles": 5.0,
    **dict.fromkeys(
        (
            "GetPatients", "GetAppointments", "GetCharges", "GetPayments", "GetTransactions", "GetExternalVendors",
            "UpdatePatient", "GetAppointmentReasons", "RegisterExternalVendor", "UpdatePatientsExternalID",
        ),
        1.0,
    ),
    **dict.fromkeys(
        (
            "GetAppointment", "GetEncounterDetails", "GetPractices", "GetProviders", "GetServiceLocations",
            "GetProcedureCodes", "CreatePatient", "CreateEncounter", "CreateAppointment", "UpdateAppointment",
            "DeleteAppointment", "UpdateEncounterStatus", "CreatePayment", "UpdateAppointmentStatus",
        ),
        0.5,
    ),
    **dict.fromkeys(("GetPatient", "SearchPatient"), 0.25),
}  # fmt: skip
"""Seconds by operation; unpublished ones count as 1."""

MARGIN = 0.25
"""A gap of exactly the interval still gets refused."""


class IntervalLimiter:
    """The pace of one customer key. `overrides` are seconds by operation; `scale` multiplies everything (rehearsals)."""

    def __init__(self, scale: float = 1.0, overrides: Mapping[str, float] | None = None) -> None:
        self._scale = scale
        self._overrides = dict(overrides or {})
        self._locks: dict[str, asyncio.Lock] = {}
        self._free_at: dict[str, float] = {}
        self._taken: float | None = None
        self.calls: dict[str, int] = {}

    def interval(self, operation: str) -> float:
        """Seconds from the end of one call to the start of the next."""
        return (self._overrides.get(operation, INTERVALS.get(operation, 1.0)) + MARGIN) * self._scale

    def taken_over(self) -> None:
        """Somebody else may have used the key until now: each operation waits its interval from here."""
        self._taken = asyncio.get_running_loop().time()

    @asynccontextmanager
    async def turn(self, operation: str) -> AsyncIterator[None]:
        """Wait for the operation's turn and hold it while the call is under way; without an interval nobody has to wait."""
        if not self.interval(operation):
            self.calls[operation] = self.calls.get(operation, 0) + 1
            yield
            return
        async with self._locks.setdefault(operation, asyncio.Lock()):
            loop = asyncio.get_running_loop()
            free_at = self._free_at.get(operation, 0.0)
            if self._taken is not None:
                free_at = max(free_at, self._taken + self.interval(operation))
            wait = free_at - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            sent = loop.time()
            self.calls[operation] = self.calls.get(operation, 0) + 1
            try:
                yield
            finally:
                # The server counts from the arrival, which lies between sending and answer: from the sending, where the
                # answer took less than the margin; else from the answer.
                answered = loop.time()
                counted = sent if answered - sent < MARGIN * self._scale else answered
                self._free_at[operation] = max(self._free_at.get(operation, 0.0), counted + self.interval(operation))

    def penalize(self, operation: str) -> float:
        """The server said that it was too fast all the same (others use the key): wait a whole interval more."""
        pause = 2 * self.interval(operation)
        self._free_at[operation] = asyncio.get_running_loop().time() + pause
        return pause


class LimiterRegistry:
    """One limiter per customer key; the keys themselves are not kept."""

    def __init__(self) -> None:
        self._limiters: dict[str, IntervalLimiter] = {}

    def for_key(
        self, customer_key: str, scale: float = 1.0, overrides: Mapping[str, float] | None = None
    ) -> IntervalLimiter:
        """The limiter of a key; the first practice of it sets the pace."""
        name = blake2b(customer_key.encode(), digest_size=16).hexdigest()
        return self._limiters.setdefault(name, IntervalLimiter(scale, overrides))
