"""The Kareo sandbox seen through zeep, once with its own WSDL and once with the vendor's, and through raw requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import zeep
import zeep.exceptions
from lxml import etree

from daemon.sandbox.kareo import KareoSandbox, KareoSwitches
from daemon.sandbox.kareo.limits import INTERVALS
from daemon.sandbox.kareo.wsdl import ACTION_PREFIX, API, interface

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


async def _world(sandbox: KareoSandbox, clock: Clock, which: str) -> AsyncIterator[World]:
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
    async for world in _world(KareoSandbox(now=clock.now, limits=False), clock, request.param):
        yield world


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    clock = Clock()
    async for one in _world(KareoSandbox(now=clock.now, limits=False), clock, "own"):
        yield one


# -- directory --------------------------------------------------------------------------------------------------------


async def test_directory(both: World) -> None:
    practices = await both.rows("GetPractices", "Practices", "PracticeData")
    assert [(one.ID, one.PracticeName, one.Active) for one in practices] == [
        (str(both.elm), "Elm Clinic", "True"),
        (str(both.oak), "Oak Clinic", "True"),
    ]
    both.sandbox.add_provider(both.elm, first_name="Far", last_name="Away", type="Referring Provider")
    providers = await both.rows(
        "GetProviders", "Providers", "ProviderData", PracticeName="Elm Clinic", Type="Normal Provider"
    )
    assert [(one.ID, one.FullName, one.NationalProviderIdentifier) for one in providers] == [
        (str(both.doctor), "Ruth  Okafor, MD", "1457383950")
    ]
    locations = await both.rows("GetServiceLocations", "ServiceLocations", "ServiceLocationData", PracticeID=str(both.elm))
    assert [(one.ID, one.Name, one.PlaceOfService) for one in locations] == [(str(both.place), "Main Street", "11")]
    codes = await both.rows("GetProcedureCodes", "ProcedureCodes", "ProcedureCodeData", ProcedureCode="99213", Active=True)
    assert [one.OfficialName for one in codes] == ["Office visit"]


async def test_practice_name_matches_exactly_or_gives_an_empty_list(both: World) -> None:
    assert await both.rows("GetPractices", "Practices", "PracticeData", PracticeName="Elm") == []
    result = await both.done("GetPractices", Fields={}, Filter={"PracticeName": "Elm"})
    assert result.Practices.PracticeData == [None]
    both.sandbox.switches.phantom_rows = False
    result = await both.done("GetPractices", Fields={}, Filter={"PracticeName": "Elm"})
    assert not (result.Practices and result.Practices.PracticeData)


async def test_external_ids(both: World) -> None:
    assert (await both.done("GetExternalVendors")).ExternalVendors.ExternalVendorData == [None]
    registered = await both.done("RegisterExternalVendor", ExternalVendor={"ExternalVendorName": "chartwire"})
    vendor = registered.ExternalVendor.ExternalVendorID
    listed = (await both.done("GetExternalVendors")).ExternalVendors.ExternalVendorData
    assert [(one.ExternalVendorID, one.ExternalVendorName) for one in listed] == [(vendor, "chartwire")]
    ada, bob = both.ada(), both.sandbox.people.create_patient(both.elm, "Bob", "Lee").id

    def setting(patient: int, key: str) -> dict[str, Any]:
        one = {"externalID": key, "externalVendorID": vendor, "patientID": patient, "practiceID": both.elm}
        return {"Updates": {"UpdateBatch": {"PatientExternalIDSetting": [one]}}}

    result = await both.done("UpdatePatientsExternalID", **setting(ada, "x" * 30))
    assert not (result.ItemsUpdated and result.ItemsUpdated.PatientExternalIDSetting)
    assert both.sandbox.external_ids(ada) == {"chartwire": "x" * 25}
    assert "UNIQUE KEY" in await both.refused("UpdatePatientsExternalID", **setting(bob, "x" * 26))
    found = await both.done("GetPatient", Filter={"ExternalID": "x" * 25, "ExternalVendorID": vendor})
    assert str(ada) == found.Patient.ID
    assert str(ada) == (await both.done("GetPatient", Filter={"ExternalID": "x" * 25})).Patient.ID
    missing = await both.done("GetPatient", Filter={"ExternalID": "x" * 30, "ExternalVendorID": vendor})
    assert missing.Patient is None or missing.Patient.ID is None


# -- patients ---------------------------------------------------------------------------------------------------------


async def test_create_and_read_a_patient(both: World) -> None:
    vendor = (await both.done("RegisterExternalVendor", ExternalVendor={"ExternalVendorName": "chartwire"})).ExternalVendor
    written = {
        "Practice": {"PracticeID": both.elm},
        "FirstName": "Ada",
        "LastName": "Byrne",
        "DateofBirth": datetime(1980, 2, 29),
        "Gender": "Female",
        "HomePhone": "7062233445",
        "ZipCode": "30901",
        "DefaultRenderingProvider": {"ProviderID": both.doctor},
        "PatientExternalID": "640",
        "ExternalVendorID": vendor.ExternalVendorID,
        "Cases": {"PatientCaseCreateReq": [{"CaseName": "Standard", "Active": True, "PayerScenario": "Insurance"}]},
    }
    created = await both.done("CreatePatient", Patient=written)
    assert created.PatientID > 0
    assert created.PatientExternalID == "640"
    assert created.Cases.PatientCaseRes[0].CaseID in both.sandbox.cases
    shown = await both.patient(created.PatientID)
    assert (shown.FirstName, shown.DOB, shown.Gender) == ("Ada", "2/29/1980", "Female")
    assert (shown.HomePhone, shown.ZipCode, shown.PatientFullName) == ("(706) 223-3445", "30901", "Ada  Byrne")
    assert shown.DefaultRenderingProviderId == str(both.doctor)
    assert shown.LastModifiedDate == "3/2/2026 12:00:00 PM"
    assert [(one.Name, one.PayerScenario, one.IsPrimaryCase) for one in shown.Cases.PatientCaseData] == [
        ("Standard", "Insurance", True)
    ]
    again = await both.call("CreatePatient", Patient=written)
    assert again.PatientID is None
    assert "UNIQUE KEY" in again.ErrorResponse.ErrorMessage
    without = {name: value for name, value in written.items() if name != "PatientExternalID"}
    assert (await both.done("CreatePatient", Patient=without)).PatientID != created.PatientID


async def test_update_leaves_what_is_absent_and_clears_what_is_empty(both: World) -> None:
    ada = both.ada(email="ada@example.org", city="Augusta")
    both.clock.passed = 60
    names = {"PatientID": ada, "Practice": {"PracticeID": both.elm}, "FirstName": "Ada", "LastName": "Byrne"}
    await both.done("UpdatePatient", Patient={**names, "EmailAddress": "", "State": "GA"})
    shown = await both.patient(ada)
    assert (shown.EmailAddress, shown.City, shown.State, shown.DOB) == (None, "Augusta", "GA", "2/29/1980")
    assert shown.LastModifiedDate == "3/2/2026 12:01:00 PM"
    both.sandbox.switches.empty_clears = False
    await both.done("UpdatePatient", Patient={**names, "City": ""})
    assert (await both.patient(ada)).City == "Augusta"
    assert "required" in await both.refused("UpdatePatient", Patient={**names, "LastName": ""})


async def test_update_with_an_external_id_is_a_server_error(both: World) -> None:
    names = {"PatientID": both.ada(), "Practice": {"PracticeID": both.elm}, "FirstName": "Ada", "LastName": "Byrne"}
    with pytest.raises(zeep.exceptions.Fault):
        await both.call("UpdatePatient", Patient={**names, "PatientExternalID": "1", "ExternalVendorID": 1})


async def test_a_date_with_a_zone_shifts(world: World) -> None:
    written = {"Practice": {"PracticeID": world.elm}, "FirstName": "Ada", "LastName": "Byrne"}
    created = await world.done("CreatePatient", Patient={**written, "DateofBirth": datetime(1980, 2, 29, tzinfo=UTC)})
    assert world.sandbox.patients[created.PatientID].dob == date(1980, 2, 28)


async def test_list_filters(both: World) -> None:
    ada = both.ada()
    both.clock.passed = 3600
    bob = both.sandbox.people.create_patient(both.elm, "Bob", "Lee", dob="1980-03-01").id
    both.sandbox.people.create_patient(both.oak, "Cy", "Oak")
    assert [one.ID for one in await both.patients(PracticeName="Elm Clinic")] == [str(ada), str(bob)]
    assert [one.ID for one in await both.patients(FromDateOfBirth="2/29/1980", ToDateOfBirth="3/1/1980")] == [str(ada)]
    assert [one.ID for one in await both.patients(LastName="lee", FirstName="Bob")] == [str(bob)]
    changed = {"FromLastModifiedDate": "2026-03-02T12:30:00", "ToLastModifiedDate": "3/2/2026 1:00:00 PM"}
    assert [one.ID for one in await both.patients(PracticeName="Elm Clinic", **changed)] == [str(bob)]
    assert len(await both.patients()) == 3
    assert await both.patients(LastName="Le") == []
    both.sandbox.switches.name_filters = "prefix"
    assert [one.ID for one in await both.patients(LastName="Le")] == [str(bob)]
    assert "DateTime" in await both.refused("GetPatients", Fields={}, Filter={"FromCreatedDate": "yesterday"})


async def test_ticked_fields(both: World) -> None:
    ada = both.ada()
    ticked = {"ID": True, "FirstName": True}
    (row,) = await both.rows("GetPatients", "Patients", "PatientData", fields=ticked)
    assert (row.ID, row.FirstName, row.LastName) == (str(ada), "Ada", None)
    both.sandbox.switches.ticks = "empty_row"
    assert await both.rows("GetPatients", "Patients", "PatientData", fields=ticked) == []


async def test_batches(both: World) -> None:
    ids = [both.ada() for _ in range(5)]
    seen, start = [], 0
    while True:
        filter_ = {"BatchSize": 2, "PracticeID": both.elm, "StartKey": start}
        result = await both.done("GetAllPatients", Fields={}, Filter=filter_)
        seen.append([int(one.ID) for one in result.Patients.PatientBatchData])
        assert result.Patients.PatientBatchData[0].DefaultCaseName == "Standard"
        start = (result.Key.nextStartKey if result.Key else None) or 0
        if not start:
            break
    assert seen == [ids[:2], ids[2:4], ids[4:]]
    for size in (0, 1001):
        assert "BatchSize" in await both.refused(
            "GetAllPatients", Fields={}, Filter={"BatchSize": size, "PracticeID": both.elm}
        )


async def test_deleted_and_merged_patients_vanish(both: World) -> None:
    ada, twin, bob = both.ada(), both.ada(), both.ada()
    both.sandbox.people.merge_patients(twin, ada)
    both.sandbox.people.delete_patient(bob)
    assert [one.ID for one in await both.patients()] == [str(ada)]
    gone = await both.done("GetPatient", Filter={"PatientID": twin})
    assert gone.Patient is None or gone.Patient.ID is None
    both.sandbox.switches.unknown_patient = "refused"
    assert "not find" in await both.refused("GetPatient", Filter={"PatientID": bob})
    assert [case.IsPrimaryCase for case in await both.cases(ada)] == [True, None]


# -- insurance --------------------------------------------------------------------------------------------------------


async def test_policies_read_and_flattened(both: World) -> None:
    people, ada = both.sandbox.people, both.ada()
    (case,) = both.sandbox.state.cases_of(ada)
    policy = people.add_policy(
        case.id,
        "Aetna",
        "PPO",
        number="W1",
        group="G7",
        copay="25.00",
        start="2026-01-01",
        relationship="Spouse",
        insured={"first_name": "Tom", "last_name": "Byrne", "dob": "1979-05-06", "gender": "Male"},
        address1="PO Box 1",
        city="Hartford",
        state="CT",
        zip="06101",
    )
    own = people.add_policy(case.id, "Medicare", "Part B", number="M2")
    people.add_policy(case.id, "Third", "Third", number="T3")
    first, second, _ = (await both.cases(ada))[0].InsurancePolicies.PatientInsurancePolicyData
    assert (first.InsurancePolicyID, first.CompanyName, first.PlanName, first.Number) == (
        str(policy.id),
        "Aetna",
        "PPO",
        "W1",
    )
    assert (first.PatientRelationshipToInsured, first.InsuredFullName, first.InsuredDateOfBirth) == (
        "U",
        "Tom  Byrne",
        "5/6/1979",
    )
    assert (first.PlanAddressLine1, first.PlanZipCode, first.EffectiveStartDate) == (
        "PO Box 1",
        "06101",
        "1/1/2026 12:00:00 AM",
    )
    assert (second.PatientRelationshipToInsured, second.InsuredFullName) == ("S", None)
    both.sandbox.switches.self_policies_empty = False
    (row,) = await both.patients()
    assert (row.PrimaryInsurancePolicyCompanyName, row.PrimaryInsurancePolicyCopay) == ("Aetna", "25.00")
    assert (row.SecondaryInsurancePolicyNumber, row.SecondaryInsurancePolicyInsuredFullName) == ("M2", "Ada  Byrne")
    people.deactivate_policy(policy.id)
    left, _ = (await both.cases(ada))[0].InsurancePolicies.PatientInsurancePolicyData
    assert left.InsurancePolicyID == str(own.id)
    both.sandbox.switches.list_inactive_policies = True
    assert len((await both.cases(ada))[0].InsurancePolicies.PatientInsurancePolicyData) == 3
    people.deactivate_case(case.id)
    assert await both.cases(ada) == []
    both.sandbox.switches.list_inactive_cases = True
    assert len(await both.cases(ada)) == 1


async def test_whether_insurance_edits_move_the_patients_date(world: World) -> None:
    people, ada = world.sandbox.people, world.ada()
    (case,) = world.sandbox.state.cases_of(ada)
    policy = people.add_policy(case.id, "Aetna", "PPO")
    world.clock.passed = 60
    people.edit_policy(policy.id, copay="10.00")
    assert (await world.patient(ada)).LastModifiedDate == "3/2/2026 12:00:00 PM"
    world.sandbox.switches.policy_edits_modify_patient = True
    people.edit_plan(policy.plan_id, city="Hartford")
    assert (await world.patient(ada)).LastModifiedDate == "3/2/2026 12:01:00 PM"


async def test_cases_and_policies_written(both: World) -> None:
    ada = both.ada(cases=[])
    names = {"PatientID": ada, "Practice": {"PracticeID": both.elm}, "FirstName": "Ada", "LastName": "Byrne"}
    policy = {
        "CompanyName": "Aetna",
        "PlanName": "PPO",
        "PlanCity": "Hartford",
        "PolicyNumber": "W1",
        "EffectiveStartDate": datetime(2026, 1, 1),
        "Insured": {
            "FirstName": "Tom",
            "LastName": "Byrne",
            "PatientRelationshipToInsured": "Child",
            "PolicyThroughEmployer": False,
        },
    }
    case = {"CaseName": "Standard", "Active": True, "PayerScenario": "Insurance"}
    added = {**case, "Policies": {"InsurancePolicyUpdateReq": [policy]}}
    result = await both.done("UpdatePatient", Patient={**names, "Cases": {"PatientCaseUpdateReq": [added]}})
    (written,) = result.Cases.PatientCaseRes
    (shown,) = await both.cases(ada)
    (read,) = shown.InsurancePolicies.PatientInsurancePolicyData
    assert (read.CompanyName, read.PlanCity, read.Number, read.PatientRelationshipToInsured) == (
        "Aetna",
        "Hartford",
        "W1",
        "C",
    )
    policy_id = written.Policies.InsurancePolicyRes[0].InsurancePolicyID
    change = {"InsurancePolicyID": policy_id, "Active": False}
    again = {"CaseID": written.CaseID, "Policies": {"InsurancePolicyUpdateReq": [change]}}
    await both.done("UpdatePatient", Patient={**names, "Cases": {"PatientCaseUpdateReq": [again]}})
    assert not both.sandbox.policies[policy_id].active
    assert both.sandbox.policies[policy_id].number == "W1"
    unknown = {"PatientCaseUpdateReq": [{"CaseID": 7}]}
    assert "case" in await both.refused("UpdatePatient", Patient={**names, "City": "X", "Cases": unknown})
    assert both.sandbox.patients[ada].city == ""


# -- appointments -----------------------------------------------------------------------------------------------------


async def test_appointments_of_people(both: World) -> None:
    people, ada = both.sandbox.people, both.ada()
    booked = people.book_appointment(ada, both.doctor, both.place, NOON + timedelta(days=1), 20, "Cough", rooms=["Room 2"])
    (row,) = await both.appointments(PracticeName="Elm Clinic", TimeZoneOffsetFromGMT="0")
    assert (row.ID, row.PatientID, row.ResourceName1, row.ResourceName2) == (
        str(booked.id),
        str(ada),
        "Ruth  Okafor, MD",
        "Room 2",
    )
    assert (row.StartDate, row.EndDate, row.AppointmentReason1) == ("3/3/2026 8:00:00 PM", "3/3/2026 8:20:00 PM", "Cough")
    assert (row.ConfirmationStatus, row.Type, row.AllDay) == ("Scheduled", "P", "False")
    assert (await both.appointments())[0].StartDate == "3/3/2026 12:00:00 PM"
    single = (await both.done("GetAppointment", Appointment={"AppointmentId": booked.id})).Appointment
    assert (single.ProviderId, single.ServiceLocationId, single.PatientSummary.PatientId) == (both.doctor, both.place, ada)
    assert single.StartTime == NOON + timedelta(days=1)
    people.edit_appointment(booked.id, status="CheckedIn")
    people.move_appointment(booked.id, NOON + timedelta(days=2))
    (row,) = await both.appointments(TimeZoneOffsetFromGMT="-5")
    assert (row.StartDate, row.EndDate, row.ConfirmationStatus) == ("3/4/2026 3:00:00 PM", "3/4/2026 3:20:00 PM", "Check-in")
    people.cancel_appointment(booked.id)
    assert str(booked.id) == (await both.appointments(ConfirmationStatus="Cancelled"))[0].ID
    people.delete_appointment(booked.id)
    assert await both.appointments() == []
    assert "not find" in await both.refused("GetAppointment", Appointment={"AppointmentId": booked.id})
    both.sandbox.switches.deleted_appointment = "marked"
    assert (await both.done("GetAppointment", Appointment={"AppointmentId": booked.id})).Appointment.IsDeleted


async def test_appointment_windows(world: World) -> None:
    people, ada = world.sandbox.people, world.ada()
    for day in (-20, -2, 0, 5, 40):
        people.book_appointment(ada, world.doctor, world.place, NOON + timedelta(days=day))

    async def days(**filters: str) -> list[int]:
        first = NOON.replace(tzinfo=None)
        rows = await world.appointments(TimeZoneOffsetFromGMT="0", **filters)
        return [(datetime.strptime(one.StartDate, "%m/%d/%Y %I:%M:%S %p") - first).days for one in rows]

    changed = {"FromLastModifiedDate": "3/2/2026 11:00:00 AM", "ToLastModifiedDate": "3/2/2026 1:00:00 PM"}
    assert await days() == [-2, 0]
    assert await days(StartDate="3/5/2026") == [5]
    assert await days(EndDate="3/5/2026") == [-2, 0]
    assert await days(StartDate="2/1/2026", EndDate="3/3/2026") == [-20, -2, 0]
    assert await days(**changed) == [-20, -2, 0, 5, 40]
    assert await days(FromLastModifiedDate=changed["FromLastModifiedDate"]) == [-2, 0]
    assert "too long" in await world.refused(
        "GetAppointments", Fields={}, Filter={"StartDate": "1/1/2026", "EndDate": "3/9/2026"}
    )


async def test_appointments_written(both: World) -> None:
    ada = both.ada()
    written = {
        "AppointmentStatus": "Scheduled",
        "AppointmentType": "P",
        "StartTime": NOON,
        "EndTime": NOON + timedelta(minutes=30),
        "IsRecurring": False,
        "PracticeId": both.elm,
        "ProviderId": both.doctor,
        "ServiceLocationId": both.place,
        "PatientSummary": {"PatientId": ada},
        "Notes": "brings x-rays",
    }
    made = (await both.done("CreateAppointment", Appointment=written)).Appointment
    assert both.sandbox.appointments[made.AppointmentId].start == NOON
    change = {
        "AppointmentId": made.AppointmentId,
        "PatientId": ada,
        "ServiceLocationId": both.place,
        "ProviderId": both.doctor,
    }
    later = {"StartTime": NOON + timedelta(hours=1), "EndTime": NOON + timedelta(hours=2), "AppointmentStatus": "Confirmed"}
    await both.done("UpdateAppointment", Appointment={**change, **later})
    kept = both.sandbox.appointments[made.AppointmentId]
    assert (kept.start, kept.status, kept.provider_id, kept.notes) == (
        NOON + timedelta(hours=1),
        "Confirmed",
        both.doctor,
        "brings x-rays",
    )
    bare = {name: value for name, value in change.items() if name != "ProviderId"}
    await both.done("UpdateAppointment", Appointment=bare)
    assert both.sandbox.appointments[made.AppointmentId].provider_id is None
    assert "provider" in await both.refused("CreateAppointment", Appointment={**written, "ProviderId": 5})
    deleted = await both.done("DeleteAppointment", Appointment={"AppointmentId": made.AppointmentId})
    assert (deleted.AppointmentId, deleted.Deleted) == (made.AppointmentId, True)
    assert "not find" in await both.refused("DeleteAppointment", Appointment={"AppointmentId": made.AppointmentId})


# -- bills ------------------------------------------------------------------------------------------------------------


async def test_encounter_and_its_charges(both: World) -> None:
    ada = both.ada()
    (case,) = both.sandbox.state.cases_of(ada)
    written = both.encounter(
        ada, case.id, OrphanDiagnosisCodes={"OrphanDiagnosisCode1": "I10", "OrphanDiagnosisCode10": "Z00.00"}
    )
    made = await both.done("CreateEncounter", Encounter=written)
    assert made.EncounterID in both.sandbox.encounters
    assert both.sandbox.encounters[made.EncounterID].orphan_diagnoses == ["I10", "Z00.00"]
    assert len(made.ServiceLinesAdded.ServiceLineRes) == 2
    where = {
        "PracticeName": "Elm Clinic",
        "BatchNumber": "bill-1",
        "FromServiceDate": "3/2/2026",
        "ToServiceDate": "3/2/2026",
    }
    assert await both.charges(**where) == []
    first, second = await both.charges(**where, IncludeUnapprovedCharges="T")
    assert (first.EncounterID, first.PatientID, first.EncounterStatus) == (str(made.EncounterID), str(ada), "Draft")
    assert (first.ProcedureCode, first.ProcedureModifier1, first.EncounterDiagnosisID1) == ("99213", "25", "E11.9")
    assert (first.Units, first.UnitCharge, first.TotalCharges, second.ProcedureCode) == ("1", "125.50", "125.50", "36415")
    assert await both.charges(**{**where, "BatchNumber": "bill"}, IncludeUnapprovedCharges="T") == []
    filter_ = {"EncounterID": str(made.EncounterID), "Practice": {"PracticeID": str(both.elm)}}
    (shown,) = await both.rows("GetEncounterDetails", "EncounterDetails", "EncounterDetailsData", **filter_)
    assert (shown.EncounterStatus, shown.BatchNumber, len(shown.ServiceLines.ServiceLineRes)) == ("1", "bill-1", 2)
    status = {"EncounterID": made.EncounterID, "EncounterStatus": "Approved", "Practice": {"PracticeID": str(both.elm)}}
    await both.done("UpdateEncounterStatus", EncounterUpdateStatus=status)
    assert len(await both.charges(**where)) == 2
    again = await both.done("CreateEncounter", Encounter=written)
    assert again.EncounterID != made.EncounterID


async def test_one_unknown_code_refuses_the_whole_encounter(both: World) -> None:
    ada = both.ada()
    (case,) = both.sandbox.state.cases_of(ada)
    both.sandbox.refuse_diagnosis("I10")
    written = both.encounter(ada, case.id)
    written["ServiceLines"]["ServiceLineReq"][1] |= {
        "ProcedureCode": "99999",
        "ProcedureModifier1": "ZZ",
        "DiagnosisCode2": "I10",
    }
    result = await both.call("CreateEncounter", Encounter=written)
    assert result.ErrorResponse.IsError
    assert result.EncounterID == 0
    echo = etree.fromstring(result.ErrorResponse.ErrorMessage)
    offending = {err.getparent().tag: err.getparent().text for err in echo.iter("err") if err.getparent() is not echo}
    assert offending == {"ProcedureCode": "99999", "ProcedureModifier1": "ZZ", "DiagnosisCode2": "I10"}
    assert [one.get("id") for one in echo.findall("err")] == ["6100"]
    assert echo.find("Patient/PatientID").text == str(ada)
    assert not both.sandbox.encounters


@pytest.mark.parametrize(
    ("change", "element"),
    [
        ({"Case": None}, "CaseID"),
        ({"Case": {"CaseID": 1}}, "CaseID"),
        ({"RenderingProvider": {"ProviderID": 1}}, "ProviderID"),
        ({"RenderingProvider": None}, "RenderingProvider"),
        ({"ServiceLocation": {"LocationName": "Nowhere"}}, "LocationName"),
        ({"PostDate": None}, "PostDate"),
        ({"Patient": {"PatientID": 1}}, "PatientID"),
        ({"ServiceLines": None}, "ServiceLines"),
    ],
)
async def test_what_an_encounter_needs(world: World, change: dict[str, Any], element: str) -> None:
    ada = world.ada()
    (case,) = world.sandbox.state.cases_of(ada)
    message = await world.refused("CreateEncounter", Encounter=world.encounter(ada, case.id, **change))
    assert [err.getparent().tag for err in etree.fromstring(message).iter("err")] == [element, "Encounter"]


# -- the wire ---------------------------------------------------------------------------------------------------------


def envelope(operation: str, inner: str, header: str | None = None) -> str:
    head = (
        header
        if header is not None
        else f"<CustomerKey>{KEY}</CustomerKey><Password>{PASSWORD}</Password><User>{USER}</User>"
    )
    return (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        f'<{operation} xmlns="{API}"><request xmlns:i="http://www.w3.org/2001/XMLSchema-instance">'
        f"<RequestHeader>{head}</RequestHeader>{inner}</request></{operation}></s:Body></s:Envelope>"
    )


async def post(world: World, operation: str, body: str, action: str | None = None) -> tuple[int, etree._Element]:
    headers = {
        "SOAPAction": f'"{ACTION_PREFIX}{operation}"' if action is None else action,
        "Content-Type": "text/xml; charset=utf-8",
    }
    async with (
        aiohttp.ClientSession() as session,
        session.post(world.sandbox.endpoint, data=body, headers=headers) as answer,
    ):
        return answer.status, etree.fromstring(await answer.read())


def text(root: etree._Element, name: str) -> str | None:
    found: str | None = root.findtext(f".//{{*}}{name}")
    return found


async def test_row_members_are_omitted_and_containers_nil(world: World) -> None:
    ada = world.ada(cases=[{"name": "First"}, {"name": "Second"}])
    _, root = await post(world, "GetPatient", envelope("GetPatient", f"<Filter><PatientID>{ada}</PatientID></Filter>"))
    patient = root.find(".//{*}Patient")
    assert patient.find("{*}MiddleName") is None
    assert not patient.xpath(".//@*[local-name()='nil']")
    assert [case.findtext("{*}IsPrimaryCase") for case in patient.iter("{*}PatientCaseData")] == ["true", None]
    message = root.find(".//{*}ErrorResponse/{*}ErrorMessage")
    assert message.get("{http://www.w3.org/2001/XMLSchema-instance}nil") == "true"
    assert text(root, "IsError") == "false"


async def test_members_out_of_order_are_skipped_in_silence(world: World) -> None:
    ada = world.ada()
    world.sandbox.people.create_patient(world.elm, "Bob", "Lee")
    search = "<Fields/><Filter><LastName>Lee</LastName><FirstName>Ada</FirstName></Filter>"
    _, root = await post(world, "GetPatients", envelope("GetPatients", search))
    assert [one.findtext("{*}FirstName") for one in root.iter("{*}PatientData")] == ["Bob"]
    search = '<Fields/><Filter><FirstName xmlns="urn:other">Bob</FirstName><Nickname>B</Nickname><LastName>Byrne</LastName></Filter>'
    _, root = await post(world, "GetPatients", envelope("GetPatients", search))
    assert [one.findtext("{*}ID") for one in root.iter("{*}PatientData")] == [str(ada)]


async def test_user_before_password_is_unauthorized(world: World) -> None:
    header = f"<CustomerKey>{KEY}</CustomerKey><User>{USER}</User><Password>{PASSWORD}</Password>"
    status, root = await post(world, "GetExternalVendors", envelope("GetExternalVendors", "", header))
    assert (status, text(root, "Authenticated"), text(root, "IsError")) == (200, "false", "false")
    assert text(root, "SecurityResult") == "Invalid user name and/or password"
    assert text(root, "CustomerKeyValid") == "true"
    world.header["CustomerKey"] = "other"
    denied = await world.call("GetExternalVendors")
    assert denied.SecurityResponse.CustomerKeyValid is False
    assert [one.outcome for one in world.sandbox.calls] == ["unauthorized", "unauthorized"]


FILTER = "<Filter><PatientID>{}</PatientID></Filter>"


@pytest.mark.parametrize(
    ("operation", "inner"),
    [
        ("GetPatient", FILTER.format("twelve")),
        ("GetPatient", FILTER.format("")),
        ("GetPatient", FILTER.format("99999999999")),
        ("GetPatients", "<Filter/>"),
        ("GetAllPatients", "<Fields/>"),
        ("CreatePatient", "<Patient><FirstName>A</FirstName></Patient>"),
        ("CreatePatient", "<Patient><DateofBirth>2/24/2026</DateofBirth><Practice/></Patient>"),
        ("CreatePatient", "<Patient><Gender>F</Gender><Practice/></Patient>"),
        ("GetAppointment", '<Appointment><AppointmentId i:nil="true"/></Appointment>'),
        ("GetAppointment", "<Appointment><AppointmentId><x/></AppointmentId></Appointment>"),
    ],
)
async def test_missing_or_unparseable_members_are_a_fault(world: World, operation: str, inner: str) -> None:
    status, root = await post(world, operation, envelope(operation, inner))
    assert status == 500
    assert root.findtext(".//faultcode") == "a:DeserializationFailed"


async def test_missing_filter_or_fields_is_a_null_reference(world: World) -> None:
    for operation, inner in (
        ("GetPatients", "<Fields/>"),
        ("GetPatients", '<Fields i:nil="true"/><Filter/>'),
        ("GetPatient", ""),
    ):
        status, root = await post(world, operation, envelope(operation, inner))
        assert (status, text(root, "IsError")) == (200, "true")
        assert (text(root, "ErrorMessage") or "").startswith("Object reference not set")


async def test_wrong_actions_and_entities(world: World) -> None:
    body = envelope("GetExternalVendors", "")
    for action in (f'"{API}GetExternalVendors"', "", f'"{ACTION_PREFIX}GetSecrets"'):
        status, root = await post(world, "GetExternalVendors", body, action)
        assert (status, root.findtext(".//faultcode")) == (500, "a:ActionNotSupported")
    status, root = await post(world, "GetExternalVendors", '<!DOCTYPE x [<!ENTITY e "1">]>' + body)
    assert (status, root.findtext(".//faultcode")) == (500, "a:DeserializationFailed")
    status, root = await post(world, "GetPatients", body)
    assert (status, root.findtext(".//faultcode")) == (500, "a:DeserializationFailed")
    utf16 = ('<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x [<!ENTITY e "1">]>' + body).encode("utf-16")
    headers = {"SOAPAction": f'"{ACTION_PREFIX}GetExternalVendors"'}
    async with (
        aiohttp.ClientSession() as session,
        session.post(world.sandbox.endpoint, data=utf16, headers=headers) as answer,
    ):
        assert answer.status == 500


async def test_newer_servers_send_unknown_members(both: World) -> None:
    ada = both.ada()
    both.sandbox.switches.unknown_members = True
    (row,) = await both.patients()
    assert (row.ID, row.FirstName, row.ZipCode, row.LastName) == (str(ada), "Ada", None, "Byrne")
    assert (await both.patient(ada)).LastName == "Byrne"


async def test_served_wsdl(world: World) -> None:
    async with aiohttp.ClientSession() as session:
        for query in ("wsdl", "singleWsdl"):
            async with session.get(f"{world.sandbox.endpoint}?{query}") as answer:
                assert world.sandbox.endpoint.encode() in await answer.read()


async def test_answers_keep_to_the_vendors_schema(world: World) -> None:
    """zeep's default settings raise on any member that is unknown or out of place."""
    if not REAL.exists():
        pytest.skip("the vendor's WSDL is not beside the repository")
    client = await asyncio.to_thread(zeep.Client, str(REAL))
    world.service = client.create_service(BINDING, world.sandbox.endpoint)
    people, ada = world.sandbox.people, world.ada(email="ada@example.org", provider_id=world.doctor, location_id=world.place)
    (case,) = world.sandbox.state.cases_of(ada)
    for number in ("W1", "W2"):
        people.add_policy(
            case.id, "Aetna", "PPO", number, "G7", "25.00", "500.00", "2026-01-01", "2026-12-31", "Child", {"zip": "1"}
        )
    booked = people.book_appointment(
        ada, world.doctor, world.place, NOON, reason="Cough", notes="-", case_id=case.id, is_group=True
    )
    made = await world.done("CreateEncounter", Encounter=world.encounter(ada, case.id))
    assert (await world.patients())[0].SecondaryInsurancePolicyNumber == "W2"
    assert (await world.patient(ada)).Cases.PatientCaseData[0].InsurancePolicies.PatientInsurancePolicyData[1].Number == "W2"
    batch = await world.rows("GetAllPatients", "Patients", "PatientBatchData", BatchSize=10)
    assert batch[0].DefaultCaseID == str(case.id)
    assert (await world.appointments())[0].PatientCaseName == "Standard"
    assert (await world.done("GetAppointment", Appointment={"AppointmentId": booked.id})).Appointment.Notes == "-"
    assert len(await world.charges(IncludeUnapprovedCharges="T")) == 2
    filter_ = {"EncounterID": str(made.EncounterID)}
    assert len(await world.rows("GetEncounterDetails", "EncounterDetails", "EncounterDetailsData", **filter_)) == 1
    for operation, container, row in (
        ("GetPractices", "Practices", "PracticeData"),
        ("GetProviders", "Providers", "ProviderData"),
        ("GetServiceLocations", "ServiceLocations", "ServiceLocationData"),
        ("GetProcedureCodes", "ProcedureCodes", "ProcedureCodeData"),
    ):
        assert await world.rows(operation, container, row)


