"""The rows that a patient and the directory make in the projection tables: values only, no database.

The recorder writes them, a replay compares them with what is stored, and a rebuild writes them anew: all from here, so that
they cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import msgspec

from daemon.tables import documents as tables
from projections.rules.insurance import next_expiry
from projections.state.directory import Directory
from projections.state.open_intents import OpenIntent, Waiting, dependencies
from projections.state.patient import Patient, encode_patient

_ENCODER = msgspec.msgpack.Encoder(order="deterministic")
_DIRECTORY = msgspec.msgpack.Decoder(Directory)


def patient_row(patient: Patient, sequence: int, today: date) -> tables.PatientRow:
    """The document, folded up to `sequence`, and the day after `today` on which time alone changes what is wanted."""
    doc, due = encode_patient(patient), next_expiry(patient.billing, today)
    return tables.PatientRow(key=patient.key, sequence=sequence, doc=doc, revisit_on=due)


def encode_directory(directory: Directory) -> bytes:
    """The stored form: the same directory always gives the same bytes (I7)."""
    return _ENCODER.encode(directory)


def decode_directory(encoded: bytes | None) -> Directory:
    """The stored directory; an empty one where none is stored yet."""
    return _DIRECTORY.decode(encoded) if encoded is not None else Directory()


def link_rows(patients: Iterable[Patient]) -> list[tuple[int, int]]:
    """(the EHR's chart, the billing system's patient) of those that are linked."""
    return [(int(one.link.ehr), int(one.link.billing)) for one in patients if one.link is not None]


def intent_rows(intents: dict[str, OpenIntent]) -> tuple[tables.IntentRow, ...]:
    return tuple(
        tables.IntentRow(intent=one.intent, slot=slot, system=one.system, state=one.state, since=one.requested)
        for slot, one in intents.items()
    )


def waiting_rows(waiting: dict[str, Waiting]) -> tuple[tables.WaitingRow, ...]:
    return tuple(tables.WaitingRow(slot=slot, code=one.code, since=one.since) for slot, one in waiting.items())


def open_rows(now: Patient | Directory, before: Patient | Directory | None = None) -> tables.OpenRows:
    """What is open of one patient, or of the practice, as far as it is not as it was `before`."""
    intents = None if before is not None and before.intents == now.intents else intent_rows(now.intents)
    if before is not None and (before.waiting, before.dismissed) == (now.waiting, now.dismissed):
        return tables.OpenRows(intents, None)
    return tables.OpenRows(intents, waiting_rows(now.waiting), dependencies(now.waiting, now.dismissed))
