"""A cancellation that nobody asked for.

A library may raise `CancelledError` of its own. Python's task groups take it for an orderly end, so the work would be gone
without a word: `settled` makes it an error like any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Stray(Exception):
    """Work was cancelled though its task was not."""


class WorkEnded(Exception):
    """Work that has no end has ended."""


async def settled(work: Awaitable[T]) -> T:
    """The result of `work`. Raises Stray for a cancellation that nobody asked for."""
    task = asyncio.current_task()
    assert task is not None
    before = task.cancelling()
    try:
        return await work
    except asyncio.CancelledError as error:
        if task.cancelling() > before:
            raise
        raise Stray from error


async def endless(name: str, work: Awaitable[None]) -> None:
    """Work that only a cancellation may end. Raises what it raises, Stray or WorkEnded."""
    await settled(work)
    raise WorkEnded(name)
