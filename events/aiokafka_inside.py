"""What is used of aiokafka's private parts, because it offers no other way. tests/unit/test_aiokafka_inside.py holds it to them.

Written for the versions that pyproject.toml allows; a newer one is to be read before it is let in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.metadata import MetadataRequest


async def stop_sending(producer: AIOKafkaProducer) -> None:
    """Send nothing any more: an idempotent producer flushes for ever while the broker is away."""
    await producer._sender.close()


async def give_up(producer: AIOKafkaProducer, error: Exception) -> None:
    """Send nothing any more, and fail with `error` what was not sent."""
    await stop_sending(producer)
    producer._message_accumulator.fail_all(error)


async def described(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> list[dict[str, Any]]:
    """What the brokers know of these topics. Its own `describe_topics` has a broker make those that are not there, as if by being written to."""
    answer = await admin._send_request(MetadataRequest(list(topics), allow_auto_topic_creation=False))
    found: list[dict[str, Any]] = answer.to_object()["topics"]
    return found


async def versions_taken(admin: AIOKafkaAdminClient, api: int) -> dict[int, int]:
    """The newest version of an API that each broker takes, by the broker's id; those that are away are left out."""
    client = admin._client
    asked = {one.nodeId: await client._get_conn(one.nodeId) for one in client.cluster.brokers()}
    return {node: int(connection._versions[api][1]) for node, connection in asked.items() if connection is not None}


def generation(consumer: AIOKafkaConsumer) -> int:
    """The group's generation as this member knows it; -1 before it has joined."""
    return int(consumer._coordinator.generation)


def rejoin(consumer: AIOKafkaConsumer) -> None:
    """Have the group assign its partitions anew."""
    consumer._coordinator.request_rejoin()
