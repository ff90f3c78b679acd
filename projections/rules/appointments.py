"""Appointments, from the billing side to the mapped provider's calendar on the chart side (guide: Appointments).

Edits made on the chart side stay there: what it was last told is compared, not what it shows now. So a change that staff made
there is never undone unless the billing side itself changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from events.codes import WaitCode
from events.ids import EhrChartId
from events.records import BillingAppointment
from events.slots import SlotKind, slot_of
from events.terms import AppointmentTerms
from events.writes import (
    CancelEhrAppointment,
    CreateEhrAppointment,
    DeleteEhrAppointment,
    Resource,
    System,
    UpdateEhrAppointment,
)
from projections.rules.wants import Wants, Wish
from projections.state.bookings import is_booking
from projections.state.directory import Directory
from projections.state.maps import Unmapped, calendar_for, provider_named, why_unmapped
from projections.state.patient import AppointmentState, Patient
from projections.terms.codecs import squeeze
from projections.terms.policy import Policy, Rescheduled, allows

RULE = "guide: Appointments"
HINT = f"{System.BILLING.value}-appointment:"
STEP = 5
LONGEST = 1440
MOST_MINUTES = 10**9
"""Of a duration that can be told: longer ones do not fit into a `timedelta`."""
DESCRIPTION_MOST = 500


def rounded(minutes: int) -> int:
    """The chart side accepts multiples of 5 from 5 to 1440; anything else is rounded up (guide: Appointments)."""
    return min(max(-(-minutes // STEP) * STEP, STEP), LONGEST)


# -- the table ------------------------------------------------------------------------------------------------------------


def _start(seen: BillingAppointment, directory: Directory, policy: Policy) -> datetime:
    return seen.start


def _minutes(seen: BillingAppointment, directory: Directory, policy: Policy) -> int:
    return rounded(seen.minutes)


def billing_provider(seen: BillingAppointment, directory: Directory) -> int | None:
    """The billing side's provider of an appointment; None where it names nobody who is known."""
    return seen.provider or provider_named(seen.provider_name, directory)


def _physician(seen: BillingAppointment, directory: Directory, policy: Policy) -> int | None:
    provider = billing_provider(seen, directory)
    return None if provider is None else calendar_for(provider, directory, policy)


def _description(seen: BillingAppointment, directory: Directory, policy: Policy) -> str:
    return squeeze(seen.reason)[:DESCRIPTION_MOST]


def _note_rounded(seen: BillingAppointment) -> str:
    minutes = rounded(seen.minutes)
    if minutes == seen.minutes:
        return ""
    return f"duration {timedelta(minutes=min(seen.minutes, MOST_MINUTES))} rounded to {timedelta(minutes=minutes)}"


def _note_cut(seen: BillingAppointment) -> str:
    return f"visit reason cut at {DESCRIPTION_MOST} characters" if len(squeeze(seen.reason)) > DESCRIPTION_MOST else ""


@dataclass(frozen=True)
class AppointmentField:
    """A row: `value` is what the chart side shall hold, None where it has no place; `note` says what was adapted."""

    name: str
    label: str
    ehr: str
    billing: str
    value: Callable[[BillingAppointment, Directory, Policy], datetime | int | str | None]
    source: str
    note: Callable[[BillingAppointment], str] | None = None


APPOINTMENTS: tuple[AppointmentField, ...] = (
    AppointmentField(
        "start", "Start", "Date and time", "Start date, start time", _start, "guide: Appointments, rows 3 and 4"
    ),
    AppointmentField(
        "minutes",
        "Duration",
        "Duration (5, 10, ... minutes)",
        "Duration",
        _minutes,
        "guide: Appointments, row 5",
        _note_rounded,
    ),
    AppointmentField("physician", "Provider", "Calendar of", "Provider", _physician, "guide: Appointments, row 6"),
    AppointmentField(
        "description",
        "Visit reason",
        "Description (chief complaint)",
        "Visit reason",
        _description,
        "guide: Appointments, row 2",
        _note_cut,
    ),
)


_VALUES = tuple((row.name, row.value) for row in APPOINTMENTS)
_NOTES = tuple(row.note for row in APPOINTMENTS if row.note is not None)


def appointment_terms(seen: BillingAppointment, directory: Directory, policy: Policy) -> AppointmentTerms | None:
    """The appointment as the chart side shall hold it; None while one of its fields has no place there."""
    values: dict[str, Any] = {name: value(seen, directory, policy) for name, value in _VALUES}
    return None if any(value is None for value in values.values()) else AppointmentTerms(**values)


def _notes(seen: BillingAppointment) -> tuple[str, ...]:
    return tuple(text for note in _NOTES if (text := note(seen)))


# -- decisions ------------------------------------------------------------------------------------------------------------


def want_appointments(
    patient: Patient, chart: EhrChartId, directory: Directory, policy: Policy, now: datetime, wants: Wants
) -> None:
    """Add what brings the chart side's calendar to the billing side's, one slot an appointment."""
    if not allows(policy, Resource.APPOINTMENT, System.EHR):
        _list_left_standing(patient, policy, now, wants)
        return
    for key, entry in patient.appointments.items():
        if entry.ehr is None and is_booking(patient, entry.seen.id):
            continue  # ours, from a time when appointments went there
        off = entry.seen.cancelled or _given_up(entry, patient, policy)
        if off and _perhaps_copied(entry, directory, now):
            ehr, billing = policy.names.ehr.label, policy.names.billing.label
            text = (
                f"called off in {billing} in the time that the restored database lost; if it stands in {ehr}'s calendar, cancel it "
                "there, then accept this"
            )
            wants.wait(slot_of(SlotKind.APPOINTMENT, key), WaitCode.NOT_FOLLOWED, text)
        _want(slot_of(SlotKind.APPOINTMENT, key), entry, chart, directory, policy, wants, off=off)


