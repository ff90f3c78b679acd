"""Webhook intake at 64 connections, against a bare aiohttp server that checks Ed25519 and waits for Kafka's acknowledgement."""

from __future__ import annotations

import asyncio
import base64
import json
import multiprocessing
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp
from aiohttp import web
from aiokafka import AIOKafkaProducer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from daemon.demo.embedded import EmbeddedBroker, EmbeddedPostgres, free_port
from events.bus import Bus
from events.codec import Keyring
from events.ids import PracticeId
from tests.bench.rounds import interleaved, repeated
from tests.bench.table import Line

CONNECTIONS = 64
PRACTICE = PracticeId("bench-0")
PATH = f"/webhooks/elation/{PRACTICE}/patients"
Server = Callable[[int, str, str, str, Connection], None]


async def _serve(app: web.Application, port: int, ready: Connection) -> None:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    ready.send(True)
    await asyncio.Event().wait()


def bare(port: int, broker: str, keys: str, public: str, ready: Connection) -> None:
    """The limit: check, send, wait for the acknowledgement."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public))

    async def work() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=broker, acks="all", linger_ms=2)
        await producer.start()

        async def receive(request: web.Request) -> web.Response:
            body = await request.read()
            key.verify(base64.b64decode(request.headers["El8-Ed25519-Signature"]), body)
            await producer.send_and_wait("bare", body, key=b"bench")
            return web.Response()

        app = web.Application()
        app.router.add_post(PATH, receive)
        await _serve(app, port, ready)

    asyncio.run(work())


def ours(port: int, broker: str, keys: str, public: str, ready: Connection) -> None:
    """The product's endpoint: parsed, normalized, encrypted, published."""
    from datetime import UTC, datetime

    from daemon.runtime.webhooks import LARGEST, WebhookEndpoint
    from daemon.telemetry import Meter
    from daemon.vendors.elation.connector import RESOURCES
    from daemon.vendors.elation.delivery import ElationDelivery
    from daemon.vendors.ports.intake import Intake
    from events.topics import Seen
    from events.writes import System

    async def work() -> None:
        bus = Bus(broker, {}, Keyring.from_directory(Path(keys)), enable_idempotence=False)
        await bus.start()
        await bus.ensure_topics(4, 1)

        async def known(_records: object) -> dict[tuple[str, str], Seen]:
            return {}

        class Subscribed:
            async def get(self) -> dict[str, tuple[int, str]]:
                return dict.fromkeys(RESOURCES, (1, public))

            async def save(self, resource: str, subscription: int, target: str, key: str) -> None:
                raise NotImplementedError

        delivery = ElationDelivery(
            Intake(PRACTICE, System.EHR, bus.publish, known),
            practice=1,
            zone="America/Denver",
            subscriptions=Subscribed(),
            now=lambda: datetime.now(UTC),
        )
        app = web.Application(client_max_size=LARGEST)
        WebhookEndpoint({("elation", PRACTICE): delivery}, RESOURCES, meter=Meter()).routes(app)
        await _serve(app, port, ready)

    asyncio.run(work())


def delivery() -> bytes:
    chart = {
        "id": 140000000000001, "first_name": "Ada", "last_name": "Byron", "dob": "1980-12-10", "sex": "Female",
        "caregiver_practice": 1, "last_modified": "2026-03-02T09:00:00Z", "notes": "x" * 300,
        "phones": [{"phone": "3035550100", "phone_type": "Mobile"}], "emails": [{"email": "ada@mail.example"}],
        "address": {"address_line1": "1 Elm", "city": "Boulder", "state": "CO", "zip": "80301"},
    }  # fmt: skip
    return json.dumps(
        {"data": chart, "action": "saved", "event_id": 1, "application_id": "x", "resource": "patients"}
    ).encode()


async def rate(port: int, body: bytes, signature: str, seconds: float) -> float:
    """Deliveries a second that 64 connections get acknowledged."""
    done, until = 0, time.perf_counter() + seconds

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:

        async def one() -> None:
            nonlocal done
            while time.perf_counter() < until:
                headers = {"El8-Ed25519-Signature": signature}
                async with session.post(f"http://127.0.0.1:{port}{PATH}", data=body, headers=headers) as answer:
                    assert answer.status == 200, answer.status
                done += 1

        began = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return done / (time.perf_counter() - began)


@asynccontextmanager
async def serving(server: Server, broker: str, keys: Path, public: str) -> AsyncIterator[int]:
    """The server as a process of its own; its port."""
    context = multiprocessing.get_context("spawn")
    port, (ready, there) = free_port(), context.Pipe()
    process = context.Process(target=server, args=(port, broker, str(keys), public, there))
    process.start()
    there.close()
    try:
        await asyncio.to_thread(ready.recv)
        yield port
    finally:
        process.terminate()
        await asyncio.to_thread(process.join)


async def intake(_server: EmbeddedPostgres, folder: Path, seconds: float, rounds: int) -> list[Line]:
    """Both servers are up all the time, and asked in turn."""
    keys = folder / "keys"
    keys.mkdir(parents=True, exist_ok=True)
    Keyring.create_key(keys, PRACTICE)
    key, body = Ed25519PrivateKey.generate(), delivery()
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    public, signature = (base64.b64encode(one).decode() for one in (raw, key.sign(body)))

    async with (
        EmbeddedBroker() as broker,
        serving(ours, broker.bootstrap_servers, keys, public) as here,
        serving(bare, broker.bootstrap_servers, keys, public) as there,
    ):

        async def work(number: int) -> list[Line]:
            rates = await interleaved(
                number, {"ours": lambda: rate(here, body, signature, seconds), "bare": lambda: rate(there, body, signature, seconds)}
            )  # fmt: skip
            return [
                Line(subject="intake", what="webhooks accepted at 64 connections", rounds=(rates["ours"],), unit="1/s"),
                Line(subject="intake", what="ratio to bare aiohttp + Ed25519 + Kafka acknowledgement", rounds=(rates["ours"] / rates["bare"],), unit="x", aim=0.8),
            ]  # fmt: skip

        for port in (here, there):
            await rate(port, body, signature, min(1.0, seconds))
        return await repeated(f"intake, {CONNECTIONS} connections for {seconds:g} s", rounds, work)
