"""Looking a patient up, by a chart or by who it is: the projections as they stand, nothing is changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from msgspec.structs import replace

from daemon.tables import documents as tables
from daemon.tables.hashes import hashes_of
from daemon.tables.matching import MOST
from daemon.tables.queries import SQL
from events.ids import (
    PRACTICE,
    BillingPatientId,
    Charts,
    EhrChartId,
    PatientKey,
    PracticeId,
    billing_key,
    charts_of,
    keys_named,
)
from events.store import Store
from events.writes import System
from projections.matching import Person, normalize
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


FOUND = 25
"""Patients that a search shows: who has more in common comes first."""


@dataclass(frozen=True)
class People:
    """Whom a search found. `complete` is False where the practice's owner has still to fill what is searched in."""

    found: tuple[Patient, ...] = ()
    complete: bool = True


async def find_people(store: Store, practice: PracticeId, person: Person) -> People:
    """Patients who share with `person` what matching looks for, by the keyed hashes of matching: misspelt names are found."""
    hashes = hashes_of(store.keyring, practice)
    if not await store.pool.fetch(SQL["match_counts"], practice, [System.EHR.value], [hashes.complete]):
        return People(complete=False)
    keys = sorted({key for one in spellings(person) for key in hashes.keys(normalize(one))})
    shared: Counter[tuple[System, int]] = Counter()
    for system in System:
        rows = await store.pool.fetch(SQL["match_alike"], practice, system.value, keys, MOST + 1)
        for row in rows:
            if len(row["charts"]) <= MOST or len(keys) == 1:
                shared.update((system, chart) for chart in row["charts"])
    charts = [number for (system, number) in shared if system is System.EHR]
    resolved = await tables.resolve_charts(store.pool, practice, charts)
    score: Counter[PatientKey] = Counter()
    for (system, number), count in shared.items():
        key = resolved.get(number) if system is System.EHR else billing_key(BillingPatientId(number))
        if key is not None:
            score[key] = max(score[key], count)
    return People(await patients_of(store, practice, [key for key, _ in score.most_common(FOUND)]))


def spellings(person: Person) -> list[Person]:
    """The person, and as they would be with two neighbouring letters of a name the other way round: what typing does most."""
    found = [person]
    for field in ("first_name", "last_name"):
        name = getattr(person, field)
        turned = {name[:at] + name[at + 1] + name[at] + name[at + 2 :] for at in range(len(name) - 1)}
        found += [replace(person, **{field: one}) for one in sorted(turned - {name})]
    return found


async def patients_of(store: Store, practice: PracticeId, keys: Collection[PatientKey]) -> tuple[Patient, ...]:
    """The stored patients of these keys, in their order; those that are not stored are left out."""
    documents = await tables.shown_patients(store.pool, practice, keys, store.keyring)
    return tuple(decode_patient(documents[key][1]) for key in keys if key in documents)


async def keys_of(store: Store, practice: PracticeId, key: PatientKey) -> tuple[PatientKey, ...]:
    """All keys by which this patient is, or was before a link, in an address or a record; the one given where nothing is known."""
    found = await find_patient(store, practice, charts_of(key))
    return (key,) if found is None else tuple({key, found.patient.key, *keys_named(charts_known(found.patient))})


def charts_known(patient: Patient) -> Charts:
    """The charts of a patient: those that were read, else those that it is linked with, else the one that it is named for."""
    link = patient.link
    ehr = patient.ehr.chart.id if patient.ehr else link.ehr if link else None
    billing = patient.billing.chart.id if patient.billing else link.billing if link else None
    return Charts(ehr, billing) if ehr is not None or billing is not None else charts_of(patient.key)
