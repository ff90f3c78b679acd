"""Three workers and 60 practices on Apache Kafka: whatever happens to a worker, the two products end in agreement.

The tests share one running world, in order; each begins and ends with three workers at work.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from daemon.embedded import EmbeddedPostgres
from tests.conftest import TEMPLATE
from tests.kafka.conftest import Kafka
from tests.kafka.world import World, world

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def there(tmp_path_factory: pytest.TempPathFactory, postgres: EmbeddedPostgres, kafka: Kafka) -> AsyncIterator[World]:
    await postgres.create_database("many_practices", template=TEMPLATE)
    async with world(tmp_path_factory.mktemp("world"), postgres, "many_practices", kafka) as one:
        yield one


async def test_a_worker_is_added(there: World) -> None:
    """Starting it is the whole procedure."""
    first, second, third = there.workers
    await first.start()
    await second.start()
    await there.shared(first, second)
    async with there.load():
        await third.start()
        owners = await there.shared()
    assert {list(owners.values()).count(one) > 5 for one in there.workers} == {True}
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
