"""What the webhook endpoint answers: 200 when, and only when, the broker has the change."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from daemon.demo.embedded import free_port
from daemon.runtime.webhooks import LARGEST, WebhookEndpoint
from daemon.telemetry import Meter
from daemon.vendors.elation.connector import APPOINTMENTS, RESOURCES
from daemon.vendors.elation.delivery import ElationDelivery
from daemon.vendors.ports.intake import Intake, Seen
from events.ids import PracticeId
from events.schema import BillObserved, ChangeQuarantined, EhrChartObserved
from events.text import LONGEST_NAME, holdable
from events.topics import Change, Message, Nudge
from events.writes import System
from tests.conftest import PRACTICE

NOW = datetime(2026, 3, 2, 15, 0, 10, tzinfo=UTC)
ELATION_PRACTICE = 140000000000001
OURS, OTHERS = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
PATIENT: dict[str, Any] = {
    "id": 140000000000777,
    "first_name": "Ada",
    "last_name": "Byrne",
    "sex": "Female",
    "dob": "1980-02-03",
    "caregiver_practice": ELATION_PRACTICE,
    "last_modified": "2026-03-02T15:00:00Z",
}
BILL: dict[str, Any] = {
    "id": 140000000000888,
    "patient": PATIENT["id"],
    "practice": ELATION_PRACTICE,
    "cpts": [{"cpt": "99213", "modifiers": [], "dxs": ["I10"], "units": "1.0", "unit_charge": "90.00"}],
    "last_modified_date": "2026-03-02T15:00:00Z",
}


class Broker:
    """The port that the bus is behind: keeps what was published, or is away."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.away = False

    async def publish(self, practice: PracticeId, messages: Sequence[Message]) -> None:
        if self.away:
            raise ConnectionError
        assert practice == PRACTICE
        self.messages += messages


class Endpoint:
    def __init__(
        self, address: str, broker: Broker, session: aiohttp.ClientSession, seen: dict[tuple[str, str], Seen]
    ) -> None:
        self.broker = broker
        self.seen = seen
        self._address = address
        self._session = session

    async def deliver(
        self, body: bytes, *, resource: str = "patients", practice: str = PRACTICE, key: Ed25519PrivateKey | None = OURS
    ) -> int:
        headers = {"El8-Ed25519-Signature": base64.b64encode(key.sign(body)).decode()} if key else {}
        url = f"{self._address}/webhooks/elation/{practice}/{resource}"
        async with self._session.post(url, data=body, headers=headers) as answer:
            return answer.status


def envelope(data: object, resource: str = "patients", action: str = "saved", **more: object) -> bytes:
    return json.dumps(
        {"data": data, "action": action, "event_id": 12, "application_id": "x", "resource": resource, **more}
    ).encode()


class Subscribed:
    """All subscriptions but one, of one key."""

    def __init__(self, key: str) -> None:
        self._key = key

    async def get(self) -> dict[str, tuple[int, str]]:
        return {one: (1, self._key) for one in (*RESOURCES, APPOINTMENTS) if one != "physicians"}

    async def save(self, resource: str, subscription: int, target: str, key: str) -> None:
        raise NotImplementedError


