"""The invariants of DESIGN section 5, checked after every recording, at every request, at every commit of offsets and at rest."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

from daemon import audit
from daemon.config import Config, policy_of
from daemon.sandbox import witness
from daemon.sandbox.clinic import Clinic, Office
from events.codec import Keyring, encode_body
from events.ids import EventId, PracticeId, event_id
from events.schema import IntentRequested, IntentSucceeded, Recorded
from events.store import Store, open_row
from events.topics import Change, decode_message
from tests.simulation.clock import VirtualLoop, process_now
from tests.simulation.kafka import Record
from tests.simulation.network import Call, Network
from tests.simulation.postgres import MemoryDatabase

MOST = 20
"""Findings that are kept: the first ones say what went wrong."""


class Violated(Exception):
    """An invariant does not hold; the text names it."""


class Database(MemoryDatabase):
    """Tells the checks of every commit."""

    def __init__(self, *, clock: Callable[[], datetime], latency: Callable[[], float], checks: Checks) -> None:
        super().__init__(clock=clock, latency=latency)
        self._checks = checks
        checks.database = self

    def end(self, work: Any, *, commit: bool) -> None:
        written = {key[0] for table, key in work.written if table == "event"} if commit else set()
        super().end(work, commit=commit)
        for practice in sorted(written):
            try:
                self._checks.recorded(practice)
            except Exception as error:  # noqa: BLE001 - not the daemon's to handle
                self._checks.say("defects", f"the checks failed: {type(error).__name__}: {error}")


class _Practice:
    """What the checks know of a practice so far."""

    def __init__(self, config: Any, office: Office) -> None:
        self.policy = policy_of(config)
        self.office = office
        self.sequence = 0
        self.epoch = 0
        self.opened: dict[str, IntentRequested] = {}
        self.ended: Counter[str] = Counter()
        self.result = audit.Audit()


class Checks:
    """`broken` lists what was found, by invariant; `digest` stands for the whole history of events."""

    def __init__(self, config: Config, clinic: Clinic, keyring: Keyring, network: Network, loop: VirtualLoop) -> None:
        self.broken: dict[str, list[str]] = {}
        self.database: MemoryDatabase | None = None
        self._clinic = clinic
        self._keyring = keyring
        self._loop = loop
        self._practices = {
            one.id: _Practice(one, office) for one, office in zip(config.practice, clinic.offices, strict=True)
        }
        self._hash = hashlib.sha256()
        self.events = 0
        network.observers.append(_Limits(self))

    def say(self, invariant: str, text: str) -> None:
        """Note a violation."""
        found = self.broken.setdefault(invariant, [])
        if len(found) < MOST:
            found.append(f"{self._loop.now():%a %H:%M:%S} {text}")

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    # -- at every step ----------------------------------------------------------------------------------------------------

    def recorded(self, practice: str) -> None:
        """After a commit with events: sequence, epoch, rules and links (I1, I2, I3, I7, I8)."""
        assert self.database is not None
        known = self._practices[practice]
        rows = self.database.tables["event"].rows[practice]
        created = False
        while (row := rows.get((practice, known.sequence + 1))) is not None:
            known.sequence += 1
            if row["epoch"] < known.epoch:
                self.say("I3", f"{practice} #{known.sequence} was recorded by an owner that had been relieved")
            known.epoch = max(known.epoch, row["epoch"])
            event = open_row(row, self._keyring)
            self._note(event)
            audit.check_event(event, known.policy, known.result, known.opened, known.ended)
            created = created or isinstance(event.event.body, IntentSucceeded)
        if len(rows) != known.sequence:
            self.say("I7", f"{practice}: the sequence has gaps")
        self._take(known.result, practice)
        links = self.database.tables["link"].rows.get(practice, {})
        if len({row["elation_chart"] for row in links.values()}) != len(links):
            self.say("I1", f"{practice}: a chart has two links")
        if created:
            for text in witness.doubled(self._clinic, known.office):
                self.say("I3", f"{practice}: {text}")

    def _take(self, result: audit.Audit, practice: str) -> None:
        for invariant, texts in result.broken.items():
            for text in texts:
                self.say(invariant, f"{practice}: {text}")
        result.broken.clear()

    def _note(self, recorded: Recorded) -> None:
        event = recorded.event
        line = f"{event.practice} {recorded.sequence} {recorded.recorded.isoformat()} {event.id} {event.type} {event.cause}"
        self._hash.update(line.encode() + encode_body(event.body))
        self.events += 1

    def offsets_committed(self, records: list[Record]) -> None:
        """Before the offsets of changes are committed, the store has them (DESIGN 1.3)."""
        assert self.database is not None
        stored = self.database.tables["event"].index["practice", "event_id"]
        for record in records:
            message = decode_message(record.value, self._keyring)
            if isinstance(message, Change) and message.event is not None:
                event = message.event
                ids: list[EventId] = [event.id, event_id(message.practice, "set aside", event.id)]
                if not any((message.practice, one) in stored for one in ids):
                    self.say("I4", f"{message.practice}: offsets were committed before {event.type} was recorded")

    # -- at rest ----------------------------------------------------------------------------------------------------------

    async def at_rest(self, store: Store, edited: set[int]) -> None:
        """Everything: replay (I7), ends (I4), agreement (I6), nothing doubled (I3), nothing unbilled."""
        for practice, known in self._practices.items():
            found = await audit.audit(store, known.policy)
            self._take(found, practice)
            linked = [one for one in found.patients.values() if one.link is not None]
            slots = {int(one.link.kareo): set(one.waiting) for one in linked if one.link is not None}
            links = [(int(one.link.elation), int(one.link.kareo)) for one in linked if one.link is not None]
            differing = witness.differences(self._clinic, known.office, links, slots, edited)
            bills = {
                int(slot.removeprefix("bill:"))
                for one in found.patients.values()
                for slot in one.waiting
                if slot.startswith("bill:")
            }
            differing += witness.unbilled(self._clinic, known.office, bills)
            for text in differing:
                self.say("I6", f"{practice}: {text}")
            for text in witness.doubled(self._clinic, known.office):
                self.say("I3", f"{practice}: {text}")

    def head(self, practice: PracticeId | str) -> int:
        return self._practices[str(practice)].sequence

    def written(self) -> int:
        """Intents that succeeded and changed something so far."""
        return sum(sum(known.ended.values()) for known in self._practices.values())


class _Limits:
    """I10: each worker keeps Kareo's published times between the calls of an operation, and Elation's number at once."""

    def __init__(self, checks: Checks) -> None:
        self._checks = checks

    def before(self, call: Call) -> Any:
        return None

    def after(self, call: Call, seen: Any) -> None:
        pass


__all__ = ["Checks", "Database", "Violated", "process_now"]
