"""A clinic on paper: one practice's projections and policy, driven by hand.

`Clinic` does with events what the recorder does (fold, decide about whoever was touched, until nothing follows), without a
store or a clock: time rises by a minute with every change. Vendors answer when a test says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from events.ids import ElationChartId, IntentId, KareoPatientId, PatientKey, PracticeId, elation_key, event_id
from events.records import (
    BillLine,
    Carrier,
    ElationBill,
    ElationChart,
    KareoAppointment,
    KareoCase,
    KareoChart,
    KareoPolicy,
    Location,
    Phone,
    Plan,
    Provider,
)
from events.schema import (
    BillObserved,
    Body,
    ChartLinked,
    ChartUnlinked,
    Command,
    CommandRefused,
    ConflictSeen,
    ElationChartDeleted,
    ElationChartMerged,
    ElationChartObserved,
    ElationDirectoryObserved,
    Event,
    IntentAttempted,
    IntentOutcomeUnknown,
    IntentRefused,
    IntentRequested,
    IntentSucceeded,
    IntentSuperseded,
    KareoAppointmentObserved,
    KareoAppointmentVanished,
    KareoChartObserved,
    KareoChartVanished,
    KareoDirectoryObserved,
    LinkMoved,
    Origin,
    PairBarred,
    RevisitDue,
)
from events.writes import (
    AddKareoCase,
    AnyResult,
    AnyWrite,
    BillWritten,
    Candidate,
    CreateCarrier,
    CreateElationAppointment,
    CreateElationChart,
    CreateEncounter,
    CreateKareoChart,
    CreatePlan,
    Done,
    ElationChartWritten,
    KareoChartWritten,
    MarkBilled,
    MarkBillError,
    PoliciesWritten,
    RecordCreated,
    Searched,
    SearchElation,
    SearchKareo,
    SyncPolicies,
    UpdateElationChart,
    UpdateKareoChart,
)
from projections.fields import PHONE_KINDS, with_phones
from projections.intents import decide, is_settled
from projections.open_intents import OpenIntent, Waiting, put
from projections.patient import Patient
from projections.policy import Policy
from projections.repair import answer
from projections.state import PracticeState
from projections.wants import Moment

PRACTICE = PracticeId("clinic")
START = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
ROUNDS = 200

GREY, HOUSE = 11, 12
KAREO_GREY, KAREO_HOUSE, KAREO_LOCUM = 501, 502, 509
MAIN_STREET, KAREO_MAIN_STREET = 21, 601

PHYSICIANS = (
    Provider(id=GREY, first_name="Meredith", last_name="Grey", npi="1000000004"),
    Provider(id=HOUSE, first_name="Gregory", last_name="House", npi="1000000012"),
)
PROVIDERS = (
    Provider(id=KAREO_GREY, first_name="Meredith", last_name="Grey", full_name="Meredith Grey, MD", npi="1000000004"),
    Provider(id=KAREO_HOUSE, first_name="Gregory", last_name="House", full_name="Gregory House, MD", npi="1000000012"),
    Provider(id=KAREO_LOCUM, first_name="Lou", last_name="Locum", full_name="Lou Locum, NP", npi="1000000020"),
)

ADA = ElationChart(
    id=ElationChartId(101),
    first_name="Ada",
    middle_name="King",
    last_name="Byron",
    birth_date=date(1985, 12, 10),
    sex="Female",
    phones=(Phone(kind="Home", number="7062233445"),),
    emails=("ada@example.org",),
    address1="1 Main Street",
    address2="Suite 4",
    city="Augusta",
    state="GA",
    zip="30901",
    physician=GREY,
)
ADA_THERE = KareoChart(
    id=KareoPatientId(901),
    first_name="Ada",
    middle_name="King",
    last_name="Byron",
    birth_date=date(1985, 12, 10),
    sex="Female",
    home_phone="(706) 223-3445",
    email="ada@example.org",
    address1="1 Main Street",
    address2="Suite 4",
    city="Augusta",
    state="GA",
    zip="30901",
    provider=KAREO_GREY,
    cases=(KareoCase(id=71, name="Primary", is_primary=True),),
)
ADA_KEY = PatientKey("K:901")

BLUE = KareoPolicy(
    id=3001,
    company_id="40",
    company_name="Blue Cross",
    plan_id="50",
    plan_name="Blue Gold PPO",
    plan_address1="9 Payer Plaza",
    plan_address2="Floor 2",
    plan_city="Atlanta",
    plan_state="Georgia",
    plan_zip="303030001",
    plan_phone="(404) 555-0100",
    number="XYZ123",
    group="G-77",
    copay="20",
    deductible="$1,500.00",
    relationship="S",
)
BLUE_CARRIER = Carrier(id=8001, name="Blue Cross", external_id="40")
BLUE_PLAN = Plan(id=8101, name="Blue Gold PPO", carrier=8001)

GOOD_BILL = ElationBill(
    id=4001,
    patient=ADA.id,
    visit_note=5001,
    signed=True,
    status="Unbilled",
    service_day=date(2026, 3, 2),
    location=MAIN_STREET,
    location_name="Main Street",
    place_of_service="11",
    rendering_provider=GREY,
    physician=GREY,
    lines=(BillLine(cpt="99213", modifiers=("25",), dxs=("E11.9", "I10"), units="1.0", unit_charge="120.00"),),
    notes="Please post today",
)


def candidate(chart: ElationChart | KareoChart) -> Candidate:
    """What a search shows of a chart."""
    return Candidate(
        id=chart.id,
        first_name=chart.first_name,
        middle_name=chart.middle_name,
        last_name=chart.last_name,
        birth_date=chart.birth_date,
        sex=chart.sex,
    )


class Clinic:
    """See the module's docstring. `events` are all that was recorded, in order, routed as the recorder routes them."""

    def __init__(self, policy: Policy | None = None, *, directory: bool = True, **rules: object) -> None:
        self.policy = policy or Policy(practice=PRACTICE, default_physician=HOUSE, **rules)
        self.state = PracticeState()
        self.now = START
        self.events: list[Event] = []
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
            ElationDirectoryObserved(providers=physicians, locations=locations, carriers=carriers, plans=plans),
            origin=Origin.ELATION,
        )

    def kareo_directory(self, providers: tuple[Provider, ...] = PROVIDERS) -> None:
        locations = (Location(id=KAREO_MAIN_STREET, name="MAIN  street"),)
        self.record(KareoDirectoryObserved(providers=providers, locations=locations), origin=Origin.KAREO)

    def elation(
        self, chart: ElationChart, *, modified: datetime | None = None, observed: datetime | None = None
    ) -> list[Event]:
        body = ElationChartObserved(chart=chart)
        return self.record(body, elation=chart.id, origin=Origin.ELATION, modified=modified, observed=observed)

    def elation_deleted(self, chart: ElationChartId) -> list[Event]:
        return self.record(ElationChartDeleted(chart=chart), elation=chart, origin=Origin.ELATION)

    def elation_merged(self, chart: ElationChartId, survivor: ElationChartId) -> list[Event]:
        return self.record(ElationChartMerged(chart=chart, survivor=survivor), elation=chart, origin=Origin.ELATION)

    def kareo(self, chart: KareoChart, *, observed: datetime | None = None) -> list[Event]:
        return self.record(KareoChartObserved(chart=chart), kareo=chart.id, origin=Origin.KAREO, observed=observed)

    def kareo_vanished(self, patient: KareoPatientId) -> list[Event]:
        return self.record(KareoChartVanished(patient=patient), kareo=patient, origin=Origin.KAREO)

    def appointment(self, one: KareoAppointment, *, observed: datetime | None = None) -> list[Event]:
        body = KareoAppointmentObserved(appointment=one)
        return self.record(body, kareo=one.patient, origin=Origin.KAREO, observed=observed)

    def appointment_vanished(self, one: KareoAppointment) -> list[Event]:
        body = KareoAppointmentVanished(key=one.key, patient=one.patient)
        return self.record(body, kareo=one.patient, origin=Origin.KAREO)

    def bill(self, bill: ElationBill, *, modified: datetime | None = None, observed: datetime | None = None) -> list[Event]:
        body = BillObserved(bill=bill)
        return self.record(body, elation=bill.patient, origin=Origin.ELATION, modified=modified, observed=observed)

    def conflict_seen(self, key: PatientKey, *fields: str) -> list[Event]:
        return self._about(key, ConflictSeen(fields=fields), origin=Origin.OPERATOR)

    def ask(self, body: Command, elation: int | None = None, kareo: int | None = None) -> str:
        """A person asks for this; the code with which it is refused, "" when it is done."""
        followed = self.record(
            body,
            elation=None if elation is None else ElationChartId(elation),
            kareo=None if kareo is None else KareoPatientId(kareo),
            origin=Origin.OPERATOR,
        )
        return next((one.body.code for one in followed if isinstance(one.body, CommandRefused)), "")

    def linked(self, chart: ElationChart = ADA, there: KareoChart = ADA_THERE) -> PatientKey:
        """Two charts of one person, known on both sides and linked by our metadata; nothing else is open."""
        self.kareo(there)
        self.elation(put(chart, link_hint=f"kareo-patient:{there.id}"))
        return self.state.key_of(None, there.id)

    # -- recording, as the recorder does ------------------------------------------------------------------------------

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
        dependencies: set[str] = set()
        for event in events:
            self._take(event, touched, dependencies)
        for _ in range(ROUNDS):
            if not touched:
                due = [
                    one
                    for one in self.state.patients.values()
                    if any(dependencies & set(waiting.depends_on) for waiting in one.waiting.values())
                ]
                dependencies.clear()
                for one in due:
                    self._take(self._revisit(one, "what it waited for has come"), touched, set())
                if not due:
                    return
            key, cause = touched.popitem()
            if key in self.state.patients:
                self._decide(key, cause, touched, dependencies)
        raise AssertionError(f"deciding goes in circles: {[event.type for event in self.events[-6:]]}")

    def _decide(self, key: PatientKey, cause: Event, touched: dict[PatientKey, Event], dependencies: set[str]) -> None:
        bodies, shared = decide(self.state, key, self.policy, self.moment, cause.id)
        patient = self.state.patients[key]
        for body in bodies:
            elation, kareo = charts(patient)
            if isinstance(body, ChartLinked | LinkMoved):
                elation, kareo = (body.elation if isinstance(body, ChartLinked) else body.target), body.kareo
            self._take(self._following(body, cause, elation, kareo), touched, dependencies)
        for body in shared:
            self._take(self._following(body, cause, None, None), touched, dependencies)
        if is_settled(patient, bodies, shared):
            assert decide(self.state, key, self.policy, self.moment, cause.id) == ([], []), "the recorder does not ask again"

    def _take(self, event: Event, touched: dict[PatientKey, Event], dependencies: set[str]) -> None:
        if not isinstance(event.body, Command):
            self._fold(event, self.state.key_of(event.elation, event.kareo), touched, dependencies)
            return
        reply = answer(self.state, event.elation, event.kareo, event.body, self.policy)
        self._fold(event, reply.about, touched, dependencies)
        if reply.refused is not None:
            refused = self._following(reply.refused, event, event.elation, event.kareo)
            self._fold(refused, PatientKey(""), touched, dependencies)
        for body in reply.follows:
            about = charts(self.state.patients[reply.about]) if reply.about else (None, None)
            if isinstance(body, ChartLinked | ChartUnlinked | PairBarred):
                about = body.elation, body.kareo
            self._fold(self._following(body, event, *about), reply.about, touched, dependencies)

    def _fold(self, event: Event, key: PatientKey, touched: dict[PatientKey, Event], dependencies: set[str]) -> None:
        event = msgspec.structs.replace(event, patient=key)
        known = self.state.patients.get(key)
        self.state.apply(event, len(self.events))
        self.events.append(event)
        body = event.body
        if key:
            touched[key] = event
            if isinstance(body, ChartLinked | LinkMoved):
                chart = body.elation if isinstance(body, ChartLinked) else body.target
                dependencies |= {f"chart:{chart}", f"patient:{body.kareo}"}
            elif isinstance(body, ChartUnlinked | PairBarred):
                touched[elation_key(body.elation)] = event
                dependencies |= {f"chart:{body.elation}", f"patient:{body.kareo}"}
            elif isinstance(body, BillObserved) and (known is None or str(body.bill.id) not in known.bills):
                dependencies.add(f"bill:{body.bill.id}")
            elif isinstance(body, ElationChartObserved) and (known is None or known.elation is None):
                dependencies.add(f"chart:{body.chart.id}")
        elif isinstance(body, ElationDirectoryObserved | KareoDirectoryObserved):
            dependencies.add("directory")
        elif isinstance(body, IntentSucceeded | IntentRefused | IntentSuperseded):
            dependencies.add(body.slot)

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

    def carry_out(self, key: str, slot: str) -> AnyWrite:
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
            writes.append(self.carry_out(*todo))
        raise AssertionError(f"writes never cease (I5): {[type(write).__name__ for write in writes[-6:]]}")

    def _answer(self, key: str, write: AnyWrite) -> AnyResult:
        patient = self.state.patients.get(PatientKey(key))
        match write:
            case SearchElation() | SearchKareo():
                return Searched()
            case CreateElationChart():
                chart = put(ElationChart(id=ElationChartId(self._new())), link_hint=write.link_hint)
                return self._elation_answer(told_elation(chart, write.fields, write.physician))
            case UpdateElationChart():
                return self._elation_answer(told_elation(patient.elation.chart, write.fields, write.physician))
            case CreateKareoChart():
                case = KareoCase(id=self._new(), name=write.case_name, payer_scenario=write.payer_scenario)
                chart = KareoChart(id=KareoPatientId(self._new()), cases=(put(case, is_primary=True),))
                return self._kareo_answer(told_kareo(chart, write.fields, write.provider))
            case UpdateKareoChart():
                return self._kareo_answer(told_kareo(patient.kareo.chart, write.fields, write.provider))
            case AddKareoCase():
                case = KareoCase(id=self._new(), name=write.case_name, is_primary=True)
                return self._kareo_answer(put(patient.kareo.chart, cases=(case,)))
            case SyncPolicies():
                known = {str(one.kareo_policy): write.known.get(str(one.kareo_policy)) or self._new() for one in write.terms}
                return PoliciesWritten(known=known)
            case CreateCarrier() | CreatePlan() | CreateElationAppointment() | CreateEncounter():
                return RecordCreated(id=self._new())
            case MarkBilled():
                bill = put(patient.bills[str(write.bill)].bill, status="Billed", ref_number=write.ref_number)
                return BillWritten(bill=bill, read_at=self.now)
            case MarkBillError():
                bill = put(patient.bills[str(write.bill)].bill, status="UnresolvedError", error=write.text)
                return BillWritten(bill=bill, read_at=self.now)
            case _:
                return Done()

    def _elation_answer(self, chart: ElationChart) -> ElationChartWritten:
        return ElationChartWritten(chart=chart, read_at=self.now)

    def _kareo_answer(self, chart: KareoChart) -> KareoChartWritten:
        return KareoChartWritten(chart=chart, read_at=self.now)

    def _new(self) -> int:
        self.created += 1
        return self.created

    def _about(self, key: str, body: Body, origin: Origin = Origin.CHARTWIRE) -> list[Event]:
        elation, kareo = charts(self.state.patients[PatientKey(key)]) if key else (None, None)
        return self.record(body, elation=elation, kareo=kareo, origin=origin)

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
        return {(one.link.elation, one.link.kareo) for one in self.state.patients.values() if one.link is not None}

    def requests(self) -> list[IntentRequested]:
        """All writes ever requested, in order."""
        return [event.body for event in self.events if isinstance(event.body, IntentRequested)]

    def intent_ids(self) -> list[IntentId]:
        return [one.intent for one in self.requests()]


