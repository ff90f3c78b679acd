"""SOAP over aiohttp: zeep reads the WSDL, `messages.py` writes by its types. zeep never touches the network itself.

Answers are read in `daemon.vendors.kareo.answers`, big ones in a thread. DTDs and entities are forbidden both ways.
"""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from lxml import etree
from zeep import Client, Settings
from zeep.exceptions import Error as ZeepError
from zeep.transports import Transport

from daemon.vendors.kareo.answers import Node, body_of, is_complete
from daemon.vendors.kareo.failures import faulted, lost, malformed, message_in, refuse, writes
from daemon.vendors.kareo.messages import Messages, NotInWsdl
from daemon.vendors.ports.errors import Defect, Refused, Unreachable

log = structlog.get_logger()

IN_THREAD = 64 * 1024
LARGEST = 64 * 1024 * 1024
LARGEST_WSDL = 16 * 1024 * 1024
"""Kareo's own has half a megabyte."""

_SETTINGS = Settings(forbid_dtd=True, forbid_entities=True, forbid_external=True)
_loaded: dict[str, SoapService] = {}


class _NoNetwork(Transport):
    """zeep gets nothing from anywhere: the WSDL is handed to it whole."""

    def load(self, url: object) -> bytes:
        if hasattr(url, "read"):
            return bytes(url.read())
        raise ValueError("the WSDL refers to another document; use its single-file form")


class SoapService:
    """The operations of one WSDL; loaded once per process and content."""

    def __init__(self, wsdl: bytes) -> None:
        client: Any = _untyped(Client)(io.BytesIO(wsdl), transport=_untyped(_NoNetwork)(), settings=_SETTINGS)
        bindings = list(client.wsdl.bindings.values())
        if not bindings:  # any other XML, such as a proxy's page
            raise ValueError("not a usable WSDL (no binding)")
        self._messages = Messages(bindings[0])
        self.operations = frozenset(bindings[0]._operations)

    @classmethod
    async def load(cls, wsdl: str, session: aiohttp.ClientSession, cache: Path | None) -> SoapService:
        """From a file or an address; the last good copy in `cache` serves while the address gives none.

        Raises Unreachable, OSError, or ValueError for what is no usable WSDL.
        """
        if "://" not in wsdl:
            return await cls._parsed(await asyncio.to_thread(_file, Path(wsdl)))
        copy = cache / f"{blake2b(wsdl.encode(), digest_size=8).hexdigest()}.wsdl" if cache else None
        try:
            content = await _fetch(wsdl, session)
            service = await cls._parsed(content)
        except (Unreachable, ValueError):
            if copy is None or not copy.exists():
                raise
            return await cls._parsed(await asyncio.to_thread(copy.read_bytes))
        if copy is not None:
            await asyncio.to_thread(_keep, copy, content)
        return service

    @classmethod
    async def _parsed(cls, content: bytes) -> SoapService:
        name = blake2b(content, digest_size=16).hexdigest()
        if name not in _loaded:
            try:
                _loaded[name] = await asyncio.to_thread(cls, content)
            except (ZeepError, etree.XMLSyntaxError) as error:
                raise ValueError(f"not a usable WSDL ({type(error).__name__})") from None
        return _loaded[name]

    async def opened(self) -> SoapService:
        """As it is: it is loaded already (see `DescribedService`)."""
        return self

    def envelope(self, operation: str, request: dict[str, object]) -> tuple[bytes, dict[str, str]]:
        """The message and its headers; the parameter is named `request` but in UpdatePatient.

        Raises Refused for a text that XML cannot carry, Defect for a message that the WSDL does not allow.
        """
        name = "UpdatePatientReq" if operation == "UpdatePatient" else "request"
        try:
            return self._messages.envelope(operation, name, request)
        except (NotInWsdl, ZeepError, TypeError) as error:
            raise Defect(f"kareo.{operation}", vendor_text=f"no message can be made ({type(error).__name__})") from None
        except ValueError:  # lxml's: control characters and lone surrogates cannot be written in XML
            text = "a text holds a character that cannot be sent; remove it"
            raise Refused(f"kareo.{operation}", vendor_text=text) from None

    async def call(
        self,
        operation: str,
        endpoint: str,
        request: dict[str, object],
        session: aiohttp.ClientSession,
        timeout: float,
        pause: float,
        guard: Callable[[], Awaitable[None]] | None = None,
    ) -> Node:
        """Call once; returns the operation's result. `guard` is asked last, just before sending.

        Raises OutcomeUnknown or Unreachable without a usable answer, Throttled or Refused where only the error could be read,
        Defect where the service could not read the message.
        """
        body, headers = self.envelope(operation, request)
        headers["Content-Type"] = "text/xml; charset=utf-8"
        if guard is not None:
            await guard()
        try:
            async with session.post(
                endpoint, data=body, headers=headers, timeout=aiohttp.ClientTimeout(total=timeout), allow_redirects=False
            ) as response:
                content = await response.content.read(LARGEST + 1)
                while not response.content.at_eof() and len(content) <= LARGEST:
                    content += await response.content.read(LARGEST + 1 - len(content))
        except aiohttp.ClientConnectorError:
            raise Unreachable(f"kareo.{operation}") from None
        except (aiohttp.ClientError, TimeoutError, OSError):
            raise lost(operation) from None
        if len(content) > LARGEST:
            raise lost(operation)
        if len(content) > IN_THREAD:
            return await asyncio.to_thread(read, operation, response.status, content, pause)
        return read(operation, response.status, content, pause)


