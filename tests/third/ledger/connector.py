"""Observing Ledger: it lists everything at once, so one pass reads all accounts, and absence is deletion."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from daemon.vendors.ports.intake import Intake, Observation
from daemon.vendors.ports.passes import Passes
from daemon.vendors.ports.vendor import Memory
from events.ids import BillingPatientId, EventId
from events.records import Location, Provider
from events.schema import BillingChartObserved, BillingChartVanished, BillingDirectoryObserved
from tests.third.ledger import translate
from tests.third.ledger.client import LedgerClient


class LedgerConnector:
    def __init__(
        self,
        client: LedgerClient,
        intake: Intake,
        memory: Memory,
        *,
        poll_seconds: float,
        patience: float,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._intake = intake
        self._memory = memory
        self._poll_seconds = poll_seconds
        self._patience = patience
        self._now = now
        self.passes = Passes("ledger", intake.practice)

    async def run(self) -> None:
        await self.passes.until_done("directory", self.read_directory)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.passes.every("directory", self._poll_seconds, self.read_directory, wait_first=True))
            group.create_task(self.passes.every("accounts", self._poll_seconds, self.read_accounts))
            group.create_task(self.passes.extras())

    def nudge(self, what: str) -> None:
        self.passes.nudge(what)

    def reread(self, resource: str, record: str) -> None:
        self.passes.nudge("accounts")

    def look(self, resource: str, record: str, because: EventId) -> None:
        self.passes.once(f"account:{record}", lambda: self._read_account(int(record), because))

    async def read_directory(self) -> None:
        read_at = self._now()
        body = BillingDirectoryObserved(
            providers=tuple(
                Provider(
                    id=one.id,
                    first_name=one.given,
                    last_name=one.family,
                    full_name=f"{one.given} {one.family}",
                    npi=one.npi,
                )
                for one in await self._client.staff()
            ),
            locations=tuple(Location(id=one.id, name=one.name) for one in await self._client.rooms()),
        )
        await self._intake.observe([Observation(body=body, resource="directory", record="all", read_at=read_at)])

    async def read_accounts(self) -> None:
        read_at = self._now()
        accounts = await self._client.accounts()
        await self._intake.observe(
            [_seen(BillingPatientId(one.id), BillingChartObserved(chart=translate.chart(one)), read_at) for one in accounts]
        )
        present = {str(one.id) for one in accounts}
        known = [record for record, parent in await self._memory.known("patients") if parent and record not in present]
        for record in known:
            await self._read_account(int(record))
        await self._intake.checkpoint("ledger.accounts", read_at.isoformat(), within=self._patience)

    async def _read_account(self, id_: int, because: EventId | None = None) -> None:
        read_at, patient = self._now(), BillingPatientId(id_)
        found = await self._client.account(id_)
        body = BillingChartVanished(patient=patient) if found is None else BillingChartObserved(chart=translate.chart(found))
        await self._intake.observe([_seen(patient, body, read_at, because)])


def _seen(
    patient: BillingPatientId,
    body: BillingChartObserved | BillingChartVanished,
    read_at: datetime,
    because: EventId | None = None,
) -> Observation:
    return Observation(
        body=body,
        resource="patients",
        record=str(patient),
        billing=patient,
        read_at=read_at,
        parent=str(patient) if isinstance(body, BillingChartObserved) else "",
        because=because,
    )
