"""EHR_LED section 3, rule 12: an edit of insurance made at check-in reaches Kareo within 20 minutes, by the check-in alone.

The whole daemon with both sandboxes in virtual time. Nothing else tells of the edit here: Elation sends no event for it, leaves the
chart's modified time alone, and no round comes by.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.simulation.clock import VirtualLoop, simulate
from tests.simulation.plan import Plan
from tests.simulation.world import World, connected, surrounded

MINUTE = 60.0
SILENT = {"policy_event": "none", "policy_touches_chart": False}
PLAN = Plan(
    seed=17,
    deeds=(),
    workers=1,
    offices=1,
    settings={
        "profiles": {"elm": "elation-led"},
        "elation": SILENT,
        "elation pace": {"policy_round_seconds": 90 * 86_400.0},
    },
)


def played(story: Callable[[World], Awaitable[None]]) -> None:
    """A quiet practice of the profile elation-led, and what happens in it."""
    complaints: list[str] = []

    async def main(loop: VirtualLoop) -> None:
        world = World(PLAN, loop, folder)
        try:
            with connected(world.cluster):
                await world.begin()
                await story(world)
        finally:
            await world.end()
        assert world.checks.broken == {}

    with surrounded(PLAN.seed, None, complaints.append) as folder:
        simulate(main)
    assert complaints == []


async def until(world: World, reached: Callable[[], bool], most: float) -> float:
    """The virtual seconds until it is reached; `most` where it is not."""
    began = world.loop.time()
    while not reached() and world.loop.time() - began < most:
        await asyncio.sleep(5.0)
    return world.loop.time() - began


async def insured(world: World) -> tuple[int, int, int]:
    """A patient whose policy both systems hold: the chart, its policy, and Kareo's of it."""
    office = world.offices[0]
    there = world.clinic.billing
    patient = there.people.create_patient(
        office.billing, "Ida", "Quill", dob="1970-05-04", gender="Female", provider_id=office.providers[0],
        cases=[{"name": "Primary", "payer_scenario": "Insurance"}],
    )  # fmt: skip
    case = there.state.primary_case(patient.id)
    assert case is not None
    policy = there.people.add_policy(case.id, "Blue Mesa Health", "PPO Gold", number="MB1", group="OLD")
    held = world.clinic.ehr.policies
    assert await until(world, lambda: bool(held), 3600 * 4) < 3600 * 4
    await asyncio.sleep(3600 * 4)  # whatever the write hinted at has been read
    (mine,) = held.values()
    return int(mine["patient_id"]), int(mine["id"]), policy.id


@pytest.mark.parametrize("minutes", [0.5, 1.9, 5.0, 14.0])
def test_an_edit_at_check_in_reaches_kareo_within_20_minutes(minutes: float) -> None:
    async def story(world: World) -> None:
        chart, mine, theirs = await insured(world)
        ehr, office = world.clinic.ehr.people, world.offices[0]
        visit = ehr.create_appointment(chart, office.physicians[0], world.loop.now(), 20, reason="Office Visit")
        ehr.edit_appointment(int(visit["id"]), status="Checked In")
        await asyncio.sleep(minutes * MINUTE)
        ehr.edit_policy(mine, group_id="NEW")
        took = await until(world, lambda: world.clinic.billing.policies[theirs].group == "NEW", 60 * MINUTE)
        assert took <= 20 * MINUTE

    played(story)


def test_without_the_check_in_nothing_would_have_told_of_it() -> None:
    """Or the test above could not fail."""

    async def story(world: World) -> None:
        _, mine, theirs = await insured(world)
        world.clinic.ehr.people.edit_policy(mine, group_id="NEW")
        most = 60 * MINUTE
        assert await until(world, lambda: world.clinic.billing.policies[theirs].group == "NEW", most) >= most

    played(story)
