"""A WSDL is loaded by the first call, once for all practices that name it, and again until it can be had."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from daemon.sandbox.kareo import KareoSandbox
from daemon.vendors.kareo import described
from daemon.vendors.kareo.described import DescribedService
from daemon.vendors.ports.errors import Unreachable


class Described:
    """A server that has a WSDL, or not yet."""

    def __init__(self, wsdl: bytes) -> None:
        self.asked = 0
        self.there = False
        self._wsdl = wsdl

    async def answer(self, _request: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(body=self._wsdl if self.there else b"<html/>")


async def test_a1_practices_that_wait_for_a_wsdl_share_one_load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sandbox = KareoSandbox()
    await sandbox.start()
    async with aiohttp.ClientSession() as session:
        async with session.get(sandbox.wsdl_url) as response:
            here = Described(await response.read())
        await sandbox.stop()
        app = web.Application()
        app.router.add_get("/wsdl", here.answer)
        async with TestServer(app) as server:
            service = DescribedService(str(server.make_url("/wsdl")), session, None)
            found = await asyncio.gather(*(service.opened() for _ in range(20)), return_exceptions=True)
            assert all(isinstance(one, Unreachable) for one in found)
            assert here.asked == 1, "nobody asks again within a few seconds"
            monkeypatch.setattr(described, "AGAIN_SECONDS", 0.0)
            here.there = True
            service = DescribedService(str(server.make_url("/wsdl")), session, None)
            opened = await asyncio.gather(*(service.opened() for _ in range(20)))
            assert here.asked == 2
            assert len(set(map(id, opened))) == 1


async def test_a1_a_file_that_is_missing_is_unreachable(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session:
        service = DescribedService(str(tmp_path / "none.wsdl"), session, None)
        with pytest.raises(Unreachable):
            await service.opened()
