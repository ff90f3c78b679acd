"""What would have been written under another policy: history replayed, decided about again, and compared with what was.

How it decides, and what it cannot know:

- The state is what really happened at every step: all recorded observations, and the recorded outcomes of the past as the
  vendors' answers. At the end of each recorded transaction, every patient it touched is decided about under the other policy,
  and what is wanted then is compared with what was really requested.
- A write that was wanted for the first time, or wanted with other content, counts as made, unless the same was really requested
  some transactions later. It is taken to succeed; its further consequences (what users would have done next, its echo) are not
  invented.
- Where a chart would not have been created, nothing further of that patient counts as written: there would be no chart.
- A request counts as not made only if it really was carried out. Moments in between two recorded transactions (a burst that
  really was one transaction) cannot be taken apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from events.ids import PRACTICE, PatientKey, PracticeId, event_id
from events.maps import MapChange
from events.schema import (
    BillingDirectoryObserved,
    ConflictRecorded,
    EhrDirectoryObserved,
    Event,
    FieldsAgreed,
    IntentRequested,
    IntentSucceeded,
    Origin,
    Recorded,
    RevisitDue,
)
from events.writes import (
    AnyWrite,
    BillingChartWritten,
    CreateBillingChart,
    CreateEhrChart,
    EhrChartWritten,
    Resource,
    System,
    changes_nothing,
    system_of,
)
from projections.deciding.batch import ROUNDS, Undecided
from projections.deciding.intents import wanted
from projections.rules.wants import Moment, Wants, Wish, same_write
from projections.state.open_intents import UNDER_WAY, OpenIntent
from projections.state.state import PracticeState
from projections.terms.policy import Policy, allows
from projections.words.moment import AsOf
from projections.words.writes import Going

_NO_EVENT = event_id(PracticeId(""), "what if")
KINDS = ("made", "not made", "otherwise")

NEVER_READ = {
    Resource.APPOINTMENT: "appointments of {here}'s calendar",
    Resource.INSURANCE: "policies entered in {here}",
}
"""What is read only where it goes to the billing side."""

PatientSlot = tuple[PatientKey, str]
"""A patient and a slot."""


@dataclass(frozen=True)
class Deviation:
    """One write that would differ: `made`, `not made`, or made `otherwise`; `sequence` is the event it would be about."""

    kind: str
    sequence: int
    patient: str
    slot: str
    system: System
    resource: Resource
    write: AnyWrite
    was: AnyWrite | None = None
    why: str = ""


@dataclass
class Comparison:
    """All deviations in order, and how many real writes were the same."""

    deviations: list[Deviation] = field(default_factory=list)
    same: int = 0
    events: int = 0

    def counts(self) -> dict[str, dict[Going, int]]:
        """By kind, then by where they go."""
        found: dict[str, Counter[Going]] = {kind: Counter() for kind in KINDS}
        for one in self.deviations:
            found[one.kind][Going(one.resource, one.system)] += 1
        return {kind: dict(sorted(each.items())) for kind, each in found.items()}


@dataclass
class _Judged:
    """A real request, and what the other policy says of it."""

    deviation: Deviation | None


class WhatIf:
    """Feed it the recorded events in order (`take`), then `close`; `result` has what would differ after `since`."""

    def __init__(self, policy: Policy, since: AsOf | None = None) -> None:
        self.result = Comparison()
        self._policy = policy
        self._since = since
        self._state = PracticeState()
        self._batch: list[Recorded] = []
        self._judged: dict[str, _Judged] = {}
        self._pending: dict[PatientSlot, AnyWrite] = {}
        self._made: dict[PatientSlot, Deviation] = {}
        self._waiting: set[PatientKey] = set()
        self._due: set[PatientKey] = set()
        self._no_ehr: set[int] = set()
        self._no_billing: set[int] = set()

    def take(self, one: Recorded) -> None:
        """The next event; events of one transaction share their time of recording."""
        if self._batch and self._batch[-1].recorded != one.recorded:
            self._decide()
        self._batch.append(one)
        self._state.apply(one.event, one.sequence)
        self.result.events += 1

    def close(self) -> Comparison:
        if self._batch:
            self._decide()
        self.result.deviations.sort(key=lambda one: one.sequence)
        return self.result

    def _decide(self) -> None:
        batch, self._batch = self._batch, []
        state = self._state
        touched = {one.event.patient for one in batch if one.event.patient} & state.patients.keys()
        if not any(isinstance(one.event.body, RevisitDue) for one in batch):
            touched |= self._due & state.patients.keys()
            self._due.clear()
        if any(_changes_practice(one.event) for one in batch):
            self._due |= self._waiting  # looked at once the recorder has: its revisits are the next transactions
        requests: dict[PatientKey, list[Recorded]] = {}
        for one in batch:
            if isinstance(one.event.body, IntentRequested):
                requests.setdefault(one.event.patient, []).append(one)
        shared: dict[str, Wish] = {}
        needed: set[str] = set()
        for key in sorted(touched):
            wants = self._compare(key, requests.get(key, []), batch[-1])
            shared |= wants.shared
            needed |= {on for waiting in wants.waits.values() for on in waiting.depends_on}
        asked = requests.get(PRACTICE, [])
        opened = {slot: _wish(one) for one in asked if (slot := _slot(one)) in needed}
        self._judge(asked, {**opened, **shared}, "no patient would need it")
        self._add(PRACTICE, shared, state.directory.intents, batch[-1])
        self._settle(batch)
        state.changed.clear()
        state.gone.clear()
        state.recharted.clear()

    def _compare(self, key: PatientKey, requests: Sequence[Recorded], last: Recorded) -> Wants:
        """Compare one patient's writes; returns all that it wants, of the practice too (carriers and plans)."""
        patient = self._state.patients[key]
        now = Moment.at(last.recorded, self._policy.time_zone)
        link = patient.link
        missing = link is not None and (link.ehr in self._no_ehr or link.billing in self._no_billing)
        wants = Wants() if missing else wants_of(self._state, key, self._policy, now)
        waits = any(one.depends_on for one in wants.waits.values())
        (self._waiting.add if waits else self._waiting.discard)(key)
        self._judge(requests, wants.writes, "its chart would not have been created" if missing else "not wanted")
        self._add(key, wants.writes, patient.intents, last)
        for place in [place for place in self._pending if place[0] == key and place[1] not in wants.writes]:
            del self._pending[place]
        return wants

    def _judge(self, requests: Sequence[Recorded], wishes: dict[str, Wish], why: str) -> None:
        """Real requests beside what would be wanted; they count once they are carried out."""
        for one in requests:
            body = one.event.body
            if not isinstance(body, IntentRequested) or changes_nothing(body.write):
                continue
            wish = wishes.get(body.slot)
            self._judged[body.intent] = _Judged(_compared(one, body, wish, why))
            if wish is not None:
                self._pending[one.event.patient, body.slot] = wish.write
            made = self._made.pop((one.event.patient, body.slot), None)
            if made is not None and same_write(made.write, body.write):  # it was made as well, a few transactions later
                self.result.deviations = [each for each in self.result.deviations if each is not made]

    def _add(self, key: PatientKey, wishes: dict[str, Wish], really: dict[str, OpenIntent], last: Recorded) -> None:
        """Writes that would be wanted and really are not; each counts once, until it is wanted otherwise."""
        for slot, wish in wishes.items():
            open_ = really.get(slot)
            if open_ is not None and (open_.state in UNDER_WAY or same_write(wish.write, open_.write)):
                continue
            if changes_nothing(wish.write) or self._pending.get((key, slot)) == wish.write:
                continue
            self._pending[key, slot] = wish.write
            made = self._made[key, slot] = _deviation("made", last.sequence, key, slot, wish)
            self._note(made, last)

    def _settle(self, batch: Sequence[Recorded]) -> None:
        """Requests that were carried out count now; a creation that would not have been made leaves its chart out."""
        for one in batch:
            body = one.event.body
            if not isinstance(body, IntentSucceeded) or body.intent not in self._judged:
                continue
            deviation = self._judged.pop(body.intent).deviation
            if deviation is None:
                self.result.same += not is_before(one, self._since)
                continue
            self._note(deviation, one)
            if deviation.kind == "not made":
                match deviation.write, body.result:
                    case CreateEhrChart(), EhrChartWritten(chart=chart):
                        self._no_ehr.add(chart.id)
                    case CreateBillingChart(), BillingChartWritten(chart=there):
                        self._no_billing.add(there.id)

    def _note(self, deviation: Deviation, at: Recorded) -> None:
        if not is_before(at, self._since):
            self.result.deviations.append(deviation)


