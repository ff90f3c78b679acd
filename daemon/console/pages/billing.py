"""Bills that wait: in error with the sentence that fixes them, deferred, unsigned, or edited after they were sent."""

from __future__ import annotations

from aiohttp import web

from daemon.console.asked import Ask
from daemon.console.pages.deeds import new_once
from daemon.console.pages.work import name_of, page_number
from daemon.console.roles import May
from daemon.console.rules import Access, get
from daemon.operator.records import bill_state
from daemon.operator.sent_bills import edited_after_sent
from daemon.operator.worklist import Work, count_of, opened, reason, shown_of, work_of
from events.codes import WaitCode
from events.slots import SlotKind
from projections.rules.sent import BillDifference
from projections.state.patient import Patient
from projections.words.remedy import Remedy

PAGE = 50


async def edited(ask: Ask, patient: Patient, one: Work) -> tuple[BillDifference, ...]:
    """What of a bill was edited after it was sent; nothing of any other item."""
    if one.code != WaitCode.DIFFERS_AFTER_SENT:
        return ()
    return await edited_after_sent(ask.store, ask.id, patient, int(one.about))


async def bills(ask: Ask) -> web.StreamResponse:
    total = await count_of(ask.store.pool, ask.id, SlotKind.BILL)
    pages = max(1, (total + PAGE - 1) // PAGE)
    number = page_number(ask.request.query.get("page", "1"), pages)
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
    return ask.page("bills.html", rows=rows, total=total, number=number, pages=pages)


ROUTES = (get("/p/{practice}/bills", bills, Access(May.PATIENTS, recorded=True)),)
