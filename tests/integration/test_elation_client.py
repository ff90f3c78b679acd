"""The client against a server on the loopback that answers from a script, breaks off, or does not answer at all."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime
from typing import TypeVar
from urllib.parse import parse_qs

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from daemon.vendors.elation import exchange, wire
from daemon.vendors.elation.client import ElationClient
from daemon.vendors.elation.oauth import TokenCache
from daemon.vendors.errors import (
    Duplicate,
    Gone,
    Malformed,
    Moved,
    NotFound,
    OutcomeUnknown,
    Refused,
    Throttled,
    Unauthorized,
    Unreachable,
    VendorError,
)

T = TypeVar("T")

PRACTICE = 65540
PATIENT = {
    "id": 640,
    "first_name": "Ada",
    "last_name": "SECRET",
    "caregiver_practice": PRACTICE,
    "last_modified": "2026-05-06T12:00:00Z",
}
POLICY = {"id": 5, "practice_id": PRACTICE, "patient_id": 640, "status": "active", "rank": 1, "novelty": {"a": None}}
TOKEN = "POST /api/2.0/oauth2/token/"

Answerer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Scripted = web.Response | Answerer


class Seen:
    """One request as the server saw it."""

    def __init__(self, request: web.Request, body: bytes) -> None:
        self.line = f"{request.method} {request.path}"
        self.query = dict(request.query)
        self.headers = request.headers.copy()
        self.body = body

    @property
    def json(self) -> object:
        return json.loads(self.body)


class Vendor:
    """Answers each `METHOD /path` with its next scripted answer, the last one again and again; keeps what was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[Seen] = []
        self.tokens = 0
        self.never = asyncio.Event()
        self.stop: Callable[[], Awaitable[None]]
        self._script: dict[str, list[Scripted]] = {}

    def say(self, line: str, *answers: object, status: int = 200) -> None:
        self._script[line] = [
            answer if isinstance(answer, web.Response) or callable(answer) else self.page(answer, status)
            for answer in answers
        ]

    def page(self, body: object, status: int = 200) -> Answerer:
        async def answer(_: web.Request) -> web.StreamResponse:
            return web.json_response(body, status=status)

        return answer

    def lines(self) -> list[str]:
        return [seen.line for seen in self.seen if seen.line != TOKEN]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.seen.append(Seen(request, body))
        line = f"{request.method} {request.path}"
        if line in self._script:
            answers = self._script[line]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            return await answer(request) if callable(answer) else answer
        if line == TOKEN:
            self.tokens += 1
            return web.json_response({"access_token": f"t{self.tokens}", "token_type": "Bearer", "expires_in": 36000})
        return web.json_response({"detail": "unscripted"}, status=404)

    async def abort(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def hang(self, _: web.Request) -> web.StreamResponse:
        await self.never.wait()
        return web.Response()


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    vendor = Vendor()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", vendor.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    vendor.stop = site.stop
    vendor.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield vendor
    vendor.never.set()
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


Meters = list[tuple[str, str]]


@pytest.fixture
def meters() -> Meters:
    return []


class TopOfTheRange:
    """Jitter that always draws the ceiling, so that the growth can be seen."""

    def uniform(self, _: float, ceiling: float) -> float:
        return ceiling


@pytest.fixture
def client(vendor: Vendor, session: aiohttp.ClientSession, meters: Meters) -> ElationClient:
    return make(vendor.url, session, meters)


def make(url: str, session: aiohttp.ClientSession, meters: Meters | None = None, **changes: object) -> ElationClient:
    options: dict[str, object] = {
        "base_url": url,
        "client_id": "id",
        "client_secret": "hush",
        "session": session,
        "practice_id": PRACTICE,
        "meter": None if meters is None else lambda operation, outcome, _: meters.append((operation, outcome)),
        "rng": TopOfTheRange(),
    }
    return ElationClient(**(options | changes))  # type: ignore[arg-type]


async def all_of(rows: AsyncIterator[T]) -> list[T]:
    return [row async for row in rows]


# Tokens (NOTES: OAuth2)


async def test_one_token_serves_all_who_wait(vendor, client, meters):
    vendor.say("GET /api/2.0/patients/640/", PATIENT)
    patients = await asyncio.gather(*(client.get_patient(640) for _ in range(10)))
    assert {patient.id for patient in patients} == {640}
    assert vendor.tokens == 1
    token = next(seen for seen in vendor.seen if seen.line == TOKEN)
    form = {"grant_type": ["client_credentials"], "client_id": ["id"], "client_secret": ["hush"]}
    assert parse_qs(token.body.decode()) == form
    assert {seen.headers["Authorization"] for seen in vendor.seen if seen.line != TOKEN} == {"Bearer t1"}
    assert sorted(meters) == [("GET /patients/{id}/", "ok")] * 10 + [("POST /oauth2/token/", "ok")]


@pytest.mark.parametrize(("lifetime", "good_until"), [(36000, 35940), (100, 90)])
async def test_a_token_is_renewed_before_it_expires(vendor, session, lifetime, good_until):
    now = 1000.0
    answers = [vendor.page({"access_token": name, "expires_in": lifetime}) for name in ("a", "b")]
    vendor.say(TOKEN, *answers)
    tokens = TokenCache(
        session=session,
        url=URL(f"{vendor.url}/api/2.0/oauth2/token/"),
        client_id="id",
        client_secret="hush",
        timeout=5.0,
        throttled=lambda operation: Throttled(operation, 1.0),
        meter=lambda *_: None,
        clock=lambda: now,
    )
    assert await tokens.get() == "a"
    now += good_until - 0.5
    assert await tokens.get() == "a"
    now += 1.0
    assert await tokens.get() == "b"


async def test_a_401_gets_one_new_token_also_for_writes(vendor, client, meters):
    vendor.say("PATCH /api/2.0/patients/640/", vendor.page({"detail": "expired"}, 401), PATIENT)
    assert (await client.update_patient(640, {"first_name": "Ada"})).id == 640
    assert [seen.headers["Authorization"] for seen in vendor.seen if seen.line != TOKEN] == ["Bearer t1", "Bearer t2"]
    assert [outcome for operation, outcome in meters if "patients" in operation] == ["unauthorized", "ok"]


async def test_a_second_401_is_unauthorized(vendor, client):
    vendor.say("GET /api/2.0/patients/640/", {"detail": "no"}, status=401)
    with pytest.raises(Unauthorized):
        await client.get_patient(640)
    assert len(vendor.lines()) == 2
    assert vendor.tokens == 2


async def test_401s_at_the_same_time_renew_once(vendor, client):
    async def only_the_second(request: web.Request) -> web.StreamResponse:
        good = request.headers["Authorization"] == "Bearer t2"
        return web.json_response(PATIENT if good else {}, status=200 if good else 401)

    vendor.say("GET /api/2.0/patients/640/", only_the_second)
    await asyncio.gather(*(client.get_patient(640) for _ in range(4)))
    assert vendor.tokens == 2


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"error": "invalid_client"}, Unauthorized),
        (401, {}, Unauthorized),
        (429, {}, Throttled),
        (503, {}, Unreachable),
        (200, {"token": "t"}, Malformed),
        (200, {"access_token": "a\r\nX: y"}, Malformed),
    ],
)
async def test_without_a_token_nothing_is_sent_and_those_who_wait_share_the_failure(vendor, client, status, body, error):
    vendor.say(TOKEN, body, status=status)
    results = await asyncio.gather(*(client.create_patient({}) for _ in range(5)), return_exceptions=True)
    assert {type(result) for result in results} == {error}
    assert [seen.line for seen in vendor.seen] == [TOKEN]


