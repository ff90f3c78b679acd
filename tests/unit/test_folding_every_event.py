"""Every event type, and what it changes in the projections: a type that is new, or that no longer changes what it should, shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import UUID

import pytest
from msgspec.structs import replace

from events.bookings import EhrAppointmentGone, EhrAppointmentObserved
from events.commands import (
    BillReleaseRequested,
    BillResendRequested,
    ConflictSeen,
    DismissRequested,
    GoLiveRequested,
    HoldRequested,
    KeepOutRequested,
    LinkRequested,
    MapGiveBackRequested,
    MapRequested,
    MoveLinkRequested,
    PolicyRemovalRequested,
    RedriveRequested,
    ReleaseRequested,
    ResyncRequested,
    RetryRequested,
    TellApartRequested,
    UnlinkRequested,
)
from events.first_day import LiveChosen
from events.holds import HoldBegan, HoldEnded, KeptOut, LeftOut, RecordLeftUnread
from events.ids import BillingPatientId, EhrChartId, EventId, IntentId, PatientKey, PracticeId, billing_key, ehr_key
from events.insurance import EhrPoliciesObserved, InsurersLearnt, PoliciesAgreed
from events.maps import MapGivenBack, MapKind, MapSaved
from events.merges import BillingLinkMoved, ToldApart
from events.records import BillingPlan, ChartPolicy
from events.restarts import HistoryRestarted, HistoryResumed
from events.schema import (
    BillingAppointmentObserved,
    BillingAppointmentVanished,
    BillingChartObserved,
    BillingChartVanished,
    BillingDirectoryObserved,
    BillObserved,
    Body,
    ChangeQuarantined,
    ChartLinked,
    ChartUnlinked,
    CommandRefused,
    ConflictRecorded,
    CounterpartsFound,
    EhrChartDeleted,
    EhrChartMerged,
    EhrChartObserved,
    EhrDirectoryObserved,
    Event,
    FieldConflict,
    FieldsAgreed,
    IntentAttempted,
    IntentOutcomeUnknown,
    IntentRefused,
    IntentRequested,
    IntentSucceeded,
    IntentSuperseded,
    LinkMoved,
    LinkResumed,
    LinkSuspended,
    MessageUnreadable,
    ObservingBegan,
    Origin,
    PairBarred,
    RevisitDue,
    WaitingCleared,
    WaitingDismissed,
    WaitingRaised,
    WentLive,
)
from events.terms import PolicyTerms
from events.writes import (
    CreateCarrier,
    Done,
    EhrChartWritten,
    RecordCreated,
    Resource,
    SearchEhr,
    System,
    UpdateCarrier,
    UpdateEhrChart,
)
from projections.state.directory import Directory, message_slot
from projections.state.patient import Patient
from projections.state.quarantine import quarantine_slot
from projections.state.state import PracticeState
from tests.unit.records import ADA, ADA_THERE, GOOD_BILL, PHYSICIANS, PROVIDERS
from tests.unit.stories import IN_CALENDAR, VISIT

BEGIN = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
ADA_KEY = billing_key(ADA_THERE.id)
SURVIVOR = replace(ADA, id=EhrChartId(103))
SAVED = MapSaved(kind=MapKind.PROVIDER, id=11, to="502", who="grace")
HELD_BACK = HoldBegan(slot="hold:bill:both", who="grace", reason="moving", text="bills wait", resource=Resource.BILL)
ALONE = replace(ADA, id=EhrChartId(104))
ANSWERED = IntentId("demographics")
SLOT = "demographics:elation"
CONFLICT = FieldConflict(field="city", ehr="Augusta", billing="Macon", winner=System.BILLING)
SEARCH = SearchEhr(last_name="Byron", first_name="Ada")
UNREAD = ChangeQuarantined(system=System.EHR, resource="bills", record="9", reason="not a number", path="$.id")
LOST = MessageUnreadable(topic="changes", partition=1, offset=2, reason="UnreadableEvent")
PRACTICE = PatientKey("")


@dataclass(frozen=True)
class Case:
    """`body` of the patient `key` after `before`; `changes` are the members of patients and directory that differ then."""

    body: Body
    changes: set[str]
    key: PatientKey = ADA_KEY
    before: tuple[Body, ...] = ()
    ehr: EhrChartId | None = None


def practice(body: Body, changes: set[str], *before: Body) -> Case:
    return Case(body, changes, PRACTICE, before)


def requested(slot: str = SLOT) -> IntentRequested:
    write = UpdateEhrChart(chart=ADA.id, fields={"city": "Macon"})
    return IntentRequested(
        intent=ANSWERED, slot=slot, system=System.EHR, resource=Resource.DEMOGRAPHICS, write=write, rule="guide"
    )


REFUSED = IntentRefused(intent=ANSWERED, slot=SLOT, attempt=1, code="400")
RAISED = WaitingRaised(slot="search", code="several-found", text="two charts")
ACCEPTED = {
    "slot": "search",
    "code": "several-found",
    "text": "two",
    "about_digest": "d",
    "who": "grace",
    "reason": "as it is",
}
UNREAD_SLOT = quarantine_slot("elation", "bills", "9")
BILL_SLOT = f"bill:{GOOD_BILL.id}"
CARRIER = IntentRequested(
    intent=ANSWERED,
    slot="carrier:7",
    system=System.EHR,
    resource=Resource.INSURANCE,
    write=CreateCarrier(company_id="7", name="Blue"),
    rule="guide",
)
CREATED = IntentSucceeded(intent=ANSWERED, slot="carrier:7", attempt=1, result=RecordCreated(id=77))
LATER = BEGIN + timedelta(hours=1)
WRITTEN = EhrChartWritten(chart=replace(ADA, city="Macon"), modified=LATER, read_at=LATER)
RESTARTED = HistoryRestarted(kept=7, witnessed=9, epoch=3, until=datetime(2026, 3, 2, tzinfo=UTC))
DONE = IntentSucceeded(intent=ANSWERED, slot=SLOT, attempt=1, result=WRITTEN)

HELD = ChartPolicy(id=5001, rank=1, active=True, member_id="XYZ123")
AGREED = PolicyTerms(billing_policy=3001, rank=1, carrier_id=1, carrier_name="Blue", plan_id=2, plan_name="Gold")
BLUE_THERE = BillingPlan(company_id="40", company_name="Blue Cross", plan_id="50", plan_name="Blue Gold PPO")

LINKED: tuple[tuple[PatientKey, Body], ...] = (
    (ehr_key(ADA.id), EhrChartObserved(chart=ADA)),
    (ADA_KEY, BillingChartObserved(chart=ADA_THERE)),
    (ADA_KEY, ChartLinked(ehr=ADA.id, billing=ADA_THERE.id, how="by hand")),
)
"""Where every case begins: Ada in both systems, linked."""

CASES: list[Case] = [
    # observed
    Case(EhrChartObserved(chart=replace(ADA, city="Macon")), {"patient.ehr"}),
    Case(EhrChartObserved(chart=ALONE), {"patients", "charts"}, ehr_key(ALONE.id), ehr=ALONE.id),
    Case(EhrChartDeleted(chart=ADA.id), {"patient.ehr"}),
    Case(EhrChartMerged(chart=ADA.id, survivor=SURVIVOR.id), {"patient.ehr"}),
    Case(BillingChartObserved(chart=replace(ADA_THERE, city="Macon")), {"patient.billing"}),
    Case(BillingChartVanished(patient=ADA_THERE.id), {"patient.billing"}),
    Case(BillingAppointmentObserved(appointment=VISIT), {"patient.appointments"}),
    Case(
        BillingAppointmentVanished(key=VISIT.key, patient=ADA_THERE.id),
        {"patient.appointments"},
        before=(BillingAppointmentObserved(appointment=VISIT),),
    ),
    Case(EhrAppointmentObserved(appointment=IN_CALENDAR), {"patient.bookings"}),
    Case(
        EhrAppointmentGone(appointment=IN_CALENDAR.id, chart=ADA.id),
        {"patient.bookings"},
        before=(EhrAppointmentObserved(appointment=IN_CALENDAR),),
    ),
    Case(BillObserved(bill=GOOD_BILL), {"patient.bills"}),
    Case(EhrPoliciesObserved(chart=ADA.id, policies=(HELD,)), {"patient.coverage"}),
    practice(EhrDirectoryObserved(providers=PHYSICIANS), {"directory.physicians", "directory.ehr_seen"}),
    practice(BillingDirectoryObserved(providers=PROVIDERS), {"directory.providers", "directory.billing_seen"}),
    Case(RevisitDue(reason="a policy ended"), set()),
    practice(UNREAD, {"directory.waiting", "directory.quarantined"}),
    practice(LOST, {"directory.waiting", "directory.quarantined"}),
    # links
    Case(ChartLinked(ehr=ALONE.id, billing=ADA_THERE.id, how="by hand"), {"patient.link", "charts"}),
    Case(
        LinkMoved(billing=ADA_THERE.id, source=ADA.id, target=SURVIVOR.id),
        {"patient.ehr", "patient.link", "patients", "charts"},
    ),
    Case(
        BillingLinkMoved(ehr=ADA.id, source=ADA_THERE.id, target=BillingPatientId(902)),
        {"patient.ehr", "patient.link", "patients", "charts"},
        billing_key(BillingPatientId(902)),
    ),
    practice(ToldApart(system=System.EHR, one=102, other=101, who="grace"), {"directory.told_apart"}),
    practice(
        ToldApart(system=System.EHR, one=101, other=102, who="grace", apart=False),
        {"directory.told_apart"},
        ToldApart(system=System.EHR, one=102, other=101, who="grace"),
    ),
    Case(LinkSuspended(ehr=ADA.id, billing=ADA_THERE.id), {"patient.link"}),
    Case(
        LinkResumed(ehr=ADA.id, billing=ADA_THERE.id),
        {"patient.link"},
        before=(LinkSuspended(ehr=ADA.id, billing=ADA_THERE.id),),
    ),
    Case(
        ChartUnlinked(ehr=ADA.id, billing=ADA_THERE.id),
        {"patient.ehr", "patient.link", "patient.held", "patient.barred", "patient.former", "patients", "charts"},
    ),
    Case(PairBarred(ehr=ALONE.id, billing=ADA_THERE.id), {"patient.barred"}),
    Case(
        CounterpartsFound(wanted=SEARCH, candidates=()),
        {"patient.search"},
        before=(ChartUnlinked(ehr=ADA.id, billing=ADA_THERE.id),),
    ),
    # what is left alone
    practice(HELD_BACK, {"directory.holds", "directory.waiting"}),
    practice(HoldEnded(slot="hold:bill:both"), {"directory.holds", "directory.waiting"}, HELD_BACK),
    practice(KeptOut(ehr=ADA.id, who="grace"), {"directory.kept_out"}),
    practice(KeptOut(ehr=ADA.id, out=False), {"directory.kept_out"}, KeptOut(ehr=ADA.id, rule="zz*")),
    Case(LeftOut(), {"patient.out"}),
    Case(LeftOut(out=False), {"patient.out"}, before=(LeftOut(),)),
    Case(
        RecordLeftUnread(system=System.BILLING, resource="appointments", record="7001", chart=901),
        {"patient.out", "patient.unread"},
    ),
    # maps
    practice(SAVED, {"directory.mapped"}),
    practice(MapGivenBack(kind=MapKind.PROVIDER, id=11, who="grace"), {"directory.mapped"}, SAVED),
    # fields
    Case(FieldsAgreed(fields={"city": "Augusta"}), {"patient.base"}),
    Case(ConflictRecorded(conflicts=(CONFLICT,)), {"patient.conflicts"}),
    Case(
        ConflictSeen(fields=("city",), who="grace"),
        {"patient.conflicts", "patient.conflicts_seen"},
        before=(ConflictRecorded(conflicts=(CONFLICT,)),),
    ),
    # insurance both ways
    Case(PoliciesAgreed(known={"3001": 5001}, terms=(AGREED,)), {"patient.coverage", "patient.policies"}),
    Case(
        PoliciesAgreed(one_way=True),
        {"patient.coverage"},
        before=(PoliciesAgreed(known={"3001": 5001}, terms=(AGREED,)),),
    ),
    practice(InsurersLearnt(plans=(BLUE_THERE,)), {"directory.billing_plans"}),
    # the practice's mode
    practice(ObservingBegan(), {"directory.observing"}),
    practice(WentLive(), {"directory.observing"}, ObservingBegan()),
    practice(LiveChosen(who="grace"), {"directory.live_chosen"}),
    practice(RESTARTED, {"directory.restarted"}),
    practice(HistoryResumed(), {"directory.restarted"}, RESTARTED),
    # intents
    Case(requested(), {"patient.intents"}),
    Case(IntentAttempted(intent=ANSWERED, slot=SLOT, attempt=1, epoch=1), {"patient.intents"}, before=(requested(),)),
    Case(DONE, {"patient.intents", "patient.ehr", "patient.base"}, before=(requested(),)),
    Case(REFUSED, {"patient.intents"}, before=(requested(),)),
    Case(IntentOutcomeUnknown(intent=ANSWERED, slot=SLOT, attempt=1), {"patient.intents"}, before=(requested(),)),
    Case(IntentSuperseded(intent=ANSWERED, slot=SLOT), {"patient.intents"}, before=(requested(),)),
    practice(CREATED, {"directory.intents", "directory.created_carriers"}, CARRIER),
    practice(
        replace(CREATED, result=Done()),
        {"directory.intents", "directory.carriers_told"},
        replace(
            CARRIER, write=UpdateCarrier(carrier=8500, company_id="7", plan_id="50", fields={}, agreed={"name": "Blue"})
        ),
    ),
    # what waits
    Case(RAISED, {"patient.waiting"}),
    Case(WaitingCleared(slot="search"), {"patient.waiting"}, before=(RAISED,)),
    Case(WaitingDismissed(**ACCEPTED), {"patient.waiting", "patient.dismissed"}, before=(RAISED,)),
    Case(WaitingCleared(slot="search"), {"patient.dismissed"}, before=(RAISED, WaitingDismissed(**ACCEPTED))),
    practice(RAISED, {"directory.waiting"}),
    practice(WaitingCleared(slot="search"), {"directory.waiting"}, RAISED),
    practice(WaitingDismissed(**ACCEPTED), {"directory.waiting", "directory.dismissed"}, RAISED),
    practice(WaitingCleared(slot="search"), {"directory.dismissed"}, RAISED, WaitingDismissed(**ACCEPTED)),
    practice(WaitingCleared(slot=UNREAD_SLOT), {"directory.waiting", "directory.quarantined"}, UNREAD),
    practice(WaitingCleared(slot=message_slot(LOST)), {"directory.waiting", "directory.quarantined"}, LOST),
    # what people ask for
    Case(
        ResyncRequested(who="grace", as_new=True),
        {"patient.held"},
        before=(ChartUnlinked(ehr=ADA.id, billing=ADA_THERE.id),),
    ),
    Case(RetryRequested(slots=(SLOT,), who="grace"), {"patient.intents"}, before=(requested(), REFUSED)),
    Case(
        BillResendRequested(bill=int(GOOD_BILL.id), who="grace"),
        {"patient.intents"},
        before=(BillObserved(bill=GOOD_BILL), requested(BILL_SLOT), replace(REFUSED, slot=BILL_SLOT)),
    ),
    Case(
        BillReleaseRequested(bill=int(GOOD_BILL.id), who="grace"),
        {"patient.bills"},
        before=(BillObserved(bill=replace(GOOD_BILL, deferred=True)),),
    ),
    Case(LinkRequested(ehr=ALONE.id, billing=ADA_THERE.id, who="grace"), set()),
    Case(MoveLinkRequested(source=ADA_THERE.id, target=BillingPatientId(902), who="grace"), set()),
    practice(TellApartRequested(system=System.EHR, one=101, other=102, who="grace"), set()),
    Case(UnlinkRequested(ehr=ADA.id, who="grace"), set()),
    Case(PolicyRemovalRequested(policy=5002, who="grace"), {"patient.coverage"}),
    Case(DismissRequested(slot="search", who="grace", reason="as it is"), set(), before=(RAISED,)),
    practice(RedriveRequested(slot=UNREAD_SLOT, who="grace"), set(), UNREAD),
    practice(HoldRequested(who="grace", reason="moving"), set()),
    practice(ReleaseRequested(slot="hold:bill:both", who="grace"), set(), HELD_BACK),
    practice(KeepOutRequested(who="grace", reason="a test"), set()),
    practice(GoLiveRequested(who="grace"), set()),
    practice(MapRequested(kind=MapKind.PROVIDER, id=11, to="502", who="grace"), set()),
    practice(MapGiveBackRequested(kind=MapKind.PROVIDER, id=11, who="grace"), set(), SAVED),
    Case(CommandRefused(command="LinkRequested", code="linked", text="it is linked"), set()),
]


def told(key: PatientKey, body: Body, number: int, ehr: EhrChartId | None = None) -> Event:
    """An event a minute after the one before it."""
    at = BEGIN + timedelta(minutes=number)
    return Event(
        id=EventId(UUID(int=number)),
        practice=PracticeId("elm"),
        origin=Origin.CHARTWIRE,
        observed=at,
        modified=at,
        body=body,
        patient=key,
        ehr=ehr,
        billing=BillingPatientId(int(key[2:])) if key.startswith("K:") else None,
    )


def members(state: PracticeState) -> dict[str, object]:
    """What is known of Ada and of the practice, by member; and who there is."""
    ada, directory = state.patients[ADA_KEY], state.directory
    known: dict[str, object] = {f"patient.{name}": getattr(ada, name) for name in Patient.__struct_fields__}
    known |= {f"directory.{name}": getattr(directory, name) for name in Directory.__struct_fields__}
    others = {key: one for key, one in state.patients.items() if key != ADA_KEY}
    return known | {"patients": others, "charts": dict(state.charts)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: type(case.body).__name__)
def test_an_event_changes_what_it_tells_of_and_nothing_else(case: Case) -> None:
    state = PracticeState()
    before = [*LINKED, *((case.key, body) for body in case.before)]
    for number, (key, body) in enumerate(before):
        state.apply(told(key, body, number), number)
    known = members(state)

    state.apply(told(case.key, case.body, len(before), case.ehr), len(before))

    now = members(state)
    assert {name for name in known if known[name] != now[name]} == case.changes


def test_no_event_type_is_left_out() -> None:
    assert {type(case.body) for case in CASES} == set(get_args(Body))


def test_what_was_cleared_is_in_quarantine_no_more() -> None:
    state = PracticeState()
    for number, body in enumerate(
        (UNREAD, WaitingDismissed(**ACCEPTED | {"slot": UNREAD_SLOT}), WaitingCleared(slot=UNREAD_SLOT))
    ):
        state.apply(told(PRACTICE, body, number), number)
    assert state.directory == Directory()
