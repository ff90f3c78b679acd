"""A linked patient that is gone in a merge: who it was merged into, and what moving the link there would come to, before it is asked for."""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from daemon.console.asked import Ask
from daemon.console.pages.deeds import new_once, number
from daemon.console.pages.work import name_of
from daemon.console.roles import May
from daemon.console.rules import Access, get, post
from daemon.operator.duplicates import survivors_of
from daemon.operator.find import NeverSeen
from daemon.operator.links import plan_of_move
from events.ids import BillingPatientId, billing_key
from projections.words.known import provider_names
from projections.words.likeness import how_alike
from projections.words.writes import describe_write


async def move(ask: Ask) -> web.StreamResponse:
    """The likely survivors, or the one that was typed, each beside the chart that the link would keep."""
    key = ask.key(ask.request.match_info["patient"])
    found = await ask.looked_at("move a link: asked about")
    one = found.patient
    ask.providers = provider_names(found.directory, ask.names)
    if one.link is None or one.billing is None or not one.billing.vanished:
        there = ask.names.billing.label
        return ask.page("said.html", http=404, said=f"This patient is not linked, or is still in {there}.")
    typed = ask.form.get("to", "").strip()
    likely = [BillingPatientId(number(typed))] if typed else list(await survivors_of(ask.store, ask.policy, one))
    await ask.record_each("move a link: asked about", {billing_key(each) for each in likely})
    rows = [await _row(ask, one.link.billing, each) for each in likely]
    return ask.page("move.html", rows=rows, who=name_of(one), link=one.link, handle=ask.handle(key), typed=typed)


async def _row(ask: Ask, source: BillingPatientId, target: BillingPatientId) -> dict[str, object]:
    """A survivor with what moving the link there would come to; without a plan where nothing is known of it."""
    try:
        plan = await plan_of_move(ask.store, ask.policy, source, target, datetime.now(UTC))
    except NeverSeen:
        plan = None
    return {
        "target": target,
        "plan": plan,
        "alike": "" if plan is None else how_alike(plan.alike, rounded=True),
        "writes": [] if plan is None else [(each.system, describe_write(each.write, ask.shown)) for each in plan.writes],
        "handle": ask.handle(billing_key(target)),
        "once": new_once(),
    }


ROUTES = (
    get("/p/{practice}/patient/{patient}/move", move, Access(May.PATIENTS, recorded=True)),
    post("/p/{practice}/patient/{patient}/move", move, Access(May.PATIENTS, recorded=True)),
)