# Reading


async def test_the_url_of_a_record_ends_in_a_slash_whichever_base_is_given(vendor, session):
    vendor.say("GET /api/2.0/patients/640/", PATIENT)
    for base in (vendor.url, vendor.url + "/", vendor.url + "/api/2.0", vendor.url + "/api/2.0/"):
        assert (await make(base, session).get_patient(640)).last_name == "SECRET"


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, NotFound), (410, Gone), (403, Unauthorized), (400, Refused), (422, Refused), (302, Refused), (500, Unreachable)],
)
async def test_what_a_status_means_for_a_read(vendor, client, status, error):
    vendor.say("GET /api/2.0/patients/640/", {"detail": "SECRET"}, status=status)
    with pytest.raises(error) as caught:
        await client.get_patient(640)
    assert type(caught.value) is error
    assert caught.value.operation == "elation.GET /patients/{id}/"


async def test_a_moved_chart_is_not_followed(vendor, client):
    vendor.say("GET /api/2.0/patients/640/", web.Response(status=303, headers={"Location": "/api/2.0/patients/77/"}))
    with pytest.raises(Moved) as caught:
        await client.get_patient(640)
    assert caught.value.survivor == 77
    assert vendor.lines() == ["GET /api/2.0/patients/640/"]


async def test_lists_follow_next_and_keep_bad_rows(vendor, client, meters):
    vendor.say(
        "GET /api/2.0/patients/",
        {
            "results": [PATIENT, PATIENT | {"id": 641, "dob": "SECRET"}],
            "next": f"{vendor.url}/api/2.0/patients?cursor=a%2Fb",
        },
    )
    vendor.say("GET /api/2.0/patients", {"results": [PATIENT | {"id": 642}], "next": None})
    rows = await all_of(client.patients_modified_since(datetime(2026, 5, 6, 12, 0, 0, 999, tzinfo=UTC)))
    assert [(type(row), row.id) for row in rows] == [(wire.Patient, 640), (wire.BadRow, 641), (wire.Patient, 642)]
    first, second = (seen for seen in vendor.seen if seen.line != TOKEN)
    assert first.query == {"limit": "100", "practice": str(PRACTICE), "last_modified__gte": "2026-05-06T12:00:00Z"}
    assert second.query == {"cursor": "a/b"}
    assert meters.count(("GET /patients/", "ok")) == 2


