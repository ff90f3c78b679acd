"""The Elation sandbox over HTTP: subscriptions, and what is delivered to them: signed, repeated, lost, doubled and late."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from structlog.testing import capture_logs

from tests.integration.elation import Clinic, Json

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


async def test_deliveries_that_end_are_said_at_once_and_raised_in_the_end(clinic: Clinic) -> None:
    await clinic.subscribe(clinic.mine, "patients", "/hook/patients")
    with capture_logs() as logs:
        clinic.person()
        clinic.sandbox.state.tables["published_events"].clear()
        async with asyncio.timeout(10):
            while not logs:
                await asyncio.sleep(0)
    assert [(one["event"], one["error_type"]) for one in logs] == [("deliveries_ended", "ExceptionGroup")]
    with pytest.raises(ExceptionGroup):
        await clinic.sandbox.webhooks.stop()
