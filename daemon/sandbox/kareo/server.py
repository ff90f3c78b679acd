"""`KareoSandbox`: the stand-in for Kareo's SOAP service on a local port, with its state, people and faults at hand.

An independent witness: it shares no code with the client, the events or the projections, so that an error of theirs cannot
be an error of its own.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

from aiohttp import web

from daemon.sandbox.kareo import wire, wsdl
from daemon.sandbox.kareo.dispatch import NOBODY, Answer, Dispatcher
from daemon.sandbox.kareo.faults import APPLIED, Fault, FaultPlan
from daemon.sandbox.kareo.limits import Limits
from daemon.sandbox.kareo.people import VERBS, People, UnknownRecordError
from daemon.sandbox.kareo.records import Customer, Location, Practice, ProcedureCode, Provider
from daemon.sandbox.kareo.state import State
from daemon.sandbox.kareo.switches import KareoSwitches
from daemon.sandbox.kareo.wire import FaultError

LARGEST_REQUEST = 4 * 1024 * 1024
CALLS_KEPT = 20_000
"""Beyond this many, the older half of the record of calls is forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KareoCall:
    """One request as it came. `at` is monotonic, `key` the customer's label, never its key. `outcome`: done, refused,
    throttled, unauthorized, fault, cut_before, status or html; `fault` the planned fault it met. `request` holds credentials;
    `port` is the one it came to."""

    at: float
    key: str
    operation: str
    outcome: str
    fault: str | None
    request: bytes
    port: int = 0