@pytest.mark.parametrize(
    "address",
    [
        "http://elsewhere.test/api/2.0/patients/?cursor=a",
        "https{rest}/x",
        "/relative",
        "http://u:p@{host}/x",
        "http://[",
        "{self}",
    ],
)
async def test_next_never_leads_elsewhere_or_in_a_circle(vendor, client, address):
    rest = vendor.url.removeprefix("http")
    host = vendor.url.removeprefix("http://")
    here = f"{vendor.url}/api/2.0/patients/?limit=100&practice={PRACTICE}"
    vendor.say("GET /api/2.0/patients/", {"results": [], "next": address.format(rest=rest, host=host, self=here)})
    with pytest.raises(Malformed) as caught:
        await all_of(client.patients())
    assert caught.value.path == "$.next"
    assert len(vendor.lines()) == 1


async def test_a_list_that_is_none_is_malformed(vendor, client, meters):
    vendor.say("GET /api/2.0/practices/", {"practices": []})
    with pytest.raises(Malformed) as caught:
        await all_of(client.practices())
    assert caught.value.path == "$.results"
    assert ("GET /practices/", "malformed") in meters


async def test_appointments_leave_slots_and_events_out(vendor, client):
    row = {
        "id": 1,
        "scheduled_date": "2026-05-06T12:00:00Z",
        "physician": 2,
        "practice": PRACTICE,
        "patient": 640,
        "last_modified_date": "2026-05-06T12:00:00Z",
        "time_slot_type": "appointment",
        "service_location": {"id": 9, "place_of_service": 11},
    }
    slots = [row | {"id": 2, "patient": None, "time_slot_type": kind} for kind in ("event", "appointment_slot")]
    vendor.say("GET /api/2.0/appointments/", {"results": [row, *slots]})
    window = client.appointments(from_date=date(2026, 5, 1), to_date=datetime(2026, 5, 8, tzinfo=UTC), patient=640)
    assert [(found.id, found.service_location) async for found in window] == [(1, 9)]
    assert vendor.seen[-1].query == {
        "limit": "100",
        "practice": str(PRACTICE),
        "time_slot_type": "appointment",
        "from_date": "2026-05-01",
        "to_date": "2026-05-08T00:00:00Z",
        "patient": "640",
    }


