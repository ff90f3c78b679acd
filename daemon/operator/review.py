"""Links to review: charts that may be of one person and wait for somebody to say so. A pair that waits on both sides is one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from daemon.operator.onboarding import Matching
from daemon.tables import documents as tables
from daemon.tables import open as still_open
from events.codes import WaitCode
from events.ids import BillingPatientId, EhrChartId, PatientKey, billing_key, number_of
from events.store import Store
from events.writes import Candidate
from projections.state.patient import Patient, decode_patient, is_barred
from projections.terms.policy import Policy


@dataclass(frozen=True)
class UndecidedPair:
    """Two charts that may be of one person; `patient` is who waits for the decision. What linking them would come to: `links.py`."""

    ehr: EhrChartId
    billing: BillingPatientId
    patient: PatientKey
    probability: float | None = None


def undecided_of(matching: Matching) -> list[UndecidedPair]:
    """Those of a practice that is only observed, from what going live would find: in it nobody waits yet."""
    found = [
        UndecidedPair(
            EhrChartId(one.ehr), BillingPatientId(one.billing), billing_key(BillingPatientId(one.billing)), one.probability
        )
        for one in matching.candidates
        if not one.taken
    ]
    return _sorted(found)


async def undecided(store: Store, policy: Policy) -> list[UndecidedPair]:
    """All pairs of a practice that is live, the most alike first."""
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
    found = [
        UndecidedPair(ehr, billing, patient.key, None if one.likeness is None else one.likeness.probability)
        for (ehr, billing), (patient, one) in pairs.items()
    ]
    return _sorted(found)


def _sorted(found: Iterable[UndecidedPair]) -> list[UndecidedPair]:
    return sorted(found, key=lambda one: (-(one.probability or 0.0), one.ehr, one.billing))


def _candidates(patient: Patient) -> list[Candidate]:
    found = patient.search.candidates if patient.search else ()
    return [one for one in found if not is_barred(patient, one.id, patient.in_billing)]


async def _patients(store: Store, policy: Policy, keys: Iterable[PatientKey]) -> dict[PatientKey, Patient]:
    documents = await tables.shown_patients(store.pool, policy.practice, list(keys), store.keyring)
    return {key: decode_patient(doc) for key, (_, doc) in documents.items()}
