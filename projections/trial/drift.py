"""Drift: where two systems, as freshly read, are not what the direction table says, and why.

There is no second copy of the rules: what was read is folded into a copy of the projections and `decide` is asked what it
would do. What it would write, or cannot write, is where the systems differ; what it wrote before and somebody changed on the
side that does not lead stays there (guide: Appointments, Insurance) and is only told.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from events.bookings import UpdateBillingAppointment
from events.ids import PatientKey, event_id
from events.records import Value
from events.schema import Event, Origin, RevisitDue
from events.slots import SlotKind, is_slot, parse_slot, slot_of
from events.writes import (
    AnyWrite,
    ChangeBillingPolicies,
    SyncPolicies,
    UpdateBillingChart,
    UpdateEhrAppointment,
    UpdateEhrChart,
)
from projections.deciding.batch import Batch
from projections.rules.bookings import stands
from projections.rules.holds import on_hold
from projections.rules.wants import Moment, same_write
from projections.state.directory import Directory
from projections.state.open_intents import UNDER_WAY, OpenIntent
from projections.state.patient import AppointmentState, Booking, Patient
from projections.state.state import PracticeState
from projections.terms.policy import Policy


class Cause(StrEnum):
    """Why something differs. `EDITED` is agreed to stay; only `UNEXPLAINED` is a fault of chartwire."""

    WAITING = "waiting"
    REFUSED = "refused"
    IN_FLIGHT = "in flight"
    HELD = "held"
    EDITED = "edited on the losing side"
    NOT_SEEN = "not seen yet"
    UNEXPLAINED = "unexplained"


class Drift(Value, frozen=True, kw_only=True):
    """One difference. `what` is the slot, `fields` the fields' names, `code` of what waits; `values` (patients' data) are
    by field what it holds and what it should."""

    patient: PatientKey
    ehr: int | None = None
    billing: int | None = None
    what: str
    cause: Cause
    fields: tuple[str, ...] = ()
    code: str = ""
    values: dict[str, tuple[str, str]] = {}


def find_drift(stored: PracticeState, seen: Sequence[Event], policy: Policy, moment: Moment) -> list[Drift]:
    """All drift once the events `seen`, just read, are folded; `stored` itself is left as it is.

    Events come without a patient; they are routed as the recorder routes them.
    """
    fresh = PracticeState(directory=stored.directory, patients=dict(stored.patients), charts=dict(stored.charts))
    for number, event in enumerate(seen):
        fresh.apply(msgspec.structs.replace(event, patient=fresh.key_of(event.ehr, event.billing)), number)
    observed = dict(fresh.patients)
    _settle(fresh, policy, moment)
    moved = _mapped(stored.directory) != _mapped(fresh.directory)
    found: list[Drift] = []
    for key in sorted(fresh.patients):
        before = stored.patients.get(key)
        of_it = _of_patient(before, observed.get(key), fresh.patients[key], moved, stored.directory)
        found += of_it + _edited_bookings(fresh.patients[key], {one.what for one in of_it})
    return found


def _settle(state: PracticeState, policy: Policy, moment: Moment) -> None:
    """Fold what is decided about everybody until nothing more follows. Raises Undecided."""
    batch = Batch(policy.practice, state, policy, moment, whole=True)
    looked = Event(
        id=event_id(policy.practice, "verify"),
        practice=policy.practice,
        origin=Origin.CHARTWIRE,
        observed=moment.now,
        body=RevisitDue(reason="drift"),
    )
    batch.touched |= dict.fromkeys(sorted(state.patients, reverse=True), looked)
    batch.settle()


def _mapped(directory: Directory) -> Directory:
    """The directory but for what is open in it."""
    return replace(directory, intents={}, waiting={}, created_carriers={}, created_plans={}, carriers_told={})


def _of_patient(
    before: Patient | None, observed: Patient | None, after: Patient, moved: bool, directory: Directory
) -> list[Drift]:
    found = []
    for slot, wanted in after.intents.items():
        known = before.intents.get(slot) if before else None
        if known is not None and (known.state in UNDER_WAY or same_write(wanted.write, known.write)):
            held = on_hold(directory, before, known) is not None
            cause = Cause.REFUSED if known.state == "refused" else Cause.HELD if held else Cause.IN_FLIGHT
        else:
            cause = _new(slot, before, observed, moved)
        found.append(_drift(after, slot, cause, wanted))
    for slot, waiting in after.waiting.items():
        if is_slot(slot, SlotKind.CONFLICT) or slot in after.intents:
            continue
        known_code = before.waiting[slot].code if before and slot in before.waiting else ""
        same = known_code == waiting.code
        cause = Cause.WAITING if same else _new(slot, before, observed, moved)
        found.append(replace(_drift(after, slot, cause, None), code=waiting.code))
    return found


def _new(slot: str, before: Patient | None, observed: Patient | None, moved: bool) -> Cause:
    """Why nobody has decided this before: what it is about has changed since it was observed, or there is no reason."""
    changed = moved or before is None or observed is None or _about(slot, before) != _about(slot, observed)
    return Cause.NOT_SEEN if changed else Cause.UNEXPLAINED


def _edited_bookings(patient: Patient, busy: set[str]) -> list[Drift]:
    """Bookings that staff of the billing side changed or deleted: what the chart side did not change since stays as it is there."""
    there = {one.seen.id: one for one in patient.appointments.values()}
    found = []
    for key, entry in patient.bookings.items():
        slot, held = slot_of(SlotKind.BOOKING, key), there.get(entry.billing or 0)
        if held is None or not stands(entry) or slot in busy:
            continue
        if values := _booking_edits(entry, held):
            drift = _drift(patient, slot, Cause.EDITED, None)
            found.append(replace(drift, fields=tuple(values), values=values))
    return found


def _booking_edits(entry: Booking, held: AppointmentState) -> dict[str, tuple[str, str]]:
    """By field, what the billing side shows of a booking and what it was told."""
    told = entry.written
    if told is None:
        return {}
    if held.vanished:
        return {"deleted": ("yes", "no")}
    if held.seen.cancelled:
        return {"cancelled": ("True", "False")}
    return {
        name: (str(getattr(held.seen, name)), str(getattr(told, name)))
        for name in ("start", "minutes", "provider")
        if getattr(held.seen, name) != getattr(told, name)
    }


def _about(slot: str, patient: Patient) -> tuple[object, ...]:
    """What a slot's decision looks at: both charts, and the policies, the appointment or the bill that it names."""
    kind, key = parse_slot(slot)
    appointment = patient.appointments.get(key) if kind is SlotKind.APPOINTMENT else None
    booking = patient.bookings.get(key) if kind in (SlotKind.BOOKING, SlotKind.BOOKED_TWICE) else None
    bill = patient.bills.get(key) if kind in (SlotKind.BILL, SlotKind.BILL_ANSWER) else None
    return (
        patient.ehr and patient.ehr.chart,
        patient.billing and (patient.billing.chart, patient.billing.vanished),
        patient.coverage and patient.coverage.policies,
        appointment and (appointment.seen, appointment.vanished),
        booking and (booking.seen, booking.gone, booking.moved),
        bill and bill.bill,
    )


