"""Charts of one system that are likely of one person: found from the practice's own match keys, and kept up by what changed.

A person merges them on the vendor's own screen; the chart that is connected is the one to keep. What was merged is gone from the
charts, so it vanishes from here by itself. Two that are two persons are told apart by an event (`TellApartRequested`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from daemon.tables import documents as tables
from daemon.tables import open as still_open
from daemon.tables.duplicates import (
    SHARED,
    DuplicateRow,
    LookedUpTo,
    charts_since,
    known_duplicates,
    looked_up_to,
    pairs_sharing,
    save,
)
from daemon.tables.matching import MatchTables, charts_in
from events.codes import WaitCode
from events.ids import BillingPatientId, EhrChartId, PatientKey, PracticeId, billing_key, content_hash
from events.merges import ToldApart
from events.store import Store
from events.writes import Likeness, System
from projections.matching import Frequencies, Normal, twice
from projections.matching.weights import WEIGHTS
from projections.rules.counterparts import likeness_of
from projections.rules.people import chart_in, normal_of, person_of
from projections.state.directory import Directory, pair_key
from projections.state.patient import Patient, decode_patient
from projections.terms.policy import Policy
from projections.words.shown import Shown

RULES = content_hash(f"2 {SHARED} {WEIGHTS}".encode())
"""What was found by other rules is found anew: another number wherever vetoes become others."""

GROWTH = 1.25
"""How much a practice may grow before all is looked through again: how frequent values are has changed by then."""

BATCH = 250
ChartId = tuple[System, int]


@dataclass(frozen=True)
class TwiceEntered:
    """Two charts of one system. `links` are their counterparts in the other system, None for a chart that is not connected.

    `keep` is the chart to merge the other one into; None where both are connected, and a person has to see to both systems.
    """

    system: System
    one: int
    other: int
    likeness: Likeness
    links: tuple[int | None, int | None]
    names: tuple[str, str]
    told_apart: ToldApart | None = None

    @property
    def connected(self) -> int | None:
        """The one chart of the two that is connected."""
        here, there = self.links
        if (here is None) is (there is None):
            return None
        return self.one if here is not None else self.other

    @property
    def keep(self) -> int | None:
        """The chart that is connected; of two that are not, the older one."""
        return self.one if self.links == (None, None) else self.connected

    @property
    def merge(self) -> int | None:
        """The chart to merge into `keep`."""
        return None if self.keep is None else self.other if self.keep == self.one else self.one


@dataclass(frozen=True)
class GoneInMerge:
    """A linked patient of the billing system that is gone, and who it probably was merged into, the likeliest first; `who` is its name."""

    ehr: EhrChartId
    billing: BillingPatientId
    survivors: tuple[BillingPatientId, ...]
    who: str = ""


@dataclass(frozen=True)
class Duplicates:
    """`complete`: all charts were looked through; before that their owner has still to fill in what they are found by.

    `open_pairs` is how many nobody has told apart, of which `pairs` may be the first.
    """

    pairs: tuple[TwiceEntered, ...]
    gone: tuple[GoneInMerge, ...]
    complete: bool
    open_pairs: int


def what_to_do(one: TwiceEntered, shown: Shown) -> str:
    """Which chart to keep, and in which direction to merge on the vendor's own screen."""
    label = shown.label(one.system)
    other = shown.label(System.BILLING if one.system is System.EHR else System.EHR)
    links = dict(zip((one.one, one.other), one.links, strict=True))
    if one.keep is None:
        return (
            f"both are connected in {other} (with {links[one.one]} and {links[one.other]}): if they are one person, merge in "
            f"{other} first, then here in the same direction"
        )
    what = f"in {label} merge {one.merge} into {one.keep}"
    if one.connected is None:
        return f"{what}; neither is connected, {one.keep} is the older one"
    return f"{what}: {one.keep} is connected with {links[one.keep]} in {other} and must be kept"


class Looks:
    """What was found in practices, for who may not keep it: the next look is at what changed since."""

    def __init__(self) -> None:
        self.found: dict[PracticeId, tuple[LookedUpTo, list[DuplicateRow]]] = {}


