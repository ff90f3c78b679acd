"""Two practices at work on one worker, in virtual time: what happens to one must not matter to the other."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import date, timedelta
from itertools import count
from typing import Any

import msgspec

from daemon.demo.rehearsal import PASSES
from daemon.runtime import worker
from tests.simulation.clock import VirtualLoop, simulate
from tests.simulation.plan import Deed, Plan
from tests.simulation.world import World, connected, surrounded

HIT, OTHER = "elm", "oak"
"""The practice that is struck, and the other one."""

LOOK_SECONDS = 2.0
NUDGE_SECONDS = 30.0


def damaged(row: Mapping[str, Any]) -> dict[str, Any]:
    """A stored row, one bit of its document flipped."""
    return {**row, "doc": row["doc"][:-1] + bytes([row["doc"][-1] ^ 1])}


class Pair:
    """The practices of a world, and what people do in them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._cities = 0
        self._restarts = 0
        self._newcomers = count()
        self._picks = random.Random(world.plan.seed)

    async def opened(self) -> None:
        """A patient in each practice, linked."""
        for office in (0, 1):
            self.deed("registers a patient in Kareo", office)
        for practice in (HIT, OTHER):
            await self.until(lambda practice=practice: bool(self.world.links(practice)), 3600.0, practice)  # type: ignore[misc]

    def deed(self, kind: str, office: int) -> None:
        self.world.people.do(Deed(at=0.0, office=office, kind=kind, pick=self._picks.randrange(1_000_000)))

    def register(self) -> None:
        """Somebody new comes to the struck practice, entered in Kareo with all that a chart needs."""
        office, number = self.world.offices[0], next(self._newcomers)
        self.world.clinic.billing.people.create_patient(
            office.billing,
            "Alma",
            f"Wexford{chr(97 + number // 26 % 26)}{chr(97 + number % 26)}",
            cases=[{"name": "Primary", "payer_scenario": "Insurance"}],
            dob=date(1950, 1, 1) + timedelta(days=17 * number),
            gender="Female",
            provider_id=office.providers[0],
        )

    async def visit(self, method: str) -> None:
        """The struck practice's first patient gets an appointment in Kareo; for what changes one it is moved or deleted once written."""
        world, office = self.world, self.world.offices[0]
        kareo, before = world.clinic.billing.people, len(world.clinic.ehr.appointments)
        start = world.loop.now().replace(minute=0) + timedelta(days=2, hours=next(self._newcomers))
        _, patient = world.links(HIT)[0]
        booked = kareo.book_appointment(patient, office.providers[0], office.place[1], start, 20, "Follow-up")
        if method == "create_appointment":
            return
        await self.until(lambda: len(world.clinic.ehr.appointments) > before, 600.0, HIT)
        if method == "delete_appointment":
            kareo.delete_appointment(booked.id)
        else:
            kareo.move_appointment(booked.id, start + timedelta(hours=1), None)

    def rename(self) -> None:
        """The struck practice's first patient gets another middle name, in Elation."""
        chart, _ = self.world.links(HIT)[0]
        number = next(self._newcomers)
        self.world.clinic.ehr.people.edit_patient(
            chart, middle_name=f"M{chr(97 + number // 26 % 26)}{chr(97 + number % 26)}"
        )

    async def insure(self, method: str) -> None:
        """The struck practice's first patient changes to a new insurer, in Kareo; for what changes a record that is edited once written."""
        kareo, number = self.world.clinic.billing, next(self._newcomers)
        _, patient = self.world.links(HIT)[0]
        case = next((one for one in kareo.cases.values() if one.patient_id == patient and one.is_primary), None)
        case = case or kareo.people.add_case(patient, "Primary", "Insurance", True)
        for one in [each for each in kareo.policies.values() if each.case_id == case.id and each.active]:
            kareo.people.deactivate_policy(one.id)
        address = {"address1": f"{number} Carrier Plaza", "city": "Denver", "state": "CO", "zip": "80202"}
        entered = kareo.people.add_policy(case.id, f"Insurer {number}", "Basic", number=f"MB{number}", **address)
        if method in ("replace_policy", "get_insurance_company", "update_insurance_company"):
            policies = self.world.clinic.ehr.policies
            await self.until(lambda: any(one["member_id"] == f"MB{number}" for one in policies.values()), 600.0, HIT)
            kareo.people.edit_policy(entered.id, copay=str(number))
            kareo.people.edit_plan(entered.plan_id, address1=f"{number} New Carrier Street")

    def move(self, practice: str) -> str:
        """The practice's first patient moves, in Kareo; returns where to."""
        self._cities += 1
        city = f"City {chr(65 + self._cities // 26 % 26)}{chr(97 + self._cities % 26)}"
        _, patient = self.world.links(practice)[0]
        self.world.clinic.billing.people.edit_patient(patient, city=city)
        return city

    def lives_in(self, practice: str, city: str) -> bool:
        chart, _ = self.world.links(practice)[0]
        return ((self.world.clinic.ehr.patients[chart]["address"] or {}).get("city") or "") == city

    async def until(self, met: object, seconds: float, *practices: str) -> bool:
        """Whether it came to be; passes of these practices are made due now and then."""
        loop = asyncio.get_running_loop()
        end, nudged = loop.time() + seconds, -NUDGE_SECONDS
        while not met():  # type: ignore[operator]
            if loop.time() > end:
                return False
            if loop.time() - nudged >= NUDGE_SECONDS:
                nudged = loop.time()
                self._nudge(practices)
            await asyncio.sleep(LOOK_SECONDS)
        return True

    def _nudge(self, practices: tuple[str, ...]) -> None:
        for practice in practices:
            if (runtime := self.world.owner(practice)) is not None:
                for system, names in PASSES.items():
                    for name in (*names, "directory", "subscriptions"):
                        runtime.connectors[system].nudge(name)

    @property
    def starts(self) -> int:
        """How often the worker was to be started."""
        return 1 + self._restarts

    def restart(self) -> None:
        """The worker is killed, and started again."""
        (machine,) = self.world.machines
        machine.kill()
        machine.start()
        self._restarts += 1

    def fail(self) -> None:
        """The struck practice fails, so that it is taken over anew."""
        runtime = self.world.owner(HIT)
        if runtime is not None and runtime._task is not None:
            runtime.failure = RuntimeError("made to fail")
            runtime._task.cancel()

    def waiting(self, practice: str) -> set[tuple[str, str]]:
        """What waits for a person in the practice: (slot, code)."""
        return {(row["slot"], row["code"]) for row in self.world.database.rows("waiting", practice)}


def lived(story: Callable[[Pair], Awaitable[None]], *, seed: int = 1, begun: bool = True) -> None:
    """Live a story to its end; where it is not `begun` the story begins the world itself."""

    async def main(loop: VirtualLoop) -> None:
        world = World(Plan(seed=seed, deeds=(), offices=2, workers=1), loop, folder)
        world.config = msgspec.structs.replace(world.config, kafka=msgspec.structs.replace(world.config.kafka, feed=True))
        pair = Pair(world)
        with connected(world.cluster):
            try:
                if begun:
                    await world.begin()
                    await pair.opened()
                await story(pair)
            finally:
                await world.end()

    with surrounded(seed, None, lambda _text: None) as folder:
        worker.REPORT_SECONDS = 60.0
        simulate(main)