async def test_bills_of_many_notes_are_asked_for_in_portions_and_of_none_not_at_all(vendor, client):
    vendor.say("GET /api/2.0/bills/", {"results": []})
    assert await all_of(client.bills(visit_note_id=[])) == []
    assert vendor.seen == [], "an empty filter must not become no filter"
    await all_of(client.bills(visit_note_id=range(250), from_service_date=date(2026, 5, 1)))
    asked = [seen.query["visit_note_id"].split(",") for seen in vendor.seen if seen.line != TOKEN]
    assert [len(ids) for ids in asked] == [100, 100, 50]
    assert vendor.seen[-1].query["from_service_date"] == "2026-05-01"


async def test_directories_without_a_filter_are_narrowed_by_the_record(vendor, client):
    ours, foreign = {"id": 1, "practice": PRACTICE, "name": "A"}, {"id": 2, "practice": 9, "name": "B"}
    bad_foreign, bad = {"id": 3, "practice": 9, "name": 5, "npi": []}, {"id": 4, "name": "C"}
    for path in ("physicians", "service_locations"):
        vendor.say(f"GET /api/2.0/{path}/", {"results": [ours, foreign, bad_foreign, bad]})
    for rows in (client.physicians(), client.service_locations()):
        assert [(row.id, isinstance(row, wire.BadRow)) async for row in rows] == [(1, False), (4, True)]
    vendor.say("GET /api/2.0/practices/", {"results": [{"id": PRACTICE, "name": "A"}, {"id": 9, "name": "B"}]})
    assert [practice.id async for practice in client.practices()] == [PRACTICE]


async def test_an_answer_beyond_the_cap_is_given_up(vendor, client, monkeypatch):
    vendor.say("GET /api/2.0/patients/640/", PATIENT)
    vendor.say("POST /api/2.0/patients/", PATIENT, status=201)
    await client.get_patient(640)
    monkeypatch.setattr(exchange, "SIZE_CAP", 20)
    with pytest.raises(Malformed) as caught:
        await client.get_patient(640)
    assert caught.value.path == "$"
    with pytest.raises(OutcomeUnknown):
        await client.create_patient({})


# Writing


async def test_policies_have_no_trailing_slash_and_go_back_whole(vendor, client):
    vendor.say("GET /api/2.0/patients/640/policies", {"results": [POLICY]})
    vendor.say("PUT /api/2.0/patients/640/policies/5", POLICY)
    (policy,) = await client.list_policies(640)
    await client.replace_policy(640, policy.id, policy.raw | {"status": "inactive"})
    assert vendor.lines() == ["GET /api/2.0/patients/640/policies", "PUT /api/2.0/patients/640/policies/5"]
    assert vendor.seen[-1].json == POLICY | {"status": "inactive"}
    assert vendor.seen[-1].headers["Content-Type"] == "application/json"


async def test_one_bad_policy_spoils_the_list(vendor, client):
    vendor.say("GET /api/2.0/patients/640/policies", {"results": [POLICY, POLICY | {"rank": "SECRET"}]})
    with pytest.raises(Malformed) as caught:
        await client.list_policies(640)
    assert caught.value.path == "$.results[1].rank"


@pytest.mark.parametrize("redirect", [1234, "/api/2.0/patients/1234"])
async def test_a_duplicate_names_the_existing_chart(vendor, client, redirect):
    vendor.say("POST /api/2.0/patients/", {"detail": "Duplicated object", "redirect": redirect}, status=409)
    with pytest.raises(Duplicate) as caught:
        await client.create_patient({"first_name": "Ada", "dob": date(1815, 12, 10)})
    assert caught.value.existing == 1234
    assert vendor.seen[-1].json == {"first_name": "Ada", "dob": "1815-12-10"}