@pytest_asyncio.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    broker = Broker()
    public = OURS.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)

    seen: dict[tuple[str, str], Seen] = {}

    async def known(records: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Seen]:
        return {one: seen[one] for one in records if one in seen}

    delivery = ElationDelivery(
        Intake(PRACTICE, System.EHR, broker.publish, known),
        practice=ELATION_PRACTICE,
        zone="America/Denver",
        subscriptions=Subscribed(base64.b64encode(public).decode()),
        now=lambda: NOW,
    )
    app = web.Application(client_max_size=LARGEST)
    WebhookEndpoint({("elation", PRACTICE): delivery}, RESOURCES, meter=Meter()).routes(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    async with aiohttp.ClientSession() as session:
        yield Endpoint(f"http://127.0.0.1:{port}", broker, session, seen)
    await runner.cleanup()


async def test_a_genuine_change_is_published_before_it_is_acknowledged(endpoint: Endpoint) -> None:
    assert await endpoint.deliver(envelope(PATIENT)) == 200
    assert await endpoint.deliver(envelope(BILL, "bills"), resource="bills") == 200
    bodies = [one.event.body for one in endpoint.broker.messages if isinstance(one, Change) and one.event]
    assert [type(body) for body in bodies] == [EhrChartObserved, BillObserved]


async def test_a_broker_that_is_away_is_answered_503_so_that_elation_delivers_again(endpoint: Endpoint) -> None:
    endpoint.broker.away = True
    assert await endpoint.deliver(envelope(PATIENT)) == 503


async def test_a_redelivery_is_the_same_event(endpoint: Endpoint) -> None:
    """Also where another worker took the first one: here it comes as another delivery of the same save."""
    for number in range(2):
        assert await endpoint.deliver(envelope(PATIENT, attempt=number)) == 200
    first, second = (one.event.id for one in endpoint.broker.messages if isinstance(one, Change) and one.event)
    assert first == second


async def test_a11_replays_of_one_delivery_are_taken_once(endpoint: Endpoint) -> None:
    for _ in range(300):
        assert await endpoint.deliver(envelope({"id": 7}, action="deleted")) == 200
    assert endpoint.broker.messages == [Nudge(practice=PRACTICE, system=System.EHR, what="patient:7")]


async def test_a11_what_was_not_taken_is_not_known_when_it_comes_again(endpoint: Endpoint) -> None:
    endpoint.broker.away = True
    assert await endpoint.deliver(envelope(PATIENT)) == 503
    endpoint.broker.away = False
    assert await endpoint.deliver(envelope(PATIENT)) == 200
    assert len(endpoint.broker.messages) == 1


@pytest.mark.parametrize(
    ("age", "read", "taken"),
    [
        (timedelta(hours=23), None, True),
        (timedelta(hours=25), None, False),
        (timedelta(days=9000), None, False),
        (-timedelta(days=9000), None, False),
        (timedelta(minutes=1), timedelta(minutes=2), True),
        (timedelta(minutes=2), timedelta(minutes=1), False),
    ],
    ids=[
        "of today",
        "of yesterday",
        "of long ago",
        "of the future",
        "saved after the last reading",
        "saved before the last reading",
    ],
)
@pytest.mark.parametrize("resource", ["patients", "bills"])
async def test_a11_an_old_delivery_is_a_nudge_to_read_and_never_content(
    endpoint: Endpoint, age: timedelta, read: timedelta | None, taken: bool, resource: str
) -> None:
    saved = (NOW - age).isoformat()
    record = {**PATIENT, "last_modified": saved} if resource == "patients" else {**BILL, "last_modified_date": saved}
    if read is not None:
        endpoint.seen[resource, str(record["id"])] = Seen(content_hash="x", revision=1, seen_at=NOW - read)
    assert await endpoint.deliver(envelope(record, resource), resource=resource) == 200
    (message,) = endpoint.broker.messages
    if taken:
        assert isinstance(message, Change)
    else:
        what = f"{'patient' if resource == 'patients' else 'bill'}:{record['id']}"
        assert message == Nudge(practice=PRACTICE, system=System.EHR, what=what)


@pytest.mark.parametrize("uuid", ["a\x00b", "\x1b[2J", "x" * 100_000], ids=["NUL", "escape sequence", "without end"])
async def test_a5_what_names_a_record_in_quarantine_can_be_stored(endpoint: Endpoint, uuid: str) -> None:
    assert await endpoint.deliver(envelope({"first_name": "Ada"}, event_uuid=uuid)) == 200
    (change,) = endpoint.broker.messages
    assert isinstance(change, Change)
    assert change.event is not None
    assert isinstance(change.event.body, ChangeQuarantined)
    for text in (change.event.body.record, change.notes[0].record):
        assert holdable(text)
        assert text.isprintable()
        assert len(text) <= LONGEST_NAME


async def test_a4_a_delivery_that_no_decoder_reads_is_malformed_and_a_record_is_kept_whole(endpoint: Endpoint) -> None:
    for body in (b"[" * 5000 + b"]" * 5000, b'{"action": "\xff\xfe"}'):
        assert await endpoint.deliver(body) == 400
    assert endpoint.broker.messages == []
    for number, data in enumerate((b'{"id": 7, "first_name": "\xff\xfe"}', b"[" * 900 + b"]" * 900)):
        assert await endpoint.deliver(envelope("DATA", attempt=number).replace(b'"DATA"', data)) == 200
        change = endpoint.broker.messages[-1]
        assert isinstance(change, Change)
        assert change.event is not None
        assert isinstance(change.event.body, ChangeQuarantined)
        assert change.event.body.raw == data


@pytest.mark.parametrize("key", [None, OTHERS], ids=["unsigned", "signed by another key"])
async def test_what_this_subscription_did_not_sign_is_refused_and_forgotten(
    endpoint: Endpoint, key: Ed25519PrivateKey | None
) -> None:
    assert await endpoint.deliver(envelope(PATIENT), key=key) == 401
    assert endpoint.broker.messages == []


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"[]", 400), (envelope(BILL, "bills"), 400), (b"x" * (LARGEST + 1), 413)],
    ids=["not JSON", "not an envelope", "another resource than the address says", "oversized"],
)
async def test_malformed_deliveries_are_refused(endpoint: Endpoint, body: bytes, status: int) -> None:
    assert await endpoint.deliver(body) == status
    assert endpoint.broker.messages == []


