"""The endpoint that vendors deliver to: every worker has it, and it only publishes.

200 is answered when, and only when, the broker has the change; anything else is delivered again. What a
delivery says is read by its vendor (`Delivery` in daemon/vendors/ports/vendor.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

import structlog
from aiohttp import web

from daemon.runtime.listening import BODY_SECONDS, body_of
from daemon.telemetry import Meter
from daemon.vendors.ports.vendor import Delivery
from events.keys import KeyMissing
from events.store import AWAY
from events.traces import reading

log = structlog.get_logger()

LARGEST = 4 * 1024 * 1024
TAKE_SECONDS = 10.0
"""Longer than this nobody waits for the broker: it is delivered again."""

WORDS = {
    200: "",
    400: "not a delivery that can be read\n",
    401: "not signed by this subscription\n",
    404: "nobody subscribed here\n",
    408: "the body did not come in time\n",
    413: f"larger than {LARGEST} bytes\n",
    503: "not now; deliver again\n",
}
"""All that is ever answered: never what was sent, and never a library's words."""

UNREAD = frozenset({400, 404, 408, 413})
"""Something of the body may still be on its way: the connection is not used again."""

Deliveries = Mapping[tuple[str, str], Delivery]
"""By the vendor's prefix and the practice."""


class WebhookEndpoint:
    """Routes `POST /webhooks/{vendor}/{practice}/{resource}`. `resources` are those that any vendor delivers."""

    def __init__(
        self,
        deliveries: Deliveries,
        resources: Collection[str],
        *,
        meter: Meter,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self._deliveries = deliveries
        self._resources = resources
        self._meter = meter
        self._body_seconds = body_seconds

    def routes(self, app: web.Application) -> None:
        """Add the route to `app`, whose `client_max_size` must be at least `LARGEST`."""
        app.router.add_post("/webhooks/{vendor}/{practice}/{resource}", self.receive)

    async def receive(self, request: web.Request) -> web.Response:
        """Answers 200 accepted, 400 malformed, 401 not signed by this subscription, 404 unknown, 408 too slow, 413 too large,
        503 later."""
        resource = request.match_info["resource"]
        delivery = self._deliveries.get((request.match_info["vendor"], request.match_info["practice"]))
        if delivery is None or resource not in self._resources:
            return self._answer(404, resource)
        try:
            body = await body_of(request, self._body_seconds)
        except web.HTTPRequestEntityTooLarge:
            return self._answer(413, resource)
        except TimeoutError:
            return self._answer(408, resource)
        except (web.RequestPayloadError, ValueError, OSError):  # cut off, or not what its headers say
            return self._answer(400, resource)
        try:
            async with asyncio.timeout(TAKE_SECONDS):
                with reading(f"webhook {request.match_info['vendor']} {resource}", now=True):
                    status = await delivery.take(resource, body, request.headers.get(delivery.header))
        except (TimeoutError, OSError, KeyMissing, *AWAY) as error:
            log.warning("webhook_postponed", resource=resource, error_type=type(error).__name__)
            status = 503
        return self._answer(status, resource)

    def _answer(self, status: int, resource: str) -> web.Response:
        known = resource if resource in self._resources else "unknown"
        self._meter.count(f"webhooks.{known}.{status}")
        answer = web.Response(status=status, text=WORDS[status])
        if status in UNREAD:
            answer.force_close()
        return answer