async def test_a_refusal_carries_words_and_problems_but_does_not_show_them(vendor, client, meters):
    vendor.say("PATCH /api/2.0/bills/7/", {"cpts": [{"cpt": ["SECRET is wrong."]}]}, status=400)
    with pytest.raises(Refused) as caught:
        await client.update_bill(7, {"ref_number": "1"})
    assert caught.value.problems == (("cpts[0].cpt", "", "SECRET is wrong."),)
    assert "SECRET" in caught.value.vendor_text
    assert "SECRET" not in str(caught.value)
    assert ("PATCH /bills/{id}/", "refused") in meters


async def test_a_bill_update_and_a_deletion_need_no_answer_to_read(vendor, client):
    vendor.say("PATCH /api/2.0/bills/7/", {"ref_number": "1"})
    vendor.say("DELETE /api/2.0/appointments/3/", web.Response(status=204))
    await client.update_bill(7, {"ref_number": "1"})
    await client.delete_appointment(3)
    assert vendor.lines() == ["PATCH /api/2.0/bills/7/", "DELETE /api/2.0/appointments/3/"]


async def test_a_success_without_a_usable_record_is_unknown(vendor, client, meters):
    vendor.say("POST /api/2.0/patients/", {"first_name": "SECRET"}, status=201)
    with pytest.raises(OutcomeUnknown) as caught:
        await client.create_patient({})
    assert "SECRET" not in str(caught.value)
    assert ("POST /patients/", "outcome_unknown") in meters


@pytest.mark.parametrize("status", [500, 503, 504])
async def test_a_write_that_a_server_failed_on_is_unknown(vendor, client, status):
    vendor.say("PUT /api/2.0/patients/640/policies/5", {}, status=status)
    with pytest.raises(OutcomeUnknown):
        await client.replace_policy(640, 5, {})


# Transport


def calls(client: ElationClient) -> dict[str, Callable[[], Awaitable[object]]]:
    return {
        "POST /api/2.0/patients/": lambda: client.create_patient({"last_name": "SECRET"}),
        "PATCH /api/2.0/patients/640/": lambda: client.update_patient(640, {}),
        "PUT /api/2.0/patients/640/policies/5": lambda: client.replace_policy(640, 5, {}),
        "DELETE /api/2.0/appointments/3/": lambda: client.delete_appointment(3),
    }


@pytest.mark.parametrize("line", list(calls(None)))  # type: ignore[arg-type]
async def test_a_write_whose_connection_breaks_is_unknown_and_sent_once(vendor, client, line):
    vendor.say("GET /api/2.0/patients/640/", PATIENT)
    await client.get_patient(640)  # leaves a connection in the pool: a broken one from there is what aiohttp would retry
    vendor.say(line, vendor.abort)
    with pytest.raises(OutcomeUnknown) as caught:
        await calls(client)[line]()
    assert vendor.lines().count(line) == 1
    silent(caught.value, vendor)


async def test_a_read_whose_connection_breaks_is_unreachable(vendor, client, meters):
    vendor.say("GET /api/2.0/patients/640/", vendor.abort)
    with pytest.raises(Unreachable) as caught:
        await client.get_patient(640)
    silent(caught.value, vendor)
    assert meters[-1] == ("GET /patients/{id}/", "unreachable")


async def test_no_answer_in_time(vendor, session):
    client = make(vendor.url, session, timeout=0.3)
    vendor.say("GET /api/2.0/patients/640/", vendor.hang)
    vendor.say("POST /api/2.0/patients/", vendor.hang)
    with pytest.raises(Unreachable):
        await client.get_patient(640)
    with pytest.raises(OutcomeUnknown) as caught:
        await client.create_patient({})
    silent(caught.value, vendor)


async def test_an_answer_that_breaks_off(vendor, client):
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=int(request.query.get("sex", "200")), headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"{")
        return await vendor.abort(request)

    vendor.say("POST /api/2.0/patients/", half)
    vendor.say("GET /api/2.0/patients/", half)
    with pytest.raises(OutcomeUnknown):
        await client.create_patient({})
    with pytest.raises(Unreachable):
        await all_of(client.patients())
    with pytest.raises(Refused, match="HTTP 400"):
        await all_of(client.patients(sex="400"))


