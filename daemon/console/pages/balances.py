"""Accounts that balance, from our own records: what was signed in a day, week or month, where each bill stands, what is not billed."""

from __future__ import annotations

from datetime import UTC, date, datetime

from aiohttp import web

from daemon.console.asked import Ask
from daemon.console.pages.deeds import new_once
from daemon.console.pages.work import name_of
from daemon.console.roles import May
from daemon.console.rules import Access, get
from daemon.operator.balance import accounts_of, judged, last_look
from daemon.operator.sent_bills import edited_after_sent
from daemon.operator.worklist import Work, shown_of
from events.calendar import local_day
from events.codes import WaitCode
from events.slots import SlotKind, slot_of
from projections.rules.balancing import BillStanding, SignedNote
from projections.rules.sent import BillDifference
from projections.state.directory import Directory
from projections.state.patient import Patient
from projections.words.period import Period, of_day

KINDS = ("day", "week", "month")
STANDINGS = {one.value.replace(" ", "-"): one for one in BillStanding}
"""Where a bill can stand, by the word of its page's address."""

MOST = 200
"""Rows that a page shows; the spreadsheet of the command line has all."""


async def balance(ask: Ask) -> web.StreamResponse:
    """Only bodies around the period are opened; whoever is on the list is recorded as seen."""
    period = period_of(ask, "week")
    found = await accounts_of(ask.store, ask.policy, period)
    looked = await last_look(ask.store, ask.id, period)
    sheet = judged(found.sheet, looked, ask.policy)
    listed = sheet.listed
    some = listed[:MOST]
    unread = found.unread[:MOST]
    await ask.record_each("accounts", sorted({*(one.patient for one in some), *(one.patient for one in unread)}))
    return ask.page(
        "balance.html",
        sheet=sheet,
        standings=STANDINGS,
        observed=found.observed,
        looked=looked,
        since=0 if looked is None else sheet.counts[BillStanding.SENT] - looked.encounters,
        period=period,
        title=title_of(period),
        kinds=KINDS,
        rows=[await row_of(ask, one, found.patients[one.patient], found.directory) for one in some],
        total=len(listed),
        unread=[(one, ask.handle(one.patient)) for one in unread],
        unread_total=len(found.unread),
        most=MOST,
    )


def period_of(ask: Ask, usual: str) -> Period:
    """What the address asks for: `by` is the kind, `on` any day of it; today without one."""
    by, on = ask.request.query.get("by", usual), ask.request.query.get("on", "")
    today = local_day(datetime.now(UTC), ask.zone)
    try:
        day = date.fromisoformat(on[:10]) if on else today
    except ValueError:
        day = today
    return of_day(by if by in KINDS else usual, day)


def title_of(period: Period) -> str:
    """The period as people say it."""
    first, last = period.first, period.last
    if period.kind == "month":
        return f"{first:%B %Y}"
    if period.kind == "week":
        return f"week of {first.month}/{first.day}/{first.year} to {last.month}/{last.day}/{last.year}"
    return f"{first:%A} {first.month}/{first.day}/{first.year}"


async def edited(ask: Ask, patient: Patient, one: Work) -> tuple[BillDifference, ...]:
    """What of a bill was edited after it was sent; nothing of any other item."""
    if one.code != WaitCode.DIFFERS_AFTER_SENT:
        return ()
    return await edited_after_sent(ask.store, ask.id, patient, int(one.about))


async def row_of(ask: Ask, note: SignedNote, patient: Patient, directory: Directory) -> dict[str, object]:
    """A signed note with its patient, and with the item that waits in its place where the visitor may resolve that."""
    slot = slot_of(SlotKind.BILL, note.bill)
    waits = patient.waiting.get(slot)
    work = Work(note.patient, slot, waits.code, waits.since or datetime.now(UTC)) if waits is not None else None
    return {
        "note": note,
        "who": name_of(patient),
        "handle": ask.handle(note.patient),
        "differs": () if work is None else await edited(ask, patient, work),
        "work": work if work is not None and ask.resolves(work.audience) else None,
        "once": new_once(),
        "shown": "" if work is None else shown_of(work, patient, directory, ask.policy),
    }


ROUTES = (get("/p/{practice}/balance", balance, Access(May.PATIENTS, recorded=True)),)
