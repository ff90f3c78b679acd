"""A message that cannot be recorded: what is tried instead, each losing a little more, until one can be."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from events.codec import encode_body
from events.codes import CommandCode
from events.ids import EventId, PatientKey, PracticeId, charts_of, event_id
from events.schema import Body, ChangeQuarantined, CommandRefused, Event, Origin
from events.text import name
from events.topics import Change
from events.writes import System
from projections.state.quarantine import record_of


def instead_of(change: Change, error: Exception) -> Iterator[Callable[[], Change]]:
    """What to record instead of a change that met `error`, one after the other.

    The event in quarantine, whole; the event without its notes, so that its record is read again; the event in quarantine without
    notes; then without its content. A change without an event is only notes: nothing is lost without them.
    """
    event = change.event
    if event is None:
        return
    aside = set_aside(change.practice, event, change.plain or event.id, error)
    yield lambda: msgspec.structs.replace(change, event=aside())
    yield lambda: msgspec.structs.replace(change, notes=())
    yield lambda: msgspec.structs.replace(change, event=aside(), notes=())
    yield lambda: msgspec.structs.replace(change, event=_without_content(aside(with_content=False)), notes=())


def defect(error: Exception) -> str:
    """Why something is set aside that defeats us, as it is stored; `projections.words.kept_aside` says it to people."""
    return f"cannot be folded ({type(error).__name__}); report it"


def not_decided(key: PatientKey, error: Exception) -> ChangeQuarantined:
    """A patient about whom nothing can be decided, though nothing of theirs has come: their row is damaged, say, or defeats us."""
    ehr, billing = charts_of(key)
    system, record = (System.BILLING, billing) if ehr is None else (System.EHR, ehr)
    return ChangeQuarantined(system=system, resource="patients", record=str(record), path="", reason=defect(error), raw=b"")


def refusal(error: Exception) -> str:
    """What is said of a command that defeats us."""
    return (
        f"chartwire could not do it, which is a fault of chartwire ({type(error).__name__}); nothing was changed. Report it"
    )


def set_aside(practice: PracticeId, event: Event, plain: EventId, error: Exception) -> Callable[..., Event]:
    """The quarantine of an event that defeats us: kept whole, about the practice, waiting for a fix; a command is refused.

    `plain` is the event's plain id: set aside before an upgrade or after it, the quarantine is the same.
    """
    reason = defect(error)

    def made(*, with_content: bool = True) -> Event:
        body: Body = CommandRefused(command=event.type, code=CommandCode.DEFECT.value, text=refusal(error))
        if event.origin in (Origin.EHR, Origin.BILLING):
            body = ChangeQuarantined(
                system=System(event.origin.value),
                resource=event.type,
                record=name(record_of(event)) if with_content else str(event.id),
                reason=reason if with_content else f"{reason}; its content could not be kept",
                raw=encode_body(event.body) if with_content else b"",
            )
        id_ = event_id(practice, "set aside", plain)
        return msgspec.structs.replace(
            event, id=id_, practice=practice, body=body, ehr=None, billing=None, cause=event.cause or event.id
        )

    return made


def _without_content(event: Event) -> Event:
    return msgspec.structs.replace(event, patient="", modified=None, correlation=None)
