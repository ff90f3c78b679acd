"""How a practice is, as `chartwire status` shows it on any machine: what its owner says, and what the database knows.

It holds no patient's data.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec

from daemon.tables.holds import Held, held
from daemon.tables.observed import FEED, NO_SOURCES
from daemon.tables.queries import SQL
from events.connection import Connection
from events.ids import PracticeId
from events.writes import System


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`failing` is why a pass fails, by `source.pass`; `queued` the writes that a sink holds, by system; `budget` the share of a
    vendor's published calls that was used of late, by operation (1.0: no call more fits), of all that share the limits; `standing`
    says since when and why the practice is not at work, "" where it is. `first_day` is "observed", "going live" or "over", "" of an older
    worker. `account` is the practice by whose name the partition of all
    that share a vendor account is found: who may not read the vendors' secrets publishes by it."""

    failing: dict[str, str] = {}
    queued: dict[System, int] = {}
    budget: dict[str, float] = {}
    standing: str = ""
    account: str = ""
    first_day: str = ""


class PracticeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One practice, as `chartwire status` shows it.

    `sources` are seconds since a connector's last complete pass was recorded; `lag` messages of its partition that are not
    recorded yet (None when the broker was not asked or does not answer); `unfed` events not yet published outward; `open_intents`
    (system, state, how many, oldest); `waiting` (code, how many); `held` what is on hold. `report` is its owner's, `report_age` in seconds.
    """

    practice: str
    events: int = 0
    epoch: int = 0
    owner: str = ""
    taken_at: datetime | None = None
    sources: dict[str, float] = {}
    lag: int | None = None
    unfed: int = 0
    open_intents: tuple[tuple[System, str, int, datetime | None], ...] = ()
    waiting: tuple[tuple[str, int], ...] = ()
    held: tuple[Held, ...] = ()
    report: Report | None = None
    report_age: float | None = None

    def observed(self, mode: str) -> bool:
        """Whether the practice is only observed: its owner says so, or else the `mode` of its configuration."""
        said = self.report.first_day if self.report is not None else ""
        return said == "observed" if said else mode == "observe"


async def save_reports(pool: Connection, reports: Mapping[PracticeId, tuple[int, Report]]) -> None:
    """Keep what owners say of their practices (epoch, report); an older epoch's does not replace a newer one's."""
    await pool.execute(
        SQL["save_reports"],
        list(reports),
        [epoch for epoch, _ in reports.values()],
        [msgspec.json.encode(report).decode() for _, report in reports.values()],
    )


async def last_owner(pool: Connection, practice: PracticeId) -> tuple[str, float | None]:
    """Who had the practice last, and how many seconds ago that owner said how it is; None where it never has."""
    head = await pool.fetchrow(SQL["status_head"], practice)
    return ("", None) if head is None else (head["owner"], head["report_age"])


async def practice_status(pool: Connection, practice: PracticeId) -> PracticeStatus:
    """What the database knows of a practice's state: all of it but the broker's lag."""
    head = await pool.fetchrow(SQL["status_head"], practice)
    if head is None:
        return PracticeStatus(practice=practice)
    intents = await pool.fetch(SQL["status_intents"], practice)
    waiting = await pool.fetch(SQL["status_waiting"], practice)
    sources = {row["source"]: row for row in await pool.fetch(SQL["status_sources"], practice)}
    fed = sources.pop(FEED, None)
    for name in NO_SOURCES:
        sources.pop(name, None)
    return PracticeStatus(
        practice=practice,
        events=head["sequence"],
        epoch=head["epoch"],
        owner=head["owner"],
        taken_at=head["taken_at"],
        sources={name: round(row["age"], 1) for name, row in sources.items()},
        unfed=head["sequence"] - (0 if fed is None else int(fed["value"])),
        open_intents=tuple((System(row["system"]), row["state"], row["count"], row["oldest"]) for row in intents),
        waiting=tuple((row["code"], row["count"]) for row in waiting),
        held=await held(pool, practice),
        report=msgspec.json.decode(head["doc"], type=Report) if head["doc"] else None,
        report_age=None if head["report_age"] is None else round(head["report_age"], 1),
    )


class Glance(msgspec.Struct, frozen=True, kw_only=True):
    """One of many practices: how many items wait, and what its owner said last, so many seconds ago."""

    waiting: int = 0
    report: Report | None = None
    report_age: float | None = None


async def at_a_glance(pool: Connection, practices: Collection[PracticeId]) -> dict[PracticeId, Glance]:
    """How these practices are, in two questions however many they are."""
    heads = {row["practice"]: row for row in await pool.fetch(SQL["heads_at_a_glance"], list(practices))}
    counts = {row["practice"]: row["count"] for row in await pool.fetch(SQL["waiting_at_a_glance"], list(practices))}
    return {
        one: Glance(
            waiting=counts.get(one, 0),
            report=msgspec.json.decode(head["doc"], type=Report) if head is not None and head["doc"] else None,
            report_age=None if head is None else head["report_age"],
        )
        for one in practices
        for head in (heads.get(one),)
    }


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """What the database knows of a worker's practices: all their waiting items by code, and how many seconds ago each system was
    read to the end of a pass, by practice."""

    waiting: Mapping[str, int] = {}
    silent: Mapping[PracticeId, Mapping[str, float]] = {}


async def watched(pool: Connection, practices: Collection[PracticeId]) -> Watched:
    """See `Watched`; two queries, however many practices there are."""
    silent: dict[PracticeId, dict[str, float]] = {one: {} for one in practices}
    waiting = {row["code"]: row["count"] for row in await pool.fetch(SQL["waiting_by_code"], list(practices))}
    for row in await pool.fetch(SQL["heard_of_sources"], list(practices)):
        system, dot, _ = row["source"].partition(".")
        if dot:
            known = silent[row["practice"]]
            known[system] = min(row["age"], known.get(system, row["age"]))
    return Watched(waiting=waiting, silent=silent)


class LongWaiting(msgspec.Struct, frozen=True, kw_only=True):
    """How many items of a code wait in a practice, and since when the first of them does."""

    code: str
    count: int
    since: datetime


async def waiting_longest(pool: Connection, practice: PracticeId) -> list[LongWaiting]:
    return [LongWaiting(**row) for row in await pool.fetch(SQL["waiting_longest"], practice)]


async def link_of(pool: Connection, practice: PracticeId, sequence: int) -> bytes | None:
    """The chain's link of an event; None where there is no such event, or no link yet."""
    link: bytes | None = await pool.fetchval(SQL["link_of"], practice, sequence)
    return link
