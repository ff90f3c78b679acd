"""The Elation client's tokens against a scripted server: shared, renewed in time and after a 401, or not to be had."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from yarl import URL

from daemon.vendors.elation.oauth import TokenCache
from daemon.vendors.ports.errors import CredentialsRefused, Malformed, Throttled, Unauthorized, Unreachable
from tests.integration.elation_script import PATIENT, TOKEN

# Tokens


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
        (400, {"error": "invalid_client"}, CredentialsRefused),
        (401, {}, CredentialsRefused),
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
