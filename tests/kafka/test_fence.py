"""The fence can be missed: with its check taken out of the workers, the test of the suspended worker fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.demo.embedded import EmbeddedPostgres
from tests.kafka.conftest import Kafka
from tests.kafka.suspension import suspend
from tests.kafka.world import world

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.world]


async def test_without_the_fence_the_suspended_worker_is_caught(
    tmp_path: Path, postgres: EmbeddedPostgres, database: str, kafka: Kafka
) -> None:
    async with world(tmp_path, postgres, database, kafka, workers=2, practices=9) as there:
        for worker in there.workers:
            worker.launcher = ("-m", "tests.kafka.unfenced")
            await worker.start()
        await there.shared()
        await there.at_rest()
        wrong = await suspend(there, there.workers[0], agreeing=False)
    assert wrong, "nothing was noticed of a worker without a fence"
