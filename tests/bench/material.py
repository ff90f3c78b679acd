"""What the benchmarks work on: events of about 525 bytes, and a server to keep them in."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import msgspec

from daemon.demo.embedded import EmbeddedPostgres
from events.codec import Keyring, encode_body
from events.ids import BillingPatientId, PatientKey, PracticeId, event_id
from events.migrate import migrate
from events.records import BillingCase, BillingChart, BillingPolicy
from events.schema import BillingChartObserved, Event, Origin
from events.store import Store

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
FILLING = "seen by phone, prefers the afternoon; "


def practice(number: int) -> PracticeId:
    return PracticeId(f"bench-{number}")


def chart(patient: int, version: int) -> BillingChart:
    """A patient as Kareo shows them, another address each time; encoded about 525 bytes."""
    policy = BillingPolicy(id=7_000_000 + patient, number=f"POL{patient:09d}", plan_name="PPO Gold", plan_id="77")
    return BillingChart(
        id=BillingPatientId(patient),
        first_name=f"Given{patient}",
        last_name=f"Family{patient % 997}",
        birth_date=START.date() - timedelta(days=7000 + patient % 20000),
        sex="Female",
        home_phone="3035550100",
        mobile_phone="3035550101",
        email=f"patient{patient}@mail.example",
        address1=f"{version} Juniper Terrace",
        address2=FILLING * 4,
        city="Silverpine",
        state="CO",
        zip="80301",
        cases=(BillingCase(id=patient, name="Primary", is_primary=True, policies=(policy,)),),
    )


def event(owner: PracticeId, patient: int, version: int) -> Event:
    seen = chart(patient, version)
    return Event(
        id=event_id(owner, "bench", patient, version),
        practice=owner,
        origin=Origin.BILLING,
        observed=START + timedelta(seconds=patient + 3 * version),
        body=BillingChartObserved(chart=seen),
        billing=seen.id,
        patient=PatientKey(f"K:{patient}"),
    )


def events(owner: PracticeId, patients: int, each: int) -> Iterator[Event]:
    """`each` events of every patient, interleaved as a practice's are."""
    for version in range(each):
        for patient in range(1, patients + 1):
            yield event(owner, patient, version)


def size() -> int:
    return len(encode_body(event(practice(0), 1500, 50).body))


def as_json(record: object) -> str:
    return msgspec.json.encode(record).decode()


def keyring(folder: Path, practices: int) -> Keyring:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(practices):
        Keyring.create_key(folder, practice(number))
    return Keyring.from_directory(folder)


async def database(server: EmbeddedPostgres, name: str) -> str:
    """A migrated database; returns the dsn of its owner."""
    dsn = await server.create_database(name)
    await migrate(dsn)
    return dsn


@asynccontextmanager
async def databases(server: EmbeddedPostgres, names: Sequence[str]) -> AsyncIterator[list[str]]:
    """Migrated databases for one round, which are dropped after it."""
    try:
        yield [await database(server, name) for name in names]
    finally:
        await _execute(server.dsn(), *(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)' for name in names))


async def settle(server: EmbeddedPostgres) -> None:
    """Write out what came before, so that no side pays for another's dirty pages."""
    await _execute(server.dsn(), "CHECKPOINT")


async def analyze(dsn: str, table: str) -> None:
    await _execute(dsn, f"VACUUM ANALYZE {table}")


async def _execute(dsn: str, *statements: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def opened(dsn: str, ring: Keyring) -> Store:
    return await Store.open(dsn, ring, max_size=4)


CORES = os.cpu_count() or 1
