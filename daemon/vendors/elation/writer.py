"""Elation's side of the writes: what to send, what it came to, and how to see whether it was done (deploy/DESIGN.md, The flow)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from msgspec.structs import replace

from daemon.vendors.elation import insurers, translate
from daemon.vendors.elation import resources as wire
from daemon.vendors.elation.bill_writing import BillWriting
from daemon.vendors.elation.client import ElationClient
from daemon.vendors.elation.looking import found_in, whole
from daemon.vendors.ports.errors import ChangedMeanwhile, Duplicate, Gone, NotAsWritten, NotFound
from events.ids import EhrChartId
from events.insurance import EhrPoliciesObserved
from events.records import EhrChart
from events.schema import EhrChartObserved
from events.terms import AppointmentTerms, PolicyTerms
from events.writes import (
    AnyResult,
    AnyWrite,
    CancelEhrAppointment,
    Candidate,
    CreateCarrier,
    CreateEhrAppointment,
    CreateEhrChart,
    CreatePlan,
    DeleteEhrAppointment,
    Done,
    EhrChartWritten,
    MarkBilled,
    MarkBillError,
    PoliciesWritten,
    RecordCreated,
    ReleaseBill,
    Searched,
    SearchEhr,
    SyncPolicies,
    UpdateCarrier,
    UpdateEhrAppointment,
    UpdateEhrChart,
)
from projections.rules.fields import BY_NAME, Beside, own_phones, phones_beside

CANCELLED = ("cancelled", "canceled")
"""As Elation names it; what people have made of an appointment since stays."""


class ElationWriter:
    """Carries out writes for one practice. `zone` is the practice's, for bills that name none; `policies_written` hears whose
    policies were written."""

    def __init__(
        self,
        client: ElationClient,
        *,
        zone: str,
        now: Callable[[], datetime],
        policies_written: Callable[[EhrChartId], None] | None = None,
    ) -> None:
        self._client = client
        self._bills = BillWriting(client, zone, now)
        self._now = now
        self._policies_written = policies_written

    async def write(self, wanted: Callable[[], AnyWrite]) -> AnyResult:
        match write := wanted():
            case SearchEhr():
                return await self._search(write)
            case CreateEhrChart():
                return await self._create_chart(write)
            case UpdateEhrChart():
                return await self._update_chart(write, wanted)
            case CreateCarrier():
                return await insurers.create_carrier(self._client, write)
            case UpdateCarrier():
                return await insurers.update_carrier(self._client, write)
            case CreatePlan():
                return await insurers.create_plan(self._client, write)
            case SyncPolicies():
                return await self._sync_policies(write)
            case CreateEhrAppointment():
                return await self._create_appointment(write)
            case UpdateEhrAppointment() | CancelEhrAppointment():
                return await self._update_appointment(write)
            case DeleteEhrAppointment():
                return await self._delete_appointment(write)
            case MarkBilled() | MarkBillError():
                return await self._bills.answer(write)
            case ReleaseBill():
                return await self._bills.release(write)
        raise TypeError(type(write).__name__)

    async def look_up(self, write: AnyWrite) -> AnyResult | None:
        """What reads first when it is repeated is not looked for: only true creations are."""
        match write:
            case CreateCarrier():
                return await insurers.find_carrier(self._client, write)
            case CreatePlan():
                return await insurers.find_plan(self._client, write)
            case CreateEhrAppointment():
                return await self._find_appointment(write)
            case CreateEhrChart():
                return await self._find_created(write)
            case UpdateEhrChart():
                read_at = self._now()
                patient = await self._client.get_patient(write.chart)
                if _differing(translate.chart(patient), write.fields, write.beside):
                    return None
                return _written(patient, read_at)
        return None

    # -- charts -----------------------------------------------------------------------------------------------------------

    async def _search(self, write: SearchEhr) -> Searched:
        """By last name and birth date, and by both names: finds twins and nicknames as well as mistyped birth dates."""
        found: dict[int, Candidate] = {}
        named = self._client.patients(
            first_name=write.first_name, last_name=write.last_name, practice=self._client.practice_id
        )
        async for patient in whole(named, "elation.GET /patients/"):
            found[patient.id] = translate.candidate(patient)
        if write.birth_date is not None:
            born = self._client.patients(last_name=write.last_name, dob=write.birth_date, practice=self._client.practice_id)
            async for patient in whole(born, "elation.GET /patients/"):
                found[patient.id] = translate.candidate(patient)
        return Searched(candidates=tuple(found[id_] for id_ in sorted(found)))

    async def _create_chart(self, write: CreateEhrChart) -> AnyResult:
        body = translate.patient_body(write.fields, write.physician, None)
        body |= {"caregiver_practice": self._client.practice_id, "metadata": {"object_id": write.link_hint}}
        read_at = self._now()
        try:
            patient = await self._client.create_patient(body)
        except Duplicate as duplicate:
            return await self._judge_duplicate(write, duplicate)
        return _written(patient, read_at)

    async def _find_created(self, write: CreateEhrChart) -> EhrChartWritten | None:
        """By our own metadata, among the charts of the same names."""
        read_at, fields = self._now(), write.fields
        named = self._client.patients(
            first_name=fields.get("first_name", ""), last_name=fields.get("last_name", ""), practice=self._client.practice_id
        )
        ours = await found_in(named, lambda one: _hint(one) == write.link_hint, "elation.GET /patients/")
        return _written(ours[0], read_at) if ours else None

    async def _judge_duplicate(self, write: CreateEhrChart, duplicate: Duplicate) -> AnyResult:
        """The 409 may name our own earlier creation, or somebody else's chart: look, never write over it."""
        if duplicate.existing is None:
            raise duplicate
        read_at = self._now()
        try:
            existing = await self._client.get_patient(duplicate.existing)
        except (NotFound, Gone):
            raise duplicate from None
        if _hint(existing) == write.link_hint:
            return _written(existing, read_at)
        return Searched(candidates=(translate.candidate(existing),), refused=True)

    async def _update_chart(self, write: UpdateEhrChart, wanted: Callable[[], AnyWrite]) -> AnyResult:
        """Read, compare, write: what somebody else has just changed is not overwritten unseen."""
        read_at = self._now()
        before, newest = await self._client.get_patient(write.chart), wanted()
        assert isinstance(newest, UpdateEhrChart)
        write, current = newest, translate.chart(before)
        if not _differing(current, write.fields, write.beside) and write.physician in (None, current.physician):
            return _written(before, read_at, sent={})
        reassigned = write.replaces is not None and current.physician not in (write.replaces, write.physician)
        if reassigned or _differing(current, write.expected, write.beside):
            raise ChangedMeanwhile(EhrChartObserved(chart=current), before.last_modified, read_at)
        beside = {**write.beside, **phones_beside(current, write.fields, write.expected)}
        body = translate.patient_body(write.fields, write.physician, current, beside)
        read_at = self._now()
        patient = await self._client.update_patient(write.chart, body)
        differing = _differing(translate.chart(patient), write.fields, beside)
        if differing:
            raise NotAsWritten(differing)
        return _written(patient, read_at, sent=write.fields)

    # -- insurance --------------------------------------------------------------------------------------------------------

    async def _sync_policies(self, write: SyncPolicies) -> PoliciesWritten:
        """Read, change what differs, read again: convergent, so a lost answer is settled by doing it again.

        Where insurance goes both ways, policies that are not as they were decided on have to be decided on anew.
        """
        read_at = self._now()
        before = {one.id: one for one in await self._client.list_policies(write.chart)}
        _as_decided_on(write, before.values(), read_at)
        who: dict[str, object] = {
            "practice_id": self._client.practice_id,
            "patient_id": write.chart,
            "patient_first_name": write.first_name,
            "patient_last_name": write.last_name,
            "patient_dob": write.birth_date.isoformat(),
        }
        for id_ in write.remove:
            if id_ in before and before[id_].status == "active":
                await self._client.replace_policy(write.chart, id_, {**before[id_].raw, "status": "inactive", "rank": None})
        known: dict[str, int] = {}
        taken: set[int] = set()
        changed = bool(write.remove)
        for terms in write.terms:
            body = translate.policy_body(terms, who)
            target = _policy_for(terms, write.known, before, taken)
            if target is None:
                created = await self._client.create_policy(write.chart, translate.policy_body(replace(terms, keeps=()), who))
                known[str(terms.billing_policy)] = created.id
                changed = True
            else:
                known[str(terms.billing_policy)] = target.id
                if any(target.raw.get(name) != value for name, value in body.items()):
                    await self._client.replace_policy(write.chart, target.id, {**target.raw, **body})
                    changed = True
            taken.add(known[str(terms.billing_policy)])
        read_at = self._now() if changed else read_at
        after = await self._client.list_policies(write.chart) if changed else list(before.values())
        ours = set(known.values()) | set(write.remove)
        displaced = tuple(
            one.id
            for one in after
            if one.id not in ours and one.status != "active" and one.id in before and before[one.id].status == "active"
        )
        if changed and self._policies_written is not None:
            self._policies_written(write.chart)
        kept = tuple(translate.policy(one) for one in after)
        read = translate.chart_policies(after)
        return PoliciesWritten(known=known, policies=kept, displaced=displaced, read=read, read_at=read_at)

    # -- appointments -----------------------------------------------------------------------------------------------------

    async def _create_appointment(self, write: CreateEhrAppointment) -> RecordCreated:
        """Without `reason` the type stays "None"."""
        body = {**_terms(write.terms), "patient": write.chart, "practice": self._client.practice_id}
        body |= {"metadata": {"object_id": write.link_hint}}
        return RecordCreated(id=(await self._client.create_appointment(body)).id)

    async def _find_appointment(self, write: CreateEhrAppointment) -> RecordCreated | None:
        """On whatever day: it may have been moved since somebody made it, in a time that was lost."""
        ours = await found_in(
            self._client.appointments(patient=write.chart),
            lambda one: one.metadata is not None and one.metadata.object_id == write.link_hint,
            "elation.GET /appointments/",
        )
        return RecordCreated(id=ours[0].id, found=_otherwise(ours[0], write.terms)) if ours else None

    async def _update_appointment(self, write: UpdateEhrAppointment | CancelEhrAppointment) -> Done:
        """Read, change, send the full set: a partial update may be refused, and the type set by staff stays."""
        try:
            current = await self._client.get_appointment(write.appointment)
        except Gone:
            if isinstance(write, CancelEhrAppointment):
                return Done(already=True)
            raise
        status = current.status.status if current.status and current.status.status else "Scheduled"
        body: dict[str, object] = {
            "patient": current.patient,
            "practice": current.practice,
            "scheduled_date": translate.instant(current.scheduled_date),
            "duration": current.duration,
            "physician": current.physician,
            "service_location": current.service_location,
            "reason": current.reason or None,
        }
        if isinstance(write, CancelEhrAppointment):
            status = "Cancelled"
        else:
            body |= _terms(write.terms)
            status = "Scheduled" if write.revive and status.casefold() in CANCELLED else status
        body["status"] = {"status": status}
        await self._client.update_appointment(write.appointment, body)
        return Done()

    async def _delete_appointment(self, write: DeleteEhrAppointment) -> Done:
        try:
            await self._client.delete_appointment(write.appointment)
        except (NotFound, Gone):
            return Done(already=True)
        return Done()


