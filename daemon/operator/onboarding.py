"""The first day in numbers: how far a practice is, whom matching makes one, and what waits for a person. Only looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from daemon.operator.switching import is_differing
from daemon.runtime.go_live import counterparts, read_all, unread
from daemon.tables import documents as tables
from daemon.tables import open as still_open
from events.codes import WaitCode
from events.ids import PatientKey, number_of
from events.records import stored_field
from events.slots import CHART_SLOT
from events.store import Store
from events.writes import Candidate, SearchBilling, SearchEhr, System
from projections.rules.links import unlike
from projections.rules.people import charts_of
from projections.rules.wants import Moment
from projections.state.patient import Patient
from projections.terms.policy import Policy
from projections.trial.dry_run import DryRun, rehearse


class CandidatePair(msgspec.Struct, frozen=True, kw_only=True, rename=stored_field):
    """Two charts that may be one person. `differ` says in what, and why a person decides; `names` are (the EHR's, the billing system's).

    `taken`: one of them has its link already, so the other is a duplicate to be merged, or somebody else.
    """

    ehr: int
    billing: int
    differ: tuple[str, ...]
    taken: bool = False
    names: tuple[str, str] = ("", "")


class Matching(msgspec.Struct, frozen=True, kw_only=True, rename=stored_field):
    """What matching comes to. `only_*` have no counterpart; `impossible` cannot be created there, by code of the reason."""

    certain: int = 0
    candidates: tuple[CandidatePair, ...] = ()
    undecided_charts: int = 0
    only_in_ehr: int = 0
    only_in_billing: int = 0
    impossible: dict[str, int] = {}


class Onboarding(msgspec.Struct, frozen=True, kw_only=True):
    """`state` is observing, going-live or live; `unread` are first reads still to be made, `due` patients to be looked at.

    `differing` are patients whose insurance differed when it began to go both ways, and is settled by nobody yet.
    """

    practice: str
    state: str
    charts: dict[str, int] = {}
    linked: int = 0
    unread: tuple[str, ...] = ()
    due: int = 0
    differing: int = 0
    matching: Matching | None = None


async def progress(store: Store, policy: Policy, now: datetime, reads: Sequence[str]) -> tuple[Onboarding, DryRun | None]:
    """How far the practice is, of whose systems `reads` are the first reads; while nothing is decided also what going live would do."""
    practice = policy.practice
    directory = await tables.directory(store.pool, practice, store.keyring)
    patients = await read_all(store, practice, store.keyring)
    due = await still_open.count_to_revisit(store.pool, practice, Moment.at(now, policy.time_zone).today)
    charts = [charts_of(one) for one in patients.values()]
    state = "observing" if policy.observes else "going-live" if directory.observing or due else "live"
    told = Onboarding(
        practice=practice,
        state=state,
        charts={
            System.EHR.value: sum(here is not None for here, _ in charts),
            System.BILLING.value: sum(there is not None for _, there in charts),
        },
        linked=sum(one.link is not None for one in patients.values()),
        unread=tuple(await unread(store.pool, practice, reads)),
        due=0 if directory.observing else due,
        differing=sum(map(is_differing, patients.values())),
    )
    if not (policy.observes or directory.observing):
        return told, None
    open_directory = msgspec.structs.replace(directory, observing=False)
    run = rehearse(patients, open_directory, counterparts(patients), policy, now)
    return msgspec.structs.replace(told, matching=_matching(run)), run


def _matching(run: DryRun) -> Matching:
    waits = {key: one.waiting[CHART_SLOT] for key, one in run.patients.items() if CHART_SLOT in one.waiting}
    doubts = (WaitCode.CANDIDATES, WaitCode.CANDIDATES_ELSEWHERE)
    undecided = [key for key, one in waits.items() if one.code in doubts]
    created = Counter(one.system for one in run.writes if one.slot == CHART_SLOT)
    return Matching(
        certain=sum(not one.how.startswith("created") for one in run.links),
        candidates=tuple(_pairs(run, undecided)),
        undecided_charts=len(undecided),
        only_in_ehr=created[System.BILLING.value],
        only_in_billing=created[System.EHR.value],
        impossible=dict(sorted(Counter(one.code for one in waits.values() if one.code not in doubts).items())),
    )


def _pairs(run: DryRun, undecided: list[PatientKey]) -> list[CandidatePair]:
    """Every pair of charts that somebody undecided waits for, once, by the EHR's id."""
    pairs: dict[tuple[int, int], CandidatePair] = {}
    links = [one.link for one in run.patients.values() if one.link is not None]
    here, there = {one.ehr for one in links}, {one.billing for one in links}
    for key in undecided:
        patient = run.patients[key]
        search = patient.search
        if search is None or search.wanted is None:
            continue
        for one in search.candidates:
            if one.likeness is None:
                continue
            pair = _pair(patient, search.wanted, one)
            if (pair.ehr, pair.billing) in patient.barred:
                continue
            taken = pair.ehr in here or pair.billing in there
            pair = msgspec.structs.replace(pair, taken=taken)
            pairs.setdefault((pair.ehr, pair.billing), pair)
    return [pairs[key] for key in sorted(pairs)]


def _pair(patient: Patient, wanted: SearchEhr | SearchBilling, one: Candidate) -> CandidatePair:
    mine = number_of(patient.key)
    differ = unlike(one.likeness) if one.likeness is not None else ()
    names = f"{wanted.first_name} {wanted.last_name}", f"{one.first_name} {one.last_name}"
    if isinstance(wanted, SearchEhr):
        return CandidatePair(ehr=one.id, billing=mine, differ=differ, names=(names[1], names[0]))
    return CandidatePair(ehr=mine, billing=one.id, differ=differ, names=names)


def reasons(pairs: tuple[CandidatePair, ...]) -> Mapping[str, int]:
    """How many pairs differ in what; those that differ in nothing are several of one kind."""
    return dict(Counter(", ".join(one.differ) or "nothing: several are alike" for one in pairs).most_common())
