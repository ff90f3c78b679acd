"""One HTTP exchange, reduced to what the client decides by; aiohttp's exceptions end here, since they quote URLs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import aiohttp
import msgspec
from aiohttp.client_middlewares import ClientHandlerType
from yarl import URL

from daemon.vendors.ports.errors import OutcomeUnknown, Unreachable, VendorError

SIZE_CAP: Final = 64 * 1024 * 1024

_NEVER_CONNECTED: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`body` is None when it was larger than `SIZE_CAP`, and empty when a refusal's body could not be read."""

    status: int
    location: str | None
    body: bytes | None


class _Broken(Exception):
    """The connection broke after something was sent."""


async def exchange(
    session: aiohttp.ClientSession,
    method: str,
    url: URL,
    *,
    operation: str,
    write: bool,
    headers: Mapping[str, str],
    data: bytes | Mapping[str, str] | None,
    timeout: float,
) -> Answer:
    """Sends once and reads the answer, whatever its status; redirects are not followed.

    `timeout` (seconds) covers everything; half of it the way to a connection, so that "never connected" can be told from
    "no answer". Raises Unreachable when nothing was sent, or for reads; OutcomeUnknown for a write that got no answer.
    """
    failure: VendorError
    try:
        async with session.request(
            method,
            url,
            data=data,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=timeout, connect=timeout / 2),
            middlewares=(_send_once,) if write else (),
        ) as response:
            body = await _body(response)
            return Answer(status=response.status, location=response.headers.get("Location"), body=body)
    except _NEVER_CONNECTED:
        failure = Unreachable(operation, "no connection")
    except (aiohttp.ClientError, TimeoutError, OSError, _Broken):
        failure = OutcomeUnknown(operation, "no answer") if write else Unreachable(operation, "no answer")
    # Raised here, outside of the handlers, so that it does not carry aiohttp's exception (and its URL) as context.
    raise failure


async def _send_once(request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
    # aiohttp by itself repeats PUT and DELETE after a broken connection; whether to repeat is not the transport's to say.
    try:
        return await handler(request)
    except _NEVER_CONNECTED:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
        raise _Broken from None


async def _body(response: aiohttp.ClientResponse) -> bytes | None:
    chunks = []
    size = 0
    try:
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > SIZE_CAP:
                response.close()
                return None
            chunks.append(chunk)
    except (aiohttp.ClientError, TimeoutError, OSError):
        # The status of a refusal says enough; an answer that should hold a record is no answer without it.
        if response.status < 300:
            raise
        response.close()
        return b""
    return b"".join(chunks)
