"""Folding one patient's events into the projection. Pure, and the only place that changes a `Patient` on an event.

Observations may arrive late or twice: an older one never replaces a newer one.
"""

from __future__ import annotations

from datetime import datetime

from events.commands import BillResendRequested, ConflictSeen, ResyncRequested, RetryRequested
from events.ids import KareoPatientId
from events.records import ElationBill, ElationChart, KareoChart
from events.schema import (
    BillObserved,
    ConflictRecorded,
    CounterpartsFound,
    ElationChartDeleted,
    ElationChartMerged,
    ElationChartObserved,
    Event,
    FieldsAgreed,
    IntentSucceeded,
    KareoAppointmentObserved,
    KareoAppointmentVanished,
    KareoChartObserved,
    KareoChartVanished,
    LinkResumed,
    LinkSuspended,
    WaitingCleared,
    WaitingDismissed,
    WaitingRaised,
)
from events.writes import (
    AnyWrite,
    BillWritten,
    CancelElationAppointment,
    CreateElationAppointment,
    CreateElationChart,
    CreateEncounter,
    CreateKareoChart,
    DeleteElationAppointment,
    ElationChartWritten,
    KareoChartWritten,
    MarkBillError,
    PoliciesWritten,
    RecordCreated,
    Searched,
    SearchElation,
    SearchKareo,
    SyncPolicies,
    UpdateElationAppointment,
    UpdateElationChart,
    UpdateKareoChart,
)
from projections.state.open_intents import UNDER_WAY, OpenIntent, Waiting, again, dismiss, follow_intent, put, without
from projections.state.patient import Appointment, Bill, ElationSide, KareoSide, Patient, Search, WrittenPolicy, is_of


def fold_patient(patient: Patient, event: Event) -> Patient:
    """`patient` after `event`. Linking, unlinking and moving links involve two patients: see `projections.linking`."""
    body = event.body
    match body:
        case ElationChartObserved() | ElationChartDeleted() | ElationChartMerged():
            return _elation_seen(patient, event, body)
        case KareoChartObserved():
            return _kareo_seen(patient, body.chart, event.observed)
        case KareoChartVanished():
            return _kareo_gone(patient, body.patient, event.observed)
        case KareoAppointmentObserved() | KareoAppointmentVanished():
            return _appointment_seen(patient, event, body)
        case BillObserved():
            entry = patient.bills.get(str(body.bill.id))
            if entry is not None and _not_newer(event, entry):
                return patient
            return _bill_seen(patient, body.bill, event.modified, event.observed)
        case LinkSuspended() | LinkResumed():
            link = patient.link and put(patient.link, suspended=isinstance(body, LinkSuspended))
            return put(patient, link=link)
        case CounterpartsFound():
            if patient.link is not None:
                return patient
            return put(patient, search=Search(wanted=body.wanted, candidates=body.candidates))
        case FieldsAgreed():
            return _agreed(patient, body.fields)
        case ConflictRecorded():
            recorded = {one.field: one for one in body.conflicts}
            seen = without(patient.conflicts_seen, *recorded)
            return put(patient, conflicts={**patient.conflicts, **recorded}, conflicts_seen=seen)
        case ConflictSeen():
            fields = body.fields or tuple(patient.conflicts)
            seen = {field: patient.conflicts[field] for field in fields if field in patient.conflicts}
            conflicts = without(patient.conflicts, *fields)
            return put(patient, conflicts=conflicts, conflicts_seen={**patient.conflicts_seen, **seen})
        case WaitingRaised():
            waiting = Waiting(code=body.code, text=body.text, depends_on=body.depends_on, since=event.observed)
            dismissed = without(patient.dismissed, body.slot)
            return put(patient, waiting={**patient.waiting, body.slot: waiting}, dismissed=dismissed)
        case WaitingCleared():
            dismissed = without(patient.dismissed, body.slot)
            return put(patient, waiting=without(patient.waiting, body.slot), dismissed=dismissed)
        case WaitingDismissed():
            waits, dismissed = dismiss(patient.waiting, patient.dismissed, body, event.observed)
            return put(patient, waiting=waits, dismissed=dismissed)
        case ResyncRequested():
            return put(patient, search=None, held=None if body.as_new else patient.held)
        case RetryRequested():
            slots = body.slots or tuple(patient.intents)
            intents = {slot: again(one) if slot in slots else one for slot, one in patient.intents.items()}
            return put(patient, intents=intents, dismissed=without(patient.dismissed, *slots))
        case BillResendRequested():
            slot = f"bill:{body.bill}"
            intents = {name: again(one) if name == slot else one for name, one in patient.intents.items()}
            patient = put(patient, intents=intents, dismissed=without(patient.dismissed, slot))
            return _bill(patient, body.bill, answered=None, error="")
        case IntentSucceeded():
            known = patient.intents.get(body.slot)
            if known is not None and known.intent == body.intent:
                patient = _succeeded(patient, known.write, body, event)
    return put(patient, intents=follow_intent(patient.intents, event))


# -- observations ---------------------------------------------------------------------------------------------------------


