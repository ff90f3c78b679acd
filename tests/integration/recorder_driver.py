"""A practice's recorder on a real PostgreSQL, driven by hand: what a connector would publish, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from daemon.history.invariants import audit
from daemon.runtime.recorder import PracticeRecorder
from daemon.runtime.recording import Recording
from daemon.tables import documents as tables
from daemon.telemetry import Meter
from events.bookings import EhrAppointmentGone, EhrAppointmentObserved
from events.codec import Keyring
from events.commands import Command
from events.ids import BillingPatientId, Charts, EhrChartId, PatientKey, event_id
from events.records import (
    BillingAppointment,
    BillingCase,
    BillingChart,
    BillingPolicy,
    Carrier,
    EhrChart,
    Location,
    Plan,
    Provider,
    type_of,
)
from events.schema import (
    BillingAppointmentObserved,
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
    IntentSucceeded,
    Origin,
)
from events.store import Store
from events.topics import Change, Note
from events.writes import AnyResult
from projections.state.open_intents import OpenIntent
from projections.state.patient import Patient, decode_patient
from projections.terms.policy import Policy
from tests.conftest import PRACTICE
from tests.unit.records import (
    ADA,
    ADA_KEY,
    ADA_THERE,
    HOUSE,
    KAREO_LOCUM,
    KAREO_MAIN_STREET,
    MAIN_STREET,
    PHYSICIANS,
    PROVIDERS,
)

NOON = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
POLICY = Policy(practice=PRACTICE, default_physician=HOUSE)
LOCUM = Provider(id=19, first_name="Lou", last_name="Locum", npi="1000000020")
VISIT = BillingAppointment(
    key="61", id=61, patient=ADA_THERE.id, start=NOON + timedelta(days=3), minutes=15, reason="cough", provider=KAREO_LOCUM
)


class Crash(BaseException):
    """The process ends here."""


class RecorderDriver:
    """A recorder with a clock that is set by hand; `outcomes` is what it told its sinks."""

    def __init__(self, store: Store, keyring: Keyring, epoch: int, now: datetime = NOON) -> None:
        self.store = store
        self.now = now
        self.outcomes: list[Recording] = []
        self.listeners: list[Callable[[Recording], None]] = []
        self.crash = False
        self.meter = Meter()
        self.recorder = PracticeRecorder(
            store, keyring, POLICY, epoch, now=lambda: self.now, meter=self.meter, on_recorded=self._recorded
        )
        self._keyring = keyring
        self._number = 0

    def _recorded(self, outcome: Recording) -> None:
        if self.crash:
            raise Crash
        self.outcomes.append(outcome)
        for listener in self.listeners:
            listener(outcome)

    async def successor(self) -> RecorderDriver:
        """Another worker that has taken the practice over."""
        return RecorderDriver(self.store, self._keyring, await self.store.take_over(PRACTICE), self.now)

    def change(self, body: Body, *, notes: Sequence[Note] = ()) -> Change:
        """As a connector would publish it, a minute after the last."""
        self._number += 1
        self.now += timedelta(minutes=1)
        ehr: EhrChartId | None = None
        billing: BillingPatientId | None = None
        match body:
            case EhrChartObserved(chart=chart):
                ehr = chart.id
            case BillingChartObserved(chart=there):
                billing = there.id
            case BillingChartVanished(patient=patient):
                billing = patient
            case BillingAppointmentObserved(appointment=one):
                billing = one.patient
            case BillObserved(bill=bill):
                ehr = bill.patient
            case EhrAppointmentObserved(appointment=entered):
                ehr = entered.patient
            case EhrAppointmentGone(chart=left) | EhrChartMerged(chart=left) | EhrChartDeleted(chart=left):
                ehr = left
        event = Event(
            id=event_id(PRACTICE, type_of(body), self.now, self._number),
            practice=PRACTICE,
            origin=Origin.EHR if type_of(body).startswith("Elation") else Origin.BILLING,
            observed=self.now,
            body=body,
            ehr=ehr,
            billing=billing,
        )
        return Change(practice=PRACTICE, event=event, notes=tuple(notes))

    async def see(self, *bodies: Body) -> None:
        await self.recorder.record_messages([self.change(body) for body in bodies])

    async def open(
        self, physicians: tuple[Provider, ...] = PHYSICIANS, carriers: tuple[Carrier, ...] = (), plans: tuple[Plan, ...] = ()
    ) -> None:
        """The directories are read; nothing is decided before."""
        await self.see(
            elation_directory(physicians, carriers, plans),
            BillingDirectoryObserved(providers=PROVIDERS, locations=(Location(id=KAREO_MAIN_STREET, name="Main Street"),)),
        )

    async def link(self, chart: EhrChart = ADA, there: BillingChart = ADA_THERE) -> None:
        await self.see(BillingChartObserved(chart=there), EhrChartObserved(chart=hinted(chart, there)))

    async def succeed(self, slot: str, result: AnyResult, key: PatientKey = ADA_KEY, *, crash: bool = False) -> None:
        """The open intent of `slot` is attempted and done, as its sink records it; with `crash` that is the last thing done."""
        open_ = (await self.intents(key))[slot]
        billing = BillingPatientId(int(key[2:])) if key else None
        attempted = IntentAttempted(intent=open_.intent, slot=slot, attempt=1, epoch=self.recorder.epoch)
        succeeded = IntentSucceeded(intent=open_.intent, slot=slot, attempt=1, result=result)
        await self.recorder.record_bodies([attempted], ehr=None, billing=billing, cause=open_.cause, parts=(open_.intent, 1))
        self.crash = crash
        await self.recorder.record_bodies([succeeded], ehr=None, billing=billing, cause=open_.cause, parts=(open_.intent, 1))

    # -- looking ------------------------------------------------------------------------------------------------------

    async def patient(self, key: PatientKey = ADA_KEY) -> Patient:
        stored = await tables.load_patients(self.store.pool, PRACTICE, [key], self._keyring)
        return decode_patient(stored[key][1])

    async def intents(self, key: PatientKey = ADA_KEY) -> dict[str, OpenIntent]:
        if key:
            return (await self.patient(key)).intents
        return (await audit(self.store, POLICY)).directory.intents

    async def waiting(self) -> dict[str, str]:
        """The practice's own waiting items: slot to code, as the database lists them."""
        rows = await self.store.pool.fetch(
            "SELECT slot, code FROM chartwire.waiting WHERE practice = $1 AND patient_key = ''", PRACTICE
        )
        return {row["slot"]: row["code"] for row in rows}

    async def bodies(self) -> list[Body]:
        return [one.event.body async for one in self.store.read(PRACTICE)]

    async def sound(self) -> None:
        """Every invariant that events and projections can tell, replay byte for byte included (I7)."""
        assert (await audit(self.store, POLICY)).broken == {}


