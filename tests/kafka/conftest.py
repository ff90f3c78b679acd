"""A real Apache Kafka for these tests, started by deploy/kafka/run.sh and stopped by its process id."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from daemon.demo.embedded import free_port

RUN = Path(__file__).resolve().parents[2] / "deploy" / "kafka" / "run.sh"
START_SECONDS = 60.0
RESOLVE_SECONDS = 300.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The marker is on everything in this folder, so that nobody forgets it."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.kafka)


class Kafka:
    """One node on loopback, its data below `folder`; `started` is how many seconds the last start took."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.started = 0.0
        self._controller = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> Kafka:
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start on the same port with the data that is there, and wait until it answers."""
        before = time.monotonic()
        with (self._folder / "log").open("ab") as out:
            command = [str(RUN), str(self._folder / "data"), str(self.port), str(self._controller)]
            self._process = subprocess.Popen(command, stdout=out, stderr=out)
        while not await self._answers():
            if self._process.poll() is not None:
                raise RuntimeError(f"Kafka ended:\n{(self._folder / 'log').read_text()[-4000:]}")
            if time.monotonic() - before > START_SECONDS:
                raise TimeoutError("Kafka did not start")
            await asyncio.sleep(0.1)
        self.started = time.monotonic() - before

    async def _answers(self) -> bool:
        try:  # the client logs an error for every refused connection: ask the port first
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers, request_timeout_ms=2000)
        try:
            await admin.start()
            await admin.list_topics()
        except (KafkaError, OSError, TimeoutError):
            return False
        finally:
            await admin.close()
        return True

    async def stop(self, *, kill: bool = False) -> None:
        """Stop by process id; the data stays."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            await asyncio.to_thread(process.wait, 30)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)

    async def wipe(self) -> None:
        """Come back on the same port with nothing in it: topics, offsets and groups are lost."""
        await self.stop(kill=True)
        shutil.rmtree(self._folder / "data", ignore_errors=True)
        await self.start()


def missing_programs() -> list[str]:
    """What a real Apache Kafka needs and this machine does not have."""
    return [name for name in ("java", "mvn") if shutil.which(name) is None]


@pytest.fixture(scope="session")
def kafka_jars() -> None:
    """The server's jars, fetched once per machine; without Java or Maven the tests skip, and fail in CI."""
    if missing := missing_programs():
        reason = f"a real Apache Kafka needs {' and '.join(missing)} (Java 17, Maven)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    subprocess.run([str(RUN), "resolve"], check=True, timeout=RESOLVE_SECONDS)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def kafka(kafka_jars: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Kafka]:
    async with Kafka(tmp_path_factory.mktemp("kafka")) as server:
        yield server