def _drift(patient: Patient, slot: str, cause: Cause, wanted: OpenIntent | None) -> Drift:
    link = patient.link
    ehr = link.ehr if link else patient.ehr.chart.id if patient.ehr else None
    billing = link.billing if link else patient.billing.chart.id if patient.billing else None
    values = _values(wanted.write, patient, slot) if wanted else {}
    fields = tuple(values) or ((parse_slot(slot).id,) if is_slot(slot, SlotKind.FIELD) else ())
    return Drift(patient=patient.key, ehr=ehr, billing=billing, what=slot, cause=cause, fields=fields, values=values)


def _values(write: AnyWrite, patient: Patient, slot: str) -> dict[str, tuple[str, str]]:
    """By field, what the side that would be written holds and what it should."""
    match write:
        case UpdateEhrChart() | UpdateBillingChart():
            return {name: (write.expected.get(name, ""), value) for name, value in write.fields.items()}
        case UpdateEhrAppointment():
            entry = patient.appointments.get(parse_slot(slot).id)
            return _differences(entry.written if entry else None, write.terms)
        case UpdateBillingAppointment():
            booked = patient.bookings.get(parse_slot(slot).id)
            return _differences(booked.written if booked else None, write.terms)
        case SyncPolicies():
            found: dict[str, tuple[str, str]] = {}
            for one in write.terms:
                held = patient.policies.get(str(one.billing_policy))
                found |= {f"policy {one.billing_policy} {k}": v for k, v in _differences(held and held.terms, one).items()}
            return found
        case ChangeBillingPolicies():
            return _told_there(write, patient)
    return {}


def _told_there(write: ChangeBillingPolicies, patient: Patient) -> dict[str, tuple[str, str]]:
    """By field of each policy, what was agreed on and what the billing side would be told; a new one by its id on the chart side."""
    found: dict[str, tuple[str, str]] = {}
    for change in write.changes:
        held = patient.policies.get(str(change.policy))
        which = f"policy {change.policy}" if change.policy is not None else f"chart-policy {change.ehr}"
        found |= {
            f"{which} {name}": (str(getattr(held and held.terms, name, None) or ""), value)
            for name, value in change.fields.items()
        }
    return found


def _differences(one: msgspec.Struct | None, other: msgspec.Struct) -> dict[str, tuple[str, str]]:
    names = other.__struct_fields__
    held = {name: getattr(one, name, None) for name in names}
    return {name: (str(held[name] or ""), str(getattr(other, name))) for name in names if held[name] != getattr(other, name)}
