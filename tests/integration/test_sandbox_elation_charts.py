"""The Elation sandbox over HTTP: charts made, changed, refused as duplicates, merged, deleted and restored."""

from __future__ import annotations

import pytest

from daemon.sandbox.elation import Refusal
from tests.integration.elation import Clinic, Json

# Charts


async def test_creating_a_chart_needs_six_fields_and_gives_errors_by_field(clinic: Clinic) -> None:
    status, body = await clinic.mine.ask("POST", "/patients/", {})
    assert status == 400
    assert set(body) == {"first_name", "last_name", "sex", "dob", "primary_physician", "caregiver_practice"}
    assert body["dob"] == ["This field is required."]


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"first_name": "x" * 71}, "first_name"),
        ({"first_name": ""}, "first_name"),
        ({"middle_name": None}, "middle_name"),
        ({"sex": "F"}, "sex"),
        ({"dob": "02/03/1980"}, "dob"),
        ({"ssn": "12-34"}, "ssn"),
        ({"phones": [{"phone": str(n), "phone_type": "Home"} for n in range(3)]}, "phones"),
        ({"phones": [{"phone": "1", "phone_type": "Cell"}]}, "phones"),
        ({"emails": [{"email": "a@b.co"}, {"email": "c@d.co"}]}, "emails"),
        ({"emails": [{"email": "nobody"}]}, "emails"),
        ({"address": {"address_line1": "1 A St", "state": "Colorado"}}, "address"),
        ({"address": {"city": "Denver"}}, "address"),
        ({"patient_status": {"status": "active", "inactive_reason": "other"}}, "patient_status"),
        ({"metadata": {"object_id": "x" * 101}}, "metadata"),
        ({"metadata": {"data": {"a": "x" * 1000}}}, "metadata"),
    ],
)
async def test_a_chart_with_a_bad_field_is_refused_at_that_field(clinic: Clinic, fields: Json, at: str) -> None:
    status, body = await clinic.mine.ask("POST", "/patients/", clinic.chart(**fields))
    assert (status, list(body)) == (400, [at])


async def test_the_physician_must_be_one_of_the_practice(clinic: Clinic) -> None:
    status, body = await clinic.mine.ask("POST", "/patients/", clinic.chart(primary_physician=clinic.stranger))
    assert status == 400
    assert body == {"primary_physician": [f'Invalid pk "{clinic.stranger}" - object does not exist.']}


async def test_patch_is_partial_and_arrays_are_replaced(clinic: Clinic) -> None:
    home, work = {"phone": "3035550100", "phone_type": "Home"}, {"phone": "(303) 555-0101", "phone_type": "Work"}
    status, made = await clinic.mine.ask("POST", "/patients/", clinic.chart(phones=[home], suffix="Jr"))
    assert status == 201
    clinic.clock.move(seconds=5)
    status, body = await clinic.mine.ask("PATCH", f"/patients/{made['id']}/", {"phones": [home, work]})
    assert status == 200
    assert (body["suffix"], body["last_modified"]) == ("Jr", "2026-05-06T15:00:05Z")
    assert [one["phone"] for one in body["phones"]] == ["3035550100", "3035550101"]
    assert body["phones"][0]["created_date"] == "2026-05-06T15:00:00"
    assert (await clinic.mine.ask("PATCH", f"/patients/{made['id']}/", {"phones": []}))[1]["phones"] == []


async def test_replaced_phones_may_stay_as_deleted(clinic: Clinic) -> None:
    clinic.switch(replaced_entries_stay=True)
    chart = clinic.person(phones=[{"phone": "1", "phone_type": "Home"}])
    clinic.sandbox.people.set_phones(chart, [{"phone": "2", "phone_type": "Home"}])
    phones = (await clinic.mine.get(f"/patients/{chart}/"))["phones"]
    assert [(one["phone"], one["deleted_date"] is None) for one in phones] == [("2", True), ("1", False)]


async def test_insurances_and_times_cannot_be_written(clinic: Clinic) -> None:
    body = {"insurances": [{"rank": "primary"}], "last_modified": "2001-01-01T00:00:00Z", "id": 1}
    status, made = await clinic.mine.ask("POST", "/patients/", clinic.chart(**body))
    assert status == 201
    assert (made["insurances"], made["last_modified"]) == ([], "2026-05-06T15:00:00Z")
    assert made["id"] > 140_000_000_000_000


async def test_a_duplicate_is_refused_with_the_existing_chart(clinic: Clinic) -> None:
    ada = clinic.person()
    status, body = await clinic.mine.ask("POST", "/patients/", clinic.chart(first_name="ADA "))
    assert (status, body) == (409, {"detail": "Duplicated object", "redirect": ada})
    clinic.switch(redirect_form="path")
    status, body = await clinic.mine.ask("POST", "/patients/", clinic.chart())
    assert body["redirect"] == f"/api/2.0/patients/{ada}"
    assert (await clinic.mine.ask("POST", "/patients/", clinic.chart(sex="Male")))[0] == 201
    clinic.switch(duplicates_ignore_sex=True)
    assert (await clinic.mine.ask("POST", "/patients/", clinic.chart(sex="Other")))[0] == 409