@pytest.mark.parametrize(
    ("practice", "resource"),
    [("nobody", "patients"), (PRACTICE, "letters"), (PRACTICE, "physicians")],
    ids=["unknown practice", "unknown resource", "no subscription"],
)
async def test_unknown_addresses_are_not_found(endpoint: Endpoint, practice: str, resource: str) -> None:
    assert await endpoint.deliver(envelope(PATIENT, resource), practice=practice, resource=resource) == 404


async def test_a_record_that_does_not_fit_is_kept_whole_in_quarantine(endpoint: Endpoint) -> None:
    strange = {**PATIENT, "dob": "yesterday"}
    assert await endpoint.deliver(envelope(strange)) == 200
    (change,) = endpoint.broker.messages
    assert isinstance(change, Change)
    assert change.event is not None
    body = change.event.body
    assert isinstance(body, ChangeQuarantined)
    assert (body.record, body.path) == (str(PATIENT["id"]), "$.dob")
    assert json.loads(body.raw) == strange


async def test_another_practices_record_is_acknowledged_and_left_alone(endpoint: Endpoint) -> None:
    assert await endpoint.deliver(envelope({**PATIENT, "caregiver_practice": 5})) == 200
    assert endpoint.broker.messages == []


@pytest.mark.parametrize(
    ("body", "resource", "nudge"),
    [
        (envelope({"id": 7}, action="deleted"), "patients", "patient:7"),
        (envelope(None, resource_url="https://elation.example/api/2.0/patients/9/"), "patients", "catch-up"),
        (envelope({"id": 1}, "insurance_companies"), "insurance_companies", "directory"),
    ],
    ids=["deleted", "too large to be inline", "directory"],
)
async def test_what_has_to_be_read_again_nudges_the_owner(
    endpoint: Endpoint, body: bytes, resource: str, nudge: str
) -> None:
    assert await endpoint.deliver(body, resource=resource) == 200
    (message,) = endpoint.broker.messages
    assert message == Nudge(practice=PRACTICE, system=System.EHR, what=nudge)


# Check-ins: a hint at insurance, and nothing else (EHR_LED section 3, rule 12)


@pytest.mark.parametrize(
    ("visit", "hinted"),
    [
        ({"status": {"status": "Checked In"}}, True),
        ({"status": {"status": "Scheduled"}}, False),
        ({"status": None}, False),
        ({"status": {"status": "Checked In"}, "patient": None}, False),
        ({"status": {"status": "Checked In"}, "practice": 99}, False),
    ],
    ids=["checked in", "scheduled", "no status", "an open slot", "another practice"],
)
@pytest.mark.parametrize("policies_leave", [True, False])
async def test_an_appointment_event_is_a_hint_at_most(visit: dict[str, Any], hinted: bool, policies_leave: bool) -> None:
    """With appointments off, nothing of an appointment is recorded, so no write can follow from it."""
    broker = Broker()
    public = OURS.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)

    async def known(_records: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Seen]:
        return {}

    delivery = ElationDelivery(
        Intake(PRACTICE, System.EHR, broker.publish, known),
        practice=ELATION_PRACTICE,
        zone="UTC",
        subscriptions=Subscribed(base64.b64encode(public).decode()),
        now=lambda: NOW,
        policies_leave=policies_leave,
    )
    data = {"id": 1, "practice": ELATION_PRACTICE, "patient": 777, "description": "cough", **visit}
    body = envelope(data, "appointments")
    assert await delivery.take("appointments", body, base64.b64encode(OURS.sign(body)).decode()) == 200
    nudges = [Nudge(practice=PRACTICE, system=System.EHR, what="checked-in:777")]
    assert broker.messages == (nudges if hinted and policies_leave else [])
