"""Why a write was made, or why a field is as it is: cause, base, both values, rule, direction row, attempts and answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from daemon.history.events_of import events_of
from events.ids import EventId, PatientKey, PracticeId
from events.schema import (
    Event,
    IntentRefused,
    IntentRequested,
    IntentSucceeded,
    Outcome,
    Recorded,
)
from events.slots import parse_slot
from events.store import Store
from projections.state.directory import Directory, fold_directory
from projections.state.state import PracticeState
from projections.terms.policy import Policy
from projections.words.known import FieldKnown, fields_known, folded
from projections.words.lines import Entry, entries, fields_of
from projections.words.remedy import meaning_of
from projections.words.shown import Shown
from projections.words.subject import winners_named
from projections.words.words import describe
from projections.words.writes import describe_write


@dataclass(frozen=True)
class Step:
    """An event that is part of the explanation."""

    sequence: int
    id: EventId
    type: str
    text: str
    answer: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class Why:
    """The explanation of one intent. `fields` are as they were known when it was decided; `causes` go from root to request."""

    intent: str
    slot: str
    system: str
    resource: str
    write: str
    rule: str
    notes: tuple[str, ...]
    request: Step
    causes: tuple[Step, ...] = ()
    fields: tuple[FieldKnown, ...] = ()
    steps: tuple[Step, ...] = ()
    outcome: str = "open"


@dataclass(frozen=True)
class FieldWhy:
    """The explanation of one field: what is known of it, the events that concern it, and the last write of it."""

    known: FieldKnown
    patient: PatientKey
    link: str
    waiting: tuple[tuple[str, str, str], ...] = ()
    conflict: bool = False
    events: tuple[Step, ...] = ()
    write: Why | None = field(default=None)


async def find_request(store: Store, practice: PracticeId, intent: str) -> Recorded | None:
    """The request of an intent by its id: only requests are read, but all of them, newest bodies last."""
    async for one in store.by_type(practice, "IntentRequested"):
        if isinstance(one.event.body, IntentRequested) and one.event.body.intent == intent:
            return one
    return None


async def directory_at(store: Store, practice: PracticeId, sequence: int) -> Directory:
    """The directory as it was known after event `sequence`."""
    directory = Directory()
    async for one in store.of_practice(practice, up_to=sequence):
        directory = fold_directory(directory, one.event)
    return directory


async def events_about(store: Store, practice: PracticeId, event: Event) -> list[Recorded]:
    """The events of the patient that an event is about; the practice's own when it is about none."""
    return await events_of(store, practice, event.patient)


async def explain_intent(store: Store, policy: Policy, request: Recorded, shown: Shown) -> Why:
    """Why this write was wanted, and what came of it."""
    history = await events_about(store, policy.practice, request.event)
    directory = await directory_at(store, policy.practice, request.sequence - 1)
    told = {one.recorded.event.id: one for one in entries(history, policy, shown)}
    causes = await _causes(store, policy.practice, request, told, shown)
    return why(request, history, directory, policy, shown, causes)


def why(
    request: Recorded,
    history: Sequence[Recorded],
    directory: Directory,
    policy: Policy,
    shown: Shown,
    causes: Sequence[Step] = (),
) -> Why:
    """The explanation from what was read: `history` are all events of the patient, `directory` is as of the request."""
    body = request.event.body
    if not isinstance(body, IntentRequested):
        raise TypeError(f"#{request.sequence} is {request.event.type}, not a request")
    steps = [
        _step(one, shown) for one in history if isinstance(one.event.body, Outcome) and one.event.body.intent == body.intent
    ]
    patient = folded([one for one in history if one.sequence < request.sequence]).patients.get(request.event.patient)
    names = set(fields_of(body.write))
    fields = [one for one in fields_known(patient, directory, policy, shown) if one.field in names] if patient else []
    ends = {"IntentSucceeded": "done", "IntentRefused": "refused", "IntentSuperseded": "superseded"}
    ends |= {"IntentOutcomeUnknown": "unknown", "IntentAttempted": "attempted"}
    return Why(
        intent=body.intent,
        slot=body.slot,
        system=shown.systems.of(body.system).prefix,
        resource=body.resource.value,
        write=describe_write(body.write, shown),
        rule=body.rule,
        notes=body.notes,
        request=_step(request, shown),
        causes=tuple(causes),
        fields=tuple(fields),
        steps=tuple(steps),
        outcome=ends[steps[-1].type] if steps else "open",
    )


async def explain_field(
    store: Store, policy: Policy, history: Sequence[Recorded], field_: str, shown: Shown
) -> list[FieldWhy]:
    """Why a field is as it is, for each patient of a `history`, which may end before the head."""
    state = folded(history)
    directory = await directory_at(store, policy.practice, history[-1].sequence if history else 0)
    concerning = [one for one in entries(history, policy, shown) if field_ in one.fields]
    requests = [one.recorded for one in concerning if isinstance(one.recorded.event.body, IntentRequested)]
    result: list[FieldWhy] = []
    for key, patient in sorted(state.patients.items()):
        (known,) = [one for one in fields_known(patient, directory, policy, shown) if one.field == field_]
        mine = [one for one in requests if state.key_of(one.event.ehr, one.event.billing) == key]
        write = await explain_intent(store, policy, mine[-1], shown) if mine else None
        waiting = tuple(
            (
                slot,
                one.code,
                shown.quoting(one.text) if meaning_of(one.code).quotes else winners_named(one.text, shown.systems),
            )
            for slot, one in patient.waiting.items()
            if parse_slot(slot).id == field_
        )
        result.append(
            FieldWhy(
                known=known,
                patient=key,
                link="none" if patient.link is None else "suspended" if patient.link.suspended else "linked",
                waiting=waiting,
                conflict=field_ in patient.conflicts,
                events=tuple(_of_entry(one) for one in concerning if _is_of(one, state, key)),
                write=write,
            )
        )
    return result


def _is_of(entry: Entry, state: PracticeState, key: str) -> bool:
    event = entry.recorded.event
    return state.key_of(event.ehr, event.billing) == key


def _of_entry(entry: Entry) -> Step:
    one = entry.recorded
    return Step(one.sequence, one.event.id, one.event.type, entry.text, at=one.recorded)


def _step(one: Recorded, shown: Shown) -> Step:
    body = one.event.body
    answer = ""
    if isinstance(body, IntentRefused) and shown.all:
        answer = body.raw or body.text
    elif isinstance(body, IntentSucceeded) and shown.all:
        answer = msgspec.json.encode(body.result).decode()
    return Step(one.sequence, one.event.id, one.event.type, describe(body, shown, news=""), answer, one.recorded)


async def _causes(
    store: Store, practice: PracticeId, request: Recorded, told: dict[EventId, Entry], shown: Shown
) -> list[Step]:
    """The chain of causes, the first one first; those of other patients and of the practice are looked up."""
    chain: list[Step] = []
    cause = request.event.cause
    while cause is not None and all(cause != one.id for one in chain):
        entry = told.get(cause)
        found = entry.recorded if entry is not None else await store.by_id(practice, cause)
        if found is None:
            break
        chain.append(_of_entry(entry) if entry is not None else _step(found, shown))
        cause = found.event.cause
    return chain[::-1]
