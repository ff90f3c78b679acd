"""Finding a patient: by name as it is misspelt, birth date, phone, or either id. What is typed is in no address."""

from __future__ import annotations

from datetime import date, datetime

from aiohttp import web

from daemon.console.asked import Ask
from daemon.console.pages.work import name_of
from daemon.console.roles import May
from daemon.console.rules import Access, get, post
from daemon.operator.find import charts_known, find_patient, find_people
from events.ids import BillingPatientId, Charts, EhrChartId
from projections.matching import Person
from projections.state.patient import Patient

LONGEST = 100
DAYS = ("%Y-%m-%d", "%m/%d/%Y", "%m/%d/%y", "%m-%d-%Y")
EMPTY = {"first": "", "last": "", "born": "", "phone": "", "id": ""}


async def page(ask: Ask) -> web.StreamResponse:
    return ask.page("find.html", given=EMPTY, found=None, said="")


async def find(ask: Ask) -> web.StreamResponse:
    given = {name: ask.form.get(name, "").strip()[:LONGEST] for name in EMPTY}
    born = day_of(given["born"])
    if given["born"] and born is None:
        await ask.record("find: not understood")
        return ask.page("find.html", given=given, found=None, said="The birth date is not a day: write it as 3/14/1961.")
    if given["id"]:
        found, complete = await _by_id(ask, given["id"]), True
    else:
        person = Person(
            id="",
            first_name=given["first"],
            last_name=given["last"],
            birth_date=born,
            phones=(given["phone"],) if given["phone"] else (),
        )
        people = await find_people(ask.store, ask.id, person)
        found, complete = list(people.found), people.complete
    await ask.record_each("find", [one.key for one in found])
    said = "" if complete else "The search is being made ready by the practice's worker. Until then find by an id."
    return ask.page("find.html", given=given, found=[_row(ask, one) for one in found], said=said)


async def _by_id(ask: Ask, text: str) -> list[Patient]:
    """The patients with this number, on either side."""
    digits = text.rpartition(":")[2].strip().lstrip("#")
    if not (digits.isascii() and digits.isdecimal() and 0 < len(digits) < 19):
        return []
    both = (Charts(ehr=EhrChartId(int(digits))), Charts(billing=BillingPatientId(int(digits))))
    found = [await find_patient(ask.store, ask.id, charts) for charts in both]
    patients = {one.patient.key: one.patient for one in found if one is not None}
    return list(patients.values())


def day_of(text: str) -> date | None:
    """A day as people of the trade write it."""
    for form in DAYS:
        try:
            return datetime.strptime(text, form).date()
        except ValueError:
            continue
    return None


def _row(ask: Ask, one: Patient) -> dict[str, object]:
    chart = (
        None if one.out else one.billing.chart if one.billing is not None else one.ehr.chart if one.ehr is not None else None
    )
    return {
        "who": name_of(one),
        "handle": ask.handle(one.key),
        "born": chart.birth_date if chart is not None else None,
        "charts": charts_known(one),
        "linked": one.link is not None,
        "waiting": len(one.waiting),
    }


ROUTES = (
    get("/p/{practice}/find", page, Access(May.PATIENTS)),
    post("/p/{practice}/find", find, Access(May.PATIENTS, recorded=True)),
)
