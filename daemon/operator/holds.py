"""The holds of a practice as people see them: what is held, by whom, why, until when, and how many writes wait for its end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from daemon.tables import documents, holds
from events.holds import HoldBegan, KeptOut
from events.ids import PracticeId
from events.store import Store
from events.writes import Resource, System
from projections.deciding.holding import what_is_held
from projections.rules.holds import is_hold_of, kept_out
from projections.state.directory import Directory
from projections.state.patient import Patient
from projections.terms.names import Names


@dataclass(frozen=True)
class Holding:
    """A hold with what it holds now; `what` is its scope in words."""

    began: HoldBegan
    what: str
    since: datetime
    writes: int


async def holdings(store: Store, practice: PracticeId, names: Names) -> list[Holding]:
    """All holds, the oldest first; the directory is opened for it."""
    rows = await holds.held(store.pool, practice)
    if not rows:
        return []
    known = (await documents.directory(store.pool, practice, store.keyring)).holds
    return [
        Holding(known[one.slot], what_is_held(known[one.slot], names), one.since, one.writes)
        for one in rows
        if one.slot in known
    ]


def holds_of(patient: Patient, found: Iterable[Holding]) -> list[Holding]:
    """Those of `found` that hold a write of this patient: its own, and those of everybody."""
    return [one for one in found if not one.began.of_patient or is_hold_of(one.began, patient)]


def why_kept_out(directory: Directory, patient: Patient) -> KeptOut | None:
    """Why the patient is kept out, None for everybody else."""
    return kept_out(directory, patient)


def slot_of_scope(
    directory: Directory, resource: Resource | None, system: System | None, patient: Patient | None
) -> str | None:
    """The slot of the hold with exactly this scope, by whichever chart of the patient it was put on; None where there is none."""
    for slot, began in directory.holds.items():
        alike = (began.resource, began.system) == (resource, system)
        if alike and (is_hold_of(began, patient) if patient is not None else not began.of_patient):
            return slot
    return None