def unknown_under(own: Policy, other: Policy) -> tuple[str, ...]:
    """Sentences on what history under `own` cannot tell of `other`, because it was not read."""
    here, there = own.names.ehr.label, own.names.billing.label
    found = [
        what.format(here=here)
        for resource, what in NEVER_READ.items()
        if allows(other, resource, System.BILLING) and not allows(own, resource, System.BILLING)
    ]
    text = (
        "Not known: {} are read only where they go to {}, and here they do not. What would be written of them is not told."
    )
    return tuple(text.format(what, there) for what in found)


def is_before(recorded: Recorded, since: AsOf | None) -> bool:
    """Whether the event was recorded before `since`; none was before None."""
    if since is None:
        return False
    return recorded.sequence < since if isinstance(since, int) else recorded.recorded < since


def wants_of(state: PracticeState, key: PatientKey, policy: Policy, now: Moment) -> Wants:
    """What is wanted for a patient; `state` stays as it is.

    Facts about fields (an agreement, a conflict) are folded as the recorder would fold them, until none follows. Facts about
    links are the same under every policy, and were folded when they really happened. Raises Undecided.
    """
    real = state.patients[key]
    try:
        for _ in range(ROUNDS):
            wants = wanted(state, key, policy, now)
            facts = [one for one in wants.facts if isinstance(one, FieldsAgreed | ConflictRecorded)]
            if not wants.facts:
                return wants
            if not facts:
                return Wants()
            for body in facts:
                event = Event(
                    id=_NO_EVENT,
                    practice=policy.practice,
                    origin=Origin.CHARTWIRE,
                    observed=now.now,
                    body=body,
                    patient=key,
                )
                state.apply(event, 0)
        raise Undecided("facts about fields")
    finally:
        state.patients[key] = real


