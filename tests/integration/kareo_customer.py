"""A customer of Kareo's sandbox with two practices, seen through zeep: with the sandbox's own WSDL or with the vendor's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import zeep

from daemon.sandbox.kareo import KareoSandbox
from daemon.sandbox.kareo.wsdl import API

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "apis" / "kareo" / "KareoServices.wsdl"
BINDING = f"{{{API}}}BasicHttpBinding_KareoServices"
SETTINGS = zeep.Settings(strict=False, xsd_ignore_sequence_order=True, forbid_entities=True)
KEY, USER, PASSWORD = "k3y", "robot@elm", "s3cret"
HEADER = {"ClientVersion": "1", "CustomerKey": KEY, "Password": PASSWORD, "User": USER}
NOON = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)
"""Noon in Los Angeles."""

_real: list[zeep.Client] = []


class Clock:
    """The service's time and the limits', driven by hand."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed


class World:
    """One customer with two practices, and a client of it."""

    def __init__(self, sandbox: KareoSandbox, clock: Clock) -> None:
        self.sandbox = sandbox
        self.clock = clock
        sandbox.add_customer(KEY, USER, PASSWORD)
        self.elm = sandbox.add_practice(KEY, name="Elm Clinic", npi="1992999999").id
        self.oak = sandbox.add_practice(KEY, name="Oak Clinic").id
        self.doctor = sandbox.add_provider(self.elm, first_name="Ruth", last_name="Okafor", degree="MD", npi="1457383950").id
        self.place = sandbox.add_service_location(self.elm, name="Main Street", place_of_service="11").id
        sandbox.add_procedure_code(KEY, "99213", "Office visit")
        sandbox.add_procedure_code(KEY, "36415", "Venipuncture")
        self.header: dict[str, Any] = dict(HEADER)
        self._zeep: Any = None
        self.service: Any = None

    async def connect(self, which: str) -> None:
        if which == "own":
            client = await asyncio.to_thread(zeep.Client, self.sandbox.wsdl_url, settings=SETTINGS)
            self.service = client.service
            return
        if not REAL.exists():
            pytest.skip("the vendor's WSDL is not beside the repository")
        if not _real:
            _real.append(await asyncio.to_thread(zeep.Client, str(REAL), settings=SETTINGS))
        self.service = _real[0].create_service(BINDING, self.sandbox.endpoint)

    async def call(self, operation: str, **members: Any) -> Any:
        parameter = "UpdatePatientReq" if operation == "UpdatePatient" else "request"
        request = {parameter: {"RequestHeader": self.header, **members}}
        return await asyncio.to_thread(self.service[operation], **request)

    async def done(self, operation: str, **members: Any) -> Any:
        result = await self.call(operation, **members)
        assert not result.ErrorResponse.IsError, result.ErrorResponse.ErrorMessage
        assert result.SecurityResponse.Authenticated
        return result

    async def refused(self, operation: str, **members: Any) -> str:
        result = await self.call(operation, **members)
        assert result.ErrorResponse.IsError
        return str(result.ErrorResponse.ErrorMessage)

    async def rows(
        self, operation: str, container: str, row: str, fields: dict[str, bool] | None = None, **filters: Any
    ) -> list[Any]:
        """The rows that are not phantoms."""
        result = await self.done(operation, Fields=fields or {}, Filter=filters)
        listed = getattr(result, container)
        return [one for one in (getattr(listed, row) if listed else None) or [] if one is not None]

    async def patients(self, **filters: Any) -> list[Any]:
        return await self.rows("GetPatients", "Patients", "PatientData", **filters)

    async def appointments(self, **filters: Any) -> list[Any]:
        return await self.rows("GetAppointments", "Appointments", "AppointmentData", **filters)

    async def charges(self, **filters: Any) -> list[Any]:
        return await self.rows("GetCharges", "Charges", "ChargeData", **filters)

    async def patient(self, patient_id: int) -> Any:
        return (await self.done("GetPatient", Filter={"PatientID": patient_id})).Patient

    async def cases(self, patient_id: int) -> list[Any]:
        cases = (await self.patient(patient_id)).Cases
        return list(cases.PatientCaseData or []) if cases else []

    def ada(self, **values: Any) -> int:
        return self.sandbox.people.create_patient(
            self.elm,
            "Ada",
            "Byrne",
            **{
                "dob": "1980-02-29",
                "gender": "Female",
                "home_phone": "706-223-3445",
                "cases": [{"name": "Standard", "payer_scenario": "Insurance"}],
                **values,
            },
        ).id

    def encounter(self, patient: int, case: int, **changes: Any) -> dict[str, Any]:
        line = {
            "ProcedureCode": "99213",
            "ProcedureModifier1": "25",
            "DiagnosisCode1": "E11.9",
            "Units": 1.0,
            "UnitCharge": 125.5,
            "ServiceStartDate": datetime(2026, 3, 2),
            "ServiceEndDate": datetime(2026, 3, 2),
            "Minutes": 0,
        }
        return {
            "Practice": {"PracticeID": self.elm},
            "Patient": {"PatientID": patient},
            "Case": {"CaseID": case},
            "ServiceStartDate": datetime(2026, 3, 2),
            "PostDate": datetime(2026, 3, 2),
            "RenderingProvider": {"ProviderID": self.doctor},
            "ServiceLocation": {"LocationID": self.place},
            "BatchNumber": "bill-1",
            "EncounterStatus": "Draft",
            "ServiceLines": {"ServiceLineReq": [line, {**line, "ProcedureCode": "36415", "ProcedureModifier1": None}]},
            **changes,
        }


async def opened_world(sandbox: KareoSandbox, clock: Clock, which: str) -> AsyncIterator[World]:
    await sandbox.start()
    try:
        world = World(sandbox, clock)
        await world.connect(which)
        yield world
    finally:
        await sandbox.stop()


@pytest_asyncio.fixture(params=["own", "real"])
async def both(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    clock = Clock()
    async for world in opened_world(KareoSandbox(now=clock.now, limits=False), clock, request.param):
        yield world


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    clock = Clock()
    async for one in opened_world(KareoSandbox(now=clock.now, limits=False), clock, "own"):
        yield one
