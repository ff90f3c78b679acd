"""Rounds of a benchmark: every side is measured once in each, so that a slow minute of the machine falls on all of them."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from tests.bench.table import Line, merged, progress

Side = Callable[[], Awaitable[float]]


def order(number: int, names: list[str]) -> list[str]:
    """The sides of a round: what goes first in one goes last in the next."""
    return names if number % 2 == 0 else names[::-1]


async def interleaved(number: int, sides: Mapping[str, Side]) -> dict[str, float]:
    """What each side gives in this round; garbage of one side is not collected on another's time."""
    found = {}
    for name in order(number, list(sides)):
        gc.collect()
        found[name] = await sides[name]()
    return found


async def in_turns(number: int, sides: Mapping[str, AsyncIterator[float]]) -> dict[str, float]:
    """The seconds of each side's batches together; the sides do one batch each in turn, until all are done."""
    left, spent, turn = list(sides), dict.fromkeys(sides, 0.0), number
    gc.collect()
    while left:
        for name in order(turn, left):
            seconds = await anext(sides[name], None)
            if seconds is None:
                left = [one for one in left if one != name]
            else:
                spent[name] += seconds
        turn += 1
    return spent


async def repeated(part: str, rounds: int, work: Callable[[int], Awaitable[list[Line]]]) -> list[Line]:
    """The lines of that many rounds, one line a figure."""
    found = []
    for number in range(rounds):
        progress(f"{part}: round {number + 1} of {rounds}")
        found.append(await work(number))
    return merged(found)
