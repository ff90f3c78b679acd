"""What both projections share: open intents, waiting items, and how intent events move them.

An intent is open from its request until it has succeeded or was superseded. A refused one stays open: it is a write still
wanted, which a person has to look at, and the same write is not asked for again.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from msgspec.structs import replace

from events.ids import EventId, IntentId
from events.records import Value
from events.schema import (
    Event,
    IntentAttempted,
    IntentOutcomeUnknown,
    IntentRefused,
    IntentRequested,
    Outcome,
    WaitingDismissed,
)
from events.writes import AnyWrite, Resource, System

T = TypeVar("T")

UNDER_WAY = ("attempted", "unknown")
"""States of an intent that is left to its outcome: the write may have been made."""


class OpenIntent(Value, frozen=True, kw_only=True):
    """`state` is requested, attempted, unknown or refused; `cause` the event that led to the request."""

    intent: IntentId
    system: System
    resource: Resource
    write: AnyWrite
    rule: str
    cause: EventId | None = None
    state: str = "requested"
    attempt: int = 0
    requested: datetime | None = None
    since: datetime | None = None
    code: str = ""
    text: str = ""
    looks: bool = False


class Waiting(Value, frozen=True, kw_only=True):
    """Something that cannot go on by itself, and what would change that."""

    code: str
    text: str
    depends_on: tuple[str, ...] = ()
    since: datetime | None = None


class Dismissed(Value, frozen=True, kw_only=True):
    """An item that a person accepted as it is: `about_digest` is the digest of what it was about when they did.

    A dismissed item still wakes up when something it `depends_on` arrives.
    """

    code: str
    text: str
    about_digest: str
    who: str
    reason: str
    since: datetime
    depends_on: tuple[str, ...] = ()


def without(mapping: dict[str, T], *keys: str) -> dict[str, T]:
    """A copy of `mapping` less `keys`."""
    return {key: value for key, value in mapping.items() if key not in keys}


def dismiss(
    waiting: dict[str, Waiting], dismissed: dict[str, Dismissed], body: WaitingDismissed, since: datetime
) -> tuple[dict[str, Waiting], dict[str, Dismissed]]:
    """What waits and what was accepted, after a person accepted an item."""
    depends_on = waiting[body.slot].depends_on if body.slot in waiting else ()
    entry = Dismissed(
        code=body.code,
        text=body.text,
        about_digest=body.about_digest,
        who=body.who,
        reason=body.reason,
        since=since,
        depends_on=depends_on,
    )
    return without(waiting, body.slot), {**dismissed, body.slot: entry}


def dependencies(waiting: dict[str, Waiting], dismissed: dict[str, Dismissed]) -> tuple[str, ...]:
    """What would change something about these items, each once."""
    each = [one.depends_on for one in waiting.values()] + [one.depends_on for one in dismissed.values()]
    return tuple(dict.fromkeys(on for depends_on in each for on in depends_on))


def again(intent: OpenIntent) -> OpenIntent:
    """A refused intent asked for again; its attempts go on counting."""
    return replace(intent, state="requested", code="", text="") if intent.state == "refused" else intent


def follow_intent(intents: dict[str, OpenIntent], event: Event) -> dict[str, OpenIntent]:
    """The open intents by slot after an intent event; events about an intent that is not open any more change nothing."""
    body = event.body
    if isinstance(body, IntentRequested):
        opened = OpenIntent(
            intent=body.intent,
            system=body.system,
            resource=body.resource,
            write=body.write,
            rule=body.rule,
            cause=event.cause,
            requested=event.observed,
            since=body.since,
            looks=body.looks,
        )
        return {**intents, body.slot: opened}
    if not isinstance(body, Outcome):
        return intents
    slot = next((slot for slot, one in intents.items() if one.intent == body.intent), None)
    if slot is None:
        return intents
    known = intents[slot]
    match body:
        case IntentAttempted():
            return {**intents, slot: replace(known, state="attempted", attempt=body.attempt)}
        case IntentOutcomeUnknown():
            return {**intents, slot: replace(known, state="unknown")}
        case IntentRefused():
            return {**intents, slot: replace(known, state="refused", code=body.code, text=body.text)}
        case _:
            return without(intents, slot)
