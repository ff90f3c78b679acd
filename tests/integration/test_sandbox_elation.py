"""The Elation sandbox over HTTP: each rule of the NOTES that can be seen from outside, both answers where it is a switch."""

from __future__ import annotations

import ast
import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import daemon.sandbox.elation
from daemon.sandbox.elation import ElationSandbox, ElationSwitches, Refusal

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


# Policies, insurers, plans


async def test_a_policy_needs_six_fields_else_422(clinic: Clinic) -> None:
    ada = clinic.person()
    status, body = await clinic.mine.ask("POST", f"/patients/{ada}/policies", {"copay": "abc"})
    assert status == 422
    assert {(one["loc"][1], one["type"]) for one in body["detail"]} == {
        ("practice_id", "missing"),
        ("patient_id", "missing"),
        ("patient_first_name", "missing"),
        ("patient_last_name", "missing"),
        ("patient_dob", "missing"),
        ("status", "missing"),
        ("copay", "value_error"),
    }
    assert (await clinic.mine.ask("POST", f"/patients/{ada}/policies", clinic.policy(ada, rank=4)))[0] == 422
    assert (await clinic.mine.ask("POST", f"/patients/{ada}/policies", clinic.policy(ada, carrier_id=1)))[0] == 422


async def test_a_rank_has_one_active_holder(clinic: Clinic) -> None:
    ada = clinic.person()
    path = f"/patients/{ada}/policies"
    _, first = await clinic.mine.ask("POST", path, clinic.policy(ada, member_id="A"))
    _, second = await clinic.mine.ask("POST", path, clinic.policy(ada, member_id="B", rank=2))
    status, moved = await clinic.mine.ask("PUT", f"{path}/{second['id']}/", {**second, "rank": 1})
    assert (status, moved["rank"]) == (200, 1)
    held = await clinic.mine.get(f"{path}/{first['id']}")
    assert (held["status"], held["rank"]) == ("inactive", None)
    active = (await clinic.mine.get(path, active_only="true"))["results"]
    assert [one["id"] for one in active] == [second["id"]]
    assert len((await clinic.mine.get(path + "/"))["results"]) == 2


async def test_put_replaces_the_whole_policy(clinic: Clinic) -> None:
    ada = clinic.person()
    held = clinic.sandbox.people.add_policy(ada, member_id="A", group_id="G", novelty={"seen": True})
    path = f"/patients/{ada}/policies/{held['id']}"
    assert (await clinic.mine.get(path))["novelty"] == {"seen": True}
    status, body = await clinic.mine.ask("PUT", path, clinic.policy(ada, member_id="B"))
    assert status == 200
    assert (body["member_id"], body["group_id"], "novelty" in body) == ("B", None, False)
    assert (await clinic.mine.ask("PATCH", path, {}))[0] == 405
    assert (await clinic.mine.ask("DELETE", path))[0] == 204
    assert (await clinic.mine.ask("GET", path))[0] == 404


async def test_policy_writes_may_be_seen_late(clinic: Clinic) -> None:
    clinic.switch(policy_visible_seconds=5)
    ada = clinic.person()
    status, made = await clinic.mine.ask("POST", f"/patients/{ada}/policies", clinic.policy(ada))
    assert status == 201
    assert (await clinic.mine.ask("GET", f"/patients/{ada}/policies/{made['id']}"))[0] == 404
    clinic.clock.move(seconds=5)
    assert (await clinic.mine.get(f"/patients/{ada}/policies"))["results"] == [made]
    assert (await clinic.mine.get(f"/patients/{ada}/"))["insurances"][0]["rank"] == "primary"


