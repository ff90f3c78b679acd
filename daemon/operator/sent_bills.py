"""What a bill that was edited after it was sent differs in: read from the events, which have the bill as it was sent."""

from __future__ import annotations

from daemon.history.events_of import events_of
from events.ids import PracticeId
from events.schema import BillObserved, IntentSucceeded
from events.store import Store
from events.writes import BillWritten
from projections.rules.sent import BillDifference, differences
from projections.state.patient import Patient, bill_content


async def edited_after_sent(store: Store, practice: PracticeId, patient: Patient, bill: int) -> tuple[BillDifference, ...]:
    """The fields of a bill of `patient` that are not as they were sent; none for a bill that was not sent, or is as it was."""
    entry = patient.bills.get(str(bill))
    if entry is None or not entry.sent:
        return ()
    sent = None
    for recorded in await events_of(store, practice, patient.key):
        match recorded.event.body:
            case BillObserved(bill=seen) | IntentSucceeded(result=BillWritten(bill=seen)) if seen.id == bill:
                sent = seen if bill_content(seen) == entry.sent else sent
    return () if sent is None else differences(sent, entry.bill)
