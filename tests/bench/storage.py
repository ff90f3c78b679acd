"""Append, rebuild and history against their limits in PostgreSQL and against `eventsourcing`."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import asyncpg
import msgspec

from daemon.demo.embedded import EmbeddedPostgres
from daemon.history.events_of import patient_events
from daemon.history.fold import replayed
from events.chain import GENESIS, link
from events.codec import Keyring, seal_event
from events.ids import PracticeId
from events.schema import BillingChartObserved, Event
from events.store import COLUMNS, Store
from tests.bench import material
from tests.bench.peers import Peer
from tests.bench.table import Clock, Line, progress, quantile

BATCH = 500


def batches(events: Iterator[Event], size: int = BATCH) -> Iterator[list[Event]]:
    while batch := list(itertools.islice(events, size)):
        yield batch


async def append(store: Store, owner: PracticeId, events: Iterator[Event]) -> float:
    """Seconds that our own append takes: idempotent, encrypted, chained, fenced, fsync on."""
    epoch, seconds = await store.take_over(owner), 0.0
    for batch in batches(events):
        clock = Clock()
        async with store.writing(owner, epoch) as tx:
            await tx.append(batch)
        seconds += clock.lap()
    return seconds


async def copy(dsn: str, owner: PracticeId, events: Iterator[Event], ring: Keyring) -> float:
    """The limit: COPY of finished rows into the same table with the same indexes, in the same batches."""
    connection, seconds, sequence, chain = await asyncpg.connect(dsn), 0.0, 0, GENESIS
    try:
        for batch in batches(events):
            rows = []
            for one in batch:
                sequence += 1
                version, key, body = seal_event(one, ring)
                row = (
                    owner, sequence, one.id, one.type, version, one.origin.value, one.patient, one.ehr, one.billing, one.observed,
                    one.modified, one.observed, one.cause, one.correlation, key, body, 1,
                )  # fmt: skip
                chain = link(chain, row)
                rows.append((*row, chain))
            clock = Clock()
            await connection.copy_records_to_table("event", schema_name="chartwire", columns=COLUMNS, records=rows)
            seconds += clock.lap()
    finally:
        await connection.close()
    return seconds


async def cursor(dsn: str, owner: PracticeId, body: bytes) -> float:
    """The limit of reading: a server-side cursor over the same rows, and msgspec decoding a body for each."""
    connection, decoder = await asyncpg.connect(dsn), msgspec.msgpack.Decoder(BillingChartObserved)
    clock = Clock()
    try:
        async with connection.transaction():
            query = "SELECT * FROM chartwire.event WHERE practice = $1 ORDER BY sequence"
            async for row in connection.cursor(query, owner, prefetch=1000):
                _ = row["body"]
                decoder.decode(body)
    finally:
        await connection.close()
    return clock.lap()


def plain_body() -> bytes:
    return msgspec.msgpack.encode(BillingChartObserved(chart=material.chart(1500, 50)))


def rebuild_one(dsn: str, folder: str, owner: PracticeId) -> float:
    """A whole practice read, decrypted, decoded and folded: seconds."""

    async def work() -> float:
        store = await Store.open(dsn, Keyring.from_directory(Path(folder)), max_size=1)
        try:
            clock = Clock()
            await replayed(store, owner)
            return clock.lap()
        finally:
            await store.close()

    return asyncio.run(work())


async def storage(server: EmbeddedPostgres, folder: Path, patients: int, each: int) -> list[Line]:
    """Append, rebuild and one patient's history."""
    count = patients * each
    ring = material.keyring(folder / "keys", 2)
    ours, limit, peers = [await material.database(server, f"storage_{name}") for name in ("ours", "copy", "peers")]
    owner, second = material.practice(0), material.practice(1)
    store = await material.opened(ours, ring)
    progress(f"append: {count} events of {material.size()} bytes")
    append_seconds = await append(store, owner, material.events(owner, patients, each))
    copy_seconds = await copy(limit, owner, material.events(owner, patients, each), ring)
    peer = Peer(peers)
    encode = lambda record: msgspec.json.encode(record).decode()  # noqa: E731
    peer_seconds = 0.0
    stream = peer.events(patients, each, encode)
    while batch := list(itertools.islice(stream, BATCH)):
        clock = Clock()
        peer.save(batch)
        peer_seconds += clock.lap()
    lines = [
        Line(subject="append", what="idempotent, encrypted, chained: events", value=count / append_seconds, unit="1/s"),
        Line(
            subject="append", what="ratio to COPY of finished rows", value=copy_seconds / append_seconds, unit="x", aim=0.6
        ),
        Line(
            subject="append",
            what="ratio to eventsourcing's batched save",
            value=peer_seconds / append_seconds,
            unit="x",
            aim=5.0,
        ),
    ]
    progress("rebuild")
    await append(store, second, material.events(second, patients, each))
    await _analyze(ours, "chartwire.event")
    await _analyze(peers, "stored_events")
    cursor_seconds = await cursor(ours, owner, plain_body())
    fold_seconds = await asyncio.to_thread(_in_processes, ours, folder / "keys", [owner])
    clock = Clock()
    peer.replay()
    replay_seconds = clock.lap()
    both = await asyncio.to_thread(_in_processes, ours, folder / "keys", [owner, second])
    lines += [
        Line(subject="rebuild", what="read, decrypt, decode, fold: events", value=count / fold_seconds, unit="1/s"),
        Line(
            subject="rebuild",
            what="ratio to cursor + msgspec decode",
            value=cursor_seconds / fold_seconds,
            unit="x",
            aim=0.5,
        ),
        Line(
            subject="rebuild",
            what="ratio to eventsourcing's notification replay (without a fold)",
            value=replay_seconds / fold_seconds,
            unit="x",
            aim=2.0,
        ),
        Line(
            subject="rebuild",
            what=f"two practices on two of {material.CORES} cores: speed-up",
            value=2 * fold_seconds / both,
            unit="x",
            aim=1.6,
        ),
    ]
    progress("history of one patient")
    lines += await _histories(store, owner, peer, patients)
    peer.close()
    await store.close()
    return lines


