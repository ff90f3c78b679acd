"""The Elation sandbox over HTTP: failures on demand, limits, what it records, people's deeds over HTTP, and its independence."""

from __future__ import annotations

import ast
import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import daemon.sandbox.elation
from tests.integration.elation import Clinic

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
