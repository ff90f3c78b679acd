"""Duplicates within one system: charts that are likely of one person, which of them to keep, and who said that two are two persons."""

from __future__ import annotations

from aiohttp import web

from daemon.console.asked import Ask
from daemon.console.pages.deeds import new_once
from daemon.console.roles import May
from daemon.console.rules import Access, get
from daemon.operator.duplicates import TwiceEntered, find_duplicates, what_to_do
from events.ids import BillingPatientId, EhrChartId, PatientKey, billing_key, ehr_key
from events.writes import System
from projections.words.likeness import how_alike

MOST = 100


async def duplicates(ask: Ask) -> web.StreamResponse:
    """The console may not keep what it finds, as the command line does: it remembers it until the process ends."""
    found = await find_duplicates(ask.store, ask.policy, keep=False, looks=ask.console.looks)
    open_ = [one for one in found.pairs if one.told_apart is None]
    some = open_[:MOST]
    shown = {key for one in some for key in _keys(one)} | {billing_key(one.billing) for one in found.gone[:MOST]}
    await ask.record_each("duplicates", shown)
    rows = [_row(ask, one) for one in some]
    gone = [(one, ask.handle(billing_key(one.billing))) for one in found.gone[:MOST]]
    return ask.page("duplicates.html", rows=rows, total=len(open_), complete=found.complete, gone=gone)


def _keys(one: TwiceEntered) -> tuple[PatientKey, PatientKey]:
    if one.system is System.EHR:
        return ehr_key(EhrChartId(one.one)), ehr_key(EhrChartId(one.other))
    return billing_key(BillingPatientId(one.one)), billing_key(BillingPatientId(one.other))


def _row(ask: Ask, one: TwiceEntered) -> dict[str, object]:
    return {
        "pair": one,
        "handles": [ask.handle(key) for key in _keys(one)],
        "alike": how_alike(one.likeness),
        "advice": what_to_do(one, ask.shown),
        "once": new_once(),
    }


ROUTES = (get("/p/{practice}/duplicates", duplicates, Access(May.PATIENTS, recorded=True)),)
