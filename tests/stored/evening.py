"""What a clinic day leaves out, recorded after it by the practice's own recorder, so that every event and command is there once.

Only `tests.stored.write` uses it, at the commit that wrote the fixture. Sinks are stopped by then: what is wanted stays open.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from daemon.first_day import go_live
from daemon.operator import command
from daemon.recorder import PracticeRecorder
from daemon.replay import Replay, replayed
from daemon.telemetry import Meter
from events import commands as ask
from events import schema as seen
from events.codec import encode_body
from events.ids import ElationChartId, KareoPatientId, PatientKey, event_id
from events.records import BillLine, ElationBill, ElationChart, ElationPolicy, KareoCase, KareoChart, KareoPolicy, Location
from events.schema import Body, Event, Origin
from events.store import Store
from events.topics import CHANGES, Change, Note, encode_message
from events.writes import AnyResult, Candidate, Done, PoliciesWritten, RecordCreated, Searched, System
from projections.open_intents import OpenIntent, put
from projections.patient import Appointment, Patient
from projections.policy import Policy

WHO = "frontdesk"
OWNER = "frontdesk-pc:4711"
"""Who had the practice last: the name of no machine."""
POLICY = KareoPolicy(
    id=990_201,
    company_id="990202",
    company_name="Evening Mutual",
    plan_id="990203",
    plan_name="Night Plus",
    plan_address1="9 Payer Plaza",
    plan_address2="Floor 2",
    plan_city="Atlanta",
    plan_state="GA",
    plan_zip="30303",
    plan_phone="(404) 555-0100",
    number="NP-1",
    group="G-1",
    copay="20",
    deductible="1500",
    start=date(2020, 1, 1),
    end=date(2099, 12, 31),
    relationship="Spouse",
    insured_name="Omar Evening",
    insured_address1="1 Late Lane",
    insured_address2="Rear",
    insured_city="Silverpine",
    insured_state="CO",
    insured_zip="80101",
    insured_ssn="900000009",
    insured_birth_date=date(1950, 1, 2),
    insured_sex="Male",
)


class Evening:
    """The recorder of one practice; `changes` is what was recorded of what people and systems did."""

    def __init__(self, store: Store, policy: Policy, epoch: int) -> None:
        self.changes: list[Change] = []
        self._store = store
        self._practice = policy.practice
        self._used: set[str] = set()
        self._recorder = PracticeRecorder(
            store, store.keyring, policy, epoch, now=lambda: datetime.now(UTC), meter=Meter(), on_recorded=lambda _: None
        )

    async def play(self) -> None:
        """All of it, in an order in which nothing stands in the way of what comes later."""
        await self._first_day_again()
        await self._charts_and_links()
        await self._merged()
        await self._insured()
        await self._appointed()
        await self._quarantine()
        await self._bills_and_conflicts()
        await self._outcomes()

    # -- scenes -------------------------------------------------------------------------------------------------------

    async def _first_day_again(self) -> None:
        """The practice is only observed for a while: a person comes to both systems, and is found as their own counterpart."""
        await self._recorder.record_practice([seen.ObservingBegan()])
        here, there = _twins(1, "Observa")
        await self._see(seen.ElationChartObserved(chart=here), seen.KareoChartObserved(chart=there))
        await go_live(self._recorder, self._store, self._store.keyring)
        while await self._recorder.revisit("the practice is live"):
            pass

    async def _charts_and_links(self) -> None:
        here, there = await self._pick(lambda one: one.link is not None and not one.waiting)
        await self._see(seen.ElationChartObserved(chart=put(here, city="Eveningside")))
        await self._see(seen.KareoChartObserved(chart=put(there, city="Eveningside")))
        await self._ask(ask.ResyncRequested(who=WHO, reason="looks odd"), here.id)
        one, another = _twins(2, "Linka"), _twins(3, "Barbara")
        await self._see(seen.ElationChartObserved(chart=one[0]), seen.KareoChartObserved(chart=put(one[1], sex="")))
        await self._ask(
            ask.LinkRequested(elation=one[0].id, kareo=one[1].id, who=WHO, reason="known here", force=True),
            one[0].id,
            one[1].id,
        )
        await self._see(
            seen.ElationChartObserved(chart=another[0]),
            seen.KareoChartObserved(chart=put(another[1], first_name="Berta", middle_name="B")),
        )
        await self._ask(
            ask.UnlinkRequested(who=WHO, elation=another[0].id, kareo=another[1].id, reason="sisters"),
            another[0].id,
            another[1].id,
        )
        await self._ask(ask.LinkRequested(elation=one[0].id, kareo=another[1].id, who=WHO), one[0].id, another[1].id)
        full = await self._pick(
            lambda one: bool(one.link and one.policies and one.appointments and any(b.encounter for b in one.bills.values()))
        )
        await self._ask(ask.UnlinkRequested(who=WHO, elation=full[0].id, reason="father and son"), full[0].id)
        await self._ask(ask.ResyncRequested(who=WHO, reason="has no chart", as_new=True), None, full[1].id)

    async def _merged(self) -> None:
        """Two linked charts become one: a person decides, and what is left of the absorbed one is told by Elation's 303."""
        (one, _), (another, _) = await self._pick(_quiet), await self._pick(_quiet)
        await self._see(seen.ElationChartMerged(chart=one.id, survivor=another.id))
        await self._see(seen.ElationChartObserved(chart=put(one, merged_into=another.id)))
        moved, _ = await self._pick(_quiet)
        heir = put(moved, id=ElationChartId(99_000_004), link_hint="")
        await self._see(seen.ElationChartObserved(chart=heir), seen.ElationChartMerged(chart=moved.id, survivor=heir.id))

        here, there = await self._pick(_quiet)
        heir = put(here, id=ElationChartId(99_000_104), link_hint=f"kareo-patient:{there.id}")
        await self._ask(ask.UnlinkRequested(who=WHO, kareo=there.id, reason="by mistake"), None, there.id)
        await self._see(seen.ElationChartMerged(chart=here.id, survivor=heir.id))
        await self._ask(ask.ResyncRequested(who=WHO, as_new=True), None, there.id)
        await self._see(seen.ElationChartObserved(chart=heir))

    async def _insured(self) -> None:
        """A policy with everything in it, of a company that Elation lacks: company, plan and policy, and another physician."""
        directory = (await self._folded()).state.directory
        gone = put(directory.providers[0], id=990_100, active=False, npi="")
        await self._see(
            seen.KareoDirectoryObserved(
                providers=(*directory.providers, gone),
                locations=(*directory.kareo_locations, Location(id=990_101, name="Closed", active=False)),
            )
        )
        here, there = await self._pick(_quiet)
        case = KareoCase(id=990_102, name="Auto", payer_scenario="Insurance", is_primary=True, policies=(POLICY,))
        provider = next(one.id for one in directory.providers if one.npi and one.id != there.provider)
        await self._see(seen.KareoChartObserved(chart=put(there, cases=(case,), provider=provider)))
        await self._succeed("", f"carrier:{POLICY.company_id}", RecordCreated(id=990_103))
        await self._succeed("", f"plan:{POLICY.plan_id}", RecordCreated(id=990_104))
        written = PoliciesWritten(
            known={str(POLICY.id): 990_105}, policies=(ElationPolicy(id=990_105, rank=1, active=True),), displaced=(990_106,)
        )
        await self._succeed(f"K:{there.id}", "policies", written)
        alone = put(_twins(7, "Alona")[1], cases=None, provider=provider)
        await self._see(seen.KareoChartObserved(chart=alone))
        await self._succeed(f"K:{alone.id}", "chart", Searched())
        await self._succeed(f"K:{alone.id}", "chart", Searched(candidates=(Candidate(id=int(here.id)),), refused=True))

    async def _appointed(self) -> None:
        """An appointment is gone, and was deleted in Elation already when that was looked up; a bill can be sent."""
        here, there = await self._pick(
            lambda one: _quiet(one) and any(_stands(visit) for visit in one.appointments.values())
        )
        key = next(key for key, one in (await self._patient(there.id)).appointments.items() if _stands(one))
        await self._see(seen.KareoAppointmentVanished(key=key, patient=there.id))
        await self._succeed(f"K:{there.id}", f"appointment:{key}", Done(already=True), settled_by="lookup")
        known = next(b.bill for p in (await self._folded()).state.patients.values() for b in p.bills.values() if b.encounter)
        physician = known.rendering_provider or known.physician
        bill = put(known, id=4_990_010, patient=here.id, prior_authorization="PA-2", notes="For the evening", ref_number="")
        bill = put(bill, supervising_provider=physician, status="Unbilled", error="", deferred=False)
        await self._see(seen.BillObserved(bill=bill))

    async def _quarantine(self) -> None:
        """A message and a change that nobody could read then: one is tried again, the other one accepted."""
        chart = _twins(5, "Lata")[0]
        late = self._event(seen.ElationChartObserved(chart=chart), chart.id, None, Origin.ELATION)
        raw = encode_message(Change(practice=self._practice, event=late), self._store.keyring)
        await self._see(
            seen.MessageUnreadable(topic=CHANGES, partition=1, offset=17, reason="not a message (DecodeError)", raw=raw),
            seen.MessageUnreadable(topic=CHANGES, partition=2, offset=18, reason="not a message (DecodeError)", raw=b"\xc1"),
        )
        set_aside = encode_body(seen.KareoChartObserved(chart=_twins(6, "Asida")[1]))
        await self._see(
            seen.ChangeQuarantined(
                system=System.KAREO,
                resource="KareoChartObserved",
                record="990006",
                path="$.chart",
                reason="cannot be folded (KeyError); report it",
                raw=set_aside,
            )
        )
        slots = sorted((await self._folded()).state.directory.quarantined)
        message, kept, change = (
            next(slot for slot in slots if slot.endswith(end)) for end in ("kafka:1:17", "kafka:2:18", "990006")
        )
        await self._ask(ask.RedriveRequested(slot=message, who=WHO, reason="the key is there now"))
        await self._ask(ask.DismissRequested(slot=kept, who=WHO, reason="garbage"))
        await self._ask(ask.RedriveRequested(slot=change, who=WHO))

    async def _bills_and_conflicts(self) -> None:
        for one in (await self._folded()).state.patients.values():
            if one.conflicts and one.link is not None:
                await self._ask(ask.ConflictSeen(fields=(next(iter(one.conflicts)),), who=WHO), one.link.elation)
            for slot, waits in one.waiting.items():
                if waits.code in ("differs-after-sent", "no-calendar") and one.link is not None:
                    await self._ask(ask.DismissRequested(slot=slot, who=WHO, reason="known"), one.link.elation)
        unsent = next(
            entry.bill
            for one in (await self._folded()).state.patients.values()
            for number, entry in one.bills.items()
            if f"bill:{number}" in one.waiting and entry.encounter is None and not entry.bill.ref_number
        )
        await self._ask(ask.BillResendRequested(bill=unsent.id, who=WHO, reason="corrected"), unsent.patient)

    async def _outcomes(self) -> None:
        """Intents in every state: two wait for their sink, others are under way, lost, or refused, one of them asked for again."""
        states = ("requested", "requested", "attempted", "unknown", "refused", "refused", "conflict")
        for number, state in enumerate(states):
            here, there = await self._pick(_quiet)
            await self._see(seen.KareoChartObserved(chart=put(there, city="Nightfall", email=f"late{number}@mail.example")))
            if state == "conflict":
                await self._see(seen.ElationChartObserved(chart=put(here, city="Elsewhere")))
            open_ = (await self._patient(there.id)).intents["demographics:elation"]
            if state in ("attempted", "unknown", "refused"):
                await self._outcome(seen.IntentAttempted, open_, there.id, epoch=self._recorder.epoch)
            if state == "unknown":
                await self._outcome(seen.IntentOutcomeUnknown, open_, there.id)
            if state == "refused":
                words = {"code": "400", "text": "Enter a valid email.", "raw": '{"emails":["Invalid"]}'}
                await self._outcome(seen.IntentRefused, open_, there.id, **words)
            if number == states.index("refused"):
                await self._ask(ask.RetryRequested(slots=("demographics:elation",), who=WHO, reason="fixed"), None, there.id)
        await self._see(seen.BillObserved(bill=_bill(here.id)))

    # -- recording ----------------------------------------------------------------------------------------------------

    async def _see(self, *bodies: Body) -> None:
        """What connectors would publish, with the notes that they compare with."""
        changes = []
        for body in bodies:
            elation, kareo, origin, record = _about(body)
            event = self._event(body, elation, kareo, origin)
            system = System.ELATION if origin is Origin.ELATION else System.KAREO
            parent = "" if elation is None else str(elation)
            note = Note(system=system, resource="evening", record=record, content_hash=event.id.hex, parent=parent)
            changes.append(Change(practice=self._practice, event=event, notes=(note,)))
        self.changes += changes
        await self._recorder.record_messages(changes)

    async def _ask(self, body: Any, elation: ElationChartId | None = None, kareo: KareoPatientId | None = None) -> None:
        change = Change(practice=self._practice, event=command(self._practice, body, (elation, kareo)))
        self.changes.append(change)
        await self._recorder.record_messages([change])

    async def _succeed(self, key: str, slot: str, result: AnyResult, settled_by: str = "answer") -> None:
        """The open intent of a patient, or of the practice, is attempted and done, as its sink records it."""
        state = (await self._folded()).state
        open_ = (state.patients[PatientKey(key)] if key else state.directory).intents[slot]
        for body in (
            seen.IntentAttempted(intent=open_.intent, slot=slot, attempt=1, epoch=self._recorder.epoch),
            seen.IntentSucceeded(intent=open_.intent, slot=slot, attempt=1, result=result, settled_by=settled_by),
        ):
            kareo = KareoPatientId(int(key[2:])) if key else None
            await self._recorder.record_bodies([body], elation=None, kareo=kareo, cause=open_.cause, parts=(open_.intent, 1))

    async def _outcome(self, kind: Any, open_: OpenIntent, kareo: KareoPatientId, **values: object) -> None:
        body = kind(intent=open_.intent, slot="demographics:elation", attempt=1, **values)
        await self._recorder.record_bodies([body], elation=None, kareo=kareo, cause=open_.cause, parts=(open_.intent, 1))

    def _event(self, body: Body, elation: ElationChartId | None, kareo: KareoPatientId | None, origin: Origin) -> Event:
        now = datetime.now(UTC)
        return Event(
            id=event_id(self._practice, type(body).__name__, now, len(self.changes), encode_body(body)),
            practice=self._practice,
            origin=origin,
            observed=now,
            modified=now - timedelta(seconds=1),
            body=body,
            elation=elation,
            kareo=kareo,
        )

    # -- looking ------------------------------------------------------------------------------------------------------

    async def _folded(self) -> Replay:
        return await replayed(self._store, self._practice)

    async def _patient(self, kareo: KareoPatientId) -> Patient:
        return (await self._folded()).state.patients[f"K:{kareo}"]  # type: ignore[index]

    async def _pick(self, wanted: Callable[[Patient], bool]) -> tuple[ElationChart, KareoChart]:
        """Both charts of a patient that no scene has had yet."""
        patients = (await self._folded()).state.patients
        for key in sorted(patients):
            one = patients[key]
            if key not in self._used and one.elation and one.kareo and wanted(one):
                self._used.add(key)
                return one.elation.chart, one.kareo.chart
        raise LookupError("the day has no such patient left")


