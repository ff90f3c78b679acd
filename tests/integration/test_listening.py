"""Who connects has shown no credentials yet: what that may cost, and what is said."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from daemon.demo.embedded import free_port
from daemon.runtime.health import HealthEndpoint
from daemon.runtime.listening import RESERVED, Budget, Site, timed
from daemon.runtime.webhooks import WebhookEndpoint
from daemon.telemetry import Meter
from events.ids import PracticeId
from events.store import Store
from tests.conftest import PRACTICE

ROOT = Path(__file__).parents[2]
HEAD = b"POST /webhooks/elation/elm/patients HTTP/1.1\r\nHost: x\r\n"


class Taking:
    """A vendor's delivery that takes everything."""

    header = "Signature"

    async def take(self, _resource: str, _body: bytes, _signed: str | None) -> int:
        return 200


class Door:
    def __init__(self, port: int) -> None:
        self.port = port

    async def open(self, sent: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sent)
        return reader, writer

    async def say(self, sent: bytes) -> bytes:
        """All that is answered until the connection is closed."""
        reader, writer = await self.open(sent)
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        return answer


@pytest_asyncio.fixture
async def door() -> AsyncIterator[Door]:
    app = web.Application(middlewares=[timed], client_max_size=1000)
    endpoint = WebhookEndpoint({("elation", PRACTICE): Taking()}, {"patients"}, meter=Meter(), body_seconds=0.2)
    endpoint.routes(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = free_port()
    await Site(runner, "127.0.0.1", port, most=20, head_seconds=0.5).start()
    yield Door(port)
    await runner.cleanup()


@pytest.mark.parametrize("sent", [b"", b"POST /webhooks", HEAD, b"\r\n"], ids=["nothing", "a word", "half a head", "a line"])
async def test_a8_a_connection_that_does_not_ask_is_closed(door: Door, sent: bytes) -> None:
    assert await door.say(sent) == b""


async def test_a8_after_an_answer_the_next_head_has_to_come_in_time(door: Door) -> None:
    answer = await door.say(HEAD + b"Content-Length: 2\r\n\r\n{}" + b"POST /half")
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"HTTP/1.1") == 1


async def test_a8_half_a_body_is_answered_and_closed(door: Door) -> None:
    answer = await door.say(HEAD + b"Content-Length: 500\r\n\r\nhalf")
    assert answer.startswith(b"HTTP/1.1 408")


async def test_a8_idle_connections_make_way_and_their_number_is_bounded(door: Door) -> None:
    idle = [await door.open() for _ in range(300)]
    assert (await door.say(HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}")).startswith(b"HTTP/1.1 200")
    async with asyncio.timeout(10):
        assert [await reader.read() for reader, _ in idle] == [b""] * 300
    for _, writer in idle:
        writer.close()


CHILD = """
import asyncio, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
from aiohttp import web
from daemon.runtime.listening import Budget, Site, timed
from daemon.runtime.surroundings import session
async def main(port, vendor):
    budget = Budget.of_process(8)
    async with session(budget.outgoing) as http:
        async def call(_request):
            async with http.get(vendor) as answer:
                return web.Response(text=await answer.text())
        app = web.Application(middlewares=[timed])
        app.router.add_get("/call", call)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await Site(runner, "127.0.0.1", port, most=budget.incoming).start()
        print("listening", flush=True)
        await asyncio.Event().wait()
asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
"""


async def test_a8_at_a_limit_of_256_files_300_idle_connections_leave_room_for_calls() -> None:
    async def vendor(_request: web.Request) -> web.Response:
        return web.Response(text="the vendor")

    app = web.Application()
    app.router.add_get("/", vendor)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    ours, theirs = free_port(), free_port()
    await web.TCPSite(runner, "127.0.0.1", theirs).start()
    command = [sys.executable, "-c", CHILD, str(ours), f"http://127.0.0.1:{theirs}/"]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert child.stdout is not None
        assert await asyncio.to_thread(child.stdout.readline) == b"listening\n"
        door = Door(ours)
        idle = [await door.open() for _ in range(300)]
        request = b"GET /call HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        answers = await asyncio.gather(*(door.say(request) for _ in range(30)))
        assert [answer.endswith(b"the vendor") for answer in answers] == [True] * 30
        for _, writer in idle:
            writer.close()
    finally:
        child.kill()
        child.wait()
        await runner.cleanup()


@given(files=st.integers(200, 2**20), pool=st.integers(1, 60))
def test_a8_what_may_be_open_fits_into_the_limit(files: int, pool: int) -> None:
    budget = Budget.of(files, pool)
    assert budget.incoming + budget.outgoing + pool + RESERVED <= files
    assert budget.incoming >= 11
    assert budget.outgoing >= budget.incoming


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02 hello TLS\r\n\r\n",
        b"POST /secret-path HTTP/1.1\r\nHost: x\r\nContent-Encoding: br\r\nContent-Length: 4\r\n\r\nxxxx",
        HEAD + b"Content-Encoding: br\r\nContent-Length: 4\r\n\r\nxxxx",
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nxxxx",
        HEAD + b"Content-Length: secret\r\n\r\n",
        HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"X: " + b"secret" * 4000 + b"\r\n\r\n",
        b"GET /secret-path HTTP/9.9\r\n\r\n",
    ],
)  # fmt: skip
async def test_b9_a_400_is_in_our_own_words(door: Door, sent: bytes) -> None:
    answer = await door.say(sent)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b" ", 2)[1] in (b"400", b"404")
    assert body in (b"not a valid HTTP request\n", b"not a delivery that can be read\n", b"404: Not Found")


