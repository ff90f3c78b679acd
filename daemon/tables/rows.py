"""The rows that a patient and the directory make in the projection tables: values only, no database.

The recorder writes them, a replay compares them with what is stored, and a rebuild writes them anew: all from here, so that
they cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from daemon.tables import documents as tables
from daemon.tables import open as still_open
from events.ids import PRACTICE, PatientKey, billing_key
from projections.rules.insurance import next_revisit
from projections.state.directory import Directory
from projections.state.open_intents import OpenIntent, Waiting, dependencies
from projections.state.patient import Patient, encode_patient
from projections.state.state import PracticeState
from projections.words.remedy import SHOWN_ELSEWHERE


def patient_row(patient: Patient, sequence: int, today: date) -> tables.PatientRow:
    """The document, folded up to `sequence`, and the day after `today` on which time alone changes what is wanted."""
    doc, due = encode_patient(patient), next_revisit(patient.billing, today)
    return tables.PatientRow(key=patient.key, sequence=sequence, doc=doc, revisit_on=due)


def link_rows(patients: Iterable[Patient]) -> list[tuple[int, int]]:
    """(chart side, billing side) of those that are linked."""
    return [(int(one.link.ehr), int(one.link.billing)) for one in patients if one.link is not None]


def intent_rows(intents: dict[str, OpenIntent]) -> tuple[still_open.IntentRow, ...]:
    return tuple(
        still_open.IntentRow(intent=one.intent, slot=slot, system=one.system, state=one.state, since=one.requested)
        for slot, one in intents.items()
    )


def waiting_rows(waiting: dict[str, Waiting]) -> tuple[still_open.WaitingRow, ...]:
    """The rows of a list of items; what is decided with another item has none."""
    return tuple(
        still_open.WaitingRow(slot=slot, code=one.code, since=one.since)
        for slot, one in waiting.items()
        if one.code not in SHOWN_ELSEWHERE
    )


def open_rows(now: Patient | Directory, before: Patient | Directory | None = None) -> still_open.OpenRows:
    """What is open of one patient, or of the practice, as far as it is not as it was `before`."""
    intents = None if before is not None and before.intents == now.intents else intent_rows(now.intents)
    if before is not None and (before.waiting, before.dismissed) == (now.waiting, now.dismissed):
        return still_open.OpenRows(intents, None)
    return still_open.OpenRows(intents, waiting_rows(now.waiting), dependencies(now.waiting, now.dismissed))


# -- whole tables ---------------------------------------------------------------------------------------------------------

ListRow = tuple[object, ...]


@dataclass(frozen=True)
class ListTable:
    """A table that lists what the `member` of documents holds, with the names of its queries in `events/sql`.

    `rows_of` gives all of its rows, each with its patient, their columns in the order of the queries `read` and `save`.
    """

    table: str
    member: str
    rows_of: Callable[[PracticeState], dict[ListRow, PatientKey]]
    read: str
    clear: str
    save: str


def _charts(state: PracticeState) -> dict[ListRow, PatientKey]:
    return {(int(chart), key): key for chart, key in state.charts.items()}


def _links(state: PracticeState) -> dict[ListRow, PatientKey]:
    return {
        (int(one.link.ehr), int(one.link.billing)): billing_key(one.link.billing)
        for one in state.patients.values()
        if one.link is not None
    }


def _holders(state: PracticeState) -> Iterator[tuple[PatientKey, Patient | Directory]]:
    yield from state.patients.items()
    yield PRACTICE, state.directory


def _open_intents(state: PracticeState) -> dict[ListRow, PatientKey]:
    return {
        (key, one.slot, one.intent, one.system.value, one.state, one.since): key
        for key, holder in _holders(state)
        for one in intent_rows(holder.intents)
    }


def _waiting(state: PracticeState) -> dict[ListRow, PatientKey]:
    return {
        (key, one.slot, one.code, one.since): key for key, holder in _holders(state) for one in waiting_rows(holder.waiting)
    }


def _dependencies(state: PracticeState) -> dict[ListRow, PatientKey]:
    return {(on, key): key for key, holder in _holders(state) for on in dependencies(holder.waiting, holder.dismissed)}


LISTS = (
    ListTable("chart", "ehr", _charts, "all_charts", "clear_charts", "save_charts"),
    ListTable("link", "link", _links, "links", "clear_links", "save_links"),
    ListTable("open_intent", "intents", _open_intents, "list_open_intents", "clear_open_intents", "save_open_intents"),
    ListTable("waiting", "waiting", _waiting, "all_waiting", "clear_waiting", "save_waiting"),
    ListTable("dependency", "waiting", _dependencies, "all_dependencies", "clear_dependencies", "save_dependencies"),
)
"""What a comparison compares and a rebuild replaces, beside the documents."""
