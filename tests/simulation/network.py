"""The network of the simulation: requests reach the handlers of aiohttp applications in process, late, or not at all.

`Session` is what the vendor clients and the webhooks take for an `aiohttp.ClientSession`; it raises aiohttp's own errors.
Requests are aiohttp's own `web.Request`, so that the sandboxes and the webhook endpoint run unchanged.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.http import HttpVersion11
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from tests.simulation.clock import Process, process_now

PATIENCE = 300.0
"""aiohttp's own limit where the caller names none."""


@dataclass(kw_only=True)
class Call:
    """One request under way. `fate` is what the weather has in store for it, "" for nothing."""

    host: str
    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes
    process: Process | None
    fate: str = ""
    status: int = 0


class Observer(Protocol):
    """Looks at requests as they are sent (`count` of this sender are under way), as they arrive and after they were handled;
    `before` may return something for `after`."""

    def under_way(self, call: Call, count: int) -> None: ...

    def before(self, call: Call) -> Any: ...

    def after(self, call: Call, seen: Any) -> None: ...


@dataclass
class Host:
    """A name and who answers to it. `weather` draws the fate of a request, `plan` passes it on to the
    sandbox, `spoil` may change what that answers."""

    applications: list[tuple[Process | None, web.Application]] = field(default_factory=list)
    weather: Callable[[Call], str] = lambda _call: ""
    plan: Callable[[Call], None] = lambda _call: None
    spoil: Callable[[Call, Response], Response] = lambda _call, answer: answer


