"""Our clock jumps while the daemon runs; days that have 23 or 25 hours."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.faults.pair import HIT, OTHER, Pair, lived
from tests.simulation import clock
from tests.simulation.plan import HOUR, quiet
from tests.simulation.run import play
from tests.simulation.shrink import told

MINUTES = 60.0


async def calls_in(pair: Pair, seconds: float) -> int:
    """How many requests travel in so many seconds."""
    before = pair.world.network.requests
    await asyncio.sleep(seconds)
    return pair.world.network.requests - before


async def begun_by_our_clock(pair: Pair) -> list[timedelta]:
    """The world's day begins. What stands in the list is how far our clock is ahead of the vendors' and PostgreSQL's."""
    world, clinic = pair.world, pair.world.clinic
    right, ahead = world.loop.now, [timedelta()]
    world.loop.now = lambda: right() + ahead[0]  # type: ignore[method-assign]
    clinic.ehr.state.now, clinic.billing.state._now = right, right
    await world.begin()
    await pair.opened()
    return ahead


@pytest.mark.parametrize("hours", [1, -1])
def test_our_clock_jumps_and_nothing_is_lost_and_no_storm_begins(hours: int) -> None:
    """Ours alone: the vendors' clocks and PostgreSQL's go on. Later it jumps back to where they are."""

    async def story(pair: Pair) -> None:
        world, ahead = pair.world, await begun_by_our_clock(pair)
        usual = await calls_in(pair, 60 * MINUTES)
        for jump in (timedelta(hours=hours), timedelta()):
            ahead[0] = jump
            for practice in (HIT, OTHER):
                city = pair.move(practice)
                assert await pair.until(
                    lambda practice=practice, city=city: pair.lives_in(practice, city), 10 * MINUTES, practice
                )  # type: ignore[misc]
            assert await calls_in(pair, 60 * MINUTES) <= 2 * usual
            assert pair.waiting(HIT) == pair.waiting(OTHER) == set()
        assert [machine.starts for machine in world.machines] == [1]

    lived(story, begun=False)


def test_what_people_enter_right_after_our_clock_was_set_back_is_written_to_the_other_system() -> None:
    """It had told an hour too much when the patients were read, and for an hour every reading looks older than that."""

    async def story(pair: Pair) -> None:
        world, clinic, ahead = pair.world, pair.world.clinic, await begun_by_our_clock(pair)
        ahead[0] = timedelta(hours=1)
        city = pair.move(HIT)
        assert await pair.until(lambda: pair.lives_in(HIT, city), 10 * MINUTES, HIT)
        ahead[0] = timedelta()
        moved = pair.move(HIT)
        assert await pair.until(lambda: pair.lives_in(HIT, moved), 10 * MINUTES, HIT)
        chart, patient = world.links(HIT)[0]
        address = dict(clinic.ehr.patients[chart]["address"], city="Elsewhere")
        clinic.ehr.people.edit_patient(chart, address=address)
        there = clinic.billing.patients[patient]
        assert await pair.until(lambda: there.city == "Elsewhere", 10 * MINUTES, HIT)
        await asyncio.sleep(120 * MINUTES)
        assert pair.lives_in(HIT, "Elsewhere"), "our own write is nobody's edit, and goes nowhere"
        assert there.city == "Elsewhere"

    lived(story, begun=False)


@pytest.mark.parametrize("saturday", [datetime(2026, 3, 7, 19, tzinfo=UTC), datetime(2026, 10, 31, 19, tzinfo=UTC)])
def test_a_day_of_23_or_25_hours_is_a_day_like_any_other(monkeypatch: pytest.MonkeyPatch, saturday: datetime) -> None:
    """Passes and watermarks go on through the night in which the clocks change; appointments stay where people booked them."""
    monkeypatch.setattr(clock, "BEGINNING", saturday)
    plan = quiet(7, deeds=14)
    deeds = tuple(replace(one, at=one.at if one.kind.startswith("registers") else one.at * 4) for one in plan.deeds)
    verdict = play(replace(plan, deeds=deeds, ends=26 * HOUR))
    assert verdict.ok, told(verdict)
    assert verdict.events > 20
