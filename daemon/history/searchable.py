"""Making the history searchable: the terms of the events that were recorded since, batch by batch, beside the recording."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

from daemon.tables import history_terms
from daemon.tables.history_terms import TermRow
from events.codec import Keyring
from events.connection import Row
from events.ids import PracticeId
from events.records import stored_type
from events.schema import BillingChartObserved, EhrChartObserved, Recorded
from events.store import Store, open_row
from events.writes import System
from projections.words.terms_of import SeenChart, seen_in, terms_of

BATCH = 250
MOST_KEPT = 20_000
"""Charts that are kept in memory to compare the next observation with; others are read again."""

OBSERVED = {
    System.EHR: stored_type(EhrChartObserved.__name__),
    System.BILLING: stored_type(BillingChartObserved.__name__),
}
Chart = tuple[System, int]


def chart_of(one: Recorded) -> Chart | None:
    """The chart that an event observes; None for any other event."""
    match one.event.body:
        case EhrChartObserved(chart=chart):
            return System.EHR, int(chart.id)
        case BillingChartObserved(chart=there):
            return System.BILLING, int(there.id)
    return None


async def catch_up(store: Store, practice: PracticeId) -> int:
    """Keep the terms of all events up to the head; returns which that is. Raises UnreadableEvent or KeyMissing."""
    at, head = await history_terms.kept_up_to(store.pool, practice), await store.head(practice)
    charts: dict[Chart, SeenChart] = {}
    batches = store.sealed(practice, at, head, batch=BATCH)
    async with aclosing(batches):
        async for rows in batches:
            told = await asyncio.to_thread(_opened, rows, store.keyring)
            if len(charts) > MOST_KEPT:
                charts.clear()
            await _look_up(store, practice, told, charts)
            found = await asyncio.to_thread(_terms, store, practice, told, charts)
            await history_terms.save(store.pool, practice, found, told[-1].sequence)
    return head


def _opened(rows: Sequence[Row], keyring: Keyring) -> list[Recorded]:
    return [open_row(row, keyring) for row in rows]


async def _look_up(store: Store, practice: PracticeId, told: Sequence[Recorded], charts: dict[Chart, SeenChart]) -> None:
    """The last observation before these events of each chart that they observe."""
    wanted = {one for each in told if (one := chart_of(each)) is not None} - charts.keys()
    for system, type_ in OBSERVED.items():
        ids = [id_ for of, id_ in wanted if of is system]
        if not ids:
            continue
        rows = await history_terms.last_of_charts(store.pool, practice, system, ids, told[0].sequence, type_)
        for last in _opened(rows, store.keyring):
            key, seen = chart_of(last), seen_in(last.event.body)
            if key is not None and seen is not None:
                charts[key] = seen


def _terms(store: Store, practice: PracticeId, told: Sequence[Recorded], charts: dict[Chart, SeenChart]) -> list[TermRow]:
    found: list[TermRow] = []
    hashes: dict[str, bytes] = {}
    for one in told:
        key = chart_of(one)
        before = charts.get(key) if key is not None else None
        for term in terms_of(one.event.body, before):
            if term not in hashes:
                hashes[term] = history_terms.hash_of(store.keyring, practice, term)
            found.append((hashes[term], one.sequence))
        seen = seen_in(one.event.body)
        if key is not None and seen is not None:
            charts[key] = seen
    return found
