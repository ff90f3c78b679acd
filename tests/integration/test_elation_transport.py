"""The Elation client when a scripted server breaks off, throttles, or does not answer at all."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web

from daemon.vendors.elation.client import ElationClient
from daemon.vendors.ports.errors import OutcomeUnknown, Refused, Throttled, Unreachable, VendorError
from tests.integration.elation_script import PATIENT, Vendor, all_of, make

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


def silent(error: VendorError, vendor: Vendor) -> None:
    """A traceback of it, contexts included, shows neither the vendor's address nor ids nor data."""
    assert error.__cause__ is None
    assert error.__context__ is None
    shown = str(error) + repr(error) + "".join(traceback.format_exception_only(error))
    for secret in (vendor.url, "127.0.0.1", "640", "SECRET"):
        assert secret not in shown
