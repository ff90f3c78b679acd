"""The service that a WSDL describes, loaded when it is first called: opening the vendor asks the network for nothing.

All practices of the process that name the same WSDL share one load. While it fails, nobody asks for it more often than every
few seconds, however many practices wait for it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp

from daemon.vendors.kareo.soap import SoapService
from daemon.vendors.ports.errors import Unreachable

AGAIN_SECONDS = 5.0


class DescribedService:
    """One WSDL, by file or address. `cache` is where its last good copy lies."""

    def __init__(self, wsdl: str, session: aiohttp.ClientSession, cache: Path | None) -> None:
        self._wsdl = wsdl
        self._session = session
        self._cache = cache
        self._service: SoapService | None = None
        self._loading = asyncio.Lock()
        self._again_at = 0.0

    async def opened(self) -> SoapService:
        """The service. Raises Unreachable while its WSDL cannot be had, or is none."""
        if self._service is None:
            async with self._loading:
                await self._load()
        assert self._service is not None
        return self._service

    async def _load(self) -> None:
        loop = asyncio.get_running_loop()
        if self._service is not None:
            return
        if loop.time() < self._again_at:
            raise Unreachable("kareo.WSDL")
        self._again_at = loop.time() + AGAIN_SECONDS
        try:
            self._service = await SoapService.load(self._wsdl, self._session, self._cache)
        except (OSError, ValueError):
            raise Unreachable("kareo.WSDL") from None
        finally:
            self._again_at = loop.time() + AGAIN_SECONDS
