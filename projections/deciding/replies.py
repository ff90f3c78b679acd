"""What becomes of a command: what is recorded after it, or why it is not done. `repair.py` and `holding.py` answer."""

from __future__ import annotations

from dataclasses import dataclass

from events.codes import CommandCode
from events.ids import PRACTICE, Charts, EventId, PatientKey
from events.schema import Body, CommandRefused, Event
from projections.state.patient import Patient
from projections.state.state import PracticeState
from projections.terms.names import Names


@dataclass(frozen=True)
class Reply:
    """`about` is the patient the command belongs to, "" for the practice; `follows` is recorded after it."""

    about: PatientKey = PRACTICE
    follows: tuple[Body, ...] = ()
    refused: CommandRefused | None = None


@dataclass(frozen=True)
class Redriven:
    """What a redrive of the quarantining event `held` has found.

    `event` is what was set aside; `refused` says why it is still of no use. Neither: it was recorded meanwhile.
    """

    held: EventId
    event: Event | None = None
    refused: CommandRefused | None = None


class NotDone(Exception):
    """A command is refused; the text is for people."""

    def __init__(self, code: CommandCode, text: str) -> None:
        super().__init__(text)
        self.code = code.value
        self.text = text


def patient_of(state: PracticeState, charts: Charts, names: Names) -> Patient:
    """Whose charts these are. Raises NotDone."""
    patient = state.patients.get(state.key_of(*charts))
    if patient is None or (patient.ehr is None and patient.billing is None):
        name = names.one_of(charts if charts.billing is None else Charts(billing=charts.billing))
        raise NotDone(CommandCode.NOT_KNOWN, f"{name} has never been seen in this practice")
    return patient
