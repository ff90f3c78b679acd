"""Writing: what a sink asks of a vendor, and what a vendor asks before each call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from events.writes import AnyResult, AnyWrite

Guard = Callable[[], Awaitable[None]]
"""Asked last before each call: returns while the practice is this owner's, raises once it is another's."""

CallMeter = Callable[[str, str, float], None]
"""Hears of each call: (operation, outcome, seconds)."""

TurnMeter = Callable[[str, float], None]
"""Hears how long each call waited for its turn: (operation, seconds)."""


class Writer(Protocol):
    """What knows how to carry out writes in one system."""

    async def write(self, wanted: Callable[[], AnyWrite]) -> AnyResult:
        """Do what is `wanted`, asked again after every wait: some of it may have been agreed otherwise meanwhile.

        Raises the errors of `daemon.vendors.ports.errors`, NotAsWritten or ChangedMeanwhile.
        """

    async def look_up(self, write: AnyWrite) -> AnyResult | None:
        """Whether an attempt whose answer was lost has done it: the result, or None when it certainly has not."""
