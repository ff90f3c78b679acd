"""A clinic on paper: one practice's projections and policy, driven by hand.

`Clinic` does with events what the recorder does (fold, decide about whoever was touched, until nothing follows), without a
store or a clock: time rises by a minute with every change. Vendors answer when a test says so.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from events.bookings import CreateBillingAppointment, EhrAppointment, EhrAppointmentGone, EhrAppointmentObserved
from events.commands import Command, ConflictSeen
from events.ids import BillingPatientId, EhrChartId, IntentId, PatientKey
from events.insurance import EhrPoliciesObserved
from events.records import (
    BillingAppointment,
    BillingCase,
    BillingChart,
    BillingPlan,
    Carrier,
    ChartPolicy,
    EhrBill,
    EhrChart,
    Location,
    Plan,
    Provider,
    type_of,
)
from events.schema import (
    BillingAppointmentObserved,
    BillingAppointmentVanished,
    BillingChartObserved,
    BillingChartVanished,
    BillingDirectoryObserved,
    BillObserved,
    Body,
    CommandRefused,
    EhrChartDeleted,
    EhrChartMerged,
    EhrChartObserved,
    EhrDirectoryObserved,
    Event,
    IntentAttempted,
    IntentOutcomeUnknown,
    IntentRefused,
    IntentRequested,
    IntentSucceeded,
    Origin,
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
    CreateCarrier,
    CreateEhrAppointment,
    CreateEhrChart,
    CreateEncounter,
    CreatePlan,
    Done,
    EhrChartWritten,
    MarkBilled,
    MarkBillError,
    PoliciesWritten,
    RecordCreated,
    ReleaseBill,
    SearchBilling,
    Searched,
    SearchEhr,
    SyncPolicies,
    UpdateBillingChart,
    UpdateEhrChart,
)
from projections.state.open_intents import OpenIntent, Waiting
from projections.state.patient import Patient
from projections.terms.policy import Policy
from projections.trial.dry_run import told_billing, told_ehr, told_update
from projections.trial.told_policies import told_case, told_changes, told_chart_policies
from tests.unit.recording import ROUNDS, Recording, charts
from tests.unit.records import ADA, ADA_KEY, ADA_THERE, KAREO_MAIN_STREET, MAIN_STREET, PHYSICIANS, PROVIDERS


class Clinic(Recording):
    """See the module's docstring."""

    def __init__(self, policy: Policy | None = None, *, directory: bool = True, **rules: object) -> None:
        super().__init__(policy, **rules)
        self.created = 70000
        if directory:
            self.directories()

    # -- what connectors see ------------------------------------------------------------------------------------------

    def directories(self, *, carriers: tuple[Carrier, ...] = (), plans: tuple[Plan, ...] = ()) -> None:
        self.elation_directory(carriers=carriers, plans=plans)
        self.kareo_directory()

    def elation_directory(
        self,
        physicians: tuple[Provider, ...] = PHYSICIANS,
        carriers: tuple[Carrier, ...] = (),
        plans: tuple[Plan, ...] = (),
    ) -> None:
        locations = (Location(id=MAIN_STREET, name="Main Street", place_of_service="11"),)
        self.record(
            EhrDirectoryObserved(providers=physicians, locations=locations, carriers=carriers, plans=plans),
            origin=Origin.EHR,
        )

    def kareo_directory(self, providers: tuple[Provider, ...] = PROVIDERS) -> None:
        locations = (Location(id=KAREO_MAIN_STREET, name="MAIN  street"),)
        self.record(BillingDirectoryObserved(providers=providers, locations=locations), origin=Origin.BILLING)

    def ehr(self, chart: EhrChart, *, modified: datetime | None = None, observed: datetime | None = None) -> list[Event]:
        body = EhrChartObserved(chart=chart)
        return self.record(body, ehr=chart.id, origin=Origin.EHR, modified=modified, observed=observed)

    def elation_deleted(self, chart: EhrChartId) -> list[Event]:
        return self.record(EhrChartDeleted(chart=chart), ehr=chart, origin=Origin.EHR)

    def elation_merged(self, chart: EhrChartId, survivor: EhrChartId) -> list[Event]:
        return self.record(EhrChartMerged(chart=chart, survivor=survivor), ehr=chart, origin=Origin.EHR)

    def billing(self, chart: BillingChart, *, observed: datetime | None = None) -> list[Event]:
        return self.record(BillingChartObserved(chart=chart), billing=chart.id, origin=Origin.BILLING, observed=observed)

    def kareo_vanished(self, patient: BillingPatientId) -> list[Event]:
        return self.record(BillingChartVanished(patient=patient), billing=patient, origin=Origin.BILLING)

    def appointment(self, one: BillingAppointment, *, observed: datetime | None = None) -> list[Event]:
        body = BillingAppointmentObserved(appointment=one)
        return self.record(body, billing=one.patient, origin=Origin.BILLING, observed=observed)

    def appointment_vanished(self, one: BillingAppointment) -> list[Event]:
        body = BillingAppointmentVanished(key=one.key, patient=one.patient)
        return self.record(body, billing=one.patient, origin=Origin.BILLING)

    def in_calendar(
        self, one: EhrAppointment, *, modified: datetime | None = None, observed: datetime | None = None
    ) -> list[Event]:
        """An appointment of the chart side's calendar."""
        body = EhrAppointmentObserved(appointment=one)
        return self.record(body, ehr=one.patient, origin=Origin.EHR, modified=modified, observed=observed)

    def gone_from_calendar(self, one: EhrAppointment, *, moved: bool = False) -> list[Event]:
        body = EhrAppointmentGone(appointment=one.id, chart=one.patient, moved=moved)
        return self.record(body, ehr=one.patient, origin=Origin.EHR)

    def policies(self, *policies: ChartPolicy, chart: EhrChartId = ADA.id, observed: datetime | None = None) -> list[Event]:
        """All policies of a chart, as the chart side lists them."""
        body = EhrPoliciesObserved(chart=chart, policies=policies)
        return self.record(body, ehr=chart, origin=Origin.EHR, observed=observed)

    @property
    def plans(self) -> dict[str, BillingPlan]:
        return self.state.directory.billing_plans

    def bill(self, bill: EhrBill, *, modified: datetime | None = None, observed: datetime | None = None) -> list[Event]:
        body = BillObserved(bill=bill)
        return self.record(body, ehr=bill.patient, origin=Origin.EHR, modified=modified, observed=observed)

    def conflict_seen(self, key: PatientKey, *fields: str) -> list[Event]:
        return self._about(key, ConflictSeen(fields=fields), origin=Origin.OPERATOR)

    def ask(self, body: Command, ehr: int | None = None, billing: int | None = None) -> str:
        """A person asks for this; the code with which it is refused, "" when it is done."""
        followed = self.record(
            body,
            ehr=None if ehr is None else EhrChartId(ehr),
            billing=None if billing is None else BillingPatientId(billing),
            origin=Origin.OPERATOR,
        )
        return next((one.body.code for one in followed if isinstance(one.body, CommandRefused)), "")

    def linked(self, chart: EhrChart = ADA, there: BillingChart = ADA_THERE) -> PatientKey:
        """Two charts of one person, known on both sides and linked by our metadata; nothing else is open."""
        self.billing(there)
        self.ehr(replace(chart, link_hint=f"kareo-patient:{there.id}"))
        return self.state.key_of(None, there.id)

    # -- how the vendors answer ---------------------------------------------------------------------------------------

    def attempt(self, key: str, slot: str) -> OpenIntent:
        open_ = self.intent(key, slot)
        self._about(key, IntentAttempted(intent=open_.intent, slot=slot, attempt=open_.attempt + 1, epoch=1))
        return open_

    def succeed(self, key: str, slot: str, result: AnyResult) -> list[Event]:
        """The open intent of `slot` is attempted and done with `result`."""
        open_ = self.intent(key, slot)
        if open_.state == "requested":
            self.attempt(key, slot)
        return self._about(key, IntentSucceeded(intent=open_.intent, slot=slot, attempt=1, result=result))

    def refuse(self, key: str, slot: str, text: str = "no", code: str = "400") -> list[Event]:
        open_ = self.attempt(key, slot)
        return self._about(key, IntentRefused(intent=open_.intent, slot=slot, attempt=1, code=code, text=text))

    def lose(self, key: str, slot: str) -> list[Event]:
        """The answer is lost."""
        open_ = self.attempt(key, slot)
        return self._about(key, IntentOutcomeUnknown(intent=open_.intent, slot=slot, attempt=1))

    def write(self, key: str, slot: str) -> AnyWrite:
        """The vendor does what the open intent of `slot` asks for and answers as a good vendor would."""
        write = self.intent(key, slot).write
        self.succeed(key, slot, self._answer(key, write))
        return write

    def carry_out_all(self) -> list[AnyWrite]:
        """Vendors do everything there is to do until nothing is requested any more."""
        writes: list[AnyWrite] = []
        for _ in range(ROUNDS):
            todo = next(((key, slot) for key, slot, one in self.open() if one.state == "requested"), None)
            if todo is None:
                return writes
            writes.append(self.write(*todo))
        raise AssertionError(f"writes never cease (I5): {[type_of(write) for write in writes[-6:]]}")

    def _answer(self, key: str, write: AnyWrite) -> AnyResult:
        patient = self.state.patients.get(PatientKey(key))
        match write:
            case SearchEhr() | SearchBilling():
                return Searched()
            case CreateEhrChart():
                chart = replace(EhrChart(id=EhrChartId(self._new())), link_hint=write.link_hint)
                return self._elation_answer(told_ehr(chart, write.fields, write.physician))
            case UpdateEhrChart():
                return self._elation_answer(told_update(patient.ehr.chart, write))
            case CreateBillingChart():
                case = BillingCase(id=self._new(), name=write.case_name, payer_scenario=write.payer_scenario)
                case = replace(case, policies=told_changes((), write.policies, self.plans, self._new)[0])
                chart = BillingChart(id=BillingPatientId(self._new()), cases=(replace(case, is_primary=True),))
                return self._kareo_answer(told_billing(chart, write.fields, write.provider))
            case UpdateBillingChart():
                return self._kareo_answer(told_billing(patient.billing.chart, write.fields, write.provider))
            case AddBillingCase():
                case = BillingCase(id=self._new(), name=write.case_name, is_primary=True)
                return self._kareo_answer(replace(patient.billing.chart, cases=(case,)))
            case SyncPolicies(seen=tuple()):
                known, read = told_chart_policies(write, self._new)
                return PoliciesWritten(known=known, read=read, read_at=self.now)
            case ChangeBillingPolicies():
                there, known = told_case(patient.billing.chart, write, self.plans, self._new)
                return BillingPoliciesWritten(chart=there, read_at=self.now, known=known)
            case SyncPolicies():
                known = {
                    str(one.billing_policy): write.known.get(str(one.billing_policy)) or self._new() for one in write.terms
                }
                return PoliciesWritten(known=known)
            case CreateCarrier() | CreatePlan() | CreateEhrAppointment() | CreateEncounter() | CreateBillingAppointment():
                return RecordCreated(id=self._new())
            case MarkBilled():
                bill = replace(patient.bills[str(write.bill)].bill, status="Billed", ref_number=write.ref_number)
                return BillWritten(bill=bill, read_at=self.now)
            case MarkBillError():
                bill = replace(patient.bills[str(write.bill)].bill, status="UnresolvedError", error=write.text)
                return BillWritten(bill=bill, read_at=self.now)
            case ReleaseBill():
                return BillWritten(bill=replace(patient.bills[str(write.bill)].bill, deferred=False), read_at=self.now)
            case _:
                return Done()

    def _elation_answer(self, chart: EhrChart) -> EhrChartWritten:
        return EhrChartWritten(chart=chart, read_at=self.now)

    def _kareo_answer(self, chart: BillingChart) -> BillingChartWritten:
        return BillingChartWritten(chart=chart, read_at=self.now)

    def _new(self) -> int:
        self.created += 1
        return self.created

    def _about(self, key: str, body: Body, origin: Origin = Origin.CHARTWIRE) -> list[Event]:
        ehr, billing = charts(self.state.patients[PatientKey(key)]) if key else (None, None)
        return self.record(body, ehr=ehr, billing=billing, origin=origin)

    # -- looking ------------------------------------------------------------------------------------------------------

    def patient(self, key: str = ADA_KEY) -> Patient:
        return self.state.patients[PatientKey(key)]

    def intents(self, key: str = ADA_KEY) -> dict[str, OpenIntent]:
        return self.patient(key).intents if key else self.state.directory.intents

    def intent(self, key: str, slot: str) -> OpenIntent:
        return self.intents(key)[slot]

    def wanted(self, slot: str, key: str = ADA_KEY) -> AnyWrite | None:
        """The write that is open in `slot`, if any."""
        open_ = self.intents(key).get(slot)
        return None if open_ is None else open_.write

    def open(self) -> list[tuple[str, str, OpenIntent]]:
        """Every open intent there is, as (patient key, slot, intent); the practice's own have the key ""."""
        found = [("", slot, one) for slot, one in self.state.directory.intents.items()]
        for key, patient in self.state.patients.items():
            found += [(key, slot, one) for slot, one in patient.intents.items()]
        return found

    def waiting(self, key: str = ADA_KEY) -> dict[str, Waiting]:
        return self.patient(key).waiting

    def waits(self, slot: str, key: str = ADA_KEY) -> str:
        """The code of what waits in `slot`, "" if nothing does."""
        waiting = self.waiting(key).get(slot)
        return "" if waiting is None else waiting.code

    def links(self) -> set[tuple[int, int]]:
        return {(one.link.ehr, one.link.billing) for one in self.state.patients.values() if one.link is not None}

    def requests(self) -> list[IntentRequested]:
        """All writes ever requested, in order."""
        return [event.body for event in self.events if isinstance(event.body, IntentRequested)]

    def intent_ids(self) -> list[IntentId]:
        return [one.intent for one in self.requests()]
