"""Deliberate bugs, patched into the daemon by name: what the simulation has to find."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from daemon.runtime import practice, recorder, recovery, sink
from daemon.runtime.sink import Sink
from daemon.runtime.worker import Worker
from daemon.vendors.elation import connector as elation_connector
from daemon.vendors.elation import translate
from daemon.vendors.elation.wire import BadRow
from daemon.vendors.kareo import bookings, unread
from daemon.vendors.kareo import connector as kareo_connector
from daemon.vendors.kareo import writer as writer
from daemon.vendors.kareo.bookings import KareoBookings
from daemon.vendors.ports.errors import Malformed
from events import consumer, store
from events.backlog import Backlog
from events.ids import PracticeId
from events.records import BillingChart, Phone
from events.store import Fenced
from events.topics import Change
from events.writes import MarkBillError, Resource
from projections.deciding import batch, intents, unlinked
from projections.deciding import settle as wants
from projections.rules import appointments, bills, demographics, holds
from projections.rules.fields import PHONE_KINDS, Beside, with_phones
from projections.rules.reconcile import reconcile as demographics_reconcile
from projections.state import folding


async def _never_look(_sink: Sink, *_arguments: object) -> bool:
    return False


def _only_ours(phones: tuple[Phone, ...], changes: dict[str, str], beside: Beside) -> tuple[Phone, ...]:
    return tuple(one for one in with_phones(phones, changes, beside) if one.kind in PHONE_KINDS.values())


def _agreed_once(*arguments: Any, **options: Any) -> Any:
    """As `reconcile`, but nobody notices that the agreed value has changed."""
    merged, base = demographics_reconcile(*arguments, **options), arguments[2]
    merged.agreed = {name: value for name, value in merged.agreed.items() if name not in base}
    return merged


def _first_known() -> Callable[[BillingChart], dict[str, str]]:
    """As `writer._names`, but with the names that a patient had at first."""
    known: dict[int, dict[str, str]] = {}
    return lambda chart: known.setdefault(chart.id, {"first_name": chart.first_name, "last_name": chart.last_name})


def _of_any_content(*, content: str, **values: Any) -> MarkBillError:
    """A Bill Error that does not know which state of the bill it is about; `content` is that state's digest."""
    return MarkBillError(**values)


def _unchecked(resource: Resource) -> Callable[..., bool]:
    checked = wants.may_be_written
    return lambda write, of, policy: of is resource or checked(write, of, policy)


async def _all_or_nothing(_connector: object, resource: str, rows: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for row in rows:
        if isinstance(row, BadRow):
            raise Malformed(resource, row.path)
        yield row


async def _not_one_bad(_connector: object, resource: str, bad_rows: Sequence[Any]) -> None:
    if bad_rows:
        raise Malformed(resource, bad_rows[0].path)


def _cleared_by_any(found: batch.Batch, slots: tuple[str, ...], *_read_at: object) -> None:
    """As `Batch._understood`, whenever the record was read."""
    REALLY_UNDERSTOOD(found, slots)


def _passed_over(record: Any, _error: Exception, *, quiet: bool) -> Change:
    return Change(practice=PracticeId(record.key.decode()))


async def _nothing_found(_bookings: object, _write: object, _found: object) -> None:
    return None


_members = bookings.updated_members
REALLY_UNDERSTOOD = batch.Batch._understood


def _notes_as_told(there: Any, write: Any) -> dict[str, object]:
    """Without what Kareo's desk has written there."""
    return {**_members(there, write), "Notes": write.terms.description}


BUGS: dict[str, Callable[[], list[Any]]] = {
    "no epoch check": lambda: [patch.object(store, "fence", lambda *_arguments: None)],
    "lost answers are not looked for": lambda: [patch.object(Sink, "_resolve_unknown", _never_look)],
    "offsets before the database": lambda: [patch.object(Backlog, "offset", property(lambda backlog: backlog._next))],
    "the base stays after a write": lambda: [
        patch.object(folding, "_updated", lambda one, *_done: one),
        patch.object(demographics, "reconcile", _agreed_once),
    ],
    "polls do not overlap": lambda: [
        patch.object(elation_connector, "OVERLAP", timedelta()),
        patch.object(kareo_connector, "OVERLAP", timedelta()),
    ],
    "appointments in any direction": lambda: [
        patch.object(wants, "may_be_written", _unchecked(Resource.APPOINTMENT)),
        patch.object(sink, "may_be_written", _unchecked(Resource.APPOINTMENT)),
        patch.object(appointments, "allows", lambda *_arguments: True),
    ],
    "other phones are dropped": lambda: [patch.object(translate, "with_phones", _only_ours)],
    "one bad record ends the pass": lambda: [
        patch.object(elation_connector.ElationConnector, "_good", _all_or_nothing),
        patch.object(unread.Unread, "rows", _not_one_bad),
    ],
    "a practice's failure ends the worker": lambda: [patch.object(Worker, "_try_take", Worker._take)],
    "set aside while PostgreSQL is away": lambda: [
        patch.object(recorder, "is_given_up", lambda error, _failures: not isinstance(error, Fenced))
    ],
    "unreadable messages are passed over": lambda: [patch.object(consumer, "unreadable", _passed_over)],
    "messages stay unreadable without a key": lambda: [
        patch.object(consumer, "read_again", lambda messages, _keyring: messages)
    ],
    "nobody takes up what was set aside": lambda: [patch.object(practice, "holds_outcome", lambda _slot: False)],
    "nobody is looked for in the own copy": lambda: [patch.object(batch, "needs_look", lambda *_arguments: False)],
    "what is held is begun": lambda: [
        patch.object(sink, "is_stopped", lambda *_arguments: False),
        patch.object(holds, "is_stopped", lambda *_arguments: False),
    ],
    "holds end and nobody takes up": lambda: [patch.object(recorder.PracticeRecorder, "open_again", lambda _self: None)],
    "the token is not looked for": lambda: [patch.object(KareoBookings, "_ours", _nothing_found)],
    "the desk's notes are written over": lambda: [patch.object(bookings, "updated_members", _notes_as_told)],
    "what moved away stays booked": lambda: [patch.object(intents, "want_moved_away", lambda *_arguments: None)],
    "all is recorded of who is kept out": lambda: [
        patch.object(batch, "as_recorded", lambda event, *_others: (None, event))
    ],
    "who is let in is not read again": lambda: [patch.object(batch, "to_read_again", lambda *_arguments: [])],
    "creations do not look first": lambda: [patch.object(recovery, "looks_first", lambda *_arguments: False)],
    "a late error buries the correction": lambda: [patch.object(bills, "MarkBillError", _of_any_content)],
    "one person's charts are created at once": lambda: [patch.object(unlinked, "undecided_twin", lambda *_arguments: None)],
    "an older reading clears what was set aside": lambda: [patch.object(batch.Batch, "_understood", _cleared_by_any)],
    "old names ride along": lambda: [patch.object(writer, "_names", _first_known())],
}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """The daemon with this bug; "" for none."""
    patches = BUGS[name]() if name else []
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()
