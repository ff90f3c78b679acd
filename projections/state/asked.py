"""What a person asked for about one patient, folded. Pure, like `folding`."""

from __future__ import annotations

from msgspec.structs import replace

from events.commands import (
    BillReleaseRequested,
    BillResendRequested,
    Command,
    ConflictSeen,
    PolicyRemovalRequested,
    ResyncRequested,
    RetryRequested,
)
from events.slots import SlotKind, slot_of
from projections.state.coverage import DIFFERENCES, differences_settled, look_again, removal_asked
from projections.state.open_intents import again, without
from projections.state.patient import Patient, with_bill


def asked(patient: Patient, body: Command) -> Patient:
    """The patient after a person asked for something."""
    match body:
        case ConflictSeen():
            fields = body.fields or tuple(patient.conflicts)
            seen = {field: patient.conflicts[field] for field in fields if field in patient.conflicts}
            patient = differences_settled(patient) if DIFFERENCES in seen else patient
            conflicts = without(patient.conflicts, *fields)
            return replace(patient, conflicts=conflicts, conflicts_seen={**patient.conflicts_seen, **seen})
        case ResyncRequested():
            known = None if body.as_new or patient.search is None else patient.search.anew()
            patient = look_again(patient)
            return replace(patient, search=known, held=None if body.as_new else patient.held)
        case RetryRequested():
            slots = body.slots or tuple(patient.intents)
            intents = {slot: again(one) if slot in slots else one for slot, one in patient.intents.items()}
            return replace(patient, intents=intents, dismissed=without(patient.dismissed, *slots))
        case BillResendRequested():
            slot = slot_of(SlotKind.BILL, body.bill)
            intents = {name: again(one) if name == slot else one for name, one in patient.intents.items()}
            patient = replace(patient, intents=intents, dismissed=without(patient.dismissed, slot))
            return with_bill(patient, body.bill, answered=None, error="")
        case BillReleaseRequested():
            return with_bill(patient, body.bill, release="asked")
        case PolicyRemovalRequested():
            return removal_asked(patient, body.policy)
    return patient
