"""Recording on paper, as the recorder does it: fold, decide about whoever was touched, until nothing follows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from events.commands import Command
from events.holds import Aside, KeptOut
from events.ids import (
    BillingPatientId,
    Charts,
    EhrChartId,
    PatientKey,
    PracticeId,
    billing_key,
    ehr_key,
    event_id,
    keys_named,
)
from events.insurance import InsurersLearnt
from events.maps import MapChange
from events.merges import BillingLinkMoved
from events.records import type_of
from events.schema import (
    BillingChartObserved,
    BillingDirectoryObserved,
    BillObserved,
    Body,
    ChartLinked,
    ChartUnlinked,
    EhrChartObserved,
    EhrDirectoryObserved,
    Event,
    IntentRefused,
    IntentSucceeded,
    IntentSuperseded,
    LinkMoved,
    Origin,
    PairBarred,
    RevisitDue,
)
from projections.deciding.intents import decide, is_settled
from projections.deciding.leaving import as_recorded
from projections.deciding.repair import answer
from projections.rules.counterparts import gave_up, named
from projections.rules.links import holder
from projections.rules.wants import Moment
from projections.state.maps import counterpart
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
        ehr: EhrChartId | None = None,
        billing: BillingPatientId | None = None,
        origin: Origin = Origin.CHARTWIRE,
        modified: datetime | None = None,
        observed: datetime | None = None,
    ) -> list[Event]:
        """Record one change and all that follows from it; returns what followed."""
        self.now += timedelta(minutes=1)
        event = Event(
            id=event_id(PRACTICE, type_of(body), len(self.events)),
            practice=PRACTICE,
            origin=origin,
            observed=observed or self.now,
            body=body,
            ehr=ehr,
            billing=billing,
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
            ehr, billing = charts(patient)
            if isinstance(body, ChartLinked | LinkMoved):
                ehr, billing = (body.ehr if isinstance(body, ChartLinked) else body.target), body.billing
            self._take(self._following(body, cause, ehr, billing), touched, come)
        for body in shared:
            about = (body.ehr, body.billing) if isinstance(body, KeptOut) else (None, None)
            event = self._following(body, cause, *about)
            self._take(event, touched, come)
            if isinstance(body, InsurersLearnt | KeptOut):
                touched.setdefault(key, event)
        if is_settled(patient, bodies, shared):
            assert decide(self.state, key, self.policy, self.moment, cause.id) == ([], []), "the recorder does not ask again"

    def _take(self, event: Event, touched: dict[PatientKey, Event], come: set[str]) -> None:
        if not isinstance(event.body, Command):
            news, event = as_recorded(event, self.state, self.policy, self.moment.now)
            key = PatientKey("") if isinstance(event.body, Aside) else holder(event, self.state)
            self._fold(event, key, touched, come)
            if news is not None:
                self._fold(self._following(news, event, news.ehr, news.billing), PatientKey(""), touched, come)
            return
        reply = answer(self.state, event.ehr, event.billing, event.body, self.policy)
        self._fold(event, reply.about, touched, come)
        if reply.refused is not None:
            refused = self._following(reply.refused, event, event.ehr, event.billing)
            self._fold(refused, PatientKey(""), touched, come)
        for body in reply.follows:
            about = charts(self.state.patients[reply.about]) if reply.about else (None, None)
            if isinstance(body, ChartLinked | ChartUnlinked | PairBarred | Aside):
                about = body.ehr, body.billing
            elif isinstance(body, BillingLinkMoved):
                about = body.ehr, body.target
            self._fold(self._following(body, event, *about), reply.about, touched, come)

    def _fold(self, event: Event, key: PatientKey, touched: dict[PatientKey, Event], come: set[str]) -> None:
        event = msgspec.structs.replace(event, patient=key)
        known, directory = self.state.patients.get(key), self.state.directory
        self.state.apply(event, len(self.events))
        self.events.append(event)
        body = event.body
        if key:
            touched[key] = event
            if isinstance(body, ChartLinked | LinkMoved):
                chart = body.ehr if isinstance(body, ChartLinked) else body.target
                come |= {f"chart:{chart}", f"patient:{body.billing}"}
            elif isinstance(body, BillingLinkMoved):
                touched[billing_key(body.source)] = event
                come |= {f"chart:{body.ehr}", f"patient:{body.source}", f"patient:{body.target}"}
            elif isinstance(body, ChartUnlinked | PairBarred):
                touched[ehr_key(body.ehr)] = event
                come |= {f"chart:{body.ehr}", f"patient:{body.billing}"}
            elif gave_up(body, known, self.state.patients[key]):
                come.add(named(key))
            elif isinstance(body, BillObserved) and (known is None or str(body.bill.id) not in known.bills):
                come.add(f"bill:{body.bill.id}")
            elif isinstance(body, EhrChartObserved | BillingChartObserved):
                side = None if known is None else known.ehr if isinstance(body, EhrChartObserved) else known.billing
                if side is None or (known is not None and known.link is None and side.chart != body.chart):
                    come.add(f"{'chart' if isinstance(body, EhrChartObserved) else 'patient'}:{body.chart.id}")
        elif isinstance(body, EhrDirectoryObserved | BillingDirectoryObserved):
            come.add("directory")
        elif isinstance(body, MapChange):
            come.add("directory")
            if counterpart(body.kind, body.id, directory, self.policy).to:
                touched.update(dict.fromkeys(sorted(self.state.patients), event))
        elif isinstance(body, InsurersLearnt):
            come.add("insurers")
        elif isinstance(body, KeptOut):
            keys = keys_named(Charts(body.ehr, body.billing))
            come |= {named(one) for one in keys}
            concerned = {*keys, self.state.key_of(body.ehr, body.billing)} & self.state.patients.keys()
            touched.update(dict.fromkeys(sorted(concerned), event))
        elif isinstance(body, IntentSucceeded | IntentRefused | IntentSuperseded):
            come.add(body.slot)

    def _following(self, body: Body, cause: Event, ehr: EhrChartId | None, billing: BillingPatientId | None) -> Event:
        return Event(
            id=event_id(PRACTICE, type_of(body), cause.id, len(self.events)),
            practice=PRACTICE,
            origin=Origin.CHARTWIRE,
            observed=self.now,
            body=body,
            ehr=ehr,
            billing=billing,
            cause=cause.id,
            correlation=cause.correlation or cause.id,
        )

    def _revisit(self, patient: Patient, reason: str) -> Event:
        ehr, billing = charts(patient)
        return Event(
            id=event_id(PRACTICE, "RevisitDue", patient.key, len(self.events)),
            practice=PRACTICE,
            origin=Origin.CHARTWIRE,
            observed=self.now,
            body=RevisitDue(reason=reason),
            ehr=ehr,
            billing=billing,
        )

    @property
    def moment(self) -> Moment:
        return Moment.at(self.now, self.policy.time_zone)


def charts(patient: Patient) -> tuple[EhrChartId | None, BillingPatientId | None]:
    """The chart ids that events about `patient` carry."""
    if patient.link is not None:
        return patient.link.ehr, patient.link.billing
    number = int(patient.key[2:])
    return (None, BillingPatientId(number)) if patient.in_billing else (EhrChartId(number), None)
