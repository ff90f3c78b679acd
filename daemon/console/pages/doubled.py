"""Duplicates within one system: charts that are likely of one person, which of them to keep, and who said that two are two persons."""

from __future__ import annotations

from aiohttp import web

from daemon.console.asked import Ask
from daemon.console.pages.deeds import new_once
from daemon.console.roles import May
from daemon.console.rules import Access, get
from daemon.operator.duplicates import TwiceEntered, what_to_do
from events.ids import BillingPatientId, EhrChartId, PatientKey, billing_key, ehr_key
from events.writes import System
from projections.words.likeness import how_alike


async def duplicates(ask: Ask) -> web.StreamResponse:
    """Where the look takes longer than a page should the page says so; it is there once somebody asks again."""
    found = await ask.console.duplicate_looks.of(ask.policy)
    if found is None:
        await ask.record("duplicates", detail="still looked for")
        return ask.page("duplicates_looked_for.html")
    shown = {key for one in found.pairs for key in _keys(one)} | {billing_key(one.billing) for one in found.gone}
    await ask.record_each("duplicates", shown)
    rows = [_row(ask, one) for one in found.pairs]
    gone = [(one, ask.handle(billing_key(one.billing))) for one in found.gone]
    return ask.page("duplicates.html", rows=rows, total=found.open_pairs, complete=found.complete, gone=gone)


def _keys(one: TwiceEntered) -> tuple[PatientKey, PatientKey]:
    if one.system is System.EHR:
        return ehr_key(EhrChartId(one.one)), ehr_key(EhrChartId(one.other))
    return billing_key(BillingPatientId(one.one)), billing_key(BillingPatientId(one.other))


def _row(ask: Ask, one: TwiceEntered) -> dict[str, object]:
    return {
        "pair": one,
        "handles": [ask.handle(key) for key in _keys(one)],
        "alike": how_alike(one.likeness, rounded=True),
        "advice": what_to_do(one, ask.shown),
        "once": new_once(),
    }


ROUTES = (get("/p/{practice}/duplicates", duplicates, Access(May.PATIENTS, recorded=True)),)
