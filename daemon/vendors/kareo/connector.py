"""Observing Kareo: there is no push, so polls with overlap, and slow sweeps that find what polls cannot see.

A list row that says what it said last time costs nothing; one that changed costs one GetPatient. A slow round of GetPatient finds
what no list shows. Deletions and merges leave only absence, which is confirmed by id."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from daemon.vendors.kareo import translate, wire
from daemon.vendors.kareo.client import KareoClient
from daemon.vendors.kareo.section import KareoConfig
from daemon.vendors.kareo.unread import Unread
from daemon.vendors.ports.errors import Malformed, Refused, Unreachable
from daemon.vendors.ports.intake import Intake, Observation, fingerprint
from daemon.vendors.ports.passes import STUBBORN, OneByOne, Passes, why_unread
from events.calendar import shifted
from events.ids import BillingPatientId, EventId
from events.schema import (
    BillingAppointmentObserved,
    BillingAppointmentVanished,
    BillingChartObserved,
    BillingChartVanished,
    BillingDirectoryObserved,
)
from events.store import AWAY
from events.stray import endless
from events.topics import Note, row_of
from events.watermarks import read_watermark
from events.writes import System

log = structlog.get_logger()

OVERLAP = timedelta(minutes=15)
AHEAD = timedelta(minutes=5)
PIECE = timedelta(days=30)
SUSPICIOUS = 20
ROW = row_of("patients")
APPOINTMENT_ROW = row_of("appointments")
PRIMARY_CASE = "patients.case"


class KareoConnector:
    """One practice's view of Kareo.

    `known` lists the recorded (record, parent) pairs of a resource, parent "" for those that are gone; `watermark` reads a
    recorded checkpoint.
    """

    def __init__(
        self,
        client: KareoClient,
        intake: Intake,
        config: KareoConfig,
        *,
        known: Callable[[str], Awaitable[list[tuple[str, str]]]],
        watermark: Callable[[str], Awaitable[str | None]],
        patience: float,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._intake = intake
        self._config = config
        self._known = known
        self._watermark = watermark
        self._patience = patience
        self._now = now
        self._providers: dict[str, int] = {}
        self._reading = asyncio.Lock()
        self._just_read: dict[str, str] = {}
        self._unread = Unread(intake, now)
        self._patients, self._appointments = OneByOne(self._unread.patient), OneByOne(self._unread.appointment)
        self._former, self._deleted = OneByOne(self._unread.patient), OneByOne(self._unread.appointment)
        self.passes = Passes("kareo", intake.practice)

    async def run(self) -> None:
        """Observe until cancelled. The directory comes first: nothing can be decided without it."""
        await self.passes.until_done("directory", self.read_directory)
        async with asyncio.TaskGroup() as group:
            every = self.passes.every
            group.create_task(every("directory", self._config.directory_seconds, self.read_directory, wait_first=True))
            group.create_task(every("patients", self._config.poll_seconds, self.poll_patients))
            group.create_task(every("appointments", self._config.poll_seconds, self.poll_appointments))
            group.create_task(every("sweep", self._config.sweep_seconds, self.sweep_patients))
            group.create_task(every("appointment-sweep", self._config.sweep_seconds, self.sweep_appointments))
            if self._config.patient_round_seconds:
                group.create_task(endless("round", self._go_round()))
            group.create_task(self.passes.extras())

    def nudge(self, what: str) -> None:
        """Make a pass due now."""
        self.passes.nudge(what)

    def reread(self, resource: str, record: str) -> None:
        """Read a record soon that is in doubt."""
        if resource == "patients":
            self.passes.once(f"patient:{record}", lambda: self.read_patient(BillingPatientId(int(record))))
        else:
            self.passes.nudge("appointment-sweep" if resource == "appointments" else "sweep")

    def look(self, resource: str, record: str, because: EventId) -> None:
        """Read one record soon because somebody asked for it (event `because`), whatever it said last time.

        A resource that cannot be asked for by id has its whole pass made due.
        """
        if resource == "patients" and record.isdigit():
            self.passes.once(
                f"patient:{record}", lambda: self.read_patient(BillingPatientId(int(record)), because=because), because
            )
        else:
            self.passes.nudge("appointment-sweep" if resource == "appointments" else "sweep")

    # -- directory --------------------------------------------------------------------------------------------------------

    async def read_directory(self) -> None:
        """Providers (normal ones) and service locations of the practice."""
        read_at = self._now()
        providers = tuple(translate.provider(one) for one in await self._client.get_providers())
        locations = tuple(translate.location(one) for one in await self._client.get_service_locations())
        names: dict[str, list[int]] = {}
        for one in providers:
            names.setdefault(one.full_name, []).append(one.id)
        self._providers = {name: ids[0] for name, ids in names.items() if len(ids) == 1}
        body = BillingDirectoryObserved(providers=providers, locations=locations)
        await self._intake.observe([Observation(body=body, resource="directory", record="all", read_at=read_at)])

    # -- patients ---------------------------------------------------------------------------------------------------------

    async def poll_patients(self) -> None:
        """Patients modified since the watermark. The first time there is none: the sweep brings them all."""
        started = self._now()
        since = self._unread.since("patients", await self._since("kareo.patients", started, "sweep"))
        rows = await self._client.patients_modified(since - OVERLAP, started + AHEAD)
        await self._unread.rows("patients", rows.bad_rows)
        await self._read_changed(rows.rows)
        self._unread.polled("patients")
        await self._finish("kareo.patients", started)

    async def sweep_patients(self) -> None:
        """All patients: what polls missed, and who is gone."""
        started = self._now()
        present: set[str] = set()
        async for page in self._client.all_patients():
            await self._unread.rows("patients", page.bad_rows)
            present |= {str(row.id) for row in page.rows} | {str(bad.id) for bad in page.bad_rows if bad.id is not None}
            await self._read_changed(page.rows)
        known = [record for record, parent in await self._known("patients") if parent]
        missing = [record for record in known if record not in present]
        if not present and len(known) > SUSPICIOUS:
            raise Unreachable("kareo.GetAllPatients", "no patient at all where there were many: asked again later")
        await self._former.read(missing, self._confirm_gone)
        await self._finish("kareo.sweep", started)

    async def _go_round(self) -> None:
        """Read every known patient once in the configured time, but no faster than every tenth call that the limits allow.

        The clock tells where the first lap begins, so that restarts do not favour anybody.
        """
        seconds = self._config.patient_round_seconds
        begun = self._now().timestamp() % seconds / seconds
        while True:
            members = await self._members()
            pause = max(seconds / max(1, len(members)), 10 * self._client.interval("GetPatient"))
            await asyncio.sleep(0 if members else min(pause, 60.0))
            for patient in members[int(begun * len(members)) :]:
                await asyncio.sleep(pause)
                await self.passes.until_done("round", partial(self.read_patient, patient), tries=STUBBORN)
            begun = 0.0

    async def _members(self) -> list[BillingPatientId]:
        """Who is known and not gone; nobody while the database is away."""
        try:
            return sorted(BillingPatientId(int(record)) for record, parent in await self._known("patients") if parent)
        except AWAY:
            return []

    async def _read_changed(self, rows: Sequence[wire.KareoPatient]) -> None:
        """GetPatient for the rows that show something new: themselves, or (sweeps only) another primary case.

        A poll and a sweep that meet do not read a patient twice: what is on its way to the recorder is remembered until a
        pass has been recorded.
        """
        hashes = {
            str(row.id): fingerprint((row.flattened_insurance_hash, translate.chart(row)), row.modified) for row in rows
        }
        shown = {str(row.id): row.default_case for row in rows if row.default_case}
        cases = [(PRIMARY_CASE, record, case) for record, case in shown.items()]
        async with self._reading:
            changed = await self._intake.unknown([*((ROW, record, hash_) for record, hash_ in hashes.items()), *cases])
            wanted = {record for _, record in changed if self._just_read.get(record) != hashes[record]}
            try:
                await self._read_each(wanted, hashes, shown)
            except BaseException:
                self._just_read.clear()  # what was read has perhaps not been published: the pass begins anew
                raise

    async def _read_each(self, records: set[str], hashes: dict[str, str], shown: dict[str, str]) -> None:
        async def read(record: str) -> None:
            if record not in hashes:
                await self.read_patient(BillingPatientId(int(record)))
                return
            self._just_read[record] = hashes[record]
            notes = [Note(system=System.BILLING, resource=ROW, record=record, content_hash=hashes[record])]
            if shown.get(record):
                notes.append(Note(system=System.BILLING, resource=PRIMARY_CASE, record=record, content_hash=shown[record]))
            await self.read_patient(BillingPatientId(int(record)), notes=tuple(notes))

        await self._patients.read(sorted(records.union(self._patients.due()), key=int), read)

    async def read_patient(
        self, patient: BillingPatientId, notes: tuple[Note, ...] = (), *, because: EventId | None = None
    ) -> None:
        """One patient with cases and policies, as it is now.

        Read without a list row (`notes`), the stored row hash is cleared: the next list may repeat the old row and would
        otherwise be skipped.
        """
        read_at = self._now()
        try:
            found = await self._client.get_patient(patient)
        except (Malformed, Refused) as error:
            await self._unread.patient(str(patient), *why_unread(error))
            return
        if found is None:
            if because is not None and (str(patient), str(patient)) in await self._known("patients"):
                await self._observe_gone(patient, read_at, because)
            return
        primary = next((str(case.id) for case in found.cases or () if case.is_primary), "")
        notes_if_published = (
            () if notes else (Note(system=System.BILLING, resource=ROW, record=str(patient), content_hash=""),)
        )
        if not any(note.resource == PRIMARY_CASE for note in notes):
            notes += (Note(system=System.BILLING, resource=PRIMARY_CASE, record=str(patient), content_hash=primary),)
        await self._intake.observe(
            [
                Observation(
                    body=BillingChartObserved(chart=translate.chart(found)),
                    resource="patients",
                    record=str(patient),
                    billing=patient,
                    modified=found.modified,
                    read_at=read_at,
                    parent=str(patient),
                    notes=notes,
                    notes_if_published=notes_if_published,
                    because=because,
                )
            ]
        )

    async def _confirm_gone(self, record: str) -> None:
        patient, read_at = BillingPatientId(int(record)), self._now()
        if await self._client.get_patient(patient) is None:
            await self._observe_gone(patient, read_at)

    async def _observe_gone(self, patient: BillingPatientId, read_at: datetime, because: EventId | None = None) -> None:
        gone = tuple(
            Note(system=System.BILLING, resource=resource, record=str(patient), content_hash="gone")
            for resource in (ROW, PRIMARY_CASE)
        )
        seen = Observation(
            body=BillingChartVanished(patient=patient),
            resource="patients",
            record=str(patient),
            billing=patient,
            read_at=read_at,
            notes=gone,
            because=because,
        )
        await self._intake.observe([seen])

    # -- appointments -----------------------------------------------------------------------------------------------------

    async def poll_appointments(self) -> None:
        """Appointments modified since the watermark."""
        started = self._now()
        since = self._unread.since("appointments", await self._since("kareo.appointments", started, "appointment-sweep"))
        rows = await self._client.appointments_modified(since - OVERLAP, started + AHEAD)
        await self._observe_appointments(rows)
        self._unread.polled("appointments")
        await self._finish("kareo.appointments", started)

    async def sweep_appointments(self) -> None:
        """A window of days in pieces: what polls missed, and what was deleted."""
        started = self._now()
        start = shifted(started, -timedelta(days=self._config.appointment_days_back))
        end = shifted(started, timedelta(days=self._config.appointment_days_ahead))
        present: set[str] = set()
        piece = start
        while piece < end:
            rows = await self._client.appointments(piece, min(shifted(piece, PIECE), end))
            present |= await self._observe_appointments(rows)
            piece = shifted(piece, PIECE)
        missing = {
            record: parent for record, parent in await self._known("appointments") if record not in present and parent
        }

        async def confirm(record: str) -> None:
            await self._confirm_deleted(record, missing[record], start, end)

        await self._deleted.read(missing, confirm)
        await self._finish("kareo.appointment-sweep", started)

    async def _observe_appointments(self, rows: wire.Rows[wire.BillingAppointment]) -> set[str]:
        """Publish what is new; returns the keys seen. The list names providers; an unknown name costs a GetAppointment."""
        read_at = self._now()
        await self._unread.rows("appointments", rows.bad_rows)
        series = {one.id for one in rows.rows if sum(1 for other in rows.rows if other.id == one.id) > 1 or one.is_recurring}
        listed = {
            f"{one.id}@{one.start.astimezone(UTC):%Y%m%dT%H%M}" if one.id in series else str(one.id): one
            for one in rows.rows
        }

        async def observe(key: str) -> None:
            note = fingerprint(listed[key])
            if await self._intake.unknown([(APPOINTMENT_ROW, key, note)]):
                notes = (Note(system=System.BILLING, resource=APPOINTMENT_ROW, record=key, content_hash=note),)
                await self._observe_appointment(listed[key], key, read_at, notes)

        await self._appointments.read(listed, observe)
        return {*listed, *(str(bad.id) for bad in rows.bad_rows if bad.id is not None)}

    async def _observe_appointment(
        self, one: wire.BillingAppointment, key: str, read_at: datetime, notes: tuple[Note, ...]
    ) -> None:
        if one.practice_id is not None and one.practice_id != self._client.practice_id:
            await self._unread.record("appointments", key, "belongs to another practice", "PracticeID", notes)
            return
        if one.patient_id is None:
            if one.type == "patient":
                await self._unread.record(
                    "appointments", key, "is a patient's appointment without a patient", "PatientID", notes
                )
            return
        provider = next((self._providers[name] for name in one.resource_names if name in self._providers), None)
        if provider is None:
            single = await self._client.get_appointment(one.id)
            provider = single.provider_id if single is not None else None
        seen = translate.appointment(one, key, provider)
        if seen is None:
            return
        former = await self._intake.parent("appointments", key)
        if former and former != str(seen.patient):
            await self._vanish(key, BillingPatientId(int(former)), read_at, resource="appointments.former")
        await self._intake.observe(
            [
                Observation(
                    body=BillingAppointmentObserved(appointment=seen),
                    resource="appointments",
                    record=key,
                    billing=seen.patient,
                    modified=one.modified,
                    read_at=read_at,
                    parent=str(seen.patient),
                    notes=notes,
                )
            ]
        )

    async def _confirm_deleted(self, key: str, parent: str, start: datetime, end: datetime) -> None:
        """Missing from the window: deleted, moved out of it, or not listed; the appointment itself tells."""
        read_at = self._now()
        found = await self._client.get_appointment(int(key.partition("@")[0]))
        if found is None or found.is_deleted or ("@" in key and start <= found.start <= end):
            await self._vanish(key, BillingPatientId(int(parent)), read_at)

    async def _vanish(self, key: str, patient: BillingPatientId, read_at: datetime, resource: str = "appointments") -> None:
        body = BillingAppointmentVanished(key=key, patient=patient)
        gone = (Note(system=System.BILLING, resource=APPOINTMENT_ROW, record=key, content_hash="gone"),)
        await self._intake.observe(
            [Observation(body=body, resource=resource, record=key, billing=patient, read_at=read_at, notes=gone)]
        )

    async def _since(self, source: str, started: datetime, sweep: str) -> datetime:
        """The watermark; none for one that cannot be true: the sweep, due now, brings what there is."""
        mark = await self._watermark(source)
        since = read_watermark(mark, started)
        if mark and since is None:
            log.warning("watermark_dropped", practice=self._intake.practice, source=source)
            self.passes.nudge(sweep)
        return since or started

    # -- common -----------------------------------------------------------------------------------------------------------

    async def _finish(self, source: str, mark: datetime) -> None:
        try:
            recorded = await self._intake.checkpoint(source, mark.isoformat(), within=self._patience)
        finally:
            self._just_read.clear()
        if not recorded:
            log.warning("pass_not_recorded", practice=self._intake.practice, source=source)