async def test_insurers_and_plans_are_not_deduplicated(clinic: Clinic) -> None:
    body = {"carrier": "Acme", "practice": clinic.practice, "insurance_type": "Commercial"}
    first, second = [(await clinic.mine.ask("POST", "/insurance_companies/", body))[1]["id"] for _ in range(2)]
    assert first != second
    assert len(await clinic.mine.all("/insurance_companies/", carrier="acme", practice=clinic.practice)) == 2
    plan = {"name": "Gold", "insurance_company": first, "practice": clinic.practice}
    status, made = await clinic.mine.ask("POST", "/insurance_plans/", plan)
    assert (status, made["patients"]) == (201, [])
    ada = clinic.person()
    clinic.sandbox.people.add_policy(ada, carrier_id=first, carrier_name="Acme", plan_id=made["id"])
    single = await clinic.mine.get(f"/insurance_companies/{first}/")
    assert (single["plans"], single["patients"]) == ([made["id"]], [ada])
    assert "plans" not in (await clinic.mine.all("/insurance_companies/"))[0]
    status, body = await clinic.mine.ask("PATCH", f"/insurance_companies/{first}/", {"external_vendor_id": "77"})
    assert (status, body["external_vendor_id"], body["carrier"]) == (200, "77", "Acme")
    assert (await clinic.mine.ask("DELETE", f"/insurance_companies/{second}/"))[0] == 204
    assert (await clinic.mine.ask("GET", f"/insurance_companies/{second}/"))[0] == 410


async def test_plans_stay_with_insurers_of_their_practice(clinic: Clinic) -> None:
    people = clinic.sandbox.people
    acme, best = [people.create_insurance_company(clinic.practice, name)["id"] for name in ("Acme", "Best")]
    plan = people.create_insurance_plan(clinic.practice, acme, "Gold")["id"]
    path = f"/insurance_plans/{plan}/"
    status, body = await clinic.mine.ask("PATCH", path, {"insurance_company": best})
    assert (status, body["insurance_company"], body["name"]) == (200, best, "Gold")
    foreign = people.create_insurance_company(clinic.elsewhere, "Far")["id"]
    assert (await clinic.mine.ask("PATCH", path, {"insurance_company": foreign}))[0] == 400
    assert (await clinic.mine.ask("PATCH", path, {"practice": clinic.elsewhere}))[0] == 400
    assert [one["id"] for one in await clinic.mine.all("/insurance_plans/", insurance_company=best)] == [plan]


async def test_a_policy_made_inactive_frees_its_rank(clinic: Clinic) -> None:
    ada = clinic.person()
    held = clinic.sandbox.people.add_policy(ada, member_id="A")
    gone = clinic.sandbox.people.deactivate_policy(held["id"])
    assert (gone["status"], gone["rank"], gone["member_id"]) == ("inactive", None, "A")
    assert (await clinic.mine.get(f"/patients/{ada}/policies", active_only="true"))["results"] == []


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


# Webhooks


def verify(subscription: Json, body: bytes, signature: str) -> None:
    key = base64.b64decode(subscription["signing_pub_key"])
    assert len(key) == 32
    Ed25519PublicKey.from_public_bytes(key).verify(base64.b64decode(signature), body)


async def test_subscribing_twice_is_refused_and_each_has_its_own_key(clinic: Clinic) -> None:
    first = await clinic.subscribe(clinic.mine, "patients")
    status, body = await clinic.mine.ask(
        "POST", "/subscriptions/", {"resource": "patients", "target": clinic.receiver.url + "/a"}
    )
    assert (status, body["redirect"]) == (409, first["id"])
    second = await clinic.subscribe(clinic.mine, "bills")
    assert first["signing_pub_key"] != second["signing_pub_key"]
    assert [one["id"] for one in await clinic.mine.all("/app/subscriptions/")] == [first["id"], second["id"]]
    assert await clinic.other.all("/app/subscriptions/") == []
    assert (await clinic.mine.ask("DELETE", f"/app/subscriptions/{first['id']}/"))[0] == 204
    assert (await clinic.mine.ask("GET", f"/app/subscriptions/{first['id']}/"))[0] == 404
    status, _ = await clinic.mine.ask("POST", "/app/subscriptions/", {"resource": "practices", "target": "http://x/"})
    assert status == 400


async def test_a_delivery_is_signed_over_its_raw_body(clinic: Clinic) -> None:
    subscription = await clinic.subscribe(clinic.mine, "patients", "/hook/patients")
    ada = clinic.person()
    await clinic.sandbox.webhooks.quiet()
    [(path, raw, signature)] = clinic.receiver.seen
    assert path == "/hook/patients"
    verify(subscription, raw, signature)
    body = json.loads(raw)
    assert raw == json.dumps(body).encode()
    assert list(body) == [
        "data",
        "action",
        "event_id",
        "event_uuid",
        "application_id",
        "resource",
        "resource_url",
    ]
    assert (body["action"], body["application_id"], body["resource_url"]) == ("saved", "1001", None)
    assert body["event_uuid"][14] == "7"
    assert body["data"] == await clinic.mine.get(f"/patients/{ada}/")
    rotated = clinic.sandbox.people.rotate_webhook_key(subscription["id"])
    clinic.switch(application_id_form="number", deleted_data="id")
    clinic.sandbox.people.delete_patient(ada)
    await clinic.sandbox.webhooks.quiet()
    _, raw, signature = clinic.receiver.seen[-1]
    verify(rotated, raw, signature)
    with pytest.raises(InvalidSignature):
        verify(subscription, raw, signature)
    last = json.loads(raw)
    assert (last["action"], last["application_id"], last["data"]) == ("deleted", 1001, {"id": ada})


