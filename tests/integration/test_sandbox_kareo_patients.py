"""The Kareo sandbox seen through zeep: its directory, external ids, and patients written, listed, merged and deleted."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
import zeep.exceptions

from tests.integration.kareo_customer import World

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
