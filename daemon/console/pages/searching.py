"""Searching what happened and who looked, for auditors: by chart, field, person and time. What is typed is in no address."""

from __future__ import annotations

from datetime import datetime

from aiohttp import web

from daemon.console.asked import Ask
from daemon.console.roles import May
from daemon.console.rules import Access, get, post
from daemon.operator.searching import ANYBODY, MOST, FoundEvents, Sought, search_access, search_history
from daemon.tables import accounts
from daemon.tables import documents as tables
from daemon.tables.access import AccessRecord
from daemon.tables.status import link_of
from events.ids import PRACTICE, BillingPatientId, Charts, EhrChartId, PatientKey, charts_of
from events.schema import Recorded
from events.store import ALL
from projections.words.known import provider_names
from projections.words.moment import NotAMoment, parse_moment
from projections.words.subject import chart_in_words
from projections.words.terms_of import SEARCHABLE
from projections.words.words import describe

EMPTY = {"ehr": "", "billing": "", "field": "", "who": "", "since": "", "until": ""}
LONGEST = 100


async def page(ask: Ask) -> web.StreamResponse:
    """The empty form."""
    await ask.record("history search: asked for")
    return await _page(ask, EMPTY, None, None, "")


async def search(ask: Ask) -> web.StreamResponse:
    """What fits. Whoever is on the page is recorded as seen, with the field and the user that was sought; nothing else that was typed is kept.

    Events are opened for who may see patients alone; others see who looked.
    """
    given = {name: ask.form.get(name, "").strip()[:LONGEST] for name in EMPTY}
    try:
        sought = Sought(
            _charts(given["ehr"], given["billing"]),
            given["field"],
            given["who"],
            _time(given["since"], ask),
            _time(given["until"], ask),
        )
    except ValueError as error:
        await ask.record("history search: not understood")
        return await _page(ask, given, None, None, str(error), http=400)
    if sought.field not in ("", *SEARCHABLE):
        raise web.HTTPBadRequest
    before = ask.form.get("before", "")
    last = int(before) if before.isascii() and before.isdecimal() and len(before) < 18 else ALL
    if sought.charts != ANYBODY and not ask.sees:
        raise web.HTTPForbidden
    found = await search_history(ask.store, ask.id, sought, before=last) if ask.sees else None
    looked = None if sought.field else await search_access(ask.store, ask.id, sought)
    if found is not None and found.events:
        directory = await tables.directory(ask.store.pool, ask.id, ask.store.keyring)
        ask.providers = provider_names(directory, ask.names)
    keys = {one.event.patient for one in found.events} if found is not None else set()
    keys |= {PatientKey(one.patient_key) for one in looked or () if ask.sees}
    who = "" if await accounts.account(ask.store.pool, sought.who) is None else sought.who
    await ask.record("history search", detail=" ".join(filter(None, (sought.field, who))))
    if keys - {PRACTICE}:
        await ask.record_each("history search", keys - {PRACTICE})
    return await _page(ask, given, found, looked, "")


def _charts(ehr: str, billing: str) -> Charts:
    """The chart that was typed: one number, of either system. Raises ValueError."""
    if ehr and billing:
        raise ValueError("Give the number in one of the two systems; the other one is found by it.")
    text = (ehr or billing).rpartition(":")[2].strip().lstrip("#")
    if not text:
        return ANYBODY
    if not (text.isascii() and text.isdecimal() and 0 < len(text) < 19):
        raise ValueError("A chart is found by its number.")
    return Charts(ehr=EhrChartId(int(text))) if ehr else Charts(billing=BillingPatientId(int(text)))


async def mark(ask: Ask) -> web.StreamResponse:
    """Whether the chain still goes through what a checkpoint has written down."""
    await ask.record("checkpoint compared")
    text, chain = ask.form.get("sequence", "").strip(), ask.form.get("chain", "").strip().lower()
    if not (text.isascii() and text.isdecimal() and 0 < len(text) < 19):
        return ask.page("said.html", http=400, said="Give the event's number and its link as the checkpoint has them.")
    link = await link_of(ask.store.pool, ask.id, int(text))
    holds = link is not None and link.hex() == chain
    said = (
        f"Event {int(text)} is as the checkpoint says, and so is everything before it."
        if holds
        else (
            f"Event {int(text)} is not as the checkpoint says: an event was changed or is missing, or this is another practice's mark."
        )
    )
    return ask.page("said.html", said=said)


async def _page(
    ask: Ask,
    given: dict[str, str],
    found: FoundEvents | None,
    looked: list[AccessRecord] | None,
    said: str,
    http: int = 200,
) -> web.Response:
    head = await ask.store.head_row(ask.id)
    return ask.page(
        "search.html",
        http=http,
        given=given,
        said=said,
        found=found,
        events=[] if found is None else [_event(ask, one) for one in found.events],
        before=found.events[-1].sequence if found is not None and found.more else 0,
        looked=None if looked is None else [(one, _whose(ask, PatientKey(one.patient_key))) for one in looked],
        most=MOST,
        fields=SEARCHABLE,
        head=head,
    )


def _event(ask: Ask, one: Recorded) -> dict[str, object]:
    return {"recorded": one, "text": describe(one.event.body, ask.shown, news=""), "whose": _whose(ask, one.event.patient)}


def _whose(ask: Ask, key: PatientKey) -> tuple[str, str]:
    """The patient as a link: handle and charts; nothing for who may not see patients."""
    if not key:
        return "", "the practice"
    return (ask.handle(key), chart_in_words(charts_of(key), ask.names)) if ask.sees else ("", "a patient")


def _time(text: str, ask: Ask) -> datetime | None:
    """The time that was typed, where the practice is. Raises ValueError."""
    if not text:
        return None
    try:
        moment = parse_moment(text, ask.zone)
    except NotAMoment:
        moment = 0
    if isinstance(moment, int):
        raise ValueError("A time is a day such as 3/2/2026, or 3/2/2026 2:30 PM.")
    return moment


ROUTES = (
    get("/p/{practice}/audit/search", page, Access(May.AUDIT, recorded=True)),
    post("/p/{practice}/audit/search", search, Access(May.AUDIT, recorded=True)),
    post("/p/{practice}/audit/mark", mark, Access(May.AUDIT, recorded=True)),
)
