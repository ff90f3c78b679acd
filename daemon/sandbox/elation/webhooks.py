"""Deliveries: signed per subscription, in order at first, repeated until 200 or 72 hours have passed."""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import aiohttp
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from daemon.sandbox.elation.faults import Faults
from daemon.sandbox.elation.fields import Record, as_text
from daemon.sandbox.elation.state import State, practice_of
from daemon.sandbox.elation.views import read_form

log = structlog.get_logger()

SIGNATURE = "El8-Ed25519-Signature"


@dataclass
class Delivery:
    """One event on its way to one subscription; `attempts` counts what has been sent."""

    subscription: int
    published: int
    resource: str
    body: bytes
    born: datetime
    attempts: int = 0


@dataclass
class _Line:
    """What waits for one subscription; its first deliveries are one after another, its repeats are not in the line."""

    waiting: deque[Delivery] = field(default_factory=deque)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    passed: asyncio.Event = field(default_factory=asyncio.Event)


class Courier:
    """Turns changes into deliveries, and keeps the keys they are signed with. Hears of changes as the state's listener."""

    def __init__(
        self, state: State, faults: Faults, session: Callable[..., aiohttp.ClientSession] = aiohttp.ClientSession
    ) -> None:
        self._state = state
        self._faults = faults
        self._session = session
        self._keys: dict[int, Ed25519PrivateKey] = {}
        self._lines: dict[int, _Line] = {}
        self._random = random.Random(state.last_id)
        self._events = 0
        self._open = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._opened = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None

    # Subscriptions

    def new_key(self, subscription: int) -> str:
        """A new key pair for a subscription, in place of any other; returns the public key, base64 of its 32 bytes."""
        key = Ed25519PrivateKey.generate()
        self._keys[subscription] = key
        self._lines.setdefault(subscription, _Line())
        self._opened.set()
        return base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()

    # The state's listener

    def changed(self, resource: str, key: int, action: str, by: str | None) -> None:
        """Queue the change for every subscribed application that may see it, except the one that made it."""
        state = self._state
        self._events += 1
        uuid = self._uuid7()
        told = state.seen_by(practice_of(resource, state.tables[resource][key])) - {by}
        for subscription in list(state.tables["subscriptions"].values()):
            application = state.subscribers[subscription["id"]]
            mine = subscription["resource"] == resource and subscription["deleted_date"] is None
            if not mine or application not in told:
                continue
            full = action == "saved" or state.switches.deleted_data == "full"
            data = read_form(state, resource, key, application) if full else {"id": key}
            envelope = {
                "data": data,
                "action": action,
                "event_id": self._events,
                "event_uuid": uuid,
                "application_id": self._named(application),
                "resource": resource,
                "resource_url": None,
            }
            published = self._publish(subscription, resource, key, action)
            delivery = Delivery(subscription["id"], published, resource, json.dumps(envelope).encode(), state.now())
            line = self._lines[subscription["id"]]
            line.waiting.append(delivery)
            line.arrived.set()
            self._count(+1)

    def _publish(self, subscription: Record, resource: str, key: int, action: str) -> int:
        published = self._state.new_id()
        self._state.tables["published_events"][published] = {
            "id": published,
            "event_id": self._events,
            "event_type": action,
            "resource": resource,
            "resource_id": key,
            "target": subscription["target"],
            "subscription": subscription["id"],
            "received_date": self._state.stamp(),
            "processed_date": None,
            "status_code": None,
            "error_content": None,
        }
        return published

    def _named(self, application: str) -> str | int:
        number = self._state.switches.application_id_form == "number" and application.isdigit()
        return int(application) if number else application

    def _uuid7(self) -> str:
        moment = int(self._state.now().timestamp() * 1000) & (2**48 - 1)
        value = moment << 80 | 0x7 << 76 | self._random.getrandbits(12) << 64 | 0x2 << 62 | self._random.getrandbits(62)
        digits = f"{value:032x}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    # Sending

    async def start(self) -> None:
        """Begin to deliver."""
        self._runner = asyncio.create_task(self._run(), name="elation-sandbox-webhooks")
        self._runner.add_done_callback(_say_failure)

    async def stop(self) -> None:
        """Give up whatever is still on its way. Raises what delivering had ended with, if it had."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            runner.cancel()
            (ended,) = await asyncio.gather(runner, return_exceptions=True)
            if isinstance(ended, Exception):
                raise ended

    async def quiet(self, timeout: float = 10.0) -> None:
        """Until nothing is on its way any more, repeats included. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            await self._quiet.wait()

    @property
    def pending(self) -> int:
        """Deliveries that are neither taken nor given up."""
        return self._open

    def _count(self, by: int) -> None:
        self._open += by
        if self._open:
            self._quiet.clear()
        else:
            self._quiet.set()

    async def _run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=self._state.switches.webhook_timeout_seconds)
        async with self._session(timeout=timeout) as session, asyncio.TaskGroup() as group:
            served: set[int] = set()
            while True:
                self._opened.clear()
                for key in self._lines.keys() - served:
                    served.add(key)
                    group.create_task(self._serve(session, group, self._lines[key]))
                await self._opened.wait()

    async def _serve(self, session: aiohttp.ClientSession, group: asyncio.TaskGroup, line: _Line) -> None:
        while True:
            while not line.waiting:
                line.arrived.clear()
                await line.arrived.wait()
            delivery = line.waiting.popleft()
            fault = self._faults.for_delivery(delivery.resource)
            if fault is None or fault.kind == "duplicate":
                if fault is not None:
                    await self._attempt(session, delivery)
                if await self._attempt(session, delivery):
                    self._count(-1)
                else:
                    group.create_task(self._repeat(session, delivery))
                line.passed.set()
            elif fault.kind == "lose":
                self._count(-1)
            else:
                passed = line.passed if fault.kind == "reorder" else None
                group.create_task(self._late(session, delivery, passed, fault.seconds))

    async def _late(
        self, session: aiohttp.ClientSession, delivery: Delivery, passed: asyncio.Event | None, seconds: float
    ) -> None:
        if passed is None:
            await asyncio.sleep(seconds)
        else:
            passed.clear()
            try:
                async with asyncio.timeout(seconds):
                    await passed.wait()
            except TimeoutError:
                pass
        if await self._attempt(session, delivery):
            self._count(-1)
        else:
            await self._repeat(session, delivery)

    async def _repeat(self, session: aiohttp.ClientSession, delivery: Delivery) -> None:
        switches = self._state.switches
        wait = switches.retry_seconds
        while not self._over(delivery):
            await asyncio.sleep(wait)
            wait = min(wait * 2, switches.retry_cap_seconds)
            if self._over(delivery) or await self._attempt(session, delivery):
                break
        self._count(-1)

    def _over(self, delivery: Delivery) -> bool:
        late = self._state.now() - delivery.born > timedelta(hours=self._state.switches.retry_hours)
        subscription = self._state.tables["subscriptions"].get(delivery.subscription)
        return late or subscription is None or subscription["deleted_date"] is not None

    async def _attempt(self, session: aiohttp.ClientSession, delivery: Delivery) -> bool:
        """Whether it was taken: 200 and nothing else counts."""
        if self._over(delivery):
            return True
        subscription = self._state.tables["subscriptions"][delivery.subscription]
        signature = base64.b64encode(self._keys[delivery.subscription].sign(delivery.body)).decode()
        headers = {SIGNATURE: signature, "Content-Type": "application/json"}
        delivery.attempts += 1
        status, error = None, None
        try:
            async with session.post(subscription["target"], data=delivery.body, headers=headers) as answer:
                status = answer.status
                await answer.read()
        except (aiohttp.ClientError, TimeoutError) as failure:
            error = type(failure).__name__
        event = self._state.tables["published_events"][delivery.published]
        event["status_code"], event["error_content"] = status, error
        if status == 200:
            event["processed_date"] = as_text(self._state.now())
        return status == 200


def _say_failure(delivering: asyncio.Task[None]) -> None:
    """Nothing is delivered any more, and whoever waits for it would not learn why before `stop`."""
    if not delivering.cancelled() and (error := delivering.exception()) is not None:
        log.error("deliveries_ended", error_type=type(error).__name__)
