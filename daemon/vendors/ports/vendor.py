"""The port of a vendor: a system that plays one of the two roles, as everything outside its folder sees it.

A vendor is one folder beside this one, a sandbox, and a row in `daemon/vendors/registry.py`. Nothing else names it: the worker
opens it, `check-config` probes it, `verify` reads it whole, and the webhook endpoint hands deliveries to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol, TypeVar

import aiohttp

from daemon.findings import Finding
from daemon.sections import ConfigProblem, VendorSection
from daemon.telemetry import Meter
from daemon.vendors.ports.gate import AccountGate
from daemon.vendors.ports.intake import Intake
from daemon.vendors.ports.passes import Pass, Passes
from daemon.vendors.ports.writer import Guard, Writer
from events.ids import EhrChartId, EventId, PracticeId
from events.terms import AppointmentTerms, PolicyTerms
from events.writes import CreateEncounter

S = TypeVar("S", bound=VendorSection)

Edits = Mapping[str, tuple[str, str]]
"""What a system holds otherwise than it was written, by field: (holds, should hold)."""


@dataclass(frozen=True, kw_only=True)
class Means:
    """What a vendor is given of the process. `folder` is the configuration's, `patience` seconds until a pass counts as lost."""

    session: aiohttp.ClientSession
    folder: Path
    now: Callable[[], datetime]
    meter: Meter
    public_url: str = ""
    patience: float = 60.0


class Subscriptions(Protocol):
    """Where webhook subscriptions are kept, so that every worker's endpoint knows each one's key."""

    async def get(self) -> dict[str, tuple[int, str]]:
        """By resource: (subscription id, signing key)."""

    async def save(self, resource: str, subscription: int, target: str, key: str) -> None: ...


class Memory(Protocol):
    """What is recorded of a practice's system: what its connector compares with, and goes on from."""

    @property
    def subscriptions(self) -> Subscriptions: ...

    async def known(self, resource: str) -> list[tuple[str, str]]:
        """The recorded records of a resource as (record, parent); parent "" for those that are gone."""

    async def watermark(self, source: str) -> str | None:
        """The recorded checkpoint of a source."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One practice's side of a vendor. `guard` is asked before each call; without one nobody else can have the practice.

    `policies_leave`: the chart side's insurance goes to the billing side, so it has to be read. `calendar_leaves`: its appointments do.
    """

    time_zone: str
    intake: Intake
    memory: Memory
    guard: Guard | None = None
    policies_leave: bool = False
    calendar_leaves: bool = False


class Limits(Protocol):
    """A vendor's limits of calls, for whatever it counts them by. Practices that share them have the same object."""

    calls: dict[str, int]

    def interval(self, operation: str) -> float:
        """Seconds between two calls of an operation."""

    def taken_over(self) -> None:
        """Somebody else may have made calls until now."""


class Connector(Protocol):
    """Observes one practice's side."""

    passes: Passes

    async def run(self) -> None:
        """Observe until cancelled."""

    def nudge(self, what: str) -> None:
        """Make a pass due now; `what` is a word of the vendor's own, as its deliveries publish it."""

    def reread(self, resource: str, record: str) -> None:
        """Read one record soon: what is recorded of it is in doubt."""

    def look(self, resource: str, record: str, because: EventId) -> None:
        """Read one record soon because somebody asked for it (event `because`), whatever it said last time."""


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A vendor at work for one practice. `concurrency` is how many writes may be under way at once; `gate` is its
    account's."""

    connector: Connector
    writer: Writer
    concurrency: int
    limits: Limits | None = None
    gate: AccountGate | None = None


Opener = Callable[[Side], Opened]


class Delivery(Protocol):
    """Reads what a vendor delivers to the webhook endpoint for one practice."""

    header: ClassVar[str]
    """The HTTP header that carries the signature."""

    async def take(self, resource: str, body: bytes, signed: str | None) -> int:
        """Publish what it tells; returns the HTTP status to answer: 200, 400 malformed, 401 not signed, 404 not subscribed."""


class SentAppointment(NamedTuple):
    """An appointment as it was written."""

    terms: AppointmentTerms
    cancelled: bool


class SentPolicy(NamedTuple):
    """An insurance policy as it was written; `id` is that of the system it was written to."""

    id: int
    terms: PolicyTerms


class HeldRecords(Protocol):
    """Looks what a system holds of the records that were written to it."""

    async def appointment_edits(self, written: Mapping[int, SentAppointment]) -> dict[int, Edits]:
        """What differs of each appointment, by its id."""

    async def policy_edits(self, chart: EhrChartId, written: Mapping[str, SentPolicy]) -> Edits:
        """What differs of a chart's policies; the keys of `written` are part of the fields' names.

        Nothing of a chart that was deleted or merged since: that itself is what differs.
        """


class HeldEncounters(Protocol):
    """Looks what the billing side holds of the bills that were sent to it."""

    async def encounter_edits(self, sent: Mapping[int, CreateEncounter]) -> dict[int, Edits]:
        """What differs of each encounter, by its id; one that is gone is one edit, "removed". Raises VendorError."""


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Reads a system whole, once. `steps` are passes in their order, each with what to say after the count of records.

    `held` is there where the system keeps records that only chartwire writes and staff may change, `encounters` where it bills.
    """

    steps: Sequence[tuple[Pass, str]]
    held: HeldRecords | None = None
    encounters: HeldEncounters | None = None


class Vendor(Protocol[S]):
    """One object per process: what its practices share (limits) is kept in it."""

    section: type[S]
    """What a practice configures of it; it says which role it plays, and its name."""

    delivered: frozenset[str]
    """The resources that it delivers to the webhook endpoint."""

    async def prepare(self, section: S, means: Means) -> Opener:
        """Load what is needed before a practice is taken over; what it returns opens the vendor for the owner.

        Raises VendorError, OSError or ValueError.
        """

    async def probe(self, section: S, key: str, means: Means) -> list[ConfigProblem]:
        """Reach the system for `chartwire check-config`: what is wrong, `key` being the section's."""

    async def examine(self, section: S, key: str, means: Means, practice: PracticeId, name: str) -> list[Finding]:
        """Ask the system about the practice that people call `name`, for `chartwire doctor`: access, rights, names, webhooks."""

    async def reader(self, section: S, means: Means, side: Side) -> Reader:
        """What reads the system whole for `chartwire verify`. Raises as `prepare` does."""

    def delivery(self, section: S, means: Means, side: Side) -> Delivery | None:
        """What reads its deliveries; None where it delivers nothing."""
