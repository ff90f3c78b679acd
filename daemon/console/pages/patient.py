"""One patient: both charts side by side, what waits, appointments, bills, the history, and why each value is as it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from aiohttp import web

from daemon.console.asked import Ask
from daemon.console.pages.deeds import may_hold, new_once
from daemon.console.pages.holding import rows_of
from daemon.console.pages.work import name_of
from daemon.console.roles import May
from daemon.console.rules import Access, get
from daemon.operator.find import charts_known
from daemon.operator.holds import Holding, holdings, holds_of, why_kept_out
from daemon.operator.past import Past, moment_of_step, past_of, why_field
from daemon.operator.records import records_of
from daemon.operator.worklist import Work, shown_of
from daemon.tables import documents as tables
from events.ids import PatientKey, charts_of
from projections.rules.fields import BY_NAME
from projections.state.directory import Directory
from projections.state.patient import Patient
from projections.words.known import fields_known, provider_names
from projections.words.lines import Entry
from projections.words.moment import NotAMoment, parse_moment

TOLD = 200
"""Events of the history that a page shows: the last ones."""

STEPS_NAMED = 500
"""Of a history with no more events than these the slider says the time of each."""


async def patient(ask: Ask) -> web.StreamResponse:
    """As it is now; with `as-of` as it was known then."""
    key = ask.key(ask.request.match_info["patient"])
    as_of, step = ask.request.query.get("as-of", "").strip()[:40], ask.request.query.get("step", "")
    if step.isascii() and step.isdecimal() and len(step) < 10 and not as_of:
        at = await moment_of_step(ask.store, ask.policy, charts_of(key), int(step))
        as_of = "" if at is None else f"#{at}"
    try:
        moment = parse_moment(as_of, ask.zone) if as_of else None
    except NotAMoment:
        await ask.record("patient: not understood", key)
        return ask.page("said.html", http=400, said="That is neither an event's number nor a day such as 3/2/2026.")
    found = await ask.looked_at("patient", f"as of {as_of}" if as_of else "")
    one = found.patient
    ask.providers = provider_names(found.directory, ask.names)
    past = await past_of(ask.store, ask.policy, charts_of(key), ask.shown, moment, with_state=moment is not None)
    then = next((state for state in past.state if state.patient == one.key), None)
    link = one.link
    return ask.page(
        "patient.html",
        one=one,
        who=name_of(one),
        charts=charts_known(one),
        link="none" if link is None else "suspended" if link.suspended else "linked",
        handle=ask.handle(key),
        key=one.key,
        fields=fields_known(one, found.directory, ask.policy, ask.shown) if moment is None else then.fields if then else (),
        as_of=as_of,
        steps=past.steps if len(past.steps) > 1 else (),
        step=len(past.told),
        named=STEPS_NAMED,
        work=_waiting(ask, one, found.directory) if moment is None else [],
        records=records_of(one, found.directory, ask.policy, ask.shown) if moment is None else past.records.get(one.key),
        told=_latest(past),
        holds=await _holds(ask, one) if moment is None else [],
        out=why_kept_out(found.directory, one) if moment is None else None,
        holds_mine=bool(ask.grants & may_hold(one.key)) and moment is None,
        once_in=new_once(),
        left_out=max(0, len(past.told) - TOLD),
        once=new_once(),
    )


async def _holds(ask: Ask, one: Patient) -> Sequence[tuple[Holding, str, bool]]:
    return rows_of(ask, holds_of(one, await holdings(ask.store, ask.id, ask.names)))


def _latest(past: Past) -> Sequence[Entry]:
    return past.told[::-1][:TOLD]


def _waiting(ask: Ask, one: Patient, directory: Directory) -> list[tuple[Work, str, bool, str, str]]:
    """What waits: the item, why, whether the visitor resolves it, the name of its form, and what it is about now."""
    now = datetime.now(ask.zone)
    found = [
        (Work(one.key, slot, entry.code, entry.since or now), entry.text) for slot, entry in sorted(one.waiting.items())
    ]
    return [
        (work, why, ask.resolves(work.audience), new_once(), shown_of(work, one, directory, ask.policy))
        for work, why in found
    ]


async def why(ask: Ask) -> web.StreamResponse:
    """Why a field is as it is."""
    key, field = ask.key(ask.request.match_info["patient"]), ask.request.match_info["field"]
    if field not in BY_NAME:
        raise web.HTTPNotFound
    await ask.record("why", key, field)
    ask.providers = provider_names(await tables.directory(ask.store.pool, ask.id, ask.store.keyring), ask.names)
    told = await why_field(ask.store, ask.policy, charts_of(key), field, ask.shown)
    if not told:
        raise web.HTTPNotFound
    return ask.page("why.html", told=told, field=BY_NAME[field], handle=ask.handle(key))


def path_of(ask: Ask, key: PatientKey) -> str:
    """The address of a patient's page."""
    return f"/p/{ask.id}/patient/{ask.handle(key)}"


ROUTES = (
    get("/p/{practice}/patient/{patient}", patient, Access(May.PATIENTS, recorded=True)),
    get("/p/{practice}/patient/{patient}/why/{field}", why, Access(May.PATIENTS, recorded=True)),
)
