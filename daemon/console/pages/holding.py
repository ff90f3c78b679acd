"""Holds: what is held and how much waits for its end; holding, releasing and keeping out, each asked about once more before it is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from daemon.console.asked import Ask
from daemon.console.pages.deeds import may_hold, need, new_once
from daemon.console.pages.work import name_of
from daemon.console.roles import May
from daemon.console.rules import Access, get, post
from daemon.operator.find import charts_known
from daemon.operator.holds import Holding, holdings
from events.holds import scope_in
from events.ids import PRACTICE, PatientKey
from events.writes import Resource, System
from projections.rules.holds import hold_shown_as
from projections.words.subject import chart_in_words


async def holds(ask: Ask) -> web.StreamResponse:
    """All holds of the practice, and a new one."""
    found = await holdings(ask.store, ask.id, ask.names)
    await ask.record_each("holds", {key for one in found if (key := patient_of(one))})
    return ask.page("holds.html", rows=rows_of(ask, found), once=new_once(), **choices())


def patient_of(one: Holding) -> PatientKey:
    """Whose hold it is, by the chart that it was put on; the practice's key for everybody's."""
    scope = scope_in(one.began.slot)
    return PRACTICE if scope is None else scope.patient


def rows_of(ask: Ask, found: Sequence[Holding]) -> list[tuple[Holding, str, bool]]:
    """Each hold, the handle of its patient, and whether the visitor may release it."""
    return [(one, ask.handle(key) if (key := patient_of(one)) else "", bool(ask.grants & may_hold(key))) for one in found]


def choices() -> dict[str, Any]:
    """What a form for a hold offers."""
    return {"resources": list(Resource), "systems": list(System)}


async def of_patient(ask: Ask) -> web.StreamResponse:
    """Holding one patient's writes, or keeping the patient out: what each means, before it is asked for by who may."""
    key = ask.key(ask.request.match_info["patient"])
    found = await ask.looked_at("hold or keep out")
    who = name_of(found.patient)
    charts = chart_in_words(charts_known(found.patient), ask.names)
    mine = bool(ask.grants & may_hold(key))
    handle, once = ask.handle(key), new_once()
    return ask.page(
        "hold.html", who=who, charts=charts, handle=handle, mine=mine, once=once, once_out=new_once(), **choices()
    )


async def release_page(ask: Ask) -> web.StreamResponse:
    """What a release lets go, before it is asked for."""
    slot = ask.form.get("slot", "")
    found = [one for one in await holdings(ask.store, ask.id, ask.names) if one.began.slot == slot]
    if not found:
        await ask.record("release: asked about, nothing is held")
        return ask.page("said.html", http=404, said="This is not held, or not any more.")
    need(ask, *may_hold(patient_of(found[0])))
    await ask.record("release: asked about", patient_of(found[0]))
    return ask.page("release.html", one=found[0], once=new_once(), shown=hold_shown_as(found[0].began))


ROUTES = (
    get("/p/{practice}/holds", holds, Access(May.PATIENTS, recorded=True)),
    get("/p/{practice}/patient/{patient}/hold", of_patient, Access(May.PATIENTS, recorded=True)),
    post("/p/{practice}/release", release_page, Access(May.PATIENTS, recorded=True)),
)