def stale(modified: datetime | None, read_at: datetime, known_modified: datetime | None, known_read_at: datetime) -> bool:
    """Whether an Elation record is older than the one known: by its own modified time, on equal times by the reading.

    What came by webhook has no time of reading (its `read_at` is its modified time, by Elation's clock, which may be ahead of
    ours): what was read after its arrival is newer.
    """
    if modified is not None and known_modified is not None and modified != known_modified:
        return modified < known_modified
    return known_read_at != known_modified and read_at < known_read_at


def in_doubt(patient: Patient | None, event: Event) -> bool:
    """Whether an observation differs from what is known and nothing tells which is newer: a webhook says when its record was
    saved, to the second, not when it was read. So it may stand for an earlier or a later save than another webhook, a reading or
    a write of ours within that second. What is known stays, and the record has to be read again. But a chart that was merged
    away is never as before again, and may not be readable any more: of two in that second the merged one is the later."""
    match event.body:
        case ElationChartObserved(chart=chart) if patient is not None and (side := patient.elation) is not None:
            merged = chart.merged_into is not None or side.chart.merged_into is not None
            return side.chart != chart and side.chart.id == chart.id and _same_save(event, side) and not merged
        case BillObserved() if patient is not None and (entry := patient.bills.get(str(event.body.bill.id))) is not None:
            return entry.bill != event.body.bill and _same_save(event, entry)
    return False


def _same_save(event: Event, known: ElationSide | Bill) -> bool:
    """A webhook of the second in which what is known was saved."""
    return event.modified is not None and event.observed == event.modified == known.modified


def _not_newer(event: Event, known: ElationSide | Bill) -> bool:
    """Whether an observation is to be left alone."""
    return _same_save(event, known) or stale(event.modified, event.observed, known.modified, known.read_at)


def _merged_just_now(event: Event, body: object, known: ElationSide) -> bool:
    """A merge within the second of the save that is known."""
    return (
        isinstance(body, ElationChartObserved)
        and body.chart.merged_into is not None
        and body.chart.id == known.chart.id
        and known.chart.merged_into is None
        and event.modified == known.modified
    )


def _elation_seen(
    patient: Patient, event: Event, body: ElationChartObserved | ElationChartDeleted | ElationChartMerged
) -> Patient:
    side = patient.elation
    if side is not None and _not_newer(event, side) and not _merged_just_now(event, body, side):
        return patient
    match body:
        case ElationChartObserved():
            chart = body.chart
        case ElationChartDeleted():
            chart = put(side.chart, deleted=True) if side else ElationChart(id=body.chart, deleted=True)
        case ElationChartMerged():
            chart = put(side.chart if side else ElationChart(id=body.chart), merged_into=body.survivor)
    modified = event.modified or (side.modified if side else None)
    return put(patient, elation=ElationSide(chart=chart, modified=modified, read_at=event.observed))


def _kareo_gone(patient: Patient, chart: KareoPatientId, read_at: datetime) -> Patient:
    """A linked patient may be gone before it was ever read: then nothing is known of it but that."""
    side = patient.kareo
    if side is None:
        gone = KareoSide(chart=KareoChart(id=chart), read_at=read_at, vanished=True)
        return patient if patient.link is None else put(patient, kareo=gone)
    return patient if side.read_at > read_at else put(patient, kareo=put(side, vanished=True, read_at=read_at))


def _kareo_seen(patient: Patient, chart: KareoChart, read_at: datetime) -> Patient:
    side = patient.kareo
    if not is_of(patient, chart.id):
        return patient
    if side is not None:
        if read_at < side.read_at:
            return patient
        if chart.cases is None:
            chart = put(chart, cases=side.chart.cases)
    return put(patient, kareo=KareoSide(chart=chart, read_at=read_at))


def _appointment_seen(patient: Patient, event: Event, body: KareoAppointmentObserved | KareoAppointmentVanished) -> Patient:
    key = body.appointment.key if isinstance(body, KareoAppointmentObserved) else body.key
    known = patient.appointments.get(key)
    if known is not None and event.observed < known.read_at:
        return patient
    if isinstance(body, KareoAppointmentVanished):
        if known is None:
            return patient
        entry = put(known, vanished=True, read_at=event.observed)
    elif known is None:
        entry = Appointment(seen=body.appointment, read_at=event.observed)
    else:
        entry = put(known, seen=body.appointment, read_at=event.observed, vanished=False)
    return put(patient, appointments={**patient.appointments, key: entry})


def _bill_seen(patient: Patient, bill: ElationBill, modified: datetime | None, read_at: datetime) -> Patient:
    known = patient.bills.get(str(bill.id))
    if known is None:
        entry = Bill(bill=bill, modified=modified, read_at=read_at, first_seen=read_at)
    elif stale(modified, read_at, known.modified, known.read_at):
        return patient
    else:
        entry = put(known, bill=bill, modified=modified, read_at=read_at)
    return put(patient, bills={**patient.bills, str(bill.id): entry})


# -- outcomes -------------------------------------------------------------------------------------------------------------


