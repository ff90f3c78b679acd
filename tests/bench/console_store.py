"""A store with many practices for the console to read: events and projections as the daemon stores them, of days that nobody played."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from daemon.config import Config, policy_of
from daemon.sandbox.clinic import Clinic
from daemon.tables import status
from daemon.tables.matching import MatchTables
from daemon.tables.unit_of_work import StoredProjections
from events.codec import Keyring
from events.codes import WaitCode
from events.ids import BillingPatientId, EhrChartId, PracticeId, event_id
from events.records import BillingAppointment, BillingChart, BillLine, EhrBill, EhrChart, Phone, type_of
from events.schema import (
    BillingAppointmentObserved,
    BillingChartObserved,
    BillObserved,
    Body,
    ChartLinked,
    EhrChartObserved,
    Event,
    Origin,
    WaitingRaised,
)
from events.slots import SlotKind, slot_of
from events.store import Store
from projections.deciding.batch import Batch
from projections.rules.wants import Moment
from projections.terms.policy import Policy
from tests.bench.material import chart
from tests.bench.table import progress
from tests.invented_names import COMMON, SYLLABLES, WOMEN

BIG = PracticeId("p0")
"""The practice in which everything waits."""

TOGETHER = 500
"""Patients of one transaction."""

VISITS_A_DAY = 40
"""Appointments of a practice on one day."""

ORIGINS = {
    EhrChartObserved: Origin.EHR,
    BillObserved: Origin.EHR,
    BillingChartObserved: Origin.BILLING,
    BillingAppointmentObserved: Origin.BILLING,
}
KINDS = (
    WaitCode.REFUSED,
    WaitCode.BILL_ERROR,
    WaitCode.CANDIDATES,
    WaitCode.FIELD_REQUIRED,
    WaitCode.NO_CALENDAR,
    WaitCode.DEFERRED,
)


@dataclass(frozen=True)
class Size:
    """So many practices and patients in all. The big practice has as many patients as items, the others share the rest."""

    practices: int
    patients: int
    items: int

    def of(self, practice: PracticeId) -> int:
        """The patients of a practice."""
        others = max(1, self.practices - 1)
        return self.items if practice == BIG else max(1, (self.patients - self.items) // others)


def configuration(folder: Path, size: Size, daemon: str, console: str, port: int) -> Path:
    """The file, with a key for each practice; vendors and Kafka are away."""
    made = Clinic(offices=1).write_config(
        folder, dsn=daemon, bootstrap_servers="127.0.0.1:9", listen="127.0.0.1:9", console=(console, f"127.0.0.1:{port}")
    )
    text = re.sub(
        r'^(base_url|wsdl|endpoint) = ".*"$', r'\1 = "https://vendor.example/"', made.read_text(), flags=re.MULTILINE
    )
    head, section = text.split("\n[[practice]]\n")
    sections = []
    for number in range(size.practices):
        name = PracticeId(f"p{number}")
        Keyring.create_key(folder / "keys", name)
        its = section.replace('id = "elm"', f'id = "{name}"')
        its = re.sub(r"practice_id = \d+", f"practice_id = {number + 1}", its)
        sections.append(re.sub(r"practice_name = .*", f'practice_name = "{name}"', its))
    made.write_text("\n[[practice]]\n".join((head, *sections)))
    return made


async def filled(store: Store, config: Config, size: Size) -> None:
    """All practices, as their owners would have left them."""
    for number, one in enumerate(config.practice):
        practice = PracticeId(one.id)
        epoch = await store.take_over(practice, "bench")
        async with store.pool.acquire() as connection, connection.transaction():
            await MatchTables(practice, store.keyring).ensure(connection)
        for first in range(1, size.of(practice) + 1, TOGETHER):
            patients = range(first, min(first + TOGETHER, size.of(practice) + 1))
            await _recorded(store, policy_of(one), epoch, patients, size)
        await status.save_reports(store.pool, {practice: (epoch, status.Report())})
        if number % 100 == 0:
            progress(f"console: {number + 1} practices filled")


async def _recorded(store: Store, policy: Policy, epoch: int, patients: range, size: Size) -> None:
    """One transaction: the events of these patients, and what they fold to."""
    now = datetime.now(UTC)
    stored = StoredProjections(policy.practice, store.keyring)
    async with store.writing(policy.practice, epoch) as tx:
        batch = Batch(policy.practice, await stored.state(tx), policy, Moment.at(now, policy.time_zone))
        for number in patients:
            for event in _events(policy.practice, number, now):
                batch.take(event)
        await tx.append(batch.events)
        await stored.save(tx, batch)


def _events(practice: PracticeId, number: int, now: datetime) -> Iterator[Event]:
    """One patient in both systems, linked, with an appointment, a bill and something that waits."""
    ehr, billing = EhrChartId(1_000_000 + number), BillingPatientId(number)
    waits = KINDS[number % len(KINDS)] if practice == BIG or number % 20 == 0 else None
    apart = waits is WaitCode.CANDIDATES
    for index, body in enumerate(_bodies(ehr, billing, number, now, waits)):
        if apart and isinstance(body, ChartLinked | BillObserved):
            continue
        alone = isinstance(body, EhrChartObserved | BillObserved)
        yield Event(
            id=event_id(practice, type_of(body), number, index),
            practice=practice,
            origin=ORIGINS.get(type(body), Origin.CHARTWIRE),
            observed=now - timedelta(days=1),
            body=body,
            ehr=ehr if alone or isinstance(body, ChartLinked) else None,
            billing=None if alone else billing,
        )


def _bodies(
    ehr: EhrChartId, billing: BillingPatientId, number: int, now: datetime, waits: WaitCode | None
) -> Iterator[Body]:
    there = person(number)
    yield BillingChartObserved(chart=there)
    yield EhrChartObserved(chart=_counterpart(ehr, number))
    yield ChartLinked(
        ehr=ehr, billing=billing, how="the same person", base={"city": there.city, "last_name": there.last_name}
    )
    day = now.replace(minute=0, second=0, microsecond=0) + timedelta(days=number // VISITS_A_DAY - 5, hours=number % 8 - 4)
    visit = BillingAppointment(
        key=str(number),
        id=number,
        patient=billing,
        start=day,
        minutes=20,
        reason="Annual physical",
        provider_name="Ada Grey",
    )
    yield BillingAppointmentObserved(appointment=visit)
    lines = (BillLine(cpt="99213", dxs=("I10",), units="1", unit_charge="120.00"),)
    service = date.today() - timedelta(days=number % 400)
    yield BillObserved(bill=EhrBill(id=number, patient=ehr, signed=True, service_day=service, lines=lines))
    if waits is not None:
        yield WaitingRaised(slot=_slot(waits, number), code=waits.value, text="What is to be done about it stands here.")


def _slot(code: WaitCode, number: int) -> str:
    if code in (WaitCode.BILL_ERROR, WaitCode.DEFERRED):
        return slot_of(SlotKind.BILL, number)
    return "chart" if code is WaitCode.CANDIDATES else "demographics:elation"


def person(number: int) -> BillingChart:
    """A patient with a name, birth date, phones and street of their own: what everybody shares would make duplicates of all."""
    pick, own = random.Random(number), number * 7_654_321 % 9_999_991
    rare = "".join(pick.choice(SYLLABLES) for _ in range(3)).capitalize()
    return replace(
        chart(number, 1),
        first_name=pick.choice(WOMEN),
        last_name=pick.choice(COMMON) if pick.random() < 0.35 else rare,
        birth_date=date(1930, 1, 1) + timedelta(days=pick.randrange(33_000)),
        home_phone=f"303{own:07}",
        mobile_phone=f"720{own:07}",
        email=f"patient{own}@mail.example",
        address1=f"{own % 9_973} {pick.choice(COMMON)} Street",
    )


def _counterpart(ehr: EhrChartId, number: int) -> EhrChart:
    there = person(number)
    return EhrChart(
        id=ehr,
        first_name=there.first_name,
        last_name=there.last_name,
        birth_date=there.birth_date,
        sex=there.sex,
        phones=(Phone(kind="Home", number=there.home_phone),),
        emails=(there.email,),
        address1=there.address1,
        city=there.city,
        state=there.state,
        zip=there.zip,
    )
