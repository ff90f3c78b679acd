"""Going live: from a practice that was only observed to one that is kept in agreement (`mode` in its configuration).

Nothing is decided before both systems were read whole. Then everybody is matched against everybody in our own copy, what was
found is recorded, and the practice is live; every patient is marked to be looked at once, in the same transaction. Each step
is recorded, so a worker that dies at any point is followed by one that goes on from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from daemon.config import PracticeConfig
from daemon.runtime.recorder import PracticeRecorder
from daemon.tables import documents as tables
from daemon.tables import observed
from events.codec import Keyring
from events.connection import Connection
from events.ids import PatientKey, PracticeId
from events.schema import CounterpartsFound, WentLive
from events.store import Store
from projections.rules.matching import Index
from projections.state.patient import Patient, decode_patient

log = structlog.get_logger()

TOGETHER = 250
LOOK_SECONDS = 2.0


def first_reads(practice: PracticeConfig) -> tuple[str, ...]:
    """The passes that read both systems whole, by their names as sources."""
    return (*practice.ehr.first_reads, *practice.billing.first_reads)


async def unread(pool: Connection, practice: PracticeId, sources: Sequence[str]) -> list[str]:
    """Of the first complete reads those that are still to be made."""
    return [source for source in sources if await observed.get_checkpoint(pool, practice, source) is None]


async def read_all(store: Store, practice: PracticeId, keyring: Keyring) -> dict[PatientKey, Patient]:
    """All patients of a practice as they are stored now."""
    stored = await tables.read_patients(store.pool, practice, keyring)
    return await asyncio.to_thread(lambda: {key: decode_patient(encoded) for key, (_, encoded) in stored.items()})


def counterparts(patients: dict[PatientKey, Patient]) -> dict[PatientKey, CounterpartsFound]:
    """What matching finds for everybody who is not linked, and is not recorded yet."""
    index = Index(patients.values())
    found = {key: index.counterparts(patient) for key, patient in sorted(patients.items())}
    return {key: one for key, one in found.items() if one is not None and not _known(patients[key], one)}


def _known(patient: Patient, found: CounterpartsFound) -> bool:
    search = patient.search
    return search is not None and (search.wanted, search.candidates) == (found.wanted, found.candidates)


async def go_live(recorder: PracticeRecorder, store: Store, keyring: Keyring, reads: Sequence[str]) -> None:
    """Make the observed practice live once both systems were read whole (`reads`); patients are then due for `recorder.revisit`."""
    practice = recorder.practice
    while sources := await unread(store.pool, practice, reads):
        log.info("first_reads_awaited", practice=practice, count=len(sources))
        await asyncio.sleep(LOOK_SECONDS)
    patients = await read_all(store, practice, keyring)
    found = await asyncio.to_thread(counterparts, patients)
    keys = list(found)
    for start in range(0, len(keys), TOGETHER):
        await recorder.record_about({key: found[key] for key in keys[start : start + TOGETHER]})
    await recorder.record_practice([WentLive()])
    log.info("practice_live", practice=practice, count=len(patients))