async def _analyze(dsn: str, table: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(f"VACUUM ANALYZE {table}")
    await connection.close()


def _in_processes(dsn: str, keys: Path, owners: Sequence[PracticeId]) -> float:
    """Seconds of the slowest, each in a process of its own (starting it does not count)."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(len(owners)) as pool:
        return max(pool.starmap(rebuild_one, [(dsn, str(keys), owner) for owner in owners], chunksize=1))


async def _histories(store: Store, owner: PracticeId, peer: Peer, patients: int) -> list[Line]:
    ours, theirs = [], []
    for number in range(1, min(patients, 400) + 1):
        began = time.perf_counter()
        found = await patient_events(store, owner, billing=[number])
        ours.append(time.perf_counter() - began)
        assert found
        began = time.perf_counter()
        peer.get(number)
        theirs.append(time.perf_counter() - began)
    mine, other = quantile(ours, 0.99) * 1000, quantile(theirs, 0.99) * 1000
    return [
        Line(
            subject="history",
            what=f"one patient's {len(found)} events, in-process: p99",
            value=mine,
            unit="ms",
            aim=5.0,
            more=False,
        ),
        Line(
            subject="history",
            what="ratio to eventsourcing's repository.get (p99)",
            value=mine / other,
            unit="x",
            aim=1 / 3,
            more=False,
        ),
    ]


async def flat(server: EmbeddedPostgres, folder: Path, steps: Sequence[int], patients: int) -> list[Line]:
    """Cost per event as the store grows: append of the last tenth of each step, one history, the whole rebuild."""
    ring, owner = material.keyring(folder / "keys", 1), material.practice(0)
    dsn = await material.database(server, "flat")
    store = await material.opened(dsn, ring)
    epoch = await store.take_over(owner)
    events = material.events(owner, patients, max(steps) // patients + 1)
    done, costs = 0, []
    for step in steps:
        progress(f"flat: up to {step} events")
        spent: list[float] = []
        while done < step:
            batch = list(itertools.islice(events, BATCH))
            clock = Clock()
            async with store.writing(owner, epoch) as tx:
                await tx.append(batch)
            spent.append(clock.lap() / len(batch))
            done += len(batch)
        last = sorted(spent[-max(10, min(len(spent) // 10, 100)) :])
        await _analyze(dsn, "chartwire.event")
        clock = Clock()
        await replayed(store, owner)
        rebuild = clock.lap() / done
        times = []
        for number in range(1, min(patients, 200) + 1):
            clock = Clock()
            found = await patient_events(store, owner, billing=[number])
            times.append(clock.lap() / len(found))
        costs.append((last[len(last) // 2], quantile(times, 0.5), rebuild))
    await store.close()
    names = ("append", "history", "rebuild")
    return [
        Line(
            subject="flat",
            what=f"{name}: cost per event at {steps[-1]} events against {steps[0]}",
            value=costs[-1][index] / costs[0][index],
            unit="x",
            aim=1.2,
            more=False,
        )
        for index, name in enumerate(names)
    ]
