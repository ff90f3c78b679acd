"""The item that a form names: it has to wait still, to be for whom the visitor may act for, and to be what the page has shown."""

from __future__ import annotations

from aiohttp import web

from daemon.console.asked import Ask
from daemon.operator.deeds import NotPossible
from daemon.operator.find import keys_of
from daemon.operator.worklist import Work, opened, shown_of, work_at
from daemon.tables import access
from events.ids import PatientKey
from projections.words.moment import clock_of_the_trade

LOOKED_BACK = 50
"""Records of a patient in the access log that are looked through for who was faster."""


async def item(ask: Ask, key: PatientKey) -> Work:
    """The waiting item that a form names; whom it is for decides who may resolve it. Raises 403 or NotPossible."""
    slot = ask.form.get("slot", "")
    found = await work_at(ask.store.pool, ask.id, key, slot)
    if found is None:
        raise NotPossible(f"this does not wait any more{await _by_whom(ask, key, slot)}")
    if not ask.resolves(found.audience):
        raise web.HTTPForbidden
    return found


async def as_shown(ask: Ask, key: PatientKey) -> Work:
    """As `item`; it has to be what the page has shown, however old that is. Raises 403 or NotPossible."""
    one = await item(ask, key)
    if shown := ask.form.get("shown"):
        patients, directory = await opened(ask.store, ask.id, [one])
        if shown != shown_of(one, patients.get(key), directory, ask.policy):
            raise NotPossible("this has changed since it was shown: look at it again, then decide")
    return one


async def _by_whom(ask: Ask, key: PatientKey, slot: str) -> str:
    """Who has asked for something about an item of late, as the access log has it."""
    keys = await keys_of(ask.store, ask.id, key) if key else ()
    told = await access.of_patient(ask.store.pool, ask.id, *keys, most=LOOKED_BACK) if keys else ()
    mine = (one for one in told if one.what.startswith("deed: ") and not one.what.endswith("not possible"))
    one = next((one for one in mine if slot and one.detail.startswith(slot)), None)
    return "" if one is None else f": {one.who} did this at {clock_of_the_trade(one.at, ask.zone)}"
