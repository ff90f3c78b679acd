"""Who could be whom, in PostgreSQL: keyed hashes of what a practice's charts can be alike in, and how frequent values are.

A projection: what the charts of the documents say, and nothing else. The hashes are made with a secret of the practice, so that
the tables hold no patient's data. A row that stands for the secret says that the tables are complete. It is missing in
a practice from before the tables, and after another secret. Then, or where an older worker has saved patients since, the practice's owner
fills the tables anew, in the transaction that needs them.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest

from msgspec.structs import replace

from daemon.tables.filling import FilledTable, in_batches
from daemon.tables.hashes import Hashes
from daemon.tables.queries import SQL
from events.codec import Keyring
from events.connection import Connection
from events.ids import PracticeId
from events.records import BillingChart, EhrChart
from events.writes import System
from projections.matching import Frequencies, Normal, Person, are_two_people, keys_of, outline, pair_of
from projections.matching.distance import is_cut
from projections.matching.frequencies import shared_values, ssn_value
from projections.rules.counterparts import cautious
from projections.rules.people import charts_of, normal_of, person_of
from projections.state.patient import Patient

MOST = 250
"""Charts of one system with one key; a key that more have tells nothing."""

NEAREST = 12
"""Charts that are compared with one: those that share the most with it, a key that fewer have counting more.