def hinted(chart: EhrChart, there: BillingChart) -> EhrChart:
    return replace(chart, link_hint=f"kareo-patient:{there.id}")


def elation_directory(
    physicians: tuple[Provider, ...] = PHYSICIANS, carriers: tuple[Carrier, ...] = (), plans: tuple[Plan, ...] = ()
) -> EhrDirectoryObserved:
    places = (Location(id=MAIN_STREET, name="Main Street", place_of_service="11"),)
    return EhrDirectoryObserved(providers=physicians, locations=places, carriers=carriers, plans=plans)


def insured(*policies: BillingPolicy) -> BillingChart:
    return replace(ADA_THERE, cases=(BillingCase(id=71, name="Primary", is_primary=True, policies=policies),))


async def everything(store: Store) -> dict[str, list[Any]]:
    """All that the database holds, but what is sealed anew and what is stamped anew each time."""
    passing = ("doc", "seen_at", "updated_at")
    found: dict[str, list[Any]] = {}
    for table in ("event", "patient", "chart", "link", "open_intent", "waiting", "dependency", "observed", "checkpoint"):
        rows = await store.pool.fetch(f"SELECT * FROM chartwire.{table}")
        found[table] = sorted(repr({name: row[name] for name in row.keys() if name not in passing}) for row in rows)  # noqa: SIM118
    return found


def ehr(number: int, **changes: object) -> EhrChartObserved:
    """Ada's chart under another number, with these changes."""
    return EhrChartObserved(chart=replace(ADA, id=EhrChartId(number), **changes))


def billing(number: int, **changes: object) -> BillingChartObserved:
    """The same on the billing side."""
    return BillingChartObserved(chart=replace(ADA_THERE, id=BillingPatientId(number), **changes))


async def opened(store: Store, keyring: Keyring) -> RecorderDriver:
    """The practice's owner, once the directories were read."""
    desk = RecorderDriver(store, keyring, await store.take_over(PRACTICE))
    await desk.open()
    return desk


async def ask(desk: RecorderDriver, body: Command, charts: Charts) -> str:
    """A command; the code of its refusal, "" for none."""
    desk.now += timedelta(minutes=1)
    event = Event(
        id=event_id(PRACTICE, type_of(body), desk.now),
        practice=PRACTICE,
        origin=Origin.OPERATOR,
        observed=desk.now,
        body=body,
        ehr=charts.ehr,
        billing=charts.billing,
    )
    before = len(await desk.bodies())
    await desk.recorder.record_messages([Change(practice=PRACTICE, event=event)])
    refused = [one for one in (await desk.bodies())[before:] if isinstance(one, CommandRefused)]
    return refused[0].code if refused else ""
