"""Where a system creates nothing of a kind with this account as it is set up: one call tells, and no other is made.

What stops it is a hold like a person's (events/holds.py), of creations only. It ends when a person releases it, and under another
configuration.
"""

from __future__ import annotations

from daemon.runtime.attempt import Attempt
from daemon.runtime.pace import Pace
from daemon.vendors.ports.errors import NotForAccount
from events.bookings import CreateBillingAppointment
from events.holds import HoldBegan, hold_slot
from events.writes import AnyWrite
from projections.rules.holds import creation_rules
from projections.terms.policy import Policy

WHO = "chartwire"
LATE_LOOKS = (2.0, 8.0)
"""A list may show late what was created: a booking is looked for twice more, after so many times the last look's pause."""


def creations_held(attempt: Attempt, error: Exception, policy: Policy) -> HoldBegan:
    """The hold after the creation of `attempt` was refused for the account's sake; what the vendor said is its reason."""
    job = attempt.job
    there = policy.names.label(job.system)
    text = (
        f"{there} creates no {job.resource.value} with this account as it is set up, so none is tried any more: check the "
        f"providers, locations and reasons that are mapped, ask {there}'s support to let its API create appointments, then release this"
    )
    return HoldBegan(
        slot=hold_slot(job.resource, job.system),
        who=WHO,
        reason=f"it says: {error.vendor_text}" if isinstance(error, NotForAccount) else "",
        text=text,
        resource=job.resource,
        system=job.system,
        creations=True,
        rules=creation_rules(policy),
    )


def looks_for(write: AnyWrite, pace: Pace) -> tuple[float, ...]:
    """The pauses before each look for a lost answer of the write."""
    if not isinstance(write, CreateBillingAppointment) or not pace.lookups:
        return pace.lookups
    return (*pace.lookups, *(pace.lookups[-1] * each for each in LATE_LOOKS))
