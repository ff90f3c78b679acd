"""Onboarding: a practice's first day in steps, what going live would write, and going live."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from aiohttp import web

from daemon.console.asked import Ask
from daemon.console.pages.deeds import new_once
from daemon.console.pages.overview import trouble
from daemon.console.pages.work import turned_to
from daemon.console.rehearsals import Rehearsed
from daemon.console.roles import May
from daemon.console.rules import Access, get
from daemon.operator.onboarding import MappedSoFar, Matching, Onboarding, reasons
from daemon.operator.worklist import count_of
from daemon.tables.status import PracticeStatus, practice_status
from events.codes import WaitCode
from events.ids import charts_of
from events.slots import SlotKind
from events.writes import System
from projections.words.subject import chart_in_words
from projections.words.writes import describe_write

PAGE = 100
"""Writes on a page."""


class StepState(StrEnum):
    """How far a step is, in the words of the page."""

    DONE = "done"
    NOW = "under way"
    SOMEBODY = "waits for somebody"
    LATER = "to come"


@dataclass(frozen=True)
class Reach:
    """How a system answers: `heard` are the seconds since it was read to the end of a pass, `failing` what fails and why."""

    label: str
    heard: float | None
    failing: tuple[tuple[str, str], ...]


async def onboarding(ask: Ask) -> web.StreamResponse:
    """All steps. What a vendor is needed for is done by the practice's owner: here is shown what it has recorded and reported."""
    await ask.record("onboarding")
    found = await ask.console.rehearsals.of(ask.practice)
    status = await practice_status(ask.store.pool, ask.id)
    systems = [_reach(ask, status, system) for system in System]
    stopped = await count_of(ask.store.pool, ask.id, SlotKind.SYSTEM) > 0
    told = None if found is None else found.told
    pairs = () if told is None or told.matching is None else told.matching.candidates
    return ask.page(
        "onboarding.html",
        at=status.events,
        ehr=System.EHR,
        billing=System.BILLING,
        moves=found is None or found.moves,
        stale=found is not None and found.at != status.events,
        found=found,
        by_kind={} if found is None else _by_kind(ask, found),
        told=told,
        systems=systems,
        stopped=stopped,
        trouble=trouble(status.report_age, status.report),
        states=states_of(found, systems, stopped),
        open_pairs=sum(not one.taken for one in pairs),
        taken_pairs=sum(one.taken for one in pairs),
        differ=list(reasons(tuple(one for one in pairs if not one.taken)).items()),
        differing_code=WaitCode.POLICIES_DIFFER.value,
        once=new_once(),
        once_again=new_once(),
    )


def _by_kind(ask: Ask, found: Rehearsed) -> dict[str, int]:
    """How many writes of each resource go to which system."""
    total: Counter[str] = Counter()
    for kind, count in found.counts.items():
        total[kind.going.words(ask.names)] += count
    return dict(total)


def _reach(ask: Ask, status: PracticeStatus, system: System) -> Reach:
    prefix = f"{ask.practice.section(system).system.prefix}."
    report = status.report
    failing = () if report is None else tuple(one for one in report.failing.items() if one[0].startswith(prefix))
    heard = min((age for name, age in status.sources.items() if name.startswith(prefix)), default=None)
    return Reach(ask.names.label(system), heard, failing)


def states_of(found: Rehearsed | None, systems: list[Reach], stopped: bool) -> list[StepState]:
    """The state of each step, in order: reaching both systems, maps, reading, matching, going live."""
    if stopped or any(one.failing for one in systems):
        reached = StepState.SOMEBODY
    else:
        reached = StepState.DONE if all(one.heard is not None for one in systems) else StepState.NOW
    if found is None:
        return [reached, *[StepState.LATER] * 4]
    told = found.told
    read = StepState.NOW if told.unread else StepState.DONE
    return [reached, _mapped(told.maps), read, _matched(told, read), _live(told, read)]


def _mapped(maps: MappedSoFar | None) -> StepState:
    if maps is None:
        return StepState.LATER
    return StepState.SOMEBODY if maps.without else StepState.DONE


def _matched(told: Onboarding, read: StepState) -> StepState:
    if told.matching is None:
        return StepState.DONE
    if read is not StepState.DONE:
        return StepState.LATER
    return StepState.SOMEBODY if _is_undecided(told.matching) else StepState.DONE


def _is_undecided(matching: Matching) -> bool:
    return any(not one.taken for one in matching.candidates)


def _live(told: Onboarding, read: StepState) -> StepState:
    if told.state == "live":
        return StepState.DONE
    if told.state == "going-live":
        return StepState.NOW
    return StepState.LATER if read is not StepState.DONE else StepState.SOMEBODY


async def writes(ask: Ask) -> web.StreamResponse:
    """The dry run: every write that going live would make, a page of them; whoever is on it is recorded as seen."""
    found = await ask.console.rehearsals.of(ask.practice)
    kept = () if found is None else found.writes
    number, pages = turned_to(ask, len(kept), PAGE)
    some = kept[(number - 1) * PAGE : number * PAGE]
    await ask.record_each("onboarding: dry run", sorted({one.patient for one in some if one.patient}))
    rows = [
        {
            "charts": chart_in_words(charts_of(one.patient), ask.names),
            "handle": ask.handle(one.patient) if one.patient else "",
            "text": describe_write(one.write, ask.shown),
            "rule": one.rule,
        }
        for one in some
    ]
    return ask.page("dry_run.html", found=found, rows=rows, number=number, pages=pages, kept=len(kept))


ROUTES = (
    get("/p/{practice}/onboarding", onboarding, Access(May.PATIENTS, recorded=True)),
    get("/p/{practice}/onboarding/writes", writes, Access(May.PATIENTS, recorded=True)),
)
