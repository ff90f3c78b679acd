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
from datetime import date, datetime
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from events.ids import PRACTICE, BillingPatientId, EhrChartId, PatientKey, billing_key, charts_of, event_id
from events.records import BillingCase, BillingChart, EhrChart, type_of
from events.schema import (
    Body,
    ChartLinked,
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
    BillWritten,
    CreateBillingChart,
    CreateEhrChart,
    CreateEncounter,
    Done,
    EhrChartWritten,
    MarkBilled,
    MarkBillError,
    PoliciesWritten,
    RecordCreated,
    SearchBilling,
    Searched,
    SearchEhr,
    SyncPolicies,
    UpdateBillingChart,
    UpdateEhrChart,
    changes_nothing,
    system_of,
)
from projections.deciding.settle import Moment
from projections.deciding.work import Work
from projections.rules.fields import PHONE_KINDS, with_phones
from projections.rules.matching import Index
from projections.state.directory import Directory
from projections.state.open_intents import dependencies
from projections.state.patient import Patient
from projections.state.state import PracticeState
from projections.terms.policy import Policy


class Endless(Exception):
    """The rehearsed decisions do not come to an end: a defect of ours."""


@dataclass(frozen=True)
class Planned:
    """A write that would be made; `patient` is whom it is about ("" for the practice) as known before going live."""

    patient: PatientKey
    slot: str
    system: str
    resource: str
    write: AnyWrite
    rule: str


@dataclass
class DryRun:
    """`writes` in order, `links` that would be set, `searches` that would be made, and everybody as they would be then.

    `found` is what matching found, by patient.
    """

    writes: list[Planned] = field(default_factory=list)
    links: list[ChartLinked] = field(default_factory=list)
    searches: Counter[str] = field(default_factory=Counter)
    patients: Mapping[PatientKey, Patient] = field(default_factory=dict)
    found: Mapping[PatientKey, CounterpartsFound] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """By `resource to system: kind of write (rule)`."""
        total = Counter(f"{one.resource} to {one.system}: {type_of(one.write)} ({one.rule})" for one in self.writes)
        return dict(sorted(total.items()))


def rehearse(
    patients: Mapping[PatientKey, Patient],
    directory: Directory,
    found: Mapping[PatientKey, CounterpartsFound],
    policy: Policy,
    now: datetime,
) -> DryRun:
    """What going live would do. Raises Endless."""
    run = _Run(patients, directory, policy, now)
    run.result.found = found
    run.begin(found)
    while run.step():
        pass
    run.result.patients = run.work.state.patients
    return run.result