async def test_the_screen_only_warns_of_duplicates(clinic: Clinic) -> None:
    clinic.person()
    assert clinic.person()
    with pytest.raises(Refusal) as refusal:
        clinic.person(force=False)
    assert refusal.value.status == 409


async def test_metadata_is_seen_only_by_the_application_that_wrote_it(clinic: Clinic) -> None:
    note = {"object_id": "k-1", "object_web_link": None, "data": {"a": 1}}
    _, made = await clinic.mine.ask("POST", "/patients/", clinic.chart(metadata=note))
    assert made["metadata"] == note
    assert (await clinic.mine.all("/patients/"))[0]["metadata"] == note
    assert (await clinic.other.get(f"/patients/{made['id']}/"))["metadata"] is None
    _, body = await clinic.mine.ask("PATCH", f"/patients/{made['id']}/", {"metadata": {"object_id": "k-2"}})
    assert body["metadata"] == {"object_id": "k-2", "object_web_link": None, "data": None}
    clinic.switch(metadata_merges=True)
    _, body = await clinic.mine.ask("PATCH", f"/patients/{made['id']}/", {"metadata": {"data": {"b": 2}}})
    assert body["metadata"]["object_id"] == "k-2"


async def test_a_deleted_chart_is_410_and_comes_back_when_restored(clinic: Clinic) -> None:
    ada = clinic.person()
    clinic.sandbox.people.delete_patient(ada)
    assert (await clinic.mine.ask("GET", f"/patients/{ada}/"))[0] == 410
    assert await clinic.mine.all("/patients/") == []
    clinic.switch(deleted_chart_get="visible", lists_omit_deleted_charts=False)
    assert (await clinic.mine.get(f"/patients/{ada}/"))["deleted_date"] is not None
    assert len(await clinic.mine.all("/patients/")) == 1
    assert (await clinic.mine.ask("PATCH", f"/patients/{ada}/", {}))[0] == 410
    clinic.sandbox.people.restore_patient(ada)
    assert (await clinic.mine.get(f"/patients/{ada}/"))["deleted_date"] is None


async def test_a_merge_moves_everything_to_the_survivor(clinic: Clinic) -> None:
    absorbed, survivor = clinic.person("Ada"), clinic.person("Adah")
    slot = clinic.sandbox.people.create_appointment(absorbed, clinic.doctor, "2026-05-07T16:00:00Z")["id"]
    clinic.sandbox.people.set_phones(absorbed, [{"phone": "3035550100", "phone_type": "Home"}])
    mine = clinic.sandbox.people.add_policy(survivor)["id"]
    theirs = clinic.sandbox.people.add_policy(absorbed)["id"]
    clinic.clock.move(seconds=9)
    clinic.sandbox.people.merge_patients(absorbed, survivor)
    gone = await clinic.mine.get(f"/patients/{absorbed}/")
    assert (gone["merged_into_chart"], gone["deleted_date"]) == (survivor, "2026-05-06T15:00:09Z")
    kept = await clinic.mine.get(f"/patients/{survivor}/")
    assert kept["last_modified"] == "2026-05-06T15:00:09Z"
    assert kept["phones"][0]["phone"] == "3035550100"
    assert clinic.sandbox.appointments[slot]["patient"] == survivor
    policies = (await clinic.mine.get(f"/patients/{survivor}/policies"))["results"]
    assert [(one["id"], one["status"]) for one in policies] == [(mine, "active"), (theirs, "inactive")]
    clinic.switch(merged_chart_get="moved")
    assert (await clinic.mine.ask("GET", f"/patients/{absorbed}/"))[0] == 303
    clinic.switch(merged_chart_get="gone")
    assert (await clinic.mine.ask("GET", f"/patients/{absorbed}/"))[0] == 410


async def test_a_duplicate_may_name_a_merged_chart(clinic: Clinic) -> None:
    absorbed, survivor = clinic.person("Ada"), clinic.person("Adah")
    clinic.sandbox.people.merge_patients(absorbed, survivor)
    clinic.switch(duplicates_include_merged=True)
    status, body = await clinic.mine.ask("POST", "/patients/", clinic.chart())
    assert (status, body["redirect"]) == (409, absorbed)
    clinic.switch()
    assert (await clinic.mine.ask("POST", "/patients/", clinic.chart()))[0] == 201


async def test_an_applications_delete_is_soft(clinic: Clinic) -> None:
    ada = clinic.person()
    assert (await clinic.mine.ask("DELETE", f"/patients/{ada}/"))[0] == 204
    assert clinic.sandbox.patients[ada]["deleted_date"] == "2026-05-06T15:00:00Z"


async def test_put_of_a_chart_needs_the_required_fields(clinic: Clinic) -> None:
    ada = clinic.person(patient_status={"status": "inactive", "inactive_reason": "other"})
    status, body = await clinic.mine.ask("PUT", f"/patients/{ada}/", {"suffix": "Jr"})
    assert (status, len(body)) == (400, 6)
    status, body = await clinic.mine.ask("PUT", f"/patients/{ada}/", clinic.chart(suffix="Jr"))
    assert (status, body["suffix"], body["patient_status"]["inactive_reason"]) == (200, "Jr", "other")
