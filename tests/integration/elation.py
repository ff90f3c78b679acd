"""Elation's sandbox over HTTP: a practice in it, two applications that may see it, and where its webhooks arrive.

The files test_sandbox_elation_* go through each rule of the NOTES that can be seen from outside, both answers where it is a switch.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from daemon.sandbox.elation import ElationSandbox, ElationSwitches

Json = dict[str, Any]


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 5, 6, 15, 0, 0, 250_000, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def move(self, **by: float) -> None:
        self.moment += timedelta(**by)


class Api:
    """A client of one application."""

    def __init__(self, session: aiohttp.ClientSession, url: str, client_id: str) -> None:
        self.session, self.url, self.client_id = session, url, client_id
        self.token = ""

    async def sign_in(self, **extra: str) -> int:
        form = {"grant_type": "client_credentials", "client_id": self.client_id, "client_secret": "s3", **extra}
        async with self.session.post(f"{self.url}/api/2.0/oauth2/token/", data=form) as answer:
            body = await answer.json()
            self.token = body.get("access_token", self.token)
            return answer.status

    async def ask(self, method: str, path: str, body: object = None, **query: object) -> tuple[int, Any]:
        url = path if path.startswith("http") else f"{self.url}/api/2.0{path}"
        headers = {"Authorization": f"Bearer {self.token}"}
        params = {name: str(value) for name, value in query.items()} or None
        async with self.session.request(
            method, url, json=body, headers=headers, params=params, allow_redirects=False
        ) as answer:
            raw = await answer.read()
            return answer.status, json.loads(raw) if raw else None

    async def get(self, path: str, **query: object) -> Any:
        status, body = await self.ask("GET", path, **query)
        assert status == 200, (status, body)
        return body

    async def all(self, path: str, **query: object) -> list[Json]:
        page = await self.get(path, **query)
        rows = list(page["results"])
        while page["next"]:
            page = await self.get(page["next"])
            rows += page["results"]
        return rows


class Receiver:
    """Where webhooks arrive; answers with `script` first, then 200."""

    def __init__(self) -> None:
        self.script: list[int] = []
        self.seen: list[tuple[str, bytes, str]] = []
        self._changed = asyncio.Event()
        self.url = ""
        self.runner: web.AppRunner

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/{tail:.*}", self._receive)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}"

    async def _receive(self, request: web.Request) -> web.Response:
        self.seen.append((request.path, await request.read(), request.headers["El8-Ed25519-Signature"]))
        self._changed.set()
        return web.Response(status=self.script.pop(0) if self.script else 200)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    @property
    def bodies(self) -> list[Json]:
        return [json.loads(body) for _, body, _ in self.seen]


class Clinic:
    """A practice with two physicians and a place, and two applications that may see it."""

    def __init__(self, sandbox: ElationSandbox, clock: Clock, session: aiohttp.ClientSession, receiver: Receiver) -> None:
        self.sandbox, self.clock, self.receiver = sandbox, clock, receiver
        self.practice = sandbox.add_practice("Hill Street", rooms=["1"])["id"]
        self.elsewhere = sandbox.add_practice("Elsewhere")["id"]
        self.doctor = sandbox.add_physician(self.practice, first_name="Ann", last_name="Lee", npi="1234567893")["id"]
        self.stranger = sandbox.add_physician(self.elsewhere, first_name="Bo", last_name="Ray")["id"]
        self.place = sandbox.add_service_location(self.practice, name="Main", is_primary=True)["id"]
        sandbox.add_credential("mine", "s3", "1001", [self.practice])
        sandbox.add_credential("other", "s3", "1002", [self.practice, self.elsewhere])
        self.mine = Api(session, sandbox.url, "mine")
        self.other = Api(session, sandbox.url, "other")

    def chart(self, **fields: object) -> Json:
        return {
            "first_name": "Ada",
            "last_name": "Byron",
            "sex": "Female",
            "dob": "1980-02-03",
            "primary_physician": self.doctor,
            "caregiver_practice": self.practice,
            **fields,
        }

    def person(self, name: str = "Ada", **fields: Any) -> int:
        made = self.sandbox.people.create_patient(self.practice, name, "Byron", "Female", "1980-02-03", **fields)
        return int(made["id"])

    def policy(self, patient: int, **fields: object) -> Json:
        held = self.sandbox.patients[patient]
        return {
            "practice_id": self.practice,
            "patient_id": patient,
            "patient_first_name": held["first_name"],
            "patient_last_name": held["last_name"],
            "patient_dob": held["dob"],
            "status": "active",
            "rank": 1,
            "copay": None,
            "deductible": None,
            **fields,
        }

    def slot(self, patient: int, **fields: object) -> Json:
        return {
            "scheduled_date": "2026-05-07T16:00:00Z",
            "patient": patient,
            "physician": self.doctor,
            "practice": self.practice,
            **fields,
        }

    def bill(self, deferred: bool = False) -> int:
        line = {"cpt": "99213", "modifiers": ["25"], "dxs": ["J45.20", "R05"], "units": 2, "unit_charge": "55.12"}
        signed = self.sandbox.people.sign_note(
            self.person(f"P{len(self.sandbox.patients)}"), self.doctor, self.place, "2026-05-05", [line], "note", deferred
        )
        return int(signed["bill"]["id"])

    def switch(self, **values: Any) -> None:
        self.sandbox.switches = ElationSwitches(**{"retry_seconds": 0.01, **values})

    async def subscribe(self, api: Api, resource: str, path: str = "/a") -> Json:
        status, body = await api.ask(
            "POST", "/app/subscriptions/", {"resource": resource, "target": self.receiver.url + path}
        )
        assert status == 201, body
        return dict(body)


@pytest.fixture
async def clinic() -> AsyncIterator[Clinic]:
    clock, receiver = Clock(), Receiver()
    sandbox = ElationSandbox(now=clock, switches=ElationSwitches(retry_seconds=0.01))
    await sandbox.start()
    await receiver.start()
    async with aiohttp.ClientSession() as session:
        clinic = Clinic(sandbox, clock, session, receiver)
        assert await clinic.mine.sign_in() == 200
        assert await clinic.other.sign_in() == 200
        yield clinic
    await sandbox.stop()
    await receiver.runner.cleanup()
