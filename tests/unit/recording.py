"""Recording on paper, as the recorder does it: fold, decide about whoever was touched, until nothing follows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from events.commands import Command
from events.ids import ElationChartId, KareoPatientId, PatientKey, PracticeId, elation_key, event_id
from events.schema import (
    BillObserved,
    Body,
    ChartLinked,
    ChartUnlinked,
    ElationChartObserved,
    ElationDirectoryObserved,
    Event,
    IntentRefused,
    IntentSucceeded,
    IntentSuperseded,
    KareoDirectoryObserved,
    LinkMoved,
    Origin,
    PairBarred,
    RevisitDue,
)
from projections.deciding.intents import decide, is_settled
from projections.deciding.repair import answer
from projections.deciding.settle import Moment
from projections.state.open_intents import dependencies
from projections.state.patient import Patient
from projections.state.state import PracticeState
from projections.terms.policy import Policy
from tests.unit.records import HOUSE

PRACTICE = PracticeId("clinic")
START = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
ROUNDS = 200


class Recording:
    """The projections, and `events`: all that was recorded, in order, routed as the recorder routes them."""

    def __init__(self, policy: Policy | None = None, **rules: object) -> None:
        self.policy = policy or Policy(practice=PRACTICE, default_physician=HOUSE, **rules)
        self.state = PracticeState()
        self.now = START
        self.events: list[Event] = []

    def record(
        self,
        body: Body,
        *,
        elation: ElationChartId | None = None,
        kareo: KareoPatientId | None = None,
        origin: Origin = Origin.CHARTWIRE,
        modified: datetime | None = None,
        observed: datetime | None = None,
    ) -> list[Event]:
        """Record one change and all that follows from it; returns what followed."""
        self.now += timedelta(minutes=1)
        event = Event(
            id=event_id(PRACTICE, type(body).__name__, len(self.events)),
            practice=PRACTICE,
            origin=origin,
            observed=observed or self.now,
            body=body,
            elation=elation,
            kareo=kareo,
            modified=modified,
        )
        start = len(self.events) + 1
        self._settle([event])
        return self.events[start:]

    def pass_days(self, days: int) -> None:
        """Days go by without a change; whoever is due is looked at again."""
        self.now += timedelta(days=days)
        self._settle([self._revisit(patient, "a day has passed") for patient in list(self.state.patients.values())])

    def _settle(self, events: Iterable[Event]) -> None:
        touched: dict[PatientKey, Event] = {}
        come: set[str] = set()
        for event in events:
            self._take(event, touched, come)
        for _ in range(ROUNDS):
            if not touched:
                due = [
                    one
                    for one in self.state.patients.values()
                    if come.intersection(dependencies(one.waiting, one.dismissed))
                ]
                come.clear()
                for one in due:
                    self._take(self._revisit(one, "what it waited for has come"), touched, set())
                if not due:
                    return
            key, cause = touched.popitem()
            if key in self.state.patients:
                self._decide(key, cause, touched, come)
        raise AssertionError(f"deciding goes in circles: {[event.type for event in self.events[-6:]]}")

    def _decide(self, key: PatientKey, cause: Event, touched: dict[PatientKey, Event], come: set[str]) -> None:
        bodies, shared = decide(self.state, key, self.policy, self.moment, cause.id)
        patient = self.state.patients[key]
        for body in bodies:
            elation, kareo = charts(patient)
            if isinstance(body, ChartLinked | LinkMoved):
                elation, kareo = (body.elation if isinstance(body, ChartLinked) else body.target), body.kareo
            self._take(self._following(body, cause, elation, kareo), touched, come)
        for body in shared:
            self._take(self._following(body, cause, None, None), touched, come)
        if is_settled(patient, bodies, shared):
            assert decide(self.state, key, self.policy, self.moment, cause.id) == ([], []), "the recorder does not ask again"

    def _take(self, event: Event, touched: dict[PatientKey, Event], come: set[str]) -> None:
        if not isinstance(event.body, Command):
            self._fold(event, self.state.key_of(event.elation, event.kareo), touched, come)
            return
        reply = answer(self.state, event.elation, event.kareo, event.body, self.policy)
        self._fold(event, reply.about, touched, come)
        if reply.refused is not None:
            refused = self._following(reply.refused, event, event.elation, event.kareo)
            self._fold(refused, PatientKey(""), touched, come)
        for body in reply.follows:
            about = charts(self.state.patients[reply.about]) if reply.about else (None, None)
            if isinstance(body, ChartLinked | ChartUnlinked | PairBarred):
                about = body.elation, body.kareo
            self._fold(self._following(body, event, *about), reply.about, touched, come)

    def _fold(self, event: Event, key: PatientKey, touched: dict[PatientKey, Event], come: set[str]) -> None:
        event = msgspec.structs.replace(event, patient=key)
        known = self.state.patients.get(key)
        self.state.apply(event, len(self.events))
        self.events.append(event)
        body = event.body
        if key:
            touched[key] = event
            if isinstance(body, ChartLinked | LinkMoved):
                chart = body.elation if isinstance(body, ChartLinked) else body.target
                come |= {f"chart:{chart}", f"patient:{body.kareo}"}
            elif isinstance(body, ChartUnlinked | PairBarred):
                touched[elation_key(body.elation)] = event
                come |= {f"chart:{body.elation}", f"patient:{body.kareo}"}
            elif isinstance(body, BillObserved) and (known is None or str(body.bill.id) not in known.bills):
                come.add(f"bill:{body.bill.id}")
            elif isinstance(body, ElationChartObserved) and (known is None or known.elation is None):
                come.add(f"chart:{body.chart.id}")
        elif isinstance(body, ElationDirectoryObserved | KareoDirectoryObserved):
            come.add("directory")
        elif isinstance(body, IntentSucceeded | IntentRefused | IntentSuperseded):
            come.add(body.slot)

    def _following(self, body: Body, cause: Event, elation: ElationChartId | None, kareo: KareoPatientId | None) -> Event:
        return Event(
            id=event_id(PRACTICE, type(body).__name__, cause.id, len(self.events)),
            practice=PRACTICE,
            origin=Origin.CHARTWIRE,
            observed=self.now,
            body=body,
            elation=elation,
            kareo=kareo,
            cause=cause.id,
            correlation=cause.correlation or cause.id,
        )

    def _revisit(self, patient: Patient, reason: str) -> Event:
        elation, kareo = charts(patient)
        return Event(
            id=event_id(PRACTICE, "RevisitDue", patient.key, len(self.events)),
            practice=PRACTICE,
            origin=Origin.CHARTWIRE,
            observed=self.now,
            body=RevisitDue(reason=reason),
            elation=elation,
            kareo=kareo,
        )

    @property
    def moment(self) -> Moment:
        return Moment(now=self.now, today=self.now.astimezone(ZoneInfo(self.policy.time_zone)).date())


def charts(patient: Patient) -> tuple[ElationChartId | None, KareoPatientId | None]:
    """The chart ids that events about `patient` carry."""
    if patient.link is not None:
        return patient.link.elation, patient.link.kareo
    number = int(patient.key[2:])
    return (None, KareoPatientId(number)) if patient.in_kareo else (ElationChartId(number), None)
