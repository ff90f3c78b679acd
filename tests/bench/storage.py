"""Append, rebuild and history against their limits in PostgreSQL and against `eventsourcing`."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
from collections.abc import AsyncIterator, Iterator, Sequence
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

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
from tests.bench.rounds import in_turns, interleaved, order, repeated
from tests.bench.table import Clock, Line, quantile

BATCH = 500
PATIENCE = 60.0
HISTORIES = 400
"""Patients whose history is read in a round."""


def batches(events: Iterator[Event], size: int = BATCH) -> Iterator[list[Event]]:
    while batch := list(itertools.islice(events, size)):
        yield batch


async def append(store: Store, owner: PracticeId, events: Iterator[Event]) -> AsyncIterator[float]:
    """Seconds of each batch of our own append: idempotent, encrypted, chained, fenced, fsync on."""
    epoch = await store.take_over(owner)
    for batch in batches(events):
        clock = Clock()
        async with store.writing(owner, epoch) as tx:
            await tx.append(batch)
        yield clock.lap()


async def copy(dsn: str, owner: PracticeId, events: Iterator[Event], ring: Keyring) -> AsyncIterator[float]:
    """The limit: COPY of finished rows into the same table with the same indexes, in the same batches."""
    connection, sequence, chain = await asyncpg.connect(dsn), 0, GENESIS
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
            yield clock.lap()
    finally:
        await connection.close()


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


async def save(peer: Peer, events: Iterator[Any]) -> AsyncIterator[float]:
    """Seconds of each batch of the library's batched save."""
    while batch := list(itertools.islice(events, BATCH)):
        clock = Clock()
        peer.save(batch)
        yield clock.lap()


def rebuild_one(dsn: str, folder: str, owner: PracticeId) -> float:
    """A whole practice read, decrypted, decoded and folded: seconds from when all processes are ready."""

    async def work() -> float:
        store = await Store.open(dsn, Keyring.from_directory(Path(folder)), max_size=1)
        try:
            _together.wait(PATIENCE)
            clock = Clock()
            await replayed(store, owner)
            return clock.lap()
        finally:
            await store.close()

    return asyncio.run(work())


_together: Barrier


def _join(together: Barrier) -> None:
    global _together
    _together = together


def _in_processes(dsn: str, keys: Path, owners: Sequence[PracticeId]) -> float:
    """Seconds of the slowest, each in a process of its own, all beginning at once (starting them does not count)."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(len(owners), _join, (context.Barrier(len(owners)),)) as pool:
        return max(pool.starmap(rebuild_one, [(dsn, str(keys), owner) for owner in owners], chunksize=1))


async def storage(server: EmbeddedPostgres, folder: Path, patients: int, each: int, rounds: int) -> list[Line]:
    """Append, rebuild and one patient's history; each round has databases of its own."""
    ring = material.keyring(folder / "keys", 2)

    async def work(number: int) -> list[Line]:
        names = [f"storage_{name}_{number}" for name in ("ours", "copy", "peers")]
        async with material.databases(server, names) as dsns:
            return await Round(server, folder / "keys", ring, dsns, number, patients, each).lines()

    return await repeated(f"storage, {patients * each} events of {material.size()} bytes", rounds, work)


class Round:
    """The sides of one round, on the same events."""

    def __init__(
        self, server: EmbeddedPostgres, keys: Path, ring: Keyring, dsns: Sequence[str], number: int, patients: int, each: int
    ) -> None:
        self._server = server
        self._keys = keys
        self._ring = ring
        self._ours, self._copy, self._peers = dsns
        self._number = number
        self._patients = patients
        self._each = each
        self._owner = material.practice(0)

    async def lines(self) -> list[Line]:
        store, peer = await material.opened(self._ours, self._ring), Peer(self._peers)
        try:
            lines = await self._appends(store, peer)
            lines += await self._rebuilds(store, peer)
            return lines + await self._histories(store, peer)
        finally:
            peer.close()
            await store.close()

    def _events(self, owner: PracticeId) -> Iterator[Event]:
        return material.events(owner, self._patients, self._each)

    async def _appends(self, store: Store, peer: Peer) -> list[Line]:
        await material.settle(self._server)
        took = await in_turns(
            self._number,
            {
                "ours": append(store, self._owner, self._events(self._owner)),
                "limit": copy(self._copy, self._owner, self._events(self._owner), self._ring),
                "theirs": save(peer, peer.events(self._patients, self._each, material.as_json)),
            },
        )
        rate = self._patients * self._each / took["ours"]
        return [
            Line(subject="append", what="idempotent, encrypted, chained: events", rounds=(rate,), unit="1/s"),
            Line(subject="append", what="ratio to COPY of finished rows", rounds=(took["limit"] / took["ours"],), unit="x", aim=0.6),
            Line(subject="append", what="ratio to eventsourcing's batched save", rounds=(took["theirs"] / took["ours"],), unit="x", aim=5.0),
        ]  # fmt: skip

    async def _rebuilds(self, store: Store, peer: Peer) -> list[Line]:
        second = material.practice(1)
        async for _ in append(store, second, self._events(second)):
            pass
        await material.analyze(self._ours, "chartwire.event")
        await material.analyze(self._peers, "stored_events")
        await material.settle(self._server)

        async def ours() -> float:
            return await asyncio.to_thread(_in_processes, self._ours, self._keys, [self._owner])

        async def both() -> float:
            return await asyncio.to_thread(_in_processes, self._ours, self._keys, [self._owner, second])

        async def limit() -> float:
            return await cursor(self._ours, self._owner, plain_body())

        async def theirs() -> float:
            clock = Clock()
            peer.replay()
            return clock.lap()

        took = await interleaved(self._number, {"limit": limit, "both": both, "ours": ours, "theirs": theirs})
        rate = self._patients * self._each / took["ours"]
        speedup = 2 * took["ours"] / took["both"]
        return [
            Line(subject="rebuild", what="read, decrypt, decode, fold: events", rounds=(rate,), unit="1/s"),
            Line(subject="rebuild", what="ratio to cursor + msgspec decode", rounds=(took["limit"] / took["ours"],), unit="x", aim=0.5),
            Line(subject="rebuild", what="ratio to eventsourcing's notification replay (without a fold)", rounds=(took["theirs"] / took["ours"],), unit="x", aim=2.0),
            Line(subject="rebuild", what=f"two practices on two of {material.CORES} cores: speed-up", rounds=(speedup,), unit="x", aim=1.6),
        ]  # fmt: skip

    async def _histories(self, store: Store, peer: Peer) -> list[Line]:
        times: dict[str, list[float]] = {"ours": [], "theirs": []}
        for patient in range(1, min(self._patients, HISTORIES) + 1):

            async def ours(patient: int = patient) -> int:
                return len(await patient_events(store, self._owner, billing=[patient]))

            async def theirs(patient: int = patient) -> int:
                return int(peer.get(patient).version)

            for side in order(self._number + patient, ["ours", "theirs"]):
                clock = Clock()
                found = await (ours() if side == "ours" else theirs())
                times[side].append(clock.lap())
                assert found == self._each, (side, found)
        mine, other = (quantile(times[side], 0.99) * 1000 for side in ("ours", "theirs"))
        return [
            Line(subject="history", what=f"one patient's {self._each} events, in-process: p99", rounds=(mine,), unit="ms", aim=5.0, more=False),
            Line(subject="history", what="ratio to eventsourcing's repository.get (p99)", rounds=(mine / other,), unit="x", aim=1 / 3, more=False),
        ]  # fmt: skip
