"""Folding one patient's events into the projection. Pure, and the only place that changes a `Patient` on an event.

Observations may arrive late or twice: an older one never replaces a newer one.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from events.bookings import AnyBooking, EhrAppointmentGone, EhrAppointmentObserved
from events.commands import is_command
from events.holds import LeftOut, RecordLeftUnread
from events.ids import BillingPatientId
from events.insurance import EhrPoliciesObserved, PoliciesAgreed
from events.records import BillingChart, EhrBill, EhrChart
from events.schema import (
    BillingAppointmentObserved,
    BillingAppointmentVanished,
    BillingChartObserved,
    BillingChartVanished,
    BillObserved,
    ConflictRecorded,
    CounterpartsFound,
    EhrChartDeleted,
    EhrChartMerged,
    EhrChartObserved,
    Event,
    FieldsAgreed,
    IntentRequested,
    IntentSucceeded,
    IntentSuperseded,
    LinkResumed,
    LinkSuspended,
    WaitingCleared,
    WaitingDismissed,
    WaitingRaised,
)
from events.slots import parse_slot
from events.writes import (
    AnyWrite,
    BillingChartWritten,
    BillingPoliciesWritten,
    BillWritten,
    CancelEhrAppointment,
    ChangeBillingPolicies,
    CreateBillingChart,
    CreateEhrAppointment,
    CreateEhrChart,
    CreateEncounter,
    DeleteEhrAppointment,
    EhrChartWritten,
    MarkBillError,
    PoliciesWritten,
    RecordCreated,
    ReleaseBill,
    SearchBilling,
    Searched,
    SearchEhr,
    SyncPolicies,
    UpdateBillingChart,
    UpdateEhrAppointment,
    UpdateEhrChart,
)
from projections.state.asked import asked
from projections.state.bookings import booked, in_calendar
from projections.state.coverage import (
    billing_policies_written,
    chart_policies_written,
    policies_agreed,
    policies_read,
)
from projections.state.freshness import not_newer, same_save, stale
from projections.state.leaving import follow_leaving
from projections.state.open_intents import UNDER_WAY, OpenIntent, Waiting, dismiss, follow_intent, without
from projections.state.patient import (
    AppointmentState,
    BillingSide,
    BillState,
    EhrSide,
    Patient,
    Search,
    is_about,
    is_of,
    with_bill,
)
from projections.terms.codecs import PhoneNumber


def fold_patient(patient: Patient, event: Event) -> Patient:
    """`patient` after `event`. Linking, unlinking and moving links involve two patients: see `projections.state.linking`."""
    body = event.body
    if isinstance(body, IntentRequested | IntentSuperseded):  # the most frequent of all, and nothing else follows from them
        return replace(patient, intents=follow_intent(patient.intents, event))
    patient = follow_leaving(patient, body)
    match body:
        case LeftOut() | RecordLeftUnread():
            return patient
        case EhrChartObserved() | EhrChartDeleted() | EhrChartMerged():
            return _ehr_seen(patient, event, body)
        case BillingChartObserved():
            return _billing_seen(patient, body.chart, event.observed)
        case BillingChartVanished():
            return _billing_gone(patient, body.patient, event.observed)
        case BillingAppointmentObserved() | BillingAppointmentVanished():
            return _appointment_seen(patient, event, body)
        case BillObserved():
            entry = patient.bills.get(str(body.bill.id))
            stale = entry is not None and not_newer(event, entry)
            return patient if stale else _bill_seen(patient, body.bill, event.modified, event.observed)
        case EhrAppointmentObserved() | EhrAppointmentGone():
            return in_calendar(patient, event, body)
        case EhrPoliciesObserved():
            return policies_read(patient, body.policies, event.observed)
        case PoliciesAgreed():
            return policies_agreed(patient, body)
        case LinkSuspended() | LinkResumed():
            return replace(patient, link=patient.link and replace(patient.link, suspended=isinstance(body, LinkSuspended)))
        case CounterpartsFound():
            if patient.link is not None:
                return patient
            refused = patient.search is not None and patient.search.refused and patient.search.wanted == body.wanted
            return replace(patient, search=Search(wanted=body.wanted, candidates=body.candidates, refused=refused))
        case FieldsAgreed():
            return _agreed(patient, body.fields)
        case ConflictRecorded():
            recorded = {one.field: one for one in body.conflicts}
            seen = without(patient.conflicts_seen, *recorded)
            return replace(patient, conflicts={**patient.conflicts, **recorded}, conflicts_seen=seen)
        case WaitingRaised() | WaitingCleared() | WaitingDismissed():
            return _waits(patient, body, event.observed)
        case IntentSucceeded():
            known = patient.intents.get(body.slot)
            if known is not None and known.intent == body.intent:
                patient = _succeeded(patient, known.write, body, event)
    if is_command(body):
        return asked(patient, body)
    return replace(patient, intents=follow_intent(patient.intents, event))


def _waits(patient: Patient, body: WaitingRaised | WaitingCleared | WaitingDismissed, since: datetime) -> Patient:
    """What waits, and what a person has accepted as it is."""
    if isinstance(body, WaitingDismissed):
        waits, dismissed = dismiss(patient.waiting, patient.dismissed, body, since)
        return replace(patient, waiting=waits, dismissed=dismissed)
    waiting = without(patient.waiting, body.slot)
    if isinstance(body, WaitingRaised):
        one = Waiting(code=body.code, text=body.text, depends_on=body.depends_on, since=since)
        waiting = {**patient.waiting, body.slot: one}
    return replace(patient, waiting=waiting, dismissed=without(patient.dismissed, body.slot))


# -- observations ---------------------------------------------------------------------------------------------------------


def in_doubt(patient: Patient | None, event: Event) -> bool:
    """Whether an observation differs from what is known and nothing tells which is newer: a webhook says when its record was
    saved, to the second, not when it was read. So it may stand for an earlier or a later save than another webhook, a reading or
    a write of ours within that second. What is known stays, and the record has to be read again. But a chart that was merged
    away is never as before again, and may not be readable any more: of two in that second the merged one is the later."""
    match event.body:
        case EhrChartObserved(chart=chart) if patient is not None and (side := patient.ehr) is not None:
            merged = chart.merged_into is not None or side.chart.merged_into is not None
            return side.chart != chart and side.chart.id == chart.id and same_save(event, side) and not merged
        case BillObserved() if patient is not None and (entry := patient.bills.get(str(event.body.bill.id))) is not None:
            return entry.bill != event.body.bill and same_save(event, entry)
        case EhrAppointmentObserved(appointment=one) if patient is not None and str(one.id) in patient.bookings:
            known = patient.bookings[str(one.id)]
            return (known.gone or known.seen != one) and same_save(event, known)
    return False


def _merged_just_now(event: Event, body: object, known: EhrSide) -> bool:
    """A merge within the second of the save that is known."""
    return (
        isinstance(body, EhrChartObserved)
        and body.chart.merged_into is not None
        and body.chart.id == known.chart.id
        and known.chart.merged_into is None
        and event.modified == known.modified
    )


def _ehr_seen(patient: Patient, event: Event, body: EhrChartObserved | EhrChartDeleted | EhrChartMerged) -> Patient:
    side = patient.ehr
    if side is not None and not_newer(event, side) and not _merged_just_now(event, body, side):
        return patient
    match body:
        case EhrChartObserved():
            chart = body.chart
        case EhrChartDeleted():
            chart = replace(side.chart, deleted=True) if side else EhrChart(id=body.chart, deleted=True)
        case EhrChartMerged():
            chart = replace(side.chart if side else EhrChart(id=body.chart), merged_into=body.survivor)
    modified = event.modified or (side.modified if side else None)
    return _beside(replace(patient, ehr=EhrSide(chart=chart, modified=modified, read_at=event.observed)))


def _beside(patient: Patient) -> Patient:
    """The numbers beside ours that the chart still shows: one that is entered again later is somebody's entry."""
    if not patient.beside or patient.ehr is None:
        return patient
    shown = {PhoneNumber().clean(phone.number) for phone in patient.ehr.chart.phones}
    kept = {name: tuple(one for one in numbers if one in shown) for name, numbers in patient.beside.items()}
    return replace(patient, beside={name: numbers for name, numbers in kept.items() if numbers})


