"""The event store: idempotent append, a gap-free sequence per practice, one writer per practice, reading and following.

The writer locks its practice's head row for the length of a transaction, so sequences are handed out in the order of
commit: a reader that has seen sequence n has seen everything before it. The epoch in the head row fences: whoever takes a
practice over raises it, and the writer of an older epoch is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncIterator,
    Collection,
    Container,
    Sequence,
)
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import datetime
from typing import Any, NamedTuple

import asyncpg

from events import queries
from events.chain import COVERED, GENESIS, link
from events.codec import open_body, seal_event
from events.connection import Batches, Connection, ConnectionPool, ReadRows, Row, pages
from events.data_keys import read_keys
from events.formats import FORMAT
from events.ids import EventId, PracticeId
from events.keys import Keyring, UnreadableEvent
from events.pool import AWAY as AWAY
from events.pool import open_pool
from events.schema import Event, Origin, Recorded

_SQL = queries.load("heads", "events", "keys")
CHANNEL = "chartwire_recorded"
COLUMNS = (*COVERED, "chain")
ALL = 2**62
BATCH = 2000
ORIGINS = {one.value: one for one in Origin}


BLAMING = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)
"""What PostgreSQL says of what it was given: a value that it cannot hold, a rule that is broken, too much of something."""


def is_to_blame(error: Exception) -> bool:
    """Whether what was to be recorded is to blame. PostgreSQL's other troubles (a revoked right, say) are the server's, whatever is
    recorded; they pass once somebody puts them right."""
    return not isinstance(error, (*AWAY, asyncpg.PostgresError)) or isinstance(error, BLAMING)


class Head(NamedTuple):
    """How far a practice has come, in which epoch, and the last link of its chain."""

    sequence: int
    epoch: int
    chain: bytes | None


class Fenced(Exception):
    """Another writer has taken this practice over: stop everything about it."""

    def __init__(self, practice: PracticeId) -> None:
        super().__init__(f"practice {practice} has another owner")
        self.practice = practice


def fence(practice: PracticeId, current: int | None, mine: int) -> None:
    """The check itself. Raises Fenced when the practice's current epoch is not the caller's."""
    if current != mine:
        raise Fenced(practice)


class Transaction:
    """One recording under way; see `Store.writing`. `sequence` is the last one handed out, `chain` its link.

    `rebuilt` counts how often the projections were rebuilt beside their owner.
    """

    def __init__(
        self,
        connection: Connection,
        keyring: Keyring,
        practice: PracticeId,
        epoch: int,
        sequence: int,
        chain: bytes,
        rebuilt: int = 0,
    ) -> None:
        self.connection = connection
        self.practice = practice
        self.epoch = epoch
        self.sequence = sequence
        self.chain = chain
        self.rebuilt = rebuilt
        self._keyring = keyring

    async def known(self, ids: Collection[EventId]) -> set[EventId]:
        """Which of these events are stored already."""
        if not ids:
            return set()
        rows = await self.connection.fetch(_SQL["known"], self.practice, list(ids))
        return {EventId(row["event_id"]) for row in rows}

    async def read_one(self, id_: EventId) -> Recorded | None:
        """A stored event by its id."""
        row = await self.connection.fetchrow(_SQL["read_one"], self.practice, id_)
        return None if row is None else open_row(row, self._keyring)

    async def append(self, events: Sequence[Event]) -> list[Recorded]:
        """Append in order what is not stored yet (repeats in `events` count once); returns it with its sequences.

        Raises ValueError for an event of another practice: it would take a number of a stream that is not its own (I11).
        """
        if any(event.practice != self.practice for event in events):
            raise ValueError(f"an event of another practice was to be recorded for {self.practice}")
        if not events:
            return []
        stamping = asyncio.ensure_future(
            self.connection.fetchrow(_SQL["stamp"], self.practice, [event.id for event in events])
        )
        try:
            await asyncio.sleep(0)  # the question is on its way: bodies are sealed while the database looks
            sealed = [seal_event(event, self._keyring) for event in events]
        finally:
            stamp = await stamping
        now, known = stamp["now"], set(stamp["known"])
        recorded: list[Recorded] = []
        rows: list[tuple[object, ...]] = []
        for event, body in zip(events, sealed, strict=True):
            if event.id not in known:
                known.add(event.id)
                rows.append(self._next_row(event, body, now))
                recorded.append(Recorded(sequence=self.sequence, recorded=now, event=event))
        if rows:
            await self.connection.copy_records_to_table("event", schema_name="chartwire", columns=COLUMNS, records=rows)
            await self.connection.execute(_SQL["advance_head"], self.practice, self.sequence, self.chain, CHANNEL)
        return recorded

    def _next_row(self, event: Event, sealed: tuple[int, str, bytes], now: datetime) -> tuple[object, ...]:
        """The row of the event that follows on the last one; `sealed` are the body's version and key, and the body."""
        version, key_id, body = sealed
        self.sequence += 1
        row = (
            event.practice, self.sequence, event.id, event.type, version, event.origin.value, event.patient, event.ehr,
            event.billing, event.observed, event.modified, now, event.cause, event.correlation, key_id, body, self.epoch,
        )  # fmt: skip
        self.chain = link(self.chain, row)
        return (*row, self.chain)

    async def of_practice(self) -> AsyncIterator[Recorded]:
        """The stored events of the practice itself, in order."""
        page = _page(self.connection, "read_practice", self.practice)
        async for one in _opened(pages(page, 0, self.sequence, BATCH), self._keyring):
            yield one