def _quiet(one: Patient) -> bool:
    """Linked and at rest."""
    return one.link is not None and not (one.link.suspended or one.intents or one.waiting)


def _stands(visit: Appointment) -> bool:
    """The appointment is in Elation as it is in Kareo."""
    return visit.elation is not None and not (visit.vanished or visit.cancelled or visit.deleted or visit.seen.cancelled)


def _twins(number: int, first: str) -> tuple[ElationChart, KareoChart]:
    """One new person in both systems."""
    here = ElationChart(
        id=ElationChartId(99_000_000 + number),
        first_name=first,
        middle_name="Q",
        last_name=f"Evening{'abcdefghij'[number]}",
        birth_date=date(1950 + number, 5, 6),
        sex="Female",
        address1=f"{number} Late Lane",
        address2="Rear",
        city="Silverpine",
        state="CO",
        zip="80101",
    )
    there = KareoChart(
        id=KareoPatientId(990_000 + number),
        first_name=here.first_name,
        middle_name=here.middle_name,
        last_name=here.last_name,
        birth_date=here.birth_date,
        sex=here.sex,
        ssn=f"90000000{number}",
        address1=here.address1,
        address2=here.address2,
        city=here.city,
        state=here.state,
        zip=here.zip,
        cases=(),
    )
    return here, there


