"""Ledger, invented: staff, rooms, accounts and invoices in memory, behind a key."""

from __future__ import annotations

import itertools
from typing import Any

from aiohttp import web

Json = dict[str, Any]


class LedgerSandbox:
    """People change `accounts` directly; `url` is where it answers once started."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.staff: list[Json] = []
        self.rooms: list[Json] = []
        self.accounts: dict[int, Json] = {}
        self.invoices: dict[int, Json] = {}
        self.calls: list[tuple[str, str]] = []
        self.url = ""
        self._ids = itertools.count(70_001)
        self._runner: web.AppRunner | None = None

    def hire(self, given: str, family: str, npi: str) -> int:
        self.staff.append({"id": next(self._ids), "given": given, "family": family, "npi": npi})
        return int(self.staff[-1]["id"])

    def furnish(self, name: str) -> int:
        self.rooms.append({"id": next(self._ids), "name": name})
        return int(self.rooms[-1]["id"])

    def open_account(self, **fields: object) -> int:
        id_ = next(self._ids)
        self.accounts[id_] = {"id": id_, **fields}
        return id_

    async def start(self) -> None:
        app = web.Application(middlewares=[self._door])
        app.router.add_get("/staff", self._staff)
        app.router.add_get("/rooms", self._rooms)
        app.router.add_get("/accounts", self._list)
        app.router.add_post("/accounts", self._open)
        app.router.add_get("/accounts/{id}", self._one)
        app.router.add_patch("/accounts/{id}", self._change)
        app.router.add_get("/invoices", self._invoices)
        app.router.add_post("/invoices", self._invoice)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _door(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.calls.append((request.method, request.path))
        if request.headers.get("X-Ledger-Key") != self.key:
            return web.json_response({"error": "key"}, status=401)
        response: web.StreamResponse = await handler(request)
        return response

    async def _staff(self, _request: web.Request) -> web.Response:
        return web.json_response(self.staff)

    async def _rooms(self, _request: web.Request) -> web.Response:
        return web.json_response(self.rooms)

    async def _list(self, request: web.Request) -> web.Response:
        rows = self.accounts.values()
        return web.json_response([row for row in rows if all(row.get(k) == v for k, v in request.query.items())])

    async def _one(self, request: web.Request) -> web.Response:
        return self._shown(self.accounts.get(int(request.match_info["id"])))

    async def _open(self, request: web.Request) -> web.Response:
        body = await request.json()
        if not body.get("family"):
            return web.json_response({"error": "family is needed"}, status=422)
        return self._shown(self.accounts[self.open_account(**body)])

    async def _change(self, request: web.Request) -> web.Response:
        held = self.accounts.get(int(request.match_info["id"]))
        if held is not None:
            held |= await request.json()
        return self._shown(held)

    async def _invoices(self, request: web.Request) -> web.Response:
        bill = int(request.query["bill"])
        return web.json_response([row for row in self.invoices.values() if row["bill"] == bill])

    async def _invoice(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body["account"] not in self.accounts:
            return web.json_response({"error": "no such account"}, status=422)
        id_ = next(self._ids)
        self.invoices[id_] = {"id": id_, **body}
        return self._shown(self.invoices[id_])

    def _shown(self, row: Json | None) -> web.Response:
        return web.json_response({"error": "none"}, status=404) if row is None else web.json_response(row)