# -- limits, faults, admin --------------------------------------------------------------------------------------------


def test_every_operation_has_a_limit() -> None:
    assert set(INTERVALS) == set(interface().operations)


async def test_limits() -> None:
    clock = Clock()
    async for world in _world(KareoSandbox(now=clock.now, clock=clock.monotonic, limits_scale=0.5), clock, "own"):
        await world.done("GetPractices", Fields={}, Filter={})
        clock.passed = 0.25
        message = await world.refused("GetPractices", Fields={}, Filter={})
        assert "endpoint requested more than allowed" in message
        await world.done("GetExternalVendors")
        clock.passed = 0.26
        await world.done("GetPractices", Fields={}, Filter={})
        assert world.sandbox.violations == [(0.25, "customer-1", "GetPractices")]
        assert [one.outcome for one in world.sandbox.calls] == ["done", "throttled", "done", "done"]
        world.sandbox.faults.add("GetProviders", kind="throttle")
        assert "more than allowed" in await world.refused("GetProviders", Fields={}, Filter={})
        assert len(world.sandbox.violations) == 1


@pytest.mark.parametrize(
    ("kind", "applied"),
    [
        ("refuse", False),
        ("cut_before", False),
        ("cut_after", True),
        ("status", False),
        ("fault", False),
        ("garbage", True),
        ("half", True),
        ("html", False),
        ("delay", True),
    ],
)
async def test_faults(world: World, kind: Any, applied: bool) -> None:
    world.sandbox.faults.add("CreatePatient", kind=kind, status=503)
    written = {"Practice": {"PracticeID": world.elm}, "FirstName": "Ada", "LastName": "Byrne"}
    failed = False
    try:
        failed = (await world.call("CreatePatient", Patient=written)).ErrorResponse.IsError
    except (zeep.exceptions.Error, OSError):
        failed = True
    assert failed == (kind != "delay")
    assert len(world.sandbox.patients) == applied
    await world.done("CreatePatient", Patient=written)
    assert [one.fault for one in world.sandbox.calls] == [kind, None]


