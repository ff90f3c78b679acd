"""The sandbox's own door: people's deeds, set-up and planned failures over HTTP, and a look at everything it holds.

It asks for no credentials: the sandbox listens on the loopback and holds invented patients only.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from aiohttp import web

from daemon.sandbox.elation.calls import Call
from daemon.sandbox.elation.directory import Directory
from daemon.sandbox.elation.faults import Faults
from daemon.sandbox.elation.fields import Refusal
from daemon.sandbox.elation.people import People


class Admin:
    """Routes of `/admin/`. `dump` gives everything that the sandbox holds, as JSON."""

    def __init__(
        self,
        people: People,
        directory: Directory,
        faults: Faults,
        calls: Sequence[Call],
        dump: Callable[[], dict[str, object]],
    ) -> None:
        self._faults = faults
        self._calls = calls
        self._dump = dump
        self._verbs: Mapping[str, Callable[..., object]] = {
            name: verb
            for source in (people, directory)
            for name, verb in inspect.getmembers(source, inspect.ismethod)
            if not name.startswith("_")
        } | {"add_fault": self._add_fault, "add_webhook_fault": self._add_webhook_fault, "clear_faults": self._clear_faults}

    def routes(self, app: web.Application) -> None:
        """Add the routes to `app`."""
        app.router.add_get("/admin/dump", self._show)
        app.router.add_get("/admin/calls", self._list_calls)
        app.router.add_post("/admin/{verb}", self._act)

    async def _show(self, request: web.Request) -> web.Response:
        return web.json_response(self._dump())

    async def _list_calls(self, request: web.Request) -> web.Response:
        return web.json_response([asdict(call) | {"time": call.time.isoformat()} for call in self._calls])

    async def _act(self, request: web.Request) -> web.Response:
        """200 and the verb's result; 404 unknown verb; 400 arguments that do not fit; else what the screen answers."""
        verb = self._verbs.get(request.match_info["verb"])
        if verb is None:
            return web.json_response({"error": "unknown verb", "verbs": sorted(self._verbs)}, status=404)
        try:
            arguments = await request.json() if request.can_read_body else {}
            inspect.signature(verb).bind(**arguments)
        except (TypeError, json.JSONDecodeError) as problem:
            return web.json_response({"error": str(problem)}, status=400)
        try:
            return web.json_response(verb(**arguments))
        except Refusal as refusal:
            return web.json_response(refusal.body, status=refusal.status)
        except (TypeError, ValueError, KeyError) as problem:
            return web.json_response({"error": f"{type(problem).__name__}: {problem}"}, status=400)

    def _add_fault(self, *, match: list[str], **plan: object) -> dict[str, object]:
        method, template = match
        self._faults.add(match=(method, template), **plan)  # type: ignore[arg-type]
        return {"planned": True}

    def _add_webhook_fault(self, **plan: object) -> dict[str, object]:
        self._faults.add_webhook(**plan)  # type: ignore[arg-type]
        return {"planned": True}

    def _clear_faults(self) -> dict[str, object]:
        self._faults.clear()
        return {"planned": False}
