"""The invariants of DESIGN section 5, checked after every recording, at every request, at every commit of offsets and at rest."""

from __future__ import annotations

import copy
import hashlib
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from daemon.config import Config, policy_of
from daemon.history import invariants as audit
from daemon.sandbox import witness
from daemon.sandbox.clinic import Clinic, Office
from events.codec import Keyring, UnreadableEvent, encode_body
from events.codes import WaitCode
from events.ids import EventId, PracticeId, event_id
from events.restarts import HistoryResumed
from events.schema import (
    BillingChartObserved,
    ChartLinked,
    ConflictRecorded,
    EhrChartObserved,
    FieldsAgreed,
    IntentRequested,
    IntentSucceeded,
    Recorded,
    WaitingRaised,
)
from events.store import Store, open_row
from events.topics import Change, decode_message
from events.writes import AnyWrite, CreateBillingChart, CreateEhrChart, Resource, UpdateBillingChart, UpdateEhrChart
from projections.state.coverage import DIFFERENCES
from projections.terms.policy import Direction, Policy
from tests.simulation.clock import VirtualLoop
from tests.simulation.judge import Judge, Mark
from tests.simulation.kafka import Record
from tests.simulation.ledger import Ledger
from tests.simulation.left_alone import LeftAlone, but_who
from tests.simulation.network import Network
from tests.simulation.people.bills import COMPLAINTS, complaints
from tests.simulation.postgres import MemoryDatabase
from tests.simulation.told import bookings_interrupted, former_of, left_behind, told_bookings
from tests.simulation.truth import Truth
from tests.simulation.watchers import Watchers

SECOND = timedelta(seconds=1)
HEARD_WITHIN = timedelta(seconds=60)
MOST = 20
"""Findings that are kept: the first ones say what went wrong."""


class Database(MemoryDatabase):
    """Tells the checks of every commit."""

    def __init__(self, *, clock: Callable[[], datetime], latency: Callable[[], float], checks: Checks) -> None:
        super().__init__(clock=clock, latency=latency)
        self._checks = checks
        checks.database = self

    def end(self, work: Any, *, commit: bool) -> None:
        if not (commit and work.written):
            super().end(work, commit=commit)
            return
        written = {key[0] for table, key in work.written if table == "event"}
        super().end(work, commit=commit)
        for practice in sorted(written):
            try:
                self._checks.recorded(practice)
            except Exception as error:  # noqa: BLE001 - not the daemon's to handle
                self._checks.say("defects", f"the checks failed: {type(error).__name__}: {error}")


class _Practice:
    """What the checks know of a practice so far."""

    def __init__(self, config: Any, office: Office) -> None:
        self.policy = self.ever = policy_of(config)
        """As it is, and with what it ever allowed."""
        self.switched = False
        self.office = office
        self.sequence = 0
        self.epoch = 0
        self.opened: dict[str, IntentRequested] = {}
        self.asked: dict[str, datetime] = {}
        self.ended: Counter[str] = Counter()
        self.result = audit.Audit()
        self.unsettled = False
        """Whether its database went back, and nobody has said yet that what followed from it is settled."""
        self.newest: dict[tuple[str, int], datetime] = {}


