"""Each deliberate bug is found within the seeds of CI; the invariant that finds it is the one it breaks."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.simulation import bugs
from tests.simulation.crowd import first_to_fall
from tests.simulation.plan import drawn

SEEDS = range(1, 301)
FOUND_BY = {
    "no epoch check": {"I3", "I4", "I10"},
    "lost answers are not looked for": {"I3"},
    "offsets before the database": {"I4"},
    "the base stays after a write": {"I6"},
    "polls do not overlap": {"I4"},
    "appointments in any direction": {"I2"},
    "other phones are dropped": {"I12"},
    "nobody is looked for in the own copy": {"who"},
    "old names ride along": {"I6"},
    "the token is not looked for": {"I3"},
    "the desk's notes are written over": {"I6"},
    "what moved away stays booked": {"I3"},
    "a late error buries the correction": {"I6"},
    "one person's charts are created at once": {"I3"},
    "an older reading clears what was set aside": {"I4"},
    "messages stay unreadable without a key": {"I11"},
    "nobody takes up what was set aside": {"I6"},
}
PLANS = {
    "the token is not looked for": "booking",
    "the desk's notes are written over": "booking",
    "what moved away stays booked": "booking",
    "one person's charts are created at once": "both ways",
}
"""Bugs that only other days than those of the seeds can show."""
ONLY_IN = {"appointments in any direction": lambda plan: any("appointment" in rules for rules in plan.settings.values())}
"""Days that cannot show a bug are not run with it."""

SOONEST = {
    "no epoch check": 45,
    "lost answers are not looked for": 23,
    "offsets before the database": 1,
    "the base stays after a write": 1,
    "polls do not overlap": 1,
    "appointments in any direction": 179,
    "other phones are dropped": 1,
    "nobody is looked for in the own copy": 2,
    "old names ride along": 62,
    "the token is not looked for": 19,
    "the desk's notes are written over": 1,
    "what moved away stays booked": 816,
    "a late error buries the correction": 1341,
    "one person's charts are created at once": 140041,
    "an older reading clears what was set aside": 130211,
    "messages stay unreadable without a key": 231821,
    "nobody takes up what was set aside": 232310,
}
"""The day on which a bug was found last: it is tried first and alone, and all the others after it."""


@pytest.mark.parametrize("bug", FOUND_BY)
def test_a_deliberate_bug_is_found(processes: ProcessPoolExecutor, bug: str) -> None:
    """No epoch check, blind retries, offsets too early, a stale base, no overlap, no direction check, lost phones;
    and one that was in the daemon."""
    seeds = [seed for seed in SEEDS if bug not in ONLY_IN or ONLY_IN[bug](drawn(seed))]
    plans = PLANS.get(bug, "drawn")
    verdict = first_to_fall(processes, [SOONEST[bug]], bug, plans) or first_to_fall(processes, seeds, bug, plans)
    assert verdict is not None, f"{len(seeds)} seeds and none finds: {bug}"
    assert set(verdict.broken) & FOUND_BY[bug], verdict.broken


@pytest.mark.parametrize("bug", bugs.BUGS)
def test_what_a_bug_is_planted_in_is_there(bug: str) -> None:
    """A part that was renamed would make a day fall for another reason, or for none."""
    with bugs.planted(bug):
        pass
