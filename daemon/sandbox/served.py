"""What a sandbox is reached by: a server of its own on one port or several."""

from __future__ import annotations

from abc import ABC, abstractmethod

from aiohttp import web


class Served(ABC):
    """A sandbox that listens; `url` is where, once it does."""

    url = ""
    _runner: web.AppRunner | None = None

    @abstractmethod
    def application(self) -> web.Application:
        """What answers requests, without a server around it."""

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen until `stop`. With port 0 a free one is taken."""
        self._runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        bound = self._runner.addresses[0]
        self.url = f"http://{host}:{bound[1]}"

    async def listen(self, port: int, host: str = "127.0.0.1") -> None:
        """Listen on another port too: calls tell which one they came to."""
        assert self._runner is not None
        await web.TCPSite(self._runner, host, port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
