"""The vendors' clocks beside ours, by the answers of a real server that the configuration names."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from structlog.testing import capture_logs

from daemon.runtime.clocks import LATELY, Clocks
from daemon.runtime.surroundings import session
from daemon.vendors.elation.section import ElationConfig


class Vendor:
    """Answers with the `Date` of its own clock, which is `late` by so many seconds."""

    def __init__(self) -> None:
        self.late = 0.0
        self.address = ""

    async def answer(self, _request: web.Request) -> web.Response:
        return web.Response(headers={"Date": formatdate(time.time() - self.late, usegmt=True)})


@pytest_asyncio.fixture
async def vendor() -> AsyncIterator[Vendor]:
    made, app = Vendor(), web.Application()
    app.router.add_get("/{rest:.*}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()


def practice(address: str) -> Any:
    """One whose two systems are at this address, as far as clocks look at it."""
    section = ElationConfig(base_url=address, client_id="c", client_secret_file="f", practice_id=1)
    return SimpleNamespace(section=lambda _role: section)


@pytest.fixture
def clocks(vendor: Vendor) -> Clocks:
    made = Clocks(lambda: datetime.now(UTC))
    made.know([practice(vendor.address)])
    return made


async def asked(clocks: Clocks, vendor: Vendor, times: int = 1) -> None:
    async with session(clocks=clocks) as http:
        for _ in range(times):
            async with http.get(f"{vendor.address}/patients/"):
                pass


async def test_a_clock_that_goes_right_is_told_and_not_logged(clocks: Clocks, vendor: Vendor) -> None:
    with capture_logs() as said:
        await asked(clocks, vendor)
    assert abs(clocks.ahead["elation"]) < 30
    assert said == []


async def test_one_that_is_apart_is_logged_once_and_forgotten_when_it_is_right_again(clocks: Clocks, vendor: Vendor) -> None:
    vendor.late = 120.0
    with capture_logs() as said:
        await asked(clocks, vendor, 3)
    assert clocks.ahead["elation"] > 100
    assert [(one["event"], one["source"], one["seconds"] > 100) for one in said] == [("clock_apart", "elation", True)]
    vendor.late = 0.0
    await asked(clocks, vendor)
    assert abs(clocks.ahead["elation"]) < 30


async def test_an_answer_that_was_long_under_way_says_nothing(clocks: Clocks, vendor: Vendor) -> None:
    """The nearest of the last answers counts; it is found out once all of them are far."""
    await asked(clocks, vendor)
    vendor.late = 120.0
    await asked(clocks, vendor, LATELY - 1)
    assert abs(clocks.ahead["elation"]) < 30
    await asked(clocks, vendor)
    assert clocks.ahead["elation"] > 100


async def test_a_clock_that_is_behind_is_below_zero(clocks: Clocks, vendor: Vendor) -> None:
    clocks.now = lambda: datetime.now(UTC) - timedelta(minutes=3)
    await asked(clocks, vendor)
    assert -182 < clocks.ahead["elation"] < -150


async def test_whose_address_is_in_no_section_is_passed_over(clocks: Clocks, vendor: Vendor) -> None:
    unknowing = Clocks(clocks.now)
    await asked(unknowing, vendor)
    assert unknowing.ahead == {}
