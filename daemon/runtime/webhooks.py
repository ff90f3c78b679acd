"""The endpoint Elation delivers to: every worker has it, and it only publishes.

200 is answered when, and only when, the broker has the change; anything else is delivered again for 72 hours (NOTES:
Webhooks). The signature is checked over the raw body before anything is parsed. What is genuine but cannot be used goes to
quarantine, so that it is answered 200 and not lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from aiohttp import web

from daemon.telemetry import Meter
from daemon.vendors.elation import connector, signature, wire
from daemon.vendors.ports.errors import Malformed
from daemon.vendors.ports.intake import Intake, Observation, fingerprint
from events.keys import KeyMissing
from events.store import AWAY

log = structlog.get_logger()

LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True)
class Target:
    """What the endpoint needs of a practice; `key` gives the signing key of a resource's subscription, None if unknown."""

    intake: Intake
    ehr_practice: int
    zone: str
    key: Callable[[str], Awaitable[str | None]]


class WebhookEndpoint:
    """Routes `POST /webhooks/ehr/{practice}/{resource}`."""

    def __init__(
        self, targets: dict[str, Target], *, now: Callable[[], datetime], meter: Meter, patience: float = 10.0
    ) -> None:
        self._targets = targets
        self._now = now
        self._meter = meter
        self._patience = patience

    def routes(self, app: web.Application) -> None:
        """Add the route to `app`, whose `client_max_size` must be at least `LARGEST`."""
        app.router.add_post("/webhooks/elation/{practice}/{resource}", self.receive)

    async def receive(self, request: web.Request) -> web.Response:
        """Answers 200 accepted, 400 malformed, 401 not signed by this subscription, 404 unknown, 413 too large, 503 later."""
        resource = request.match_info["resource"]
        target = self._targets.get(request.match_info["practice"])
        if target is None or resource not in connector.RESOURCES:
            return self._answer(404, resource)
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return self._answer(413, resource)
        try:
            async with asyncio.timeout(self._patience):
                status = await self._take(target, resource, body, request.headers.get(signature.HEADER))
        except (TimeoutError, OSError, KeyMissing, *AWAY) as error:
            log.warning("webhook_postponed", resource=resource, error_type=type(error).__name__)
            status = 503
        return self._answer(status, resource)

    async def _take(self, target: Target, resource: str, body: bytes, signed: str | None) -> int:
        key = await target.key(resource)
        if key is None:
            return 404
        if not signature.verify(body, signed, key):
            return 401
        try:
            envelope = wire.decode_webhook(body, "elation.webhook")
        except Malformed:
            return 400
        if envelope.resource != resource:
            return 400
        await self._accept(target, resource, envelope)
        return 200

    def _answer(self, status: int, resource: str) -> web.Response:
        known = resource if resource in connector.RESOURCES else "unknown"
        self._meter.count(f"webhooks.{known}.{status}")
        return web.Response(status=status)

    async def _accept(self, target: Target, resource: str, envelope: wire.WebhookEnvelope) -> None:
        whole = not envelope.resource_url and envelope.action != "deleted" and bytes(envelope.data) != b"null"
        if resource in connector.DIRECTORY_RESOURCES:
            await target.intake.nudge("directory")
        elif whole:
            observation = self._read(target, resource, envelope)
            if observation is not None:
                change = target.intake.change(observation, fingerprint(observation.body, observation.modified), 0)
                await target.intake.publish([change])
        elif resource == "patients" and (record := wire.peek_id(envelope.data)) is not None:
            await target.intake.nudge(f"patient:{record}")
        else:
            await target.intake.nudge("sweep" if resource == "bills" else "catch-up")

    def _read(self, target: Target, resource: str, envelope: wire.WebhookEnvelope) -> Observation | None:
        """The change; None when the record belongs to another practice of the same credential."""
        try:
            if resource == "patients":
                patient = wire.decode_patient(envelope.data, "elation.webhook")
                if patient.caregiver_practice != target.ehr_practice:
                    return None
                return connector.chart_observation(patient, patient.last_modified)
            bill = wire.decode_bill(envelope.data, "elation.webhook")
            if bill.practice != target.ehr_practice:
                return None
            return connector.bill_observation(bill, target.zone, bill.last_modified_date)
        except Malformed as error:
            record = wire.peek_id(envelope.data)
            name = str(record) if record is not None else str(envelope.event_uuid or envelope.event_id or "unnamed")
            return connector.quarantined(resource, name, error.path, bytes(envelope.data), self._now())
