"""What people decide about charts of one system that are one person, or are not, as bodies of events."""

from __future__ import annotations

from events.ids import BillingPatientId, EhrChartId
from events.records import Value
from events.writes import System


class BillingLinkMoved(Value, frozen=True, kw_only=True):
    """The linked patient vanished in a merge; by a person's word the link is with the survivor, and what was written goes along.

    `base` are the fields that both sides had agreed on.
    """

    ehr: EhrChartId
    source: BillingPatientId
    target: BillingPatientId
    how: str = ""
    base: dict[str, str] = {}


class ToldApart(Value, frozen=True, kw_only=True):
    """Two charts of one system that look alike are two persons, by a person's word; not `apart`: that was taken back."""

    system: System
    one: int
    other: int
    who: str
    reason: str = ""
    apart: bool = True
