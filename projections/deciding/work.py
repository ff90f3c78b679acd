"""The events of one transaction as they accumulate, folded and decided about as they come. Pure: what the recorder stores."""

from __future__ import annotations

from datetime import datetime

import msgspec

from events.commands import Command
from events.ids import PRACTICE, BillingPatientId, Charts, EhrChartId, PatientKey, PracticeId, charts_of, ehr_key, event_id
from events.records import type_of
from events.schema import (
    BillingChartObserved,
    BillingDirectoryObserved,
    BillObserved,
    Body,
    ChartLinked,
    ChartUnlinked,
    CommandRefused,
    EhrChartObserved,
    EhrDirectoryObserved,
    Event,
    IntentRefused,
    IntentRequested,
    IntentSucceeded,
    IntentSuperseded,
    LinkMoved,
    Origin,
    PairBarred,
    RevisitDue,
    WaitingCleared,
)
from events.slots import SlotKind, is_slot
from projections.deciding.intents import decide, is_settled
from projections.deciding.repair import answer
from projections.deciding.settle import Moment
from projections.state.folding import in_doubt
from projections.state.patient import Patient
from projections.state.quarantine import quarantined_as
from projections.state.state import PracticeState
from projections.terms.policy import Policy


class Work:
    """The events of one transaction as they accumulate, and who has to be decided about because of them."""

    def __init__(self, practice: PracticeId, state: PracticeState, policy: Policy, moment: Moment) -> None:
        self.practice = practice
        self.state = state
        self.policy = policy
        self.moment = moment
        self.events: list[Event] = []
        self.touched: dict[PatientKey, Event] = {}
        self.relinked: set[PatientKey] = set()
        self.unlinked: set[BillingPatientId] = set()
        self.dependencies: set[str] = set()
        self.in_doubt: set[tuple[str, str]] = set()
        self.echoes = 0
        self._since: dict[PatientKey, datetime | None] = {}

    def take(self, event: Event, refused: CommandRefused | None = None) -> None:
        """Append one event, fold it, and remember whom it concerns; a command is answered."""
        if not isinstance(event.body, Command):
            self._take(event, self.state.key_of(event.ehr, event.billing))
            return
        reply = answer(self.state, event.ehr, event.billing, event.body, self.policy)
        refused = refused or reply.refused
        if refused is not None:
            self._take(event, PRACTICE)
            self._take(self.following(refused, event, event.ehr, event.billing), PRACTICE)
            return
        self._take(event, reply.about)
        for body in reply.follows:
            charts = _charts(self.state.patients[reply.about]) if reply.about else Charts()
            if isinstance(body, ChartLinked | ChartUnlinked | PairBarred):
                charts = Charts(body.ehr, body.billing)
            self._take(self.following(body, event, *charts), reply.about)

    def _take(self, event: Event, key: PatientKey) -> None:
        event = msgspec.structs.replace(event, patient=key)
        before = self.state.patients.get(key)
        self.state.apply(event, len(self.events))
        self.events.append(event)
        if key:
            self.touched[key] = event
            self._notice(event, before)
        else:
            self._notice_practice(event)

    def _notice(self, event: Event, before: Patient | None) -> None:
        after = self.state.patients[event.patient]
        body = event.body
        if in_doubt(before, event):
            record = ("bills", body.bill.id) if isinstance(body, BillObserved) else ("patients", event.ehr)
            self.in_doubt.add((record[0], str(record[1])))
        if event.origin in (Origin.EHR, Origin.BILLING):
            polled = event.origin is Origin.BILLING
            self._since[event.patient] = event.observed if polled else event.modified or event.observed
        elif isinstance(body, IntentSucceeded) and before is not None and body.slot in before.intents:
            self._since[event.patient] = before.intents[body.slot].since
        if isinstance(body, ChartLinked | LinkMoved):
            self.relinked.add(event.patient)
            linked = body.ehr if isinstance(body, ChartLinked) else body.target
            self.dependencies |= {f"chart:{linked}", f"patient:{body.billing}"}
        elif isinstance(body, ChartUnlinked | PairBarred):
            self.touched[ehr_key(body.ehr)] = event
            if isinstance(body, ChartUnlinked):
                self.relinked.add(event.patient)
                self.unlinked.add(body.billing)
                self.dependencies |= {f"chart:{body.ehr}", f"patient:{body.billing}"}
        elif isinstance(body, BillObserved):
            if before is None or str(body.bill.id) not in before.bills:
                self.dependencies.add(f"bill:{body.bill.id}")
        elif isinstance(body, EhrChartObserved):
            if before is None or before.ehr is None:
                self.dependencies.add(f"chart:{body.chart.id}")
            elif before.link is not None and after.ehr and before.ehr.chart == after.ehr.chart:
                self.echoes += 1
        elif isinstance(body, BillingChartObserved) and before is not None and before.link is not None and before.billing:
            self.echoes += bool(after.billing and before.billing.chart == after.billing.chart)
        if event.origin in (Origin.EHR, Origin.BILLING):
            self._understood(event)

    def _notice_practice(self, event: Event) -> None:
        body = event.body
        if isinstance(body, EhrDirectoryObserved | BillingDirectoryObserved):
            self.dependencies.add("directory")
        elif isinstance(body, IntentSucceeded | IntentRefused | IntentSuperseded):
            self.dependencies.add(body.slot)

    def _understood(self, event: Event) -> None:
        """A record that could not be used before and now can waits no longer."""
        waiting = self.state.directory.waiting
        if not any(is_slot(slot, SlotKind.QUARANTINE) for slot in waiting):
            return
        for slot in quarantined_as(event):
            if slot in waiting:
                self.take(self._event(WaitingCleared(slot=slot, how="understood now"), event, 0, None, None))

    def decide(self, key: PatientKey, cause: Event) -> None:
        """Decide about one patient and take what follows."""
        bodies, shared = decide(self.state, key, self.policy, self.moment, cause.id)
        patient = self.state.patients[key]
        start = len(self.events)
        since = self._since.get(key)
        for body in bodies:
            ehr, billing = _charts(patient)
            if isinstance(body, IntentRequested):
                body = msgspec.structs.replace(body, since=since)
            if isinstance(body, ChartLinked | LinkMoved):
                ehr, billing = (body.ehr if isinstance(body, ChartLinked) else body.target), body.billing
            self.take(self._event(body, cause, len(self.events) - start, ehr, billing))
        for body in shared:
            if isinstance(body, IntentRequested):
                body = msgspec.structs.replace(body, since=since)
            self.take(self._event(body, cause, len(self.events) - start, None, None))
        if is_settled(patient, bodies, shared):
            self.touched.pop(key, None)

    def following(
        self, body: Body, cause: Event, ehr: EhrChartId | None = None, billing: BillingPatientId | None = None
    ) -> Event:
        """An event that `cause` led to."""
        return self._event(body, cause, 0, ehr, billing)

    def revisit(self, patient: Patient, reason: str, sequence: int) -> None:
        """Look at a patient again; recorded as an event only when something follows from it."""
        ehr, billing = _charts(patient)
        due = Event(
            id=event_id(self.practice, "RevisitDue", patient.key, sequence, reason),
            practice=self.practice,
            origin=Origin.CHARTWIRE,
            observed=self.moment.now,
            body=RevisitDue(reason=reason),
            ehr=ehr,
            billing=billing,
        )
        bodies, shared = decide(self.state, patient.key, self.policy, self.moment, due.id)
        if bodies or shared:
            self.take(due)

    def _event(
        self, body: Body, cause: Event, ordinal: int, ehr: EhrChartId | None, billing: BillingPatientId | None
    ) -> Event:
        return Event(
            id=event_id(self.practice, type_of(body), cause.id, len(self.events), ordinal),
            practice=self.practice,
            origin=Origin.CHARTWIRE,
            observed=self.moment.now,
            body=body,
            ehr=ehr,
            billing=billing,
            cause=cause.id,
            correlation=cause.correlation or cause.id,
        )


def _charts(patient: Patient) -> Charts:
    """The chart ids that events about `patient` carry."""
    if patient.link is not None:
        return Charts(patient.link.ehr, patient.link.billing)
    return charts_of(patient.key)
