"""Where a practice's history restarted: which creations may have been made in the time that was lost, and are looked for first.

From the event that says so until both systems were read and everything that followed is settled, that is every creation. What was
requested until then and stays open, and what waited then, is looked for whenever it goes on.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from events.bookings import CreateBillingAppointment
from events.records import Value
from events.restarts import HistoryRestarted, OfRestart
from events.writes import (
    AddBillingCase,
    AnyWrite,
    ChangeBillingPolicies,
    CreateBillingChart,
    CreateCarrier,
    CreateEhrAppointment,
    CreateEhrChart,
    CreateEncounter,
    CreatePlan,
)
from projections.state.open_intents import OpenIntent
from projections.state.patient import Patient

CREATIONS = (
    AddBillingCase,
    ChangeBillingPolicies,
    CreateBillingAppointment,
    CreateBillingChart,
    CreateCarrier,
    CreateEhrAppointment,
    CreateEhrChart,
    CreateEncounter,
    CreatePlan,
)
"""Writes that make a record. All others read what is there and bring it to what is wanted (`SyncPolicies` pairs the policies)."""


class Restarted(Value, frozen=True, kw_only=True):
    """History restarted `at` this moment, after event `kept`; `over` is when everything of the lost time was settled."""

    kept: int
    at: datetime
    over: datetime | None = None


def follow_restart(known: Restarted | None, body: OfRestart, observed: datetime) -> Restarted | None:
    """What is known of a restart after an event of it."""
    if isinstance(body, HistoryRestarted):
        return Restarted(kept=body.kept, at=observed)
    return None if known is None else replace(known, over=observed)


def creates(write: AnyWrite) -> bool:
    """Whether a write makes a record, so that doing it twice makes two."""
    return isinstance(write, CREATIONS)


def looks_first(job: OpenIntent, restarted: Restarted | None) -> bool:
    """Whether a write may have been carried out in the lost time, so that it is looked for before it is tried."""
    if restarted is None or not creates(job.write):
        return False
    return restarted.over is None or job.looks or job.requested is None or job.requested <= restarted.over


def waited_through(patient: Patient, restarted: Restarted | None) -> bool:
    """Whether something of the patient waits, or was accepted as it is, since before the lost time was settled."""
    if restarted is None or restarted.over is None:
        return False
    since = [one.since for one in patient.waiting.values()] + [one.since for one in patient.dismissed.values()]
    return any(one is None or one <= restarted.over for one in since)