Of 12,000 people looked for in practices of 100,000 invented charts each one's counterpart was among the first seven; of all pairs
that come to anything one in 2,000 is further down.
"""

WHOLE = 1_000_000
"""What a key counts that one chart has; of one that more have each counts its part. In whole numbers: their order does not matter."""

COMPARED = 2_000
"""Pairs that are told apart before frequencies are asked for; of more all values are asked."""

NOTHING: frozenset[str] = frozenset()

ALONE = ("names:", "lasts:", "streets:", "shared:")
"""Kinds of value whose frequency is asked for although only one of people compared with one another has it."""

NormalByChart = dict[tuple[System, int], Normal]
KeyRow = tuple[str, bytes, int]
"""System, hash, chart; of a count: system, hash, number of charts."""

CountsBySystem = defaultdict[str, list[int]]
"""How many charts of each system have a value."""


def values_of(one: Normal) -> list[str]:
    """The values of which `Frequencies` asks how frequent they are, each after the name of its counts."""
    plain = {
        "names": one.names.first,
        "lasts": one.names.last,
        "middles": one.names.middle,
        "dates": one.day,
        "zips": one.zip,
        "cities": one.city,
        "areas": one.area if one.zip and one.city else "",
        "lines": one.line2,
        "states": one.state,
        "streets": one.street.name if one.street else "",
    }
    found = [f"{kind}:{value}" for kind, value in plain.items() if value]
    return ["charts:", *found, *(f"shared:{value}" for value in dict.fromkeys(shared_values(one)))]


def weighed(people: Sequence[Normal], others: Sequence[Normal] = (), *, among: bool) -> list[str]:
    """The values whose frequency matters where `people` are compared with `others`, and these `among` one another.

    Equal values count by their frequency, so what only one of the others has is not asked for. Some kinds matter also where they are not
    equal: a last name that is cut short, whether two names are one as it is said short, whether a street is a nursing home's, whether an
    SSN is a default.
    """
    mine = {value for one in people for value in values_of(one)}
    if among or len(people) * len(others) > COMPARED:
        counts = Counter(value for one in others for value in values_of(one))
        return sorted(mine | {value for value, count in counts.items() if count > 1 or value.startswith(ALONE)})
    # Most of who shares a key is a relative: no frequency makes two of them one.
    return sorted(
        mine.union(*(_alone(other, [one for one in people if not are_two_people(one, other)]) for other in others))
    )


def _alone(other: Normal, may: Sequence[Normal]) -> Iterator[str]:
    """The values of `other` that matter beside people who `may` be the same, though those have others."""
    if not may:
        return
    if other.names.first:
        yield f"names:{other.names.first}"
    if any(is_cut(one.names.last, other.names.last) for one in may):
        yield f"lasts:{other.names.last}"
    if other.street:
        yield f"streets:{other.street.name}"
    if other.place:
        yield f"shared:{other.place}"
    if other.ssn and any(one.ssn for one in may):
        yield f"shared:{ssn_value(other.ssn)}"


def charts_in(patients: Iterable[Patient]) -> NormalByChart:
    """The charts of these patients that are there, as they are compared."""
    return {chart: normal_of(person_of(one)) for chart, one in _held(patients).items()}


def _changed(before: Iterable[Patient], after: Iterable[Patient]) -> tuple[NormalByChart, NormalByChart]:
    """As `charts_in` of both, without the charts that say the same as before of who somebody is: most recordings change none."""
    old, new = _held(before), _held(after)
    for chart in old.keys() & new.keys():
        one, other = old[chart], new[chart]
        if one is other or one == other:
            del old[chart], new[chart]
    was, now = ({chart: person_of(one) for chart, one in each.items()} for each in (old, new))
    for chart in was.keys() & now.keys():
        if was[chart] == now[chart]:
            del was[chart], now[chart]
    return {chart: normal_of(one) for chart, one in was.items()}, {chart: normal_of(one) for chart, one in now.items()}


def _held(patients: Iterable[Patient]) -> dict[tuple[System, int], EhrChart | BillingChart]:
    """The charts of these patients that are there."""
    found: dict[tuple[System, int], EhrChart | BillingChart] = {}
    for patient in patients:
        ehr, billing = charts_of(patient)
        if ehr is not None:
            found[System.EHR, int(ehr.id)] = ehr
        if billing is not None:
            found[System.BILLING, int(billing.id)] = billing
    return found


@dataclass(frozen=True)
class MatchRows:
    """All rows of the two tables."""

    keys: set[KeyRow]
    counts: set[KeyRow]


def rows_of(patients: Iterable[Patient], hashes: Hashes) -> MatchRows:
    """What the tables hold of a practice with these patients."""
    keys: set[KeyRow] = set()
    counts: Counter[tuple[str, bytes]] = Counter()
    for (system, chart), one in charts_in(patients).items():
        keys |= {(system.value, key, chart) for key in hashes.keys(one)}
        counts.update((system.value, hashes.value(value)) for value in values_of(one))
    counts[System.EHR.value, hashes.complete] = 1
    return MatchRows(keys, {(system, value, number) for (system, value), number in counts.items()})


async def stored(connection: Connection, practice: PracticeId) -> MatchRows:
    """The rows as they are stored."""
    keys = await connection.fetch(SQL["all_match_keys"], practice)
    counts = await connection.fetch(SQL["all_match_counts"], practice)
    return MatchRows({tuple(row.values()) for row in keys}, {tuple(row.values()) for row in counts})


async def are_complete(connection: Connection, practice: PracticeId, hashes: Hashes) -> bool:
    """Whether the tables hold what the documents say: filled with this secret, and kept with every document since."""
    if not await connection.fetch(SQL["match_counts"], practice, [System.EHR.value], [hashes.complete]):
        return False
    return not await connection.fetchval(SQL["any_not_matched"], practice)


async def replace_all(connection: Connection, practice: PracticeId, rows: MatchRows) -> None:
    """These rows and no others, which are what the documents say."""
    await connection.execute(SQL["clear_match_keys"], practice)
    await connection.execute(SQL["clear_match_counts"], practice)
    await in_batches(connection, "save_match_keys", practice, rows.keys)
    await in_batches(connection, "add_match_counts", practice, rows.counts)
    await connection.execute(SQL["mark_matched"], practice)


async def _fill(connection: Connection, practice: PracticeId, patients: Iterable[Patient], hashes: Hashes) -> None:
    await replace_all(connection, practice, await asyncio.to_thread(rows_of, patients, hashes))


class MatchTables(FilledTable):
    """The tables of one practice, as its recorder reads and saves them inside its transaction."""

    def __init__(self, practice: PracticeId, keyring: Keyring) -> None:
        super().__init__(practice, keyring, are_complete, _fill)

    async def save(self, connection: Connection, before: Iterable[Patient], after: Iterable[Patient]) -> None:
        """What has become of the charts of patients: nothing is sent where none changed in what matching compares."""
        old, new = _changed(before, after)
        changed = [chart for chart in sorted(old.keys() | new.keys()) if old.get(chart) != new.get(chart)]
        if not changed:
            return
        hashes = self._hashes()
        gone: set[KeyRow] = set()
        come: set[KeyRow] = set()
        counts: Counter[tuple[str, str]] = Counter()
        for system, chart in changed:
            side, was, now = system.value, old.get((system, chart)), new.get((system, chart))
            known, wanted = (frozenset(keys_of(one)) if one is not None else NOTHING for one in (was, now))
            gone |= {(side, hashes.of(key), chart) for key in known - wanted}
            come |= {(side, hashes.of(key), chart) for key in wanted - known}
            less, more = (frozenset(values_of(one)) if one is not None else NOTHING for one in (was, now))
            counts.subtract([(side, value) for value in less - more])
            counts.update([(side, value) for value in more - less])
        moved = {(system, hashes.value(value), number) for (system, value), number in counts.items() if number}
        for query, rows in (("delete_match_keys", gone), ("save_match_keys", come), ("add_match_counts", moved)):
            await in_batches(connection, query, self.practice, rows)

    async def sharing(
        self,
        connection: Connection,
        system: System,
        people: Mapping[str, Normal],
        beside: Iterable[Patient] = (),
        most: int = NEAREST,
    ) -> dict[str, tuple[int, ...]]:
        """The charts of `system` that share keys with each of `people`: the nearest, so many at `most`, by id.

        `beside` are patients that changed in this transaction and are not in the tables yet.
        """
        return await self._shared(connection, await self.ensure(connection), system, people, beside, most)

    async def sharing_so_far(
        self, connection: Connection, system: System, people: Mapping[str, Normal]
    ) -> dict[str, tuple[int, ...]]:
        """As `sharing`, for who may only read: before the tables are complete nobody shares anything."""
        return await self._shared(connection, self._hashes(), system, people, ())

    async def are_complete(self, connection: Connection) -> bool:
        """Whether the tables hold all charts; their owner fills them when he next looks for somebody."""
        return await are_complete(connection, self.practice, self._hashes())

    async def _shared(
        self,
        connection: Connection,
        hashes: Hashes,
        system: System,
        people: Mapping[str, Normal],
        beside: Iterable[Patient],
        most: int = NEAREST,
    ) -> dict[str, tuple[int, ...]]:
        wanted = {name: hashes.keys(one) for name, one in people.items()}
        keys = sorted({key for each in wanted.values() for key in each})
        by_key: defaultdict[bytes, set[int]] = defaultdict(set)
        for row in await connection.fetch(SQL["match_alike"], self.practice, system.value, keys, MOST + 1):
            by_key[row["key"]].update(row["charts"])
        for (side, chart), one in charts_in(beside).items():
            if side is system:
                for key in hashes.keys(one):
                    by_key[key].add(chart)
        return {name: nearest([by_key[key] for key in each], most) for name, each in wanted.items()}

    async def search_so_far(
        self,
        connection: Connection,
        system: System,
        mine: Normal,
        read: Callable[[tuple[int, ...]], Awaitable[Iterable[Patient]]],
    ) -> tuple[dict[int, Normal], Frequencies]:
        """The charts of `system` that may be this person's, and how frequent is what they are compared by; for who may only read.

        `read` reads the patients of charts. Who cannot be this person however rare his values are is left out: of others nothing is asked.
        """
        hashes = self._hashes()
        asked = {hashes.value(value): value for value in values_of(mine)}
        keys = sorted(hashes.keys(mine))
        by_key: list[Sequence[int]] = []
        counted: CountsBySystem = defaultdict(list)
        for row in await connection.fetch(
            SQL["match_search"], self.practice, system.value, keys, MOST + 1, SYSTEMS, list(asked)
        ):
            if row["charts"] is None:
                counted[asked[row["hash"]]].append(row["number"])
            else:
                by_key.append(row["charts"])
        known = _frequencies(counted)
        near = nearest(by_key)
        people: dict[int, Normal] = {}
        for (side, chart), one in _held(await read(near)).items():
            if side is system and chart in near and (other := _may_be(mine, person_of(one), known)) is not None:
                people[chart] = other
        missing = [value for value in weighed([mine], list(people.values()), among=False) if value not in asked.values()]
        if missing:
            await self._count(connection, hashes, missing, counted)
            known = _frequencies(counted)
        return people, known

    async def frequencies(
        self, connection: Connection, people: Iterable[Normal], others: Iterable[Normal] = (), *, among: bool = False
    ) -> Frequencies:
        """How frequent the values of these people are in the practice, as far as they matter (`weighed`); of other values nothing is known."""
        wanted = weighed(list(people), list(others), among=among)
        return await self._counted(connection, await self.ensure(connection), wanted)

    async def frequencies_so_far(
        self, connection: Connection, people: Iterable[Normal], others: Iterable[Normal] = (), *, among: bool = False
    ) -> Frequencies:
        """As `frequencies`, for who may only read: before the tables are complete nothing is frequent."""
        return await self._counted(connection, self._hashes(), weighed(list(people), list(others), among=among))

    async def _counted(self, connection: Connection, hashes: Hashes, values: Iterable[str]) -> Frequencies:
        counted: CountsBySystem = defaultdict(list)
        await self._count(connection, hashes, ("charts:", *values), counted)
        return _frequencies(counted)

    async def _count(self, connection: Connection, hashes: Hashes, values: Iterable[str], counted: CountsBySystem) -> None:
        """Add the counts of these values."""
        asked = {hashes.value(value): value for value in values}
        for row in await connection.fetch(SQL["match_counts"], self.practice, SYSTEMS, list(asked)):
            counted[asked[row["value"]]].append(row["charts"])


def nearest(by_key: Iterable[Collection[int]], most: int = NEAREST) -> tuple[int, ...]:
    """The charts that share the most, given those of each key, by id."""
    shared: Counter[int] = Counter()
    for charts in by_key:
        if 0 < len(charts) <= MOST:
            weight = WHOLE // len(charts)
            for chart in charts:
                shared[chart] += weight
    return tuple(sorted(nsmallest(most, shared, key=lambda chart: (-shared[chart], chart))))


def _may_be(mine: Normal, other: Person, known: Frequencies) -> Normal | None:
    """`other` as it is compared, unless it is somebody else where all that is not `known` of it is as rare as can be.

    An SSN that differs may be a default, which says nothing: then only names and birth date tell.
    """
    if are_two_people(mine, outline(other)):
        return None
    ready = normal_of(other)
    open_ = bool(mine.ssn and ready.ssn and mine.ssn != ready.ssn)
    return ready if open_ or pair_of(mine, ready, known) is not None else None


def _frequencies(counted: Mapping[str, Sequence[int]]) -> Frequencies:
    """The counts of values, by system, as what matching asks."""
    counts: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for value, each in counted.items():
        kind, _, text = value.partition(":")
        counts[kind][text] = max(each) if kind in ("shared", "streets") else sum(each)
    lists = counted.get("charts:", [0])
    named = {kind: counts[kind] for kind in COUNTED}
    return cautious(replace(Frequencies(charts=sum(lists), longest=max(lists)), **named))


SYSTEMS = [System.EHR.value, System.BILLING.value]
COUNTED = ("names", "lasts", "middles", "dates", "zips", "cities", "areas", "lines", "states", "shared", "streets")
