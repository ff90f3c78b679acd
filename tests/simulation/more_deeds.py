"""Days on which people do more of some kinds of deed than on others, while everything else goes on."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

from tests.simulation.plan import DAY_ENDS, HOUR, Deed, Plan, drawn


def with_more(seed: int, name: str, weights: Mapping[str, int]) -> Plan:
    """The plan of a seed with more deeds of these kinds; `name` tells this draw from another of the seed."""
    plan, pick = drawn(seed), random.Random(f"{seed}/{name}")
    deeds = [
        Deed(
            at=pick.uniform(0.5 * HOUR, DAY_ENDS),
            office=pick.randrange(2),
            kind=pick.choices(tuple(weights), weights=tuple(weights.values()))[0],
            pick=pick.randrange(1_000_000),
        )
        for _ in range(pick.choice((8, 16, 24)))
    ]
    return replace(plan, deeds=tuple(sorted((*plan.deeds, *deeds), key=lambda one: one.at)))
