"""The network between the recorder and PostgreSQL fails in every way, at every step: the same events are there in the end."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from msgspec.structs import replace

from daemon.demo.embedded import EmbeddedPostgres
from events.codec import Keyring
from events.schema import BillingChartObserved, ChangeQuarantined
from events.store import AWAY, Store
from events.topics import Change, Checkpoint
from tests.conftest import PRACTICE
from tests.faults.proxy import KINDS, Proxy, proxy
from tests.integration.recorder_driver import ADA_THERE, RecorderDriver, insured
from tests.unit.records import ADA

BATCHES = 30


@pytest_asyncio.fixture
async def network(postgres: EmbeddedPostgres) -> AsyncIterator[Proxy]:
    async with proxy(postgres.port) as one:
        yield one


async def record(driver: RecorderDriver, messages: list[Change | Checkpoint]) -> int:
    """As a worker does it: again, until it is recorded. Returns how often it failed."""
    for failures in itertools.count():
        try:
            await driver.recorder.record_messages(messages)
        except AWAY:
            await asyncio.sleep(0)
        else:
            return failures
    raise AssertionError


async def story(driver: RecorderDriver, weather: random.Random | None, network: Proxy | None) -> int:
    """A patient moves house many times; between any two statements the network may fail. Returns how often it did."""
    await driver.open()
    await driver.link()
    failures = 0
    for number in range(BATCHES):
        there = replace(insured(), city=f"Town {number}", zip=f"309{number:02d}")
        messages: list[Change | Checkpoint] = [
            driver.change(BillingChartObserved(chart=there)),
            Checkpoint(practice=PRACTICE, source="kareo.patients", value=str(number)),
        ]
        if weather is not None and network is not None:
            for _ in range(weather.randrange(3)):
                network.plan(weather.choice(KINDS), 0.01, skip=weather.randrange(16))
            if weather.random() < 0.1:
                network.cut_all()
        failures += await record(driver, messages)
    return failures


@pytest.mark.parametrize("seed", range(6))
async def test_every_change_is_recorded_once_whatever_the_network_does(
    store: Store, keyring: Keyring, network: Proxy, dsn: str, postgres: EmbeddedPostgres, seed: int
) -> None:
    troubled = await Store.open(dsn.replace(f":{postgres.port}/", f":{network.port}/"), keyring, max_size=2)
    driver = RecorderDriver(troubled, keyring, await troubled.take_over(PRACTICE))
    failures = await story(driver, random.Random(seed), network)
    troubled.pool.terminate()
    assert failures >= 5, "the network did fail"
    assert set(network.met) == set(KINDS)

    witness = RecorderDriver(store, keyring, driver.recorder.epoch)
    recorded = [one async for one in store.read(PRACTICE)]
    assert [one.sequence for one in recorded] == list(range(1, len(recorded) + 1))
    seen = [one.event.body.chart.city for one in recorded if isinstance(one.event.body, BillingChartObserved)]
    assert seen == [ADA_THERE.city, *(f"Town {number}" for number in range(BATCHES))]
    assert not any(isinstance(one.event.body, ChangeQuarantined) for one in recorded), "what comes again is known"
    await witness.sound()
    patient = await witness.patient()
    assert patient.ehr is not None
    assert (patient.ehr.chart.id, patient.intents["demographics:elation"].state) == (ADA.id, "requested")


async def test_while_nobody_gets_through_nothing_is_recorded_and_nothing_lost(
    store: Store, keyring: Keyring, network: Proxy, dsn: str, postgres: EmbeddedPostgres
) -> None:
    troubled = await Store.open(dsn.replace(f":{postgres.port}/", f":{network.port}/"), keyring, max_size=2)
    driver = RecorderDriver(troubled, keyring, await troubled.take_over(PRACTICE))
    await driver.open()
    network.refusing = True
    network.cut_all()
    before = await store.head(PRACTICE)
    change = driver.change(BillingChartObserved(chart=ADA_THERE))
    with pytest.raises(AWAY):
        await driver.recorder.record_messages([change])
    assert await store.head(PRACTICE) == before
    network.refusing = False
    await record(driver, [change])
    assert (await RecorderDriver(store, keyring, 0).patient()).billing is not None
    troubled.pool.terminate()


async def test_who_is_told_to_end_ends_though_the_connection_breaks_just_then(store: Store) -> None:
    """Without care about one in ten goes on: asyncpg tells of the broken connection and forgets the cancellation."""
    weather, told = random.Random(1), 0
    for _ in range(150):
        with contextlib.suppress(*AWAY):
            backend = await store.pool.fetchval("SELECT pg_backend_pid()")
            asking = asyncio.create_task(store.pool.fetchval("SELECT pg_sleep(0.02)"))
            await asyncio.sleep(weather.uniform(0, 0.02))
            os.kill(backend, signal.SIGTERM)
            await asyncio.sleep(weather.uniform(0, 0.001))
            if asking.cancel():
                told += 1
                await asyncio.wait([asking])
                assert asking.cancelled()
            else:
                await asyncio.wait([asking])
                asking.exception()
    assert told > 50