class Network:
    """All hosts. Travelling takes between `quick` and `slow` seconds each way."""

    def __init__(self, seed: object, *, quick: float = 0.005, slow: float = 0.06) -> None:
        self._random = random.Random(f"{seed}/network")
        self._quick, self._slow = quick, slow
        self.hosts: dict[str, Host] = {}
        self.observers: list[Observer] = []
        self.requests = 0
        self.defects: list[str] = []
        self._under_way: Counter[tuple[object, str, str]] = Counter()

    def session(self, **_options: object) -> Session:
        return Session(self)

    def serve(self, host: str, application: web.Application, process: Process | None = None) -> None:
        """Answer to `host` with `application`, beside others that do."""
        application.freeze()
        self.hosts.setdefault(host, Host()).applications.append((process, application))

    def withdraw(self, application: web.Application) -> None:
        for host in self.hosts.values():
            host.applications = [one for one in host.applications if one[1] is not application]

    def travel(self) -> float:
        """Seconds on the way, now and then many."""
        seconds = self._random.uniform(self._quick, self._slow)
        return seconds * 20 if self._random.random() < 0.01 else seconds

    async def exchange(self, call: Call, timeout: float) -> Response:
        """The answer. Raises aiohttp's errors as a real session would."""
        self.requests += 1
        sender = (call.process, call.host, call.headers.get("Authorization", ""))
        self._under_way[sender] += 1
        for observer in self.observers:
            observer.under_way(call, self._under_way[sender])
        try:
            return await self._exchange(call, timeout)
        finally:
            self._under_way[sender] -= 1

    async def _exchange(self, call: Call, timeout: float) -> Response:
        host = self.hosts.get(call.host, Host())
        call.fate = host.weather(call)
        await asyncio.sleep(self.travel())
        takers = [one for one in host.applications if one[0] is None or one[0].alive]
        if not takers or call.fate == "refused":
            raise aiohttp.ClientConnectorError(_KEY, OSError(111, "connection refused"))
        process, application = takers[self._random.randrange(len(takers))]
        answered: asyncio.Future[Response | Exception] = asyncio.get_running_loop().create_future()
        if call.fate != "lost":
            self._begin(process, self._answer(call, host, application, answered))
        late: list[Exception] = []
        timer = asyncio.get_running_loop().call_later(timeout, _give_up, answered, late)
        try:
            answer = await answered
        finally:
            timer.cancel()
        if late:
            raise late[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _begin(self, process: Process | None, work: Any) -> None:
        from tests.simulation.clock import PROCESS

        context = Context()
        context.run(PROCESS.set, process)
        asyncio.get_running_loop().create_task(work, context=context)

    async def _answer(
        self, call: Call, host: Host, application: web.Application, answered: asyncio.Future[Response | Exception]
    ) -> None:
        """The server's side: handle the request as it arrives, then send the answer on its way."""
        seen = [observer.before(call) for observer in self.observers]
        host.plan(call)
        answer: Response | Exception
        try:
            answer = await _handled(call, application)
        except Exception as error:  # noqa: BLE001 - kept, and made the simulation's verdict
            self.defects.append(f"{call.host} {call.method} {call.url.path}: {type(error).__name__}: {error}")
            answer = Response(500, {}, b"", whole=True)
        if isinstance(answer, Response):
            answer = host.spoil(call, answer)
            call.status = answer.status
        for observer, one in zip(self.observers, seen, strict=True):
            observer.after(call, one)
        await asyncio.sleep(self.travel())
        if call.fate != "unanswered" and not answered.done():
            answered.set_result(answer)


def _give_up(answered: asyncio.Future[Response | Exception], late: list[Exception]) -> None:
    """As an `asyncio.timeout` around the wait: an answer that comes while nobody can take it is late, too."""
    late.append(aiohttp.ServerTimeoutError("no answer in time"))
    if not answered.done():
        answered.set_result(late[0])


async def _handled(call: Call, application: web.Application) -> Response | Exception:
    transport = _Transport()
    request = _request(call, transport, application)
    match = await application.router.resolve(request)
    match.add_app(application)
    request._match_info = match
    try:
        response = await match.handler(request)
    except web.HTTPException as refusal:
        response = refusal
    if transport.aborted and not transport.begun:
        return aiohttp.ServerDisconnectedError()
    body = response.body if isinstance(response, web.Response) else b""
    if transport.begun:
        body = bytes(transport.sent)
    assert body is None or isinstance(body, bytes)
    return Response(response.status, response.headers, body or b"", whole=not transport.begun)


class _Transport:
    """What a handler can do to its connection."""

    def __init__(self) -> None:
        self.aborted = False
        self.begun = False
        self.sent = bytearray()

    def abort(self) -> None:
        self.aborted = True

    def close(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.aborted

    def get_extra_info(self, _name: str, default: object = None) -> object:
        return default


class _Writer(AbstractStreamWriter):
    """Takes what a handler streams; only torn answers are streamed."""

    def __init__(self, transport: _Transport) -> None:
        self._transport = transport

    async def write(self, chunk: Any) -> None:
        self._transport.sent += chunk

    async def write_eof(self, chunk: bytes = b"") -> None:
        self._transport.sent += chunk

    async def drain(self) -> None:
        pass

    def enable_compression(self, encoding: str = "deflate", strategy: int | None = None) -> None:
        raise NotImplementedError

    def enable_chunking(self) -> None:
        raise NotImplementedError

    async def write_headers(self, status_line: str, headers: Any) -> None:
        self._transport.begun = True


class _Connection:
    """The connection as a request knows it; nothing is read from it, since the whole body is there."""

    _reading_paused = False
    peername = sockname = ssl_context = None
    max_field_size, max_line_length, max_headers = 8190, 8190, 128

    def __init__(self, transport: _Transport, writer: _Writer) -> None:
        self.transport = transport
        self.writer = writer

    def pause_reading(self) -> None:
        pass

    def resume_reading(self, resume_parser: bool = True) -> None:
        pass


def _request(call: Call, transport: _Transport, application: web.Application) -> web.Request:
    loop = asyncio.get_running_loop()
    writer = _Writer(transport)
    connection: Any = _Connection(transport, writer)
    payload = StreamReader(connection, 2**26, loop=loop)
    if call.body:
        payload.feed_data(call.body)
    payload.feed_eof()
    headers = CIMultiDictProxy(CIMultiDict({"Host": call.host, "Content-Length": str(len(call.body)), **call.headers}))
    raw = tuple((name.encode(), value.encode()) for name, value in headers.items())
    message = RawRequestMessage(
        call.method, call.url.raw_path_qs, HttpVersion11, headers, raw, False, None, False, False, call.url.relative()
    )
    return web.Request(
        message,
        payload,
        connection,
        writer,
        None,  # type: ignore[arg-type]
        loop,
        client_max_size=application._client_max_size,
        scheme=call.url.scheme,
        host=call.host,
    )


class Response:
    """What `aiohttp.ClientResponse` is to the clients; one that is not `whole` breaks off at the end of `body`."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes, *, whole: bool) -> None:
        self.status = status
        self.headers = CIMultiDictProxy(CIMultiDict(headers))
        self.content = _Content(body, whole)
        self._whole = whole

    def with_body(self, body: bytes) -> Response:
        return Response(self.status, self.headers, body, whole=self._whole)

    async def read(self) -> bytes:
        return await self.content.read(-1)

    def close(self) -> None:
        pass


class _Content:
    def __init__(self, body: bytes, whole: bool) -> None:
        self.body = self._left = body
        self._whole = whole

    async def read(self, most: int) -> bytes:
        if not self._whole:
            raise aiohttp.ClientPayloadError("the answer broke off")
        piece = self._left if most < 0 else self._left[:most]
        self._left = self._left[len(piece) :]
        return piece

    def at_eof(self) -> bool:
        return not self._left

    async def iter_any(self) -> AsyncIterator[bytes]:
        if self._left:
            piece, self._left = self._left, b""
            yield piece
        if not self._whole:
            raise aiohttp.ClientPayloadError("the answer broke off")


class Session:
    """What the clients use of `aiohttp.ClientSession`."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def request(
        self,
        method: str,
        url: URL | str,
        *,
        data: bytes | Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: aiohttp.ClientTimeout | None = None,
        **_options: object,
    ) -> AbstractAsyncContextManager[Response]:
        sent = dict(headers or {})
        if isinstance(data, Mapping):
            sent["Content-Type"] = "application/x-www-form-urlencoded"
            data = urlencode(data).encode()
        address = URL(url) if isinstance(url, str) else url
        call = Call(
            host=address.host or "",
            method=method,
            url=address,
            headers=sent,
            body=data or b"",
            process=process_now(),
        )
        return self._exchanging(call, (timeout.total if timeout is not None else None) or PATIENCE)

    @asynccontextmanager
    async def _exchanging(self, call: Call, timeout: float) -> AsyncIterator[Response]:
        yield await self._network.exchange(call, timeout)

    def post(self, url: URL | str, **options: Any) -> AbstractAsyncContextManager[Response]:
        return self.request("POST", url, **options)

    def get(self, url: URL | str, **options: Any) -> AbstractAsyncContextManager[Response]:
        return self.request("GET", url, **options)

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(self, *_error: object) -> None:
        pass


_KEY = ConnectionKey("simulated", 443, True, True, None, None, None)
