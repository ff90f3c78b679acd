"""What is on hold, by the lists beside the documents: nothing is opened to show or to count it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from daemon.tables.open import list_open_intents
from daemon.tables.queries import SQL
from events.codes import WaitCode
from events.connection import Connection
from events.holds import HoldScope, scope_in
from events.ids import PatientKey, PracticeId, charts_of
from events.slots import SlotKind, parse_slot
from events.writes import Resource

RESOURCES: dict[SlotKind, Resource] = {
    SlotKind.CHART: Resource.CHART,
    SlotKind.DEMOGRAPHICS: Resource.DEMOGRAPHICS,
    SlotKind.POLICIES: Resource.INSURANCE,
    SlotKind.CASE_POLICIES: Resource.INSURANCE,
    SlotKind.CARRIER: Resource.INSURANCE,
    SlotKind.PLAN: Resource.INSURANCE,
    SlotKind.APPOINTMENT: Resource.APPOINTMENT,
    SlotKind.BILL: Resource.BILL,
    SlotKind.BILL_ANSWER: Resource.BILL,
    SlotKind.CASE: Resource.BILL,
}
"""The row of the direction table that the write of a slot falls under."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A hold: since when, and how many writes it holds now. A search that is just being made may be counted along."""

    slot: str
    since: datetime
    writes: int = 0


async def held(connection: Connection, practice: PracticeId) -> tuple[Held, ...]:
    """The holds of a practice, the oldest first. A write that several hold counts for each."""
    every = await connection.fetch(SQL["waiting_of_practice"], practice)
    rows = [row for row in every if row["code"] == WaitCode.ON_HOLD]
    if not rows:
        return ()
    keys = await _keys(connection, practice, (row["slot"] for row in rows))
    waiting = [one for one in await list_open_intents(connection, practice) if one.state == "requested"]
    found = []
    for row in rows:
        scope, key = scope_in(row["slot"]), keys.get(row["slot"])
        count = 0 if scope is None else sum(_holds(scope, key, one.slot, one.system, one.patient_key) for one in waiting)
        found.append(Held(slot=row["slot"], since=row["since"], writes=count))
    return tuple(sorted(found, key=lambda one: (one.since, one.slot)))


async def _keys(connection: Connection, practice: PracticeId, slots: Iterable[str]) -> dict[str, PatientKey]:
    """The patients of the holds of one patient, by slot: a chart may have been linked since."""
    named = {slot: scope.patient for slot in slots if (scope := scope_in(slot)) is not None and scope.patient}
    if not named:
        return {}
    from daemon.tables import documents  # not for who only looks how a practice is: what it opens takes long to load

    charts = {slot: chart for slot, key in named.items() if (chart := charts_of(key).ehr) is not None}
    known = await documents.resolve_charts(connection, practice, list(charts.values()))
    return named | {slot: known[chart] for slot, chart in charts.items() if chart in known}


def _holds(scope: HoldScope, key: PatientKey | None, slot: str, system: str, of: str) -> bool:
    kind = parse_slot(slot).kind
    resource = None if kind is None else RESOURCES.get(kind)
    return scope.resource in (None, resource) and scope.system in (None, system) and key in (None, of)
