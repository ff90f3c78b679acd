"""Bills that wait: in error with the sentence that fixes them, deferred, unsigned, or edited after they were sent; and those of a
week or month by where they stand: ready, sent with the encounter that each became, deferred, in error, kept out.
"""

from __future__ import annotations

from aiohttp import web

from daemon.console.asked import Ask
from daemon.console.pages.balances import KINDS, STANDINGS, edited, period_of, row_of, title_of
from daemon.console.pages.deeds import new_once
from daemon.console.pages.work import name_of, turned_to
from daemon.console.roles import May
from daemon.console.rules import Access, get
from daemon.operator.balance import accounts_of, judged, last_look
from daemon.operator.records import bill_state
from daemon.operator.worklist import count_of, opened, reason, shown_of, work_of
from events.slots import SlotKind
from projections.words.remedy import Remedy

PAGE = 50


async def that_stand(ask: Ask) -> web.StreamResponse:
    """The signed visit notes of a period whose bills stand there, by day of service. Raises 404 for where none can stand."""
    word = ask.request.match_info["standing"]
    standing = STANDINGS.get(word)
    if standing is None:
        raise web.HTTPNotFound
    period = period_of(ask, "week")
    found = await accounts_of(ask.store, ask.policy, period)
    sheet = judged(found.sheet, await last_look(ask.store, ask.id, period), ask.policy)
    notes = [one for one in sheet.notes if one.standing is standing]
    number, pages = turned_to(ask, len(notes), PAGE)
    some = notes[(number - 1) * PAGE : number * PAGE]
    await ask.record_each("bills", sorted({one.patient for one in some}))
    return ask.page(
        "bills_standing.html",
        rows=[await row_of(ask, one, found.patients[one.patient], found.directory) for one in some],
        counts=sheet.counts,
        standing=standing,
        word=word,
        standings=STANDINGS,
        period=period,
        title=title_of(period),
        kinds=KINDS,
        total=len(notes),
        number=number,
        pages=pages,
    )


async def that_wait(ask: Ask) -> web.StreamResponse:
    total = await count_of(ask.store.pool, ask.id, SlotKind.BILL)
    number, pages = turned_to(ask, total, PAGE)
    some = await work_of(ask.store.pool, ask.id, kind=SlotKind.BILL, first=(number - 1) * PAGE, most=PAGE)
    patients, directory = await opened(ask.store, ask.id, some)
    await ask.record_each("bills", patients)
    rows = []
    for one in some:
        patient = patients.get(one.key)
        state = patient.bills.get(one.about) if patient is not None else None
        if patient is None or state is None:
            continue
        rows.append(
            {
                "work": one,
                "who": name_of(patient),
                "handle": ask.handle(one.key),
                "bill": state,
                "state": bill_state(state),
                "why": reason(one, patients, directory, ask.names),
                "differs": await edited(ask, patient, one),
                "shown": shown_of(one, patient, directory, ask.policy),
                "resend": one.remedy is Remedy.BILL,
                "mine": ask.resolves(one.audience),
                "once": new_once(),
            }
        )
    return ask.page("bills.html", rows=rows, standings=STANDINGS, total=total, number=number, pages=pages)


ROUTES = (
    get("/p/{practice}/bills", that_wait, Access(May.PATIENTS, recorded=True)),
    get("/p/{practice}/bills/{standing}", that_stand, Access(May.PATIENTS, recorded=True)),
)
