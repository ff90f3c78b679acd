"""A patient's events from either id, over all charts that it was ever linked with."""

from __future__ import annotations

from collections.abc import Iterable

from events.ids import Charts, PatientKey, PracticeId, charts_of
from events.merges import BillingLinkMoved
from events.schema import Event, LinkMoved, Recorded
from events.store import Store


def names_charts(event: Event) -> tuple[set[int], set[int]]:
    """The charts an event ties together: (chart side, billing side); none when it is about one system's only."""
    body = event.body
    if isinstance(body, LinkMoved):
        return {int(body.source), int(body.target)}, {int(body.billing)}
    if isinstance(body, BillingLinkMoved):
        return {int(body.ehr)}, {int(body.source), int(body.target)}
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


async def events_of_charts(store: Store, practice: PracticeId, charts: Charts) -> list[Recorded]:
    """All events about these charts, and about whatever they were ever linked with."""
    ehr, billing = charts
    return await patient_events(store, practice, () if ehr is None else (ehr,), () if billing is None else (billing,))


async def events_of(store: Store, practice: PracticeId, key: PatientKey) -> list[Recorded]:
    """All events about the patient of this key; those of the practice itself for the practice's."""
    if not key:
        return [one async for one in store.of_practice(practice)]
    return await events_of_charts(store, practice, charts_of(key))


async def event_at(store: Store, practice: PracticeId, sequence: int) -> Recorded | None:
    return next((one for one in [one async for one in store.read(practice, after=sequence - 1, up_to=sequence)]), None)
