"""The practice beside the one that is hit: its changes have to arrive in time, nothing of it is set aside, no worker ends (I11)."""

from __future__ import annotations

import asyncio
from itertools import count

from events.slots import STANDING_SLOT, SlotKind, is_slot
from tests.simulation.plan import HOUR, Deed, Trouble
from tests.simulation.poison import OF_ALL, OTHER
from tests.simulation.world import World

EVERY = 600.0
LATE = 600.0
"""Two polls of 240 s, and what a write takes. A webhook is faster, and may come while the worker begins."""

AGAIN = 600.0
"""So much later after something that befell everybody: pauses have grown meanwhile."""

LOOK = 5.0
OUR_DEEDS = ("edits the first patient's city in Kareo", "edits the first patient's city in Elation")


class Bystander:
    """Moves its first patient now and then, in either system, and looks when the other one shows it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._office = world.offices[OTHER]

    async def live(self) -> None:
        """Until the plan ends."""
        world, number = self._world, count()
        await asyncio.sleep(0.6 * HOUR)
        while world.loop.time() < world.plan.ends - EVERY:
            step = next(number)
            await self._move(Deed(at=world.loop.time(), office=OTHER, kind=OUR_DEEDS[step % 2], pick=world.plan.seed + step))
            await asyncio.sleep(EVERY)
        self._judge()

    async def _move(self, deed: Deed) -> None:
        world, since = self._world, self._world.loop.time()
        world.people.do(deed)
        while not self._agree():
            if world.loop.time() > self._due(since):
                world.checks.say(
                    "I11", f"{self._office.id}: a change is not written after {world.loop.time() - since:.0f} s"
                )
                return
            await asyncio.sleep(LOOK)

    def _agree(self) -> bool:
        clinic = self._world.clinic
        links = self._world.links(self._office.id)
        cities = [
            ((clinic.ehr.patients[ehr]["address"] or {}).get("city") or "", clinic.billing.patients[billing].city or "")
            for ehr, billing in links
        ]
        return all(here == there for here, there in cities)

    def _due(self, since: float) -> float:
        """When a change of that time is late."""
        ends = [one.at + one.seconds for one in self._world.plan.poisons if self._befalls_all(one, since)]
        return max([since + LATE, *(end + AGAIN for end in ends)])

    def _befalls_all(self, one: Trouble, since: float) -> bool:
        """All workers begin anew where the keys of one practice go."""
        all_ = one.kind in OF_ALL or one.kind == "the keys are missing"
        end = one.at + (one.seconds if one.kind in OF_ALL else 0.0)
        return all_ and one.at <= self._world.loop.time() and since <= end + AGAIN

    def _judge(self) -> None:
        for key, slot in self._world.waiting(self._office.id):
            if is_slot(slot, SlotKind.QUARANTINE) or slot == STANDING_SLOT:
                self._world.checks.say(
                    "I11", f"{self._office.id}: {slot.partition(':')[0]} of {key or 'the practice'} waits"
                )
        killed = sum(one.kind == "the keys are missing" for one in self._world.plan.poisons)
        for machine in self._world.machines:
            if machine.starts > 1 + killed:
                self._world.checks.say("I11", f"worker {machine.number} was begun {machine.starts} times")
