"""Poison brought about, and what is to be seen while it lasts: each of the plan's poisons, begun and ended."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import asyncpg

from events.codec import Keyring
from events.commands import RedriveRequested
from events.slots import SlotKind, is_slot, slot_of
from events.topics import CHANGES
from tests.simulation import spoiling
from tests.simulation.network import Call, Response
from tests.simulation.plan import Trouble
from tests.simulation.poison import HIT, OTHER
from tests.simulation.troubles import Troubles
from tests.simulation.world import BILLING, EHR, World

SHOWN_WITHIN = 600.0
SILENT = frozenset(
    ("PostgreSQL is read-only", "PostgreSQL is out of connections", "PostgreSQL cancels statements", "the keys are missing")
)
"""While it lasts nothing of the practice can be recorded, nor that something waits."""
"""Seconds after which what was set aside is to be seen as a waiting item."""

READING = (
    "read",
    "load",
    "status",
    "list",
    "known",
    "get",
    "lookup",
    "head",
    "epoch",
    "begin",
    "commit",
    "rollback",
    "connect",
)
"""Steps that a server which is read-only still makes."""

End = Callable[[], None]
Spoiler = Callable[[Call, bytes], bytes]


class Poisons:
    """Carries out the poisons of a world, on the practice that is hit. `struck` counts what each kind has spoilt."""

    def __init__(self, world: World, troubles: Troubles) -> None:
        self._world = world
        self._troubles = troubles
        self._office = world.offices[HIT]
        self._spoilers: dict[str, list[tuple[str, Spoiler]]] = {EHR: [], BILLING: []}
        self._refusing = 0
        self._silent, self._owed = 0, list[Callable[[], None]]()
        self.struck: Counter[str] = Counter()
        self._damaged: set[tuple[str, object]] = set()
        self._cancelling = 0
        self._uncancelled: End = lambda: None
        for host, spoilers in self._spoilers.items():
            world.network.hosts[host].spoil = partial(self._spoilt, spoilers)
        plan = world.network.hosts[BILLING].plan
        world.network.hosts[BILLING].plan = lambda call: (self._refuse(call), plan(call))[1]

    async def happen(self, poison: Trouble) -> None:
        """From its beginning to its end."""
        world = self._world
        await asyncio.sleep(max(0.0, poison.at - world.loop.time()))
        self._silent += poison.kind in SILENT
        end = self._begin(poison.kind, random.Random(f"poison/{poison.pick}"))
        await asyncio.sleep(min(poison.seconds, max(0.0, world.plan.ends - world.loop.time())))
        if end is not None:
            end()
        self._silent -= poison.kind in SILENT
        if self._owed and not self._silent:
            owed, self._owed = self._owed, []
            await asyncio.sleep(SHOWN_WITHIN)
            for look in owed:
                look()

    def _begin(self, kind: str, pick: random.Random) -> End | None:
        """Bring it about; returns what ends it."""
        match kind:
            case "a record of Elation is spoilt":
                return self._record(kind, EHR, pick)
            case "a record of Kareo is spoilt":
                return self._record(kind, BILLING, pick)
            case "a list of Elation never ends":
                return self._endless(kind, pick)
            case "the answers of Elation are broken":
                return self._spoil(kind, EHR, self._all_broken(pick))
            case "the answers of Kareo are broken":
                return self._spoil(kind, BILLING, self._all_broken(pick))
            case "Kareo has unexpected errors":
                return self._unexpected(kind)
            case "messages come that nobody can read":
                return self._messages(kind, pick)
            case "a stored document is damaged":
                return self._damage(kind, pick.choice(("patient", "patient", "directory")), "doc", pick)
            case "a stored event is damaged":
                return self._damage(kind, "event", "body", pick)
            case "PostgreSQL is read-only":
                return self._postgres(kind, _read_only)
            case "PostgreSQL is out of connections":
                for connection in list(self._world.database.connections):
                    connection.cut()
                return self._postgres(kind, _no_connection)
            case "PostgreSQL cancels statements":
                return self._cancel(kind, pick)
            case "the keys are missing":
                return self._keys(kind)
        raise LookupError(kind)

    # -- vendors ----------------------------------------------------------------------------------------------------------

    def _spoil(self, kind: str, host: str, spoiler: Spoiler) -> End:
        spoiling_it = kind, spoiler
        self._spoilers[host].append(spoiling_it)
        return lambda: self._spoilers[host].remove(spoiling_it)

    def _spoilt(self, spoilers: list[tuple[str, Spoiler]], call: Call, answer: Response) -> Response:
        body = answer.content.body
        for kind, spoiler in spoilers:
            before, body = body, spoiler(call, body)
            self.struck[kind] += body != before
        return answer if body is answer.content.body else answer.with_body(body)

    def _record(self, kind: str, host: str, pick: random.Random) -> End | None:
        """One patient of one system; while that cannot be read it waits, and it heals by being read again."""
        clinic, seen = self._world.clinic, list[datetime]()
        if host == EHR:
            ids = [one for one, row in clinic.ehr.patients.items() if row["caregiver_practice"] == self._office.ehr]
            spoil, change, system = pick.choice(spoiling.ELATION), spoiling.elation_record, "elation"
        else:
            ids = [one.id for one in clinic.billing.patients.values() if one.practice_id == self._office.billing]
            spoil, change, system = pick.choice(spoiling.KAREO), spoiling.kareo_record, "kareo"
        if not ids:
            return None
        record = pick.choice(sorted(ids))

        def spoiler(_call: Call, body: bytes) -> bytes:
            found = change(body, record, spoil)
            if found != body and spoil.unusable and not self._is_broken(host):
                seen.append(self._world.loop.now())
            return found

        end = self._spoil(kind, host, spoiler)

        def over() -> None:
            end()
            understood = self._world.checks.newest(self._office.id, system, record)
            again = bool(seen) and (understood is None or understood < seen[-1])
            if (
                again
                and self._is_there(host, record)
                and not self._silent
                and self._world.loop.now() - seen[0] > timedelta(seconds=SHOWN_WITHIN)
            ):
                writes = (slot_of(SlotKind.SYSTEM, system), slot_of(SlotKind.SYSTEM, system, "records"))
                slot = slot_of(SlotKind.QUARANTINE, system, "patients", record)
                self._must_wait(slot, f"{spoil.member} of {system} {record}", *writes)

        return over

    def _is_there(self, host: str, record: int) -> bool:
        """Whether nobody has deleted it, or merged it into another: nothing of it waits then."""
        if host == BILLING:
            return not self._world.clinic.billing.patients[record].deleted
        chart = self._world.clinic.ehr.patients[record]
        return not chart["deleted_date"] and not chart.get("merged_into_chart")

    def _is_broken(self, host: str) -> bool:
        """Whether all answers of a system are broken: then nobody sees a record in them, however it is spoilt itself."""
        return any(kind.startswith("the answers of") for kind, _ in self._spoilers[host])

    def _must_wait(self, slot: str, what: str, *others: str) -> None:
        """It waits, or one of the `others` does, which say as much."""
        if not {slot, *others} & {slot for _, slot in self._world.waiting(self._office.id)}:
            self._world.checks.say("I4", f"{self._office.id}: {what} was set aside, and no item says so")

    def _endless(self, kind: str, pick: random.Random) -> End:
        empty, pages = pick.random() < 0.5, iter(range(10**9))

        def spoiler(call: Call, body: bytes) -> bytes:
            if call.method != "GET" or f"practice={self._office.ehr}" not in call.url.query_string:
                return body
            return spoiling.elation_endless(body, str(call.url), next(pages), empty=empty)

        return self._spoil(kind, EHR, spoiler)

    def _all_broken(self, pick: random.Random) -> Spoiler:
        """Only readings: what becomes of a write that was answered like this is what "requests fail" is about."""

        def spoiler(call: Call, body: bytes) -> bytes:
            mine = f"practice={self._office.ehr}" in call.url.query_string or self._asks(call, b"Get")
            return spoiling.broken(body, pick) if mine else body

        return spoiler

    def _asks(self, call: Call, operation: bytes = b"") -> bool:
        """Whether it is a call of the practice to Kareo, of an operation that begins so."""
        action = call.headers.get("SOAPAction", "").strip('"').rpartition("/")[2].encode()
        return self._office.customer_key.encode() in call.body and action.startswith(operation)

    def _unexpected(self, kind: str) -> End:
        self._refusing += 1
        end = self._spoil(kind, BILLING, lambda _call, body: body.replace(spoiling.REFUSED, spoiling.UNEXPECTED))

        def over() -> None:
            self._refusing -= 1
            end()

        return over

    def _refuse(self, call: Call) -> None:
        if self._refusing and call.method == "POST" and self._asks(call):
            self._world.clinic.billing.faults.add("*", "refuse")

    # -- our own ----------------------------------------------------------------------------------------------------------

    def _messages(self, kind: str, pick: random.Random) -> End | None:
        """A few of them among the practice's own. Each waits by itself, and no other is held up."""
        cluster, bus = self._world.cluster, next((one.bus for one in self._world.machines if one.bus is not None), None)
        if bus is None or CHANGES not in cluster.topics:
            return None
        partition, key = bus.partition_of(self._office.id), self._office.id.encode()  # type: ignore[arg-type]
        slots = []
        for _ in range(pick.randint(1, 3)):
            slots.append(slot_of(SlotKind.QUARANTINE, "kafka", partition, len(cluster.topics[CHANGES][partition])))
            cluster.append(CHANGES, partition, key, spoiling.unreadable(pick))
            self.struck[kind] += 1

        def look() -> None:
            for slot in slots:
                self._must_wait(slot, "a message that nobody can read")

        return lambda: self._once_heard(look)

    def _once_heard(self, work: Callable[[], None]) -> None:
        """At once, or when the practice can be looked at and asked again."""
        if self._silent:
            self._owed.append(work)
        else:
            work()

    def _damage(self, kind: str, table: str, column: str, pick: random.Random) -> End | None:
        """A bit of one stored row. Put right, somebody has what was set aside meanwhile tried again, as its item says.

        Without the practice's own document nothing of it can be recorded, once its owner has to read that anew.
        """
        rows = self._world.database.tables[table].rows.get(self._office.id, {})
        sound = sorted((key for key in rows if (table, key) not in self._damaged), key=repr)
        if not sound:
            return None
        key = pick.choice(sound)
        self._damaged.add((table, key))
        whole = rows[key]
        damaged = rows[key] = {**whole, column: spoiling.flipped(whole[column], pick)}
        self.struck[kind] += 1
        silent = table == "directory"
        self._silent += silent

        def over() -> None:
            self._silent -= silent
            self._damaged.discard((table, key))
            if (now := rows.get(key)) is not None and now[column] == damaged[column]:
                rows[key] = {**now, column: whole[column]}
            self._once_heard(self._redrive)

        return over

    def _redrive(self) -> None:
        for row in self._world.database.rows("waiting", self._office.id):
            if is_slot(row["slot"], SlotKind.QUARANTINE):
                self._world.ask(self._office.id, RedriveRequested(slot=row["slot"], who="people"))

    def _postgres(self, kind: str, fault: Callable[[str], None]) -> End:
        def falls(name: str) -> None:
            try:
                fault(name)
            except asyncpg.PostgresError:
                self.struck[kind] += 1
                raise

        self._troubles.cuts.append(falls)
        return lambda: self._troubles.cuts.remove(falls)

    def _cancel(self, kind: str, pick: random.Random) -> End:
        """Twice at a time is no more than once, or more would be cancelled in a row; it ends with the last."""
        if not self._cancelling:
            self._uncancelled = self._postgres(kind, _some_cancelled(pick))
        self._cancelling += 1
        return self._cancel_less

    def _cancel_less(self) -> None:
        self._cancelling -= 1
        if not self._cancelling:
            self._uncancelled()

    def _keys(self, kind: str) -> End:
        """The practice's key files are not there as the workers start; put back, the workers are told to look (SIGHUP)."""
        world, whole = self._world, self._world.keyring
        world.keyring = Keyring(whole.keys_of(world.offices[OTHER].id))
        self.struck[kind] += 1
        for machine in world.machines:
            machine.kill()
            machine.start()

        def over() -> None:
            world.keyring.renew(whole)
            for machine in world.machines:
                for practice in machine.worker.practices.values() if machine.worker is not None else ():
                    practice.hurry()

        return over


def _read_only(name: str) -> None:
    if not name.startswith(READING):
        raise asyncpg.ReadOnlySQLTransactionError("cannot execute this in a read-only transaction")


MOST_CANCELLED = 5
"""In a row: with more, pauses grow beyond what a change may take."""


def _some_cancelled(pick: random.Random) -> Callable[[str], None]:
    """What records takes too long, now and then, and what is tried again goes through, at once or soon."""
    in_a_row = 0

    def fault(name: str) -> None:
        nonlocal in_a_row
        if name != "copy_event":
            return
        in_a_row = in_a_row + 1 if in_a_row < MOST_CANCELLED and pick.random() < 0.5 else 0
        if in_a_row:
            raise asyncpg.QueryCanceledError("canceling statement due to statement timeout")

    return fault


def _no_connection(name: str) -> None:
    if name == "connect":
        raise asyncpg.TooManyConnectionsError("sorry, too many clients already")
