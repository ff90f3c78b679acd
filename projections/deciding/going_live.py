"""Going live by a person's word, answered: the practice's configuration need not be changed for it, and counts again when it is taken back.

Nothing is decided here: the practice's owner goes live once both systems were read whole (`daemon/runtime/go_live.py`).
"""

from __future__ import annotations

from events.codes import CommandCode
from events.commands import GoLiveRequested
from events.first_day import LiveChosen
from events.schema import ObservingBegan
from projections.deciding.replies import NotDone, Reply
from projections.rules.holds import observed_only
from projections.state.state import PracticeState
from projections.terms.policy import Policy


def go_live(state: PracticeState, body: GoLiveRequested, policy: Policy) -> Reply:
    """The practice goes live, or (`undo`) is what its configuration says. Raises NotDone."""
    chosen = state.directory.live_chosen
    said = LiveChosen(who=body.who, reason=body.reason, live=not body.undo)
    if body.undo:
        if chosen is None:
            raise NotDone(CommandCode.NOTHING_IN_IT, "nobody has said here that the practice goes live")
        observes = policy.observes and not state.directory.observing
        return Reply(follows=(said, ObservingBegan()) if observes else (said,))
    if not observed_only(state, policy):
        raise NotDone(CommandCode.NOTHING_IN_IT, "the practice is live already")
    if chosen is not None or not policy.observes:
        raise NotDone(CommandCode.NOTHING_IN_IT, "the practice is going live already, as soon as both systems are read")
    return Reply(follows=(said,))