def _billing_gone(patient: Patient, chart: BillingPatientId, read_at: datetime) -> Patient:
    """A linked patient may be gone before it was ever read: then nothing is known of it but that."""
    side = patient.billing
    if side is None:
        gone = BillingSide(chart=BillingChart(id=chart), read_at=read_at, vanished=True)
        return patient if patient.link is None else replace(patient, billing=gone)
    return patient if side.read_at > read_at else replace(patient, billing=replace(side, vanished=True, read_at=read_at))


def _billing_seen(patient: Patient, chart: BillingChart, read_at: datetime) -> Patient:
    side = patient.billing
    if not is_of(patient, chart.id):
        return patient
    if side is not None:
        if read_at < side.read_at:
            return patient
        if chart.cases is None:
            chart = replace(chart, cases=side.chart.cases)
    return replace(patient, billing=BillingSide(chart=chart, read_at=read_at))


def _appointment_seen(
    patient: Patient, event: Event, body: BillingAppointmentObserved | BillingAppointmentVanished
) -> Patient:
    key = body.appointment.key if isinstance(body, BillingAppointmentObserved) else body.key
    known = patient.appointments.get(key)
    if known is not None and event.observed < known.read_at:
        return patient
    if isinstance(body, BillingAppointmentVanished):
        if known is None:
            return patient
        entry = replace(known, vanished=True, read_at=event.observed)
    elif known is None:
        entry = AppointmentState(seen=body.appointment, read_at=event.observed)
    else:
        entry = replace(known, seen=body.appointment, read_at=event.observed, vanished=False)
    return replace(patient, appointments={**patient.appointments, key: entry})


