"""The Kareo sandbox's limits, failures on demand, people's deeds over HTTP, what it records, and its switches."""

from __future__ import annotations

from datetime import date
from typing import Any

import aiohttp
import pytest
import zeep.exceptions
from lxml import etree

from daemon.sandbox.kareo import KareoSandbox, KareoSwitches
from daemon.sandbox.kareo.limits import INTERVALS
from daemon.sandbox.kareo.wsdl import interface
from tests.integration.kareo_customer import KEY, Clock, World, opened_world

# -- limits, faults, admin --------------------------------------------------------------------------------------------


def test_every_operation_has_a_limit() -> None:
    assert set(INTERVALS) == set(interface().operations)


async def test_limits() -> None:
    clock = Clock()
    async for world in opened_world(KareoSandbox(now=clock.now, clock=clock.monotonic, limits_scale=0.5), clock, "own"):
        await world.done("GetPractices", Fields={}, Filter={})
        clock.passed = 0.25
        message = await world.refused("GetPractices", Fields={}, Filter={})
        assert "endpoint requested more than allowed" in message
        await world.done("GetExternalVendors")
        clock.passed = 0.26
        await world.done("GetPractices", Fields={}, Filter={})
        assert world.sandbox.violations == [(0.25, "customer-1", "GetPractices")]
        assert [one.outcome for one in world.sandbox.calls] == ["done", "throttled", "done", "done"]
        world.sandbox.faults.add("GetProviders", kind="throttle")
        assert "more than allowed" in await world.refused("GetProviders", Fields={}, Filter={})
        assert len(world.sandbox.violations) == 1


@pytest.mark.parametrize(
    ("kind", "applied"),
    [
        ("refuse", False),
        ("cut_before", False),
        ("cut_after", True),
        ("status", False),
        ("fault", False),
        ("garbage", True),
        ("half", True),
        ("html", False),
        ("delay", True),
    ],
)
async def test_faults(world: World, kind: Any, applied: bool) -> None:
    world.sandbox.faults.add("CreatePatient", kind=kind, status=503)
    written = {"Practice": {"PracticeID": world.elm}, "FirstName": "Ada", "LastName": "Byrne"}
    failed = False
    try:
        failed = (await world.call("CreatePatient", Patient=written)).ErrorResponse.IsError
    except (zeep.exceptions.Error, OSError):
        failed = True
    assert failed == (kind != "delay")
    assert len(world.sandbox.patients) == applied
    await world.done("CreatePatient", Patient=written)
    assert [one.fault for one in world.sandbox.calls] == [kind, None]


async def test_admin_speaks_for_people(world: World) -> None:
    base = world.sandbox.url + "/admin/"
    async with aiohttp.ClientSession() as session:
        person = {"practice": world.elm, "first_name": "Ada", "last_name": "Byrne", "dob": "1980-02-29", "cases": [{}]}
        async with session.post(base + "create_patient", json=person) as answer:
            ada = (await answer.json())["id"]
        assert world.sandbox.patients[ada].dob == date(1980, 2, 29)
        visit = {"patient": ada, "provider": world.doctor, "location": world.place, "start": "2026-03-03T09:00:00-08:00"}
        async with session.post(base + "book_appointment", json=visit) as answer:
            assert (await answer.json())["start"] == "2026-03-03T17:00:00+00:00"
        async with session.post(base + "edit_patient", json={"patient": ada, "nickname": "x"}) as answer:
            assert answer.status == 400
        for verb in ("_patient", "nothing"):
            async with session.post(base + verb, json={}) as answer:
                assert answer.status == 404
        async with session.post(base + "delete_patient", json={"patient": 5}) as answer:
            assert answer.status == 404
        await world.patients()
        async with session.get(base + "dump") as answer:
            dumped = await answer.text()
            assert KEY not in dumped
            assert (await answer.json())["patients"][0]["last_name"] == "Byrne"
        async with session.get(base + "calls") as answer:
            assert [(one["operation"], one["key"]) for one in await answer.json()] == [("GetPatients", "customer-1")]


async def test_customers_do_not_see_each_other(world: World) -> None:
    world.ada()
    world.sandbox.add_customer("other", "u", "p")
    world.sandbox.add_practice("other", name="Pine")
    world.header = {"ClientVersion": "1", "CustomerKey": "other", "Password": "p", "User": "u"}
    assert await world.patients() == []
    assert [one.PracticeName for one in await world.rows("GetPractices", "Practices", "PracticeData")] == ["Pine"]


async def test_requests_are_kept_for_inspection(world: World) -> None:
    await world.patients(PracticeName="Elm Clinic")
    (call,) = world.sandbox.calls
    assert (call.key, call.operation, call.outcome) == ("customer-1", "GetPatients", "done")
    assert etree.fromstring(call.request).findtext(".//{*}Filter/{*}PracticeName") == "Elm Clinic"


def test_switches_have_the_safe_defaults() -> None:
    switches = KareoSwitches()
    assert switches.phantom_rows
    assert not switches.policy_edits_modify_patient
    assert switches.list_zone == "America/Los_Angeles"
