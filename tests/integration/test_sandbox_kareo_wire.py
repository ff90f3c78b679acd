"""The Kareo sandbox through raw requests, and against the vendor's schema: order, nil, faults and what is refused."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
import zeep
from lxml import etree

from daemon.sandbox.kareo.wsdl import ACTION_PREFIX, API
from tests.integration.kareo_customer import BINDING, KEY, NOON, PASSWORD, REAL, USER, World

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