def _bill(chart: ElationChartId) -> ElationBill:
    """A bill with something in every member; it cannot be sent as it is."""
    return ElationBill(
        id=4_990_001,
        patient=chart,
        visit_note=4_990_002,
        signed=True,
        note_deleted=True,
        deferred=True,
        status="Unbilled",
        service_day=date(2026, 3, 2),
        location=4_990_003,
        location_name="Annex",
        place_of_service="11",
        rendering_provider=4_990_004,
        supervising_provider=4_990_005,
        physician=4_990_006,
        lines=(BillLine(cpt="99213", modifiers=("25",), dxs=("I10",), units="1.0", unit_charge="99.00"),),
        notes="Late",
        prior_authorization="PA-1",
        ref_number="R-1",
        error="E-1",
    )


def _about(body: Body) -> tuple[ElationChartId | None, KareoPatientId | None, Origin, str]:
    """Whose an observation is, as its connector says it: the charts, the system, the record."""
    match body:
        case seen.ElationChartObserved(chart=chart):
            return chart.id, None, Origin.ELATION, str(chart.id)
        case seen.ElationChartMerged(chart=id_):
            return id_, None, Origin.ELATION, str(id_)
        case seen.BillObserved(bill=bill):
            return bill.patient, None, Origin.ELATION, str(bill.id)
        case seen.KareoAppointmentVanished(key=key, patient=patient):
            return None, patient, Origin.KAREO, key
        case seen.KareoDirectoryObserved():
            return None, None, Origin.KAREO, "directory"
        case seen.KareoChartObserved(chart=there):
            return None, there.id, Origin.KAREO, str(there.id)
        case seen.MessageUnreadable() | seen.ChangeQuarantined():
            return None, None, Origin.CHARTWIRE, type(body).__name__
    raise TypeError(type(body).__name__)
