"""The event store: idempotent append, a gap-free sequence per practice, one writer per practice, reading and following.

The writer locks its practice's head row for the length of a transaction, so sequences are handed out in the order of
commit: a reader that has seen sequence n has seen everything before it. The epoch in the head row fences: whoever takes a
practice over raises it, and the writer of an older epoch is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Container, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg

from events import queries
from events.chain import COVERED, GENESIS, link
from events.codec import open_body, seal_event
from events.data_keys import read_keys
from events.ids import EventId, PracticeId
from events.keys import Keyring, UnreadableEvent
from events.schema import Event, Origin, Recorded

SQL = queries.load("store")
KEYS = queries.load("keys")
CHANNEL = "chartwire_recorded"
COLUMNS = (*COVERED, "chain")
ALL = 2**62
ORIGINS = {one.value: one for one in Origin}

AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)
"""What PostgreSQL being away looks like: try again later."""


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
        connection: Any,
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
        rows = await self.connection.fetch(SQL["known"], self.practice, list(ids))
        return {EventId(row["event_id"]) for row in rows}

    async def read_one(self, id_: EventId) -> Recorded | None:
        """A stored event by its id."""
        row = await self.connection.fetchrow(SQL["read_one"], self.practice, id_)
        return None if row is None else open_row(row, self._keyring)

    async def append(self, events: Sequence[Event]) -> list[Recorded]:
        """Append in order what is not stored yet (repeats in `events` count once); returns it with its sequences.

        Raises ValueError for an event of another practice: it would take a number of a stream that is not its own (I11).
        """
        if any(event.practice != self.practice for event in events):
            raise ValueError(f"an event of another practice was to be recorded for {self.practice}")
        if not events:
            return []
        recorded: list[Recorded] = []
        rows: list[tuple[object, ...]] = []
        stamping = asyncio.ensure_future(
            self.connection.fetchrow(SQL["stamp"], self.practice, [event.id for event in events])
        )
        try:
            await asyncio.sleep(0)  # the question is on its way: bodies are sealed while the database looks
            sealed = [seal_event(event, self._keyring) for event in events]
        finally:
            stamp = await stamping
        now, known = stamp["now"], set(stamp["known"])
        for event, (version, key_id, body) in zip(events, sealed, strict=True):
            if event.id in known:
                continue
            known.add(event.id)
            self.sequence += 1
            row = (
                event.practice,
                self.sequence,
                event.id,
                event.type,
                version,
                event.origin.value,
                event.patient,
                event.ehr,
                event.billing,
                event.observed,
                event.modified,
                now,
                event.cause,
                event.correlation,
                key_id,
                body,
                self.epoch,
            )
            self.chain = link(self.chain, row)
            rows.append((*row, self.chain))
            recorded.append(Recorded(sequence=self.sequence, recorded=now, event=event))
        if rows:
            await self.connection.copy_records_to_table("event", schema_name="chartwire", columns=COLUMNS, records=rows)
            await self.connection.execute(SQL["advance_head"], self.practice, self.sequence, self.chain, CHANNEL)
        return recorded


class _Pool(asyncpg.Pool):  # type: ignore[misc]
    """A cancellation stays one where the connection breaks in the same moment: asyncpg raises only the latter (one of `AWAY`) then,
    and whoever waits for PostgreSQL to come back would go on for ever instead of ending."""

    @asynccontextmanager
    async def acquire(self, *, timeout: float | None = None) -> AsyncIterator[Any]:
        task = asyncio.current_task()
        assert task is not None
        before = task.cancelling()
        try:
            async with super().acquire(timeout=timeout) as connection:
                yield connection
        except AWAY as error:
            if task.cancelling() > before:
                raise asyncio.CancelledError from error
            raise


class Store:
    """A pool of connections with the practices' keys; create with `open`."""

    def __init__(self, pool: Any, keyring: Keyring) -> None:
        self.pool = pool
        self.keyring = keyring
        keyring.source = self.load_keys

    @classmethod
    async def open(cls, dsn: str, keyring: Keyring, *, min_size: int = 1, max_size: int = 8) -> Store:
        """Connect, and read the practices' data keys. Raises OSError or asyncpg.PostgresError when that fails."""
        pool = await _Pool(
            dsn,
            min_size=min_size,
            max_size=max_size,
            max_queries=50_000,
            max_inactive_connection_lifetime=300.0,
            loop=None,
            connection_class=asyncpg.Connection,
            record_class=asyncpg.Record,
            command_timeout=60,
            server_settings={"timezone": "UTC"},
            reset=_keep_session,
        )
        store = cls(pool, keyring)
        try:
            await store.load_keys()
        except BaseException:
            pool.terminate()
            raise
        return store

    async def load_keys(self, practice: str | None = None, connection: Any = None) -> None:
        """Read the data keys of a practice, or of all, into the keyring. A database that is still to be migrated has none."""
        with suppress(asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.InvalidSchemaNameError):
            for keys in await read_keys(connection or self.pool, practice):
                self.keyring.take(keys)

    async def renew_keys(self) -> None:
        """Read the data keys that have changed since they were read: those who only publish learn of it this way."""
        for row in await self.pool.fetch(KEYS["key_counts"]):
            if row["keys"] > self.keyring.changes(row["practice"]):
                await self.load_keys(row["practice"])

    async def close(self) -> None:
        await self.pool.close()

    async def take_over(self, practice: PracticeId, owner: str = "") -> int:
        """Become the practice's writer: raises its epoch and returns it. Whoever had it before is fenced from now on.

        `owner` is a name for people: host and process id.
        """
        return int(await self.pool.fetchval(SQL["take_over"], practice, owner))

    @asynccontextmanager
    async def writing(self, practice: PracticeId, epoch: int) -> AsyncIterator[Transaction]:
        """One transaction of the practice's writer, committed when the block ends well. Raises Fenced."""
        async with self.pool.acquire() as connection, connection.transaction():
            head = await connection.fetchrow(SQL["lock_head"], practice)
            fence(practice, None if head is None else head["epoch"], epoch)
            if head["keys"] != self.keyring.changes(practice):
                await self.load_keys(practice, connection)
            chain, rebuilt = head["chain"] or GENESIS, head["rebuilt"]
            yield Transaction(connection, self.keyring, practice, epoch, head["sequence"], chain, rebuilt)

    async def confirm(self, practice: PracticeId, epoch: int) -> None:
        """Whether `epoch` is still the practice's: asked before a call to a vendor. Raises Fenced when it is not."""
        fence(practice, await self.pool.fetchval(SQL["epoch"], practice), epoch)

    async def head(self, practice: PracticeId) -> int:
        """The last sequence of a practice, 0 before its first event."""
        return int(await self.pool.fetchval(SQL["head"], practice) or 0)

    async def read(
        self, practice: PracticeId, *, after: int = 0, up_to: int | None = None, batch: int = 1000
    ) -> AsyncIterator[Recorded]:
        """A practice's events in order, those after `after` up to and including `up_to`."""
        while True:
            rows = await self.rows(practice, after=after, up_to=up_to, batch=batch)
            for row in rows:
                yield open_row(row, self.keyring)
            if len(rows) < batch:
                return
            after = rows[-1]["sequence"]

    async def rows(self, practice: PracticeId, *, after: int, up_to: int | None = None, batch: int = 1000) -> list[Any]:
        """The next events of a practice as they lie in the table, sealed: mappings by column."""
        rows: list[Any] = await self.pool.fetch(SQL["read"], practice, after, ALL if up_to is None else up_to, batch)
        return rows

    async def read_chart(
        self,
        practice: PracticeId,
        *,
        ehr: Collection[int] = (),
        billing: Collection[int] = (),
        after: int = 0,
        known: Container[int] = (),
    ) -> AsyncIterator[Recorded]:
        """The events about any of these charts, in order; without those whose sequences are `known`."""
        found: dict[int, Any] = {}
        for query, ids in ((SQL["read_ehr"], ehr), (SQL["read_billing"], billing)):
            for id_ in ids:
                for row in await self.pool.fetch(query, practice, id_, after, ALL):
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


def open_row(row: Mapping[str, Any], keyring: Keyring) -> Recorded:
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


async def _keep_session(_connection: Any) -> None:
    """A connection goes back to the pool without a round trip: nobody here sets session variables or session locks, asyncpg
    itself has rolled back what was open, and whoever listened has stopped."""
