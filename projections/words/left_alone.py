"""What is left alone, in words: holds, and patients kept out."""

from __future__ import annotations

from events.holds import HoldBegan, HoldEnded, KeptOut, LeftOut, RecordLeftUnread
from events.ids import Charts
from projections.words.shown import Shown
from projections.words.subject import chart_in_words, record_in_words, slot_in_words


def left_alone(body: HoldBegan | HoldEnded | KeptOut | LeftOut | RecordLeftUnread, shown: Shown) -> str:
    """What was recorded of it; a person's reason goes along."""
    match body:
        case LeftOut(out=out):
            return "is in no list and no search from now on" if out else "is in lists and searches again"
        case RecordLeftUnread():
            what = record_in_words(body.resource, body.record)
            return f"saw {what} in {shown.label(body.system)} and recorded no more of it: the patient is kept out"
        case HoldBegan():
            return f"{body.text}: {body.reason}"
        case HoldEnded():
            by = f", says {body.who}" if body.who else "" if body.reason else ": its time is over"
            return f"ended {slot_in_words(body.slot, shown.systems)}{by}" + (f": {body.reason}" if body.reason else "")
    name = chart_in_words(Charts(body.ehr, body.billing), shown.systems)
    kept = "kept out from now on" if body.out else "kept out no longer"
    why = f"says {body.who}" if body.who else "by the practice's rule"
    return f"{name} is {kept}, {why}" + (f": {body.reason}" if body.reason else "")