def read(operation: str, status: int, content: bytes, pause: float) -> Node:
    """The result of an operation from the answer to it.

    Raises what a SOAP fault comes to; Throttled or Refused where only the error can be made out; Malformed for a reading whose answer
    is complete and broken; OutcomeUnknown or Unreachable for anything else that is no complete answer.
    """
    body = body_of(content)
    if body is not None and (fault := body.node("Fault")) is not None:
        raise faulted(operation, fault.text("faultcode"), fault.text("faultstring"))
    response = body.node(f"{operation}Response") if body is not None and status == 200 else None
    result = response.node(f"{operation}Result") if response is not None else None
    if result is not None:
        return result
    if message := message_in(content):
        refuse(operation, message, pause)
    if body is None and status == 200 and is_complete(content) and not writes(operation):
        raise malformed(operation, "$")
    raise lost(operation)


def _untyped(function: Any) -> Any:
    """zeep declares no types."""
    return function


def _file(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(LARGEST_WSDL + 1)
    if len(content) > LARGEST_WSDL:
        raise ValueError(f"not a usable WSDL (larger than {LARGEST_WSDL} bytes)")
    return content


def _keep(copy: Path, content: bytes) -> None:
    """As the last good copy, whole; where there is no room for it, or no right, the one before stays."""
    fresh = copy.with_suffix(f".{os.getpid()}")
    try:
        fresh.write_bytes(content)
        fresh.replace(copy)
    except OSError as error:
        log.warning("wsdl_not_kept", error_type=type(error).__name__)
        with suppress(OSError):
            fresh.unlink(missing_ok=True)


async def _fetch(address: str, session: aiohttp.ClientSession) -> bytes:
    try:
        async with session.get(address, timeout=aiohttp.ClientTimeout(total=60), allow_redirects=False) as response:
            if response.status != 200:
                raise aiohttp.ClientConnectionError
            content = bytearray()
            async for chunk in response.content.iter_any():
                content += chunk
                if len(content) > LARGEST_WSDL:
                    response.close()
                    raise ValueError(f"not a usable WSDL (larger than {LARGEST_WSDL} bytes)")
            return bytes(content)
    except (aiohttp.ClientError, TimeoutError, OSError):
        raise Unreachable("kareo.WSDL") from None
