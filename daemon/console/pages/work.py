"""The work list: what waits, by code, age and whom it is for, with its remedy as a button; and many of one kind at once."""

from __future__ import annotations

from aiohttp import web

from daemon.console.asked import Ask
from daemon.console.pages.deeds import BULK, ask_for, new_once
from daemon.console.recorded import REMEDY_WORDS
from daemon.console.roles import May
from daemon.console.rules import Access, get, post
from daemon.operator.find import charts_known
from daemon.operator.worklist import Work, kinds_of, once_each, opened, reason, shown_of, work_of
from events.ids import PatientKey
from projections.state.patient import Patient
from projections.words.remedy import Audience, meaning_of
from projections.words.subject import chart_in_words

PAGE = 50
MOST_AT_ONCE = 500


async def work_list(ask: Ask) -> web.StreamResponse:
    """A page of it. Names and reasons are opened only for who may see patients, and that is recorded."""
    at = await ask.store.head(ask.id)
    kinds, out = await kinds_of(ask.store.pool, ask.id), frozenset[PatientKey]()
    if ask.sees:
        kinds, out = await once_each(ask.store, ask.id, kinds, ask.console.doubled)
    query = ask.request.query
    audience = next((one for one in Audience if one.value == query.get("for")), None)
    code = query.get("code") if query.get("code") in {one.code for one in kinds} else None
    listed = [one for one in kinds if audience in (None, one.audience)]
    wanted = [one for one in listed if code in (None, one.code)]
    total = sum(one.items for one in wanted)
    number, pages = turned_to(ask, total, PAGE)
    codes = [one.code for one in wanted]
    some = await work_of(ask.store.pool, ask.id, codes=codes, out=out, first=(number - 1) * PAGE, most=PAGE)
    bulk = bool(code and some and some[0].remedy in BULK and ask.resolves(some[0].audience))
    return ask.page(
        "work.html",
        at=at,
        rows=await _rows(ask, some),
        codes=listed,
        total=total,
        audience=audience,
        audiences=list(Audience),
        code=code,
        number=number,
        pages=pages,
        bulk=bulk,
        asked=query.get("asked", "") if query.get("asked", "").isdecimal() else "",
    )


def turned_to(ask: Ask, total: int, size: int) -> tuple[int, int]:
    """Which page of a list an address asks for, and how many there are: one at least."""
    text, pages = ask.request.query.get("page", "1"), max(1, (total + size - 1) // size)
    known = text.isascii() and text.isdecimal() and len(text) < 7
    return (min(max(int(text), 1), pages) if known else 1), pages


async def _rows(ask: Ask, some: list[Work]) -> list[dict[str, object]]:
    if not ask.sees:
        return [_row(ask, one, None, "", "") for one in some]
    patients, directory = await opened(ask.store, ask.id, some)
    await ask.record_each("work list", patients)
    policy = ask.policy
    rows = []
    for one in some:
        patient = patients.get(one.key)
        shown = "" if one.key and patient is None else shown_of(one, patient, directory, policy)
        rows.append(_row(ask, one, patient, reason(one, patients, directory, ask.names), shown))
    return rows


def _row(ask: Ask, one: Work, patient: Patient | None, why: str, shown: str) -> dict[str, object]:
    return {
        "work": one,
        "handle": ask.handle(one.key) if one.key and ask.sees else "",
        "who": name_of(patient) if patient is not None else "",
        "charts": chart_in_words(charts_known(patient), ask.names) if patient is not None else "",
        "reason": why,
        "mine": ask.resolves(one.audience),
        "once": new_once(),
        "shown": shown,
    }


def name_of(patient: Patient) -> str:
    """How a list names a patient; who is kept out has no name in it."""
    if patient.out:
        return "kept out"
    chart = patient.ehr.chart if patient.ehr is not None else patient.billing.chart if patient.billing is not None else None
    if chart is None:
        return "not read yet"
    return ", ".join(filter(None, (chart.last_name, chart.first_name))) or "without a name"


async def bulk_page(ask: Ask) -> web.StreamResponse:
    """How many it would be, before it is asked for."""
    wanted = await _of_code(ask, ask.form.get("code", ""))
    return _bulk_page(ask, ask.form["code"], wanted)


def _bulk_page(ask: Ask, code: str, wanted: list[Work], *, changed: bool = False) -> web.Response:
    remedy = REMEDY_WORDS[wanted[0].remedy]
    return ask.page(
        "bulk.html", code=code, wanted=wanted, remedy=remedy, once=new_once(), most=MOST_AT_ONCE, changed=changed
    )


async def bulk(ask: Ask) -> web.StreamResponse:
    """All of one kind. Where their number is another by now, it is asked again."""
    code = ask.form.get("code", "")
    wanted = await _of_code(ask, code)
    if ask.form.get("count") != str(len(wanted)):
        await ask.record(f"{wanted[0].remedy.value}, all at once: not asked, their number has changed", detail=code)
        return _bulk_page(ask, code, wanted, changed=True)
    await ask.record(f"deed: {wanted[0].remedy.value}, all at once", detail=f"{len(wanted)} x {code}")
    if patients := {one.key for one in wanted if one.key}:
        await ask.record_each(f"deed: {wanted[0].remedy.value}", patients)
    done = await ask_for(ask, [BULK[one.remedy](ask, one) for one in wanted])
    if done.said:
        return ask.page("said.html", http=done.status, said=done.said)
    return ask.see(f"/p/{ask.id}/work?asked={len(wanted)}")


async def _of_code(ask: Ask, code: str) -> list[Work]:
    """What waits under a code now, as much as is done at once. Raises 403 or 404."""
    wanted = await work_of(ask.store.pool, ask.id, codes=[code], most=MOST_AT_ONCE)
    if not wanted or wanted[0].remedy not in BULK:
        raise web.HTTPNotFound
    if not ask.resolves(meaning_of(code).audience):
        raise web.HTTPForbidden
    return [one for one in wanted if one.remedy is wanted[0].remedy]


ROUTES = (
    get("/p/{practice}/work", work_list, Access(May.SEE)),
    post("/p/{practice}/work/many", bulk_page, Access(May.PATIENTS)),
    post("/p/{practice}/work/many/do", bulk, Access(May.PATIENTS, recorded=True)),
)
