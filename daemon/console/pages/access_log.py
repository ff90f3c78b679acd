"""The access log: who looked at whom and did what, and whether the log is whole. Whoever reads it is in it."""

from __future__ import annotations

from aiohttp import web

from daemon.console.asked import Ask
from daemon.console.roles import May
from daemon.console.rules import Access, get
from daemon.operator.find import keys_of
from daemon.tables import access
from events.ids import PRACTICE, PatientKey, charts_of

PAGE = 100


async def audit(ask: Ask) -> web.StreamResponse:
    """Patients are named by a link for who may see them; others learn that somebody was looked at."""
    query = ask.request.query
    text = query.get("before", "")
    before = int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else access.LAST
    key = ask.key(query["patient"]) if query.get("patient") and ask.sees else None
    checked = query.get("check") == "1"
    await ask.record("access log", key or PRACTICE, "checked" if checked else "")
    pool = ask.store.pool
    if key is None:
        found = await access.last(pool, ask.id, before=before, most=PAGE)
    else:
        found = await access.of_patient(pool, ask.id, *await keys_of(ask.store, ask.id, key), before=before, most=PAGE)
    rows = [
        {
            "one": one,
            "handle": ask.handle(PatientKey(one.patient_key)) if one.patient_key and ask.sees else "",
            "patient": ask.names.one_of(charts_of(PatientKey(one.patient_key))) if ask.sees else "",
        }
        for one in found
    ]
    return ask.page(
        "audit.html",
        rows=rows,
        checked=checked,
        broken=await access.broken_at(pool, ask.id) if checked else None,
        of_patient=ask.handle(key) if key else "",
        before=found[-1].sequence if len(found) == PAGE else 0,
    )


ROUTES = (get("/p/{practice}/audit", audit, Access(May.AUDIT, recorded=True)),)