def _succeeded(patient: Patient, write: AnyWrite, body: IntentSucceeded, event: Event) -> Patient:
    result = body.result
    match write, result:
        case SearchElation() | SearchKareo(), Searched():
            return put(patient, search=Search(wanted=write, candidates=result.candidates))
        case CreateElationChart(), Searched():
            wanted = patient.search.wanted if patient.search else None
            return put(patient, search=Search(wanted=wanted, candidates=result.candidates, refused=True))
        case CreateElationChart() | UpdateElationChart(), ElationChartWritten():
            patient = _wrote_elation(patient, result)
            if isinstance(write, CreateElationChart):
                return _created(patient, result.chart.id, write.fields)
            return _updated(patient, write, result)
        case CreateKareoChart(), KareoChartWritten():
            provider = {"provider": str(write.provider)} if write.provider is not None else {}
            return _created(
                _kareo_seen(patient, result.chart, result.read_at), result.chart.id, {**write.fields, **provider}
            )
        case UpdateKareoChart(), KareoChartWritten():
            return _updated(_kareo_seen(patient, result.chart, result.read_at), write, result)
        case _, KareoChartWritten():
            return _kareo_seen(patient, result.chart, result.read_at)
        case SyncPolicies(), PoliciesWritten():
            terms = {str(one.kareo_policy): one for one in write.terms}
            written = {
                key: WrittenPolicy(elation=result.known[key], terms=one) for key, one in terms.items() if key in result.known
            }
            return put(patient, policies=written)
        case CreateEncounter(), RecordCreated():
            return _bill(
                patient, write.bill, encounter=result.id, encounter_at=event.observed, sent=write.content, answered=None
            )
        case _, BillWritten():
            patient = _bill_seen(patient, result.bill, result.modified, result.read_at)
            if isinstance(write, MarkBillError):
                return _bill(patient, write.bill, answered=result.bill, error=write.text)
            return _bill(patient, result.bill.id, billed=True)
    return _appointment_written(patient, body.slot, write, result)


def _created(patient: Patient, chart: int, fields: dict[str, str]) -> Patient:
    """The other chart exists: to be linked, with what was written as base; unless the patient was linked meanwhile."""
    return patient if patient.link is not None else put(patient, created=chart, base=fields)


def _wrote_elation(patient: Patient, result: ElationChartWritten) -> Patient:
    side = patient.elation
    if patient.link is not None and patient.link.elation != result.chart.id:
        return patient
    if side is not None and stale(result.modified, result.read_at, side.modified, side.read_at):
        return patient
    return put(patient, elation=ElationSide(chart=result.chart, modified=result.modified, read_at=result.read_at))


def _updated(
    patient: Patient, write: UpdateElationChart | UpdateKareoChart, result: ElationChartWritten | KareoChartWritten
) -> Patient:
    """A demographics write is done: what was written is what both sides agreed on. What it was sent with and has been agreed
    otherwise since is there by our doing all the same, and nobody's entry."""
    ours = without(result.sent or {}, *write.fields)
    patient = _agreed(patient, write.fields)
    return put(patient, base={**patient.base, **ours})


def _agreed(patient: Patient, fields: dict[str, str]) -> Patient:
    """Both sides hold `fields` now; a conflict that somebody had looked at is over, and so is what an older write under way would
    have put there: should a side show that value after this, somebody has entered it."""
    intents = {slot: _outdated(one, fields) for slot, one in patient.intents.items()}
    return put(
        patient,
        base={**patient.base, **fields},
        intents=intents,
        conflicts_seen=without(patient.conflicts_seen, *fields),
    )


def _outdated(open_: OpenIntent, agreed: dict[str, str]) -> OpenIntent:
    """A write under way without what has been agreed otherwise since."""
    write = open_.write
    if open_.state not in UNDER_WAY or not isinstance(write, UpdateElationChart | UpdateKareoChart):
        return open_
    kept = {name: value for name, value in write.fields.items() if agreed.get(name, value) == value}
    if kept == write.fields:
        return open_
    if "provider" not in kept:
        write = put(write, **{"physician" if isinstance(write, UpdateElationChart) else "provider": None})
    return put(open_, write=put(write, fields=kept))


def _bill(patient: Patient, bill: int, **changes: object) -> Patient:
    entry = patient.bills.get(str(bill))
    return patient if entry is None else put(patient, bills={**patient.bills, str(bill): put(entry, **changes)})


def _appointment_written(patient: Patient, slot: str, write: AnyWrite, result: object) -> Patient:
    key = slot.removeprefix("appointment:")
    entry = patient.appointments.get(key)
    if entry is None:
        return patient
    match write, result:
        case CreateElationAppointment(), RecordCreated():
            entry = put(entry, elation=result.id, written=write.terms, cancelled=False, deleted=False)
        case UpdateElationAppointment(), _:
            entry = put(entry, written=write.terms, cancelled=False)
        case CancelElationAppointment(), _:
            entry = put(entry, cancelled=True)
        case DeleteElationAppointment(), _:
            entry = put(entry, deleted=True)
    return put(patient, appointments={**patient.appointments, key: entry})
