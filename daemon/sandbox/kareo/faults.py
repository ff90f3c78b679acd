"""Faults on demand: what networks, proxies and busy servers do to single calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["refuse", "delay", "cut_before", "cut_after", "status", "fault", "garbage", "half", "throttle", "html"]

APPLIED: frozenset[Kind] = frozenset({"delay", "cut_after", "garbage", "half"})
"""With these the request is carried out all the same; with the others nothing is done."""


@dataclass(kw_only=True, slots=True)
class Fault:
    """`operation` is a name or "*". `status` is for status and html, `seconds` for delay (which comes before the work); `holding` is text
    that the request has to contain, such as a customer key."""

    operation: str
    kind: Kind
    times: int
    status: int
    seconds: float
    holding: str = ""


class FaultPlan:
    """Faults in the order in which they were added; each is used up after `times` calls."""

    def __init__(self) -> None:
        self.planned: list[Fault] = []

    def add(
        self, operation: str, kind: Kind, *, times: int = 1, status: int = 500, seconds: float = 0.0, holding: str = ""
    ) -> None:
        """Kinds: refuse (IsError), delay, cut_before and cut_after (the connection is closed without an answer), status (bare
        HTTP status), fault (SOAP Fault), garbage (HTTP 200, not XML), half (half of the answer), throttle (the refusal for
        calling too often), html (a proxy's page, well-formed)."""
        if kind not in get_args(Kind):
            raise ValueError(f"no fault {kind!r}; there are {', '.join(get_args(Kind))}")
        self.planned.append(
            Fault(operation=operation, kind=kind, times=times, status=status, seconds=seconds, holding=holding)
        )

    def clear(self) -> None:
        self.planned.clear()

    def next_for(self, operation: str, request: bytes = b"") -> Fault | None:
        """The fault that this call meets, counted as used."""
        for planned in self.planned:
            if planned.operation in ("*", operation) and planned.holding.encode() in request:
                planned.times -= 1
                if planned.times <= 0:
                    self.planned.remove(planned)
                return planned
        return None
