"""Links to review: candidates side by side, what differs marked, how alike they are and why."""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from daemon.console.asked import Ask
from daemon.console.pages.deeds import new_once
from daemon.console.pages.work import turned_to
from daemon.console.roles import May
from daemon.console.rules import Access, get
from daemon.operator.find import NeverSeen
from daemon.operator.links import plan_of_link
from daemon.operator.review import UndecidedPair, undecided, undecided_of
from daemon.tables import documents as tables
from events.ids import BillingPatientId, EhrChartId, billing_key, ehr_key
from projections.rules.holds import is_observed
from projections.words.known import provider_names
from projections.words.likeness import how_alike
from projections.words.writes import describe_write

PAGE = 20


async def review(ask: Ask) -> web.StreamResponse:
    pairs = await undecided(ask.store, ask.policy)
    directory = await tables.directory(ask.store.pool, ask.id, ask.store.keyring)
    ask.providers = provider_names(directory, ask.names)
    observed = is_observed(directory, ask.policy)
    if observed and (found := await ask.console.rehearsals.of(ask.practice)) is not None and found.told.matching is not None:
        pairs = undecided_of(found.told.matching)
    number, pages = turned_to(ask, len(pairs), PAGE)
    some = pairs[(number - 1) * PAGE : number * PAGE]
    await ask.record_each("links to review", {key for one in some for key in (ehr_key(one.ehr), billing_key(one.billing))})
    rows = [await _row(ask, one) for one in some]
    return ask.page("links.html", rows=rows, total=len(pairs), observed=observed, number=number, pages=pages)


async def compared(ask: Ask, ehr: EhrChartId, billing: BillingPatientId) -> dict[str, object]:
    """Both charts, and what linking them would come to; without a plan where one of them was not read yet."""
    try:
        plan = await plan_of_link(ask.store, ask.policy, ehr, billing, datetime.now(UTC))
    except NeverSeen:
        plan = None
    return {
        "plan": plan,
        "alike": "" if plan is None else how_alike(plan.alike, rounded=True),
        "writes": [] if plan is None else [(each.system, describe_write(each.write, ask.shown)) for each in plan.writes],
    }


async def _row(ask: Ask, one: UndecidedPair) -> dict[str, object]:
    return await compared(ask, one.ehr, one.billing) | {
        "pair": one,
        "ehr": ask.handle(ehr_key(one.ehr)),
        "billing": ask.handle(billing_key(one.billing)),
        "waits": ask.handle(one.patient),
        "once": [new_once() for _ in range(3)],
    }


ROUTES = (get("/p/{practice}/links", review, Access(May.PATIENTS, recorded=True)),)
