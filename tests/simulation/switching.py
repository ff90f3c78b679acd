"""Practices that change their profile in the middle of the day: the plan, and the change itself."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace as replaced

import msgspec
from aiokafka.errors import KafkaError

from daemon.config import PracticeConfig
from events.store import AWAY
from projections.terms.policy import PROFILES, Direction
from tests.simulation.booking import booking
from tests.simulation.clock import within
from tests.simulation.plan import HOUR, Plan, both_ways
from tests.simulation.world import RESTART, Machine, World

PRACTICE = "elm"
BOOKS, OFF = "elation-led", "appointments off"
"""What a practice with the extension on switches between, beside the other profile."""


def switching(seed: int) -> Plan:
    """The plan of a seed with insurance in both systems, where the first practice changes its profile once or twice."""
    plan = both_ways(seed)
    pick = random.Random(f"{seed}/switching")
    first = pick.choice(sorted(PROFILES))
    (other,) = set(PROFILES) - {first}
    times = sorted(round(pick.uniform(1.0, 5.0) * HOUR) for _ in range(pick.choice((1, 1, 2))))
    switches = dict(zip(times, (other, first), strict=False))
    return replaced(plan, settings={**plan.settings, "profiles": {PRACTICE: first}, "switches": switches})


def booking_switched(seed: int) -> Plan:
    """The plan of a seed with the extension on, which the practice switches off for a while, as a row or with the other profile."""
    plan = booking(seed)
    pick = random.Random(f"{seed}/booking switched")
    switches: dict[float, str] = {}
    for _ in range(pick.choice((1, 1, 2))):
        away = pick.choice((OFF, OFF, *sorted(set(PROFILES) - {BOOKS})))
        first, last = sorted(round(pick.uniform(1.0, 5.0) * HOUR) for _ in range(2))
        if not any(first <= at <= last for at in switches):
            switches |= {first: away, last: BOOKS}
    return replaced(plan, settings={**plan.settings, "switches": dict(sorted(switches.items()))})


async def switch(world: World) -> None:
    """Change the profile as planned: the file is changed, and each worker that is up is told to read it."""
    books = PRACTICE in world.plan.settings.get("books", ())
    for at, what in world.plan.settings.get("switches", {}).items():
        await asyncio.sleep(max(0.0, at - world.loop.time()))
        profile = BOOKS if what == OFF else what
        practices = tuple(
            _changed(one, profile, what, books=books) if one.id == PRACTICE else one for one in world.config.practice
        )
        world.config = msgspec.structs.replace(world.config, practice=practices)
        for office in world.offices:
            if office.id == PRACTICE:
                office.profile, office.books = profile, books and what == BOOKS
        world.checks.switched(next(one for one in practices if one.id == PRACTICE))
        for machine in world.machines:
            if machine.up and machine.process is not None:
                within(machine.process, _reload(world, machine))


def _changed(config: PracticeConfig, profile: str, what: str, *, books: bool) -> PracticeConfig:
    """The practice with another profile; where it books appointments, with the row that goes with that."""
    row = {BOOKS: Direction.TO_BILLING, OFF: Direction.OFF}.get(what)
    overrides = msgspec.structs.replace(config.overrides, appointment=row) if books else config.overrides
    return msgspec.structs.replace(config, profile=profile, overrides=overrides)


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