async def find_duplicates(
    store: Store,
    policy: Policy,
    *,
    afresh: bool = False,
    keep: bool = True,
    looks: Looks | None = None,
    most: int | None = None,
) -> Duplicates:
    """The likely duplicates of a practice, first those without any doubt; those told apart come with who said so.

    `afresh` looks through everything again. What was found is kept for the next look unless `keep` says otherwise; `looks` then
    remembers it. With `most` no more than so many are opened, of those that nobody has told apart.
    """
    looking = _ChartsRead(store, policy.practice)
    complete = await looking.tables.are_complete(store.pool)
    rows = await looking.rows(afresh=afresh, keep=keep and complete, looks=looks if complete else None)
    directory = await tables.directory(store.pool, policy.practice, store.keyring)
    ordered = sorted(rows, key=lambda row: (not row.likeness.certain, -row.likeness.per_million, *row[:3]))
    open_ = [row for row in ordered if pair_key(*row[:3]) not in directory.told_apart]
    some = ordered if most is None else open_[:most]
    patients = await looking.patients({(row.system, chart) for row in some for chart in (row.one, row.other)})
    pairs = tuple(pair for row in some if (pair := _pair(row, patients, directory)) is not None)
    keys = sorted(await still_open.waiting_patients(store.pool, policy.practice, WaitCode.BILLING_CHART_GONE.value))
    gone = [found for one in await looking.load(keys[:most]) if (found := await _gone(looking, one)) is not None]
    return Duplicates(pairs, tuple(gone), complete, len(open_))


async def survivors_of(store: Store, policy: Policy, patient: Patient) -> tuple[BillingPatientId, ...]:
    """Who a vanished patient of the billing system was probably merged into: free patients that look like it, the likeliest first."""
    return await _ChartsRead(store, policy.practice).survivors(patient)


async def _gone(looking: _ChartsRead, patient: Patient) -> GoneInMerge | None:
    if patient.link is None or patient.billing is None or not patient.billing.vanished:
        return None
    chart = patient.billing.chart
    who = ", ".join(filter(None, (chart.last_name, chart.first_name)))
    return GoneInMerge(patient.link.ehr, patient.link.billing, await looking.survivors(patient), who)


def _pair(row: DuplicateRow, patients: Mapping[ChartId, Patient], directory: Directory) -> TwiceEntered | None:
    here, there = patients.get((row.system, row.one)), patients.get((row.system, row.other))
    if here is None or there is None:
        return None
    ehr = row.system is System.EHR
    charts = chart_in(here, ehr=ehr), chart_in(there, ehr=ehr)
    links = tuple(None if one.link is None else one.link.billing if ehr else one.link.ehr for one in (here, there))
    return TwiceEntered(
        system=row.system,
        one=row.one,
        other=row.other,
        likeness=row.likeness,
        links=(links[0], links[1]),
        names=tuple("" if one is None else f"{one.first_name} {one.last_name}" for one in charts),  # type: ignore[arg-type]
        told_apart=directory.told_apart.get(pair_key(row.system, row.one, row.other)),
    )


