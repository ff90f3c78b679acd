"""Practices that change their profile in the middle of the day: the plan, and the change itself."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace as replaced

import msgspec
from aiokafka.errors import KafkaError

from events.store import AWAY
from projections.terms.policy import PROFILES
from tests.simulation.clock import within
from tests.simulation.plan import HOUR, Plan, both_ways
from tests.simulation.world import RESTART, Machine, World

PRACTICE = "elm"


def switching(seed: int) -> Plan:
    """The plan of a seed with insurance in both systems, where the first practice changes its profile once or twice."""
    plan = both_ways(seed)
    pick = random.Random(f"{seed}/switching")
    first = pick.choice(sorted(PROFILES))
    (other,) = set(PROFILES) - {first}
    times = sorted(round(pick.uniform(1.0, 5.0) * HOUR) for _ in range(pick.choice((1, 1, 2))))
    switches = dict(zip(times, (other, first), strict=False))
    return replaced(plan, settings={**plan.settings, "profiles": {PRACTICE: first}, "switches": switches})


async def switch(world: World) -> None:
    """Change the profile as planned: the file is changed, and each worker that is up is told to read it."""
    for at, profile in world.plan.settings.get("switches", {}).items():
        await asyncio.sleep(max(0.0, at - world.loop.time()))
        practices = tuple(
            msgspec.structs.replace(one, profile=profile) if one.id == PRACTICE else one for one in world.config.practice
        )
        world.config = msgspec.structs.replace(world.config, practice=practices)
        for office in world.offices:
            office.profile = profile if office.id == PRACTICE else office.profile
        world.checks.switched(next(one for one in practices if one.id == PRACTICE))
        for machine in world.machines:
            if machine.up and machine.process is not None:
                within(machine.process, _reload(world, machine))


async def _reload(world: World, machine: Machine) -> None:
    """A worker that cannot go by the new file now is started again, as a person would do."""
    try:
        if machine.worker is not None:
            await machine.worker.reload(world.config, world.keyring)
            return
    except (*AWAY, KafkaError):
        pass
    world.loop.call_later(RESTART, machine.start)
    machine.kill()
