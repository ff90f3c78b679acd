"""The heads of practices on a real Apache Kafka: the topic is compacted, and what it holds is read to its end."""

from __future__ import annotations

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from events.heads import SETTINGS
from events.keys import Keyring
from events.witnessed import HEADS
from tests.conftest import PRACTICE
from tests.integration.test_heads import head, worker
from tests.kafka.conftest import Kafka


async def test_the_topic_is_compacted_and_the_newest_head_is_read(kafka: Kafka, keyring: Keyring) -> None:
    async with worker(kafka, keyring) as one, worker(kafka, keyring) as other:
        assert await other.heads.last(PRACTICE) is None
        for sequence in range(1, 301):
            await one.heads.tell(head(sequence % 200, epoch=sequence))
            if sequence % 100 == 0:
                assert await other.heads.last(PRACTICE) == head(sequence % 200, epoch=sequence)
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
        await admin.start()
        try:
            (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, HEADS)])
        finally:
            await admin.close()
        settings = {entry[0]: entry[1] for resource in answer.resources for entry in resource[4]}
        assert {name: settings[name] for name in SETTINGS} == SETTINGS


async def test_a_broker_that_lost_everything_says_nothing_and_what_was_read_stays_known(
    kafka: Kafka, keyring: Keyring
) -> None:
    async with worker(kafka, keyring) as one:
        await one.heads.tell(head(6))
        assert await one.heads.last(PRACTICE) == head(6)
        await kafka.wipe()
        await one.restore_topics()
        await one.renew()
        async with worker(kafka, keyring) as other:
            assert await other.heads.last(PRACTICE) is None
        assert await one.heads.last(PRACTICE) == head(6)
