"""What is recorded of a patient kept out: that a record was seen, and which. Decided before anything is folded or stored.

The practice's rule is asked here, too: who fits it when first read is kept out before anything of the chart is stored, and who
does not fit it any more is let in with what was just read.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from events.bookings import EhrAppointmentGone
from events.holds import KeptOut, RecordLeftUnread
from events.ids import PRACTICE, BillingPatientId, EhrChartId
from events.schema import (
    BillingAppointmentVanished,
    BillingChartObserved,
    BillingChartVanished,
    Body,
    ChangeQuarantined,
    EhrChartDeleted,
    EhrChartMerged,
    EhrChartObserved,
    Event,
    IntentSucceeded,
    Origin,
)
from events.writes import Candidate, Searched, SearchEhr, System
from projections.deciding.set_back import as_read
from projections.rules.holds import is_kept_out, kept_out, ruled_at_sight
from projections.state.leaving import record_in
from projections.state.patient import BillingSide, EhrSide, Patient
from projections.state.state import PracticeState
from projections.terms.policy import Policy


def as_recorded(event: Event, state: PracticeState, policy: Policy, now: datetime) -> tuple[KeptOut | None, Event]:
    """What is recorded in place of `event`; and what is recorded before it, where the rule says something new of its patient."""
    event = as_read(event, state.patients.get(state.key_of(event.ehr, event.billing)), now)
    body = event.body
    if isinstance(body, IntentSucceeded) and isinstance(body.result, Searched):
        return None, _without_left_out(event, body, body.result, state)
    if event.origin not in (Origin.EHR, Origin.BILLING):
        return None, event
    if isinstance(body, ChangeQuarantined):
        return None, _unreadable(event, body, state)
    if not (state.directory.kept_out or policy.keep_out) or (record := record_in(body)) is None:
        return None, event
    key = state.key_of(event.ehr, event.billing)
    known = state.patients.get(key)
    patient = known or Patient(key=key)
    read = _as_read(patient, event)
    news = None if read is None else ruled_at_sight(read, state.directory, policy, known=known is not None)
    out = news.out if news is not None else kept_out(state.directory, patient) is not None
    return news, replace(event, body=_of_it(body, record)) if out else event


def _as_read(patient: Patient, event: Event) -> Patient | None:
    """The patient with the chart that was just read; None where it is no chart that is there."""
    match event.body:
        case EhrChartObserved(chart=chart) if not chart.deleted and chart.merged_into is None:
            return replace(patient, ehr=EhrSide(chart=chart, read_at=event.observed))
        case BillingChartObserved(chart=there):
            return replace(patient, billing=BillingSide(chart=there, read_at=event.observed))
    return None


def _of_it(body: Body, record: RecordLeftUnread) -> Body:
    """That the record was seen, or that it is gone or went into another."""
    match body:
        case EhrChartObserved(chart=chart) if chart.deleted:
            return EhrChartDeleted(chart=chart.id)
        case EhrChartObserved(chart=chart) if chart.merged_into is not None:
            return EhrChartMerged(chart=chart.id, survivor=chart.merged_into)
        case (
            EhrChartDeleted()
            | EhrChartMerged()
            | BillingChartVanished()
            | BillingAppointmentVanished()
            | EhrAppointmentGone()
        ):
            return body
    return record


def _unreadable(event: Event, body: ChangeQuarantined, state: PracticeState) -> Event:
    """A record that cannot be read is kept whole to be tried again; one that says whose it is, and whose is kept out, is not."""
    if body.resource not in ("patients", "policies") or not (body.record.isascii() and body.record.isdecimal()):
        return event
    chart, ehr = int(body.record), body.system is System.EHR
    if not is_kept_out(state.directory, chart, ehr=ehr):
        return event
    unread = RecordLeftUnread(system=body.system, resource=body.resource, record=body.record, chart=chart)
    of = {"ehr": EhrChartId(chart)} if ehr else {"billing": BillingPatientId(chart)}
    return replace(event, body=unread, **of)


def _without_left_out(event: Event, body: IntentSucceeded, result: Searched, state: PracticeState) -> Event:
    """Of who is kept out a search finds no more than the id."""
    patient = state.patients.get(state.key_of(event.ehr, event.billing))
    asked = patient.intents.get(body.slot) if patient is not None else None
    if asked is None or not state.directory.kept_out:
        return event
    to_ehr = isinstance(asked.write, SearchEhr)
    found = tuple(
        Candidate(id=one.id) if is_kept_out(state.directory, one.id, ehr=to_ehr) else one for one in result.candidates
    )
    return replace(event, body=replace(body, result=replace(result, candidates=found)))


def to_read_again(state: PracticeState, said: KeptOut) -> list[RecordLeftUnread]:
    """What is read anew of a patient let in again: both charts, and every record that was seen meanwhile."""
    charts = {System.EHR: said.ehr, System.BILLING: said.billing}
    found = [
        RecordLeftUnread(system=system, resource="patients", record=str(chart), chart=int(chart))
        for system, chart in charts.items()
        if chart is not None
    ]
    keys = {state.key_of(said.ehr, None), state.key_of(None, said.billing), state.key_of(said.ehr, said.billing)}
    for key in sorted(keys - {PRACTICE}):
        found += state.patients[key].unread if key in state.patients else ()
    return list(dict.fromkeys(found))
