"""aiokafka's private parts are as events/aiokafka_inside.py takes them; a version that is not known yet fails here."""

from __future__ import annotations

import inspect
import re
import tomllib
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.producer.message_accumulator import MessageAccumulator
from aiokafka.producer.sender import Sender
from aiokafka.protocol.metadata import MetadataRequest

from events.aiokafka_inside import described, generation, give_up, rejoin, stop_sending, versions_taken

ROOT = Path(__file__).resolve().parents[2]
READ = (0, 14)
"""The last version whose code was read for what is used here."""


def test_the_version_is_one_that_was_read() -> None:
    major, minor, *_ = version("aiokafka").split(".")
    assert (int(major), int(minor)) <= READ, "read what is used of it first; then let it in, here and in pyproject.toml"


def test_newer_versions_are_not_let_in() -> None:
    allowed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    (aiokafka,) = [one for one in allowed if one.startswith("aiokafka")]
    bound = re.search(r"<0\.(\d+)", aiokafka)
    assert bound is not None
    assert int(bound[1]) == READ[1] + 1


def test_its_parts_are_called_as_they_are() -> None:
    assert inspect.iscoroutinefunction(Sender.close)
    assert list(inspect.signature(Sender.close).parameters) == ["self"]
    assert list(inspect.signature(MessageAccumulator.fail_all).parameters) == ["self", "exception"]
    assert list(inspect.signature(GroupCoordinator.request_rejoin).parameters) == ["self"]


async def test_they_lie_where_they_are_taken_from() -> None:
    producer = AIOKafkaProducer(bootstrap_servers="127.0.0.1:1")
    assert isinstance(producer._sender, Sender)
    assert isinstance(producer._message_accumulator, MessageAccumulator)
    await stop_sending(producer)
    await give_up(producer, ConnectionError())
    await producer.stop()


async def test_a_member_of_a_group_knows_its_generation_and_may_rejoin() -> None:
    consumer = AIOKafkaConsumer("one", bootstrap_servers="127.0.0.1:1", group_id="elm")
    coordinator = GroupCoordinator(consumer._client, consumer._subscription, group_id="elm")
    consumer._coordinator = coordinator
    assert generation(consumer) == -1
    before = coordinator._rejoin_needed_fut
    rejoin(consumer)
    assert before.done()
    await coordinator.close()
    await consumer.stop()


async def test_topics_are_described_without_being_made(monkeypatch: pytest.MonkeyPatch) -> None:
    admin, sent = AIOKafkaAdminClient(bootstrap_servers="127.0.0.1:1"), list[MetadataRequest]()

    async def answered(request: MetadataRequest) -> SimpleNamespace:
        sent.append(request)
        return SimpleNamespace(to_object=lambda: {"topics": [{"topic": "one", "partitions": []}]})

    assert list(inspect.signature(AIOKafkaAdminClient._send_request).parameters)[:2] == ["self", "request"]
    monkeypatch.setattr(admin, "_send_request", answered)
    assert await described(admin, ["one"]) == [{"topic": "one", "partitions": []}]
    assert (sent[0]._topics, sent[0]._allow_auto_topic_creation) == (["one"], False)


async def test_a_broker_that_is_away_says_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers="127.0.0.1:1")
    connection = AIOKafkaConnection("127.0.0.1", 1)
    connection._versions = {1: (0, 17)}

    async def connected(node: int) -> object:
        return connection if node == 1 else None

    assert list(inspect.signature(admin._client._get_conn).parameters)[:1] == ["node_id"]
    monkeypatch.setattr(admin._client, "_get_conn", connected)
    monkeypatch.setattr(admin._client.cluster, "brokers", lambda: [SimpleNamespace(nodeId=1), SimpleNamespace(nodeId=2)])
    assert await versions_taken(admin, 1) == {1: 17}


def test_no_other_file_of_the_product_uses_them() -> None:
    private = re.compile(r"\._(sender|message_accumulator|coordinator|send_request|get_conn)\b|(?<!self)\._client\b")
    found = {
        str(file.relative_to(ROOT))
        for folder in ("daemon", "events", "projections")
        for file in (ROOT / folder).rglob("*.py")
        if private.search(file.read_text())
    }
    assert found == {"events/aiokafka_inside.py"}
