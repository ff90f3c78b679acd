"""Elation as a vendor: the one place where its client, connector and writer are made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from daemon.findings import Finding
from daemon.sections import ConfigProblem, resolve, secret
from daemon.vendors.elation.calendar_reading import APPOINTMENTS, CalendarReader
from daemon.vendors.elation.client import ElationClient
from daemon.vendors.elation.connector import RESOURCES, ElationConnector
from daemon.vendors.elation.delivery import ElationDelivery
from daemon.vendors.elation.examination import ElationExamination
from daemon.vendors.elation.held import ElationHeld
from daemon.vendors.elation.policy_reading import PolicyBudget, PolicyReader
from daemon.vendors.elation.section import ElationConfig
from daemon.vendors.elation.writer import ElationWriter
from daemon.vendors.ports.errors import CredentialsRefused, VendorError
from daemon.vendors.ports.gate import AccountGate, AccountGates
from daemon.vendors.ports.passes import Passes
from daemon.vendors.ports.vendor import Means, Opened, Opener, Reader, Side
from daemon.vendors.ports.writer import Guard
from events.ids import PracticeId

PROBE_SECONDS = 15.0


class Elation:
    """The chart side."""

    section = ElationConfig
    delivered = frozenset((*RESOURCES, APPOINTMENTS))

    def __init__(self) -> None:
        self._gates = AccountGates(one_at_first=False)

    async def prepare(self, section: ElationConfig, means: Means) -> Opener:
        def open_(side: Side) -> Opened:
            client = self._client(section, means, side.guard)
            connector = _connector(client, section, means, side, webhook_base=means.public_url.rstrip("/"))
            budget = PolicyBudget(section.policy_reads_per_day, _seconds) if side.policies_leave else None
            if budget is not None:
                connector.policies = _policy_reader(client, section, means, side, connector.passes, budget)
            if side.calendar_leaves:
                connector.calendar = _calendar_reader(client, section, means, side, connector.passes)
            return Opened(
                connector=connector,
                writer=ElationWriter(
                    client, zone=side.time_zone, now=means.now, policies_written=connector.policies_changed
                ),
                concurrency=section.concurrency,
                limits=budget,
                gate=self._gate(section, means),
            )

        return open_

    async def probe(self, section: ElationConfig, key: str, means: Means) -> list[ConfigProblem]:
        client = self._client(section, means, None, timeout=PROBE_SECONDS)
        try:
            await client.get_practice()
        except CredentialsRefused:
            file = resolve(section.client_secret_file, means.folder)
            text = f"Elation refuses the credentials: put the secret of {section.client_id} into {file}, then systemctl reload chartwire"
            return [(f"{key}.client_secret_file", text)]
        except VendorError as error:
            return [(key, f"Elation does not answer for this practice ({type(error).__name__} at {error.operation})")]
        return []

    async def examine(
        self, section: ElationConfig, key: str, means: Means, practice: PracticeId, name: str
    ) -> list[Finding]:
        client = self._client(section, means, None, timeout=PROBE_SECONDS)
        base = means.public_url.rstrip("/")
        return await ElationExamination(client, section, key, practice, base, means.now()).run(name)

    async def reader(self, section: ElationConfig, means: Means, side: Side) -> Reader:
        """Directory, charts and bills; the charts' policies and the calendar where they go to the billing side."""
        client = self._client(section, means, side.guard)
        connector = _connector(client, section, means, side, webhook_base="")

        async def whole() -> None:
            await connector.read_directory()
            await connector.sweep()

        steps = [(whole, "")]
        if side.policies_leave:
            budget = PolicyBudget(section.policy_reads_per_day, _seconds)
            steps.append((_policy_reader(client, section, means, side, connector.passes, budget).read_known, ""))
        if side.calendar_leaves:
            steps.append((_calendar_reader(client, section, means, side, connector.passes).read_all, ""))
        return Reader(steps=steps, held=ElationHeld(client))

    def delivery(self, section: ElationConfig, means: Means, side: Side) -> ElationDelivery:
        return ElationDelivery(
            side.intake,
            practice=section.practice_id,
            zone=side.time_zone,
            subscriptions=side.memory.subscriptions,
            now=means.now,
            policies_leave=side.policies_leave,
            calendar_leaves=side.calendar_leaves,
        )

    def _client(self, section: ElationConfig, means: Means, guard: Guard | None, timeout: float = 30.0) -> ElationClient:
        return ElationClient(
            base_url=section.base_url,
            client_id=section.client_id,
            client_secret=secret(section.client_secret_file, means.folder),
            session=means.session,
            practice_id=section.practice_id,
            concurrency=section.concurrency,
            timeout=timeout,
            meter=lambda operation, outcome, seconds: means.meter.call(f"elation.{operation}", outcome, seconds),
            waited=lambda operation, seconds: means.meter.waited(f"elation.{operation}", seconds),
            guard=guard,
            gate=self._gate(section, means),
        )

    def _gate(self, section: ElationConfig, means: Means) -> AccountGate:
        return self._gates.of(section.base_url, section.client_id, secret(section.client_secret_file, means.folder))


def _seconds() -> float:
    """The time of the loop that the practice is at work in."""
    return asyncio.get_running_loop().time()


def _known_charts(side: Side) -> Callable[[], Awaitable[list[str]]]:
    async def known_charts() -> list[str]:
        return [record for record, parent in await side.memory.known("patients") if parent]

    return known_charts


def _policy_reader(
    client: ElationClient, section: ElationConfig, means: Means, side: Side, passes: Passes, budget: PolicyBudget
) -> PolicyReader:
    return PolicyReader(
        client,
        side.intake,
        passes,
        budget,
        known_charts=_known_charts(side),
        kept=side.memory.watermark,
        looks=section.policy_looks,
        round_seconds=section.policy_round_seconds,
        now=means.now,
        clock=_seconds,
    )


def _calendar_reader(
    client: ElationClient, section: ElationConfig, means: Means, side: Side, passes: Passes
) -> CalendarReader:
    async def known() -> list[tuple[str, str]]:
        return await side.memory.known(APPOINTMENTS)

    return CalendarReader(client, side.intake, section, passes, known=known, patience=means.patience, now=means.now)


def _connector(
    client: ElationClient, section: ElationConfig, means: Means, side: Side, *, webhook_base: str
) -> ElationConnector:
    async def known_policies() -> set[str]:
        return {record for record, _ in await side.memory.known("policies")}

    return ElationConnector(
        client,
        side.intake,
        section,
        zone=side.time_zone,
        webhook_base=webhook_base,
        subscriptions=side.memory.subscriptions,
        known_charts=_known_charts(side),
        known_policies=known_policies,
        watermark=side.memory.watermark,
        patience=means.patience,
        now=means.now,
    )
