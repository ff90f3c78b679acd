"""The judge of who is who: wrong links and silent duplicates, by the truth that the people keep (tests/simulation/truth.py)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from daemon.sandbox.clinic import Office
from events.commands import KeepOutRequested, LinkRequested, MoveLinkRequested, ResyncRequested, UnlinkRequested
from events.schema import (
    BillingChartObserved,
    ChartLinked,
    EhrChartObserved,
    IntentRequested,
    IntentSucceeded,
    Recorded,
)
from events.writes import BillingChartWritten, CreateBillingChart, CreateEhrChart, EhrChartWritten
from tests.simulation.truth import Chart, Truth

Say = Callable[[str, str], None]


@dataclass(frozen=True)
class Mark:
    """What was known of a practice `at` the moment of its event `sequence`."""

    sequence: int
    at: datetime
    kept: Any


class Judge:
    """Follows what is recorded, of all practices."""

    def __init__(self, truth: Truth, say: Say) -> None:
        self._truth = truth
        self._say = say
        self._seen: dict[Chart, int] = {}
        self._asked: dict[str, tuple[Chart, int]] = {}
        self._excused: set[int] = set()

    def follow(self, recorded: Recorded) -> None:
        """An event of a practice, in its order."""
        event, body = recorded.event, recorded.event.body
        match body:
            case EhrChartObserved(chart=chart):
                self._seen.setdefault(("elation", int(chart.id)), recorded.sequence)
            case BillingChartObserved(chart=there):
                self._seen.setdefault(("kareo", int(there.id)), recorded.sequence)
            case (
                UnlinkRequested() | LinkRequested() | MoveLinkRequested() | KeepOutRequested() | ResyncRequested(as_new=True)
            ):
                self._excuse(event.ehr, event.billing)
            case IntentRequested(write=CreateEhrChart(billing=patient)):
                self._asked[body.intent] = ("kareo", int(patient)), recorded.sequence
            case IntentRequested(write=CreateBillingChart(ehr=chart_id)):
                self._asked[body.intent] = ("elation", int(chart_id)), recorded.sequence
            case IntentSucceeded(result=EhrChartWritten(chart=chart)) if body.intent in self._asked:
                self._made(("elation", int(chart.id)), *self._asked[body.intent], recorded)
            case IntentSucceeded(result=BillingChartWritten(chart=there)) if body.intent in self._asked:
                self._made(("kareo", int(there.id)), *self._asked[body.intent], recorded)
            case ChartLinked(likeness=likeness) if likeness is not None:
                self._linked(("elation", int(body.ehr)), ("kareo", int(body.billing)), recorded)

    def forget(self, office: Office, after: int) -> None:
        """What the practice had recorded after this event is lost."""
        for chart in [one for one, sequence in self._seen.items() if sequence > after and self._truth.is_in(one, office)]:
            del self._seen[chart]

    def _excuse(self, ehr: int | None, billing: int | None) -> None:
        """What a person asked for about somebody is theirs to answer for."""
        for chart in (("elation", int(ehr or 0)), ("kareo", int(billing or 0))):
            if (number := self._truth.person(chart)) is not None:
                self._excused.add(number)

    def _linked(self, ehr: Chart, billing: Chart, recorded: Recorded) -> None:
        one, other = self._truth.person(ehr), self._truth.person(billing)
        if one is not None and other is not None and one != other:
            self._say(
                "who", f"{recorded.event.practice}: elation:{ehr[1]} was linked with kareo:{billing[1]}, somebody else"
            )

    def _made(self, made: Chart, of: Chart, asked: int, recorded: Recorded) -> None:
        """A chart was made for the person of `of`, asked for at that event."""
        self._truth.made(made, of)
        self._seen.setdefault(made, recorded.sequence)
        if self._truth.person(of) in self._excused or not self._truth.is_as_registered(of):
            return
        known = [one for one in self._truth.others(made) if self._seen.get(one, asked) < asked]
        known = [one for one in known if self._truth.is_as_registered(one)]
        if known:
            text = f"{recorded.event.practice}: {made[0]}:{made[1]} was made for {of[0]}:{of[1]}, who has {known[0][0]}:{known[0][1]}"
            self._say("who", text)
