"""What is left alone, in words: holds, and patients kept out."""

from __future__ import annotations

from events.holds import HoldBegan, HoldEnded, HoldScope, KeptOut, LeftOut, RecordLeftUnread
from events.ids import Charts
from projections.terms.names import Names
from projections.words.shown import Shown

RECORDS = {"patients": "chart", "bills": "bill", "appointments": "appointment", "policies": "the policies of chart"}
"""What a record of a resource is called."""


def left_alone(body: HoldBegan | HoldEnded | KeptOut | LeftOut | RecordLeftUnread, shown: Shown) -> str:
    """What was recorded of it; a person's reason goes along."""
    match body:
        case LeftOut(out=out):
            return "is in no list and no search from now on" if out else "is in lists and searches again"
        case RecordLeftUnread():
            what = RECORDS.get(body.resource, body.resource)
            return (
                f"saw {what} {body.record} in {shown.label(body.system)} and recorded no more of it: the patient is kept out"
            )
        case HoldBegan():
            return f"{body.text}: {body.reason}"
        case HoldEnded():
            by = f", says {body.who}" if body.who else "" if body.reason else ": its time is over"
            return f"ended the hold {body.slot}{by}" + (f": {body.reason}" if body.reason else "")
    name = shown.systems.one_of(Charts(body.ehr, body.billing))
    kept = "kept out from now on" if body.out else "kept out no longer"
    why = f"says {body.who}" if body.who else "by the practice's rule"
    return f"{name} is {kept}, {why}" + (f": {body.reason}" if body.reason else "")


def scope_in_words(scope: HoldScope, names: Names) -> str:
    """What a hold holds; no patient is named."""
    what = f"{scope.resource.value} writes" if scope.resource is not None else "all writes"
    where = f" to {names.label(scope.system)}" if scope.system is not None else ""
    return f"{what}{where}" + (" of one patient" if scope.patient else "")
