"""What differed when insurance began to go both ways in a practice, and what it would lead to that it is settled by preference.

Nothing is written because a direction widened: each patient's differences are one item (`policies-differ`) until somebody makes
the two sides alike, or accepts that the preference decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from daemon.operator.deeds import Asking, Asks, seen
from daemon.runtime.go_live import read_all
from daemon.tables import documents as tables
from events.ids import Charts, PatientKey
from events.store import Store
from projections.state.coverage import DIFFERENCES, coverage_of
from projections.state.patient import Patient
from projections.terms.policy import Policy
from projections.trial.dry_run import DryRun, rehearse_accepting


@dataclass(frozen=True)
class Differing:
    """One patient: of how many policies something differs, and how many only one side has."""

    patient: PatientKey
    charts: Charts
    policies: int
    only_in_ehr: int
    only_in_billing: int


@dataclass(frozen=True)
class Differences:
    """Whose insurance differs, and every write that would follow once that is accepted."""

    patients: tuple[Differing, ...]
    run: DryRun


def is_differing(patient: Patient) -> bool:
    """Whether what differed from the beginning waits for somebody."""
    return DIFFERENCES in patient.conflicts and patient.link is not None


async def differences(store: Store, policy: Policy, now: datetime) -> Differences:
    """What waits in a practice. Raises Undecided."""
    directory = await tables.directory(store.pool, policy.practice, store.keyring)
    patients = await read_all(store, policy.practice, store.keyring)
    differ = {key: one for key, one in sorted(patients.items()) if is_differing(one)}
    run = rehearse_accepting(differ, directory, policy, now)
    return Differences(tuple(_differing(one) for one in differ.values()), run)


def _differing(patient: Patient) -> Differing:
    known, link = coverage_of(patient), patient.link
    assert link is not None
    return Differing(
        patient=patient.key,
        charts=Charts(link.ehr, link.billing),
        policies=len(known.unsettled),
        only_in_ehr=len(known.apart),
        only_in_billing=len(known.apart_there),
    )


async def accept(it: Asking, found: Differences) -> Asks:
    """Everybody's differences have been seen: from now on they are settled by preference."""
    asks: Asks = []
    for one in found.patients:
        asks += await seen(it, one.charts, (DIFFERENCES,))
    return asks