async def test_a_write_that_never_left_is_unreachable(vendor):
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        client = make(vendor.url, session)
        vendor.say("GET /api/2.0/patients/640/", PATIENT)
        await client.get_patient(640)
        await vendor.stop()
        with pytest.raises(Unreachable) as caught:
            await client.create_patient({})
        silent(caught.value, vendor)


async def test_throttling_backs_off_further_each_time_until_a_success(vendor, client, meters):
    vendor.say("GET /api/2.0/patients/640/", *[vendor.page({}, 429)] * 8, PATIENT, vendor.page({}, 429))
    waits = []
    for _ in range(8):
        with pytest.raises(Throttled) as caught:
            await client.get_patient(640)
        waits.append(caught.value.retry_after)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    await client.get_patient(640)
    with pytest.raises(Throttled) as caught:
        await client.get_patient(640)
    assert caught.value.retry_after == 1
    assert meters.count(("GET /patients/{id}/", "throttled")) == 9


async def test_no_more_calls_at_once_than_allowed(vendor, session):
    client = make(vendor.url, session, concurrency=2)
    under_way, most, full, open_gate = 0, 0, asyncio.Event(), asyncio.Event()

    async def gate(_: web.Request) -> web.StreamResponse:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way == 2:
            full.set()
        await open_gate.wait()
        under_way -= 1
        return web.json_response(PATIENT)

    vendor.say("GET /api/2.0/patients/640/", gate)
    async with asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(client.get_patient(640))
        async with asyncio.timeout(5):
            await full.wait()
        open_gate.set()
    assert most == 2


async def test_cancellation_passes_through_and_is_counted(vendor, client, meters):
    asked = asyncio.Event()

    async def hang(request: web.Request) -> web.StreamResponse:
        asked.set()
        return await vendor.hang(request)

    vendor.say("GET /api/2.0/patients/640/", hang)
    task = asyncio.ensure_future(client.get_patient(640))
    async with asyncio.timeout(5):
        await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert meters[-1] == ("GET /patients/{id}/", "cancelled")


# Subscriptions, published events


async def test_subscriptions_and_published_events(vendor, client):
    subscription = {"id": 1, "resource": "bills", "target": "https://me.test/a", "signing_pub_key": "k", "properties": None}
    vendor.say("GET /api/2.0/app/subscriptions/", {"results": [subscription | {"created_date": "2016-10-12T22:11:01"}]})
    vendor.say("POST /api/2.0/app/subscriptions/", vendor.page(subscription, 201), vendor.page({"redirect": 1}, 409))
    vendor.say("DELETE /api/2.0/app/subscriptions/1/", web.Response(status=204))
    event = {"id": 1, "event_id": 2, "event_type": "saved", "resource": "bills", "resource_id": 7, "processed_date": None}
    vendor.say("GET /api/2.0/app/published_events/", {"results": [event]})
    (listed,) = await all_of(client.subscriptions())
    created = await client.create_subscription("bills", "https://me.test/a")
    assert isinstance(listed, wire.Subscription)
    assert listed.signing_pub_key == created.signing_pub_key == "k"
    with pytest.raises(Duplicate) as caught:
        await client.create_subscription("bills", "https://me.test/a")
    assert caught.value.existing == 1
    await client.delete_subscription(1)
    assert [(found.event_id, found.resource_id) async for found in client.published_events("-id")] == [(2, 7)]
    assert vendor.seen[-1].query == {"limit": "100", "order_by": "-id"}


