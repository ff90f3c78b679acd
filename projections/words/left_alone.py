"""What is left alone, in words: holds, and patients kept out."""

from __future__ import annotations

from events.holds import HoldBegan, HoldEnded, HoldScope, KeptOut
from events.ids import Charts
from projections.terms.names import Names
from projections.words.shown import Shown


def left_alone(body: HoldBegan | HoldEnded | KeptOut, shown: Shown) -> str:
    """What was recorded of it; a person's reason goes along."""
    match body:
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
