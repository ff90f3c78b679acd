"""Kareo's side of the writes: what to send, what it came to, and how to see whether it was done (deploy/DESIGN.md, The flow)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec.structs import replace

from daemon.vendors.kareo import translate
from daemon.vendors.kareo.bookings import KareoBookings
from daemon.vendors.kareo.client import KareoClient
from daemon.vendors.kareo.held_charges import encounter_edits
from daemon.vendors.kareo.policies import known_of, members_of, undone, written_case
from daemon.vendors.kareo.wire import PatientWrite, new_case
from daemon.vendors.ports.errors import ChangedMeanwhile, NotAsWritten, Refused
from events.bookings import AnyBooking
from events.ids import BillingPatientId
from events.records import BillingChart
from events.schema import BillingChartObserved
from events.writes import (
    AddBillingCase,
    AnyResult,
    AnyWrite,
    BillingChartWritten,
    BillingPoliciesWritten,
    Candidate,
    ChangeBillingPolicies,
    CreateBillingChart,
    CreateEncounter,
    RecordCreated,
    SearchBilling,
    Searched,
    UpdateBillingChart,
)
from projections.rules.fields import BY_NAME, billing_view
from projections.terms.codecs import squeeze


class _AlreadyWritten(Exception):
    """The patient is already as a write would have it."""

    def __init__(self, chart: BillingChartWritten) -> None:
        self.chart = chart


class KareoWriter:
    """Carries out writes for one practice. `vendor_name` owns the external ids that make creations findable."""

    def __init__(self, client: KareoClient, *, vendor_name: str, now: Callable[[], datetime]) -> None:
        self._client = client
        self._vendor_name = vendor_name
        self._vendor: int | None = None
        self._bookings = KareoBookings(client, now=now)
        self._now = now

    async def write(self, wanted: Callable[[], AnyWrite]) -> AnyResult:
        write = wanted()
        if isinstance(write, AnyBooking):
            return await self._bookings.write(write)
        match write:
            case SearchBilling():
                return await self._search(write)
            case CreateBillingChart():
                return await self._create_chart(write)
            case UpdateBillingChart():
                return await self._update_chart(write, wanted)
            case AddBillingCase():
                return await self._add_case(write)
            case ChangeBillingPolicies():
                return await self._change_policies(write)
            case CreateEncounter():
                return await self._create_encounter(write)
        raise TypeError(type(write).__name__)

    async def look_up(self, write: AnyWrite) -> AnyResult | None:
        """Kareo rejects no duplicate, so a lost answer is always looked up before a repeat."""
        if isinstance(write, AnyBooking):
            return await self._bookings.look_up(write)
        match write:
            case CreateBillingChart():
                return await self._find_created(write)
            case UpdateBillingChart():
                written = await self._read(write.patient)
                return None if written is None or _differing(written.chart, write.fields) else written
            case AddBillingCase():
                written = await self._read(write.patient)
                return written if written is not None and written.chart.cases else None
            case ChangeBillingPolicies():
                written = await self._read(write.patient)
                return None if written is None or undone(written.chart, write) else _policies_written(written, write)
            case CreateEncounter():
                return await self._find_encounter(write)
        return None

    # -- charts -----------------------------------------------------------------------------------------------------------

    async def _search(self, write: SearchBilling) -> Searched:
        """By last name and birth date, and by both names: finds twins and nicknames as well as mistyped birth dates."""
        found: dict[int, Candidate] = {}
        rows = list(await self._client.find_patients(first_name=write.first_name, last_name=write.last_name))
        if write.birth_date is not None:
            rows += await self._client.find_patients(last_name=write.last_name, birth_date=write.birth_date)
        for row in rows:
            found[row.id] = translate.candidate(row)
        return Searched(candidates=tuple(found[id_] for id_ in sorted(found)))

    async def _vendor_id(self) -> int:
        if self._vendor is None:
            self._vendor = await self._client.ensure_external_vendor(self._vendor_name)
        return self._vendor

    async def _create_chart(self, write: CreateBillingChart) -> AnyResult:
        """Created with an external id, and confirmed by it: a second creation is refused or found."""
        vendor = await self._vendor_id()
        patient = translate.patient_write(write.fields, write.provider)
        try:
            created = await self._client.create_patient(
                patient,
                external_id=write.external_id,
                external_vendor_id=vendor,
                case=new_case(write.case_name, write.payer_scenario, tuple(members_of(one) for one in write.policies)),
            )
        except Refused:
            if (found := await self._find_created(write)) is not None:
                return found
            raise
        read_at = self._now()
        confirmed = await self._client.get_patient_by_external_id(write.external_id, vendor)
        if confirmed is None:
            await self._client.set_external_id(created.patient_id, vendor, write.external_id)
            read_at = self._now()
            confirmed = await self._client.get_patient(created.patient_id)
        if confirmed is None:
            raise NotAsWritten(("patient",))
        return BillingChartWritten(chart=translate.chart(confirmed), modified=confirmed.modified, read_at=read_at)

    async def _find_created(self, write: CreateBillingChart) -> BillingChartWritten | None:
        """By external id; else by name and birth date, just one and created lately, which then gets the external id."""
        vendor = await self._vendor_id()
        read_at = self._now()
        found = await self._client.get_patient_by_external_id(write.external_id, vendor)
        if found is None:
            lately = read_at - timedelta(hours=1)
            rows = await self._client.find_patients(
                first_name=write.fields.get("first_name"),
                last_name=write.fields.get("last_name"),
                birth_date=None
                if not write.fields.get("birth_date")
                else datetime.fromisoformat(write.fields["birth_date"]).date(),
            )
            new = [row for row in rows if row.created is not None and row.created >= lately]
            if len(new) != 1:
                return None
            await self._client.set_external_id(new[0].id, vendor, write.external_id)
            read_at = self._now()
            found = await self._client.get_patient(new[0].id)
        if found is None:
            return None
        return BillingChartWritten(chart=translate.chart(found), modified=found.modified, read_at=read_at)

    async def _update_chart(self, write: UpdateBillingChart, wanted: Callable[[], AnyWrite]) -> BillingChartWritten:
        """Read, compare, write, read: Kareo has no versions, and an edit made there since the last poll must not be lost."""

        sent: dict[str, str] = {}

        async def changes() -> PatientWrite:
            nonlocal write
            before, newest = await self._there(write.patient), wanted()
            assert isinstance(newest, UpdateBillingChart)
            write = newest
            if not _differing(before.chart, write.fields):
                raise _AlreadyWritten(before)
            if _differing(before.chart, write.expected):
                raise ChangedMeanwhile(BillingChartObserved(chart=before.chart), before.modified, before.read_at)
            sent.update(write.fields)
            return translate.patient_write(_names(before.chart) | write.fields, write.provider)

        for last in (False, True):
            try:
                await self._client.update_patient(write.patient, changes)
            except _AlreadyWritten as found:
                return replace(found.chart, sent=sent)
            written = await self._read(write.patient)
            if written is None:
                raise NotAsWritten(("patient",))
            differing = _differing(written.chart, write.fields)
            if not differing:
                return replace(written, sent=sent)
            if last or _differing(written.chart, {name: write.expected[name] for name in differing}):
                break  # as before: not kept, or put back by somebody in that very moment; the second time tells
        raise NotAsWritten(differing)

    async def _add_case(self, write: AddBillingCase) -> BillingChartWritten:
        async def changes() -> PatientWrite:
            before = await self._there(write.patient)
            if before.chart.cases:
                raise _AlreadyWritten(before)
            return translate.patient_write(_names(before.chart), None)

        try:
            await self._client.update_patient(write.patient, changes, case=new_case(write.case_name, write.payer_scenario))
        except _AlreadyWritten as found:
            return found.chart
        written = await self._read(write.patient)
        if written is None or not written.chart.cases:
            raise NotAsWritten(("case",))
        return written

    async def _change_policies(self, write: ChangeBillingPolicies) -> BillingPoliciesWritten:
        """Read, compare with the reading it was decided on, write, read. A repeated addition would make a second policy."""

        async def changes() -> PatientWrite:
            before = await self._there(write.patient)
            if before.chart.cases != write.before:
                if not undone(before.chart, write):
                    raise _AlreadyWritten(before)
                raise ChangedMeanwhile(BillingChartObserved(chart=before.chart), before.modified, before.read_at)
            return translate.patient_write(_names(before.chart), None)

        try:
            await self._client.update_patient(write.patient, changes, case=written_case(write))
        except _AlreadyWritten as found:
            return _policies_written(found.chart, write)
        written = await self._read(write.patient)
        if written is None:
            raise NotAsWritten(("patient",))
        if left := undone(written.chart, write, answered=True):
            raise NotAsWritten(left)
        return _policies_written(written, write)

    async def _read(self, patient: BillingPatientId) -> BillingChartWritten | None:
        read_at = self._now()
        found = await self._client.get_patient(patient)
        if found is None:
            return None
        return BillingChartWritten(chart=translate.chart(found), modified=found.modified, read_at=read_at)

    async def _there(self, patient: BillingPatientId) -> BillingChartWritten:
        """The patient as they are now. Raises Refused for one who is gone."""
        found = await self._read(patient)
        if found is None:
            raise Refused("kareo.UpdatePatient", vendor_text="the patient is gone")
        return found

    # -- bills ------------------------------------------------------------------------------------------------------------

    async def _create_encounter(self, write: CreateEncounter) -> RecordCreated:
        """Kareo takes the same bill twice, so it is looked for first: whatever was forgotten, nobody is billed twice.

        That includes a bill that moved to another chart with a merge, and a database restored from an old backup.
        """
        if write.batch and (found := await self._find_encounter(write, compare=True)) is not None:
            return found
        created = await self._client.create_encounter(translate.encounter_write(write))
        return RecordCreated(id=created.encounter_id)

    async def _find_encounter(self, write: CreateEncounter, *, compare: bool = False) -> RecordCreated | None:
        """By the charges that carry the bill id in BatchNumber; where batches are the practice's own, by patient, day, codes.

        `compare`: what an earlier write sent may have been the bill as it was before it was edited.
        """
        charges = await self._client.charges_by_batch(
            write.batch, service_from=write.service_day, service_to=write.service_day
        )
        codes = {line.cpt for line in write.lines}
        encounters: dict[int, set[str]] = {}
        for charge in charges:
            if charge.encounter_id is not None and (write.batch or charge.patient_id == write.patient):
                encounters.setdefault(charge.encounter_id, set()).add(squeeze(charge.procedure_code))
        if write.batch:
            if not encounters:
                return None
            first = min(encounters)
            held = [one for one in charges if one.encounter_id == first]
            return RecordCreated(id=first, otherwise=compare and bool(encounter_edits(write, held)))
        same = [id_ for id_, found in encounters.items() if found == codes]
        if len(same) > 1:
            raise Refused(
                "kareo.GetCharges", vendor_text="several encounters of this patient, day and codes: a person has to look"
            )
        return RecordCreated(id=same[0]) if same else None


def _policies_written(found: BillingChartWritten, write: ChangeBillingPolicies) -> BillingPoliciesWritten:
    known = known_of(found.chart, write)
    return BillingPoliciesWritten(chart=found.chart, modified=found.modified, read_at=found.read_at, known=known)


def _names(chart: BillingChart) -> dict[str, str]:
    """Every update has to name the patient: as Kareo has them now, or an edit of a name would be lost."""
    return {"first_name": chart.first_name, "last_name": chart.last_name}


def _differing(chart: BillingChart, fields: dict[str, str]) -> tuple[str, ...]:
    """The fields (by canonical name) that the patient does not show as written."""
    shown = billing_view(chart)
    return tuple(
        name for name, value in fields.items() if BY_NAME[name].codec.key(shown[name]) != BY_NAME[name].codec.key(value)
    )
