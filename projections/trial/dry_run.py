"""Every write that going live would make, found in memory: nothing is recorded, no vendor is asked.

The stored projections are taken as they are, everybody is matched and decided about under the live policy with the recorder's
own code, and each write is answered as a system would that takes it. So what follows from a write is in the list too: the
policies of a chart that would be created, the carrier that they need first. Records that do not exist yet have negative ids.
What the vendors would refuse, and what people change meanwhile, cannot be known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from events.commands import ConflictSeen, LinkRequested, MapGiveBackRequested, MapRequested, MoveLinkRequested
from events.ids import PRACTICE, BillingPatientId, Charts, EhrChartId, PatientKey, billing_key, charts_of, event_id
from events.records import BillingCase, BillingChart, EhrChart, type_of
from events.schema import (
    Body,
    ChartLinked,
    CommandRefused,
    CounterpartsFound,
    Event,
    IntentRequested,
    IntentSucceeded,
    Origin,
    WentLive,
)
from events.writes import (
    AddBillingCase,
    AnyResult,
    AnyWrite,
    BillingChartWritten,
    BillingPoliciesWritten,
    BillWritten,
    ChangeBillingPolicies,
    CreateBillingChart,
    CreateEhrChart,
    CreateEncounter,
    Done,
    EhrChartWritten,
    MarkBilled,
    MarkBillError,
    PoliciesWritten,
    RecordCreated,
    ReleaseBill,
    Resource,
    SearchBilling,
    Searched,
    SearchEhr,
    SyncPolicies,
    System,
    UpdateBillingChart,
    UpdateEhrChart,
    changes_nothing,
    system_of,
)
from projections.deciding.batch import Batch
from projections.rules.fields import told
from projections.rules.matching import Index
from projections.rules.wants import Moment
from projections.state.coverage import DIFFERENCES
from projections.state.directory import Directory
from projections.state.open_intents import dependencies
from projections.state.patient import Patient
from projections.state.state import PracticeState
from projections.terms.names import Names
from projections.terms.policy import Policy
from projections.trial.told_policies import told_case, told_changes, told_chart_policies
from projections.words.writes import Going


@dataclass(frozen=True)
class Planned:
    """A write that would be made; `patient` is whom it is about ("" for the practice) as known before going live."""

    patient: PatientKey
    slot: str
    system: System
    resource: Resource
    write: AnyWrite
    rule: str


class PlannedKind(NamedTuple):
    """Writes that are counted together: `write` is their kind, as stored events name it."""

    going: Going
    write: str
    rule: str

    def words(self, names: Names) -> str:
        return f"{self.going.words(names)}: {self.write} ({self.rule})"

    def key(self, names: Names) -> str:
        return f"{self.going.key(names)}: {self.write} ({self.rule})"


@dataclass
class DryRun:
    """`writes` in order, `links` that would be set, `searches` that would be made, and everybody as they would be then.

    `found` is what matching found, by patient; `refused` why what a person asked for would not be done.
    """

    writes: list[Planned] = field(default_factory=list)
    links: list[ChartLinked] = field(default_factory=list)
    searches: Counter[System] = field(default_factory=Counter)
    patients: Mapping[PatientKey, Patient] = field(default_factory=dict)
    found: Mapping[PatientKey, CounterpartsFound] = field(default_factory=dict)
    refused: CommandRefused | None = None

    def counts(self) -> dict[PlannedKind, int]:
        total = Counter(PlannedKind(Going(one.resource, one.system), type_of(one.write), one.rule) for one in self.writes)
        return dict(sorted(total.items()))


def rehearse(
    patients: Mapping[PatientKey, Patient],
    directory: Directory,
    found: Mapping[PatientKey, CounterpartsFound],
    policy: Policy,
    now: datetime,
) -> DryRun:
    """What going live would do. Raises Undecided."""
    run = _Run(patients, directory, policy, now)
    run.result.found = found
    run.begin(found)
    return run.to_the_end()


def rehearse_link(
    patients: Mapping[PatientKey, Patient],
    directory: Directory,
    body: LinkRequested | MoveLinkRequested,
    policy: Policy,
    now: datetime,
) -> DryRun:
    """What a link by hand would lead to, of the two `patients` alone and as if the practice were live. Raises Undecided."""
    run = _Run(patients, replace(directory, observing=False), policy, now)
    run.ask(body)
    return run.to_the_end()


def rehearse_map(
    patients: Mapping[PatientKey, Patient],
    directory: Directory,
    body: MapRequested | MapGiveBackRequested,
    policy: Policy,
    now: datetime,
) -> DryRun:
    """What saving a row of the maps, or giving it back, would lead to, of these `patients` alone. Raises Undecided."""
    run = _Run(patients, directory, policy, now, observes=policy.observes)
    run.ask(body)
    return run.to_the_end()


def rehearse_accepting(
    patients: Mapping[PatientKey, Patient], directory: Directory, policy: Policy, now: datetime
) -> DryRun:
    """What it would lead to if a person accepted that what differs in these patients' insurance is settled by preference.

    Only what differed when insurance began to go both ways. Raises Undecided.
    """
    run = _Run(patients, directory, policy, now)
    run.accept()
    return run.to_the_end()


class _Run:
    def __init__(
        self,
        patients: Mapping[PatientKey, Patient],
        directory: Directory,
        policy: Policy,
        now: datetime,
        *,
        observes: bool = False,
    ) -> None:
        state = PracticeState(directory=directory, patients=dict(patients))
        for key, patient in patients.items():
            if patient.ehr is not None:
                state.charts[patient.ehr.chart.id] = key
            if patient.link is not None:
                state.charts[patient.link.ehr] = key
        self.index = Index(patients.values())
        state.alike = self.index.all_alike(patients.values())
        state.frequencies = self.index.frequencies
        self.result = DryRun()
        moment = Moment.at(_not_before_what_is_known(patients, now), policy.time_zone)
        self.batch = Batch(policy.practice, state, replace(policy, observes=observes), moment, whole=True)
        self._seen = 0
        self._made = 0
        self._first: dict[PatientKey, PatientKey] = {}

    def to_the_end(self) -> DryRun:
        """What everything that was taken so far leads to. Raises Undecided."""
        while self.step():
            pass
        self.result.patients = self.batch.state.patients
        return self.result

    def begin(self, found: Mapping[PatientKey, CounterpartsFound]) -> None:
        """Record what matching found, go live, and look at everybody once."""
        for key, body in found.items():
            self._take(body, key)
        self.batch.touched.clear()
        live = self._take(WentLive(), PRACTICE)
        self.batch.touched |= dict.fromkeys(sorted(self.batch.state.patients, reverse=True), live)

    def ask(self, body: LinkRequested | MoveLinkRequested | MapRequested | MapGiveBackRequested) -> None:
        """What a person asks for, answered as the recorder would."""
        charts = Charts()
        if isinstance(body, LinkRequested | MoveLinkRequested):
            charts = Charts(body.ehr, body.billing) if isinstance(body, LinkRequested) else Charts(billing=body.target)
        self._take_about(body, charts)
        said = (event.body for event in self.batch.events)
        self.result.refused = next((one for one in said if isinstance(one, CommandRefused)), None)

    def accept(self) -> None:
        """What a person has seen of everybody's insurance, answered as the recorder would."""
        for key in sorted(self.batch.state.patients):
            self._take_about(ConflictSeen(fields=(DIFFERENCES,)), charts_of(key))

    def step(self) -> bool:
        """Decide until nothing follows, then answer what was asked for and look at who waited for it; False at the end."""
        batch = self.batch
        batch.settle()
        fresh, self._seen = batch.events[self._seen :], len(batch.events)
        for event in fresh:
            if isinstance(event.body, ChartLinked):
                self.result.links.append(event.body)
            elif isinstance(event.body, IntentRequested):
                self._answer(event, event.body)
        due, batch.dependencies = batch.dependencies, set()
        if batch.everybody:
            batch.everybody = False
            batch.touched |= dict.fromkeys(sorted(batch.state.patients, reverse=True), batch.events[-1])
        for key, patient in batch.state.patients.items():
            if due and due.intersection(dependencies(patient.waiting, patient.dismissed)):
                batch.touched.setdefault(key, batch.events[-1])
        return bool(batch.touched)

    def _answer(self, event: Event, body: IntentRequested) -> None:
        state = self.batch.state
        key = state.key_of(event.ehr, event.billing)
        patient = state.patients.get(key)
        open_ = (patient.intents if patient else state.directory.intents).get(body.slot)
        if open_ is None or open_.intent != body.intent:
            return
        if changes_nothing(body.write):
            self.result.searches[body.system] += 1
        else:
            planned = Planned(
                patient=self._first.get(key, key),
                slot=body.slot,
                system=system_of(body.write),
                resource=body.resource,
                write=body.write,
                rule=body.rule,
            )
            self.result.writes.append(planned)
        result = self._told(patient, body.write)
        if isinstance(result, BillingChartWritten) and isinstance(body.write, CreateBillingChart):
            self._first[billing_key(result.chart.id)] = key
        self._take(IntentSucceeded(intent=body.intent, slot=body.slot, attempt=1, result=result), key)

    def _take(self, body: Body, key: PatientKey) -> Event:
        return self._take_about(body, charts_of(key))

    def _take_about(self, body: Body, charts: Charts) -> Event:
        event = Event(
            id=event_id(self.batch.practice, "dry run", len(self.batch.events)),
            practice=self.batch.practice,
            origin=Origin.CHARTWIRE,
            observed=self.batch.moment.now,
            body=body,
            ehr=charts.ehr,
            billing=charts.billing,
        )
        self.batch.take(event)
        return event

    def _told(self, patient: Patient | None, write: AnyWrite) -> AnyResult:
        """What a system would answer that takes the write."""
        now = self.batch.moment.now
        match write:
            case SearchEhr() | SearchBilling():
                return Searched(candidates=self.index.find(patient) if patient is not None else ())
            case CreateEhrChart():
                chart = EhrChart(id=EhrChartId(self._new()), link_hint=write.link_hint)
                return EhrChartWritten(chart=told_ehr(chart, write.fields, write.physician), read_at=now)
            case CreateBillingChart():
                case = BillingCase(
                    id=self._new(), name=write.case_name, payer_scenario=write.payer_scenario, is_primary=True
                )
                plans = self.batch.state.directory.billing_plans
                case = replace(case, policies=told_changes((), write.policies, plans, self._new)[0])
                there = BillingChart(id=BillingPatientId(self._new()), cases=(case,))
                return BillingChartWritten(chart=told_billing(there, write.fields, write.provider), read_at=now)
            case UpdateEhrChart() if patient is not None and patient.ehr is not None:
                return EhrChartWritten(chart=told_update(patient.ehr.chart, write), read_at=now)
            case UpdateBillingChart() if patient is not None and patient.billing is not None:
                return BillingChartWritten(
                    chart=told_billing(patient.billing.chart, write.fields, write.provider), read_at=now
                )
            case AddBillingCase() if patient is not None and patient.billing is not None:
                case = BillingCase(
                    id=self._new(), name=write.case_name, payer_scenario=write.payer_scenario, is_primary=True
                )
                return BillingChartWritten(chart=replace(patient.billing.chart, cases=(case,)), read_at=now)
            case SyncPolicies(seen=tuple()):
                known, read = told_chart_policies(write, self._new)
                return PoliciesWritten(known=known, read=read, read_at=now)
            case ChangeBillingPolicies() if patient is not None and patient.billing is not None:
                plans = self.batch.state.directory.billing_plans
                chart_there, known = told_case(patient.billing.chart, write, plans, self._new)
                return BillingPoliciesWritten(chart=chart_there, read_at=now, known=known)
            case SyncPolicies():
                held = {str(one.billing_policy): write.known.get(str(one.billing_policy)) for one in write.terms}
                return PoliciesWritten(known={key: id_ or self._new() for key, id_ in held.items()})
            case MarkBilled() if patient is not None:
                bill = replace(patient.bills[str(write.bill)].bill, status="Billed", ref_number=write.ref_number)
                return BillWritten(bill=bill, read_at=now)
            case ReleaseBill() if patient is not None:
                return BillWritten(bill=replace(patient.bills[str(write.bill)].bill, deferred=False), read_at=now)
            case MarkBillError() if patient is not None:
                bill = replace(patient.bills[str(write.bill)].bill, status="UnresolvedError", error=write.text)
                return BillWritten(bill=bill, read_at=now)
        creates = isinstance(write, CreateEncounter) or type_of(write).startswith("Create")
        return RecordCreated(id=self._new()) if creates else Done()

    def _new(self) -> int:
        self._made += 1
        return -self._made


def _not_before_what_is_known(patients: Mapping[PatientKey, Patient], now: datetime) -> datetime:
    """`now`, or the last reading where a clock is behind: an answer from before it would be taken for old, again and again."""
    sides = (side.read_at for one in patients.values() for side in (one.ehr, one.billing) if side is not None)
    return max(now, *sides, now)


def told_update(chart: EhrChart, write: UpdateEhrChart) -> EhrChart:
    """A chart after the chart side took the update."""
    return replace(chart, **told(chart, System.EHR, write.fields, write.physician, write.beside))


def told_ehr(chart: EhrChart, fields: dict[str, str], physician: int | None) -> EhrChart:
    """A chart after the chart side took a write of `fields`."""
    return replace(chart, **told(chart, System.EHR, fields, physician))


def told_billing(chart: BillingChart, fields: dict[str, str], provider: int | None) -> BillingChart:
    """A patient after the billing side took a write of `fields`."""
    return replace(chart, **told(chart, System.BILLING, fields, provider))
