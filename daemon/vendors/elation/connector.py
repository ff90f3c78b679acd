"""Observing Elation: directory, webhook subscriptions, catch-up by modified time, and sweeps for what cannot be asked for.

Webhooks tell of most changes at once (`daemon.runtime.webhooks`); this connector finds what they missed. A watermark moves to a
traversal's START less an overlap, and only when all of the traversal is recorded.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec
import structlog

from daemon.vendors.elation import resources as wire
from daemon.vendors.elation import translate
from daemon.vendors.elation.calendar_reading import APPOINTMENTS, NEAR_PASS, WHOLE_PASS, CalendarReader
from daemon.vendors.elation.client import ElationClient
from daemon.vendors.elation.policy_reading import PolicyReader
from daemon.vendors.elation.section import ElationConfig
from daemon.vendors.elation.wire import BadRow, DecodedRow
from daemon.vendors.ports.errors import Duplicate, Gone, Malformed, Moved, NotFound, Refused
from daemon.vendors.ports.intake import Intake, Observation
from daemon.vendors.ports.passes import OneByOne, Passes, why_unread
from daemon.vendors.ports.vendor import Subscriptions
from events.ids import EhrChartId, EventId
from events.reasons import MISFIT
from events.schema import (
    BillObserved,
    ChangeQuarantined,
    EhrChartDeleted,
    EhrChartMerged,
    EhrChartObserved,
    EhrDirectoryObserved,
)
from events.text import name
from events.topics import aside_of
from events.watermarks import EARLIEST, read_position, read_watermark
from events.writes import System

log = structlog.get_logger()

W = TypeVar("W", bound=wire.Wire)

RESOURCES = ("patients", "bills", "insurance_companies", "insurance_plans", "physicians", "service_locations")
"""Besides these, appointments are subscribed to where they go out, and where policies are read: a check-in hints at those."""
DIRECTORY_RESOURCES = frozenset(RESOURCES) - {"patients", "bills"}
OVERLAP = timedelta(minutes=5)
BILL_WINDOW = timedelta(days=90)
CHUNK = 200


class ElationConnector:
    """One practice's view of Elation. `webhook_base` is the public address its subscriptions point to, "" for none.

    `policies` reads the charts' policies, and `calendar` the appointments, where they have to be read.
    """

    policies: PolicyReader | None = None
    calendar: CalendarReader | None = None

    def __init__(
        self,
        client: ElationClient,
        intake: Intake,
        config: ElationConfig,
        *,
        zone: str,
        webhook_base: str,
        subscriptions: Subscriptions,
        known_charts: Callable[[], Awaitable[list[str]]],
        known_policies: Callable[[], Awaitable[set[str]]],
        watermark: Callable[[str], Awaitable[str | None]],
        patience: float,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._intake = intake
        self._config = config
        self._zone = zone
        self._webhook_base = webhook_base
        self._subscriptions = subscriptions
        self._known_charts = known_charts
        self._known_policies = known_policies
        self._watermark = watermark
        self._patience = patience
        self._now = now
        self._hinted: dict[int, datetime] = {}
        self._missing, self._published = OneByOne(self._unread_chart), OneByOne(self._unread_chart)
        self.passes = Passes("elation", intake.practice)

    async def run(self) -> None:
        """Observe until cancelled. The directory comes first: nothing can be decided without it."""
        await self.passes.until_done("directory", self.read_directory)
        async with asyncio.TaskGroup() as group:
            every = self.passes.every
            group.create_task(every("directory", self._config.sweep_seconds, self.read_directory, wait_first=True))
            if self._config.webhooks:
                group.create_task(every("subscriptions", self._config.sweep_seconds, self.subscribe))
            group.create_task(every("catch-up", self._config.catch_up_seconds, self.catch_up))
            group.create_task(every("sweep", self._config.sweep_seconds, self.sweep))
            group.create_task(self.passes.extras())
            if self.policies is not None:
                group.create_task(self.policies.run())
            if self.calendar is not None:
                seconds, whole = self._config.calendar_seconds, self._config.calendar_sweep_seconds
                group.create_task(every(NEAR_PASS, seconds, self.calendar.read_near))
                group.create_task(every(WHOLE_PASS, whole, self.calendar.read_all))

    def policies_changed(self, chart: EhrChartId) -> None:
        """Something hints at the policies of a chart."""
        if self.policies is not None:
            self.policies.soon(chart)

    def nudge(self, what: str) -> None:
        """Something hinted that `what` changed: a pass of it is due now. `patient:<id>` and `bill:<id>` read that record."""
        kind, _, record = what.partition(":")
        if not record:
            self.passes.nudge(what)
        elif kind == "patient":
            self.passes.once(what, lambda: self.read_chart(EhrChartId(int(record))))
        elif kind == "bill":
            self.passes.once(what, lambda: self._observe_bills(self._client.bills(bill_id=[int(record)])))
        elif kind == "insurance":
            self.policies_changed(EhrChartId(int(record)))
        elif kind == "checked-in" and self.policies is not None:
            self.policies.checked_in(EhrChartId(int(record)))
        elif kind == "in-calendar" and self.calendar is not None:
            self.calendar.soon(record)

    def reread(self, resource: str, record: str) -> None:
        """Read a record soon that is in doubt; a bill comes with the next sweep, which is due now."""
        words = {"bills": "sweep", "policies": f"insurance:{record}", APPOINTMENTS: f"in-calendar:{record}"}
        self.nudge(words.get(resource, f"patient:{record}"))

    def look(self, resource: str, record: str, because: EventId) -> None:
        """Read one record soon because somebody asked for it (event `because`), whatever it said last time.

        A resource that cannot be asked for by id has its whole pass made due.
        """
        if resource == "patients" and record.isdigit():
            self.passes.once(f"patient:{record}", lambda: self.read_whole(EhrChartId(int(record)), because), because)
        elif resource == "bills" and record.isdigit():
            bill = int(record)
            self.passes.once(
                f"bill:{bill}", lambda: self._observe_bills(self._client.bills(bill_id=[bill]), because), because
            )
        elif resource == APPOINTMENTS and record.isdigit() and self.calendar is not None:
            self.calendar.soon(record, because)
        else:
            self.passes.nudge("directory" if resource in DIRECTORY_RESOURCES else "sweep")

    async def read_whole(self, chart: EhrChartId, because: EventId) -> None:
        """A chart, its bills, and its appointments where they go out."""
        if self.calendar is not None:
            await self.calendar.read_of(chart, because)
        await self._observe_bills(self._client.bills(patient=chart), because)
        await self.read_chart(chart, because)

    # -- directory and subscriptions --------------------------------------------------------------------------------------

    async def read_directory(self) -> None:
        """Physicians, locations, carriers and plans: small, without modified times, read whole."""
        read_at = self._now()
        body = EhrDirectoryObserved(
            providers=tuple([translate.provider(one) async for one in self._good("physicians", self._client.physicians())]),
            locations=tuple(
                [
                    translate.location(one)
                    async for one in self._good("service_locations", self._client.service_locations())
                    if one.deleted_date is None
                ]
            ),
            carriers=tuple(
                [
                    translate.carrier(one)
                    async for one in self._good("insurance_companies", self._client.insurance_companies())
                    if one.deleted_date is None
                ]
            ),
            plans=tuple(
                [
                    translate.plan(one)
                    async for one in self._good("insurance_plans", self._client.insurance_plans())
                    if one.deleted_date is None
                ]
            ),
        )
        await self._intake.observe([Observation(body=body, resource="directory", record="all", read_at=read_at)])

    async def subscribe(self) -> None:
        """One subscription per resource, each with a target of its own, so that its key is known before parsing.

        What an earlier profile subscribed to still comes: its key is kept, too, or Elation would try what is refused for days.
        """
        kept = await self._subscriptions.get()
        theirs = {(one.resource, one.target): one async for one in self._good("subscriptions", self._client.subscriptions())}
        visits = self.policies is not None or self.calendar is not None
        for resource in (*RESOURCES, APPOINTMENTS):
            target = f"{self._webhook_base}/webhooks/elation/{self._intake.practice}/{resource}"
            known = theirs.get((resource, target))
            if known is None or known.deleted_date is not None:
                if resource == APPOINTMENTS and not visits:
                    continue
                if resource in kept:
                    log.warning("subscription_lost", practice=self._intake.practice, resource=resource)
                try:
                    known = await self._client.create_subscription(resource, target)
                except Duplicate:
                    self.passes.nudge("subscriptions")
                    continue
            if kept.get(resource) != (known.id, known.signing_pub_key):
                await self._subscriptions.save(resource, known.id, target, known.signing_pub_key)

    # -- charts and bills -------------------------------------------------------------------------------------------------

    async def catch_up(self) -> None:
        """Charts modified since the watermark; notes modified since, and their bills."""
        started = self._now()
        since = read_watermark(await self._watermark("elation.catch-up"), started) or EARLIEST
        await self._observe_charts(self._client.patients_modified_since(since), hints=True)
        notes = self._good("visit_notes", self._client.visit_notes_modified_since(since))
        changed = sorted({one.id async for one in notes if one.signed_date is not None})
        if changed:
            await self._observe_bills(self._client.bills(visit_note_id=changed))
        await self._finish("elation.catch-up", started - OVERLAP)

    async def sweep(self) -> None:
        """All charts and recent bills. A chart that is not listed any more is asked for by id: absence is a question."""
        started = self._now()
        present = await self._observe_charts(self._client.patients())
        await self._read_first(present)
        await self._missing.read([one for one in await self._known_charts() if int(one) not in present], self._read_again)
        await self._observe_bills(self._client.bills(from_service_date=(started - BILL_WINDOW).date()))
        await self._read_published(present)
        await self._finish("elation.sweep", started)

    async def _read_first(self, present: set[int]) -> None:
        """Charts whose policies have never been read are, soon."""
        if self.policies is not None:
            read = await self._known_policies()
            for chart in sorted(one for one in present if str(one) not in read):
                self.policies.soon(EhrChartId(chart))

    async def _read_published(self, present: set[int]) -> None:
        """What Elation says it sent since the last sweep and no list has shown: bills of long ago, charts not listed.

        The list has no filter and no order that is documented, so it is read whole, and only here.
        """
        mark = read_position(await self._watermark("elation.published"))
        newest, charts, bills = mark, set[int](), set[int]()
        async for event in self._good("published_events", self._client.published_events()):
            if event.event_id > mark:
                newest = max(newest, event.event_id)
                if event.resource == "patients" and event.resource_id not in present:
                    charts.add(event.resource_id)
                elif event.resource == "bills":
                    bills.add(event.resource_id)
        await self._published.read(sorted({*map(str, charts), *self._published.due()}, key=int), self._read_again)
        await self._observe_bills(self._client.bills(bill_id=sorted(bills)))
        if newest > mark and not await self._intake.checkpoint("elation.published", str(newest), within=self._patience):
            log.warning("pass_not_recorded", practice=self._intake.practice, source="elation.published")

    async def read_chart(self, chart: EhrChartId, because: EventId | None = None) -> None:
        """One chart by id, whatever became of it."""
        read_at = self._now()
        body: EhrChartObserved | EhrChartDeleted | EhrChartMerged
        modified: datetime | None = None
        try:
            patient = await self._client.get_patient(chart)
        except (Gone, NotFound):
            if str(chart) not in await self._known_charts():
                return  # never ours, or known to be gone
            body = EhrChartDeleted(chart=chart)
        except (Malformed, Refused) as error:
            survivor = error.survivor if isinstance(error, Moved) else None
            if survivor is None:
                await self._unread_chart(str(chart), *why_unread(error))
                return
            body = EhrChartMerged(chart=chart, survivor=EhrChartId(survivor))
        else:
            if patient.caregiver_practice != self._client.practice_id:
                return
            body, modified = EhrChartObserved(chart=translate.chart(patient)), patient.last_modified
        seen = _chart_observation(body, chart, modified, read_at)
        await self._intake.observe([msgspec.structs.replace(seen, because=because)])
        self.policies_changed(chart)

    async def _read_again(self, record: str) -> None:
        await self.read_chart(EhrChartId(int(record)))

    async def _unread_chart(self, record: str, reason: str, path: str) -> None:
        await self._intake.observe([quarantined("patients", record, path, b"", self._now(), reason)])

    async def _observe_charts(self, rows: AsyncIterator[DecodedRow[wire.Patient]], *, hints: bool = False) -> set[int]:
        """Publish what is new; returns the charts seen. A chart that was saved `hints` at its policies, once a save."""
        present: set[int] = set()
        batch: list[Observation] = []
        read_at = self._now()
        async for patient in self._good("patients", rows, listed=present):
            present.add(patient.id)
            if hints and self._hinted.get(patient.id) != patient.last_modified:
                self._hinted[patient.id] = patient.last_modified
                self.policies_changed(EhrChartId(patient.id))
            chart = translate.chart(patient)
            batch.append(_chart_observation(EhrChartObserved(chart=chart), chart.id, patient.last_modified, read_at))
            if len(batch) >= CHUNK:
                await self._intake.observe(batch)
                batch, read_at = [], self._now()
        await self._intake.observe(batch)
        return present

    async def _observe_bills(self, rows: AsyncIterator[DecodedRow[wire.Bill]], because: EventId | None = None) -> None:
        batch: list[Observation] = []
        read_at = self._now()
        async for bill in self._good("bills", rows):
            batch.append(msgspec.structs.replace(bill_observation(bill, self._zone, read_at), because=because))
            if len(batch) >= CHUNK:
                await self._intake.observe(batch)
                batch, read_at = [], self._now()
        await self._intake.observe(batch)

    async def _finish(self, source: str, mark: datetime) -> None:
        if not await self._intake.checkpoint(source, mark.isoformat(), within=self._patience):
            log.warning("pass_not_recorded", practice=self._intake.practice, source=source)

    async def _good(
        self, resource: str, rows: AsyncIterator[DecodedRow[W]], *, listed: set[int] | None = None
    ) -> AsyncIterator[W]:
        """The rows that fit; the others go to quarantine, whole, and do not stop the pass: their ids are `listed` all the same."""
        async for row in rows:
            if isinstance(row, BadRow) and row.id is not None and listed is not None:
                listed.add(row.id)
            if not isinstance(row, BadRow):
                yield row
            elif row.practice in (None, self._client.practice_id):
                await self._intake.observe([quarantined(resource, str(row.id or row.path), row.path, row.raw, self._now())])


def _chart_observation(
    body: EhrChartObserved | EhrChartDeleted | EhrChartMerged,
    chart: EhrChartId,
    modified: datetime | None,
    read_at: datetime,
) -> Observation:
    return Observation(
        body=body,
        resource="patients",
        record=str(chart),
        ehr=chart,
        modified=modified,
        read_at=read_at,
        parent=str(chart) if isinstance(body, EhrChartObserved) and not body.chart.deleted else "",
    )


def chart_observation(patient: wire.Patient, read_at: datetime) -> Observation:
    """A chart as a change event wants it."""
    chart = translate.chart(patient)
    return _chart_observation(EhrChartObserved(chart=chart), chart.id, patient.last_modified, read_at)


def bill_observation(bill: wire.Bill, zone: str, read_at: datetime) -> Observation:
    """A bill as a change event wants it."""
    return Observation(
        body=BillObserved(bill=translate.bill(bill, zone)),
        resource="bills",
        record=str(bill.id),
        ehr=EhrChartId(bill.patient),
        modified=bill.last_modified_date,
        read_at=read_at,
        parent=str(bill.patient),
    )


def quarantined(resource: str, record: str, path: str, raw: bytes, read_at: datetime, reason: str = MISFIT) -> Observation:
    """A record that cannot be read: kept whole, shown, and cleared when the same record is understood later."""
    record = name(record)
    body = ChangeQuarantined(system=System.EHR, resource=resource, record=record, path=name(path), reason=reason, raw=raw)
    return Observation(body=body, resource=aside_of(resource), record=record, read_at=read_at)