async def test_a_delivery_is_repeated_until_200(clinic: Clinic) -> None:
    await clinic.subscribe(clinic.mine, "patients")
    clinic.receiver.script = [500, 202, 204]
    clinic.person()
    await clinic.sandbox.webhooks.quiet()
    assert len(clinic.receiver.seen) == 4
    assert len({body["event_uuid"] for body in clinic.receiver.bodies}) == 1
    [event] = await clinic.mine.all("/app/published_events/")
    assert (event["status_code"], event["processed_date"]) == (200, "2026-05-06T15:00:00Z")


async def test_a_delivery_is_given_up_after_72_hours(clinic: Clinic) -> None:
    await clinic.subscribe(clinic.mine, "patients")
    clinic.receiver.script = [500] * 1000
    clinic.person()
    await clinic.receiver.until(lambda: len(clinic.receiver.seen) >= 2)
    assert clinic.sandbox.webhooks.pending == 1
    clinic.clock.move(hours=73)
    await clinic.sandbox.webhooks.quiet()
    assert await clinic.mine.sign_in() == 200
    [event] = await clinic.mine.all("/app/published_events/")
    assert (event["status_code"], event["processed_date"]) == (500, None)


async def test_nobody_hears_of_his_own_changes(clinic: Clinic) -> None:
    await clinic.subscribe(clinic.mine, "patients", "/mine")
    await clinic.subscribe(clinic.other, "patients", "/other")
    await clinic.mine.ask("POST", "/patients/", clinic.chart())
    await clinic.sandbox.webhooks.quiet()
    assert [path for path, _, _ in clinic.receiver.seen] == ["/other"]
    clinic.sandbox.people.create_patient(clinic.elsewhere, "Eve", "Ray")
    await clinic.sandbox.webhooks.quiet()
    assert [path for path, _, _ in clinic.receiver.seen] == ["/other", "/other"]
    clinic.person("Zoe")
    await clinic.sandbox.webhooks.quiet()
    assert sorted(path for path, _, _ in clinic.receiver.seen) == ["/mine", "/other", "/other", "/other"]


async def test_a_policy_shows_only_as_an_event_of_its_chart(clinic: Clinic) -> None:
    await clinic.subscribe(clinic.mine, "patients", "/mine")
    await clinic.subscribe(clinic.other, "patients", "/other")
    ada = clinic.person()
    await clinic.sandbox.webhooks.quiet()
    clinic.receiver.seen.clear()
    await clinic.mine.ask("POST", f"/patients/{ada}/policies", clinic.policy(ada))
    await clinic.sandbox.webhooks.quiet()
    assert [path for path, _, _ in clinic.receiver.seen] == ["/other"]
    clinic.switch(policy_event="none")
    clinic.sandbox.people.add_policy(ada, rank=2)
    await clinic.sandbox.webhooks.quiet()
    assert len(clinic.receiver.seen) == 1
    clinic.switch(policy_event="all", policy_event_seconds=0.01)
    await clinic.mine.ask("POST", f"/patients/{ada}/policies", clinic.policy(ada, rank=3))
    await clinic.receiver.until(lambda: len(clinic.receiver.seen) == 3)


async def test_one_deed_may_be_announced_several_times(clinic: Clinic) -> None:
    clinic.switch(saved_per_action=3)
    await clinic.subscribe(clinic.mine, "patients")
    clinic.person()
    await clinic.sandbox.webhooks.quiet()
    assert [body["event_id"] for body in clinic.receiver.bodies] == sorted({b["event_id"] for b in clinic.receiver.bodies})
    assert len(clinic.receiver.seen) == 3


