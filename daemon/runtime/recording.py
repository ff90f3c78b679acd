"""What one recording did, for those who act on it."""

from __future__ import annotations

from dataclasses import dataclass, field

from events.holds import RecordLeftUnread
from events.ids import PatientKey
from events.schema import Recorded
from projections.deciding.batch import Batch
from projections.state.directory import Directory
from projections.state.patient import Patient


@dataclass
class Recording:
    """What one recording did: recorded events, changed patients, absorbed keys, the directory if changed.

    `reread` are records of the chart side, as (resource, id), that are in doubt; `let_in` those of who was kept out. Both have to be read.
    """

    recorded: list[Recorded] = field(default_factory=list)
    patients: dict[PatientKey, Patient] = field(default_factory=dict)
    gone: set[PatientKey] = field(default_factory=set)
    directory: Directory | None = None
    reread: set[tuple[str, str]] = field(default_factory=set)
    let_in: set[RecordLeftUnread] = field(default_factory=set)


def recording_of(recorded: list[Recorded], batch: Batch) -> Recording:
    state = batch.state
    return Recording(
        recorded=recorded,
        patients={key: state.patients[key] for key in state.changed},
        gone=set(state.gone),
        directory=state.directory if state.directory_changed else None,
        reread=batch.in_doubt,
        let_in=batch.let_in,
    )