class _Run:
    def __init__(self, patients: Mapping[PatientKey, Patient], directory: Directory, policy: Policy, now: datetime) -> None:
        state = PracticeState(directory=directory, patients=dict(patients))
        for key, patient in patients.items():
            if patient.ehr is not None:
                state.charts[patient.ehr.chart.id] = key
            if patient.link is not None:
                state.charts[patient.link.ehr] = key
        self.index = Index(patients.values())
        self.result = DryRun()
        moment = Moment(now=now, today=now.astimezone(ZoneInfo(policy.time_zone)).date())
        self.work = Work(policy.practice, state, replace(policy, observes=False), moment)
        self._seen = 0
        self._made = 0
        self._first: dict[PatientKey, PatientKey] = {}

    def begin(self, found: Mapping[PatientKey, CounterpartsFound]) -> None:
        """Record what matching found, go live, and look at everybody once."""
        for key, body in found.items():
            self._take(body, key)
        self.work.touched.clear()
        live = self._take(WentLive(), PRACTICE)
        self.work.touched |= dict.fromkeys(sorted(self.work.state.patients, reverse=True), live)

    def step(self) -> bool:
        """Decide until nothing follows, then answer what was asked for and look at who waited for it; False at the end."""
        work, rounds = self.work, 0
        while work.touched:
            key, cause = work.touched.popitem()
            if (rounds := rounds + 1) > 40 * (len(work.state.patients) + len(work.events)):
                raise Endless
            if key in work.state.patients:
                work.decide(key, cause)
        fresh, self._seen = work.events[self._seen :], len(work.events)
        for event in fresh:
            if isinstance(event.body, ChartLinked):
                self.result.links.append(event.body)
            elif isinstance(event.body, IntentRequested):
                self._answer(event, event.body)
        due, work.dependencies = work.dependencies, set()
        for key, patient in work.state.patients.items():
            if due and due.intersection(dependencies(patient.waiting, patient.dismissed)):
                work.touched.setdefault(key, work.events[-1])
        return bool(work.touched)

    def _answer(self, event: Event, body: IntentRequested) -> None:
        state = self.work.state
        key = state.key_of(event.ehr, event.billing)
        patient = state.patients.get(key)
        open_ = (patient.intents if patient else state.directory.intents).get(body.slot)
        if open_ is None or open_.intent != body.intent:
            return
        if changes_nothing(body.write):
            self.result.searches[body.system.value] += 1
        else:
            planned = Planned(
                patient=self._first.get(key, key),
                slot=body.slot,
                system=system_of(body.write).value,
                resource=body.resource.value,
                write=body.write,
                rule=body.rule,
            )
            self.result.writes.append(planned)
        result = self._told(patient, body.write)
        if isinstance(result, BillingChartWritten) and isinstance(body.write, CreateBillingChart):
            self._first[billing_key(result.chart.id)] = key
        self._take(IntentSucceeded(intent=body.intent, slot=body.slot, attempt=1, result=result), key)

    def _take(self, body: Body, key: PatientKey) -> Event:
        charts = charts_of(key)
        event = Event(
            id=event_id(self.work.practice, "dry run", len(self.work.events)),
            practice=self.work.practice,
            origin=Origin.CHARTWIRE,
            observed=self.work.moment.now,
            body=body,
            ehr=charts.ehr,
            billing=charts.billing,
        )
        self.work.take(event)
        return event

    def _told(self, patient: Patient | None, write: AnyWrite) -> AnyResult:
        """What a system would answer that takes the write."""
        now = self.work.moment.now
        match write:
            case SearchEhr() | SearchBilling():
                return Searched(candidates=self.index.find(write))
            case CreateEhrChart():
                chart = EhrChart(id=EhrChartId(self._new()), link_hint=write.link_hint)
                return EhrChartWritten(chart=told_ehr(chart, write.fields, write.physician), read_at=now)
            case CreateBillingChart():
                case = BillingCase(
                    id=self._new(), name=write.case_name, payer_scenario=write.payer_scenario, is_primary=True
                )
                there = BillingChart(id=BillingPatientId(self._new()), cases=(case,))
                return BillingChartWritten(chart=told_billing(there, write.fields, write.provider), read_at=now)
            case UpdateEhrChart() if patient is not None and patient.ehr is not None:
                return EhrChartWritten(chart=told_ehr(patient.ehr.chart, write.fields, write.physician), read_at=now)
            case UpdateBillingChart() if patient is not None and patient.billing is not None:
                return BillingChartWritten(
                    chart=told_billing(patient.billing.chart, write.fields, write.provider), read_at=now
                )
            case AddBillingCase() if patient is not None and patient.billing is not None:
                case = BillingCase(
                    id=self._new(), name=write.case_name, payer_scenario=write.payer_scenario, is_primary=True
                )
                return BillingChartWritten(chart=replace(patient.billing.chart, cases=(case,)), read_at=now)
            case SyncPolicies():
                held = {str(one.billing_policy): write.known.get(str(one.billing_policy)) for one in write.terms}
                return PoliciesWritten(known={key: id_ or self._new() for key, id_ in held.items()})
            case MarkBilled() if patient is not None:
                bill = replace(patient.bills[str(write.bill)].bill, status="Billed", ref_number=write.ref_number)
                return BillWritten(bill=bill, read_at=now)
            case MarkBillError() if patient is not None:
                bill = replace(patient.bills[str(write.bill)].bill, status="UnresolvedError", error=write.text)
                return BillWritten(bill=bill, read_at=now)
        creates = isinstance(write, CreateEncounter) or type_of(write).startswith("Create")
        return RecordCreated(id=self._new()) if creates else Done()

    def _new(self) -> int:
        self._made += 1
        return -self._made


def told_ehr(chart: EhrChart, fields: dict[str, str], physician: int | None) -> EhrChart:
    """A chart after Elation took a write of `fields`."""
    special = (*PHONE_KINDS, "birth_date", "email", "provider")
    changes: dict[str, object] = {name: value for name, value in fields.items() if name not in special}
    if "birth_date" in fields:
        changes["birth_date"] = date.fromisoformat(fields["birth_date"])
    if "email" in fields:
        changes["emails"] = (fields["email"],) if fields["email"] else ()
    if physician is not None:
        changes["physician"] = physician
    phones = with_phones(chart.phones, {name: fields[name] for name in PHONE_KINDS if name in fields})
    return msgspec.structs.replace(chart, phones=phones, **changes)


def told_billing(chart: BillingChart, fields: dict[str, str], provider: int | None) -> BillingChart:
    """A patient after Kareo took a write of `fields`."""
    changes: dict[str, object] = {name: value for name, value in fields.items() if name not in ("birth_date", "provider")}
    if "birth_date" in fields:
        changes["birth_date"] = date.fromisoformat(fields["birth_date"])
    if provider is not None:
        changes["provider"] = provider
    return msgspec.structs.replace(chart, **changes)
