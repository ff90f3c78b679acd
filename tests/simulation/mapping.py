"""Days on which people save rows of the practices' maps and give them back, while everything else goes on."""

from __future__ import annotations

import random
from dataclasses import replace

from tests.simulation.plan import DAY_ENDS, HOUR, Deed, Plan, drawn

MAPPING: dict[str, int] = {
    "maps a provider": 3,
    "chooses a calendar": 3,
    "maps the annex": 2,
    "chooses a default physician": 1,
    "gives a row of the maps back": 4,
    "books an appointment in Kareo": 4,
    "signs a note in Elation": 4,
    "signs a note with a faulty bill in Elation": 3,
    "registers a patient in Kareo": 2,
    "edits a chart in Elation": 2,
}


def mapping(seed: int) -> Plan:
    """The plan of a seed on whose day people map."""
    plan, pick = drawn(seed), random.Random(f"{seed}/mapping")
    kinds, weights = tuple(MAPPING), tuple(MAPPING.values())
    deeds = [
        Deed(
            at=pick.uniform(0.5 * HOUR, DAY_ENDS),
            office=pick.randrange(2),
            kind=pick.choices(kinds, weights=weights)[0],
            pick=pick.randrange(1_000_000),
        )
        for _ in range(pick.choice((8, 16, 24)))
    ]
    return replace(plan, deeds=tuple(sorted((*plan.deeds, *deeds), key=lambda one: one.at)))
