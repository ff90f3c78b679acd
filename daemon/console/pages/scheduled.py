"""My day for the front desk, and the appointments of a week by provider: who comes, and what of them waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from aiohttp import web

from daemon.console.advice import said
from daemon.console.asked import Ask
from daemon.console.filters import about, clock, sentence, upper_first
from daemon.console.pages.balances import period_of
from daemon.console.pages.deeds import new_once
from daemon.console.pages.work import name_of
from daemon.console.roles import May
from daemon.console.rules import Access, get
from daemon.operator.visits import Visit, visits_of
from daemon.operator.worklist import Work, shown_of
from daemon.tables import documents as tables
from events.calendar import local_day, shifted
from events.writes import Resource, System
from projections.state.directory import Directory
from projections.terms.policy import allows
from projections.words.headings import heading_of

ONE_DAY = timedelta(days=1)
MOST = 400
"""Appointments that a page shows."""


async def my_day(ask: Ask) -> web.StreamResponse:
    """Today's and tomorrow's appointments; patients who wait are marked, with why and the remedy."""
    today = local_day(datetime.now(UTC), ask.zone)
    tomorrow = shifted(today, ONE_DAY)
    directory = await tables.directory(ask.store.pool, ask.id, ask.store.keyring)
    all_ = await visits_of(ask.store, ask.id, ask.policy, today, tomorrow, directory)
    found = [one for one in all_ if one.state != "deleted"]
    await ask.record_each("my day", sorted({one.patient.key for one in found}))
    days = [("Today", today), ("Tomorrow", tomorrow)]
    return ask.page("day.html", days=[_day(ask, name, day, found, directory) for name, day in days])


def _day(ask: Ask, name: str, day: date, found: Sequence[Visit], directory: Directory) -> dict[str, object]:
    rows = [_row(ask, one, directory) for one in found if one.day == day]
    waiting = {one.patient.key for one in found if one.day == day and one.waiting(one.start)}
    return {"name": name, "day": day, "rows": rows, "waiting": len(waiting)}


@dataclass(frozen=True)
class WaitLine:
    """What of a patient waits, as the page says it."""

    work: Work
    heading: str
    about: str
    why: str
    mine: bool
    once: str
    shown: str


@dataclass(frozen=True)
class VisitLine:
    """An appointment as the page says it; `time` is the practice's."""

    visit: Visit
    time: str
    who: str
    handle: str
    waits: tuple[WaitLine, ...]


def _row(ask: Ask, one: Visit, directory: Directory) -> VisitLine:
    start, names, policy, now = one.start.astimezone(ask.zone), ask.names, ask.policy, datetime.now(UTC)
    end = one.end.astimezone(ask.zone)
    waits = tuple(
        WaitLine(
            work,
            upper_first(heading_of(work.code, names)),
            about(work.about, names) if work.about else "",
            sentence(said(why, names)),
            ask.resolves(work.audience),
            new_once(),
            shown_of(work, one.patient, directory, policy),
        )
        for work, why in one.waiting(now)
    )
    return VisitLine(one, f"{clock(start)} to {clock(end)}", name_of(one.patient), ask.handle(one.patient.key), waits)


# -- a week ---------------------------------------------------------------------------------------------------------------


async def appointments(ask: Ask) -> web.StreamResponse:
    """The week of a day, by provider: how many a day, and below each of them."""
    period = period_of(ask, "week")
    directory = await tables.directory(ask.store.pool, ask.id, ask.store.keyring)
    found = await visits_of(ask.store, ask.id, ask.policy, period.first, period.last, directory)
    chosen = ask.request.query.get("provider", "")
    shown = [one for one in found if chosen in ("", one.provider)][:MOST]
    await ask.record_each("appointments", sorted({one.patient.key for one in shown}))
    days = [period.first + ONE_DAY * number for number in range((period.last - period.first).days + 1)]
    return ask.page(
        "appointments.html",
        period=period,
        days=days,
        providers=_providers(found, days),
        chosen=chosen if any(one.provider == chosen for one in found) else "",
        listed=[(day, [_row(ask, one, directory) for one in shown if one.day == day]) for day in days],
        total=len(found),
        books=allows(ask.policy, Resource.APPOINTMENT, System.BILLING),
        left_out=len([one for one in found if chosen in ("", one.provider)]) - len(shown),
    )


def _providers(found: Sequence[Visit], days: Sequence[date]) -> list[dict[str, object]]:
    """Each provider with how many of a day are not called off, and how many of them in all."""
    booked = [one for one in found if one.state == "booked"]
    counts = Counter((one.provider, one.day) for one in booked)
    names = {one.provider: one.provider_name or "No provider" for one in found}
    return [
        {"id": id_, "name": name, "counts": [counts[id_, day] for day in days], "sum": sum(counts[id_, day] for day in days)}
        for id_, name in sorted(names.items(), key=lambda each: each[1])
    ]


ROUTES = (
    get("/p/{practice}/day", my_day, Access(May.PATIENTS, recorded=True)),
    get("/p/{practice}/appointments", appointments, Access(May.PATIENTS, recorded=True)),
)
