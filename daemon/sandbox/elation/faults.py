"""What can go wrong on purpose: between client and server, and on the way of a webhook."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

FaultKind: TypeAlias = Literal["refuse", "delay", "cut_before", "cut_after", "status", "garbage", "half"]
"""`refuse`: reset at once, unread. `cut_before`: read, not applied, closed without an answer. `cut_after`: applied, closed
without an answer. `status`: not applied, answered with a status. `garbage`: applied, answered 200 with something that is not
JSON. `half`: applied, answered, broken off in the middle of the body. `delay`: applied and answered, late."""

WebhookFaultKind: TypeAlias = Literal["lose", "duplicate", "delay", "reorder"]
"""`lose`: never sent. `duplicate`: sent twice. `delay`: sent late, overtaken by others. `reorder`: sent after the next one of the
same subscription, or after `seconds` if none comes."""


@dataclass
class Fault:
    """One planned failure of requests whose method and path template match; `times` None is for ever."""

    method: str
    template: re.Pattern[str]
    kind: FaultKind
    times: int | None = 1
    status: int = 500
    seconds: float = 0.0
    fired: int = 0


@dataclass
class WebhookFault:
    """One planned failure of deliveries, of one resource or of all."""

    kind: WebhookFaultKind
    resource: str | None = None
    times: int | None = 1
    seconds: float = 1.0
    fired: int = 0


Planned = TypeVar("Planned", Fault, WebhookFault)


class Faults:
    """The queue of planned failures: the first that matches is used, and used up."""

    def __init__(self) -> None:
        self.planned: list[Fault] = []
        self._webhooks: list[WebhookFault] = []

    def add(
        self,
        *,
        match: tuple[str, str] = ("*", ".*"),
        kind: FaultKind,
        times: int | None = 1,
        status: int = 500,
        seconds: float = 0.0,
    ) -> Fault:
        """Plan a failure. `match` is the method (`*` for any) and a regular expression for the WHOLE path template.

        Templates look like `/patients/{id}/`, `/patients/{id}/policies`, `/oauth2/token/`.
        """
        fault = Fault(match[0].upper(), re.compile(match[1]), kind, times, status, seconds)
        self.planned.append(fault)
        return fault

    def add_webhook(
        self, *, kind: WebhookFaultKind, resource: str | None = None, times: int | None = 1, seconds: float = 1.0
    ) -> WebhookFault:
        """Plan a failure of deliveries."""
        fault = WebhookFault(kind, resource, times, seconds)
        self._webhooks.append(fault)
        return fault

    def clear(self) -> None:
        """Forget whatever is still planned."""
        self.planned.clear()
        self._webhooks.clear()

    def for_request(self, method: str, template: str) -> Fault | None:
        """The failure of this request, if one is planned; it counts as fired."""
        for fault in self.planned:
            if fault.method in {"*", method} and fault.template.fullmatch(template) and _left(fault):
                fault.fired += 1
                return fault
        return None

    def for_delivery(self, resource: str) -> WebhookFault | None:
        """The failure of this delivery, if one is planned; it counts as fired."""
        for fault in self._webhooks:
            if fault.resource in {None, resource} and _left(fault):
                fault.fired += 1
                return fault
        return None


def _left(fault: Planned) -> bool:
    return fault.times is None or fault.fired < fault.times
