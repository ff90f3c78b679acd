"""A patient's events as the lines of a history: in words, with the fields that changed, each tied to what caused it.

By default a line names fields, records, times and reasons, but no value of a field and no person's name: enough to follow
what happened, safe to send on. Values and names are each shown when asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from events.commands import ConflictSeen
from events.schema import (
    BillingChartObserved,
    Body,
    ChartLinked,
    ConflictRecorded,
    EhrChartObserved,
    FieldsAgreed,
    IntentAttempted,
    IntentOutcomeUnknown,
    IntentRefused,
    IntentRequested,
    IntentSucceeded,
    IntentSuperseded,
    Recorded,
    WaitingCleared,
    WaitingRaised,
)
from events.slots import SlotKind, parse_slot
from events.writes import (
    AnyWrite,
)
from projections.rules.fields import NAMES, billing_view, ehr_view
from projections.state.directory import Directory
from projections.state.patient import BillingSide, EhrSide, Patient
from projections.state.state import PracticeState
from projections.terms.policy import Policy
from projections.words.shown import Shown
from projections.words.subject import counted, field_in_words, fields_in_words
from projections.words.words import describe

INSURANCE = "insurance"

OfIntent = IntentRequested | IntentAttempted | IntentSucceeded | IntentRefused | IntentOutcomeUnknown | IntentSuperseded


@dataclass(frozen=True)
class FieldChange:
    field: str
    before: str
    after: str


@dataclass(frozen=True)
class Entry:
    """One event: `fields` are all it concerns, `changes` those an observation brought, `cause` the sequence it followed from.

    An outcome's cause is the request it belongs to, so that rows lead from change to request to attempt to answer.
    """

    recorded: Recorded
    text: str
    fields: tuple[str, ...] = ()
    changes: tuple[FieldChange, ...] = ()
    cause: int | None = None
    intent: str = ""


def entries(history: Sequence[Recorded], policy: Policy, shown: Shown) -> list[Entry]:
    """The history of one patient, from all events about it in order."""
    state = PracticeState()
    sequences = {one.event.id: one.sequence for one in history}
    requests: dict[str, Recorded] = {}
    views = _Views(policy)
    result: list[Entry] = []
    for one in history:
        event, body = one.event, one.event.body
        before = state.patients.get(event.patient)
        state.apply(event, one.sequence)
        after = state.patients.get(event.patient)
        changes = _changes(body, before, after, views)
        intent = ""
        cause = sequences.get(event.cause) if event.cause is not None else None
        if isinstance(body, OfIntent):
            intent = body.intent
            if isinstance(body, IntentRequested):
                requests[intent] = one
            elif intent in requests:
                cause = requests[intent].sequence
        asked = requests.get(intent)
        fields = tuple(change.field for change in changes or ()) or _fields(body, asked)
        text = describe(body, shown, news=_changed(changes, shown))
        if changes is None and isinstance(body, EhrChartObserved | BillingChartObserved):
            text += ": nothing newer than what was known"
        result.append(Entry(one, text, fields, tuple(changes or ()), cause, intent))
    return result


def about(found: Iterable[Entry], field: str) -> list[Entry]:
    """The lines that concern a field."""
    return [one for one in found if field in one.fields]


class _Views:
    """Charts as read into fields; the last one of each side is kept, for the next observation is compared with it."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._kept: dict[object, tuple[object, dict[str, str]]] = {}

    def of(self, side: EhrSide | BillingSide | None) -> dict[str, str]:
        if side is None:
            return {}
        place = (type(side), side.chart.id)
        kept = self._kept.get(place)
        if kept is None or kept[0] is not side:
            if isinstance(side, EhrSide):
                view = ehr_view(side.chart, Directory(), self._policy)
            else:
                view = billing_view(side.chart)
            kept = self._kept[place] = (side, view)
        return kept[1]


def _changes(body: Body, before: Patient | None, after: Patient | None, views: _Views) -> list[FieldChange] | None:
    """What an observation of a chart changed; None when it was older than what was known, or no such observation."""
    if isinstance(body, EhrChartObserved):
        old, new = before.ehr if before else None, after.ehr if after else None
        return None if new is None or new is old else _differing(views.of(old), views.of(new))
    if isinstance(body, BillingChartObserved):
        there, now = before.billing if before else None, after.billing if after else None
        if now is None or now is there:
            return None
        changes = _differing(views.of(there), views.of(now))
        cases = there.chart.cases if there else None
        if now.chart.cases != cases:
            changes.append(FieldChange(INSURANCE, *(counted(len(one or ()), "case") for one in (cases, now.chart.cases))))
        return changes
    return None


def _differing(old: dict[str, str], new: dict[str, str]) -> list[FieldChange]:
    return [FieldChange(name, old.get(name, ""), new[name]) for name in NAMES if new[name] != old.get(name, "")]


def fields_of(write: AnyWrite) -> tuple[str, ...]:
    """The demographics that a write sets."""
    fields = getattr(write, "fields", None)
    return tuple(fields) if isinstance(fields, dict) else ()


def fields_named(body: Body) -> tuple[str, ...]:
    """The demographics that an event itself names, whatever was before."""
    match body:
        case IntentRequested():
            return fields_of(body.write)
        case FieldsAgreed():
            return tuple(body.fields)
        case ChartLinked():
            return tuple(body.base)
        case ConflictRecorded():
            return tuple(one.field for one in body.conflicts)
        case ConflictSeen():
            return body.fields
        case WaitingRaised() | WaitingCleared():
            kind, field = parse_slot(body.slot)
            return (field,) if kind in (SlotKind.FIELD, SlotKind.CONFLICT) else ()
    return ()


def _fields(body: Body, asked: Recorded | None) -> tuple[str, ...]:
    if named := fields_named(body):
        return named
    if asked is not None and isinstance(asked.event.body, IntentRequested):
        return fields_of(asked.event.body.write)
    return ()


def _changed(changes: Sequence[FieldChange] | None, shown: Shown) -> str:
    if changes is None:
        return ""
    if not changes:
        return ": nothing that is synchronized has changed"
    if not shown.any:
        return f": {fields_in_words(one.field for one in changes)}"
    return ": " + ", ".join(
        f"{field_in_words(one.field)} {_was(one, shown)}{shown.written(one.field, one.after)}" for one in changes
    )


def _was(one: FieldChange, shown: Shown) -> str:
    return f"{shown.written(one.field, one.before)} → " if one.before else ""