# -- health ---------------------------------------------------------------------------------------------------------------


class Broker:
    """As far as the bus is asked whether a broker answers."""

    def __init__(self) -> None:
        self.away = False

    async def reach(self) -> None:
        if self.away:
            raise ConnectionError


class WorkerSaid:
    def __init__(self) -> None:
        self.healthy = self.joined = True
        self.owned = {PracticeId("elm"), PracticeId("oak"), PracticeId("fir")}
        self.standing: dict[PracticeId, str] = {}


async def asked(worker: WorkerSaid, store: Store, broker: Broker) -> tuple[int, dict[str, object], int]:
    """The status and the answer of /health/ready, and the status of /health/live."""
    endpoint = HealthEndpoint(worker, store, broker)  # type: ignore[arg-type]
    ready, live = await endpoint.ready(None), await endpoint.live(None)  # type: ignore[arg-type]
    return ready.status, json.loads(ready.text or ""), live.status


async def test_a12_ready_says_how_many_practices_are_at_work(store: Store) -> None:
    status, said, live = await asked(WorkerSaid(), store, Broker())
    assert (status, live) == (200, 200)
    assert said == {"ready": True, "practices": 3, "owned": 3, "reasons": []}


async def test_a12_a_practice_that_stands_still_is_told_without_its_name(store: Store) -> None:
    worker = WorkerSaid()
    worker.standing = {PracticeId("elm"): "UnreadableEvent"}
    status, said, live = await asked(worker, store, Broker())
    assert (status, live) == (200, 200)
    assert said["practices"] == 2
    assert said["reasons"] == ["1 of 3 practices not at work: UnreadableEvent"]
    worker.standing = dict.fromkeys(worker.owned, "Unreachable")
    status, said, _ = await asked(worker, store, Broker())
    assert (status, said["practices"]) == (503, 0)
    assert "elm" not in json.dumps(said)


async def test_a12_without_postgresql_or_kafka_a_worker_lives_and_is_not_ready(store: Store, dsn: str) -> None:
    broker = Broker()
    broker.away = True
    status, said, live = await asked(WorkerSaid(), store, broker)
    assert (status, live) == (503, 200)
    assert said["reasons"] == ["Kafka cannot be reached (ConnectionError)"]
    await store.close()
    status, said, live = await asked(WorkerSaid(), store, Broker())
    assert (status, live) == (503, 200)
    (reason,) = said["reasons"]  # type: ignore[misc]
    assert reason.startswith("PostgreSQL cannot be reached")


async def test_postgresql_that_refuses_the_worker_is_told_as_such(store: Store) -> None:
    """A password that was changed: neither PostgreSQL is away, nor is it a fault of this endpoint (500)."""

    class Refusing:
        async def fetchval(self, _query: str) -> object:
            raise asyncpg.InvalidPasswordError("password authentication failed for user")

    class Closed:
        pool = Refusing()

    status, said, live = await asked(WorkerSaid(), Closed(), Broker())  # type: ignore[arg-type]
    assert (status, live) == (503, 200)
    assert said["reasons"] == ["PostgreSQL refuses the worker (InvalidPasswordError)"]


async def test_a12_loops_that_stand_still_are_neither_live_nor_ready(store: Store) -> None:
    worker = WorkerSaid()
    worker.healthy = worker.joined = False
    status, said, live = await asked(worker, store, Broker())
    assert (status, live) == (503, 503)
    assert len(said["reasons"]) == 2  # type: ignore[arg-type]