def charts(patient: Patient) -> tuple[ElationChartId | None, KareoPatientId | None]:
    """The chart ids that events about `patient` carry."""
    if patient.link is not None:
        return patient.link.elation, patient.link.kareo
    number = int(patient.key[2:])
    return (None, KareoPatientId(number)) if patient.in_kareo else (ElationChartId(number), None)


def told_elation(chart: ElationChart, fields: dict[str, str], physician: int | None) -> ElationChart:
    """A chart after Elation carried out a write of `fields`."""
    changes: dict[str, object] = {
        name: value for name, value in fields.items() if name not in (*PHONE_KINDS, "birth_date", "email", "provider")
    }
    if "birth_date" in fields:
        changes["birth_date"] = date.fromisoformat(fields["birth_date"])
    if "email" in fields:
        changes["emails"] = (fields["email"],) if fields["email"] else ()
    if physician is not None:
        changes["physician"] = physician
    phones = {name: fields[name] for name in PHONE_KINDS if name in fields}
    return put(chart, phones=with_phones(chart.phones, phones), **changes)


def told_kareo(chart: KareoChart, fields: dict[str, str], provider: int | None) -> KareoChart:
    """A patient after Kareo carried out a write of `fields`."""
    changes: dict[str, object] = {name: value for name, value in fields.items() if name not in ("birth_date", "provider")}
    if "birth_date" in fields:
        changes["birth_date"] = date.fromisoformat(fields["birth_date"])
    if provider is not None:
        changes["provider"] = provider
    return put(chart, **changes)
