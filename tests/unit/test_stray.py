"""A cancellation that nobody asked for is an error; one that somebody asked for stays one."""

from __future__ import annotations

import asyncio

import pytest

from events.stray import Stray, WorkEnded, endless, settled


async def cancelled() -> None:
    raise asyncio.CancelledError


async def done() -> None:
    """Ends at once."""


async def test_a_cancellation_that_nobody_asked_for_is_an_error() -> None:
    with pytest.raises(Stray):
        await settled(cancelled())


async def test_a_task_that_is_cancelled_ends_so() -> None:
    task = asyncio.create_task(settled(asyncio.Event().wait()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_time_out_stays_a_time_out() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await settled(asyncio.Event().wait())


async def test_work_without_an_end_that_ends_fails() -> None:
    with pytest.raises(WorkEnded):
        await endless("work", done())
    with pytest.raises(Stray):
        await endless("work", cancelled())
