"""What a person has told chartwire to leave alone for now, or for good: holds and patients kept out, as bodies of events.

A hold is named by its slot, which says all of its scope: `hold:<resource|all>:<system|both>`, then the patient's key for one patient.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from events.ids import PRACTICE, BillingPatientId, EhrChartId, PatientKey
from events.records import Value
from events.slots import SlotKind, parse_slot, slot_of
from events.writes import Resource, System

ALL, BOTH = "all", "both"


class HoldBegan(Value, frozen=True, kw_only=True):
    """Writes within this scope wait until the hold ends; None holds every resource, or both systems.

    `system` is the one written to. `ehr` and `billing` name the patient's charts, neither holds all patients. At `until` it ends by itself.
    `text` is what the waiting item says. `creations`: only what is created waits. `rules` is a digest of the configuration that a
    system refused everything under: another configuration ends the hold.
    """

    slot: str
    who: str
    reason: str
    text: str
    resource: Resource | None = None
    system: System | None = None
    ehr: EhrChartId | None = None
    billing: BillingPatientId | None = None
    until: datetime | None = None
    creations: bool = False
    rules: str = ""

    @property
    def of_patient(self) -> bool:
        """Whether it holds the writes of one patient only."""
        return self.ehr is not None or self.billing is not None


class HoldEnded(Value, frozen=True, kw_only=True):
    """What was held goes out. `who` released it; "" where its time is over."""

    slot: str
    who: str = ""
    reason: str = ""
    ehr: EhrChartId | None = None
    billing: BillingPatientId | None = None


class KeptOut(Value, frozen=True, kw_only=True):
    """Nothing is linked, searched or written for these charts, and nothing waits; not `out`: that was taken back.

    Of what is observed of them no more is recorded than which record it is (RecordLeftUnread).

    `who` said so, or `rule` of the practice's configuration did: then the name of the chart fits its pattern.
    """

    ehr: EhrChartId | None = None
    billing: BillingPatientId | None = None
    who: str = ""
    reason: str = ""
    rule: str = ""
    out: bool = True


class LeftOut(Value, frozen=True, kw_only=True):
    """Follows for a patient kept out: from now on in no list and no search. Not `out`: in them again."""

    out: bool = True


class RecordLeftUnread(Value, frozen=True, kw_only=True):
    """A record of a patient kept out was seen: which one it is, and of whose `chart`. Nothing of what it says is recorded."""

    system: System
    resource: str
    record: str
    chart: int


Aside = HoldBegan | HoldEnded | KeptOut
"""What is left alone; each may name a patient's charts and is the practice's own event."""

OfPatientKeptOut = LeftOut | RecordLeftUnread
"""What is recorded of a patient kept out, instead of what was read."""


class HoldScope(NamedTuple):
    """What a hold holds: a resource or (None) all, writes to a system or (None) both, one patient or (the practice's key) all."""

    resource: Resource | None
    system: System | None
    patient: PatientKey


def hold_slot(resource: Resource | None, system: System | None, patient: PatientKey = PRACTICE) -> str:
    """The slot of the hold with this scope: there is one of each."""
    ids = (resource.value if resource else ALL, system.value if system else BOTH)
    return slot_of(SlotKind.HOLD, *ids, *([patient] if patient else ()))


def scope_in(slot: str) -> HoldScope | None:
    """The scope that a hold's slot says; None for any other slot, and for one of a later version."""
    kind, text = parse_slot(slot)
    parts = text.split(":", 2)
    if kind is not SlotKind.HOLD or len(parts) < 2:
        return None
    resource, system = parts[0], parts[1]
    if resource not in {ALL, *Resource} or system not in {BOTH, *System}:
        return None
    return HoldScope(
        None if resource == ALL else Resource(resource),
        None if system == BOTH else System(system),
        PatientKey(parts[2]) if len(parts) == 3 else PRACTICE,
    )
