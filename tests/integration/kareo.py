"""Kareo's sandbox with a practice in it, and clients of it; nothing waits: the pace is tested apart (tests/unit/test_limiter)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import aiohttp

from daemon.sandbox.kareo import KareoSandbox, KareoSwitches
from daemon.vendors.kareo.client import KareoClient
from daemon.vendors.kareo.limiter import IntervalLimiter
from daemon.vendors.kareo.soap import SoapService
from daemon.vendors.kareo.wire import PatientWrite

KEY, USER, PASSWORD = "k3y", "robot@elm", "s3cret"
ELM = "Elm Clinic"
NOON = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)
"""Noon in Los Angeles."""


def changing(**members: object) -> Callable[[], Awaitable[PatientWrite]]:
    """The members of an update of a patient, as `KareoClient.update_patient` asks for them."""

    async def changes() -> PatientWrite:
        return PatientWrite(**members)  # type: ignore[arg-type]

    return changes


class Kareo:
    """`clock` is moved by hand with `later`; `meters` holds (operation, outcome) of every call."""

    def __init__(self, session: aiohttp.ClientSession, switches: KareoSwitches | None = None) -> None:
        self.now = NOON
        self.session = session
        self.sandbox = KareoSandbox(now=lambda: self.now, limits=False, switches=switches)
        self.people = self.sandbox.people
        self.faults = self.sandbox.faults
        self.meters: list[tuple[str, str]] = []
        self.sandbox.add_customer(KEY, USER, PASSWORD)
        self.elm = self.sandbox.add_practice(KEY, ELM).id
        self.oak = self.sandbox.add_practice(KEY, "Oak Clinic").id
        self.doctor = self.sandbox.add_provider(
            self.elm, first_name="Ruth", last_name="Okafor", degree="MD", npi="1457383950"
        ).id
        self.place = self.sandbox.add_service_location(self.elm, name="Main Street").id
        for code in ("99213", "36415"):
            self.sandbox.add_procedure_code(KEY, code, f"Procedure {code}")
        self.service: SoapService
        self.client: KareoClient

    def later(self, **passed: float) -> datetime:
        self.now += timedelta(**passed)
        return self.now

    def ada(self, **values: object) -> int:
        """A patient of Elm with a primary case."""
        told: dict[str, object] = {
            "dob": "1980-02-29",
            "gender": "Female",
            "home_phone": "706-223-3445",
            "provider_id": self.doctor,
            "cases": [{"name": "Standard", "payer_scenario": "Insurance"}],
        }
        names = {"first_name": "Ada", "last_name": "Byrne"}
        return self.people.create_patient(self.elm, **{**names, **told, **values}).id  # type: ignore[arg-type]

    def make(self, **changes: object) -> KareoClient:
        options: dict[str, object] = {
            "service": self.service,
            "endpoint": self.sandbox.endpoint,
            "customer_key": KEY,
            "user": USER,
            "password": PASSWORD,
            "practice_id": self.elm,
            "practice_name": ELM,
            "limiter": IntervalLimiter(0.0),
            "session": self.session,
            "meter": lambda operation, outcome, _: self.meters.append((operation, outcome)),
        }
        return KareoClient(**(options | changes))  # type: ignore[arg-type]

    def asked(self) -> list[str]:
        """The operations that arrived, in order."""
        return [one.operation for one in self.sandbox.calls]


@asynccontextmanager
async def kareo_at_work(switches: KareoSwitches | None = None) -> AsyncIterator[Kareo]:
    async with aiohttp.ClientSession() as session:
        billing = Kareo(session, switches)
        await billing.sandbox.start()
        try:
            billing.service = await SoapService.load(billing.sandbox.wsdl_url, session, None)
            billing.client = billing.make()
            yield billing
        finally:
            await billing.sandbox.stop()