def _hint(patient: wire.Patient) -> str | None:
    return None if patient.metadata is None else patient.metadata.object_id


def _written(patient: wire.Patient, read_at: datetime, sent: dict[str, str] | None = None) -> EhrChartWritten:
    chart = translate.chart(patient)
    return EhrChartWritten(chart=chart, modified=patient.last_modified, read_at=read_at, sent=sent)


def _differing(chart: EhrChart, fields: dict[str, str], beside: Beside) -> tuple[str, ...]:
    """The fields (by canonical name) that the chart does not show as written; the provider is checked by its id alone."""
    shown = {
        "birth_date": chart.birth_date.isoformat() if chart.birth_date else "",
        "email": chart.emails[0] if chart.emails else "",
        **own_phones(chart, (fields,), beside),
    }
    return tuple(
        name
        for name, value in fields.items()
        if name != "provider"
        and BY_NAME[name].codec.key(shown.get(name, getattr(chart, name, ""))) != BY_NAME[name].codec.key(value)
    )


def _as_decided_on(write: SyncPolicies, policies: Iterable[wire.Policy], read_at: datetime) -> None:
    """Raises ChangedMeanwhile where the policies are not those that the write was decided on."""
    held = translate.chart_policies(policies)
    if write.seen is not None and held != write.seen:
        raise ChangedMeanwhile(EhrPoliciesObserved(chart=write.chart, policies=held), None, read_at)