def _bill_seen(patient: Patient, bill: EhrBill, modified: datetime | None, read_at: datetime) -> Patient:
    known = patient.bills.get(str(bill.id))
    if known is None:
        entry = BillState(bill=bill, modified=modified, read_at=read_at, first_seen=read_at)
    elif stale(modified, read_at, known.modified, known.read_at):
        return patient
    else:
        release = known.release if bill.deferred else ""
        entry = replace(known, bill=bill, modified=modified, read_at=read_at, release=release)
    return replace(patient, bills={**patient.bills, str(bill.id): entry})


# -- outcomes -------------------------------------------------------------------------------------------------------------


def _succeeded(patient: Patient, write: AnyWrite, body: IntentSucceeded, event: Event) -> Patient:
    result = body.result
    if isinstance(write, AnyBooking):
        return booked(patient, body.slot, write, result)
    match write, result:
        case SearchEhr() | SearchBilling(), Searched():
            return replace(patient, search=(patient.search or Search()).anew(write, result.candidates))
        case CreateEhrChart(), Searched():
            wanted = patient.search.wanted if patient.search else None
            return replace(patient, search=Search(wanted=wanted, candidates=result.candidates, refused=True))
        case CreateEhrChart() | UpdateEhrChart(), EhrChartWritten():
            patient = _wrote_ehr(patient, result)
            if isinstance(write, CreateEhrChart):
                return _created(patient, result.chart.id, write.fields)
            return _updated(patient, write, result)
        case CreateBillingChart(), BillingChartWritten():
            provider = {"provider": str(write.provider)} if write.provider is not None else {}
            return _created(
                _billing_seen(patient, result.chart, result.read_at), result.chart.id, {**write.fields, **provider}
            )
        case UpdateBillingChart(), BillingChartWritten():
            return _updated(_billing_seen(patient, result.chart, result.read_at), write, result)
        case _, BillingChartWritten():
            return _billing_seen(patient, result.chart, result.read_at)
        case SyncPolicies(), PoliciesWritten():
            return chart_policies_written(patient, write, result)
        case ChangeBillingPolicies(), BillingPoliciesWritten():
            return billing_policies_written(_billing_seen(patient, result.chart, result.read_at), write, result)
        case CreateEncounter(), RecordCreated():
            sent = "" if result.otherwise else write.content
            return with_bill(patient, write.bill, encounter=result.id, encounter_at=event.observed, sent=sent, answered=None)
        case ReleaseBill(), BillWritten():
            patient = with_bill(patient, write.bill, release="done")
            return _bill_seen(patient, result.bill, result.modified, result.read_at)
        case _, BillWritten():
            patient = _bill_seen(patient, result.bill, result.modified, result.read_at)
            if isinstance(write, MarkBillError):
                answered = result.bill if is_about(write, result.bill) else None
                return with_bill(patient, write.bill, answered=answered, error=write.text, depends_on=write.depends_on)
            return with_bill(patient, result.bill.id, billed=True)
    return _appointment_written(patient, body.slot, write, result)


