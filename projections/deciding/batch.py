"""The events of one transaction: folded as they come, decided about until nothing follows. The recorder stores the result.

A recorder holds only the patients that a batch touches. So `Batch.settle` stops where deciding looks at somebody who is not
loaded, and says who.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from events.commands import Command, RedriveRequested, is_command
from events.holds import Aside, KeptOut, RecordLeftUnread
from events.ids import (
    PRACTICE,
    BillingPatientId,
    Charts,
    EhrChartId,
    PatientKey,
    PracticeId,
    billing_key,
    charts_of,
    ehr_key,
    event_id,
    keys_named,
)
from events.insurance import InsurersLearnt
from events.maps import MapChange
from events.merges import BillingLinkMoved, ToldApart
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
from events.writes import System
from projections.deciding.intents import decide, is_settled
from projections.deciding.leaving import as_recorded, to_read_again
from projections.deciding.repair import answer
from projections.deciding.replies import Redriven
from projections.rules.counterparts import gave_up, named, needs_look
from projections.rules.links import holder, references
from projections.rules.wants import Moment
from projections.state.directory import Directory
from projections.state.folding import in_doubt
from projections.state.maps import counterpart
from projections.state.patient import Patient
from projections.state.quarantine import in_doubt_as, outcome_slots, quarantined_as
from projections.state.state import PracticeState
from projections.terms.policy import Policy

ROUNDS = 40
"""Decisions about a patient and an event at most; deciding comes to its end after one or two."""


class Undecided(Exception):
    """Deciding does not come to an end: a defect of ours. The text names the kinds of events it goes in circles with."""


NO_CHARTS = Charts()
UNDERSTOOD = "understood now"


@dataclass(frozen=True)
class Missing:
    """Charts whose patients deciding looks at, and which are not loaded yet.

    `alike` are patients without a link whose like has to be looked for in our own copy first (`PracticeState.alike`).
    """

    ehr: set[EhrChartId] = field(default_factory=set)
    billing: set[BillingPatientId] = field(default_factory=set)
    alike: set[PatientKey] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.ehr or self.billing or self.alike)


class Batch:
    """The events of one transaction as they accumulate, and the patients to decide about because of them.

    `whole` says that `state` holds every patient there is, so that nothing is ever missing. `everybody` is due to be looked at after it.
    """

    def __init__(
        self, practice: PracticeId, state: PracticeState, policy: Policy, moment: Moment, *, whole: bool = False
    ) -> None:
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
        self.let_in: set[RecordLeftUnread] = set()
        self.everybody = False
        self.echoes = 0
        self._since: dict[PatientKey, datetime | None] = {}
        self._due: dict[PatientKey, Event] = {}
        self._looked_at: set[PatientKey] = set()
        self._loaded = None if whole else Missing()
        self._rounds = self._begun = 0

    # -- folding ----------------------------------------------------------------------------------------------------------

    def take(self, event: Event, redriven: Redriven | None = None) -> None:
        """Append one event, fold it, and remember whom it concerns; a command is answered.

        `redriven` is what a redrive has found. It counts while the same thing is still set aside.
        """
        body = event.body
        if not is_command(body):
            news, event = as_recorded(event, self.state, self.policy, self.moment.now)
            self._take(event, PRACTICE if isinstance(body, Aside) else holder(event, self.state))
            if news is not None:
                self._take(self._event(news, event, Charts(news.ehr, news.billing)), PRACTICE)
            return
        held = self.state.directory.quarantined
        if isinstance(body, RedriveRequested) and redriven is not None and held.get(body.slot) == str(redriven.held):
            self._redrive(event, body, redriven)
        else:
            self._answer(event, body)

    def _redrive(self, command: Event, body: RedriveRequested, redriven: Redriven) -> None:
        """What was set aside is recorded as if it came now."""
        self._answer(command, body, redriven.refused)
        if redriven.refused is not None:
            return
        self.take(self._event(WaitingCleared(slot=body.slot, how="tried again"), command))
        if redriven.event is not None and all(one.id != redriven.event.id for one in self.events):
            self.take(redriven.event)

    def _answer(self, command: Event, body: Command, refused: CommandRefused | None = None) -> None:
        reply = answer(self.state, command.ehr, command.billing, body, self.policy)
        refused = refused or reply.refused
        if refused is not None:
            self._take(command, PRACTICE)
            self._take(self._event(refused, command, Charts(command.ehr, command.billing)), PRACTICE)
            return
        self._take(command, reply.about)
        for follows in reply.follows:
            charts = _charts(self.state.patients[reply.about]) if reply.about else NO_CHARTS
            if isinstance(follows, ChartLinked | ChartUnlinked | PairBarred | Aside):
                charts = Charts(follows.ehr, follows.billing)
            elif isinstance(follows, BillingLinkMoved):
                charts = Charts(follows.ehr, follows.target)
            self._take(self._event(follows, command, charts), reply.about)

    def _take(self, event: Event, key: PatientKey) -> None:
        event = msgspec.structs.replace(event, patient=key)
        before, directory = self.state.patients.get(key), self.state.directory
        self.state.apply(event, len(self.events))
        self.events.append(event)
        if key:
            self.touched[key] = event
            self._notice(event, before)
        else:
            self._notice_practice(event, directory)

    def _notice(self, event: Event, before: Patient | None) -> None:
        body = event.body
        if isinstance(body, IntentRequested):
            return  # the most frequent of all; it says nothing that is not decided already
        after = self.state.patients[event.patient]
        if in_doubt(before, event):
            self.in_doubt.add(in_doubt_as(event))
        if event.origin in (Origin.EHR, Origin.BILLING):
            polled = event.origin is Origin.BILLING
            self._since[event.patient] = event.observed if polled else event.modified or event.observed
        elif isinstance(body, IntentSucceeded) and before is not None and body.slot in before.intents:
            self._since[event.patient] = before.intents[body.slot].since
        if isinstance(body, ChartLinked | LinkMoved):
            self.relinked.add(event.patient)
            linked = body.ehr if isinstance(body, ChartLinked) else body.target
            self.dependencies |= {f"chart:{linked}", f"patient:{body.billing}"}
        elif isinstance(body, BillingLinkMoved):
            self.relinked.add(event.patient)
            self.unlinked.add(body.source)
            self.touched[billing_key(body.source)] = event
            self.dependencies |= {f"chart:{body.ehr}", f"patient:{body.source}", f"patient:{body.target}"}
        elif isinstance(body, ChartUnlinked | PairBarred):
            self.touched[ehr_key(body.ehr)] = event
            if isinstance(body, ChartUnlinked):
                self.relinked.add(event.patient)
                self.unlinked.add(body.billing)
                self.dependencies |= {f"chart:{body.ehr}", f"patient:{body.billing}"}
        elif gave_up(body, before, after):
            self.dependencies.add(named(after.key))
        elif isinstance(body, BillObserved):
            if before is None or str(body.bill.id) not in before.bills:
                self.dependencies.add(f"bill:{body.bill.id}")
        elif isinstance(body, EhrChartObserved):
            if before is None or before.ehr is None or (before.link is None and before.ehr.chart != body.chart):
                self.dependencies.add(f"chart:{body.chart.id}")
            elif before.link is not None and after.ehr and before.ehr.chart == after.ehr.chart:
                self.echoes += 1
        elif isinstance(body, BillingChartObserved):
            if before is None or before.billing is None or (before.link is None and before.billing.chart != body.chart):
                self.dependencies.add(f"patient:{body.chart.id}")
            elif before.link is not None:
                self.echoes += bool(after.billing and before.billing.chart == after.billing.chart)
        if not any(is_slot(slot, SlotKind.QUARANTINE) for slot in self.state.directory.waiting):
            return
        if event.origin in (Origin.EHR, Origin.BILLING):
            self._understood(quarantined_as(event), event.observed)
        elif isinstance(body, IntentSucceeded | IntentRefused | IntentSuperseded):
            self._understood(outcome_slots(body))

    def _notice_practice(self, event: Event, before: Directory) -> None:
        body = event.body
        if isinstance(body, EhrDirectoryObserved | BillingDirectoryObserved):
            self.dependencies.add("directory")
        elif isinstance(body, MapChange):
            self._remap(body, before)
        elif isinstance(body, InsurersLearnt):
            self.dependencies.add("insurers")
        elif isinstance(body, KeptOut):
            self._keep_out(event, body)
        elif isinstance(body, ToldApart):
            kind = "chart" if body.system is System.EHR else "patient"
            self.dependencies |= {f"{kind}:{body.one}", f"{kind}:{body.other}"}
        elif isinstance(body, IntentSucceeded | IntentRefused | IntentSuperseded):
            self.dependencies.add(body.slot)
            self._understood(outcome_slots(body))

    def _remap(self, body: MapChange, before: Directory) -> None:
        """Who waits for a map goes on; where the row led to somebody else, so does everybody for whom it was used."""
        if counterpart(body.kind, body.id, before, self.policy).to:
            self.everybody = True
        else:
            self.dependencies.add("directory")

    def _keep_out(self, event: Event, said: KeptOut) -> None:
        """Nothing is wanted any more for a patient kept out; and who waits because of one of the charts is looked at again."""
        charts = Charts(said.ehr, said.billing)
        if not said.out:
            self.let_in.update(to_read_again(self.state, said))
        self.dependencies |= {named(key) for key in keys_named(charts)}
        concerned = {*keys_named(charts), self.state.key_of(charts.ehr, charts.billing)}
        self.touched.update(dict.fromkeys(sorted(concerned & self.state.patients.keys()), event))

    def _understood(self, slots: tuple[str, ...], read_at: datetime | None = None) -> None:
        """What could not be used before and now can waits no longer. What was read before it was set aside says nothing of it."""
        # of what was set aside in the future, by a clock that was set back since, no reading is known to be older
        cause = self.events[-1]
        for slot in slots:
            held = self.state.directory.waiting.get(slot)
            since = held.since if held is not None else None
            if held is not None and (read_at is None or since is None or not read_at < since <= self.moment.now):
                self.take(self._event(WaitingCleared(slot=slot, how=UNDERSTOOD), cause))

    # -- deciding ---------------------------------------------------------------------------------------------------------

    def look_again(self, patients: Sequence[PatientKey], reason: str, sequence: int) -> None:
        """Decide about these patients although nothing has touched them; `sequence` tells one look from the next."""
        self._looked_at.update(patients)
        for key in patients:
            if key in self.state.patients:
                self._due[key] = self._revisit(self.state.patients[key], reason, sequence)

    def settle(self) -> Missing:
        """Decide about every patient touched until nothing more follows.

        Returns what has to be loaded first; load it and settle again, until nothing is missing. Raises Undecided.
        """
        self._begun = self._begun or len(self._due) + len(self.touched)
        while self._due or self.touched:
            key = next(iter(self._due)) if self._due else next(reversed(self.touched))
            if self._missing([key]):
                return self._reported(self._missing([*self._due, *self.touched]))
            if self._due:
                self._look_at(key, self._due.pop(key))
            else:
                self._decide(key, self.touched.pop(key))
            self._rounds += 1
            if self._rounds > ROUNDS * (1 + self._begun + len(self.events)):
                raise Undecided(", ".join(sorted({event.type for event in self.events[-6:]})))
        self._rounds = self._begun = 0
        self.state.changed |= self._looked_at & self.state.patients.keys()
        return Missing()

    def _missing(self, keys: Sequence[PatientKey]) -> Missing:
        """What deciding about these patients looks at and is not loaded; merges chain, so it is followed to its end."""
        missing, state, loaded = Missing(), self.state, self._loaded
        if loaded is None:
            return missing
        pending, seen, asked = list(keys), set(keys), set(keys)
        while pending:
            patient = state.patients.get(pending.pop())
            if patient is None:
                continue
            if patient.key in asked and patient.key not in state.alike and needs_look(patient, state):
                missing.alike.add(patient.key)
            charts, patients = references(patient)
            missing.ehr.update(one for one in charts - loaded.ehr if self._unknown(state.key_of(one, None)))
            missing.billing.update(one for one in patients - loaded.billing if self._unknown(state.key_of(None, one)))
            found = {state.key_of(one, None) for one in charts} | {state.key_of(None, one) for one in patients}
            pending += found - seen
            seen |= found
        return missing

    def _unknown(self, key: PatientKey) -> bool:
        return key not in self.state.patients and key not in self.state.gone

    def _reported(self, missing: Missing) -> Missing:
        """What is reported counts as loaded from then on: it may not exist."""
        if self._loaded is not None:
            self._loaded.ehr.update(missing.ehr)
            self._loaded.billing.update(missing.billing)
        return missing

    def _look_at(self, key: PatientKey, due: Event) -> None:
        """Look at a patient again; recorded as an event only when something follows from it."""
        bodies, shared = decide(self.state, key, self.policy, self.moment, due.id)
        if bodies or shared:
            self.take(due)

    def _decide(self, key: PatientKey, cause: Event) -> None:
        """Decide about one patient and take what follows."""
        if key not in self.state.patients:
            return
        bodies, shared = decide(self.state, key, self.policy, self.moment, cause.id)
        patient = self.state.patients[key]
        start = len(self.events)
        since = self._since.get(key)
        for body in bodies:
            charts = _charts(patient)
            if isinstance(body, IntentRequested):
                body = msgspec.structs.replace(body, since=since)
            if isinstance(body, ChartLinked | LinkMoved):
                charts = Charts(body.ehr if isinstance(body, ChartLinked) else body.target, body.billing)
            self.take(self._event(body, cause, charts, len(self.events) - start))
        for body in shared:
            if isinstance(body, IntentRequested):
                body = msgspec.structs.replace(body, since=since)
            charts = Charts(body.ehr, body.billing) if isinstance(body, KeptOut) else NO_CHARTS
            self.take(self._event(body, cause, charts, len(self.events) - start))
            if isinstance(body, InsurersLearnt | KeptOut):
                self.touched.setdefault(key, self.events[-1])
        if is_settled(patient, bodies, shared):
            self.touched.pop(key, None)

    # -- new events -------------------------------------------------------------------------------------------------------

    def _revisit(self, patient: Patient, reason: str, sequence: int) -> Event:
        ehr, billing = _charts(patient)
        return Event(
            id=event_id(self.practice, "RevisitDue", patient.key, sequence, reason),
            practice=self.practice,
            origin=Origin.CHARTWIRE,
            observed=self.moment.now,
            body=RevisitDue(reason=reason),
            ehr=ehr,
            billing=billing,
        )

    def _event(self, body: Body, cause: Event, charts: Charts = NO_CHARTS, ordinal: int = 0) -> Event:
        """The event, one of several by its `ordinal`, that `cause` led to."""
        return Event(
            id=event_id(self.practice, type_of(body), cause.id, len(self.events), ordinal),
            practice=self.practice,
            origin=Origin.CHARTWIRE,
            observed=self.moment.now,
            body=body,
            ehr=charts.ehr,
            billing=charts.billing,
            cause=cause.id,
            correlation=cause.correlation or cause.id,
        )


def _charts(patient: Patient) -> Charts:
    """The chart ids that events about `patient` carry."""
    if patient.link is not None:
        return Charts(patient.link.ehr, patient.link.billing)
    return charts_of(patient.key)
