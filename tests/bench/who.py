"""`python -m tests.bench.who`: duplicates within one system, and a live search, on an invented practice in PostgreSQL.

Aims: all duplicates of 50,000 charts under 30 s, a look again at what changed far below that; a live search at
100,000 charts under 5 ms at p99 beside one indexed read.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from daemon.demo.embedded import EmbeddedPostgres
from daemon.operator.duplicates import _ChartsRead, find_duplicates
from daemon.tables import documents, matching
from daemon.tables.documents import PatientRow
from daemon.tables.hashes import hashes_of
from daemon.tables.matching import MatchTables
from events.codec import Keyring
from events.ids import BillingPatientId, PracticeId, billing_key
from events.migrate import migrate
from events.records import BillingChart
from events.store import Store
from events.writes import System
from projections.matching import Person, normalize, pair_of
from projections.state.patient import BillingSide, Patient, decode_patient, encode_patient
from projections.terms.policy import Policy
from tests.matching.town import town

PRACTICE = PracticeId("elm")
NOW = datetime(2026, 3, 2, 17, tzinfo=UTC)
SEARCHES = 300
CHANGED = 50
TOGETHER = 2_000


def patient(number: int, one: Person) -> Patient:
    """A patient of the billing system, as it is stored once it was read."""
    phones = (*one.phones, "", "")
    chart = BillingChart(
        id=BillingPatientId(number),
        first_name=one.first_name,
        middle_name=one.middle_name,
        last_name=" ".join(filter(None, (one.last_name, one.suffix))),
        birth_date=one.birth_date,
        sex=one.sex,
        address1=one.address1,
        address2=one.address2,
        city=one.city,
        state=one.state,
        zip=one.zip,
        home_phone=phones[0],
        mobile_phone=phones[1],
        email=one.email,
        ssn=one.ssn,
    )
    return Patient(key=billing_key(chart.id), billing=BillingSide(chart=chart, read_at=NOW))


async def filled(store: Store, people: list[Patient]) -> None:
    """The documents and what charts are found by, as the practice's owner would have left them."""
    hashes = hashes_of(store.keyring, PRACTICE)
    async with store.pool.acquire() as connection, connection.transaction():
        for start in range(0, len(people), TOGETHER):
            rows = [PatientRow(key=one.key, sequence=1, doc=encode_patient(one)) for one in people[start : start + TOGETHER]]
            await documents.save_patients(connection, PRACTICE, rows, store.keyring)
        await matching.replace_all(connection, PRACTICE, matching.rows_of(people, hashes))
    for table in ("match_key", "match_count", "patient"):  # as autovacuum leaves them
        await store.pool.execute(f"VACUUM ANALYZE chartwire.{table}")


async def timed(work: Callable[[], Awaitable[object]]) -> tuple[float, object]:
    began = time.perf_counter()
    found = await work()
    return time.perf_counter() - began, found


async def search(store: Store, tables: MatchTables, one: Person) -> int:
    """Who of the practice may be this person."""

    async def read(charts: Iterable[int]) -> list[Patient]:
        keys = [billing_key(BillingPatientId(chart)) for chart in charts]
        loaded = await documents.load_patients(store.pool, PRACTICE, keys, store.keyring)
        return [decode_patient(doc) for _, doc in loaded.values()]

    mine = normalize(one)
    people, frequencies = await tables.search_so_far(store.pool, System.BILLING, mine, read)
    return sum(pair_of(mine, other, frequencies) is not None for other in people.values())


async def practice_of(store: Store, charts: int) -> tuple[list[Person], int]:
    """Fill the practice; people who are looked for, and how many charts there are.

    No daemon holds a practice's charts in memory: they are gone when this returns.
    """
    lists = town(charts, seed=7, judging=True)
    people = [patient(number, one) for number, one in enumerate(lists.left, start=1)]
    seconds, _ = await timed(lambda: filled(store, people))
    print(f"{len(people)} charts filled in {seconds:.1f} s", flush=True)
    return lists.right[:SEARCHES], len(people)


async def run(charts: int) -> None:
    with tempfile.TemporaryDirectory(prefix="chartwire-bench-") as folder:
        Keyring.create_key(Path(folder), PRACTICE)
        keyring = Keyring.from_directory(Path(folder))
        async with EmbeddedPostgres() as server:
            dsn = await server.create_database("who")
            await migrate(dsn)
            store = await Store.open(dsn, keyring)
            try:
                await store.take_over(PRACTICE)
                strangers, count = await practice_of(store, charts)
                gc.collect()
                gc.freeze()  # as the daemon does
                await measured(store, strangers, count)
            finally:
                await store.close()


async def measured(store: Store, strangers: list[Person], charts: int) -> None:
    policy = Policy(practice=PRACTICE)
    seconds, found = await timed(lambda: find_duplicates(store, policy, afresh=True))
    print(f"all duplicates: {seconds:.1f} s, {len(found.pairs)} pairs", flush=True)  # type: ignore[attr-defined]
    looking = _ChartsRead(store, PRACTICE)
    changed = [(System.BILLING, 1 + number * (charts // CHANGED)) for number in range(CHANGED)]
    seconds, _ = await timed(lambda: looking._of(changed))
    print(f"of {CHANGED} changed charts: {seconds:.2f} s")
    tables = MatchTables(PRACTICE, store.keyring)
    searches, reads = [], []
    for number, one in enumerate(strangers):
        searches.append((await timed(lambda one=one: search(store, tables, one)))[0])  # type: ignore[misc]
        key = billing_key(BillingPatientId(1 + number))
        reads.append((await timed(lambda key=key: documents.load_patients(store.pool, PRACTICE, [key], store.keyring)))[0])  # type: ignore[misc]
    for name, each in (("a live search", searches), ("one indexed read", reads)):
        cuts = statistics.quantiles(each, n=100)
        print(f"{name}: median {statistics.median(each) * 1000:.2f} ms, p99 {cuts[98] * 1000:.2f} ms")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.who", description=__doc__)
    parser.add_argument("--charts", type=int, default=50_000, help="of the practice (50000)")
    asyncio.run(run(parser.parse_args().charts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