def _perhaps_copied(entry: AppointmentState, directory: Directory, now: datetime) -> bool:
    """Whether an appointment that is off, of which no copy is known, may have been copied in a time that a restore lost.

    It was read first, or read as another, while the lost time was made up for.
    """
    restarted = directory.restarted
    if restarted is None or entry.ehr is not None or entry.vanished or entry.seen.start < now:
        return False
    return restarted.at <= entry.read_at and (restarted.over is None or entry.read_at <= restarted.over)


def _list_left_standing(patient: Patient, policy: Policy, now: datetime, wants: Wants) -> None:
    """What a practice had copied to the chart side's calendar before it turned appointments off is listed, not followed."""
    for key, entry in patient.appointments.items():
        if entry.ehr is not None and not (entry.cancelled or entry.deleted) and entry.seen.start >= now:
            ehr, billing = policy.names.ehr.label, policy.names.billing.label
            text = (
                f"this appointment in {ehr} was copied from {billing}, which it does not follow any more; keep {ehr}'s "
                "calendar by hand, then accept this"
            )
            wants.wait(slot_of(SlotKind.APPOINTMENT, key), WaitCode.NOT_FOLLOWED, text)


def _given_up(entry: AppointmentState, patient: Patient, policy: Policy) -> bool:
    """Whether an appointment that the billing side wants at another time leaves its old one (`Policy.rescheduled`).

    Another appointment was made after it when its id is higher: the billing side gives no other order.
    """
    if not entry.seen.moved or policy.rescheduled is Rescheduled.KEEP:
        return False
    if policy.rescheduled is Rescheduled.CANCEL:
        return True
    others = (one for one in patient.appointments.values() if one.seen.id > entry.seen.id)
    replaced = any(not (one.vanished or one.seen.cancelled or one.seen.moved) for one in others)
    return replaced and entry.seen.moved == "rescheduled"


def want_removals(patient: Patient, policy: Policy, wants: Wants) -> None:
    """While a patient merged or gone waits, and while the chart is deleted, appointments that vanished leave the chart side's calendar.

    An appointment that moved to the patient that this one was merged into would stand there twice otherwise. Of a merge the chart
    side may tell no more than that the chart is deleted; its appointments are the surviving chart's then.
    """
    if not allows(policy, Resource.APPOINTMENT, System.EHR):
        return
    for key, entry in patient.appointments.items():
        if entry.vanished:
            _want_removal(slot_of(SlotKind.APPOINTMENT, key), entry, wants)


def _want_removal(slot: str, entry: AppointmentState, wants: Wants) -> None:
    if entry.ehr is not None and not entry.deleted:
        write = DeleteEhrAppointment(appointment=entry.ehr)
        wants.writes[slot] = Wish(write, Resource.APPOINTMENT, f"{RULE}, deleted")


def _why_no_calendar(seen: BillingAppointment, directory: Directory, policy: Policy) -> str:
    """What to do about an appointment without a place on the chart side: mapping helps only where there is a calendar."""
    here, there = policy.names.ehr.label, policy.names.billing.label
    if seen.provider is None:
        return f"the appointment has no provider in {there}; choose one there"
    match why_unmapped(seen.provider, directory, policy):
        case Unmapped.INACTIVE:
            return f"the appointment's provider is not active in {here}, so has no calendar there; make the provider active there"
        case Unmapped.SEVERAL:
            return f"several providers of {here} may be the appointment's; map the right one"
        case _:
            return f"the appointment's provider is nobody known in {here}; map the provider"


def _want(
    slot: str,
    entry: AppointmentState,
    chart: EhrChartId,
    directory: Directory,
    policy: Policy,
    wants: Wants,
    *,
    off: bool,
) -> None:
    there = entry.ehr is not None and not entry.deleted
    if entry.vanished:
        _want_removal(slot, entry, wants)
        return
    if off:
        if there and not entry.cancelled and entry.ehr is not None:
            write = CancelEhrAppointment(appointment=entry.ehr)
            wants.writes[slot] = Wish(write, Resource.APPOINTMENT, f"{RULE}, cancelled")
        return
    terms = appointment_terms(entry.seen, directory, policy)
    if terms is None:
        wants.wait(slot, WaitCode.NO_CALENDAR, _why_no_calendar(entry.seen, directory, policy), "directory")
        return
    if there and not entry.cancelled and entry.written == terms:
        return
    notes = _notes(entry.seen)
    if there and entry.ehr is not None:
        update = UpdateEhrAppointment(chart=chart, appointment=entry.ehr, terms=terms, revive=entry.cancelled)
        wants.writes[slot] = Wish(update, Resource.APPOINTMENT, RULE, notes)
    else:
        create = CreateEhrAppointment(chart=chart, terms=terms, link_hint=f"{HINT}{entry.seen.key}")
        wants.writes[slot] = Wish(create, Resource.APPOINTMENT, RULE, notes)
