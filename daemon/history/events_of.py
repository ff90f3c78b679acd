"""A patient's events from either id, and the practice's own: what history, explain and replay start from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from events import queries
from events.ids import Charts, EventId, PracticeId
from events.schema import Event, LinkMoved, Recorded
from events.store import ALL, Store, open_row

SQL = queries.load("replay")
BATCH = 1000


def ids_of(charts: Charts) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The charts to read the events of, by system: (the EHR's, the billing system's)."""
    return () if charts.ehr is None else (charts.ehr,), () if charts.billing is None else (charts.billing,)


def names_charts(event: Event) -> tuple[set[int], set[int]]:
    """The charts an event ties together: (the EHR's, the billing system's); none when it is about one system's only."""
    body = event.body
    if isinstance(body, LinkMoved):
        return {int(body.source), int(body.target)}, {int(body.billing)}
    if event.ehr is None or event.billing is None:
        return set(), set()
    return {int(event.ehr)}, {int(event.billing)}


async def patient_events(
    store: Store, practice: PracticeId, ehr: Iterable[int] = (), billing: Iterable[int] = ()
) -> list[Recorded]:
    """All events about these charts and about whatever they were ever linked with, in order."""
    seen_ehr: set[int] = set()
    seen_billing: set[int] = set()
    more_ehr, more_billing = set(ehr), set(billing)
    found: dict[int, Recorded] = {}
    while more_ehr or more_billing:
        new: tuple[set[int], set[int]] = set(), set()
        async for recorded in store.read_chart(practice, ehr=sorted(more_ehr), billing=sorted(more_billing), known=found):
            found[recorded.sequence] = recorded
            here, there = names_charts(recorded.event)
            new[0].update(here)
            new[1].update(there)
        seen_ehr |= more_ehr
        seen_billing |= more_billing
        more_ehr, more_billing = new[0] - seen_ehr, new[1] - seen_billing
    return [found[sequence] for sequence in sorted(found)]


async def practice_events(store: Store, practice: PracticeId, *, up_to: int = ALL) -> AsyncIterator[Recorded]:
    """The events about the practice itself, which no chart leads to: directories, carriers and plans, troubles."""
    after = 0
    while rows := await store.pool.fetch(SQL["practice_events"], practice, after, up_to, BATCH):
        for row in rows:
            yield open_row(row, store.keyring)
        after = rows[-1]["sequence"]


async def event_by_id(store: Store, practice: PracticeId, id_: EventId) -> Recorded | None:
    row = await store.pool.fetchrow(SQL["by_id"], practice, id_)
    return None if row is None else open_row(row, store.keyring)


async def event_at(store: Store, practice: PracticeId, sequence: int) -> Recorded | None:
    return next((one for one in [one async for one in store.read(practice, after=sequence - 1, up_to=sequence)]), None)