async def test_signing_announces_the_note_and_the_bill(clinic: Clinic) -> None:
    await clinic.subscribe(clinic.mine, "visit_notes", "/notes")
    await clinic.subscribe(clinic.mine, "bills", "/bills")
    key = clinic.bill()
    clinic.sandbox.people.resave_bill(key)
    await clinic.sandbox.webhooks.quiet()
    assert sorted(body["resource"] for body in clinic.receiver.bodies) == ["bills", "bills", "visit_notes"]


async def test_published_events_can_be_marked_and_last_30_days(clinic: Clinic) -> None:
    await clinic.subscribe(clinic.mine, "patients")
    ada = clinic.person()
    await clinic.sandbox.webhooks.quiet()
    [event] = (await clinic.mine.get("/published_events/"))["results"]
    assert (event["resource"], event["resource_id"], event["event_type"]) == ("patients", ada, "saved")
    mark = {"status_code": 200, "processed_date": "2026-05-06T15:09:00Z", "error_content": "seen", "resource": "bills"}
    status, body = await clinic.mine.ask("PATCH", f"/app/published_events/{event['event_id']}/", mark)
    assert (status, body["error_content"], body["resource"]) == (200, "seen", "patients")
    assert (await clinic.other.ask("GET", f"/app/published_events/{event['event_id']}/"))[0] == 404
    clinic.clock.move(days=31)
    assert await clinic.mine.sign_in() == 200
    assert await clinic.mine.all("/app/published_events/") == []


async def test_webhooks_get_lost_doubled_late_and_out_of_order(clinic: Clinic) -> None:
    await clinic.subscribe(clinic.mine, "patients")
    faults = clinic.sandbox.faults

    async def names(*made: str) -> list[str]:
        clinic.receiver.seen.clear()
        for name in made:
            clinic.person(name)
        await clinic.sandbox.webhooks.quiet()
        return [body["data"]["first_name"] for body in clinic.receiver.bodies]

    assert await names("A", "B", "C") == ["A", "B", "C"]
    faults.add_webhook(kind="lose")
    assert await names("D", "E") == ["E"]
    faults.add_webhook(kind="duplicate", resource="patients")
    assert await names("F", "G") == ["F", "F", "G"]
    faults.add_webhook(kind="reorder")
    assert await names("H", "I") == ["I", "H"]
    faults.add_webhook(kind="delay", seconds=0.05)
    assert await names("J", "K") == ["K", "J"]


# Failures, limits, records


@pytest.mark.parametrize(
    ("kind", "applied"),
    [("refuse", False), ("cut_before", False), ("cut_after", True), ("half", True)],
)
async def test_a_broken_connection_leaves_the_write_done_or_not(clinic: Clinic, kind: Any, applied: bool) -> None:
    fault = clinic.sandbox.faults.add(match=("POST", "/patients/"), kind=kind)
    with pytest.raises(aiohttp.ClientError):
        await clinic.mine.ask("POST", "/patients/", clinic.chart())
    assert fault.fired == 1
    assert bool(clinic.sandbox.patients) is applied
    call = clinic.sandbox.calls[-1]
    assert (call.path, call.status, call.fault) == ("/patients/", None, kind)
    assert (await clinic.mine.ask("POST", "/patients/", clinic.chart()))[0] == (409 if applied else 201)


async def test_planned_statuses_garbage_and_delays(clinic: Clinic) -> None:
    faults = clinic.sandbox.faults
    faults.add(match=("GET", "/patients/.*"), kind="status", status=503, times=2)
    assert [(await clinic.mine.ask("GET", "/patients/"))[0] for _ in range(3)] == [503, 503, 200]
    faults.add(match=("POST", r"/patients/\{id\}/policies"), kind="garbage")
    ada = clinic.person()
    with pytest.raises(json.JSONDecodeError):
        await clinic.mine.ask("POST", f"/patients/{ada}/policies", clinic.policy(ada))
    assert len(clinic.sandbox.policies) == 1
    faults.add(kind="delay", seconds=0.01)
    assert (await clinic.mine.ask("GET", "/patients/"))[0] == 200
    assert clinic.sandbox.calls[-1].fault == "delay"


