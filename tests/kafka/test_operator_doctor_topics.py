"""Topics that somebody deletes by hand, on a real Apache Kafka: the doctor's line makes one anew, and a worker at work does so by itself.

(The embedded broker makes a topic by being asked about it.)
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from daemon.config import load
from daemon.operator import doctor_kafka
from daemon.runtime import witnessing
from daemon.runtime import worker as working
from daemon.sandbox.front_desk import FrontDesk
from daemon.vendors.sections import SECTIONS
from events.topics import CHANGES, EVENTS
from events.witnessed import HEADS
from tests.acceptance.installation import Installation, installed
from tests.conftest import until
from tests.kafka.conftest import Kafka


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at(kafka_jars: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """A worker at work on an Apache Kafka of its own, which tells the heads of quiet practices again after seconds instead of minutes."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(working, "REPORT_SECONDS", 0.3)
        patched.setattr(witnessing, "AGAIN", 3.0)
        async with (
            Kafka(tmp_path_factory.mktemp("kafka")) as kafka,
            installed(tmp_path_factory.mktemp("doctor"), kafka) as one,
        ):
            yield one


@pytest.mark.parametrize("topic", [CHANGES, EVENTS, HEADS])
@pytest.mark.asyncio(loop_scope="module")
async def test_a_topic_that_somebody_deleted(at: Installation, topic: str) -> None:
    """No worker is there to make it anew: the line that is advised does, and a worker that starts goes on with it."""
    at.worker.stop()
    await until(lambda: not at.worker.practices, 60.0)
    async with administered(at) as admin:
        await admin.delete_topics([topic])
        finding = await at.found("topic-missing")
        assert finding.key == topic
        await create(admin, finding.repair)
        await at.gone("topic-missing")
    await at.restart()
    await at.gone("no-owner")


@pytest.mark.asyncio(loop_scope="module")
async def test_topics_that_somebody_deleted_come_back_while_a_worker_is_at_work(at: Installation) -> None:
    """What is recorded meanwhile is published late, and nothing is left that fails."""
    async with administered(at) as admin:
        await admin.delete_topics([EVENTS, HEADS])
        FrontDesk(at.clinic).elation_patient(at.clinic.offices[1])
        await at.gone("topic-missing")
    unpublished = "SELECT max(h.sequence - c.value::bigint) FROM chartwire.practice_head h JOIN chartwire.checkpoint c USING (practice) "

    async def published() -> bool:
        return await at.value(f"{unpublished} WHERE c.source = 'feed'") == 0

    await until(published, 90.0)
    await at.gone("unwitnessed")
    await at.gone("pass-failing")


@pytest.mark.asyncio(loop_scope="module")
async def test_the_brokers_tell_which_session_time_outs_they_take(at: Installation) -> None:
    """As deploy/kafka/run.sh sets the lower one, and Apache Kafka the upper one."""
    async with administered(at) as admin:
        told = await doctor_kafka.broker_settings(admin)
    assert told == {"group.min.session.timeout.ms": "1000", "group.max.session.timeout.ms": "1800000"}


@asynccontextmanager
async def administered(at: Installation) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=load(at.file, SECTIONS).kafka.bootstrap_servers)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def create(admin: AIOKafkaAdminClient, line: str) -> None:
    """What `kafka-topics.sh` does with such a line."""
    given = re.findall(r"--([a-z-]+) ([^-\s]\S*)", line)
    options = dict(given)
    settings = dict(value.split("=") for name, value in given if name == "config")
    assert line.startswith("kafka-topics.sh --bootstrap-server ")
    partitions, replicas = int(options["partitions"]), int(options["replication-factor"])
    await admin.create_topics([NewTopic(options["topic"], partitions, replicas, topic_configs=settings)])
