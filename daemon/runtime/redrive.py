"""What lies in quarantine, tried again: the event or message that was set aside, taken out of the event that holds it."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import msgspec

from events.codec import KeyMissing, Keyring, UnreadableEvent, decode_body
from events.codes import CommandCode
from events.commands import RedriveRequested
from events.ids import BillingPatientId, EhrChartId, EventId, PatientKey, charts_of, event_id
from events.schema import (
    TYPES,
    VERSIONS,
    BillingAppointmentObserved,
    BillingAppointmentVanished,
    BillingChartObserved,
    BillingChartVanished,
    BillObserved,
    Body,
    ChangeQuarantined,
    CommandRefused,
    EhrChartDeleted,
    EhrChartMerged,
    EhrChartObserved,
    Event,
    MessageUnreadable,
    Origin,
    Outcome,
)
from events.store import Transaction
from events.topics import Change, decode_message
from projections.deciding.replies import Redriven
from projections.state.directory import Directory


async def redrive(
    tx: Transaction, directory: Directory, events: Iterable[Event], keyring: Keyring
) -> dict[EventId, Redriven]:
    """What the commands among `events` find in quarantine, by the id of the command.

    A command is absent where nothing can be taken out: the connector has to read the record again.
    """
    found: dict[EventId, Redriven] = {}
    for command in events:
        if isinstance(command.body, RedriveRequested):
            id_ = directory.quarantined.get(command.body.slot)
            held = await tx.read_one(EventId(UUID(id_))) if id_ is not None else None
            redriven = _taken_out(held.event, command, keyring) if held is not None else None
            if redriven is not None:
                found[command.id] = redriven
    if not found:
        return found
    known = await tx.known([one.event.id for one in found.values() if one.event is not None])
    return {
        id_: Redriven(one.held) if one.event is not None and one.event.id in known else one for id_, one in found.items()
    }


def _taken_out(held: Event, command: Event, keyring: Keyring) -> Redriven | None:
    kept = held.body
    try:
        if isinstance(kept, MessageUnreadable):
            message = _message(kept, command, keyring)
            if isinstance(message, CommandRefused):
                return Redriven(held.id, refused=message)
            return Redriven(held.id, message)
        if isinstance(kept, ChangeQuarantined) and kept.resource in TYPES:
            return Redriven(held.id, _observation(kept, held, command))
    except (UnreadableEvent, KeyMissing):
        text = "it is still unreadable: it needs a newer version, or the key it was encrypted with"
        return Redriven(held.id, refused=_no(CommandCode.STILL_UNREADABLE, text))
    return None


def _message(kept: MessageUnreadable, command: Event, keyring: Keyring) -> Event | CommandRefused:
    message = decode_message(kept.raw, keyring, by_hand=True)
    if message.practice != command.practice:
        return _no(CommandCode.ANOTHER_PRACTICE, "the message belongs to another practice")
    if not isinstance(message, Change) or message.event is None:
        return _no(CommandCode.NOTHING_IN_IT, "the message is readable now and holds no change; dismiss it")
    return message.event


def _observation(kept: ChangeQuarantined, held: Event, command: Event) -> Event:
    body = decode_body(kept.resource, VERSIONS[kept.resource], kept.raw)
    outcome = isinstance(body, Outcome)
    ehr, billing = charts_of(PatientKey(kept.path)) if outcome else _charts(body)
    return msgspec.structs.replace(
        held,
        id=event_id(held.practice, "redriven", command.id),
        origin=Origin.CHARTWIRE if outcome else Origin(kept.system.value),
        body=body,
        ehr=ehr,
        billing=billing,
        cause=command.id,
        correlation=command.id,
    )


def _no(code: CommandCode, text: str) -> CommandRefused:
    return CommandRefused(command=RedriveRequested.__name__, code=code.value, text=text)


def _charts(body: Body) -> tuple[EhrChartId | None, BillingPatientId | None]:
    """Whose observation it is, as its connector says it in the envelope."""
    match body:
        case EhrChartObserved(chart=chart):
            return chart.id, None
        case EhrChartDeleted(chart=id_) | EhrChartMerged(chart=id_):
            return id_, None
        case BillObserved(bill=bill):
            return bill.patient, None
        case BillingChartObserved(chart=there):
            return None, there.id
        case BillingChartVanished(patient=patient) | BillingAppointmentVanished(patient=patient):
            return None, patient
        case BillingAppointmentObserved(appointment=one):
            return None, one.patient
    return None, None
