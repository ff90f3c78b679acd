"""What people ask for, as bodies of events: `who` is the login name, `reason` theirs.

The practice's recorder answers a command in the same transaction (projections/deciding/repair.py).
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeGuard, get_args

from events.ids import BillingPatientId, EhrChartId
from events.maps import MapKind
from events.records import Value
from events.writes import Resource, System


class ResyncRequested(Value, frozen=True, kw_only=True):
    """Read the chart again from both systems and decide anew; `as_new` treats an unlinked one as never linked."""

    who: str
    reason: str = ""
    as_new: bool = False


class RetryRequested(Value, frozen=True, kw_only=True):
    """Try the refused writes of these slots again; no slots are all of them."""

    slots: tuple[str, ...]
    who: str
    reason: str = ""


class BillResendRequested(Value, frozen=True, kw_only=True):
    """Check and send a failed bill again, as it is now."""

    bill: int
    who: str
    reason: str = ""


class BillReleaseRequested(Value, frozen=True, kw_only=True):
    """Release a deferred bill in Elation, so that it is sent."""

    bill: int
    who: str
    reason: str = ""


class LinkRequested(Value, frozen=True, kw_only=True):
    """Link these two; `force` though birth date, sex or a name differ.

    `seen` is the digest of what was shown of both charts: where one has changed since, nothing is linked. Empty asks for no such check.
    `undecided`: not where somebody has said meanwhile that they are two persons.
    """

    ehr: EhrChartId
    billing: BillingPatientId
    who: str
    reason: str = ""
    force: bool = False
    seen: str = ""
    undecided: bool = False


class MoveLinkRequested(Value, frozen=True, kw_only=True):
    """Move the link of `source`, who vanished in a merge, to `target`, who survived it; `force` and `seen` as in LinkRequested."""

    source: BillingPatientId
    target: BillingPatientId
    who: str
    reason: str = ""
    force: bool = False
    seen: str = ""


class TellApartRequested(Value, frozen=True, kw_only=True):
    """Two charts of one system that look alike are two persons; `undo` takes that back."""

    system: System
    one: int
    other: int
    who: str
    reason: str = ""
    undo: bool = False


class UnlinkRequested(Value, frozen=True, kw_only=True):
    """Undo the link of the chart named; with both named they need not be linked: they are not the same person.

    `undecided`: not where somebody has linked the two meanwhile.
    """

    who: str
    ehr: EhrChartId | None = None
    billing: BillingPatientId | None = None
    reason: str = ""
    undecided: bool = False


class DismissRequested(Value, frozen=True, kw_only=True):
    """Accept a waiting item as it is.

    `seen` is what the item was about when it was shown, as a digest: where that is another by now, nothing is done. Empty asks for no
    such check.
    """

    slot: str
    who: str
    reason: str
    seen: str = ""


class PolicyRemovalRequested(Value, frozen=True, kw_only=True):
    """Remove a policy of the chart side that the billing side's primary case does not have; `seen` as in DismissRequested."""

    policy: int
    who: str
    reason: str = ""
    seen: str = ""


class RedriveRequested(Value, frozen=True, kw_only=True):
    """Try again what is in quarantine in this slot."""

    slot: str
    who: str
    reason: str = ""


class ConflictSeen(Value, frozen=True, kw_only=True):
    """`who` has looked at the conflicts of these fields; no fields are all of them. `seen` as in DismissRequested, of one field alone."""

    fields: tuple[str, ...]
    who: str = ""
    seen: str = ""


class HoldRequested(Value, frozen=True, kw_only=True):
    """Let writes wait: of this resource or all, to this system or both, of the charts named or of everybody; `until` then at most."""

    who: str
    reason: str
    resource: Resource | None = None
    system: System | None = None
    until: datetime | None = None


class ReleaseRequested(Value, frozen=True, kw_only=True):
    """End the hold of this slot: what it held goes out; `seen` as in DismissRequested, of the hold."""

    slot: str
    who: str
    reason: str = ""
    seen: str = ""


class KeepOutRequested(Value, frozen=True, kw_only=True):
    """Leave the charts named alone for good; `undo` takes that back."""

    who: str
    reason: str = ""
    undo: bool = False


class GoLiveRequested(Value, frozen=True, kw_only=True):
    """Keep the practice that is only observed in agreement from now on; `undo`: its configuration says again whether it is."""

    who: str
    reason: str = ""
    undo: bool = False


class MapRequested(Value, frozen=True, kw_only=True):
    """Save a row of the practice's maps; `was` is what it led to when it was looked at ("" for nothing), None asks for no such check."""

    kind: MapKind
    id: int
    to: str
    who: str
    reason: str = ""
    was: str | None = None


class MapGiveBackRequested(Value, frozen=True, kw_only=True):
    """Give a saved row back to the configuration."""

    kind: MapKind
    id: int
    who: str
    reason: str = ""


Command = (
    ResyncRequested
    | RetryRequested
    | BillResendRequested
    | BillReleaseRequested
    | LinkRequested
    | MoveLinkRequested
    | TellApartRequested
    | UnlinkRequested
    | DismissRequested
    | PolicyRemovalRequested
    | RedriveRequested
    | ConflictSeen
    | HoldRequested
    | ReleaseRequested
    | KeepOutRequested
    | GoLiveRequested
    | MapRequested
    | MapGiveBackRequested
)
_COMMANDS = frozenset(get_args(Command))


def is_command(body: Value) -> TypeGuard[Command]:
    """Whether people asked for it. Said of every event that is folded: `isinstance` would ask each of the kinds in turn."""
    return type(body) in _COMMANDS
