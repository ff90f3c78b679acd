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

import psutil
import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from daemon.demo.embedded import free_port

RUN = Path(__file__).resolve().parents[2] / "deploy" / "kafka" / "run.sh"
START_SECONDS = 300.0
"""A server that lives is waited for: two JVMs start one after the other, and on a machine full of work each takes its time."""
TAKEN = "Address already in use"
TRIES = 5
RESOLVE_SECONDS = 300.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The marker is on everything in this folder, so that nobody forgets it."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.kafka)


class Kafka:
    """One node on loopback, its data below `folder`; `started` is how many seconds the last start took."""

    def __init__(self, folder: Path) -> None:
        self.port, self._controller = free_port(), free_port()
        self.started = 0.0
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
        """Start on the same port with the data that is there, and wait until it answers.

        A port is free when it is chosen and bound seconds later: for one that somebody took meanwhile another is chosen at the
        first start, and waited for later. Raises RuntimeError when it ends, TimeoutError; nothing is left running then.
        """
        before, first = time.monotonic(), not self.started
        for left in reversed(range(TRIES)):
            said = await self._started(before)
            if said is None:
                break
            if TAKEN not in said or not left:
                raise RuntimeError(f"Kafka ended:\n{said[-4000:]}")
            if first:
                self.port, self._controller = free_port(), free_port()
        self.started = time.monotonic() - before

    async def _started(self, before: float) -> str | None:
        """None once it answers, or what it said before it ended."""
        log = self._folder / "log"
        with log.open("ab") as out:
            begins = out.tell()
            command = [str(RUN), str(self._folder / "data"), str(self.port), str(self._controller)]
            self._process = subprocess.Popen(command, stdout=out, stderr=out)
        while not await self._answers():
            if self._process.poll() is not None:
                return log.read_bytes()[begins:].decode(errors="replace")
            if time.monotonic() - before > START_SECONDS:
                await self.stop(kill=True)
                raise TimeoutError(f"Kafka did not start within {START_SECONDS:.0f} s")
            await asyncio.sleep(0.1)
        return None

    async def _answers(self) -> bool:
        if not self._listens():  # the client logs an error for every refused connection
            return False
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers, request_timeout_ms=2000)
        try:
            await admin.start()
            await admin.list_topics()
        except (KafkaError, OSError, TimeoutError):
            return False
        finally:
            await admin.close()
        return True

    def _listens(self) -> bool:
        """Whether it is this very server that has the port: another one's would answer as well."""
        assert self._process is not None
        try:
            sockets = psutil.Process(self._process.pid).net_connections("tcp")  # Java listens on both families
        except psutil.NoSuchProcess:
            return False
        return any(one.status == psutil.CONN_LISTEN and one.laddr.port == self.port for one in sockets)

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