async def test_too_many_at_once_or_in_a_second_are_throttled(clinic: Clinic) -> None:
    clinic.switch(concurrent_limit=2)
    clinic.sandbox.faults.add(kind="delay", seconds=0.2, times=2)
    answers = await asyncio.gather(*(clinic.mine.ask("GET", "/patients/") for _ in range(3)))
    assert sorted(status for status, _ in answers) == [200, 200, 429]
    clinic.switch(per_second_limit=1)
    answers = [await clinic.other.ask("GET", "/patients/") for _ in range(2)]
    assert [status for status, _ in answers] == [200, 429]


async def test_calls_are_recorded_without_secrets(clinic: Clinic) -> None:
    await clinic.mine.ask("PATCH", "/patients/7/", {"suffix": "Jr"})
    token, last = clinic.sandbox.calls[0], clinic.sandbox.calls[-1]
    assert (token.path, token.application, token.body, token.status) == ("/oauth2/token/", "1001", None, 200)
    assert (last.application, last.method, last.path, last.status) == ("1001", "PATCH", "/patients/{id}/", 404)
    assert (last.body, last.ids, last.time) == ({"suffix": "Jr"}, {"id": 7}, clinic.clock.moment)
    assert "s3" not in repr(clinic.sandbox.calls)


async def test_bodies_must_be_json(clinic: Clinic) -> None:
    headers = {"Authorization": f"Bearer {clinic.mine.token}"}
    url = f"{clinic.sandbox.url}/api/2.0/patients/"
    async with clinic.mine.session.post(url, data={"a": "b"}, headers=headers) as answer:
        assert answer.status == 415
    headers["Content-Type"] = "application/json"
    async with clinic.mine.session.post(url, data=b"{", headers=headers) as answer:
        assert answer.status == 400
    assert (await clinic.mine.ask("POST", "/patients/", ["x"]))[1] == {
        "non_field_errors": ["Invalid data. Expected a dictionary, but got list."]
    }


async def test_people_act_over_http_too(clinic: Clinic) -> None:
    session, url = clinic.mine.session, clinic.sandbox.url

    async def act(verb: str, **arguments: object) -> tuple[int, Any]:
        async with session.post(f"{url}/admin/{verb}", json=arguments) as answer:
            return answer.status, await answer.json()

    status, made = await act("create_patient", practice=clinic.practice, first_name="Ada", last_name="Byron")
    assert (status, made["id"] in clinic.sandbox.patients) == (200, True)
    assert (await act("edit_patient", patient=made["id"], dob="never"))[0] == 400
    assert (await act("delete_patient"))[0] == 400
    assert (await act("delete_patient", patient=1))[0] == 404
    assert (await act("dance"))[0] == 404
    assert (await act("add_physician", practice_id=clinic.practice, first_name="C", last_name="D"))[0] == 200
    assert (await act("add_fault", match=["GET", "/patients/"], kind="status", status=500))[0] == 200
    assert (await clinic.mine.ask("GET", "/patients/"))[0] == 500
    async with session.get(f"{url}/admin/dump") as answer:
        dump = await answer.json()
    assert str(made["id"]) in dump["patients"]
    assert "client_secret" not in json.dumps(dump)
    async with session.get(f"{url}/admin/calls") as answer:
        assert (await answer.json())[-1]["path"] == "/patients/"


async def test_the_directory_is_readable(clinic: Clinic) -> None:
    code = clinic.sandbox.add_billing_code(clinic.practice, code="99213", description="Visit", charge="90.00")
    [practice] = await clinic.mine.all("/practices/")
    assert practice["physicians"] == [clinic.doctor]
    assert practice["service_locations"][0]["id"] == clinic.place
    assert [one["id"] for one in await clinic.mine.all("/physicians/", npi="1234567893")] == [clinic.doctor]
    assert (await clinic.mine.get(f"/service_locations/{clinic.place}/"))["timezone"] is None
    assert await clinic.mine.all("/billing_codes/", code="99213") == [code]
    status, body = await clinic.mine.ask("PATCH", f"/physicians/{clinic.doctor}/", {"metadata": {"object_id": "7"}})
    assert (status, body["metadata"]["object_id"]) == (200, "7")


def test_the_sandbox_is_an_independent_witness() -> None:
    for source in Path(daemon.sandbox.elation.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                ours = name.split(".")[0] in {"daemon", "events", "projections"}
                assert not ours or name.startswith("daemon.sandbox.elation"), (source.name, name)
