"""Looking a patient up by a chart, for commands: the projections as they stand, nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.tables import documents as tables
from events.ids import PRACTICE, Charts, EhrChartId, PracticeId
from events.store import Store
from projections.state.directory import Directory
from projections.state.patient import Patient, decode_patient
from projections.state.state import PracticeState


class NeverSeen(LookupError):
    """No event of the practice is about `charts`."""

    def __init__(self, charts: Charts) -> None:
        super().__init__("never seen")
        self.charts = charts


@dataclass(frozen=True)
class Looked:
    """A patient (an empty one where the practice itself was asked for) and the practice's directory."""

    patient: Patient
    directory: Directory

    def state(self) -> PracticeState:
        """As projections to ask."""
        return PracticeState(directory=self.directory, patients={self.patient.key: self.patient})


async def find_patient(store: Store, practice: PracticeId, charts: Charts) -> Looked | None:
    """Whose chart it is; None for a chart never seen."""
    directory = await tables.directory(store.pool, practice, store.keyring)
    resolved = await tables.resolve_charts(store.pool, practice, [charts.ehr] if charts.ehr is not None else [])
    state = PracticeState(directory=directory, charts={EhrChartId(chart): key for chart, key in resolved.items()})
    key = state.key_of(*charts)
    if not key:
        return Looked(Patient(key=PRACTICE), directory)
    found = await tables.load_patients(store.pool, practice, [key], store.keyring)
    return Looked(decode_patient(found[key][1]), directory) if key in found else None
