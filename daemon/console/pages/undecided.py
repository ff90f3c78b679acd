"""Links to review: candidates side by side, what differs marked, how alike they are and why."""

from __future__ import annotations

from aiohttp import web

from daemon.console.asked import Ask
from daemon.console.pages.deeds import new_once
from daemon.console.roles import May
from daemon.console.rules import Access, get
from daemon.operator.review import UndecidedPair, undecided
from events.ids import billing_key, ehr_key

PAGE = 20


async def review(ask: Ask) -> web.StreamResponse:
    pairs = await undecided(ask.store, ask.policy)
    text = ask.request.query.get("page", "1")
    pages = max(1, (len(pairs) + PAGE - 1) // PAGE)
    number = min(max(1, int(text)), pages) if text.isascii() and text.isdecimal() and len(text) < 7 else 1
    some = pairs[(number - 1) * PAGE : number * PAGE]
    keys = sorted({key for one in some for key in (ehr_key(one.ehr), billing_key(one.billing))})
    await ask.record("links to review", detail=" ".join(keys))
    rows = [_row(ask, one) for one in some]
    return ask.page("links.html", rows=rows, total=len(pairs), number=number, pages=pages)


def _row(ask: Ask, one: UndecidedPair) -> dict[str, object]:
    return {
        "pair": one,
        "ehr": ask.handle(ehr_key(one.ehr)),
        "billing": ask.handle(billing_key(one.billing)),
        "waits": ask.handle(one.patient),
        "once": [new_once() for _ in range(3)],
    }


ROUTES = (get("/p/{practice}/links", review, Access(May.PATIENTS, recorded=True)),)