COMPANY = {"id": 1, "carrier": "Acme", "practice": PRACTICE}
PLAN = {"id": 1, "name": "Gold", "insurance_company": 1, "practice": PRACTICE}
APPOINTMENT = {
    "id": 3,
    "scheduled_date": "2026-05-06T12:00:00Z",
    "physician": 2,
    "practice": PRACTICE,
    "last_modified_date": "2026-05-06T12:00:00Z",
}
BILL = {"id": 7, "patient": 1, "practice": PRACTICE, "last_modified_date": "2026-05-06T12:00:00Z"}
NAMED = {"id": PRACTICE, "name": "A", "practice": PRACTICE}
SINCE = datetime(2026, 5, 6, tzinfo=UTC)

SINGLE = [
    ("POST", "/patients/640/policies", POLICY, lambda c: c.create_policy(640, {})),
    ("GET", "/patients/640/policies/5", POLICY, lambda c: c.get_policy(640, 5)),
    ("POST", "/insurance_companies/", COMPANY, lambda c: c.create_insurance_company({})),
    ("PATCH", "/insurance_companies/1/", COMPANY, lambda c: c.update_insurance_company(1, {})),
    ("POST", "/insurance_plans/", PLAN, lambda c: c.create_insurance_plan({})),
    ("GET", "/appointments/3/", APPOINTMENT, lambda c: c.get_appointment(3)),
    ("POST", "/appointments/", APPOINTMENT, lambda c: c.create_appointment({})),
    ("PATCH", "/appointments/3/", APPOINTMENT, lambda c: c.update_appointment(3, {})),
    ("GET", "/bills/7/", BILL, lambda c: c.get_bill(7)),
    ("GET", f"/practices/{PRACTICE}/", NAMED, lambda c: c.get_practice()),
]
LISTS = [
    ("/insurance_companies/", COMPANY, {}, lambda c: c.insurance_companies()),
    ("/insurance_plans/", PLAN, {"insurance_company": "1"}, lambda c: c.insurance_plans(1)),
    ("/bills/", BILL, {"patient": "1", "bill_id": "7"}, lambda c: c.bills(patient=1, bill_id=[7])),
    ("/appointment_types/", NAMED, {}, lambda c: c.appointment_types()),
    ("/patients/", PATIENT, {"last_name": "O'D & co", "dob": "1815-12-10"}, lambda c: c.patients(**SEARCH, practice=9)),
    (
        "/visit_notes/",
        {"id": 4, "patient": 1, "last_modified": "2026-05-06T12:00:00.5Z"},
        {"last_modified__gte": "2026-05-06T00:00:00Z"},
        lambda c: c.visit_notes_modified_since(SINCE),
    ),
]
SEARCH = {"last_name": "O'D & co", "dob": date(1815, 12, 10)}


@pytest.mark.parametrize(("method", "path", "body", "call"), SINGLE, ids=[f"{row[0]} {row[1]}" for row in SINGLE])
async def test_each_call_has_its_method_and_path(vendor, client, method, path, body, call):
    vendor.say(f"{method} /api/2.0{path}", body)
    assert (await call(client)).id == body["id"]
    assert vendor.lines() == [f"{method} /api/2.0{path}"]


@pytest.mark.parametrize(("path", "body", "query", "call"), LISTS, ids=[row[0] for row in LISTS])
async def test_each_list_asks_for_its_own_practice(vendor, client, path, body, query, call):
    vendor.say(f"GET /api/2.0{path}", {"results": [body], "next": None, "previous": None})
    (row,) = await all_of(call(client))
    assert not isinstance(row, wire.BadRow)
    assert row.id == body["id"]
    assert vendor.seen[-1].query == {"limit": "100", "practice": str(PRACTICE)} | query


async def test_a_moment_without_a_zone_is_not_guessed(client):
    with pytest.raises(ValueError, match="zone"):
        client.patients_modified_since(datetime(2026, 5, 6))


def silent(error: VendorError, vendor: Vendor) -> None:
    """A traceback of it, contexts included, shows neither the vendor's address nor ids nor data."""
    assert error.__cause__ is None
    assert error.__context__ is None
    shown = str(error) + repr(error) + "".join(traceback.format_exception_only(error))
    for secret in (vendor.url, "127.0.0.1", "640", "SECRET"):
        assert secret not in shown
