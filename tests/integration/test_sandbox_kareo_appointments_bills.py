"""The Kareo sandbox seen through zeep: appointments, and encounters with their charges."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from lxml import etree

from tests.integration.kareo_customer import NOON, World

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
