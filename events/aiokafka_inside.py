"""What is used of aiokafka's private parts, because it offers no other way. tests/unit/test_aiokafka_inside.py holds it to them.

Written for the versions that pyproject.toml allows; a newer one is to be read before it is let in.
"""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer


async def stop_sending(producer: AIOKafkaProducer) -> None:
    """Send nothing any more: an idempotent producer flushes for ever while the broker is away."""
    await producer._sender.close()


async def give_up(producer: AIOKafkaProducer, error: Exception) -> None:
    """Send nothing any more, and fail with `error` what was not sent."""
    await stop_sending(producer)
    producer._message_accumulator.fail_all(error)


def generation(consumer: AIOKafkaConsumer) -> int:
    """The group's generation as this member knows it; -1 before it has joined."""
    return int(consumer._coordinator.generation)


def rejoin(consumer: AIOKafkaConsumer) -> None:
    """Have the group assign its partitions anew."""
    consumer._coordinator.request_rejoin()
