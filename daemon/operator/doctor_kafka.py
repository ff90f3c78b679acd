"""What the doctor looks at in Kafka: whether it answers, and how the topics are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from daemon.config import Config
from daemon.findings import Finding, error, warning
from daemon.runtime.kafka import bus_of
from events import aiokafka_inside
from events.codec import Keyring
from events.heads import SETTINGS
from events.topics import CHANGES, EVENTS
from events.witnessed import HEADS

PATIENCE = 20.0

FETCH, FETCH_OF_OLDEST = 1, 16
"""The API whose version tells a broker's: Apache Kafka 3.7 was the first to take this one of Fetch, 3.6 takes 15."""


async def look_at_kafka(config: Config, beside: Path) -> list[Finding]:
    """Everything about the brokers; one finding where none answers."""
    key = "kafka.bootstrap_servers"
    try:
        bus = bus_of(config, beside, Keyring({}))
        admin = AIOKafkaAdminClient(bootstrap_servers=bus.bootstrap_servers, **bus.security)
        async with asyncio.timeout(PATIENCE):
            await admin.start()
            try:
                topics = {
                    one["topic"]: one["partitions"]
                    for one in await aiokafka_inside.described(admin, [CHANGES, EVENTS, HEADS])
                    if one["partitions"]
                }
                settings = await broker_settings(admin)
                taken = await aiokafka_inside.versions_taken(admin, FETCH)
            finally:
                await admin.close()
    except (KafkaError, OSError, TimeoutError) as failure:
        text = f"Kafka at {config.kafka.bootstrap_servers} cannot be reached ({type(failure).__name__})"
        return [error("kafka-away", key, text, "systemctl start kafka, or correct [kafka] bootstrap_servers")]
    return [*_versions(config, taken), *_topics(config, topics), *_sessions(config, settings)]


def _versions(config: Config, taken: Mapping[int, int]) -> list[Finding]:
    """Brokers that are too old, by the newest version of `FETCH` that each takes."""
    old = sorted(node for node, version in taken.items() if version < FETCH_OF_OLDEST)
    if not old:
        return []
    text = f"broker {', '.join(map(str, old))} is older than Apache Kafka 3.7"
    asking = f"kafka-broker-api-versions.sh --bootstrap-server {config.kafka.bootstrap_servers}"
    repair = f"upgrade Apache Kafka there, one broker after the other, to 3.7 or newer ({asking} says what each takes)"
    return [error("kafka-old", "kafka.bootstrap_servers", text, repair)]


def _topics(config: Config, topics: dict[str, list[dict[str, Any]]]) -> list[Finding]:
    kafka, found = config.kafka, []
    create = "kafka-topics.sh --bootstrap-server {} --create --topic {} --partitions {} --replication-factor {}"
    for name in (CHANGES, EVENTS, HEADS) if kafka.feed else (CHANGES, HEADS):
        if name not in topics:
            line = create.format(
                kafka.bootstrap_servers, name, 1 if name == HEADS else kafka.partitions, kafka.replication
            ) + ("".join(f" --config {key}={value}" for key, value in SETTINGS.items()) if name == HEADS else "")
            text = f"topic {name} is not there; a worker makes it when it starts, or within a minute, where it may create topics"
            found.append(warning("topic-missing", name, text, line))
            continue
        partitions = topics[name]
        if name == CHANGES and len(partitions) != kafka.partitions:
            text = f"{name} has {len(partitions)} partitions, the configuration says {kafka.partitions}; workers go by the topic"
            found.append(warning("topic-partitions", "kafka.partitions", text, f"partitions = {len(partitions)} in [kafka]"))
        least = min(len(one["replicas"]) for one in partitions)
        if least < kafka.replication:
            text = f"{name} has {least} replicas, the configuration says {kafka.replication}"
            line = f"kafka-reassign-partitions.sh (deploy/README.md, Kafka), or replication = {least} in [kafka]"
            found.append(warning("topic-replication", "kafka.replication", text, line))
        behind = [one["partition"] for one in partitions if len(one["isr"]) < len(one["replicas"])]
        if behind:
            text = f"{len(behind)} partitions of {name} have replicas that are behind or away"
            found.append(warning("topic-replicas-away", name, text, "systemctl start kafka, on the broker that is away"))
    return found


async def broker_settings(admin: AIOKafkaAdminClient) -> dict[str, str]:
    """The settings of a broker about sessions; nothing where it does not tell."""
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

    try:
        brokers = (await admin.describe_cluster())["brokers"]
        asked = [ConfigResource(ConfigResourceType.BROKER, str(brokers[0]["node_id"]), configs=dict.fromkeys(SESSIONS, ""))]
        answers = await admin.describe_configs(asked)
    except (KafkaError, OSError, IndexError, NotImplementedError, ValueError):
        return {}
    return {entry[0]: entry[1] for answer in answers for resource in answer.resources for entry in resource[4]}


SESSIONS = ("group.min.session.timeout.ms", "group.max.session.timeout.ms")


def _sessions(config: Config, settings: dict[str, str]) -> list[Finding]:
    """Whether the brokers take the configured session time-out."""
    wanted, found = config.kafka.session_timeout_seconds * 1000, []
    low, high = (int(settings[name]) if (settings.get(name) or "").isdecimal() else None for name in SESSIONS)
    if (low is not None and wanted < low) or (high is not None and wanted > high):
        nearest = max(low or 0, min(wanted, high or wanted)) / 1000
        text = f"the brokers take no session time-out of {wanted / 1000:g} s: no worker can join its group"
        line = f"session_timeout_seconds = {nearest:g} in [kafka]"
        found.append(error("kafka-session", "kafka.session_timeout_seconds", text, line))
    return found
