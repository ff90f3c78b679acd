"""Three workers and 60 practices on Apache Kafka: whatever happens to a worker, the two products end in agreement.

The tests share one running world, in order; each begins and ends with three workers at work.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from daemon.demo.embedded import EmbeddedPostgres
from tests.conftest import TEMPLATE
from tests.kafka.conftest import Kafka
from tests.kafka.suspension import suspend
from tests.kafka.world import World, world

DATABASE = "many_practices"
AWAY_SECONDS = 30.0
"""Longer than the session time-out, and than publishing waits."""

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.world]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def there(tmp_path_factory: pytest.TempPathFactory, postgres: EmbeddedPostgres, kafka: Kafka) -> AsyncIterator[World]:
    await postgres.create_database(DATABASE, template=TEMPLATE)
    async with world(tmp_path_factory.mktemp("world"), postgres, DATABASE, kafka) as one:
        yield one


async def test_a_worker_is_added(there: World) -> None:
    """Starting it is the whole procedure."""
    first, second, third = there.workers
    await first.start()
    await second.start()
    await there.shared(first, second)
    async with there.load():
        await third.start()
        await there.shared()
    await there.at_rest()


async def test_a_worker_is_stopped(there: World) -> None:
    leaver, *others = there.workers
    async with there.load():
        leaver.send(signal.SIGTERM)
        assert await leaver.ended() == 0
        await there.shared(*others)
    await there.at_rest()
    await leaver.start()
    await there.shared()


async def test_a_worker_is_killed(there: World) -> None:
    _, victim, _ = there.workers
    others = [one for one in there.workers if one is not victim]
    async with there.load():
        victim.send(signal.SIGKILL)
        await victim.ended()
        await there.shared(*others)
    await there.at_rest()
    await victim.start()
    await there.shared()


async def test_a_suspended_worker_does_nothing_for_practices_that_it_has_lost(there: World) -> None:
    """Stopped in mid-write for longer than its session: neither appends nor calls a vendor for them when it comes back, and
    the write whose answer it missed was settled by its new owner."""
    assert await suspend(there, there.workers[2]) == []
    await there.at_rest()


async def test_the_broker_is_away_for_half_a_minute(there: World) -> None:
    """Nobody loses a practice by it, and what people do meanwhile arrives afterwards."""
    before = await there.taken()
    async with there.load():
        await there.kafka.stop()
        await asyncio.sleep(AWAY_SECONDS)
        await there.kafka.start()
    await there.at_rest()
    assert await there.taken() == before


async def test_the_brokers_data_is_lost(there: World) -> None:
    """Topics, offsets and the group are gone; the workers make them anew, and the vendors are read again.

    The group forms anew, so a worker that comes back late finds its practices with others and gets its share afterwards.
    """
    async with there.load():
        await there.kafka.wipe()
        await there.topics_are_back()
    await there.at_rest()
    await there.shared()


async def test_postgresql_is_restarted(there: World) -> None:
    async with there.load():
        await there.postgres.restart()
    await there.at_rest()
    async with there.load():
        await there.postgres.restart(kill=True)
    await there.at_rest()


async def test_a_rolling_restart_under_load(there: World) -> None:
    """The order of an upgrade (deploy/README.md): one worker after the other, the next when the last has its share."""
    async with there.load():
        for worker in there.workers:
            worker.send(signal.SIGTERM)
            assert await worker.ended() == 0
            await worker.start()
            await there.shared()
    await there.at_rest()


async def test_a_slow_practice_delays_no_other(there: World) -> None:
    """One's row in the database is locked, another's Kareo takes ten seconds for everything, a third's refuses for calling too
    often, and they are of one worker: the changes of all others arrive meanwhile, and theirs when it is over."""
    owners = await there.owners()
    mine = [office for office in there.clinic.offices if owners[office.id] is there.workers[0]]
    locked, slow, throttled, *_ = mine
    others = [office for office in there.clinic.offices if office not in (locked, slow, throttled)]
    faults = there.clinic.billing.faults
    faults.add("*", "delay", seconds=10.0, times=1_000_000, holding=slow.customer_key)
    faults.add("*", "throttle", times=1_000_000, holding=throttled.customer_key)
    holder = await asyncpg.connect(there.postgres.dsn(DATABASE))
    try:
        transaction = holder.transaction()
        await transaction.start()
        await holder.execute("SELECT 1 FROM chartwire.practice_head WHERE practice = $1 FOR UPDATE", locked.id)
        for office in there.clinic.offices:
            there.mark(office)
        await there.until(
            lambda: all(there.marked(office) for office in others),
            90,
            lambda: f"{sum(there.marked(office) for office in others)} of {len(others)} others are done",
            there.heads,
        )
        assert not there.marked(locked), "it should have been held up"
    finally:
        faults.clear()
        await holder.close()
    late = (locked, slow, throttled)
    await there.until(lambda: all(there.marked(one) for one in late), 90, lambda: "the slow never came", there.heads)
    await there.at_rest()


async def test_subscriptions_are_one_per_practice(there: World) -> None:
    """Whoever owned a practice in the meantime: six resources, each once."""
    subscriptions = there.clinic.ehr.subscriptions
    counts = Counter(there.clinic.ehr.state.subscribers[one] for one in subscriptions)
    assert set(counts.values()) == {6}
    assert len(counts) == len(there.clinic.offices)
