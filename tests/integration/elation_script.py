"""A server on the loopback that answers as Elation from a script, breaks off, or does not answer at all; and clients of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import aiohttp
import pytest
from aiohttp import web

from daemon.vendors.elation.client import ElationClient

T = TypeVar("T")

PRACTICE = 65540
PATIENT = {
    "id": 640,
    "first_name": "Ada",
    "last_name": "SECRET",
    "caregiver_practice": PRACTICE,
    "last_modified": "2026-05-06T12:00:00Z",
}
POLICY = {"id": 5, "practice_id": PRACTICE, "patient_id": 640, "status": "active", "rank": 1, "novelty": {"a": None}}
TOKEN = "POST /api/2.0/oauth2/token/"

Answerer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Scripted = web.Response | Answerer


class Seen:
    """One request as the server saw it."""

    def __init__(self, request: web.Request, body: bytes) -> None:
        self.line = f"{request.method} {request.path}"
        self.query = dict(request.query)
        self.headers = request.headers.copy()
        self.body = body

    @property
    def json(self) -> object:
        return json.loads(self.body)


class Vendor:
    """Answers each `METHOD /path` with its next scripted answer, the last one again and again; keeps what was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[Seen] = []
        self.tokens = 0
        self.never = asyncio.Event()
        self.stop: Callable[[], Awaitable[None]]
        self._script: dict[str, list[Scripted]] = {}

    def say(self, line: str, *answers: object, status: int = 200) -> None:
        self._script[line] = [
            answer if isinstance(answer, web.Response) or callable(answer) else self.page(answer, status)
            for answer in answers
        ]

    def page(self, body: object, status: int = 200) -> Answerer:
        async def answer(_: web.Request) -> web.StreamResponse:
            return web.json_response(body, status=status)

        return answer

    def lines(self) -> list[str]:
        return [seen.line for seen in self.seen if seen.line != TOKEN]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.seen.append(Seen(request, body))
        line = f"{request.method} {request.path}"
        if line in self._script:
            answers = self._script[line]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            return await answer(request) if callable(answer) else answer
        if line == TOKEN:
            self.tokens += 1
            return web.json_response({"access_token": f"t{self.tokens}", "token_type": "Bearer", "expires_in": 36000})
        return web.json_response({"detail": "unscripted"}, status=404)

    async def abort(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def hang(self, _: web.Request) -> web.StreamResponse:
        await self.never.wait()
        return web.Response()


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    vendor = Vendor()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", vendor.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    vendor.stop = site.stop
    vendor.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield vendor
    vendor.never.set()
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


Meters = list[tuple[str, str]]


@pytest.fixture
def meters() -> Meters:
    return []


class TopOfTheRange:
    """Jitter that always draws the ceiling, so that the growth can be seen."""

    def uniform(self, _: float, ceiling: float) -> float:
        return ceiling


@pytest.fixture
def client(vendor: Vendor, session: aiohttp.ClientSession, meters: Meters) -> ElationClient:
    return make(vendor.url, session, meters)


def make(url: str, session: aiohttp.ClientSession, meters: Meters | None = None, **changes: object) -> ElationClient:
    options: dict[str, object] = {
        "base_url": url,
        "client_id": "id",
        "client_secret": "hush",
        "session": session,
        "practice_id": PRACTICE,
        "meter": None if meters is None else lambda operation, outcome, _: meters.append((operation, outcome)),
        "rng": TopOfTheRange(),
    }
    return ElationClient(**(options | changes))  # type: ignore[arg-type]


async def all_of(rows: AsyncIterator[T]) -> list[T]:
    return [row async for row in rows]
