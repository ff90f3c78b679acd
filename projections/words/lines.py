"""A patient's events as the lines of a history: in words, with the fields that changed, each tied to what caused it.

By default a line names fields, records, times and reasons, but no value of a field and no person's name: enough to follow
what happened, safe to send on. Values and names are each shown when asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from events.commands import ConflictSeen
from events.schema import (
    BillingAppointmentObserved,
    BillingChartObserved,
    BillObserved,
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
from events.writes import (
    AnyWrite,
    CreateEncounter,
    MarkBillError,
    SearchBilling,
    SearchEhr,
    UpdateBillingChart,
    UpdateEhrChart,
)
from projections.rules.fields import NAMES, billing_view, ehr_view
from projections.state.directory import Directory
from projections.state.patient import BillingSide, EhrSide, Patient
from projections.state.state import PracticeState
from projections.terms.policy import Policy
from projections.words.words import describe, write_in_words

PERSONS_NAMES = frozenset({"first_name", "middle_name", "last_name"})
INSURANCE = "insurance"
MASK = "•••"
QUOTING = frozenset({"refused", "bill-error"})
"""Codes of waiting items whose text quotes a vendor or a bill."""

OfIntent = IntentRequested | IntentAttempted | IntentSucceeded | IntentRefused | IntentOutcomeUnknown | IntentSuperseded


@dataclass(frozen=True)
class Shown:
    """What may be shown: the values of fields, and persons' names."""

    values: bool = False
    names: bool = False

    @property
    def all(self) -> bool:
        """Also words that may quote anything of a record: a vendor's refusal, a Bill Error."""
        return self.values and self.names

    def value(self, field: str, text: str) -> str:
        """The value of a field, or a mask where it is not to be shown; nothing stays nothing."""
        allowed = self.names if field in PERSONS_NAMES else self.values
        return text if allowed or not text else MASK


EVERYTHING = Shown(values=True, names=True)


@dataclass(frozen=True)
class Change:
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
    changes: tuple[Change, ...] = ()
    cause: int | None = None
    intent: str = ""


def entries(story: Sequence[Recorded], policy: Policy, shown: Shown) -> list[Entry]:
    """The history of one patient, from all events about it in order."""
    state = PracticeState()
    sequences = {one.event.id: one.sequence for one in story}
    requests: dict[str, Recorded] = {}
    views = _Views(policy)
    result: list[Entry] = []
    for one in story:
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
        text = in_words(body, shown, changes)
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


def _changes(body: Body, before: Patient | None, after: Patient | None, views: _Views) -> list[Change] | None:
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
            changes.append(Change(INSURANCE, f"{len(cases or ())} cases", f"{len(now.chart.cases or ())} cases"))
        return changes
    return None


def _differing(old: dict[str, str], new: dict[str, str]) -> list[Change]:
    return [Change(name, old.get(name, ""), new[name]) for name in NAMES if new[name] != old.get(name, "")]


def fields_of(write: AnyWrite) -> tuple[str, ...]:
    """The demographics that a write sets."""
    fields = getattr(write, "fields", None)
    return tuple(fields) if isinstance(fields, dict) else ()


def _fields(body: Body, asked: Recorded | None) -> tuple[str, ...]:
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
            kind, _, field = body.slot.partition(":")
            return (field,) if kind in ("field", "conflict") else ()
    if asked is not None and isinstance(asked.event.body, IntentRequested):
        return fields_of(asked.event.body.write)
    return ()


# -- words ----------------------------------------------------------------------------------------------------------------


def in_words(body: Body, shown: Shown, changes: Sequence[Change] | None = None) -> str:
    """What happened, with no more of a person than may be shown."""
    match body:
        case EhrChartObserved(chart=chart):
            ending = ", merged into another" if chart.merged_into else ", deleted" if chart.deleted else ""
            name = f" ({chart.first_name} {chart.last_name})" if shown.names else ""
            return f"saw chart {chart.id}{name}{_changed(changes, shown)}{ending}"
        case BillingChartObserved(chart=there):
            name = f" ({there.first_name} {there.last_name})" if shown.names else ""
            return f"saw patient {there.id}{name}{_changed(changes, shown)}"
        case BillingAppointmentObserved(appointment=seen) if not shown.values:
            cancelled = "cancelled " if seen.cancelled else ""
            return f"saw {cancelled}appointment {seen.key} at {seen.start:%Y-%m-%d %H:%M}Z for {seen.minutes} min"
        case BillObserved(bill=bill) if not shown.values:
            return f"saw bill {bill.id}: {len(bill.lines)} lines, {bill.status or 'no status'}"
        case ConflictRecorded() if not shown.all:
            return "conflict in " + "; ".join(
                f"{one.field}: was {shown.value(one.field, one.base or '')!r}, Elation "
                f"{shown.value(one.field, one.ehr)!r}, Kareo {shown.value(one.field, one.billing)!r}, "
                f"{one.winner.value} wins"
                if shown.values
                else f"{one.field}, {one.winner.value} wins"
                for one in body.conflicts
            )
        case IntentRequested():
            notes = f" [{'; '.join(body.notes)}]" if body.notes else ""
            return f"wants {write_shown(body.write, shown)}{notes}, by {body.rule}"
        case IntentRefused() if not shown.all:
            return f"refused {body.slot}: {body.code}"
        case WaitingRaised() if body.code in QUOTING and not shown.all:
            return f"waits ({body.code}) at {body.slot}"
    return describe(body)


def _changed(changes: Sequence[Change] | None, shown: Shown) -> str:
    if changes is None:
        return ""
    if not changes:
        return ": nothing that is synchronized has changed"
    if not shown.values and not shown.names:
        return ": " + ", ".join(one.field for one in changes)
    return ": " + ", ".join(
        f"{one.field} {shown.value(one.field, one.before)!r} -> {shown.value(one.field, one.after)!r}" for one in changes
    )


def write_shown(write: AnyWrite, shown: Shown) -> str:
    """What a write would do, with no more of a person than may be shown."""
    match write:
        case SearchEhr() | SearchBilling() if not shown.names:
            return f"to look for the person in {'Elation' if isinstance(write, SearchEhr) else 'Kareo'}"
        case UpdateEhrChart() | UpdateBillingChart() if not shown.all:
            where = "Elation" if isinstance(write, UpdateEhrChart) else "Kareo"
            if not shown.values and not shown.names:
                return f"to set {', '.join(write.fields)} in {where}"
            values = ", ".join(f"{name} = {shown.value(name, value)!r}" for name, value in write.fields.items())
            return f"to set {values} in {where}"
        case MarkBillError() if not shown.all:
            return f"to put a Bill Error on bill {write.bill}"
        case CreateEncounter() if not shown.values:
            return f"to send bill {write.bill} to Kareo as an encounter with {len(write.lines)} lines"
    return write_in_words(write)
