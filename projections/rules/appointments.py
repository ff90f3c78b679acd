"""Appointments, Kareo -> Elation: to the mapped provider's calendar; Elation edits stay in Elation (DESIGN: Appointments).

What Elation was last told is compared, not what it shows now, so that a change made there by staff is never undone unless
Kareo itself changes.
"""

from __future__ import annotations

from datetime import timedelta

from events.codes import WaitCode
from events.ids import EhrChartId
from events.records import BillingAppointment
from events.slots import SlotKind, slot_of
from events.writes import (
    AppointmentTerms,
    CancelEhrAppointment,
    CreateEhrAppointment,
    DeleteEhrAppointment,
    Resource,
    System,
    UpdateEhrAppointment,
)
from projections.deciding.settle import Wants, Wish
from projections.state.directory import Directory, physician_for, provider_named
from projections.state.patient import Appointment, Patient
from projections.terms.codecs import squeeze
from projections.terms.policy import Policy, allows

RULE = "guide: Appointments"
STEP = 5
LONGEST = 1440
DESCRIPTION_MOST = 500


def rounded(minutes: int) -> int:
    """Elation accepts multiples of 5 from 5 to 1440; anything else is rounded up (DESIGN: Appointments)."""
    return min(max(-(-minutes // STEP) * STEP, STEP), LONGEST)


def want_appointments(patient: Patient, chart: EhrChartId, directory: Directory, policy: Policy, wants: Wants) -> None:
    """Add what brings the Elation calendar to Kareo's, one slot an appointment."""
    if not allows(policy, Resource.APPOINTMENT, System.EHR):
        return
    for key, entry in patient.appointments.items():
        _want(slot_of(SlotKind.APPOINTMENT, key), entry, chart, directory, policy, wants)


def want_removals(patient: Patient, policy: Policy, wants: Wants) -> None:
    """While a patient merged or gone waits for a person: what Kareo shows no more, or shows for the patient that this one was
    merged into, leaves the Elation calendar all the same, or it would stand there twice."""
    if not allows(policy, Resource.APPOINTMENT, System.EHR):
        return
    for key, entry in patient.appointments.items():
        if entry.vanished:
            _want_removal(slot_of(SlotKind.APPOINTMENT, key), entry, wants)


def _want_removal(slot: str, entry: Appointment, wants: Wants) -> None:
    if entry.ehr is not None and not entry.deleted:
        write = DeleteEhrAppointment(appointment=entry.ehr)
        wants.writes[slot] = Wish(write, Resource.APPOINTMENT, f"{RULE}, deleted")


def _want(slot: str, entry: Appointment, chart: EhrChartId, directory: Directory, policy: Policy, wants: Wants) -> None:
    there = entry.ehr is not None and not entry.deleted
    if entry.vanished:
        _want_removal(slot, entry, wants)
        return
    if entry.seen.cancelled:
        if there and not entry.cancelled and entry.ehr is not None:
            write = CancelEhrAppointment(appointment=entry.ehr)
            wants.writes[slot] = Wish(write, Resource.APPOINTMENT, f"{RULE}, cancelled")
        return
    if there and not entry.cancelled and entry.written is not None and _unchanged(entry, directory, policy):
        return
    physician = _physician(entry.seen, directory, policy)
    if physician is None:
        text = "the appointment's provider has no calendar in Elation; map the provider"
        wants.wait(slot, WaitCode.NO_CALENDAR, text, "directory")
        return
    terms = AppointmentTerms(
        start=entry.seen.start,
        minutes=rounded(entry.seen.minutes),
        physician=physician,
        description=squeeze(entry.seen.reason)[:DESCRIPTION_MOST],
    )
    notes = _notes(entry.seen, terms)
    if there and entry.ehr is not None:
        update = UpdateEhrAppointment(chart=chart, appointment=entry.ehr, terms=terms, revive=entry.cancelled)
        wants.writes[slot] = Wish(update, Resource.APPOINTMENT, RULE, notes)
    else:
        create = CreateEhrAppointment(chart=chart, terms=terms, link_hint=f"kareo-appointment:{entry.seen.key}")
        wants.writes[slot] = Wish(create, Resource.APPOINTMENT, RULE, notes)


def _unchanged(entry: Appointment, directory: Directory, policy: Policy) -> bool:
    written, seen = entry.written, entry.seen
    return (
        written is not None
        and written.start == seen.start
        and written.minutes == rounded(seen.minutes)
        and written.description == squeeze(seen.reason)[:DESCRIPTION_MOST]
        and written.physician == _physician(seen, directory, policy)
    )


def _physician(seen: BillingAppointment, directory: Directory, policy: Policy) -> int | None:
    provider = seen.provider or provider_named(seen.provider_name, directory)
    return None if provider is None else physician_for(provider, directory, policy)


def _notes(seen: BillingAppointment, terms: AppointmentTerms) -> tuple[str, ...]:
    notes = []
    if terms.minutes != seen.minutes:
        notes.append(f"duration {timedelta(minutes=seen.minutes)} rounded to {timedelta(minutes=terms.minutes)}")
    if len(squeeze(seen.reason)) > DESCRIPTION_MOST:
        notes.append(f"visit reason cut at {DESCRIPTION_MOST} characters")
    return tuple(notes)
