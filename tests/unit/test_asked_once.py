"""The same request is asked once."""

from __future__ import annotations

import asyncio
from collections import Counter

from daemon.vendors.ports.passes import Passes
from tests.conftest import PRACTICE


async def test_a11_what_was_asked_for_and_has_not_begun_is_the_same_request() -> None:
    passes, read, begun, go_on = Passes("test", PRACTICE), Counter[str](), asyncio.Event(), asyncio.Event()

    def reading(what: str) -> None:
        async def read_it() -> None:
            read[what] += 1
            begun.set()
            await go_on.wait()

        passes.once(what, read_it)

    for _ in range(300):
        reading("patient:7")
    reading("patient:8")
    working = asyncio.create_task(passes.extras())
    await begun.wait()
    for _ in range(300):
        reading("patient:7")  # the first one may have read what was there before
    go_on.set()
    while read.total() < 3:
        await asyncio.sleep(0)
    reading("patient:9")
    while read["patient:9"] == 0:
        await asyncio.sleep(0)
    working.cancel()
    assert read == {"patient:7": 2, "patient:8": 1, "patient:9": 1}


async def test_a11_another_reason_is_another_request() -> None:
    passes, read = Passes("test", PRACTICE), Counter[int]()
    for reason in (1, 2, 2):

        async def read_it(reason: int = reason) -> None:
            read[reason] += 1

        passes.once("patient:7", read_it, reason)
    working = asyncio.create_task(passes.extras())
    while read.total() < 2:
        await asyncio.sleep(0)
    working.cancel()
    assert read == {1: 1, 2: 1}