class _ChartsRead:
    """A look at one practice's charts; each document is read once."""

    def __init__(self, store: Store, practice: PracticeId) -> None:
        self.store = store
        self.practice = practice
        self.tables = MatchTables(practice, store.keyring)

    async def rows(self, *, afresh: bool, keep: bool, looks: Looks | None = None) -> list[DuplicateRow]:
        """What is known, brought up to date."""
        pool = self.store.pool
        sequence = await self.store.head(self.practice)
        before = await looked_up_to(pool, self.practice)
        remembered = looks.found.get(self.practice) if looks is not None else None
        if remembered is not None and (before is None or before.sequence < remembered[0].sequence):
            before = remembered[0]
        else:
            remembered = None
        charts = (await self.tables.frequencies_so_far(pool, [])).charts
        if afresh or before is None or before.rules != RULES or charts > before.charts * GROWTH:
            found, gone, kept = await self._all(), None, []
            up_to = LookedUpTo(sequence, charts, RULES)
        else:
            changed = await charts_since(pool, self.practice, before.sequence)
            known = remembered[1] if remembered is not None else await known_duplicates(pool, self.practice)
            gone = [row for row in known if row.touches(changed)]
            kept = [row for row in known if not row.touches(changed)]
            found = await self._of(changed)
            up_to = LookedUpTo(sequence, before.charts, RULES)
        if keep and (before is None or gone is None or up_to != before):
            async with pool.acquire() as connection, connection.transaction():
                await save(connection, self.practice, gone, found, up_to)
        if looks is not None:
            looks.found[self.practice] = up_to, [*kept, *found]
        return [*kept, *found]

    async def _all(self) -> list[DuplicateRow]:
        found: list[DuplicateRow] = []
        for system in System:
            found += await self._compared(system, await pairs_sharing(self.store.pool, self.practice, system), {})
        return found

    async def _of(self, changed: Iterable[ChartId]) -> list[DuplicateRow]:
        """The duplicates of charts that changed; of those that are gone there are none."""
        found: list[DuplicateRow] = []
        for system in System:
            people = await self._people({chart for chart in changed if chart[0] is system})
            wanted = {str(chart): one for (_, chart), one in people.items()}
            near = await self.tables.sharing_so_far(self.store.pool, system, wanted) if wanted else {}
            pairs = {
                (min(int(name), other), max(int(name), other))
                for name, others in near.items()
                for other in others
                if int(name) != other
            }
            found += await self._compared(system, sorted(pairs), people)
        return found

    async def _compared(
        self, system: System, pairs: list[tuple[int, int]], known: Mapping[ChartId, Normal]
    ) -> list[DuplicateRow]:
        wanted = {(system, chart) for pair in pairs for chart in pair} - known.keys()
        people = {**known, **await self._people(wanted)}
        frequencies = await self.tables.frequencies_so_far(self.store.pool, [], people.values(), among=True)
        return await asyncio.to_thread(_twice_entered, system, pairs, people, frequencies)

    async def _people(self, charts: Iterable[ChartId]) -> dict[ChartId, Normal]:
        """These charts as they are compared; those that are gone are left out."""
        wanted = set(charts)
        found: dict[ChartId, Normal] = {}
        for some in _batches(await self._keys(wanted)):
            stored = await tables.load_patients(self.store.pool, self.practice, some, self.store.keyring)
            found |= await asyncio.to_thread(_charts_of, [doc for _, doc in stored.values()], wanted)
        return found

    async def patients(self, charts: Iterable[ChartId]) -> dict[ChartId, Patient]:
        """Whose charts these are, of those that are there."""
        wanted = set(charts)
        loaded = await self.load(await self._keys(wanted))
        return {chart: one for one in loaded for chart in charts_in([one]) if chart in wanted}

    async def load(self, keys: Iterable[PatientKey]) -> list[Patient]:
        """These patients."""
        stored = await tables.load_patients(self.store.pool, self.practice, sorted(keys), self.store.keyring)
        return [decode_patient(doc) for _, doc in stored.values()]

    async def _keys(self, charts: Iterable[ChartId]) -> list[PatientKey]:
        ehr = [chart for system, chart in charts if system is System.EHR]
        resolved = await tables.resolve_charts(self.store.pool, self.practice, ehr)
        billing = {billing_key(BillingPatientId(chart)) for system, chart in charts if system is System.BILLING}
        return sorted({*resolved.values(), *billing})

    async def survivors(self, patient: Patient) -> tuple[BillingPatientId, ...]:
        chart = chart_in(patient, ehr=False)
        if chart is None:
            return ()
        mine = normal_of(person_of(chart))
        people, frequencies = await self.tables.search_so_far(self.store.pool, System.BILLING, mine, self._unlinked)
        found = [
            (alike.probability, id_) for id_, one in people.items() if (alike := twice(mine, one, frequencies)) is not None
        ]
        return tuple(BillingPatientId(chart) for _, chart in sorted(found, key=lambda one: (-one[0], one[1])))

    async def _unlinked(self, charts: Iterable[int]) -> list[Patient]:
        """The patients of these charts of the billing side that have no link."""
        loaded = await self.load(billing_key(BillingPatientId(chart)) for chart in charts)
        return [one for one in loaded if one.link is None]


def _twice_entered(
    system: System, pairs: Iterable[tuple[int, int]], people: Mapping[ChartId, Normal], frequencies: Frequencies
) -> list[DuplicateRow]:
    found = []
    for one, other in pairs:
        here, there = people.get((system, one)), people.get((system, other))
        decision = None if here is None or there is None else twice(here, there, frequencies)
        if decision is not None:
            found.append(DuplicateRow(system, one, other, likeness_of(decision)))
    return found


def _charts_of(documents: Iterable[bytes], wanted: set[ChartId]) -> dict[ChartId, Normal]:
    charts = charts_in(decode_patient(doc) for doc in documents)
    return {chart: one for chart, one in charts.items() if chart in wanted}


def _batches(keys: list[PatientKey]) -> Iterable[list[PatientKey]]:
    return (keys[start : start + BATCH] for start in range(0, len(keys), BATCH))
