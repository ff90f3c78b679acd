"""From what is wanted to events, against what is open already.

The same wish is not recorded twice. A changed wish supersedes one that was not attempted yet. A write under way is left to its outcome.
"""

from __future__ import annotations

from collections.abc import Callable

from events.ids import EventId, IntentId, PracticeId, content_hash
from events.records import type_of
from events.schema import Body, IntentRequested, IntentSuperseded, WaitingCleared, WaitingRaised
from events.writes import AnyWrite, BillAnswer, Resource, System, changes_nothing, system_of
from projections.rules.wants import Wish, same_write
from projections.state.open_intents import UNDER_WAY, OpenIntent, Waiting
from projections.state.patient import Patient
from projections.terms.policy import Policy, allows, row


def permitted(writes: dict[str, Wish], policy: Policy) -> dict[str, Wish]:
    """The direction filter, applied to every wish there is: writes against the table are never requested (I2)."""
    return {slot: wish for slot, wish in writes.items() if may_be_written(wish.write, wish.resource, policy)}


def may_be_written(write: AnyWrite, resource: Resource, policy: Policy) -> bool:
    """As the table says; searches change nothing, and a bill's answer goes back to where the bill came from."""
    if changes_nothing(write):
        return True
    target = System.BILLING if isinstance(write, BillAnswer) else system_of(write)
    return allows(policy, resource, target)


def reconcile_intents(
    wanted: dict[str, Wish],
    intents: dict[str, OpenIntent],
    practice: PracticeId,
    policy: Policy,
    cause: EventId | None,
    *,
    looks: bool = False,
) -> list[Body]:
    """Events that bring the open `intents` to what is wanted now; `looks` as in IntentRequested."""
    bodies: list[Body] = []
    for slot, known in intents.items():
        if slot not in wanted and known.state in ("requested", "refused"):
            bodies.append(IntentSuperseded(intent=known.intent, slot=slot, reason="no longer wanted"))
    for slot, wish in wanted.items():
        open_ = intents.get(slot)
        if open_ is not None:
            if open_.state in UNDER_WAY or same_write(wish.write, open_.write):
                continue
            bodies.append(IntentSuperseded(intent=open_.intent, slot=slot, reason="a newer change replaces it"))
        bodies.append(
            IntentRequested(
                intent=_intent_id(practice, slot, wish.write, cause, len(bodies)),
                slot=slot,
                system=system_of(wish.write),
                resource=wish.resource,
                write=wish.write,
                rule=f"{wish.rule} ({row(policy, wish.resource)})",
                notes=wish.notes,
                looks=looks,
            )
        )
    return bodies


def reconcile_waiting(waits: dict[str, Waiting], patient: Patient, about: Callable[[str], str]) -> list[Body]:
    """Events that bring the patient's waiting items to what waits now; `about` gives the digest of what a slot is about.

    An accepted item is raised again only when its text or subject changes. The acceptance is dropped once the cause is gone.
    """
    bodies: list[Body] = []
    for slot, waiting in waits.items():
        accepted = patient.dismissed.get(slot)
        if accepted is not None and (accepted.code, accepted.text, accepted.depends_on, accepted.about_digest) == (
            waiting.code,
            waiting.text,
            waiting.depends_on,
            about(slot),
        ):
            continue
        before = patient.waiting.get(slot)
        if before is None or (before.code, before.text, before.depends_on) != (
            waiting.code,
            waiting.text,
            waiting.depends_on,
        ):
            bodies.append(WaitingRaised(slot=slot, code=waiting.code, text=waiting.text, depends_on=waiting.depends_on))
    known = dict.fromkeys((*patient.waiting, *patient.dismissed))
    bodies += [WaitingCleared(slot=slot, how="resolved") for slot in known if slot not in waits]
    return bodies


def _intent_id(practice: PracticeId, slot: str, write: AnyWrite, cause: EventId | None, ordinal: int) -> IntentId:
    return IntentId(content_hash(f"{practice}|{slot}|{type_of(write)}|{cause}|{ordinal}".encode())[:24])