class KareoSandbox:
    """In memory; one per test or demo. `now` gives the service's clock (aware), `clock` the one that limits are measured by.

    `limits=False` switches the limits off, `limits_scale` multiplies them. The tables (`patients`, `cases`, ...) are dicts from
    id to the records of `state.py`, deleted and inactive ones included.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime] | None = None,
        switches: KareoSwitches | None = None,
        limits: bool = True,
        limits_scale: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state = State(now or (lambda: datetime.now(UTC)))
        self.switches = switches or KareoSwitches()
        self.people = People(self.state, self.switches)
        self.faults = FaultPlan()
        self.calls: list[KareoCall] = []
        self.violations: list[tuple[float, str, str]] = []
        self.url = ""
        self._clock = clock
        self._interface = wsdl.interface()
        limiter = Limits(limits_scale if limits else None, clock)
        self._dispatcher = Dispatcher(self._interface, self.state, self.switches, limiter)
        self._runner: web.AppRunner | None = None
        self.practices = self.state.practices
        self.providers = self.state.providers
        self.locations = self.state.locations
        self.procedure_codes = self.state.procedure_codes
        self.vendors = self.state.vendors
        self.patients = self.state.patients
        self.cases = self.state.cases
        self.companies = self.state.companies
        self.plans = self.state.plans
        self.policies = self.state.policies
        self.reasons = self.state.reasons
        self.appointments = self.state.appointments
        self.encounters = self.state.encounters

    # -- running ------------------------------------------------------------------------------------------------------

    @property
    def endpoint(self) -> str:
        """Where requests go."""
        return self.url + wsdl.SERVICE_PATH

    @property
    def wsdl_url(self) -> str:
        return self.endpoint + "?singleWsdl"

    def application(self) -> web.Application:
        """What answers requests, without a server around it."""
        application = web.Application(client_max_size=LARGEST_REQUEST)
        application.router.add_get(wsdl.SERVICE_PATH, self._serve_wsdl)
        application.router.add_post(wsdl.SERVICE_PATH, self._serve_call)
        application.router.add_post("/admin/{verb}", self._serve_admin)
        application.router.add_get("/admin/dump", self._serve_dump)
        application.router.add_get("/admin/calls", self._serve_calls)
        return application

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Port 0 takes a free one; `url` tells which."""
        self._runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
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

    # -- setting up ---------------------------------------------------------------------------------------------------

    def add_customer(self, customer_key: str, user: str, password: str) -> Customer:
        """An account, or another user of one that is there."""
        customer = self.state.customers.get(customer_key)
        if customer is None:
            id_ = self.state.new_id("customers")
            customer = Customer(id=id_, key=customer_key, label=f"customer-{len(self.state.customers) + 1}")
            self.state.customers[customer_key] = customer
        customer.users[user] = password
        return customer

    def add_practice(self, customer_key: str, name: str, **values: Any) -> Practice:
        """`values` are further fields of `Practice`."""
        if customer_key not in self.state.customers:
            raise UnknownRecordError("customer")
        now = self.state.now()
        id_ = self.state.new_id("practices")
        practice = Practice(id=id_, customer_key=customer_key, name=name, created=now, modified=now, **values)
        self.state.practices[practice.id] = practice
        return practice

    def add_provider(
        self, practice_id: int, *, first_name: str, last_name: str, degree: str = "", npi: str = "", **values: Any
    ) -> Provider:
        return self.people.add_provider(practice_id, first_name, last_name, degree, npi, **values)

    def add_service_location(self, practice_id: int, *, name: str, place_of_service: str = "11", **values: Any) -> Location:
        return self.people.add_location(practice_id, name, place_of_service, **values)

    def add_procedure_code(self, customer_key: str, code: str, name: str, **values: Any) -> ProcedureCode:
        now = self.state.now()
        id_ = self.state.new_id("procedure_codes")
        added = ProcedureCode(id=id_, customer_key=customer_key, code=code, name=name, created=now, modified=now, **values)
        self.state.procedure_codes[added.id] = added
        return added

    def refuse_diagnosis(self, code: str) -> None:
        """Every code that looks like ICD-10 is known except these."""
        self.state.refused_diagnoses.add(code.replace(".", ""))

    def external_ids(self, patient_id: int) -> dict[str, str]:
        """Vendor name to external id: what no operation tells."""
        return {
            vendor.name: key for vendor in self.vendors.values() for key, owner in vendor.ids.items() if owner == patient_id
        }

    # -- the service --------------------------------------------------------------------------------------------------

    async def _serve_wsdl(self, request: web.Request) -> web.StreamResponse:
        if not {name.lower() for name in request.query} & {"wsdl", "singlewsdl"}:
            return web.Response(
                status=200, text="<html><body>KareoServices (sandbox)</body></html>", content_type="text/html"
            )
        endpoint = f"http://{request.host}{wsdl.SERVICE_PATH}"
        return web.Response(body=self._interface.served(endpoint), content_type="text/xml", charset="utf-8")

    async def _serve_call(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        port = _port(request)
        try:
            operation = self._dispatcher.operation(request.headers.get("SOAPAction", ""))
        except FaultError as error:
            self._record(NOBODY, "", "fault", None, body, port)
            return _xml(500, wire.fault(error))
        planned = self.faults.next_for(operation.name, body)
        if planned is not None and planned.kind == "delay":
            await asyncio.sleep(planned.seconds)
        if planned is not None and planned.kind in ("cut_before", "status", "html"):
            self._record(NOBODY, operation.name, planned.kind, planned, body, port)
            return _instead(request, planned)
        answer = self._dispatcher.carry_out(operation, body, planned)
        self._record(answer.label, operation.name, answer.outcome, planned, body, port)
        if planned is not None and planned.kind in APPLIED:
            return await _spoiled(request, planned, answer)
        return _xml(answer.status, answer.body)

    def _record(self, label: str, operation: str, outcome: str, planned: Fault | None, body: bytes, port: int) -> None:
        at = self._clock()
        kind = None if planned is None else planned.kind
        self.calls.append(
            KareoCall(at=at, key=label, operation=operation, outcome=outcome, fault=kind, request=body, port=port)
        )
        if outcome == "throttled" and kind != "throttle":
            self.violations.append((at, label, operation))
        if len(self.calls) > CALLS_KEPT:
            del self.calls[: CALLS_KEPT // 2]

    # -- admin --------------------------------------------------------------------------------------------------------

    async def _serve_admin(self, request: web.Request) -> web.Response:
        verb = request.match_info["verb"]
        if verb not in VERBS:
            return web.json_response({"error": f"no verb {verb!r}"}, status=404)
        try:
            arguments = await request.json() if request.can_read_body else {}
            result = getattr(self.people, verb)(**arguments)
        except (TypeError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)
        except UnknownRecordError as error:
            return web.json_response({"error": f"no such {error}"}, status=404)
        return _json(_shown(result))

    async def _serve_dump(self, request: web.Request) -> web.Response:
        names = "practices providers locations procedure_codes patients cases companies plans policies reasons appointments encounters"
        tables: dict[str, list[Any]] = {name: list(getattr(self.state, name).values()) for name in names.split()}
        dump = {name: [_shown(one) for one in records] for name, records in tables.items()}
        dump["vendors"] = [{"id": one.id, "name": one.name, "ids": one.ids} for one in self.vendors.values()]
        return _json(dump)

    async def _serve_calls(self, request: web.Request) -> web.Response:
        """Without the requests themselves, which hold credentials."""
        return _json(
            [
                {"at": one.at, "key": one.key, "operation": one.operation, "outcome": one.outcome, "fault": one.fault}
                for one in self.calls
            ]
        )


def _port(request: web.Request) -> int:
    """The port that a request came to."""
    name = request.transport.get_extra_info("sockname") if request.transport else None
    return int(name[1]) if name else 0


def _xml(status: int, body: bytes) -> web.Response:
    return web.Response(status=status, body=body, content_type="text/xml", charset="utf-8")


def _shown(record: Any) -> dict[str, Any]:
    """Without the customer key, which is a credential."""
    return {name: value for name, value in asdict(record).items() if name != "customer_key"}


def _json(value: object) -> web.Response:
    def dates(one: object) -> str:
        if isinstance(one, date):
            return one.isoformat()
        raise TypeError(type(one).__name__)

    return web.json_response(text=json.dumps(value, default=dates))


def _instead(request: web.Request, planned: Fault) -> web.Response:
    """The request has not been carried out."""
    if planned.kind == "cut_before":
        _cut(request)
    if planned.kind == "html":
        page = "<html><head><title>Error</title></head><body><h1>Service unavailable</h1></body></html>"
        return web.Response(status=planned.status, text=page, content_type="text/html")
    return web.Response(status=planned.status)


async def _spoiled(request: web.Request, planned: Fault, answer: Answer) -> web.StreamResponse:
    """The request has been carried out; its answer gets lost, cut, spoiled, or was merely late."""
    if planned.kind == "cut_after":
        _cut(request)
    if planned.kind == "garbage":
        return web.Response(body=b"\x00\x01 not an answer <", content_type="text/xml")
    if planned.kind == "half":
        response = web.StreamResponse(headers={"Content-Type": "text/xml; charset=utf-8"})
        response.content_length = len(answer.body)
        await response.prepare(request)
        await response.write(answer.body[: len(answer.body) // 2])
        _close(request)
        return response
    return _xml(answer.status, answer.body)


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _close(request: web.Request) -> None:
    """Sends what has been written, then closes."""
    if request.transport is not None:
        request.transport.close()
