"""The listener of the metrics: how many series many practices are, what they say, and that it stays beside the worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from daemon.demo.embedded import free_port
from daemon.runtime.metrics import CODES, OTHER, MetricsEndpoint
from daemon.servers import MetricsConfig
from daemon.telemetry import Meter
from tests.acceptance.test_metrics import samples
from tests.bench.scrape import NOW, ManyPractices, Pool, heard, series, served
from tests.conftest import until


def config(*, per_practice: bool = True) -> MetricsConfig:
    return MetricsConfig(listen=f"127.0.0.1:{free_port()}", per_practice=per_practice)


async def test_a_thousand_practices_are_under_5000_series() -> None:
    """Every operation with every outcome, every code, every resource with every status: nothing is left to come."""
    text, _ = await served(ManyPractices(1000), config())
    assert 3000 < series(text) < 5000


async def test_without_series_of_single_practices_their_number_does_not_matter() -> None:
    few, _ = await served(ManyPractices(100), config(per_practice=False))
    many, _ = await served(ManyPractices(1000), config(per_practice=False))
    assert series(few) == series(many) < 2000
    assert "practice-0" not in many


async def test_practices_are_told_apart_by_class_and_state() -> None:
    text, _ = await served(ManyPractices(1000), config())
    found = samples(text)
    assert {one["state"]: value for one, value in found["chartwire_practices"]} == {
        "owned": 1000,
        "at_work": 900,
        "failing": 450,
        "not_taken": 100,
    }
    waiting = {one["code"]: value for one, value in found["chartwire_waiting_items"]}
    assert set(waiting) == CODES | {OTHER}, "a code of a later version is no series of its own"
    assert waiting["conflict"] == 2000
    oldest = {(one["class"], one["system"]): value for one, value in found["chartwire_oldest_unwritten_seconds"]}
    assert oldest["live", "kareo"] == 898
    assert oldest["observe", "kareo"] == 882
    failing = {(one["source"], one["error"]): value for one, value in found["chartwire_passes_failing"]}
    assert failing["elation.chart", "Malformed"] == 450, "no chart's number, and no number of an error"
    assert {one["class"]: value for one, value in found["chartwire_messages_unrecorded"]} == {"live": 6300, "observe": 700}
    assert {one["vendor"]: value for one, value in found["chartwire_accounts_refused"]} == {"elation": 1, "kareo": 1}


async def test_a_silence_grows_between_two_looks_at_the_database() -> None:
    worker = ManyPractices(10)
    worker.seen = worker.seen[0], asyncio.get_running_loop().time() - 100.0
    text, _ = await served(worker, config())
    ages = [value for one, value in samples(text)["chartwire_silent_seconds"] if one["vendor"] == "kareo"]
    assert all(140 <= age < 200 for age in ages)


@asynccontextmanager
async def listening(given: MetricsConfig, meter: Meter) -> AsyncIterator[aiohttp.ClientSession]:
    running = asyncio.create_task(MetricsEndpoint(ManyPractices(10), Pool(), meter, given).run(lambda: NOW))
    try:
        async with aiohttp.ClientSession(f"http://{given.listen}") as http:

            async def up() -> bool:
                try:
                    async with http.get("/metrics") as answer:
                        return answer.status == 200
                except aiohttp.ClientConnectorError:
                    return False

            await until(up)
            yield http
    finally:
        running.cancel()
        await asyncio.wait([running])


async def test_nothing_but_metrics_is_served_there() -> None:
    async with listening(config(), heard()) as http:
        for method, path in (
            ("GET", "/"),
            ("GET", "/health"),
            ("POST", "/metrics"),
            ("POST", "/webhooks/elation/elm/patients"),
        ):
            async with http.request(method, path) as answer:
                assert answer.status in (404, 405), path
        async with http.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}) as answer:
            assert answer.content_type == "application/openmetrics-text"
            assert (await answer.text()).endswith("# EOF\n")


async def test_a_meter_that_is_not_scraped_shows_the_state_all_the_same() -> None:
    async with listening(config(), Meter()) as http, http.get("/metrics") as answer:
        found = samples(await answer.text())
    assert "chartwire_practices" in found
    assert "chartwire_vendor_calls_total" not in found


async def test_the_event_loops_delay_is_measured_while_it_serves() -> None:
    meter = heard()
    before = len(meter.seconds["loop_delay"])
    async with listening(config(), meter):
        await until(lambda: len(meter.seconds["loop_delay"]) > before)


async def test_an_address_that_is_taken_is_an_error_of_this_task_alone() -> None:
    """The worker's side tasks are begun again after a pause (runtime/supervision.py)."""
    given = config()
    runner = web.AppRunner(web.Application())
    await runner.setup()
    host, _, port = given.listen.partition(":")
    await web.TCPSite(runner, host, int(port)).start()
    try:
        with pytest.raises(OSError, match=port):
            await MetricsEndpoint(ManyPractices(1), Pool(), Meter(), given).run(lambda: NOW)
    finally:
        await runner.cleanup()
