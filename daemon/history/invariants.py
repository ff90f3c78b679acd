"""The invariants of deploy/DESIGN.md, checked from the events and the stored projections, after a rehearsal or at any time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from daemon.history.compare import verify
from daemon.history.fold import Replay
from daemon.tables import documents as tables
from events.ids import PatientKey
from events.schema import (
    IntentAttempted,
    IntentRequested,
    IntentSucceeded,
    IntentSuperseded,
    Recorded,
)
from events.store import Store
from events.writes import BillAnswer, Resource, System, changes_nothing
from projections.state.directory import Directory
from projections.state.patient import Patient
from projections.state.state import PracticeState
from projections.terms.policy import Policy, allows


@dataclass
class Audit:
    """What is wrong, by invariant; and what a summary shows of the practice."""

    broken: dict[str, list[str]] = field(default_factory=dict)
    events: int = 0
    patients: dict[PatientKey, Patient] = field(default_factory=dict)
    directory: Directory = field(default_factory=Directory)

    def say(self, invariant: str, text: str) -> None:
        self.broken.setdefault(invariant, []).append(text)


async def audit(store: Store, policy: Policy) -> Audit:
    """Read all events of a practice and check I1, I2, I4, I7 and I8."""
    practice = policy.practice
    result = Audit()
    replay = Replay(practice)
    opened: dict[str, IntentRequested] = {}
    ended: Counter[str] = Counter()
    async for recorded in store.read(practice):
        result.events += 1
        if recorded.sequence != replay.sequence + 1:
            result.say("I7", f"sequence {recorded.sequence} where {replay.sequence + 1} was expected")
            replay.sequence = recorded.sequence - 1
        replay.take(recorded)
        result.directory = replay.state.directory
        check_event(recorded, policy, result, opened, ended)
    for difference in await verify(store, replay):
        result.say("I7", str(difference))
    state = replay.state
    _check_links(await tables.links(store.pool, practice), state, result)
    _check_ends(state, opened, ended, result)
    result.patients = state.patients
    result.directory = state.directory
    return result


def check_event(
    recorded: Recorded, policy: Policy, result: Audit, opened: dict[str, IntentRequested], ended: Counter[str]
) -> None:
    """What one event alone, with those before it, tells of I2, I3 and I8; keeps `opened` and `ended` up to date."""
    event, body = recorded.event, recorded.event.body
    if isinstance(body, IntentRequested):
        if event.cause is None or not body.rule:
            result.say("I8", f"intent #{recorded.sequence} names no cause or no rule")
        if body.intent in opened:
            result.say("I3", f"intent #{recorded.sequence} was requested twice")
        opened[body.intent] = body
        answer = isinstance(body.write, BillAnswer)
        target = System.BILLING if answer else body.system
        if not changes_nothing(body.write) and not allows(policy, Resource(body.resource), target):
            result.say("I2", f"intent #{recorded.sequence} is against the direction table")
    elif isinstance(body, IntentAttempted):
        if result.directory.observing:
            result.say("I2", f"attempt #{recorded.sequence} while the practice was only observed")
        if body.intent not in opened:
            result.say("I8", f"attempt #{recorded.sequence} of an intent that nobody requested")
        if ended[body.intent]:
            result.say("I3", f"attempt #{recorded.sequence} of an intent that was done already")
    elif isinstance(body, IntentSucceeded | IntentSuperseded):
        ended[body.intent] += 1
        if isinstance(body, IntentSucceeded) and ended[body.intent] > 1:
            result.say("I3", f"intent #{recorded.sequence} ended twice")


def _check_links(links: list[tuple[int, int]], state: PracticeState, result: Audit) -> None:
    folded = {(one.link.ehr, one.link.billing) for one in state.patients.values() if one.link is not None}
    if folded != set(links):
        result.say("I1", "the links in the database are not those of the events")
    for side in (0, 1):
        twice = [id_ for id_, count in Counter(pair[side] for pair in folded).items() if count > 1]
        if twice:
            result.say("I1", f"{len(twice)} charts have more than one link")


def _check_ends(state: PracticeState, opened: dict[str, IntentRequested], ended: Counter[str], result: Audit) -> None:
    """I4: every intent is done, superseded, open, or refused and shown as waiting or as accepted by a person."""
    still_open = {one.intent for patient in state.patients.values() for one in patient.intents.values()}
    still_open |= {one.intent for one in state.directory.intents.values()}
    for intent in opened:
        if not ended[intent] and intent not in still_open:
            result.say("I4", f"intent {intent} ended nowhere")
    for patient in state.patients.values():
        for slot, one in patient.intents.items():
            if one.state == "refused" and slot not in patient.waiting and slot not in patient.dismissed:
                result.say("I4", f"{patient.key} {slot} was refused and does not wait visibly")
