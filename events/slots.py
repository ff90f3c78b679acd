"""Slots: what an intent or a waiting item is about within its patient, or within the practice. One of each a slot.

A slot is stored as text: its kind, and the id of what it is about where a patient has several (`bill:12`, `link`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class SlotKind(StrEnum):
    """What a slot is about; the id that follows is named here."""

    # of a patient
    CHART = "chart"
    """The chart on the other side: looked for, then created."""
    LINK = "link"
    DEMOGRAPHICS = "demographics"
    """The system written to."""
    FIELD = "field"
    """A field's canonical name."""
    CONFLICT = "conflict"
    """A field's canonical name."""
    POLICIES = "policies"
    POLICY = "policy"
    """A policy of the billing system."""
    EHR_POLICY = "chart-policy"
    """A policy of the EHR that the billing system lacks."""
    CASE_POLICIES = "case-policies"
    APPOINTMENT = "appointment"
    """An occurrence of the billing system's appointment."""
    BOOKING = "booking"
    """An appointment of the EHR's calendar, to be booked on the billing side."""
    BOOKED_TWICE = "booked-twice"
    """The same: the billing side has it twice."""
    BILL = "bill"
    """A bill of the EHR."""
    BILL_ANSWER = "bill-answer"
    """A bill of the EHR: what it is told about itself."""
    CASE = "case"
    FORMER = "former"
    """A chart of the EHR that a person unlinked."""

    # of the practice
    PRACTICE = "practice"
    CARRIER = "carrier"
    """An insurance company of the billing system."""
    PLAN = "plan"
    """A plan of the billing system."""
    SYSTEM = "system"
    """The system that takes no writes."""
    STANDING = "standing"
    """The practice stands still."""
    RESTART = "restart"
    """The store was restored to an earlier state."""
    QUARANTINE = "quarantine"
    """The system, the resource and the record; or `kafka`, the partition and the offset."""
    HOLD = "hold"
    """The scope of a hold (events/holds.py)."""


class Slot(NamedTuple):
    """A slot taken apart; `kind` is None for a slot of a later version, then `id` is all of it."""

    kind: SlotKind | None
    id: str = ""


_KINDS = {one.value: one for one in SlotKind}


def slot_of(kind: SlotKind, *ids: object) -> str:
    """The slot as it is stored."""
    return ":".join((kind.value, *map(str, ids)))


def parse_slot(text: str) -> Slot:
    """The slot that is stored as `text`."""
    name, _, id_ = text.partition(":")
    kind = _KINDS.get(name)
    return Slot(None, text) if kind is None else Slot(kind, id_)


def is_slot(text: str, kind: SlotKind) -> bool:
    """Whether `text` is a slot of this kind."""
    return parse_slot(text).kind is kind


CHART_SLOT = slot_of(SlotKind.CHART)
LINK_SLOT = slot_of(SlotKind.LINK)
POLICIES_SLOT = slot_of(SlotKind.POLICIES)
CASE_POLICIES_SLOT = slot_of(SlotKind.CASE_POLICIES)
CASE_SLOT = slot_of(SlotKind.CASE)
PRACTICE_SLOT = slot_of(SlotKind.PRACTICE)
STANDING_SLOT = slot_of(SlotKind.STANDING)
RESTART_SLOT = slot_of(SlotKind.RESTART)


class SetAside(NamedTuple):
    """What a slot of quarantine names; of a record that has no id of its own `record` is empty."""

    system: str
    resource: str
    record: str


def set_aside_in(text: str) -> SetAside | None:
    """The record that waits in a slot of quarantine; None for any other slot, and for a message that nobody could read."""
    slot = parse_slot(text)
    parts = slot.id.split(":", 2)
    return SetAside(*parts) if slot.kind is SlotKind.QUARANTINE and len(parts) == 3 else None