class Store:
    """A pool of connections with the practices' keys; create with `open`."""

    def __init__(self, pool: ConnectionPool, keyring: Keyring) -> None:
        self.pool = pool
        self.keyring = keyring
        keyring.source = self.load_keys

    @classmethod
    async def open(cls, dsn: str, keyring: Keyring, *, min_size: int = 1, max_size: int = 8) -> Store:
        """Connect, and read the practices' data keys. Raises OSError or asyncpg.PostgresError when that fails."""
        pool = await open_pool(dsn, min_size=min_size, max_size=max_size)
        store = cls(pool, keyring)
        try:
            await store.load_keys()
        except BaseException:
            pool.terminate()
            raise
        return store

    async def load_keys(self, practice: str | None = None, connection: Connection | None = None) -> None:
        """Read the data keys of a practice, or of all, into the keyring. A database that is still to be migrated has none."""
        with suppress(asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.InvalidSchemaNameError):
            for keys in await read_keys(connection or self.pool, practice):
                self.keyring.take(keys)

    async def renew_keys(self) -> None:
        """Read the data keys that have changed since they were read: those who only publish learn of it this way."""
        for row in await self.pool.fetch(_SQL["key_counts"]):
            if row["keys"] > self.keyring.changes(row["practice"]):
                await self.load_keys(row["practice"])

    async def close(self) -> None:
        await self.pool.close()

    async def take_over(self, practice: PracticeId, owner: str = "", *, above: int = 0) -> int:
        """Become the practice's writer: raises its epoch and returns it. Whoever had it before is fenced from now on.

        `owner` is a name for people: host and process id. `above` is an epoch that a restored store may know nothing of.
        """
        epoch = 0
        while epoch <= above:  # one by one: the database lets nobody leap (migrations/0015_guards.sql)
            epoch = int(await self.pool.fetchval(_SQL["take_over"], practice, owner, FORMAT))
        return epoch

    @asynccontextmanager
    async def writing(self, practice: PracticeId, epoch: int, *, after: int = 0) -> AsyncIterator[Transaction]:
        """One transaction of the practice's writer, committed when the block ends well. Raises Fenced, also where the store has gone
        back behind the event `after` that the writer has recorded: it was restored, and whoever takes the practice next sees to it."""
        async with self.pool.acquire() as connection, connection.transaction():
            head = await connection.fetchrow(_SQL["lock_head"], practice)
            fence(practice, None if head is None or head["sequence"] < after else head["epoch"], epoch)
            if head["keys"] != self.keyring.changes(practice):
                await self.load_keys(practice, connection)
            chain, rebuilt = head["chain"] or GENESIS, head["rebuilt"]
            yield Transaction(connection, self.keyring, practice, epoch, head["sequence"], chain, rebuilt)

    async def confirm(self, practice: PracticeId, epoch: int) -> None:
        """Whether `epoch` is still the practice's: asked before a call to a vendor. Raises Fenced when it is not."""
        fence(practice, await self.pool.fetchval(_SQL["epoch"], practice), epoch)

    @asynccontextmanager
    async def rebuilding(self, practice: PracticeId) -> AsyncIterator[tuple[Connection, int]]:
        """One transaction to replace a practice's projections in, and the practice's last sequence.

        Its owner waits meanwhile and is not fenced; it is told to forget what it keeps.
        """
        async with self.pool.acquire() as connection, connection.transaction():
            head = await connection.fetchrow(_SQL["lock_head"], practice)
            yield connection, 0 if head is None else head["sequence"]
            await connection.execute(_SQL["mark_rebuilt"], practice, FORMAT)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """A connection to which the database stands still: what others write meanwhile is not seen."""
        async with self.pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            yield connection

    # -- reading ------------------------------------------------------------------------------------------------------------

    async def head(self, practice: PracticeId) -> int:
        """The last sequence of a practice, 0 before its first event."""
        head = await self.head_row(practice)
        return 0 if head is None else head.sequence

    async def head_row(self, practice: PracticeId, connection: Connection | None = None) -> Head | None:
        """None for a practice that nobody ever took over."""
        row = await (connection or self.pool).fetchrow(_SQL["head"], practice)
        return None if row is None else Head(row["sequence"], row["epoch"], row["chain"])

    async def heads(self) -> dict[PracticeId, int]:
        """Every practice that has events, with its last sequence."""
        return {PracticeId(row["practice"]): row["sequence"] for row in await self.pool.fetch(_SQL["heads"])}

    async def beyond(self, practice: PracticeId) -> int | None:
        """The first event after the practice's head, where somebody has put one."""
        sequence: int | None = await self.pool.fetchval(_SQL["beyond"], practice)
        return sequence

    def sealed(
        self,
        practice: PracticeId,
        after: int = 0,
        up_to: int = ALL,
        *,
        batch: int = BATCH,
        chained: bool = False,
        connection: Connection | None = None,
    ) -> Batches:
        """A practice's events as they lie in the table, in order: those after `after` up to and including `up_to`.

        `chained` gives epoch and chain too. A `connection` is good for nothing else until this is at its end or closed
        (`contextlib.aclosing`), because the next batch is on its way while one is worked on.
        """
        name = "read" if chained else "read_sealed"
        return pages(_page(connection or self.pool, name, practice), after, up_to, batch)

    async def read(self, practice: PracticeId, *, after: int = 0, up_to: int = ALL) -> AsyncIterator[Recorded]:
        """A practice's events in order, those after `after` up to and including `up_to`."""
        async for one in _opened(self.sealed(practice, after, up_to), self.keyring):
            yield one

    async def by_type(self, practice: PracticeId, *types: str) -> AsyncIterator[Recorded]:
        """A practice's events of these types, in order. All of its events are looked through for them."""
        page = _page(self.pool, "read_types", practice, list(types))
        async for one in _opened(pages(page, 0, ALL, BATCH), self.keyring):
            yield one

    async def of_practice(self, practice: PracticeId, *, up_to: int = ALL) -> AsyncIterator[Recorded]:
        """The events about the practice itself, which no chart leads to: directories, carriers and plans, troubles."""
        page = _page(self.pool, "read_practice", practice)
        async for one in _opened(pages(page, 0, up_to, BATCH), self.keyring):
            yield one

    async def by_id(self, practice: PracticeId, id_: EventId) -> Recorded | None:
        """An event by its id."""
        row = await self.pool.fetchrow(_SQL["read_one"], practice, id_)
        return None if row is None else open_row(row, self.keyring)

    async def read_chart(
        self,
        practice: PracticeId,
        *,
        ehr: Collection[int] = (),
        billing: Collection[int] = (),
        known: Container[int] = (),
    ) -> AsyncIterator[Recorded]:
        """The events about any of these charts, in order; without those whose sequences are `known`."""
        found: dict[int, Any] = {}
        for query, ids in ((_SQL["read_ehr"], ehr), (_SQL["read_billing"], billing)):
            for id_ in ids:
                for row in await self.pool.fetch(query, practice, id_, 0, ALL):
                    if (sequence := row["sequence"]) not in known:
                        found[sequence] = row
        for sequence in sorted(found):
            yield open_row(found[sequence], self.keyring)

    async def follow(
        self, practice: PracticeId, *, after: int = 0, poll_seconds: float = 5.0
    ) -> AsyncIterator[list[Recorded]]:
        """New events as they are committed, in order, for ever; a notification wakes it, polling is the net."""
        woken = asyncio.Event()
        async with self.pool.acquire() as listening:

            def wake(*message: object) -> None:
                if message[3] == practice:
                    woken.set()

            await listening.add_listener(CHANNEL, wake)
            try:
                while True:
                    woken.clear()
                    batch = [one async for one in self.read(practice, after=after, up_to=after + 1000)]
                    if batch:
                        after = batch[-1].sequence
                        yield batch
                        continue
                    with suppress(TimeoutError):
                        async with asyncio.timeout(poll_seconds):
                            await woken.wait()
            finally:
                await listening.remove_listener(CHANNEL, wake)


