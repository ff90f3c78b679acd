"""The rights that deploy/README.md gives the daemon's principal: with them and no others a worker makes its topics, takes its practices and works."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon.demo.embedded import free_port
from daemon.demo.rehearsal import prepare, servers
from daemon.sandbox.clinic import Clinic, write_private
from tests.conftest import until
from tests.kafka.conftest import RUN
from tests.kafka.test_guide_nodes import jars
from tests.packages.guide import GUIDE

pytestmark = [pytest.mark.asyncio, pytest.mark.nightly, pytest.mark.timeout(900)]

SECONDS = 300.0
AUTHORIZED = """
listener.name.plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
username="broker" password="b" user_broker="b" user_chartwire="c";
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:broker;User:ANONYMOUS
"""
"""Clients sign in; the node talks to itself as whoever it likes."""
ADMIN = """
security.protocol=SASL_PLAINTEXT
sasl.mechanism=PLAIN
sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="broker" password="b";
"""


def rights() -> Iterator[list[str]]:
    """Each row of the guide's table as options of Kafka's own command."""
    table = GUIDE.read_text().partition("### Rights")[2].partition("Readers of")[0]
    for kind, names, operations in re.findall(r"^\| (Topic|Group)s? (.+?) \| (.+) \|$", table, re.MULTILINE):
        named = re.findall(r"`([\w.]+)`", names.partition("(")[0])
        allowed = re.findall(r"Describe|Read|Write|Create", operations)
        given = [option for one in allowed for option in ("--operation", one)]
        yield [*given, *(option for one in named for option in (f"--{kind.lower()}", one))]


@dataclass(frozen=True)
class Authorized:
    """A node of Kafka that lets nobody do what was not allowed."""

    bootstrap_servers: str


@asynccontextmanager
async def authorized(folder: Path) -> AsyncIterator[Authorized]:
    """The guide's one node with an authorizer, and `chartwire` with the guide's rights."""
    port, controller = free_port(), free_port()
    text = RUN.with_name("server.properties").read_text().replace("/var/lib/kafka", str(folder))
    text = text.replace("9092", str(port)).replace("9093", str(controller))
    text = text.replace("PLAINTEXT:PLAINTEXT,", "PLAINTEXT:SASL_PLAINTEXT,")
    (folder / "server.properties").write_text(text + AUTHORIZED)
    (folder / "admin.properties").write_text(ADMIN)
    java = ["java", "-Xmx256m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", jars()]
    node = Authorized(f"127.0.0.1:{port}")

    def done(*command: str) -> bool:
        return subprocess.run([*java, *command], cwd=folder, capture_output=True, check=False).returncode == 0

    assert done("kafka.tools.StorageTool", "format", "-t", "chartwire-rights-kafkA", "-c", "server.properties")
    with (folder / "said").open("wb") as log:
        running = subprocess.Popen([*java, "kafka.Kafka", "server.properties"], cwd=folder, stdout=log, stderr=log)
    try:
        for given in rights():
            command = (
                "--bootstrap-server",
                node.bootstrap_servers,
                "--command-config",
                "admin.properties",
                "--add",
                "--force",
            )

            async def allowed(options: tuple[str, ...] = (*command, "--allow-principal", "User:chartwire", *given)) -> bool:
                assert running.poll() is None, (folder / "said").read_text()[-3000:]
                return await asyncio.to_thread(done, "kafka.admin.AclCommand", *options)

            await until(allowed, SECONDS)
        yield node
    finally:
        running.send_signal(signal.SIGKILL)
        await asyncio.to_thread(running.wait)


async def test_a_worker_needs_no_other_right(tmp_path: Path) -> None:
    assert len(list(rights())) == 2
    clinic = Clinic(seconds=0.3)
    (tmp_path / "kafka").mkdir()
    async with servers() as (postgres, _), authorized(tmp_path / "kafka") as kafka:
        await clinic.start()
        file = await prepare(clinic, tmp_path, postgres, kafka)
        write_private(tmp_path / "kafka-password", "c")
        signing = 'security_protocol = "SASL_PLAINTEXT"\nsasl_mechanism = "PLAIN"\nsasl_username = "chartwire"\n'
        text = file.read_text().replace("idempotent = false", "idempotent = true")
        file.write_text(text.replace("[kafka]\n", f'[kafka]\n{signing}sasl_password_file = "kafka-password"\n', 1))

        def said(*command: str) -> str:
            whole = [sys.executable, "-m", "daemon", *command, "--config", str(file)]
            return subprocess.run(whole, capture_output=True, text=True, check=False).stdout

        async def works() -> bool:
            assert worker.poll() is None, (tmp_path / "worker").read_text()[-3000:]
            rows = json.loads(await asyncio.to_thread(said, "status", "--json") or "[]")
            begun = [row for row in rows if row["sources"] and row["lag"] is not None and row["unfed"] < row["events"]]
            return len(begun) == 2 and not any(row["report"]["failing"] for row in begun)

        with (tmp_path / "worker").open("wb") as log:
            command = [sys.executable, "-m", "daemon", "run", "--config", str(file)]
            worker = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            await until(works, SECONDS)
            found = [json.loads(line)["code"] for line in (await asyncio.to_thread(said, "doctor", "--json")).splitlines()]
            assert [
                one for one in found if one.startswith(("kafka-", "topic-")) or one in ("no-owner", "pass-failing")
            ] == []
        finally:
            worker.send_signal(signal.SIGTERM)
            await asyncio.to_thread(worker.wait)
            await clinic.stop()
