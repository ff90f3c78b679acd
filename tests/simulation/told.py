"""What stands where it should not, but somebody was told of: it waits in a list, or a person has accepted it."""

from __future__ import annotations

from daemon.history.invariants import Audit
from events.slots import LINK_SLOT, SlotKind, slot_of
from projections.state.patient import Former, Patient


def left_behind(found: Audit) -> set[int]:
    """Appointments in charts that people unlinked."""
    return {entry.ehr for _, former in former_of(found) for entry in former.appointments.values() if entry.ehr is not None}


def former_of(found: Audit) -> list[tuple[int, Former]]:
    """By Elation chart what was written to it before people unlinked it."""
    return [
        (int(chart), former)
        for patient in found.patients.values()
        for chart, former in patient.former.items()
        if _is_told(patient, slot_of(SlotKind.FORMER, chart))
    ]


def told_bookings(found: Audit) -> set[int]:
    """Bookings in Kareo of patients that people unlinked, and of appointments that went to another patient."""
    left = {one.billing for _, former in former_of(found) for one in former.bookings.values()}
    moved = {
        one.billing
        for patient in found.patients.values()
        for key, one in patient.bookings.items()
        if one.gone and one.moved and _is_told(patient, slot_of(SlotKind.BOOKING, key))
    }
    return {id_ for id_ in left | moved if id_ is not None}


def bookings_interrupted(found: Audit) -> set[int]:
    """Bookings in Kareo of a link that waits: where the patient was merged there, they stand with the one it was merged into."""
    waiting = [one for one in found.patients.values() if one.link is not None and _is_told(one, LINK_SLOT)]
    return {entry.billing for one in waiting for entry in one.bookings.values() if entry.billing is not None}


def _is_told(patient: Patient, slot: str) -> bool:
    return slot in patient.waiting or slot in patient.dismissed
