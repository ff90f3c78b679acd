"""The events of one transaction as they accumulate, folded and decided about as they come. Pure: what the recorder stores."""

from __future__ import annotations

from datetime import datetime

import msgspec

from events.commands import Command
from events.ids import ElationChartId, KareoPatientId, PatientKey, PracticeId, elation_key, event_id
from events.schema import (
    BillObserved,
    Body,
    ChartLinked,
    ChartUnlinked,
    CommandRefused,
    ElationChartObserved,
    ElationDirectoryObserved,
    Event,
    IntentRefused,
    IntentRequested,
    IntentSucceeded,
    IntentSuperseded,
    KareoChartObserved,
    KareoDirectoryObserved,
    LinkMoved,
    Origin,
    PairBarred,
    RevisitDue,
    WaitingCleared,
)
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
        self.unlinked: set[KareoPatientId] = set()
        self.dependencies: set[str] = set()
        self.in_doubt: set[tuple[str, str]] = set()
        self.echoes = 0
        self._since: dict[PatientKey, datetime | None] = {}

    def take(self, event: Event, refused: CommandRefused | None = None) -> None:
        """Append one event, fold it, and remember whom it concerns; a command is answered."""
        if not isinstance(event.body, Command):
            self._take(event, self.state.key_of(event.elation, event.kareo))
            return
        reply = answer(self.state, event.elation, event.kareo, event.body, self.policy)
        refused = refused or reply.refused
        if refused is not None:
            self._take(event, PatientKey(""))
            self._take(self.following(refused, event, event.elation, event.kareo), PatientKey(""))
            return
        self._take(event, reply.about)
        for body in reply.follows:
            charts = _charts(self.state.patients[reply.about]) if reply.about else (None, None)
            if isinstance(body, ChartLinked | ChartUnlinked | PairBarred):
                charts = body.elation, body.kareo
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
            record = ("bills", body.bill.id) if isinstance(body, BillObserved) else ("patients", event.elation)
            self.in_doubt.add((record[0], str(record[1])))
        if event.origin in (Origin.ELATION, Origin.KAREO):
            polled = event.origin is Origin.KAREO
            self._since[event.patient] = event.observed if polled else event.modified or event.observed
        elif isinstance(body, IntentSucceeded) and before is not None and body.slot in before.intents:
            self._since[event.patient] = before.intents[body.slot].since
        if isinstance(body, ChartLinked | LinkMoved):
            self.relinked.add(event.patient)
            linked = body.elation if isinstance(body, ChartLinked) else body.target
            self.dependencies |= {f"chart:{linked}", f"patient:{body.kareo}"}
        elif isinstance(body, ChartUnlinked | PairBarred):
            self.touched[elation_key(body.elation)] = event
            if isinstance(body, ChartUnlinked):
                self.relinked.add(event.patient)
                self.unlinked.add(body.kareo)
                self.dependencies |= {f"chart:{body.elation}", f"patient:{body.kareo}"}
        elif isinstance(body, BillObserved):
            if before is None or str(body.bill.id) not in before.bills:
                self.dependencies.add(f"bill:{body.bill.id}")
        elif isinstance(body, ElationChartObserved):
            if before is None or before.elation is None:
                self.dependencies.add(f"chart:{body.chart.id}")
            elif before.link is not None and after.elation and before.elation.chart == after.elation.chart:
                self.echoes += 1
        elif isinstance(body, KareoChartObserved) and before is not None and before.link is not None and before.kareo:
            self.echoes += bool(after.kareo and before.kareo.chart == after.kareo.chart)
        if event.origin in (Origin.ELATION, Origin.KAREO):
            self._understood(event)

    def _notice_practice(self, event: Event) -> None:
        body = event.body
        if isinstance(body, ElationDirectoryObserved | KareoDirectoryObserved):
            self.dependencies.add("directory")
        elif isinstance(body, IntentSucceeded | IntentRefused | IntentSuperseded):
            self.dependencies.add(body.slot)

    def _understood(self, event: Event) -> None:
        """A record that could not be used before and now can waits no longer."""
        waiting = self.state.directory.waiting
        if not any(slot.startswith("quarantine:") for slot in waiting):
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
            elation, kareo = _charts(patient)
            if isinstance(body, IntentRequested):
                body = msgspec.structs.replace(body, since=since)
            if isinstance(body, ChartLinked | LinkMoved):
                elation, kareo = (body.elation if isinstance(body, ChartLinked) else body.target), body.kareo
            self.take(self._event(body, cause, len(self.events) - start, elation, kareo))
        for body in shared:
            if isinstance(body, IntentRequested):
                body = msgspec.structs.replace(body, since=since)
            self.take(self._event(body, cause, len(self.events) - start, None, None))
        if is_settled(patient, bodies, shared):
            self.touched.pop(key, None)

    def following(
        self, body: Body, cause: Event, elation: ElationChartId | None = None, kareo: KareoPatientId | None = None
    ) -> Event:
        """An event that `cause` led to."""
        return self._event(body, cause, 0, elation, kareo)

    def revisit(self, patient: Patient, reason: str, sequence: int) -> None:
        """Look at a patient again; recorded as an event only when something follows from it."""
        elation, kareo = _charts(patient)
        due = Event(
            id=event_id(self.practice, "RevisitDue", patient.key, sequence, reason),
            practice=self.practice,
            origin=Origin.CHARTWIRE,
            observed=self.moment.now,
            body=RevisitDue(reason=reason),
            elation=elation,
            kareo=kareo,
        )
        bodies, shared = decide(self.state, patient.key, self.policy, self.moment, due.id)
        if bodies or shared:
            self.take(due)

    def _event(
        self, body: Body, cause: Event, ordinal: int, elation: ElationChartId | None, kareo: KareoPatientId | None
    ) -> Event:
        return Event(
            id=event_id(self.practice, type(body).__name__, cause.id, len(self.events), ordinal),
            practice=self.practice,
            origin=Origin.CHARTWIRE,
            observed=self.moment.now,
            body=body,
            elation=elation,
            kareo=kareo,
            cause=cause.id,
            correlation=cause.correlation or cause.id,
        )


def _charts(patient: Patient) -> tuple[ElationChartId | None, KareoPatientId | None]:
    """The chart ids that events about `patient` carry."""
    if patient.link is not None:
        return patient.link.elation, patient.link.kareo
    number = int(patient.key[2:])
    return (None, KareoPatientId(number)) if patient.in_kareo else (ElationChartId(number), None)
