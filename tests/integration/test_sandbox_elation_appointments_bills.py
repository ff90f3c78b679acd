"""The Elation sandbox over HTTP: appointments and their types, and bills from the signed note to the number in billing."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.integration.elation import Clinic

# Appointments


async def test_an_appointment_lasts_a_multiple_of_five_minutes(clinic: Clinic) -> None:
    ada = clinic.person()
    for duration in (12, 1, 0, 1445):
        status, body = await clinic.mine.ask("POST", "/appointments/", clinic.slot(ada, duration=duration))
        assert (status, list(body)) == (400, ["duration"])
    status, body = await clinic.mine.ask("POST", "/appointments/", clinic.slot(ada))
    assert (status, body["duration"], body["status"]["status"], body["reason"]) == (201, 15, "Scheduled", None)
    status, body = await clinic.mine.ask("POST", "/appointments/", {})
    assert set(body) == {"scheduled_date", "patient", "physician", "practice"}


async def test_a_new_reason_becomes_an_appointment_type(clinic: Clinic) -> None:
    known = clinic.sandbox.add_appointment_type(clinic.practice, name="Physical", default_duration=40)["id"]
    ada = clinic.person()
    _, body = await clinic.mine.ask("POST", "/appointments/", clinic.slot(ada, reason="Physical"))
    assert (body["appointment_type_id"], body["duration"]) == (known, 40)
    _, body = await clinic.mine.ask("POST", "/appointments/", clinic.slot(ada, reason="Sore throat"))
    names = [one["name"] for one in await clinic.mine.all("/appointment_types/", practice=clinic.practice)]
    assert names == ["Physical", "Sore throat"]
    clinic.switch(reason_required=True)
    status, body = await clinic.mine.ask("POST", "/appointments/", clinic.slot(ada))
    assert (status, body) == (400, {"reason": ["This field is required."]})


async def test_a_partial_update_is_refused_unless_switched_on(clinic: Clinic) -> None:
    ada = clinic.person()
    _, made = await clinic.mine.ask("POST", "/appointments/", clinic.slot(ada, service_location=clinic.place))
    assert made["service_location"]["place_of_service"] == 11
    path = f"/appointments/{made['id']}/"
    status, body = await clinic.mine.ask("PATCH", path, {"status": {"status": "Cancelled"}})
    assert status == 400
    assert set(body) == {"service_location", "patient", "physician", "practice", "scheduled_date", "reason", "duration"}
    whole = {name: made[name] for name in ("patient", "physician", "practice", "scheduled_date", "reason", "duration")}
    whole |= {"status": {"status": "Cancelled"}, "service_location": clinic.place}
    assert (await clinic.mine.ask("PATCH", path, {**whole, "service_location": made["service_location"]}))[0] == 400
    status, body = await clinic.mine.ask("PATCH", path, whole)
    assert (status, body["status"]["status"]) == (200, "Cancelled")
    clinic.switch(partial_appointment_updates=True)
    status, body = await clinic.mine.ask("PATCH", path, {"status": {"status": "Not Seen", "status_detail": "No Show"}})
    assert (status, body["status"]["status_detail"]) == (200, "No Show")
    assert (await clinic.mine.ask("PATCH", path, {"status": {"status": "In Room", "room": "9"}}))[0] == 400


async def test_a_deleted_appointment_is_410(clinic: Clinic) -> None:
    ada = clinic.person()
    _, made = await clinic.mine.ask("POST", "/appointments/", clinic.slot(ada))
    path = f"/appointments/{made['id']}/"
    assert (await clinic.mine.ask("DELETE", path))[0] == 204
    assert (await clinic.mine.ask("GET", path))[0] == 410
    assert await clinic.mine.all("/appointments/") == []
    assert clinic.sandbox.appointments[made["id"]]["deleted_date"] is not None


async def test_people_move_cancel_and_delete_appointments(clinic: Clinic) -> None:
    await clinic.subscribe(clinic.mine, "appointments")
    people = clinic.sandbox.people
    slot = people.create_appointment(clinic.person(), clinic.doctor, datetime(2026, 5, 7, 16, tzinfo=UTC))["id"]
    assert people.edit_appointment(slot, duration=30)["duration"] == 30
    assert people.cancel_appointment(slot)["status"]["status"] == "Cancelled"
    people.delete_appointment(slot)
    await clinic.sandbox.webhooks.quiet()
    assert [body["action"] for body in clinic.receiver.bodies] == ["saved", "saved", "saved", "deleted"]
    status, body = await clinic.mine.ask("POST", "/appointments/", clinic.slot(1))
    assert (status, body) == (400, {"patient": ['Invalid pk "1" - object does not exist.']})


async def test_lists_mix_appointments_with_events(clinic: Clinic) -> None:
    ada = clinic.person()
    people = clinic.sandbox.people
    slot = people.create_appointment(ada, clinic.doctor, "2026-05-07T16:00:00Z")["id"]
    event = people.create_appointment(None, clinic.doctor, "2026-05-08T16:00:00Z", time_slot_type="event")["id"]
    assert [one["id"] for one in await clinic.mine.all("/appointments/")] == [slot, event]
    assert clinic.sandbox.appointments[event]["status"] is None
    assert [one["id"] for one in await clinic.mine.all("/appointments/", time_slot_type="appointment")] == [slot]
    window = {"from_date": "2026-05-08T16:00:00Z", "to_date": "2026-05-08T16:00:00Z"}
    assert [one["id"] for one in await clinic.mine.all("/appointments/", **window)] == [event]
    both = f"{ada},{ada + 1}"
    assert [one["id"] for one in await clinic.mine.all("/appointments/", patient=both)] == [slot]


# Bills


async def test_signing_makes_an_unbilled_bill_in_the_read_form(clinic: Clinic) -> None:
    key = clinic.bill()
    bill = await clinic.mine.get(f"/bills/{key}/")
    assert (bill["billing_status"], bill["deferred_bill"]) == ("Unbilled", False)
    assert bill["cpts"] == [
        {
            "cpt": "99213",
            "description": None,
            "modifiers": ["25"],
            "dxs": ["J45.20", "R05"],
            "alt_dxs": [],
            "units": "2.0",
            "unit_charge": "55.12",
        }
    ]
    assert (bill["service_date"], bill["service_date_timezone"]) == ("2026-05-05T18:00:00Z", "America/Denver")
    place = bill["service_location"]
    assert (place["place_of_service"], place["place_of_service_code"]) == ("Office", 11)
    note = await clinic.mine.get(f"/visit_notes/{bill['visit_note_id']}/")
    assert (note["signed_date"], bill["visit_note_signed_date"]) == ("2026-05-06T15:00:00Z",) * 2
    assert note["signed_by"] != clinic.doctor
    assert note["last_modified"] == "2026-05-06T15:00:00.000000Z"
    listed = await clinic.mine.all("/bills/", visit_note_id=f"1,{note['id']}", signing_physician=clinic.doctor)
    assert [one["id"] for one in listed] == [key]
    assert await clinic.mine.all("/visit_notes/", unsigned="true") == []


async def test_number_and_date_bill_it_for_good(clinic: Clinic) -> None:
    key = clinic.bill()
    done = {"ref_number": "E-1", "billing_date": "2026-05-06T16:00:00Z", "metadata": {"object_id": "x"}}
    status, body = await clinic.mine.ask("PATCH", f"/bills/{key}/", done)
    assert (status, body["ref_number"], body["metadata"]["object_id"]) == (200, "E-1", "x")
    assert not {"id", "billing_status"} & set(body)
    assert body["cpts"][0]["modifier_1"] == "25"
    assert (await clinic.mine.get(f"/bills/{key}/"))["billing_status"] == "Billed"
    assert (await clinic.mine.ask("PATCH", f"/bills/{key}/", {"metadata": {"object_id": "y"}}))[0] == 400
    clinic.switch(billed_bill_immutable=False)
    assert (await clinic.mine.ask("PATCH", f"/bills/{key}/", {"metadata": {"object_id": "y"}}))[0] == 200
    assert clinic.sandbox.people.edit_bill(key, notes="later")["billing_status"] == "Billed"


async def test_an_error_waits_for_a_user_to_resave(clinic: Clinic) -> None:
    key = clinic.bill()
    both = {"ref_number": "E-1", "billing_date": "2026-05-06T16:00:00Z", "billing_error": "no"}
    assert (await clinic.mine.ask("PATCH", f"/bills/{key}/", both))[0] == 400
    assert (await clinic.mine.ask("PATCH", f"/bills/{key}/", {"billing_error": "x" * 201}))[0] == 400
    assert (await clinic.mine.ask("PATCH", f"/bills/{key}/", {"billing_error": "Unknown modifier"}))[0] == 200
    assert clinic.sandbox.bills[key]["billing_status"] == "UnresolvedError"
    again = clinic.sandbox.people.resave_bill(key, cpts=[{"cpt": "99214", "dxs": ["R05"]}])
    assert (again["billing_status"], again["billing_error"]) == ("Unbilled", None)
    assert again["cpts"][0]["units"] == "1.0"
    clinic.switch(resaved_status="ResolvedError")
    assert clinic.sandbox.people.resave_bill(key)["billing_status"] == "ResolvedError"


async def test_a_deferred_bill_is_released(clinic: Clinic) -> None:
    first, second = clinic.bill(deferred=True), clinic.bill(deferred=True)
    assert (await clinic.mine.get(f"/bills/{first}/"))["deferred_bill"] is True
    assert (await clinic.mine.ask("PATCH", f"/bills/{first}/actions/release-to-pms/"))[0] == 200
    assert clinic.sandbox.bills[first]["deferred_bill"] is False
    assert clinic.sandbox.people.release_bill(second)["deferred_bill"] is False


async def test_the_bill_of_a_deleted_note_stays_in_sight(clinic: Clinic) -> None:
    key = clinic.bill()
    clinic.sandbox.people.delete_note(clinic.sandbox.bills[key]["visit_note_id"])
    assert (await clinic.mine.get(f"/bills/{key}/"))["visit_note_deleted_date"] == "2026-05-06T15:00:00Z"
