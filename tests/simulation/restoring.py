"""A practice's database goes back to an earlier point in the middle of the day; the vendors and Kafka, the heads in it too, do not.

deploy/postgres/README.md: the workers are stopped first, and started again after it. Nothing may be made twice, nothing lost.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import replace as replaced

from tests.simulation.plan import DEEDS, HOUR, Deed, Plan, drawn
from tests.simulation.rows import Key, Values
from tests.simulation.world import World

PRACTICES = ("elm", "oak")
STOPPED_SECONDS = 120.0
"""So long the workers stand still before they are started on what was restored."""

BUSY: dict[str, int] = {
    "registers a patient in Kareo": 4,
    "registers a patient in Elation": 4,
    "books an appointment in Kareo": 8,
    "moves an appointment in Kareo": 3,
    "enters a policy in Kareo": 4,
    "edits a policy in Kareo": 2,
    "signs a note in Elation": 8,
    "edits a patient in Kareo": 3,
    "edits a chart in Elation": 3,
}
"""What is done in the time that will be lost: much is created."""

Rows = Mapping[str, Mapping[Key, Values]]


def restored(seed: int) -> Plan:
    """The plan of a seed on whose day one practice's database is lost once or twice. Nobody decides by command: what people decided
    in a lost time they would have to decide again, and nothing could tell whether they did."""
    pick = random.Random(f"{seed}/restored")
    plan = drawn(seed)
    practice = pick.randrange(len(PRACTICES))
    deeds = [one for one in plan.deeds if one.kind in DEEDS]
    restores, first = [], 1.0
    for last in (3.0, 5.0)[: pick.choice((1, 1, 2))]:
        back = pick.uniform(first, last - 0.5) * HOUR
        loss = pick.uniform(back / HOUR + 0.1, last) * HOUR
        restores.append((PRACTICES[practice], back, loss))
        deeds += [_deed(pick, practice, back, loss + STOPPED_SECONDS) for _ in range(pick.randint(6, 16))]
        first = last
    return replaced(
        plan,
        deeds=tuple(sorted(deeds, key=lambda one: one.at)),
        troubles=(),
        settings={**plan.settings, "restores": {"of": tuple(restores)}},
    )


def _deed(pick: random.Random, office: int, since: float, until: float) -> Deed:
    kind = pick.choices(tuple(BUSY), weights=tuple(BUSY.values()))[0]
    return Deed(at=pick.uniform(since, until), office=office, kind=kind, pick=pick.randrange(1_000_000))


async def restore(world: World) -> None:
    """Lose what was recorded of a practice, as planned: each time back to an earlier point."""
    for practice, back, loss in world.plan.settings.get("restores", {}).get("of", ()):
        await asyncio.sleep(max(0.0, back - world.loop.time()))
        rows, mark = _backed_up(world, practice), world.checks.marked(practice)
        await asyncio.sleep(max(0.0, loss - world.loop.time()))
        for machine in world.machines:
            machine.kill()
        world.checks.restored(practice, mark)
        _put_back(world, practice, rows)
        await asyncio.sleep(STOPPED_SECONDS)
        for machine in world.machines:
            machine.start()


def _backed_up(world: World, practice: str) -> Rows:
    return {name: dict(table.rows.get(practice, {})) for name, table in world.database.tables.items()}


def _put_back(world: World, practice: str, rows: Rows) -> None:
    for name, table in world.database.tables.items():
        for key in list(table.rows.get(practice, {})):
            table.write(key, None)
        for key, row in rows[name].items():
            table.write(key, row)
