"""The Elation sandbox over HTTP: who may read and with which token, and how its lists are paged, filtered and ordered."""

from __future__ import annotations

from tests.integration.elation import Clinic

# OAuth2


async def test_a_token_expires_and_a_new_one_works(clinic: Clinic) -> None:
    clinic.clock.move(seconds=36000)
    assert (await clinic.mine.ask("GET", "/practices/"))[0] == 401
    assert await clinic.mine.sign_in() == 200
    assert (await clinic.mine.ask("GET", "/practices/"))[0] == 200


async def test_a_withdrawn_credential_gets_nothing(clinic: Clinic) -> None:
    clinic.sandbox.people.revoke_credential("mine")
    assert (await clinic.mine.ask("GET", "/practices/"))[0] == 401
    assert await clinic.mine.sign_in() == 401
    clinic.sandbox.people.restore_credential("mine")
    assert await clinic.mine.sign_in() == 200


async def test_only_client_credentials_with_the_right_secret_and_unmixed_scopes(clinic: Clinic) -> None:
    assert await clinic.mine.sign_in(client_secret="wrong") == 401
    assert await clinic.mine.sign_in(grant_type="password") == 400
    assert await clinic.mine.sign_in(scope="apiv2 system/patients.read") == 400


async def test_granular_scopes_close_everything_else(clinic: Clinic) -> None:
    assert await clinic.mine.sign_in(scope="system/patients.read") == 200
    assert (await clinic.mine.ask("GET", "/patients/"))[0] == 200
    assert (await clinic.mine.ask("POST", "/patients/", clinic.chart()))[0] == 403
    assert (await clinic.mine.ask("GET", "/app/subscriptions/"))[0] == 403


async def test_another_practice_looks_like_nothing(clinic: Clinic) -> None:
    chart = clinic.sandbox.people.create_patient(clinic.elsewhere, "Eve", "Ray")["id"]
    assert (await clinic.mine.ask("GET", f"/patients/{chart}/"))[0] == 404
    assert await clinic.mine.all("/patients/") == []
    assert len(await clinic.other.all("/patients/")) == 1
    assert [one["id"] for one in await clinic.mine.all("/practices/")] == [clinic.practice]
    status, body = await clinic.mine.ask("POST", "/patients/", clinic.chart(caregiver_practice=clinic.elsewhere))
    assert (status, list(body)) == (400, ["caregiver_practice"])


# Lists


async def test_cursor_pages_are_by_ascending_id_and_complete(clinic: Clinic) -> None:
    made = [clinic.person(f"P{number}") for number in range(7)]
    first = await clinic.mine.get("/patients/", limit=3, practice=clinic.practice)
    assert first["previous"] is None
    assert "count" not in first
    assert first["next"].startswith(clinic.sandbox.url)
    assert "cursor=" in first["next"]
    second = await clinic.mine.get(first["next"])
    assert (await clinic.mine.get(second["previous"]))["results"] == first["results"]
    assert [one["id"] for one in await clinic.mine.all("/patients/", limit=3)] == made


async def test_a_row_that_comes_during_a_traversal_is_not_skipped(clinic: Clinic) -> None:
    made = [clinic.person(f"P{number}") for number in range(3)]
    first = await clinic.mine.get("/patients/", limit=2)
    clinic.sandbox.people.delete_patient(made[0])
    late = clinic.person("Late")
    rest = await clinic.mine.all(first["next"])
    assert [one["id"] for one in rest] == [made[2], late]


async def test_offset_switches_to_counted_pages(clinic: Clinic) -> None:
    made = [clinic.person(f"P{number}") for number in range(5)]
    page = await clinic.mine.get("/patients/", offset=0, limit=2, order_by="-id")
    assert page["count"] == 5
    assert [one["id"] for one in page["results"]] == made[:2:-1]
    assert "offset=2" in page["next"]
    assert len(await clinic.mine.all("/patients/", offset=0, limit=2)) == 5


async def test_a_page_holds_a_hundred_at_most(clinic: Clinic) -> None:
    for number in range(101):
        clinic.person(f"P{number}")
    assert len((await clinic.mine.get("/patients/", limit=1000))["results"]) == 100
    assert len((await clinic.mine.get("/patients/"))["results"]) == 25
    clinic.switch(limit_over_maximum="refused")
    assert (await clinic.mine.ask("GET", "/patients/", limit=1000))[0] == 400
    assert (await clinic.mine.ask("GET", "/patients/", cursor="!!"))[0] == 404


async def test_changes_are_asked_for_by_modified_time_in_whole_seconds(clinic: Clinic) -> None:
    old = clinic.person("Old")
    clinic.clock.move(seconds=60)
    new = clinic.person("New")
    stamp = clinic.sandbox.patients[new]["last_modified"]
    assert stamp == "2026-05-06T15:01:00Z"

    async def ids(**query: str) -> list[int]:
        return [one["id"] for one in await clinic.mine.all("/patients/", **query)]

    assert await ids(last_modified__gte=stamp) == [new]
    assert await ids(last_modified__gt=stamp) == []
    assert await ids(last_modified__lt=stamp) == [old]
    assert await ids(last_modified__lte="2026-05-06T15:01:00") == [old, new]
    status, body = await clinic.mine.ask("GET", "/patients/", last_modified__gte="yesterday")
    assert (status, list(body)) == (400, ["last_modified__gte"])


async def test_charts_are_found_by_name_birth_date_phone_and_member(clinic: Clinic) -> None:
    ada = clinic.person("Ada", phones=[{"phone": "(303) 555-0100", "phone_type": "Home"}])
    clinic.person("Bea")
    clinic.sandbox.people.add_policy(ada, member_id="M1")
    for query in ({"first_name": "ADA"}, {"phone_number": "303-555-0100"}, {"member_id": "M1"}):
        assert [one["id"] for one in await clinic.mine.all("/patients/", **query)] == [ada]
    assert len(await clinic.mine.all("/patients/", dob="1980-02-03", sex="Female")) == 2


async def test_a_path_without_its_slash_works_except_for_subscriptions(clinic: Clinic) -> None:
    assert (await clinic.mine.ask("GET", "/patients"))[0] == 200
    assert (await clinic.mine.ask("GET", "/app/subscriptions"))[0] == 404
    assert (await clinic.mine.ask("PUT", "/patients/"))[0] == 405
    assert [(call.path, call.slash, call.status) for call in clinic.sandbox.calls[-3:]] == [
        ("/patients/", False, 200),
        ("", False, 404),
        ("/patients/", True, 405),
    ]
