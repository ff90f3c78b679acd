"""A patient's link: whom an unlinked one is linked with, and what that would write; or what undoing it comes to, before it is asked for."""

from __future__ import annotations

from aiohttp import web

from daemon.console.asked import Ask
from daemon.console.pages.deeds import new_once, number
from daemon.console.pages.undecided import compared
from daemon.console.pages.work import name_of
from daemon.console.roles import May
from daemon.console.rules import Access, get, post
from daemon.operator.find import Looked
from events.ids import BillingPatientId, EhrChartId, PatientKey, billing_key, ehr_key, number_of
from projections.rules.holds import is_observed, kept_out
from projections.state.patient import Patient, is_barred
from projections.words.known import provider_names


async def linking(ask: Ask) -> web.StreamResponse:
    """Who looks like the patient, or the chart that was typed; of a linked patient what it is linked with."""
    key = ask.key(ask.request.match_info["patient"])
    found = await ask.looked_at("link: asked about")
    one = found.patient
    ask.providers = provider_names(found.directory, ask.names)
    out = kept_out(found.directory, one) is not None
    typed = ask.form.get("to", "").strip()
    others = [number(typed)] if typed else _likely(one)
    if one.link is not None or out:
        others = []
    await ask.record_each("link: asked about", {key, *(_other_key(one, each) for each in others)})
    return ask.page(
        "link.html",
        who=name_of(one),
        handle=ask.handle(one.key),
        link=one.link,
        out=out,
        side=ask.names.ehr.label if one.in_billing else ask.names.billing.label,
        rows=[await _row(ask, found, each) for each in others],
        typed=typed,
        observed=is_observed(found.directory, ask.policy),
        once=[new_once() for _ in range(2)],
    )


def _likely(one: Patient) -> list[int]:
    found = one.search.candidates if one.search else ()
    return [each.id for each in found if not is_barred(one, each.id, one.in_billing)]


def _other_key(one: Patient, id_: int) -> PatientKey:
    return ehr_key(EhrChartId(id_)) if one.in_billing else billing_key(BillingPatientId(id_))


async def _row(ask: Ask, found: Looked, id_: int) -> dict[str, object]:
    """A chart of the other side with what linking would come to; without a plan where nothing is known of it."""
    one = found.patient
    mine = number_of(one.key)
    ehr, billing = (id_, mine) if one.in_billing else (mine, id_)
    return await compared(ask, EhrChartId(ehr), BillingPatientId(billing)) | {
        "ehr": ehr,
        "billing": billing,
        "handle": ask.handle(_other_key(one, id_)),
        "barred": is_barred(one, id_, one.in_billing),
        "once": new_once(),
    }


ROUTES = (
    get("/p/{practice}/patient/{patient}/link", linking, Access(May.PATIENTS, recorded=True)),
    post("/p/{practice}/patient/{patient}/link", linking, Access(May.PATIENTS, recorded=True)),
)
