"""What a practice looks like at a glance: in agreement, waiting, failing; how long ago each system was read. No body is opened."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from aiohttp import web

from daemon.console.asked import Ask
from daemon.console.filters import ago
from daemon.console.plots import day_name, hour_name, plot_of
from daemon.console.roles import May
from daemon.console.rules import SIGNED_IN, Access, get
from daemon.operator.activity import activity_of
from daemon.operator.worklist import kinds_of
from daemon.tables import queries
from daemon.tables.status import PracticeStatus, at_a_glance, practice_status
from events.ids import PracticeId
from events.writes import System
from projections.rules.tables import TABLES, direction_in_words
from projections.words.remedy import Audience

RECORDED_AT = queries.SQL["recorded_at"]

SILENT_SECONDS = 120.0
"""After which an owner that says nothing is worth a word: it reports every few seconds."""


async def home(ask: Ask) -> web.StreamResponse:
    """The practices of the visitor; with one alone, that one."""
    assert ask.visitor is not None
    mine = ask.visitor.practices(one.id for one in ask.console.config.practice)
    if len(mine) == 1:
        return ask.see(f"/p/{mine[0]}")
    glances = await at_a_glance(ask.store.pool, [PracticeId(one) for one in mine])
    seen = [(one, glances[PracticeId(one.id)]) for one in ask.console.config.practice if one.id in glances]
    rows = [(one, glance, glance.waiting, trouble(glance.report_age, glance.report)) for one, glance in seen]
    return ask.page("home.html", rows=rows)


async def overview(ask: Ask) -> web.StreamResponse:
    status = await practice_status(ask.store.pool, ask.id)
    kinds = await kinds_of(ask.store.pool, ask.id)
    counts = dict.fromkeys(Audience, 0)
    for _, audience, count, _ in kinds:
        counts[audience] += count
    activity = await activity_of(ask.store.pool, ask.id, datetime.now(UTC), ask.zone)
    return ask.page(
        "overview.html",
        status=status,
        observed=status.observed(ask.practice.mode),
        hours=plot_of(activity.hours, hour_name, 6, "The last 24 hours", "hour"),
        days=plot_of(activity.days, day_name, 7, "The last 30 days", "day"),
        older=activity.older,
        linked=await ask.store.pool.fetchval(queries.CONSOLE["linked_patients"], ask.id),
        waiting_patients=await ask.store.pool.fetchval(queries.CONSOLE["patients_who_wait"], ask.id),
        counts=counts,
        codes=kinds[:8],
        trouble=trouble(status.report_age, status.report),
        refused=sum(count for _, state, count, _ in status.open_intents if state == "refused"),
        under_way=sum(count for _, state, count, _ in status.open_intents if state != "refused"),
        directions=[lag_to(system, status) for system in System],
        last=await ask.store.pool.fetchval(RECORDED_AT, ask.id, status.events),
    )


class Lag(NamedTuple):
    """How much of what is wanted in a system is not written there yet, and since when the oldest of it is wanted."""

    system: System
    writes: int
    since: datetime | None


def lag_to(system: System, status: PracticeStatus) -> Lag:
    """Of one direction; what was refused waits for a person, and is on the work list."""
    mine = [(count, oldest) for where, state, count, oldest in status.open_intents if where == system and state != "refused"]
    return Lag(system, sum(count for count, _ in mine), min((one for _, one in mine if one is not None), default=None))


def trouble(age: float | None, report: object) -> str:
    """What is wrong with the practice as a whole, "" where nothing is."""
    if age is None or report is None:
        return "No worker has reported on it yet."
    if standing := getattr(report, "standing", ""):
        return f"It is not at work: {standing}."
    return f"Its worker has been silent for {ago(age)}." if age > SILENT_SECONDS else ""


async def rules(ask: Ask) -> web.StreamResponse:
    """What is synchronized in this practice, from the rows that act."""
    directions = {table.resource: direction_in_words(ask.policy.table[table.resource], ask.names) for table in TABLES}
    return ask.page("rules.html", tables=TABLES, directions=directions)


async def manual(ask: Ask) -> web.StreamResponse:
    return ask.page("help.html")


ROUTES = (
    get("/", home, SIGNED_IN),
    get("/p/{practice}", overview, Access(May.SEE)),
    get("/p/{practice}/rules", rules, Access(May.SEE)),
    get("/p/{practice}/help", manual, Access(May.SEE)),
)
