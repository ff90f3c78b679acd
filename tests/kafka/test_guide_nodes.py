"""The three nodes of deploy/README.md, from its own lines, on loopback: they find each other, take chartwire, and go on without one."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.helpers import create_ssl_context

from daemon.demo.embedded import free_port
from events.bus import Bus
from events.codec import Keyring
from events.topics import CHANGES
from tests.conftest import until
from tests.kafka.conftest import RUN
from tests.packages.guide import Block, blocks

pytestmark = [pytest.mark.asyncio, pytest.mark.nightly, pytest.mark.timeout(900)]

SECONDS = 300.0
CERTIFICATES = """
openssl req -x509 -newkey rsa:2048 -noenc -days 2 -subj "/CN=authority" -keyout authority.key -out authority.pem
openssl req -newkey rsa:2048 -noenc -subj "/CN=localhost" -keyout server.key -out server.csr
echo subjectAltName=DNS:localhost > server.ext
openssl x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -extfile server.ext -out server.crt
cat server.key server.crt > server.pem
"""
NAMES = {"CLUSTER": "abcdefghijklmnopqrstuA", "BROKERS": "between-brokers", "PASSWORD": "of-chartwire"}


def block(kind: str, text: str) -> Block:
    (found,) = (one for one in blocks() if one.kind == kind and text in one.text)
    return found


def jars() -> str:
    """Where deploy/kafka/run.sh puts them, once they are there."""
    subprocess.run([str(RUN), "resolve"], check=True, timeout=SECONDS)
    (version,) = re.findall(r"<kafka.version>(.+)</kafka.version>", RUN.with_name("pom.xml").read_text())
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return str(cache / "chartwire" / "kafka" / version / "*")


def properties(folder: Path, node: int, ports: list[int], controllers: list[int]) -> str:
    """The guide's lines for this node: its own number, and this machine's ports and folders in the place of the guide's."""
    text = block("properties", "process.roles").text.replace("node.id=1", f"node.id={node}")
    text = text.replace("advertised.listeners=SASL_SSL://kafka1.", f"advertised.listeners=SASL_SSL://kafka{node}.")
    text = text.replace("SASL_SSL://:9093", f"SASL_SSL://:{ports[node - 1]}").replace(
        "//:9094", f"//:{controllers[node - 1]}"
    )
    for number, (port, controller) in enumerate(zip(ports, controllers, strict=True), start=1):
        text = text.replace(f"kafka{number}.example.org:9093", f"localhost:{port}")
        text = text.replace(f"kafka{number}.example.org:9094", f"localhost:{controller}")
    text = text.replace("/etc/kafka", str(folder)).replace("/var/lib/kafka", str(folder / f"node{node}"))
    return text.replace('"BROKERS"', f'"{NAMES["BROKERS"]}"')


@asynccontextmanager
async def nodes(folder: Path) -> AsyncIterator[tuple[list[int], list[subprocess.Popen[bytes]]]]:
    """The ports and the processes of the three."""
    subprocess.run(["bash", "-euc", CERTIFICATES], cwd=folder, check=True, capture_output=True)
    storage = f"java -Xmx128m -cp '{jars()}' kafka.tools.StorageTool"
    script = block("sh", "kafka-storage.sh format").text.partition("systemctl")[0].replace("kafka-storage.sh", storage)
    ports, controllers = [free_port() for _ in range(3)], [free_port() for _ in range(3)]
    running: list[subprocess.Popen[bytes]] = []
    try:
        for node in (1, 2, 3):
            file = folder / f"server{node}.properties"
            file.write_text(properties(folder, node, ports, controllers))
            command = script.replace("server.properties", str(file))
            subprocess.run(["bash", "-euc", command], env=os.environ | NAMES, check=True, capture_output=True)
            with (folder / f"log{node}").open("wb") as log:
                java = ["java", "-Xmx256m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", jars(), "kafka.Kafka"]
                running.append(subprocess.Popen([*java, str(file)], stdout=log, stderr=log))
        yield ports, running
    finally:
        for one in running:
            one.send_signal(signal.SIGKILL)
            await asyncio.to_thread(one.wait)


async def test_three_nodes_of_the_guide_take_chartwire_and_go_on_without_one(tmp_path: Path) -> None:
    async with nodes(tmp_path) as (ports, running):
        servers = ",".join(f"localhost:{port}" for port in ports)
        security = {
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": "chartwire",
            "sasl_plain_password": NAMES["PASSWORD"],
            "ssl_context": create_ssl_context(cafile=str(tmp_path / "authority.pem")),
        }

        async def replicas(count: int) -> bool:
            """Whether each partition of the changes has so many in step."""
            assert sum(one.poll() is None for one in running) >= count, (tmp_path / "log1").read_text()[-3000:]
            admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=5000, **security)
            try:
                await admin.start()
                (topic,) = await admin.describe_topics([CHANGES])
            except (KafkaError, OSError, TimeoutError):
                return False
            finally:
                await admin.close()
            parts = topic["partitions"]
            return len(parts) == 6 and all((len(one["replicas"]), len(one["isr"])) == (3, count) for one in parts)

        async def made() -> bool:
            try:
                await Bus(servers, security, Keyring({})).ensure_topics(6, 3)
            except (KafkaError, OSError, TimeoutError):
                return False
            return await replicas(3)

        await until(made, SECONDS)
        running[2].send_signal(signal.SIGKILL)
        await until(lambda: replicas(2), SECONDS)
        producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True, **security)
        await producer.start()
        try:
            for partition in range(6):
                await producer.send_and_wait(CHANGES, b"{}", partition=partition)
        finally:
            await producer.stop()