def _policy_for(
    terms: PolicyTerms, known: dict[str, int], policies: dict[int, wire.Policy], taken: set[int]
) -> wire.Policy | None:
    """The Elation policy that holds these terms: ours by id, else one of the same carrier and member number."""
    ours = policies.get(known.get(str(terms.billing_policy), 0))
    if ours is not None:
        return ours
    same = [
        one
        for one in policies.values()
        if one.id not in taken
        and one.id not in known.values()
        and one.carrier_id == terms.carrier_id
        and one.member_id.casefold() == terms.member_id.casefold()
        and one.member_id
    ]
    active = [one for one in same if one.status == "active"]
    return min(active or same, key=lambda one: one.id, default=None)


def _terms(terms: AppointmentTerms) -> dict[str, object]:
    return {
        "scheduled_date": translate.instant(terms.start),
        "duration": terms.minutes,
        "physician": terms.physician,
        "description": terms.description,
    }


def _otherwise(held: wire.Appointment, terms: AppointmentTerms) -> AppointmentTerms | None:
    """When and with whom an appointment is, where that is not as it shall be. What somebody wrote in its description since is left alone."""
    start, minutes, physician = held.scheduled_date, held.duration, held.physician
    if start is None or minutes is None or physician is None:
        return None
    found = AppointmentTerms(start=start, minutes=minutes, physician=physician, description=terms.description)
    return None if found == terms else found
