"""The first day in numbers: how far a practice is, whom matching makes one, and what waits for a person. Only looks."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from daemon.operator.switching import is_differing
from daemon.runtime.go_live import counterparts, read_all, unread
from daemon.tables import documents as tables
from daemon.tables import open as still_open
from events.codes import WaitCode
from events.commands import GoLiveRequested
from events.ids import PatientKey, number_of
from events.records import stored_field
from events.schema import Body
from events.slots import CHART_SLOT
from events.store import Store
from events.writes import Candidate, SearchBilling, SearchEhr, System
from projections.rules.holds import FirstDay, first_day_of, is_observed
from projections.rules.links import unlike
from projections.rules.people import charts_of
from projections.rules.wants import Moment
from projections.state.directory import Directory
from projections.state.maps import location_for, provider_for
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
    probability: float | None = None


class Matching(msgspec.Struct, frozen=True, kw_only=True, rename=stored_field):
    """What matching comes to. `only_*` have no counterpart; `impossible` cannot be created there, by code of the reason."""

    certain: int = 0
    candidates: tuple[CandidatePair, ...] = ()
    undecided_charts: int = 0
    only_in_ehr: int = 0
    only_in_billing: int = 0
    impossible: dict[str, int] = {}


class MappedSoFar(msgspec.Struct, frozen=True, kw_only=True):
    """How many providers and locations of the chart side have a counterpart; `without` are those that have none, by name."""

    providers: int = 0
    locations: int = 0
    without: tuple[str, ...] = ()


class Onboarding(msgspec.Struct, frozen=True, kw_only=True):
    """`state` is observing, going-live or live; `unread` are first reads still to be made, `due` patients to be looked at.

    `differing` are patients whose insurance differed when it began to go both ways, and is settled by nobody yet. `chosen_by` is who said
    that the practice goes live, "" where only its configuration did. `maps` are known once both directories are.
    """

    practice: str
    state: str
    charts: dict[System, int] = {}
    linked: int = 0
    unread: tuple[str, ...] = ()
    due: int = 0
    differing: int = 0
    matching: Matching | None = None
    chosen_by: str = ""
    maps: MappedSoFar | None = None


async def progress(store: Store, policy: Policy, now: datetime, reads: Sequence[str]) -> tuple[Onboarding, DryRun | None]:
    """How far the practice is, of whose systems `reads` are the first reads; while nothing is decided also what going live would do."""
    practice = policy.practice
    directory = await tables.directory(store.pool, practice, store.keyring)
    patients = await read_all(store, practice, store.keyring)
    due = await still_open.count_to_revisit(store.pool, practice, Moment.at(now, policy.time_zone).today)
    charts = [charts_of(one) for one in patients.values()]
    first_day = first_day_of(directory, policy)
    state = (
        "observing" if first_day is FirstDay.OBSERVED else "live" if first_day is FirstDay.OVER and not due else "going-live"
    )
    told = Onboarding(
        practice=practice,
        state=state,
        charts={
            System.EHR: sum(here is not None for here, _ in charts),
            System.BILLING: sum(there is not None for _, there in charts),
        },
        linked=sum(one.link is not None for one in patients.values()),
        unread=tuple(await unread(store.pool, practice, reads)),
        due=0 if directory.observing else due,
        differing=sum(map(is_differing, patients.values())),
        chosen_by="" if directory.live_chosen is None else directory.live_chosen.who,
        maps=mapped_so_far(directory, policy),
    )
    if not is_observed(directory, policy):
        return told, None
    return await asyncio.to_thread(_rehearsed, told, patients, directory, policy, now)


def _rehearsed(
    told: Onboarding, patients: dict[PatientKey, Patient], directory: Directory, policy: Policy, now: datetime
) -> tuple[Onboarding, DryRun]:
    """With what going live would do. It takes its time, and belongs into a thread."""
    open_directory = msgspec.structs.replace(directory, observing=False)
    run = rehearse(patients, open_directory, counterparts(patients), policy, now)
    return msgspec.structs.replace(told, matching=_matching(run)), run


def mapped_so_far(directory: Directory, policy: Policy) -> MappedSoFar | None:
    """Who and what of the chart side has a counterpart; None before both directories were read."""
    if not (directory.ehr_seen and directory.billing_seen):
        return None
    people = [one for one in directory.physicians if one.active]
    nobody = [one.full_name for one in people if provider_for(one.id, directory, policy) is None]
    nowhere = [one.name for one in directory.ehr_locations if location_for(one.id, directory, policy) is None]
    return MappedSoFar(
        providers=len(people) - len(nobody),
        locations=len(directory.ehr_locations) - len(nowhere),
        without=(*nobody, *nowhere),
    )


def _matching(run: DryRun) -> Matching:
    waits = {key: one.waiting[CHART_SLOT] for key, one in run.patients.items() if CHART_SLOT in one.waiting}
    doubts = (WaitCode.CANDIDATES, WaitCode.CANDIDATES_ELSEWHERE)
    undecided = [key for key, one in waits.items() if one.code in doubts]
    created = Counter(one.system for one in run.writes if one.slot == CHART_SLOT)
    return Matching(
        certain=sum(not one.how.startswith("created") for one in run.links),
        candidates=tuple(_pairs(run, undecided)),
        undecided_charts=len(undecided),
        only_in_ehr=created[System.BILLING],
        only_in_billing=created[System.EHR],
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
    ehr, billing = mine, one.id
    if isinstance(wanted, SearchEhr):
        ehr, billing, names = one.id, mine, (names[1], names[0])
    probability = None if one.likeness is None else one.likeness.probability
    return CandidatePair(ehr=ehr, billing=billing, differ=differ, names=names, probability=probability)


def is_of_first_day(body: Body) -> bool:
    """Whether somebody asks for something whose outcome the onboarding shows."""
    return isinstance(body, GoLiveRequested)


def reasons(pairs: tuple[CandidatePair, ...]) -> Mapping[str, int]:
    """How many pairs differ in what; those that differ in nothing are several of one kind."""
    return dict(Counter(", ".join(one.differ) or "nothing: several are alike" for one in pairs).most_common())
