"""The sandbox as a server: tokens, limits, planned failures and a record of every call around the handlers of `resources`."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

import aiohttp
from aiohttp import web
from yarl import URL

from daemon.sandbox.elation import oauth
from daemon.sandbox.elation.admin import Admin
from daemon.sandbox.elation.calls import Call
from daemon.sandbox.elation.directory import Directory
from daemon.sandbox.elation.faults import Fault, Faults
from daemon.sandbox.elation.fields import Record, Refusal, detail
from daemon.sandbox.elation.people import People
from daemon.sandbox.elation.resources import Answer, Ask, Resources, Route
from daemon.sandbox.elation.state import State, snapshot
from daemon.sandbox.elation.switches import ElationSwitches
from daemon.sandbox.elation.views import read_form
from daemon.sandbox.elation.webhooks import Courier

BASE: Final = "/api/2.0"
GRANT: Final = "/oauth2/token/"
LARGEST_BODY: Final = 1024 * 1024


class ElationSandbox:
    """Elation in memory. `now` is its clock (aware, UTC); `switches` its answers to open questions, `session` what
    webhooks are sent by.

    People act through `people`, practices are set up with `add_practice` and its kin, failures are planned in `faults`.
    """

    def __init__(
        self,
        now: Callable[[], datetime] | None = None,
        switches: ElationSwitches | None = None,
        seed_id: int = 140_000_000_000_001,
        session: Callable[..., aiohttp.ClientSession] = aiohttp.ClientSession,
    ) -> None:
        self.state = State(now or _utc_now, switches or ElationSwitches(), seed_id - 1)
        self.faults = Faults()
        self.webhooks = Courier(self.state, self.faults, session)
        self.state.listener = self.webhooks
        self.people = People(self.state, self.webhooks)
        self.directory = Directory(self.state)
        self.calls: list[Call] = []
        self.url = ""
        self._resources = Resources(self.state, self.webhooks)
        self._runner: web.AppRunner | None = None
        self._busy: dict[str, int] = {}
        self._recent: dict[str, deque[float]] = {}
        self.add_practice = self.directory.add_practice
        self.add_credential = self.directory.add_credential
        self.add_physician = self.directory.add_physician
        self.add_service_location = self.directory.add_service_location
        self.add_appointment_type = self.directory.add_appointment_type
        self.add_billing_code = self.directory.add_billing_code

    def application(self) -> web.Application:
        """What answers requests, without a server around it; webhooks go out while `webhooks` is started."""
        app = web.Application(client_max_size=LARGEST_BODY)
        Admin(self.people, self.directory, self.faults, self.calls, self.dump).routes(app)
        app.router.add_route("*", BASE + "/{tail:.*}", self._receive)
        return app

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen, and deliver webhooks, until `stop`. With port 0 a free one is taken; see `url`."""
        self._runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        bound = self._runner.addresses[0]
        self.url = f"http://{host}:{bound[1]}"
        await self.webhooks.start()

    async def listen(self, port: int, host: str = "127.0.0.1") -> None:
        """Listen on another port too: calls tell which one they came to."""
        assert self._runner is not None
        await web.TCPSite(self._runner, host, port).start()

    async def stop(self) -> None:
        """Stop listening; deliveries that are still on their way are given up."""
        await self.webhooks.stop()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    # Looking in, for tests and rehearsals

    @property
    def switches(self) -> ElationSwitches:
        """The answers to open questions; may be replaced while it runs."""
        return self.state.switches

    @switches.setter
    def switches(self, switches: ElationSwitches) -> None:
        self.state.switches = switches

    @property
    def patients(self) -> dict[int, Record]:
        """Charts by id, as stored: metadata and legacy insurances are only in `view`."""
        return self.state.tables["patients"]

    @property
    def appointments(self) -> dict[int, Record]:
        """Appointments by id, as stored: `service_location` is an id."""
        return self.state.tables["appointments"]

    @property
    def bills(self) -> dict[int, Record]:
        """Bills by id, as stored: `service_location` is an id."""
        return self.state.tables["bills"]

    @property
    def policies(self) -> dict[int, Record]:
        """Policies of all charts by id: the truth, also where reads are still late."""
        return self.state.tables["policies"]

    @property
    def insurance_companies(self) -> dict[int, Record]:
        """Insurers by id."""
        return self.state.tables["insurance_companies"]

    @property
    def insurance_plans(self) -> dict[int, Record]:
        """Plans by id."""
        return self.state.tables["insurance_plans"]

    @property
    def visit_notes(self) -> dict[int, Record]:
        """Visit notes by id."""
        return self.state.tables["visit_notes"]

    @property
    def appointment_types(self) -> dict[int, Record]:
        """Appointment types by id."""
        return self.state.tables["appointment_types"]

    @property
    def subscriptions(self) -> dict[int, Record]:
        """Subscriptions of all applications by id."""
        return self.state.tables["subscriptions"]

    def view(self, resource: str, key: int, application: str | None = None) -> Record:
        """A record as GET gives it to `application`, with its metadata. Raises KeyError."""
        return read_form(self.state, resource, key, application)

    def metadata(self, resource: str, key: int, application: str) -> Record | None:
        """What an application keeps at a record."""
        return self.state.metadata.get((resource, key, application))

    def dump(self) -> dict[str, object]:
        """Everything it holds, as JSON; secrets and tokens left out."""
        held = self.state.metadata.items()
        notes = [{"resource": name, "id": key, "application": app, "metadata": kept} for (name, key, app), kept in held]
        return {**snapshot(self.state.tables), "metadata": notes}

    # The server

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix(BASE)
        route, ids = self._route(path)
        template = GRANT if path.rstrip("/") + "/" == GRANT else route.template if route else ""
        now, port = self.state.now(), _port(request)
        query = dict(request.query)
        call = Call(now, None, request.method, template, query, slash=path.endswith("/"), ids=ids, port=port)
        self.calls.append(call)
        fault = self.faults.for_request(request.method, template)
        if fault is not None:
            call.fault = fault.kind
            if fault.kind == "refuse":
                return _cut(request)
        try:
            raw = await request.read()
        except web.HTTPRequestEntityTooLarge:
            call.status = 413
            return _respond(413, {"detail": "Request body is too large."})
        if fault is not None:
            if fault.kind == "cut_before":
                return _cut(request)
            if fault.kind == "status":
                call.status = fault.status
                return _respond(fault.status, {"detail": "A failure that was planned."})
        response = await self._answer(request, call, route, ids, raw, fault)
        if fault is not None and fault.kind in ("cut_after", "garbage", "half"):
            return await self._spoil(request, call, response, fault)
        call.status = response.status
        return response

    async def _answer(
        self, request: web.Request, call: Call, route: Route | None, ids: Mapping[str, int], raw: bytes, fault: Fault | None
    ) -> web.Response:
        """Authenticate, hold to the limits, decode, handle."""
        try:
            if call.path == GRANT:
                if request.method != "POST":
                    raise detail(405, f'Method "{request.method}" not allowed.')
                await _dawdle(fault)
                form = await request.post()
                call.application = _application(self.state, str(form.get("client_id", "")))
                return _respond(200, oauth.grant(self.state, {name: str(value) for name, value in form.items()}))
            credential, token = oauth.authenticate(self.state, request.headers.get("Authorization"))
            call.application = credential.application_id
            call.body = _decoded(request, raw)
            async with _Limited(self, credential.client_id):
                await _dawdle(fault)
                if route is None:
                    raise detail(404, "Not found.")
                handler = route.handlers.get(request.method)
                if handler is None:
                    raise detail(405, f'Method "{request.method}" not allowed.')
                oauth.permit(token, request.method, route.scope)
                ask = Ask(
                    request.method,
                    ids,
                    URL(self.url).join(request.rel_url),
                    call.body,
                    credential.application_id,
                    frozenset(credential.practices),
                )
                answer: Answer = handler(ask)
                return _respond(answer.status, answer.body)
        except Refusal as refusal:
            return _respond(refusal.status, refusal.body, refusal.headers)

    def _route(self, path: str) -> tuple[Route | None, Mapping[str, int]]:
        """Most paths also work without their trailing slash."""
        for route in self._resources.routes:
            ids = route.match(path.rstrip("/"))
            if ids is not None:
                return (None, {}) if route.slash_required and not path.endswith("/") else (route, ids)
        return None, {}

    async def _spoil(self, request: web.Request, call: Call, response: web.Response, fault: Fault) -> web.StreamResponse:
        """The request has been applied; its answer gets lost, replaced or torn."""
        if fault.kind == "cut_after":
            return _cut(request)
        if fault.kind == "garbage":
            call.status = 200
            return web.Response(text="<html><body>It works!</body></html>", content_type="text/html")
        body = response.body if isinstance(response.body, bytes) else b""
        torn = web.StreamResponse(status=response.status, headers={"Content-Type": "application/json"})
        torn.content_length = max(len(body), 2)
        await torn.prepare(request)
        await torn.write(body[: max(len(body) // 2, 1)])
        return _cut(request, torn)


class _Limited:
    """Holds a credential to its limits. They are the machine's seconds, as the load is."""

    def __init__(self, sandbox: ElationSandbox, client_id: str) -> None:
        self._sandbox = sandbox
        self._client = client_id

    async def __aenter__(self) -> None:
        sandbox, client = self._sandbox, self._client
        recent = sandbox._recent.setdefault(client, deque())
        moment = asyncio.get_running_loop().time()
        while recent and recent[0] <= moment - 1.0:
            recent.popleft()
        switches = sandbox.switches
        if switches.concurrent_limit is not None and sandbox._busy.get(client, 0) >= switches.concurrent_limit:
            raise detail(429, "Request was throttled.")
        if switches.per_second_limit is not None and len(recent) >= switches.per_second_limit:
            raise detail(429, "Request was throttled.")
        recent.append(moment)
        sandbox._busy[client] = sandbox._busy.get(client, 0) + 1

    async def __aexit__(self, *_: object) -> None:
        self._sandbox._busy[self._client] -= 1


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _application(state: State, client_id: str) -> str | None:
    credential = state.credentials.get(client_id)
    return credential.application_id if credential is not None else None


def _decoded(request: web.Request, raw: bytes) -> object:
    if not raw:
        return {} if request.method in ("POST", "PUT", "PATCH") else None
    if request.content_type != "application/json":
        raise detail(415, f'Unsupported media type "{request.content_type}" in request.')
    try:
        return json.loads(raw)
    except ValueError:
        raise detail(400, "JSON parse error") from None


def _respond(status: int, body: object, headers: Mapping[str, str] | None = None) -> web.Response:
    if body is None or body == "":
        return web.Response(status=status, headers=headers)
    return web.json_response(body, status=status, headers=headers)


async def _dawdle(fault: Fault | None) -> None:
    if fault is not None and fault.kind == "delay":
        await asyncio.sleep(fault.seconds)


def _port(request: web.Request) -> int:
    """The port that a request came to."""
    name = request.transport.get_extra_info("sockname") if request.transport else None
    return int(name[1]) if name else 0


def _cut(request: web.Request, begun: web.StreamResponse | None = None) -> web.StreamResponse:
    """Close the connection under the client."""
    if request.transport is not None:
        request.transport.abort()
    return begun or web.Response(status=500)