async def test_admin_speaks_for_people(world: World) -> None:
    base = world.sandbox.url + "/admin/"
    async with aiohttp.ClientSession() as session:
        person = {"practice": world.elm, "first_name": "Ada", "last_name": "Byrne", "dob": "1980-02-29", "cases": [{}]}
        async with session.post(base + "create_patient", json=person) as answer:
            ada = (await answer.json())["id"]
        assert world.sandbox.patients[ada].dob == date(1980, 2, 29)
        visit = {"patient": ada, "provider": world.doctor, "location": world.place, "start": "2026-03-03T09:00:00-08:00"}
        async with session.post(base + "book_appointment", json=visit) as answer:
            assert (await answer.json())["start"] == "2026-03-03T17:00:00+00:00"
        async with session.post(base + "edit_patient", json={"patient": ada, "nickname": "x"}) as answer:
            assert answer.status == 400
        for verb in ("_patient", "nothing"):
            async with session.post(base + verb, json={}) as answer:
                assert answer.status == 404
        async with session.post(base + "delete_patient", json={"patient": 5}) as answer:
            assert answer.status == 404
        await world.patients()
        async with session.get(base + "dump") as answer:
            dumped = await answer.text()
            assert KEY not in dumped
            assert (await answer.json())["patients"][0]["last_name"] == "Byrne"
        async with session.get(base + "calls") as answer:
            assert [(one["operation"], one["key"]) for one in await answer.json()] == [("GetPatients", "customer-1")]


async def test_customers_do_not_see_each_other(world: World) -> None:
    world.ada()
    world.sandbox.add_customer("other", "u", "p")
    world.sandbox.add_practice("other", name="Pine")
    world.header = {"ClientVersion": "1", "CustomerKey": "other", "Password": "p", "User": "u"}
    assert await world.patients() == []
    assert [one.PracticeName for one in await world.rows("GetPractices", "Practices", "PracticeData")] == ["Pine"]


async def test_requests_are_kept_for_inspection(world: World) -> None:
    await world.patients(PracticeName="Elm Clinic")
    (call,) = world.sandbox.calls
    assert (call.key, call.operation, call.outcome) == ("customer-1", "GetPatients", "done")
    assert etree.fromstring(call.request).findtext(".//{*}Filter/{*}PracticeName") == "Elm Clinic"


def test_switches_have_the_safe_defaults() -> None:
    switches = KareoSwitches()
    assert switches.phantom_rows
    assert not switches.policy_edits_modify_patient
    assert switches.list_zone == "America/Los_Angeles"
