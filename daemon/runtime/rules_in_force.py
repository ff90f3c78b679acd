"""The rules that a practice was kept in agreement by: where they change, every patient is looked at once under the new ones.

Otherwise whatever the other profile wants to show, or does not want any more, would wait until somebody saves the chart.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import structlog

from daemon.runtime.attempt import Attempt
from daemon.tables import observed
from daemon.tables import open as still_open
from events.ids import PatientKey
from events.schema import IntentSuperseded
from events.store import Store
from events.writes import Resource, System
from projections.rules.holds import creation_rules, may_begin
from projections.rules.wants import Moment
from projections.state.state import PracticeState
from projections.terms.policy import Policy, allows, row

log = structlog.get_logger()


def rules_of(policy: Policy) -> str:
    """What is compared: every row of the direction table, and where bookings go out what they are created by."""
    rows = [row(policy, resource) for resource in sorted(policy.table)]
    return ", ".join(rows + ([creation_rules(policy)] if allows(policy, Resource.APPOINTMENT, System.BILLING) else []))


async def note_rules(store: Store, policy: Policy, epoch: int, moment: Moment) -> bool:
    """Record the rules in force, and mark every patient where they have changed: one transaction. Returns whether. Raises Fenced.

    Before the first time nothing is known to have changed.
    """
    practice, now = policy.practice, rules_of(policy)
    async with store.writing(practice, epoch) as tx:
        before = await observed.get_checkpoint(tx.connection, practice, observed.RULES)
        if before == now:
            return False
        if before is not None:
            await still_open.mark_all_for_revisit(tx.connection, practice, moment.today)
        await observed.set_checkpoint(tx.connection, practice, observed.RULES, now)
    if before is not None:
        log.info("rules_changed", practice=practice)
    return before is not None


def against_the_table(attempt: Attempt) -> IntentSuperseded:
    """The practice's rules have changed since the write was wanted."""
    reason = "the practice's direction table does not allow it any more"
    return IntentSuperseded(intent=attempt.job.intent, slot=attempt.slot, reason=reason)


def may(attempt: Attempt, policy: Policy) -> Callable[[PracticeState, PatientKey], bool]:
    """What is asked of the projections before the attempt: whether it may begin now."""
    return partial(may_begin, slot=attempt.slot, intent=attempt.job.intent, policy=policy)
