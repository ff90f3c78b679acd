"""Reading what Elation delivers to the webhook endpoint.

The signature is checked over the raw body before anything is parsed. What is genuine but cannot be used goes to quarantine, so
that it is answered 200 and not lost.

No time is signed, so anybody who has seen a delivery can send it again. One that was taken is taken once. One that is older than
the last reading of its record, or than a day, only says that the record is to be read.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import ClassVar

import msgspec

from daemon.vendors.elation import connector, signature, wire
from daemon.vendors.elation.calendar_reading import APPOINTMENTS, NEAR_PASS, is_appointment, seen_appointment
from daemon.vendors.ports.errors import Malformed
from daemon.vendors.ports.intake import Intake, Observation, fingerprint
from daemon.vendors.ports.vendor import Subscriptions

KEY_SECONDS = 5.0
"""How long a signing key counts as known: another worker may subscribe anew."""

OLD = timedelta(days=1)
REMEMBERED = 500
"""Deliveries of a practice that are known again when they come again."""


CHECKED_IN = "Checked In"


class _VisitStatus(msgspec.Struct):
    status: str | None = None


class _DeliveredVisit(msgspec.Struct):
    practice: int | None = None
    patient: int | None = None
    status: _VisitStatus | None = None


_VISIT = msgspec.json.Decoder(_DeliveredVisit)


class ElationDelivery:
    """Of one practice; `practice` is its id in Elation, `zone` is for bills that name none.

    `policies_leave`: a saved chart and a check-in say that policies are to be read. `calendar_leaves`: appointments are recorded.
    """

    header: ClassVar[str] = signature.HEADER

    def __init__(
        self,
        intake: Intake,
        *,
        practice: int,
        zone: str,
        subscriptions: Subscriptions,
        now: Callable[[], datetime],
        policies_leave: bool = False,
        calendar_leaves: bool = False,
    ) -> None:
        self._intake = intake
        self._practice = practice
        self._zone = zone
        self._subscriptions = subscriptions
        self._now = now
        self._policies_leave = policies_leave
        self._calendar_leaves = calendar_leaves
        self._keys: dict[str, tuple[float, str]] = {}
        self._taken: OrderedDict[bytes, None] = OrderedDict()

    async def take(self, resource: str, body: bytes, signed: str | None) -> int:
        """As `ports.vendor.Delivery`."""
        key = await self._key(resource)
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
        digest = blake2b(body, digest_size=16).digest()
        if digest in self._taken:
            return 200
        await self._accept(resource, envelope)
        self._taken[digest] = None
        if len(self._taken) > REMEMBERED:
            self._taken.popitem(last=False)
        return 200

    async def _key(self, resource: str) -> str | None:
        """The signing key of the resource's subscription; None where there is none."""
        now = asyncio.get_running_loop().time()
        cached = self._keys.get(resource)
        if cached is None or cached[0] < now:
            kept = await self._subscriptions.get()
            if resource not in kept:
                return None
            cached = self._keys[resource] = (now + KEY_SECONDS, kept[resource][1])
        return cached[1]

    async def _accept(self, resource: str, envelope: wire.WebhookEnvelope) -> None:
        whole = not envelope.resource_url and envelope.action != "deleted" and bytes(envelope.data) != b"null"
        if resource == APPOINTMENTS:
            await self._accept_visit(envelope)
            if self._calendar_leaves:
                await self._accept_appointment(envelope, whole=whole)
        elif resource in connector.DIRECTORY_RESOURCES:
            await self._intake.nudge("directory")
        elif whole:
            observation = self._read(resource, envelope)
            if observation is not None and await self._is_old(observation):
                await self._intake.nudge(f"{'bill' if resource == 'bills' else 'patient'}:{observation.record}")
            elif observation is not None:
                change = self._intake.change(observation, fingerprint(observation.body, observation.modified), 0)
                await self._intake.publish([change])
                if self._policies_leave and resource == "patients":
                    await self._intake.nudge(f"insurance:{observation.record}")
        elif resource == "patients" and (record := wire.peek_id(envelope.data)) is not None:
            await self._intake.nudge(f"patient:{record}")
        else:
            await self._intake.nudge("sweep" if resource == "bills" else "catch-up")

    async def _accept_visit(self, envelope: wire.WebhookEnvelope) -> None:
        """A check-in counts as a hint at the patient's policies."""
        try:
            visit = _VISIT.decode(envelope.data)
        except msgspec.MsgspecError:
            return
        here = visit.practice == self._practice and visit.patient is not None
        if here and self._policies_leave and visit.status is not None and visit.status.status == CHECKED_IN:
            await self._intake.nudge(f"checked-in:{visit.patient}")

    async def _accept_appointment(self, envelope: wire.WebhookEnvelope, *, whole: bool) -> None:
        """What was saved is recorded; what was deleted, or is no patient's any more, is read: absence is a question."""
        record = wire.peek_id(envelope.data)
        if record is None:
            await self._intake.nudge(NEAR_PASS)
            return
        try:
            one = wire.decode_appointment(envelope.data, "elation.webhook") if whole else None
        except Malformed:
            one = None
        if one is not None and one.practice != self._practice:
            return
        if one is None or one.deleted_date is not None or not is_appointment(one):
            await self._intake.nudge(f"in-calendar:{record}")
            return
        former = await self._intake.parent(APPOINTMENTS, str(record))
        seen = seen_appointment(one, one.last_modified_date, former)
        if await self._is_old(seen[-1]):
            await self._intake.nudge(f"in-calendar:{record}")
            return
        changes = [self._intake.change(each, fingerprint(each.body, each.modified), 0) for each in seen]
        await self._intake.publish(changes)

    async def _is_old(self, one: Observation) -> bool:
        """Whether the record may have changed since: it was saved more than a day ago, or has been read after that save.

        A save in the future is nothing to believe either.
        """
        if one.modified is None:
            return False
        read = (await self._intake.seen(one.resource, one.record)).seen_at
        return abs(self._now() - one.modified) > OLD or (read is not None and read >= one.modified)

    def _read(self, resource: str, envelope: wire.WebhookEnvelope) -> Observation | None:
        """The change; None when the record belongs to another practice of the same credential."""
        try:
            if resource == "patients":
                patient = wire.decode_patient(envelope.data, "elation.webhook")
                if patient.caregiver_practice != self._practice:
                    return None
                return connector.chart_observation(patient, patient.last_modified)
            bill = wire.decode_bill(envelope.data, "elation.webhook")
            if bill.practice != self._practice:
                return None
            return connector.bill_observation(bill, self._zone, bill.last_modified_date)
        except Malformed as error:
            record = wire.peek_id(envelope.data)
            called = str(record) if record is not None else str(envelope.event_uuid or envelope.event_id or "unnamed")
            return connector.quarantined(resource, called, error.path, bytes(envelope.data), self._now())