class Checks:
    """`broken` lists what was found, by invariant; `digest` stands for the whole history of events, `alerts`
    counts what was raised about a system as a whole, by practice and system."""

    def __init__(
        self,
        config: Config,
        clinic: Clinic,
        keyring: Keyring,
        network: Network,
        loop: VirtualLoop,
        ledger: Ledger,
        truth: Truth,
    ) -> None:
        self.broken: dict[str, list[str]] = {}
        self.database: MemoryDatabase | None = None
        self._clinic = clinic
        self._keyring = keyring
        self._loop = loop
        self._ledger = ledger
        self._judge = Judge(truth, self.say)
        self.left_alone = LeftAlone(self.say)
        self._practices = {
            one.id: _Practice(one, office) for one, office in zip(config.practice, clinic.offices, strict=True)
        }
        self._hash = hashlib.sha256()
        self.events = 0
        self.alerts: Counter[str] = Counter()
        self._watchers = Watchers(config, clinic, loop, self.say)
        network.observers.append(self._watchers)

    def say(self, invariant: str, text: str) -> None:
        """Note a violation."""
        found = self.broken.setdefault(invariant, [])
        if len(found) < MOST:
            found.append(f"{self._loop.now():%a %H:%M:%S} {text}")

    def switched(self, config: Any) -> None:
        """A practice has another profile from now on."""
        known, policy = self._practices[config.id], policy_of(config)
        known.policy, known.ever, known.switched = policy, either(known.ever, policy), True
        self._watchers.switched(config.id, policy)

    def marked(self, practice: str) -> Mark:
        """What is known of a practice now, to go back to with `restored`."""
        known = self._practices[practice]
        kept = known.opened, known.asked, known.ended, known.newest
        return Mark(known.sequence, self._loop.now(), copy.deepcopy(kept))

    def restored(self, practice: str, mark: Mark) -> None:
        """The practice's database goes back to the point of `mark`. The epoch and the vendors do not. Its next owner has to notice,
        but for what was recorded in the very last moment, of which nobody may have heard."""
        assert self.database is not None
        known, heard = self._practices[practice], self._loop.now() - HEARD_WITHIN
        lost = [row for row in self.database.rows("event", practice) if row["sequence"] > mark.sequence]
        known.unsettled = known.unsettled or any(row["recorded_at"] < heard for row in lost)
        known.sequence = mark.sequence
        known.opened, known.asked, known.ended, known.newest = mark.kept
        self._judge.forget(known.office, mark.sequence)
        self._ledger.forget(known.office, mark.at)

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
            self._note(event, known)
            self._follow(event, known)
            self._judge.follow(event)
            self.left_alone.follow(event)
            audit.check_event(event, known.ever, known.result, known.opened, known.ended)
            created = created or isinstance(event.event.body, IntentSucceeded)
        if len(rows) != known.sequence:
            self.say("I7", f"{practice}: the sequence has gaps")
        self._take(known.result, practice)
        links = self.database.tables["link"].rows.get(practice, {})
        if len({row["elation_chart"] for row in links.values()}) != len(links):
            self.say("I1", f"{practice}: a chart has two links")
        if created:
            for text in witness.doubled(self._clinic, known.office, resting=False):
                self.say("I3", f"{practice}: {text}")

    def _take(self, result: audit.Audit, practice: str) -> None:
        for invariant, texts in result.broken.items():
            for text in texts:
                self.say(invariant, f"{practice}: {text}")
        result.broken.clear()

    def _follow(self, recorded: Recorded, known: _Practice) -> None:
        """Agreements for the ledger, alerts, and conflicts: each needs an edit by people on both sides."""
        event, body = recorded.event, recorded.event.body
        if isinstance(body, HistoryResumed):
            known.unsettled = False
        elif isinstance(body, IntentRequested):
            known.asked[body.intent] = self._loop.now()
        elif isinstance(body, IntentSucceeded) and (opened := known.opened.get(body.intent)) is not None:
            self._written(opened.write, str(event.practice), known.asked[body.intent])
        elif isinstance(body, ChartLinked):
            self._ledger.met(int(body.ehr), int(body.billing), body.base)
        elif isinstance(body, FieldsAgreed):
            self._ledger.met(int(event.ehr or 0), int(event.billing or 0), body.fields)
        elif isinstance(body, WaitingRaised) and body.slot.startswith("system:"):
            self.alerts[f"{event.practice} {body.slot}"] += 1
        elif isinstance(body, ConflictRecorded):
            for one in body.conflicts:
                if one.field == DIFFERENCES or one.field.startswith("policies."):
                    continue  # the ledger follows demographics
                why = self._ledger.conflict(int(event.ehr or 0), int(event.billing or 0), one.field, (one.ehr, one.billing))
                if why:
                    self.say("I6", f"{event.practice}: {one.field} is called a conflict, but {why}")

    def _written(self, write: AnyWrite, practice: str, asked: datetime) -> None:
        """A write of demographics, `asked` for then, has succeeded."""
        assert self.database is not None
        match write:
            case UpdateEhrChart(chart=id_) | CreateBillingChart(ehr=id_):
                side = "elation_chart"
            case UpdateBillingChart(patient=id_) | CreateEhrChart(billing=id_):
                side = "kareo_patient"
            case _:
                return
        for link in self.database.tables["link"].rows.get(practice, {}).values():
            if link[side] == int(id_):
                fields = {"provider": "", **write.fields}
                self._ledger.written(link["elation_chart"], link["kareo_patient"], fields, asked)

    def _note(self, recorded: Recorded, known: _Practice) -> None:
        event = recorded.event
        if isinstance(event.body, BillingChartObserved | EhrChartObserved):
            chart, saved = (event.origin.value, int(event.billing or event.ehr or 0)), event.modified or event.observed
            known.newest[chart] = max(saved, known.newest.get(chart, saved))
        line = f"{event.practice} {recorded.sequence} {recorded.recorded.isoformat()} {event.id} {event.type} {event.cause}"
        self._hash.update(line.encode() + encode_body(event.body))
        self.events += 1

    def offsets_committed(self, records: list[Record]) -> None:
        """Before the offsets of changes are committed, the store has them (deploy/DESIGN.md, The flow)."""
        assert self.database is not None
        stored = self.database.tables["event"].index["practice", "event_id"]
        for record in records:
            key = PracticeId((record.key or b"").decode())
            told = "MessageUnreadable", record.topic, record.partition, record.offset, record.value
            aside = (key, event_id(key, *told)) in stored
            try:
                message = decode_message(record.value, self._keyring)
            except UnreadableEvent:
                if not aside:
                    self.say("I4", f"{key}: offsets were committed before an unreadable message was recorded")
                continue
            if aside:
                self.say("I11", f"{message.practice}: a message that can be read was set aside as unreadable")
            if isinstance(message, Change) and message.event is not None:
                event = message.event
                ids: list[EventId] = [event.id, event_id(message.practice, "set aside", event.id)]
                if not any((message.practice, one) in stored for one in ids):
                    self.say("I4", f"{message.practice}: offsets were committed before {event.type} was recorded")

    def newest(self, practice: str, system: str, record: int) -> datetime | None:
        """When the newest version of a chart was saved that has been recorded."""
        return self._practices[practice].newest.get((system, record))

    # -- when it is calm ----------------------------------------------------------------------------------------------------

    def seen(self, before: datetime) -> None:
        """What was saved before then, in charts that are still listed, has been recorded: polls alone find it (I4)."""
        billing, ehr = self._clinic.billing, self._clinic.ehr
        for practice, known in self._practices.items():
            saved = {
                ("kareo", id_): one.modified
                for id_, one in billing.patients.items()
                if one.practice_id == known.office.billing and not one.deleted
            } | {
                ("elation", id_): datetime.fromisoformat(one["last_modified"])
                for id_, one in ehr.patients.items()
                if one["caregiver_practice"] == known.office.ehr and not one["deleted_date"] and not one["merged_into_chart"]
            }
            for chart, moment in saved.items():
                whole = moment.replace(microsecond=0)
                if moment < before and known.newest.get(chart, whole - SECOND) < whole:
                    self.say("I4", f"{practice}: a save of {chart[0]} {chart[1]} was not seen by the polls")

    # -- at rest ----------------------------------------------------------------------------------------------------------

    async def at_rest(self, store: Store) -> None:
        """Everything: replay (I7), ends (I4), agreement (I6), nothing doubled (I3), nothing unbilled."""
        for practice, known in self._practices.items():
            if known.unsettled:
                self.say("I3", f"{practice}: a restore was not noticed, or is not settled")
            found = await audit.audit(store, known.ever)
            self._take(found, practice)
            for text in self._differences(known, found):
                self.say("I6", f"{practice}: {text}")
            for text in witness.doubled(self._clinic, known.office, left=left_behind(found), booked=told_bookings(found)):
                self.say("I3", f"{practice}: {text}")

    def _differences(self, known: _Practice, found: audit.Audit) -> list[str]:
        """What the witness says, as far as this practice's rules want agreement."""
        linked = [one for one in found.patients.values() if one.link is not None]
        slots = {int(one.link.billing): {*one.waiting, *one.dismissed} for one in linked if one.link is not None}
        links = [(int(one.link.ehr), int(one.link.billing)) for one in linked if one.link is not None]
        left, booked = left_behind(found), told_bookings(found) | bookings_interrupted(found)
        differing = witness.differences(self._clinic, known.office, links, slots, set(), left, booked)
        table, off = known.policy.table, Direction.OFF
        apart = self._heirs() | {chart for chart, former in former_of(found) if former.policies}
        wanted = [text for text in differing if not ("insurance" in text and int(text.split()[1]) in apart)]
        stays = (
            known.switched and table[Resource.INSURANCE] is Direction.TO_EHR
        )  # what people entered while it went both ways
        if table[Resource.INSURANCE] is off or stays:
            wanted = [text for text in wanted if "insurance" not in text]
        if table[Resource.APPOINTMENT] is off:
            wanted = [text for text in wanted if "appointment" not in text]
        if known.switched:  # what was copied while appointments came from there stays
            wanted = [text for text in wanted if "was copied to Elation" not in text]
        if table[Resource.DEMOGRAPHICS] is not Direction.BOTH:
            wanted = [text for text in wanted if "insurance" in text or "appointment" in text]
        wanted += self._lost(known, links, slots)
        if table[Resource.BILL] is not off:
            waiting = {
                slot.removeprefix("bill:") for one in found.patients.values() for slot in (*one.waiting, *one.dismissed)
            }
            bills = {int(slot) for slot in waiting if slot.isdigit()}
            wanted += witness.unbilled(self._clinic, known.office, bills)
            wanted += self._misbilled(dict(links), found)
            wanted += self._corrected_in_vain(known, found)
        return but_who(self.left_alone.of(known.office.id), wanted)

    def _lost(self, known: _Practice, links: list[tuple[int, int]], waiting: dict[int, set[str]]) -> list[str]:
        """Edits by people that ended as something else though nothing waits, and links of different people."""
        found, direction = [], known.policy.table[Resource.DEMOGRAPHICS]
        for ehr, billing in links:
            if self._clinic.billing.patients[billing].deleted:
                continue
            where = f"elation {ehr} / kareo {billing}"
            if self._ledger.stranger(known.office, ehr, billing):
                found.append(f"{where}: two different people")
            if "link" not in waiting[billing]:
                fields = {slot.removeprefix("field:") for slot in waiting[billing]}
                found += [f"{where}: {text}" for text in self._ledger.lost(ehr, billing, direction, fields)]
        return found

    def _corrected_in_vain(self, known: _Practice, found: audit.Audit) -> list[str]:
        """Bills that wait with an error which they no longer deserve."""
        vain = []
        for patient in found.patients.values():
            for slot, one in patient.waiting.items():
                if one.code == WaitCode.BILL_ERROR and slot.removeprefix("bill:").isdigit():
                    bill = self._clinic.ehr.bills[int(slot.removeprefix("bill:"))]
                    deserved = complaints(known.office, bill)
                    if any(word in one.text for word in COMPLAINTS) and not any(word in one.text for word in deserved):
                        vain.append(f"bill {bill['id']} was corrected and waits as before")
        return vain

    def _misbilled(self, links: dict[int, int], audited: audit.Audit) -> list[str]:
        """Encounters of somebody else than the bill's patient, unless an item says that they went to whom he was linked with before."""
        bills, found = self._clinic.ehr.bills, []
        items = [one for each in audited.patients.values() for one in (*each.waiting.items(), *each.dismissed.items())]
        told = {slot for slot, item in items if item.code == WaitCode.BILLED_TO_FORMER}
        for one in self._clinic.billing.encounters.values():
            chart = bills[int(one.batch_number)]["patient"]
            billing = links.get(chart, one.patient_id)
            former = f"bill:{one.batch_number}" in told
            if one.patient_id != billing and not former and not self._ledger.merged(chart, billing):
                found.append(f"bill {one.batch_number} went to another patient")
        return found

    def _heirs(self) -> set[int]:
        """Charts that others were merged into: with two linked ones a person decides whose policies stay."""
        return {int(one["merged_into_chart"]) for one in self._clinic.ehr.patients.values() if one["merged_into_chart"]}

    def head(self, practice: PracticeId | str) -> int:
        return self._practices[str(practice)].sequence

    def written(self) -> int:
        """Intents that succeeded and changed something so far."""
        return sum(sum(known.ended.values()) for known in self._practices.values())


def either(one: Policy, other: Policy) -> Policy:
    """What either of the two allows."""
    table = {resource: _both({one.table[resource], other.table[resource]}) for resource in one.table}
    return replace(other, table=table)


def _both(directions: set[Direction]) -> Direction:
    found = directions - {Direction.OFF}
    return Direction.BOTH if len(found) > 1 else found.pop() if found else Direction.OFF
