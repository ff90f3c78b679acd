"""Links to review: charts that may be of one person and wait for somebody to say so. A pair that waits on both sides is one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from daemon.operator.deeds import TwoCharts, compared
from daemon.operator.find import Looked
from daemon.tables import documents as tables
from daemon.tables import open as still_open
from events.codes import WaitCode
from events.ids import PRACTICE, BillingPatientId, EhrChartId, PatientKey, billing_key, number_of
from events.store import Store
from events.writes import Candidate
from projections.rules.counterparts import is_barred
from projections.state.patient import Patient, decode_patient
from projections.terms.policy import Policy
from projections.words.likeness import how_alike


@dataclass(frozen=True)
class UndecidedPair:
    """Two charts that may be of one person: side by side, and how alike they are and why."""

    ehr: EhrChartId
    billing: BillingPatientId
    patient: PatientKey
    both: TwoCharts
    alike: str = ""
    probability: float | None = None


async def undecided(store: Store, policy: Policy) -> list[UndecidedPair]:
    """All pairs of a practice, the most alike first."""
    practice = policy.practice
    keys = await still_open.waiting_patients(store.pool, practice, WaitCode.CANDIDATES)
    waiting = await _patients(store, policy, keys)
    pairs: dict[tuple[EhrChartId, BillingPatientId], tuple[Patient, Candidate]] = {}
    for patient in waiting.values():
        for one in _candidates(patient):
            mine = number_of(patient.key)
            ehr, billing = (one.id, mine) if patient.in_billing else (mine, one.id)
            kept = pairs.get((EhrChartId(ehr), BillingPatientId(billing)))
            if kept is None or kept[1].likeness is None:
                pairs[EhrChartId(ehr), BillingPatientId(billing)] = patient, one
    charts = await tables.resolve_charts(store.pool, practice, [ehr for ehr, _ in pairs])
    others = {billing_key(billing) for _, billing in pairs} | set(charts.values())
    known = waiting | await _patients(store, policy, others - waiting.keys())
    directory = await tables.directory(store.pool, practice, store.keyring)
    found = []
    for (ehr, billing), (patient, candidate) in pairs.items():
        here, there = known.get(charts.get(ehr, PRACTICE)), known.get(billing_key(billing))
        if here is None or there is None:
            continue
        likeness = candidate.likeness
        found.append(
            UndecidedPair(
                ehr=ehr,
                billing=billing,
                patient=patient.key,
                both=compared(Looked(here, directory), Looked(there, directory), policy),
                alike="" if likeness is None else how_alike(likeness),
                probability=None if likeness is None else likeness.probability,
            )
        )
    return sorted(found, key=lambda one: (-(one.probability or 0.0), one.ehr, one.billing))


def _candidates(patient: Patient) -> list[Candidate]:
    found = patient.search.candidates if patient.search else ()
    return [one for one in found if not is_barred(patient, one.id, patient.in_billing)]


async def _patients(store: Store, policy: Policy, keys: Iterable[PatientKey]) -> dict[PatientKey, Patient]:
    documents = await tables.load_patients(store.pool, policy.practice, list(keys), store.keyring)
    return {key: decode_patient(doc) for key, (_, doc) in documents.items()}