def _created(patient: Patient, chart: int, fields: dict[str, str]) -> Patient:
    """The other chart exists: to be linked, with what was written as base; unless the patient was linked meanwhile."""
    return patient if patient.link is not None else replace(patient, created=chart, base=fields)


def _wrote_ehr(patient: Patient, result: EhrChartWritten) -> Patient:
    side = patient.ehr
    if patient.link is not None and patient.link.ehr != result.chart.id:
        return patient
    if side is not None and stale(result.modified, result.read_at, side.modified, side.read_at):
        return patient
    return _beside(replace(patient, ehr=EhrSide(chart=result.chart, modified=result.modified, read_at=result.read_at)))


def _updated(
    patient: Patient, write: UpdateEhrChart | UpdateBillingChart, result: EhrChartWritten | BillingChartWritten
) -> Patient:
    """A demographics write is done: what was written is what both sides agreed on. What it was sent with and has been agreed
    otherwise since is there by our doing all the same, and nobody's entry. Of a chart that the link has left since nothing is agreed."""
    link = patient.link
    if link is None or result.chart.id != (link.ehr if isinstance(write, UpdateEhrChart) else link.billing):
        return patient
    ours = without(result.sent or {}, *write.fields)
    patient = _agreed(patient, write.fields)
    if isinstance(write, UpdateEhrChart) and write.beside:
        patient = _beside(replace(patient, beside={**patient.beside, **write.beside}))
    return replace(patient, base={**patient.base, **ours})


def _agreed(patient: Patient, fields: dict[str, str]) -> Patient:
    """Both sides hold `fields` now; a conflict that somebody had looked at is over, and so is what an older write under way would
    have put there: should a side show that value after this, somebody has entered it."""
    intents = {slot: _outdated(one, fields) for slot, one in patient.intents.items()}
    return replace(
        patient,
        base={**patient.base, **fields},
        intents=intents,
        conflicts_seen=without(patient.conflicts_seen, *fields),
    )


def _outdated(open_: OpenIntent, agreed: dict[str, str]) -> OpenIntent:
    """A write under way without what has been agreed otherwise since."""
    write = open_.write
    if open_.state not in UNDER_WAY or not isinstance(write, UpdateEhrChart | UpdateBillingChart):
        return open_
    kept = {name: value for name, value in write.fields.items() if agreed.get(name, value) == value}
    if kept == write.fields:
        return open_
    if "provider" not in kept:
        write = replace(write, **{"physician" if isinstance(write, UpdateEhrChart) else "provider": None})
    return replace(open_, write=replace(write, fields=kept))


def _appointment_written(patient: Patient, slot: str, write: AnyWrite, result: object) -> Patient:
    key = parse_slot(slot).id
    entry = patient.appointments.get(key)
    if entry is None:
        return patient
    match write, result:
        case CreateEhrAppointment(), RecordCreated():
            written = result.found or write.terms
            entry = replace(entry, ehr=result.id, written=written, cancelled=False, deleted=False)
        case UpdateEhrAppointment(), _:
            entry = replace(entry, written=write.terms, cancelled=False)
        case CancelEhrAppointment(), _:
            entry = replace(entry, cancelled=True)
        case DeleteEhrAppointment(), _:
            entry = replace(entry, deleted=True)
    return replace(patient, appointments={**patient.appointments, key: entry})
