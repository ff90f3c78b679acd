"""How long to wait before the next try: the one value behind every loop that tries again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """Pauses between tries, in seconds: `first` after the first failure, times `growth` after each further one, up to `longest`.

    A share of each pause, at most `jitter`, is left out at random: who failed together does not come back together.
    """

    first: float = 1.0
    longest: float = 300.0
    growth: float = 2.0
    jitter: float = 0.5

    def pause(self, failures: int, uniform: Callable[[float, float], float] = random.uniform) -> float:
        """The pause after so many failures in a row, 1 and more; `uniform` draws a number between two."""
        pause = min(self.longest, self.first * self.growth ** min(failures - 1, 32))
        return uniform(pause * (1.0 - self.jitter), pause)


class Hurried:
    """Pauses that somebody can end: `now` ends all that are under way."""

    def __init__(self) -> None:
        self._now = asyncio.Event()

    def now(self) -> None:
        """End every pause."""
        self._now.set()
        self._now = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Pause for so many seconds, or until `now`."""
        try:
            async with asyncio.timeout(seconds):
                await self._now.wait()
        except TimeoutError:
            pass
