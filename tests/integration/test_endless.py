"""What a vendor sends without end ends with a clear error; hammering over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from daemon.demo.embedded import free_port
from daemon.vendors.elation.oauth import LONGEST, SHORTEST, _used_for
from daemon.vendors.kareo import soap
from daemon.vendors.kareo.soap import SoapService
from daemon.vendors.ports.errors import CredentialsRefused, Malformed
from tests.integration.elation_script import TOKEN

PATIENTS = "GET /api/2.0/patients/"


async def all_of(rows: AsyncIterator[object]) -> list[object]:
    return [row async for row in rows]


@pytest.mark.parametrize("results", [[], [{"id": 1}], [{"id": "nonsense"}]], ids=["empty", "the same row", "unusable"])
async def test_a10_a_next_that_never_ends_is_given_up(vendor, client, results):
    pages = 0

    async def next_page(request: web.Request) -> web.StreamResponse:
        nonlocal pages
        pages += 1
        return web.json_response({"results": results, "next": f"{vendor.url}{request.path}?cursor={pages}"})

    vendor.say(PATIENTS, next_page)
    with pytest.raises(Malformed) as caught:
        await all_of(client.patients())
    assert caught.value.path == "$.next"
    assert len(vendor.lines()) <= 4


async def test_a10_a_list_of_too_many_pages_is_given_up(vendor, client, monkeypatch):
    monkeypatch.setattr("daemon.vendors.elation.transport.MOST_PAGES", 20)

    async def next_page(request: web.Request) -> web.StreamResponse:
        number = len(vendor.lines())
        return web.json_response({"results": [{"id": number}], "next": f"{vendor.url}{request.path}?cursor={number}"})

    vendor.say(PATIENTS, next_page)
    with pytest.raises(Malformed):
        await all_of(client.patients())
    assert len(vendor.lines()) == 20


@pytest.mark.parametrize("expires_in", [0, -1, -1e308, 0.001])
async def test_a10_a_token_without_a_life_is_used_for_a_while_all_the_same(vendor, client, expires_in):
    vendor.say(TOKEN, {"access_token": "t", "expires_in": expires_in})
    vendor.say("GET /api/2.0/practices/", {"results": [], "next": None})
    for _ in range(20):
        await all_of(client.practices())
    assert [seen.line for seen in vendor.seen].count(TOKEN) == 1


@given(expires_in=st.floats(allow_nan=False) | st.integers(-(2**60), 2**60))
def test_a10_a_tokens_life_has_a_least_and_a_most(expires_in: float) -> None:
    assert SHORTEST * 0.9 <= _used_for(expires_in) <= LONGEST
    if SHORTEST <= expires_in <= LONGEST:
        assert _used_for(expires_in) < expires_in, "renewed before it ends"


async def test_refused_credentials_ask_for_one_token_until_a_while_has_passed(vendor, client):
    vendor.say(TOKEN, {"error": "invalid_client"}, status=401)
    for _ in range(50):
        with pytest.raises(CredentialsRefused):
            await client.get_patient(640)
    assert [seen.line for seen in vendor.seen] == [TOKEN]


async def test_a_401_for_every_token_is_tried_once_until_a_while_has_passed(vendor, client):
    vendor.say("GET /api/2.0/patients/640/", {"detail": "no"}, status=401)
    for _ in range(50):
        with pytest.raises(CredentialsRefused):
            await client.get_patient(640)
    assert vendor.tokens == 2
    assert len(vendor.lines()) == 2


async def test_a10_a_wsdl_without_end_is_cut_off(session, tmp_path, monkeypatch):
    monkeypatch.setattr(soap, "LARGEST_WSDL", 1024 * 1024)
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while sent < 200 * 1024 * 1024:
            await response.write(b" " * 65536)
            sent += 65536
        return response

    app = web.Application()
    app.router.add_get("/", endless)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        with pytest.raises(ValueError, match="larger than 1048576 bytes"):
            await SoapService.load(f"http://127.0.0.1:{port}/", session, None)
    finally:
        await runner.cleanup()
    assert sent < 100 * 1024 * 1024
    big = tmp_path / "big.wsdl"
    big.write_bytes(b" " * (1024 * 1024 + 1))
    with pytest.raises(ValueError, match="larger than"):
        await SoapService.load(str(big), session, None)