def _page(connection: Connection, name: str, practice: PracticeId, *more: object) -> ReadRows:
    """The page after a sequence up to another, of a query that reads pages."""
    return lambda after, up_to, batch: connection.fetch(_SQL[name], practice, after, up_to, batch, *more)


async def _opened(found: Batches, keyring: Keyring) -> AsyncIterator[Recorded]:
    async with aclosing(found):
        async for rows in found:
            for row in rows:
                yield open_row(row, keyring)


def open_row(row: Row, keyring: Keyring) -> Recorded:
    """A row of `chartwire.event` as the event it holds. Raises UnreadableEvent naming practice and sequence, or KeyMissing.

    Every rebuild goes through here for each of its events: the columns are taken by their order, which is that of COLUMNS
    (later ones follow), and the envelope is not built only to be encoded.
    """
    (
        practice, sequence, id_, type_, version, origin, patient, ehr, billing,
        observed, modified, recorded, cause, correlation, key_id, sealed, *_,
    ) = row.values()  # fmt: skip
    clear = (id_, practice, type_, version, origin, observed, ehr, billing, patient, modified, cause, correlation)
    try:
        body = open_body(clear, type_, version, key_id, sealed, keyring)
    except UnreadableEvent as error:
        raise UnreadableEvent(f"{practice}, sequence {sequence}: {error}") from None
    event = Event(
        id=id_,
        practice=practice,
        origin=ORIGINS[origin],
        observed=observed,
        body=body,
        ehr=ehr,
        billing=billing,
        patient=patient,
        modified=modified,
        cause=cause,
        correlation=correlation,
    )
    return Recorded(sequence=sequence, recorded=recorded, event=event)