def _compared(one: Recorded, body: IntentRequested, wish: Wish | None, why: str) -> Deviation | None:
    if wish is not None and same_write(wish.write, body.write):
        return None
    return Deviation(
        kind="not made" if wish is None else "otherwise",
        sequence=one.sequence,
        patient=one.event.patient,
        slot=body.slot,
        system=body.system,
        resource=body.resource,
        write=body.write if wish is None else wish.write,
        was=None if wish is None else body.write,
        why=why if wish is None else "",
    )


def _deviation(kind: str, sequence: int, key: PatientKey, slot: str, wish: Wish) -> Deviation:
    return Deviation(
        kind=kind,
        sequence=sequence,
        patient=key,
        slot=slot,
        system=system_of(wish.write),
        resource=wish.resource,
        write=wish.write,
        why=wish.rule,
    )


def _slot(one: Recorded) -> str:
    return one.event.body.slot if isinstance(one.event.body, IntentRequested) else ""


def _wish(one: Recorded) -> Wish:
    """What was really requested: still wanted as long as a patient waits for it."""
    body = one.event.body
    assert isinstance(body, IntentRequested)
    return Wish(body.write, body.resource, body.rule)


def _changes_practice(event: Event) -> bool:
    return isinstance(event.body, EhrDirectoryObserved | BillingDirectoryObserved | MapChange) or (
        not event.patient and isinstance(event.body, IntentSucceeded)
    )
